// Device memory, page-locked memory, copies.
#include "driver.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

long memory_bytes(void);

typedef struct { uintptr_t begin; size_t bytes; } Range;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Range *ranges;
static long count, room, generation;
static size_t used;

// Ranges of all live allocations as pairs (begin, end); gives their number. The generation changes with every allocation and release.
EXPORT long stub_ranges(uint64_t *pairs, long most)
{
    pthread_mutex_lock(&lock);
    for (long i = 0; i < count && i < most; i++)
    {
        pairs[2 * i] = ranges[i].begin;
        pairs[2 * i + 1] = ranges[i].begin + ranges[i].bytes;
    }
    long all = count;
    pthread_mutex_unlock(&lock);
    return all;
}

EXPORT long stub_generation(void) { return __atomic_load_n(&generation, __ATOMIC_SEQ_CST); }

static int add(void *begin, size_t bytes, int of_device)
{
    pthread_mutex_lock(&lock);
    if (count == room) ranges = realloc(ranges, (room = 2 * room + 64) * sizeof *ranges);
    ranges[count++] = (Range) { (uintptr_t)begin, bytes };
    if (of_device) used += bytes;
    generation++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

static int drop(void *begin, int of_device)
{
    int result = INVALID_VALUE;
    pthread_mutex_lock(&lock);
    for (long i = 0; i < count; i++)
    {
        if (ranges[i].begin != (uintptr_t)begin) continue;
        if (of_device) used -= ranges[i].bytes;
        ranges[i] = ranges[--count];
        generation++;
        result = SUCCESS;
        break;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int cuMemAlloc_v2(void **pointer, size_t bytes)
{
    if (capturing()) return CAPTURE_UNSUPPORTED;
    if (failed()) return failed();
    if (bytes == 0) return INVALID_VALUE;
    if (used + bytes > (size_t)memory_bytes()) return OUT_OF_MEMORY;
    // Zeros, and a page of nothing known behind them: fresh pages cost nothing until they are touched.
    char *block = calloc(1, bytes + 512 + sizeof(void *));
    if (!block) return OUT_OF_MEMORY;
    char *begin = (char *)(((uintptr_t)block + sizeof(void *) + 511) & ~(uintptr_t)511);
    ((void **)begin)[-1] = block;
    counters.allocations++;
    *pointer = begin;
    return add(begin, bytes, 1);
}

EXPORT int cuMemFree_v2(void *pointer)
{
    if (capturing()) return CAPTURE_UNSUPPORTED;
    if (!pointer) return SUCCESS;
    int result = drop(pointer, 1);
    if (result == SUCCESS) free(((void **)pointer)[-1]);
    counters.frees++;
    return result;
}

EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total)
{
    *total = memory_bytes();
    *available = *total - used;
    return SUCCESS;
}

EXPORT int cuMemAllocHost_v2(void **pointer, size_t bytes)
{
    if (capturing()) return CAPTURE_UNSUPPORTED;
    if (posix_memalign(pointer, 4096, bytes)) return OUT_OF_MEMORY;
    return add(*pointer, bytes, 0);
}

EXPORT int cuMemFreeHost(void *pointer)
{
    int result = drop(pointer, 0);
    if (result == SUCCESS) free(pointer);
    return result;
}

EXPORT int cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned flags) { return add(pointer, bytes, 0); }
EXPORT int cuMemHostUnregister(void *pointer) { return drop(pointer, 0); }

EXPORT int cuMemHostGetDevicePointer_v2(void **device, void *host, unsigned flags)
{
    *device = host;
    return SUCCESS;
}

// All attributes that are asked for are the kind of memory: 1 host, 2 device.
EXPORT int cuPointerGetAttribute(void *value, int attribute, void *pointer)
{
    *(int *)value = 1;
    pthread_mutex_lock(&lock);
    for (long i = 0; i < count; i++)
        if ((uintptr_t)pointer - ranges[i].begin < ranges[i].bytes) *(int *)value = 2;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

EXPORT int cuMemcpyAsync(void *to, const void *from, size_t bytes, Stream *stream)
{
    Work work = { .kind = COPY, .to = to, .from = from, .bytes = bytes };
    return submit(stream, &work);
}

EXPORT int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, Stream *stream) { return cuMemcpyAsync(to, from, bytes, stream); }
EXPORT int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, Stream *stream) { return cuMemcpyAsync(to, from, bytes, stream); }
EXPORT int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, Stream *stream) { return cuMemcpyAsync(to, from, bytes, stream); }

EXPORT int cuMemsetD8Async(void *to, unsigned char value, size_t bytes, Stream *stream)
{
    Work work = { .kind = SET8, .to = to, .bytes = bytes, .value = value };
    return submit(stream, &work);
}

EXPORT int cuMemsetD32Async(void *to, unsigned value, size_t count, Stream *stream)
{
    if ((uintptr_t)to % 4) return INVALID_VALUE;
    Work work = { .kind = SET32, .to = to, .bytes = 4 * count, .value = value };
    return submit(stream, &work);
}
