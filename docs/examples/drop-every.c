/*
 * drop-every.c - a packet program for a link of vmm-shim: every Nth frame that is large enough to
 * carry video is lost, all others pass. The argument is N [30], or N:BYTES for another size [1000].
 *
 *     cc -shared -fPIC -O2 -o drop-every.so drop-every.c
 *
 *     links:
 *       wifi: { between: [server, player], rate: 20mbit, program: ./drop-every.so }
 */
#include <stdlib.h>
#include <vmm/program.h>

enum { LARGE, EVERY, BYTES }; /* words of the state: large frames seen, what the argument says */

static void read_argument(struct vmm_context *c)
{
    char *end;
    c->state.word[EVERY] = strtoul(c->argument, &end, 10);
    c->state.word[BYTES] = *end == ':' ? strtoul(end + 1, NULL, 10) : 1000;
    if (c->state.word[EVERY] == 0)
        c->state.word[EVERY] = 30;
}

VMM_PROGRAM(c, f)
{
    if (c->state.word[EVERY] == 0)
        read_argument(c);
    if (f->len < c->state.word[BYTES])
        return VMM_PASS;
    return ++c->state.word[LARGE] % c->state.word[EVERY] == 0 ? VMM_DROP : VMM_PASS;
}
