/* memory.c - see memory.h. The linker gives us the library's calls by --wrap. */
#include "memory.h"

#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static struct {
    bool on;
    size_t bytes, peak;
} state;

bool sim_memory_count(bool on)
{
    const bool before = state.on;

    state.on = on;
    return before;
}

size_t sim_memory_bytes(void)
{
    return state.bytes;
}

size_t sim_memory_peak(void)
{
    return state.peak;
}

void sim_memory_reset(void)
{
    state.bytes = state.peak = 0;
}

static void *added(void *p)
{
    if (!state.on || !p)
        return p;
    state.bytes += malloc_usable_size(p);
    if (state.bytes > state.peak)
        state.peak = state.bytes;
    return p;
}

static void removed(void *p)
{
    if (state.on && p)
        state.bytes -= malloc_usable_size(p);
}

void *__wrap_malloc(size_t size)
{
    return added(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return added(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    const size_t before = p ? malloc_usable_size(p) : 0;
    void *q = __real_realloc(p, size);

    if (!q)
        return NULL;
    if (state.on)
        state.bytes -= before;
    return added(q);
}

void __wrap_free(void *p)
{
    removed(p);
    __real_free(p);
}

char *__wrap_strdup(const char *s)
{
    return added(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
    return added(__real_strndup(s, n));
}
