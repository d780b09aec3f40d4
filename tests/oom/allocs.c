/* allocs.c - see allocs.h. */
#include "allocs.h"

#include <stdlib.h>
#include <openssl/crypto.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

static struct {
    bool armed, paused, failed;
    enum allocs_whose whose;
    enum allocs_how how;
    size_t n, count, live;
} state;

static bool fails(enum allocs_whose whose)
{
    if (!state.armed || state.paused || whose != state.whose)
        return false;
    state.count++;
    if (state.count != state.n && !(state.how == ALLOCS_ALL_FROM && state.count > state.n))
        return false;
    state.failed = true;
    return true;
}

static void *counted(void *p)
{
    state.live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t size)
{
    return fails(ALLOCS_OURS) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails(ALLOCS_OURS) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    void *q = fails(ALLOCS_OURS) ? NULL : __real_realloc(p, size);

    state.live += !p && q;
    return q;
}

void __wrap_free(void *p)
{
    state.live -= p != NULL;
    __real_free(p);
}

char *__wrap_strdup(const char *text)
{
    return fails(ALLOCS_OURS) ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t most)
{
    return fails(ALLOCS_OURS) ? NULL : counted(__real_strndup(text, most));
}

/* ---- OpenSSL's ---- */

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails(ALLOCS_OPENSSL) ? NULL : __real_malloc(size);
}

static void *ssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size == 0) {
        __real_free(p);
        return NULL;
    }
    return fails(ALLOCS_OPENSSL) ? NULL : __real_realloc(p, size);
}

static void ssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    __real_free(p);
}

/* ---- the switch ---- */

bool allocs_init(void)
{
    return CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) == 1;
}

void allocs_arm(enum allocs_whose whose, enum allocs_how how, size_t n)
{
    const size_t live = state.live;

    state.armed = true;
    state.paused = state.failed = false;
    state.whose = whose;
    state.how = how;
    state.n = n;
    state.count = 0;
    state.live = live;
}

void allocs_pause(void)
{
    state.paused = true;
}

void allocs_go_on(void)
{
    state.paused = false;
}

bool allocs_disarm(void)
{
    state.armed = false;
    return state.failed;
}

size_t allocs_live(void)
{
    return state.live;
}
