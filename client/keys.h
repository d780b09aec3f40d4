/*
 * keys.h - the one table of keys: what the window obeys, --help and the on-screen list print, and
 * the man page is checked against. Pure.
 */
#ifndef CLIENT_KEYS_H
#define CLIENT_KEYS_H

#include "command.h"

#include <stdbool.h>
#include <stddef.h>

struct key {
    const char *name;  /* as SDL_GetKeyName() says it, any case; NULL ends the table */
    const char *shown; /* for a person: "Shift+I"; keys of one purpose have the same text, one after
                          the other */
    bool shift;        /* counts only with Shift held; else only without, where both exist */
    enum command_kind command;
    enum command_how how;
    double value;
    const char *text; /* what it does, in a few words */
};

extern const struct key keys[];

/* The key of that name, or NULL. */
const struct key *keys_find(const char *name, bool shift);
/* Keys that do the same, from `*at` on, as "Esc, Q" into `out`, and `*text` what they do; `*at`
 * moves on. False: there are no more. Keys of paths are one line. */
bool keys_line(size_t *at, char *out, size_t cap, const char **text);

#endif
