// Modules and launches: the emulator executes them through callbacks; without callbacks a launch does nothing.
#include "driver.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct
{
    int (*load)(const char *text, void **module);
    void (*unload)(void *module);
    int (*function)(void *module, const char *name, Function *function);
    int (*launch)(Launch *launch);
} callbacks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long fail_at = -1;
static int fail_with;

EXPORT void stub_set_callbacks(void *load, void *unload, void *function, void *launch)
{
    callbacks.load = load;
    callbacks.unload = unload;
    callbacks.function = function;
    callbacks.launch = launch;
}

// The launch after the next `launches` gives `error`, and so does all that comes after it; a negative number ends that.
EXPORT void stub_fail_after(long launches, int error)
{
    fail_at = launches < 0 ? -1 : counters.launches + launches;
    fail_with = error;
}

// Names of launched kernels, each once, go to the file that SFN_STUB_LOG names.
static void note(const char *name)
{
    static char *names[4096];
    static int count;
    const char *path = getenv("SFN_STUB_LOG");
    if (!path) return;
    pthread_mutex_lock(&lock);
    int known = 0;
    for (int i = 0; i < count && !known; i++) known = strcmp(names[i], name) == 0;
    if (!known && count < 4096)
    {
        names[count++] = strdup(name);
        FILE *file = fopen(path, "a");
        if (file)
        {
            fprintf(file, "%s\n", name);
            fclose(file);
        }
    }
    pthread_mutex_unlock(&lock);
}

EXPORT int cuModuleLoadData(void **module, const char *image)
{
    if (failed()) return failed();
    *module = 0;
    if (callbacks.load) return callbacks.load(image, module);
    *module = calloc(1, 8);
    return SUCCESS;
}

EXPORT int cuModuleLoadDataEx(void **module, const char *image, unsigned options, int *names, void **values)
{
    int result = cuModuleLoadData(module, image);
    if (result == SUCCESS) return result;
    // The caller's buffer for the compiler's complaints: options 5 (where) and 6 (size).
    char *log = 0;
    size_t size = 0;
    for (unsigned i = 0; i < options; i++)
    {
        if (names[i] == 5) log = values[i];
        if (names[i] == 6) size = (size_t)values[i] & 0xFFFFFFFF;
    }
    const char *text = "";
    int cuGetErrorString(int, const char **);
    cuGetErrorString(result, &text);
    if (log && size) snprintf(log, size, "%s", text);
    return result;
}

EXPORT int cuModuleUnload(void *module)
{
    if (callbacks.unload) callbacks.unload(module);
    else free(module);
    return SUCCESS;
}

EXPORT int cuModuleGetFunction(Function **result, void *module, const char *name)
{
    Function *function = calloc(1, sizeof *function);
    function->name = strdup(name);
    function->max_threads = 1024;
    function->max_dynamic_shared = 49152;
    *result = function;
    return callbacks.function ? callbacks.function(module, name, function) : SUCCESS;
}

EXPORT int cuFuncSetAttribute(Function *function, int attribute, int value)
{
    if (attribute != 8) return SUCCESS;
    if (value < 0 || value + function->shared_bytes > 232448) return INVALID_VALUE;
    function->max_dynamic_shared = value;
    return SUCCESS;
}

EXPORT int cuFuncGetAttribute(int *value, int attribute, Function *function)
{
    switch (attribute)
    {
        case 0: *value = function->max_threads; break;
        case 1: *value = function->shared_bytes; break;
        case 3: *value = function->local_bytes; break;
        case 4: *value = 64; break;                                 // registers
        case 8: *value = function->max_dynamic_shared; break;
        default: *value = 0; break;
    }
    return SUCCESS;
}

EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *function, int threads, size_t shared)
{
    *blocks = threads > 0 && threads <= 1024 ? 2048 / (threads > 64 ? threads : 64) : 0;
    return SUCCESS;
}

EXPORT int cuOccupancyMaxPotentialBlockSize(int *grid, int *block, Function *function, void *of_block, size_t shared, int limit)
{
    *grid = 264;
    *block = function->max_threads < 256 ? function->max_threads : 256;
    return SUCCESS;
}

// Arguments come as one pointer each, or as one buffer (extra: 1, its address, 2, address of its size, 0).
static int collect(Launch *launch, void **arguments, void **extra)
{
    Function *function = launch->function;
    launch->parameters = calloc(1, function->bytes + 1);
    if (arguments)
    {
        for (int i = 0; i < function->count; i++) memcpy((char *)launch->parameters + function->offsets[i], arguments[i], function->sizes[i]);
        return SUCCESS;
    }
    const void *buffer = 0;
    size_t size = 0;
    for (int i = 0; extra && extra[i]; i += 2)
    {
        if (extra[i] == (void *)1) buffer = extra[i + 1];
        if (extra[i] == (void *)2) size = *(size_t *)extra[i + 1];
    }
    if (function->bytes && (!buffer || size < (size_t)function->bytes)) return INVALID_VALUE;
    if (function->bytes) memcpy(launch->parameters, buffer, function->bytes);
    return SUCCESS;
}

EXPORT int cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
    Stream *stream, void **arguments, void **extra)
{
    if (failed()) return failed();
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || !by || !bz || (long)bx * by * bz > 1024) return INVALID_VALUE;
    if ((long)bx * by * bz > function->max_threads) return OUT_OF_RESOURCES;
    if ((int)shared > function->max_dynamic_shared) return INVALID_VALUE;
    Work work = { .kind = LAUNCH, .launch = { function, { gx, gy, gz }, { bx, by, bz }, shared, 0 } };
    int result = collect(&work.launch, arguments, extra);
    if (result == SUCCESS) result = submit(stream, &work);
    // A recorded launch keeps its parameters.
    if (result != SUCCESS || !stream || !stream->capturing) free(work.launch.parameters);
    return result;
}

int perform(Work *work)
{
    if (failed()) return failed();
    switch (work->kind)
    {
        case COPY:
            memmove(work->to, work->from, work->bytes);
            return SUCCESS;
        case SET8:
            memset(work->to, (int)work->value, work->bytes);
            return SUCCESS;
        case SET32:
            for (size_t i = 0; i < work->bytes / 4; i++) ((uint32_t *)work->to)[i] = work->value;
            return SUCCESS;
        default:
            if (fail_at >= 0 && counters.launches >= fail_at) return fail(fail_with);
            __atomic_add_fetch(&counters.launches, 1, __ATOMIC_SEQ_CST);
            note(work->launch.function->name);
            int result = callbacks.launch ? callbacks.launch(&work->launch) : SUCCESS;
            return result ? fail(result) : SUCCESS;
    }
}
