// A stand-in for NVIDIA's libcuda.so.1 for tests on machines without a GPU: one device, whose memory is the process's own. See README.md.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum
{
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700, OUT_OF_RESOURCES = 701, LAUNCH_FAILED = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, ILLEGAL_STATE = 401,
};

enum { MAX_PARAMETERS = 512 };

typedef struct Function
{
    char *name;
    void *kernel;               // what the function callback gave
    int count;                  // parameters
    int offsets[MAX_PARAMETERS], sizes[MAX_PARAMETERS];
    int bytes;                  // of all parameters
    int shared_bytes, local_bytes, max_threads, max_dynamic_shared;
} Function;

typedef struct Launch
{
    Function *function;
    int grid[3], block[3];
    int dynamic_shared;
    void *parameters;           // function->bytes bytes
} Launch;

// What a stream does: at once, or when the graph that recorded it is launched.
typedef struct Work
{
    enum { LAUNCH, COPY, SET8, SET32 } kind;
    Launch launch;
    void *to;
    const void *from;
    size_t bytes;
    uint32_t value;
    struct Work *next;
} Work;

typedef struct Graph { Work *first, *last; } Graph;

typedef struct Stream { int capturing, invalidated; Graph *graph; } Stream;

// Gives the error that is stuck to the context, or 0.
int failed(void);

// Sticks an error to the context, as a kernel that went wrong does.
int fail(int error);

// Does the work now or records it, if the stream captures.
int submit(Stream *stream, Work *work);

// For calls that are not allowed while any stream captures.
int capturing(void);

int perform(Work *work);

typedef struct { long launches, allocations, frees, synchronizations, graph_launches; } Counters;
extern Counters counters;
