/*
 * macs.h - which port of a switch a MAC address was heard on last.
 *
 * Bounded: VLINK_MACS_SETS sets of VLINK_MACS_WAYS entries; a full set forgets its oldest, whose
 * frames then go to all ports. An address that is heard on another port moves there at once, as
 * after the migration of a guest. Pure.
 */
#ifndef VLINK_MACS_H
#define VLINK_MACS_H

#include <stdbool.h>
#include <stdint.h>

#include "dir.h"

#define VLINK_MACS_SETS 256u
#define VLINK_MACS_WAYS 4u
#define VLINK_MACS_AGE_NS 300000000000u /* IEEE 802.1Q 8.8.3's default, 300 s */

struct vlink_macs { /* zero is an empty one */
    struct {
        uint64_t mac; /* 0: free (the address of nobody) */
        vlink_time heard;
        unsigned port;
    } entry[VLINK_MACS_SETS][VLINK_MACS_WAYS];
};

/* `mac`: 6 bytes. Group addresses are not learnt. */
void vlink_macs_learn(struct vlink_macs *m, const uint8_t *mac, unsigned port, vlink_time now);
/* The port, or -1: unknown, too old, or a group address. */
int vlink_macs_find(const struct vlink_macs *m, const uint8_t *mac, vlink_time now);
void vlink_macs_forget(struct vlink_macs *m, unsigned port); /* the port has gone */

#endif
