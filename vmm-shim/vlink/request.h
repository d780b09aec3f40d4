/*
 * request.h - a line of the control socket as data.
 *
 *     {"id":1,"do":"add","link":"lan","both":{"rate":"3mbit"},"up":{"delay":"20ms"}}
 *
 * Pure: text in, structure out; every value is checked for its type, length and range, and every
 * setting for its meaning, before anything is done. Which requests there are: vlink(1).
 */
#ifndef VLINK_REQUEST_H
#define VLINK_REQUEST_H

#include <stdbool.h>

#include "port.h"
#include "spec.h"

#define VLINK_REQUEST_BYTES_MAX 65536u /* of one line */
#define VLINK_SETTINGS_MAX 48u         /* of one request */
#define VLINK_VALUE_MAX 1024u          /* bytes of a setting's value with NUL (a trace's path) */

enum vlink_do {
    VLINK_DO_ADD_LINK,
    VLINK_DO_ADD_PORT,
    VLINK_DO_REMOVE,
    VLINK_DO_SET,
    VLINK_DO_UP,
    VLINK_DO_DOWN,
    VLINK_DO_STATS,
    VLINK_DO_ATTACH,
    VLINK_DO_PROGRAM,
};

struct vlink_setting {
    unsigned ways; /* bit 1 << enum vlink_way */
    char key[VLINK_KEY_MAX], value[VLINK_VALUE_MAX];
};

/* A value of rate, delay and loss: what the parent's link has, or nothing where there is none. */
#define VLINK_INHERIT "inherit"
/* The VLINK_GIVEN_* of a key that can be inherited; 0: it cannot. */
unsigned vlink_inheritable(const char *key);

struct vlink_parent {                   /* where a child link attaches */
    char socket[VLINK_SOCKET_PATH_MAX]; /* "": none */
    char slice[VLINK_NAME_MAX];
    uint32_t weight;
};

struct vlink_request {
    long long id;
    bool has_id;
    enum vlink_do what;
    char link[VLINK_NAME_MAX];   /* "": all (stats) */
    char port[VLINK_NAME_MAX];   /* "": the link itself */
    char tenant[VLINK_NAME_MAX]; /* remove: the child slice that is sent away */
    struct vlink_setting setting[VLINK_SETTINGS_MAX];
    size_t n_settings;
    unsigned ways;                       /* up, down: bit 1 << enum vlink_way */
    uint32_t weight;                     /* of the link's own traffic; 0: not said */
    char tenants[VLINK_SOCKET_PATH_MAX]; /* where children attach; "": not said */
    struct vlink_parent parent;
    bool has_program; /* `program` "": none any more */
    char program[VLINK_VALUE_MAX], argument[VLINK_TEXT_MAX];
    /* add a port */
    enum vlink_port_kind kind;
    bool has_side;
    enum vlink_way side;
    struct vlink_unix_place unix_place;
    struct vlink_interface_place interface;
};

/* 0, or -1 with one line in `why`; `id` and `has_id` are right in either case where the line has
 * one. */
int vlink_request_parse(struct vlink_request *out, const char *line, size_t len, char *why,
                        size_t why_size);

#endif
