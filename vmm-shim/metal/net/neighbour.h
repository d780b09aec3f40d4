/*
 * neighbour.h - who has which address on a link: ARP with a table of fixed size, of which the entry
 * that was not used for longest makes room.
 *
 *     UNUSED ─► ASKED (a frame waits, a question each second, three times) ─► KNOWN
 *       ▲          │ no answer                    after a minute: asked again, used meanwhile │
 *       └──────────┴───────────────────────────────────── no answer to three ──────────────────┘
 */
#ifndef METAL_NEIGHBOUR_H
#define METAL_NEIGHBOUR_H

#include "stack.h"

/* Send `frame`, whose receiver is to be filled in, to `address` on the link of `interface`. */
void neighbour_send(struct net *n, size_t interface, uint32_t address, uint8_t *frame,
                    size_t length, uint64_t now);
/* An ARP frame that came. */
void neighbour_take(struct net *n, size_t interface, const uint8_t *frame, size_t length,
                    uint64_t now);

#endif
