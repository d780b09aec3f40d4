/*
 * script.h - what a puppet sends, in words.
 *
 *   script    shots, separated by ';' (each its own datagram) or '+' (coalesced with the last)
 *   shot      KIND[,OPTION...]: WORD...   KIND: I Initial, H Handshake, Z 0-RTT, 1 1-RTT
 *             ~N              N milliseconds pass
 *             !update         the puppet moves to its next key phase
 *             !mute           it acknowledges nothing from here on
 *   OPTION    path=N          the path of a 1-RTT packet, and the address it comes from
 *             link=N          the address it comes from
 *             pn=N len=N      packet number, bytes it takes
 *             xor=0xNN        bits of the first byte turned over before protection
 *             pad=N           bytes of the packet; Initial packets: 1200 unless said otherwise
 *             scid=X dcid=X   eight bytes X as connection ID
 *             cid=P.S         to the victim's connection ID of path P with sequence number S
 *             token=N         N bytes as token
 *             old             the keys before the last update
 *             short           nothing is added to a payload that is too short
 *   WORD      N               a variable-length integer, 0x... too; N/2, N/4, N/8: so many bytes
 *             xHH...          bytes
 *             zN fN           N bytes of zero, of 'f'
 *             $pb0 $pu0       number of the puppet's stream 0, bidirectional, unidirectional
 *             $vb0 $vu0       of the victim's
 *             $cidX $tokX     eight bytes X, sixteen bytes X
 *             $crypto         where the puppet's CRYPTO data of this level goes on
 *             $sent           the victim's largest packet number on this path
 *             $challenge      the last PATH_CHALLENGE seen
 *
 *   params    changes to the puppet's transport parameters, blanks between them:
 *             -ID             left out
 *             +ID=N           a number (replaces; added when new)
 *             +ID=xHH...      bytes
 *             ++ID=N          once more
 */
#ifndef HOSTILE_SCRIPT_H
#define HOSTILE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct puppet;

/* Run it; false: it makes no sense (a mistake in the table). */
bool script_run(struct puppet *p, const char *script);
/* The puppet's transport parameters, changed as its options say; bytes written. */
size_t script_params(struct puppet *p, uint8_t *out, size_t cap);

#endif
