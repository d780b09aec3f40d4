/*
 * picture.h - the pictures that are being put together from the layer units that arrive, in any
 * order, over any path. A window of picture numbers bounded in count and bytes. Pure.
 */
#ifndef CLIENT_PICTURE_H
#define CLIENT_PICTURE_H

#include <svc/svc.h>

#define PICTURE_WINDOW 512            /* picture numbers held at once: 17 s at 30 per second */
#define PICTURE_BYTES_MAX (96u << 20) /* of all units held */

struct picture_unit {
    struct svc_unit unit; /* bytes owned by the window; NULL: not here */
    int64_t arrived_us;
    bool decoded; /* given to the decoder, bytes are freed; it stays for counting and duplicates */
    bool late;    /* came behind its turn, and may still heal references */
};

struct picture {
    bool used; /* at least one unit came */
    uint64_t number;
    int64_t pts;
    uint8_t temporal;
    int64_t first_arrival_us;
    struct picture_unit layer[SVC_SPATIAL_MAX]; /* by spatial layer */
};

struct picture_window {                  /* zero is an empty one; picture_window_clear to end */
    struct picture ring[PICTURE_WINDOW]; /* at number % PICTURE_WINDOW */
    bool started;
    uint64_t floor;  /* smaller numbers are no longer taken */
    uint64_t newest; /* largest number that came */
    size_t bytes;
};

enum picture_result {
    PICTURE_TAKEN,
    PICTURE_DUPLICATE, /* this unit was here before */
    PICTURE_STALE,     /* older than the window */
    PICTURE_AHEAD,     /* newer than the window bears: the stream has jumped */
    PICTURE_BAD,       /* contradicts its picture's other units, or outside the ranges */
    PICTURE_FULL,      /* PICTURE_BYTES_MAX or memory */
};

/* Copies the unit's bytes. The first unit ever puts half the window before itself. */
enum picture_result picture_window_put(struct picture_window *w, const struct svc_unit *unit,
                                       int64_t now_us);
/* The picture, or NULL when nothing of it came. */
struct picture *picture_window_get(struct picture_window *w, uint64_t number);
/* First picture with a number >= `from` of which something came, or NULL. */
struct picture *picture_window_next(struct picture_window *w, uint64_t from);
/* Pictures below `number` are over; their memory is freed. Never goes back. */
void picture_window_forget_before(struct picture_window *w, uint64_t number);
/* The unit went to the decoder: its bytes are freed, its mark stays. */
void picture_window_consume(struct picture_window *w, struct picture *p, unsigned spatial);
void picture_window_clear(struct picture_window *w);

#endif
