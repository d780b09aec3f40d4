/*
 * alone.c - the server without those who run it: no control interface, no service manager,
 * nothing to be read again.
 */
#include "../../server/desk.h"

int desk_open(struct desk **out, struct server *s, struct configure *how, char *why,
              size_t why_size)
{
    (void)s;
    (void)how;
    (void)why;
    (void)why_size;
    *out = NULL;
    return 0;
}

int desk_ready(struct desk *d, char *why, size_t why_size)
{
    (void)d;
    (void)why;
    (void)why_size;
    return 0;
}

const char *desk_address(const struct desk *d)
{
    (void)d;
    return NULL;
}

void desk_tick(struct desk *d)
{
    (void)d;
}

void desk_stopping(struct desk *d, unsigned patience_s)
{
    (void)d;
    (void)patience_s;
}

void desk_close(struct desk *d)
{
    (void)d;
}

void desk_free(struct desk *d)
{
    (void)d;
}
