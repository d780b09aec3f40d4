/*
 * gather.h - what came of a track or of a stream's layers, put into order again: whole pictures as
 * soon as they are whole and their turn has come, others when their time is up. Pure: time is an
 * argument.
 *
 * A picture is whole with `n_layers` units. One that is whole goes at once if the one before it
 * went, or if it is a key picture; all else waits until it is due, for what is before it may come.
 */
#ifndef GST_GATHER_H
#define GST_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATHER_LAYERS_MAX 4
#define GATHER_PICTURES_MAX 512 /* held at a time; then the oldest goes early */

struct gather_picture {
    uint64_t number;
    int64_t due_us; /* on the owner's clock */
    bool key;
    void *item[GATHER_LAYERS_MAX]; /* by layer; NULL: it has not come */
};

struct gather {
    uint8_t n_layers;         /* [0, GATHER_LAYERS_MAX]; 0: nothing goes early */
    void (*drop)(void *item); /* for what is left at gather_reset */
    bool began;               /* `last` counts */
    uint64_t last;            /* went last */
    size_t n;
    struct gather_picture picture[GATHER_PICTURES_MAX]; /* by rising number */
};

void gather_init(struct gather *g, uint8_t n_layers, void (*drop)(void *item));
/* Forgets all, also what went: numbers may begin anew. */
void gather_reset(struct gather *g);

enum gather_result { GATHER_TAKEN, GATHER_LATE, GATHER_TWICE, GATHER_FULL };
/* Takes the item over with GATHER_TAKEN only. `layer` [0, GATHER_LAYERS_MAX). */
enum gather_result gather_put(struct gather *g, uint64_t number, unsigned layer, bool key,
                              int64_t due_us, void *item);
/* The next picture that may go by now; its items are the caller's. False: none. */
bool gather_next(struct gather *g, int64_t now_us, struct gather_picture *out);
/* When the next one will be due; INT64_MAX: nothing waits. */
int64_t gather_due(const struct gather *g);

#endif
