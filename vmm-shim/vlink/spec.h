/*
 * spec.h - what a person writes about links, as data: a link, its settings, timed changes.
 *
 *     name=lte,listen=127.0.0.1:5001,to=127.0.0.1:4433,rate=3mbit,up.delay=40ms     a link
 *     10s:lte.down    12s:wifi.up.rate=1mbit                                        a timed change
 *
 * Pure: text in, structures out; no file is opened and no name resolved here. Every error is one
 * line that names the key.
 */
#ifndef VLINK_SPEC_H
#define VLINK_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "dir.h"

#define VLINK_NAME_MAX 32      /* bytes of a link's name with NUL */
#define VLINK_TEXT_MAX 256     /* bytes of an address or a file name with NUL */
#define VLINK_KEY_MAX 16       /* bytes of a key with NUL */
#define VLINK_CHANGES_MAX 1024 /* timed changes of one run */
#define VLINK_LINKS_MAX 32     /* links of one process */
#define VLINK_WHY_MAX 256      /* bytes of an error line, enough for any here */

enum vlink_way { VLINK_UP = 0, VLINK_DOWN = 1, VLINK_WAYS = 2 }; /* client to target, and back */

struct vlink_spec {
    char name[VLINK_NAME_MAX];
    char listen[VLINK_TEXT_MAX], to[VLINK_TEXT_MAX];
    char trace[VLINK_WAYS][VLINK_TEXT_MAX]; /* file names, "" for none; config.trace stays NULL */
    struct vlink_config config[VLINK_WAYS];
};

struct vlink_change {
    uint64_t at_ns; /* after the schedule's zero */
    char link[VLINK_NAME_MAX];
    unsigned ways; /* bit 1 << enum vlink_way */
    char key[VLINK_KEY_MAX];
    char value[VLINK_TEXT_MAX];
};

/* A link that changes nothing: no rate, no delay, no loss. */
void vlink_config_init(struct vlink_config *c);

/* 0, or -1 with a line in `why` and *c untouched: one of the keys that describe a link's behaviour
 * ("rate", "delay", "down" with value "", ...). */
int vlink_config_set(struct vlink_config *c, const char *key, const char *value, char *why,
                     size_t why_size);

/* A whole link; name, listen and to must be there. 0 or -1. */
int vlink_spec_parse(struct vlink_spec *out, const char *text, char *why, size_t why_size);

/* "10s:lte.down"; and the same without the time ("lte.down"), for now. 0 or -1. The settings are
 * checked; whether the link exists is the caller's to know. */
int vlink_change_parse_timed(struct vlink_change *out, const char *text, char *why,
                             size_t why_size);
int vlink_change_parse(struct vlink_change *out, const char *text, char *why, size_t why_size);

/* "40ms", "1.5s", "20us", "300ns"; "0" alone needs no unit. 0 or -1. */
int vlink_parse_duration(const char *text, uint64_t *ns);

#endif
