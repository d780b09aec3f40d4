/*
 * control_request.h - a line of the control socket, understood: the same JSON that mpv takes, as
 * far as a live player has a use for it. Pure; fed by strangers, and fuzzed
 * (tests/fuzz/client_control.c).
 *
 *     {"command": ["seek", -10], "request_id": 7}
 */
#ifndef CLIENT_CONTROL_REQUEST_H
#define CLIENT_CONTROL_REQUEST_H

#include "command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_LINE_MAX 4096   /* bytes of a request */
#define CONTROL_PROPERTY_MAX 32 /* bytes of a property's name, with NUL */

enum control_kind {
    CONTROL_COMMAND,   /* `command` is to be obeyed */
    CONTROL_GET,       /* `property` */
    CONTROL_OBSERVE,   /* `property`, `observer` */
    CONTROL_UNOBSERVE, /* `observer` */
};

struct control_request {
    enum control_kind kind;
    struct command command;
    char property[CONTROL_PROPERTY_MAX];
    int64_t observer;
    bool has_id;
    int64_t id; /* request_id */
};

/* 0, or -1 with one line in `why`; has_id and id are filled either way, where they can be read. */
int control_request_read(struct control_request *out, const char *line, size_t len, char *why,
                         size_t why_size);

#endif
