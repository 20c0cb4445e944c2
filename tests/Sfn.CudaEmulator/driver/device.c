// The device, contexts, errors, counters.
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Counters counters;
static int stuck;
static char message[4096];

static long setting(const char *name, long otherwise)
{
    const char *value = getenv(name);
    return value && *value ? atol(value) : otherwise;
}

long memory_bytes(void) { return setting("SFN_STUB_MEMORY", 150000000000L); }

int failed(void) { return stuck; }

int fail(int error)
{
    if (!stuck) stuck = error;
    return error;
}

EXPORT void stub_set_message(const char *text) { snprintf(message, sizeof message, "%s", text); }

EXPORT void stub_reset(void)
{
    stuck = 0;
    message[0] = 0;
    memset(&counters, 0, sizeof counters);
}

EXPORT long stub_launches(void) { return counters.launches; }
EXPORT long stub_allocations(void) { return counters.allocations; }
EXPORT long stub_frees(void) { return counters.frees; }
EXPORT long stub_synchronizations(void) { return counters.synchronizations; }
EXPORT long stub_graph_launches(void) { return counters.graph_launches; }

EXPORT int cuInit(unsigned flags) { return SUCCESS; }

EXPORT int cuDriverGetVersion(int *version)
{
    *version = 13000;
    return SUCCESS;
}

EXPORT int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal;
    return ordinal == 0 ? SUCCESS : 101;
}

EXPORT int cuDeviceGetCount(int *count)
{
    *count = 1;
    return SUCCESS;
}

EXPORT int cuDeviceGetName(char *name, int length, int device)
{
    snprintf(name, length, "Emulated H200");
    return SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    *bytes = memory_bytes();
    return SUCCESS;
}

// Numbers of CUdevice_attribute; values of an H200.
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    long sm = setting("SFN_STUB_SM", 90);
    switch (attribute)
    {
        case 1: case 2: case 3: *value = 1024; break;               // threads per block and its dimensions
        case 4: *value = 64; break;
        case 5: *value = 2147483647; break;                         // grid
        case 6: case 7: *value = 65535; break;
        case 8: *value = 49152; break;                              // shared memory per block
        case 9: *value = 65536; break;                              // constant memory
        case 10: *value = 32; break;                                // warp
        case 12: case 82: *value = 65536; break;                    // registers
        case 13: *value = 1980000; break;                           // kHz
        case 16: *value = 132; break;                               // multiprocessors
        case 35: *value = 0; break;                                 // integrated
        case 36: *value = 3201000; break;
        case 37: *value = 6144; break;                              // bits of the memory bus
        case 38: *value = 62914560; break;                          // L2
        case 39: *value = 2048; break;                              // threads per multiprocessor
        case 40: *value = 3; break;
        case 75: *value = (int)(sm / 10); break;                    // compute capability
        case 76: *value = (int)(sm % 10); break;
        case 81: *value = 233472; break;                            // shared memory per multiprocessor
        case 97: *value = 232448; break;                            // shared memory per block, if asked for
        case 106: *value = 32; break;                               // blocks per multiprocessor
        default: *value = 1; break;
    }
    return SUCCESS;
}

EXPORT int cuDeviceCanAccessPeer(int *can, int device, int peer)
{
    *can = 0;
    return SUCCESS;
}

EXPORT int cuDeviceGetP2PAttribute(int *value, int attribute, int from, int to)
{
    *value = 0;
    return SUCCESS;
}

EXPORT int cuCtxCreate_v2(void **context, unsigned flags, int device)
{
    *context = calloc(1, 16);
    return SUCCESS;
}

EXPORT int cuCtxDestroy_v2(void *context)
{
    free(context);
    return SUCCESS;
}

EXPORT int cuCtxSetCurrent(void *context) { return SUCCESS; }

EXPORT int cuCtxSynchronize(void)
{
    if (capturing()) return CAPTURE_UNSUPPORTED;
    counters.synchronizations++;
    return failed();
}

EXPORT int cuCtxGetCacheConfig(int *config) { return *config = 0; }
EXPORT int cuCtxSetCacheConfig(int config) { return SUCCESS; }
EXPORT int cuCtxGetSharedMemConfig(int *config) { return *config = 0; }
EXPORT int cuCtxSetSharedMemConfig(int config) { return SUCCESS; }
EXPORT int cuCtxEnablePeerAccess(void *context, unsigned flags) { return SUCCESS; }
EXPORT int cuCtxDisablePeerAccess(void *context) { return SUCCESS; }

EXPORT int cuGetErrorName(int error, const char **name)
{
    switch (error)
    {
        case SUCCESS: *name = "CUDA_SUCCESS"; break;
        case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
        case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
        case INVALID_PTX: *name = "CUDA_ERROR_INVALID_PTX"; break;
        case NOT_FOUND: *name = "CUDA_ERROR_NOT_FOUND"; break;
        case ILLEGAL_ADDRESS: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
        case 716: *name = "CUDA_ERROR_MISALIGNED_ADDRESS"; break;
        case LAUNCH_FAILED: *name = "CUDA_ERROR_LAUNCH_FAILED"; break;
        case CAPTURE_UNSUPPORTED: *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; break;
        case CAPTURE_INVALIDATED: *name = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"; break;
        default: *name = "CUDA_ERROR_UNKNOWN"; break;
    }
    return SUCCESS;
}

// What the emulator said about the kernel or the text that failed, else the error's name.
EXPORT int cuGetErrorString(int error, const char **text)
{
    if (error == 0 || message[0] == 0) return cuGetErrorName(error, text);
    *text = message;
    return SUCCESS;
}
