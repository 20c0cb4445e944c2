// Streams do their work at once. A capturing stream records it into a graph instead, which can be launched again and again.
#include "driver.h"
#include <stdlib.h>
#include <time.h>

static int captures;

int capturing(void)
{
    // What is not allowed also spoils the captures that are going on, but which those are nobody needs to know.
    return captures > 0;
}

int submit(Stream *stream, Work *work)
{
    if (failed()) return failed();
    if (!stream || !stream->capturing) return stream || !captures ? perform(work) : CAPTURE_UNSUPPORTED;
    Work *copy = malloc(sizeof *copy);
    *copy = *work;
    copy->next = 0;
    if (stream->graph->last) stream->graph->last->next = copy;
    else stream->graph->first = copy;
    stream->graph->last = copy;
    return SUCCESS;
}

EXPORT int cuStreamCreate(Stream **stream, unsigned flags)
{
    *stream = calloc(1, sizeof **stream);
    return SUCCESS;
}

EXPORT int cuStreamCreateWithPriority(Stream **stream, unsigned flags, int priority) { return cuStreamCreate(stream, flags); }

EXPORT int cuStreamDestroy_v2(Stream *stream)
{
    free(stream);
    return SUCCESS;
}

EXPORT int cuStreamSynchronize(Stream *stream)
{
    if (stream && stream->capturing) return CAPTURE_UNSUPPORTED;
    counters.synchronizations++;
    return failed();
}

EXPORT int cuStreamWaitEvent(Stream *stream, void *event, unsigned flags) { return failed(); }

EXPORT int cuStreamQuery(Stream *stream) { return stream && stream->capturing ? CAPTURE_UNSUPPORTED : failed(); }

EXPORT int cuStreamBeginCapture_v2(Stream *stream, int mode)
{
    if (failed()) return failed();
    if (!stream) return CAPTURE_UNSUPPORTED;
    if (stream->capturing) return ILLEGAL_STATE;
    stream->capturing = 1;
    stream->graph = calloc(1, sizeof(Graph));
    captures++;
    return SUCCESS;
}

EXPORT int cuStreamEndCapture(Stream *stream, Graph **graph)
{
    *graph = 0;
    if (!stream || !stream->capturing) return ILLEGAL_STATE;
    stream->capturing = 0;
    captures--;
    *graph = stream->graph;
    stream->graph = 0;
    return failed();
}

EXPORT int cuStreamIsCapturing(Stream *stream, int *status)
{
    *status = stream && stream->capturing;
    return SUCCESS;
}

static void release(Graph *graph)
{
    for (Work *work = graph->first, *next; work; work = next)
    {
        next = work->next;
        if (work->kind == LAUNCH) free(work->launch.parameters);
        free(work);
    }
    free(graph);
}

// A graph ready to run is a copy: the graph may go before it.
EXPORT int cuGraphInstantiateWithFlags(Graph **executable, Graph *graph, unsigned long long flags)
{
    if (!graph) return INVALID_VALUE;
    Graph *copy = calloc(1, sizeof *copy);
    for (Work *work = graph->first; work; work = work->next)
    {
        Work *twin = malloc(sizeof *twin);
        *twin = *work;
        twin->next = 0;
        if (work->kind == LAUNCH)
        {
            int bytes = work->launch.function->bytes;
            char *parameters = malloc(bytes + 1);
            for (int i = 0; i < bytes; i++) parameters[i] = ((char *)work->launch.parameters)[i];
            twin->launch.parameters = parameters;
        }
        if (copy->last) copy->last->next = twin;
        else copy->first = twin;
        copy->last = twin;
    }
    *executable = copy;
    return SUCCESS;
}

EXPORT int cuGraphLaunch(Graph *executable, Stream *stream)
{
    if (failed()) return failed();
    if (!executable) return INVALID_VALUE;
    if (stream && stream->capturing) return CAPTURE_UNSUPPORTED;
    counters.graph_launches++;
    for (Work *work = executable->first; work; work = work->next)
    {
        int result = perform(work);
        if (result) return result;
    }
    return SUCCESS;
}

EXPORT int cuGraphDestroy(Graph *graph)
{
    if (!graph) return INVALID_VALUE;
    release(graph);
    return SUCCESS;
}

EXPORT int cuGraphExecDestroy(Graph *executable) { return cuGraphDestroy(executable); }

EXPORT int cuGraphGetNodes(Graph *graph, void **nodes, size_t *count)
{
    *count = 0;
    for (Work *work = graph->first; work; work = work->next) ++*count;
    return SUCCESS;
}

EXPORT int cuEventCreate(struct timespec **event, unsigned flags)
{
    *event = calloc(1, sizeof **event);
    return SUCCESS;
}

EXPORT int cuEventDestroy_v2(struct timespec *event)
{
    free(event);
    return SUCCESS;
}

EXPORT int cuEventRecord(struct timespec *event, Stream *stream)
{
    clock_gettime(CLOCK_MONOTONIC, event);
    return failed();
}

EXPORT int cuEventQuery(struct timespec *event) { return failed(); }
EXPORT int cuEventSynchronize(struct timespec *event) { return failed(); }

EXPORT int cuEventElapsedTime(float *milliseconds, struct timespec *from, struct timespec *to)
{
    *milliseconds = (float)((to->tv_sec - from->tv_sec) * 1e3 + (to->tv_nsec - from->tv_nsec) * 1e-6);
    return SUCCESS;
}
