/*
 * dir.h - one direction of one emulated link, as a function of inputs, time and seed.
 *
 *     push ──> [ drop-tail queue ] ──> serialise ──> lose? ──> propagate, hold order ──> take
 *               bytes or time          rate or        GE,       delay ± jitter,
 *                                      trace          random    reordering, duplication
 *
 * It moves no bytes: a packet is a size and the caller's 64-bit tag. It opens nothing and reads no
 * clock; a relay over UDP, unix datagram sockets or a simulator drives it alike:
 *
 *     packet --> vlink_dir_push()      vlink_dir_take() --> packet delivered or lost
 *     change --> vlink_dir_configure() vlink_dir_next() --> when to call take
 *
 * Loss is drawn after serialisation: a packet lost in the air has used the air. Time is in ns on
 * any clock that never goes back.
 */
#ifndef VLINK_DIR_H
#define VLINK_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

typedef uint64_t vlink_time; /* ns */
#define VLINK_NEVER UINT64_MAX

#define VLINK_QUEUE_PACKETS_MAX 32768u  /* packets waiting, whatever the configuration says */
#define VLINK_FLIGHT_PACKETS_MAX 65536u /* packets propagating */
#define VLINK_RATE_MAX_BPS 100000000000u
#define VLINK_PACKET_MAX 65535u  /* bytes of one packet with its overhead */
#define VLINK_OVERHEAD_BYTES 28u /* IPv4 and UDP headers: what a datagram costs on a link */

struct vlink_config {
    bool down;                       /* nothing passes; what was under way is lost */
    uint64_t rate_bps;               /* [0, VLINK_RATE_MAX_BPS]; 0: not limited */
    const struct vlink_trace *trace; /* takes the place of rate; borrowed, NULL: none */
    uint64_t delay_ns;
    uint64_t jitter_ns;               /* uniform in [delay - jitter, delay + jitter], not below 0 */
    uint32_t loss_ppm;                /* [0, 1000000], as all ppm here; each packet on its own */
    bool ge;                          /* Gilbert-Elliott loss beside loss_ppm */
    uint32_t ge_p_ppm, ge_r_ppm;      /* chance per packet: good to bad, bad to good */
    uint32_t ge_good_ppm, ge_bad_ppm; /* loss in each state */
    uint64_t queue_bytes;             /* packets beyond are dropped; 0: no limit in bytes */
    uint64_t queue_ns;                /* packets that would wait longer are dropped; 0: no limit */
    uint64_t mark_ns;     /* packets that waited longer come out marked (RFC 9332 5.5.2's step, at
                             the dequeue), for callers that carry ECN; 0: none */
    uint32_t reorder_ppm; /* held back by reorder_ns; later ones overtake */
    uint64_t reorder_ns;
    uint32_t duplicate_ppm;  /* delivered twice */
    uint32_t overhead_bytes; /* added to each packet's size on the link */
};

enum vlink_fate {
    VLINK_PASS = 0,   /* push: taken. take: delivered */
    VLINK_DROP_QUEUE, /* the queue was full */
    VLINK_DROP_LOSS,  /* random or Gilbert-Elliott */
    VLINK_DROP_DOWN,  /* the link was or went down */
    VLINK_DROP_BOUND, /* VLINK_*_PACKETS_MAX, VLINK_PACKET_MAX or memory */
    VLINK_FATES,
};

struct vlink_out {
    vlink_time at; /* when it came out, at most the `now` of take */
    uint64_t tag;
    uint32_t bytes; /* without overhead */
    enum vlink_fate fate;
    uint64_t waited_ns; /* from its push until its last bit left the queue */
    bool marked;        /* it waited longer than mark_ns */
    bool last;          /* the tag does not come again (false: a duplicate follows) */
};

struct vlink_counts {
    uint64_t packets_in, bytes_in;   /* offered */
    uint64_t packets_out, bytes_out; /* delivered, duplicates too */
    uint64_t fate[VLINK_FATES];      /* packets by fate; duplicates not counted */
    uint64_t duplicated, reordered;
};

struct vlink_dir;

/* Starts at `now`, which is also the trace's zero. NULL: no memory. `seed`: all of its randomness.
 */
struct vlink_dir *vlink_dir_new(const struct vlink_config *cfg, uint64_t seed, vlink_time now);
void vlink_dir_free(struct vlink_dir *d); /* tags inside are forgotten; take them first */

/*
 * A packet of `bytes` comes at `now`. VLINK_PASS: its tag will come out of take, exactly once with
 * `last` set. Anything else: dropped, the tag is not kept.
 */
enum vlink_fate vlink_dir_push(struct vlink_dir *d, vlink_time now, uint32_t bytes, uint64_t tag);

/* The next packet that came out until `now`, by rising time. False: none. */
bool vlink_dir_take(struct vlink_dir *d, vlink_time now, struct vlink_out *out);

/* When take will next have something, VLINK_NEVER: not before a push. */
vlink_time vlink_dir_next(const struct vlink_dir *d);

/*
 * New settings from `now` on. A packet that is being serialised goes on at the new rate; going down
 * loses what is queued and under way. Another trace starts at its beginning at `now`; the one
 * before is no longer borrowed.
 */
void vlink_dir_configure(struct vlink_dir *d, vlink_time now, const struct vlink_config *cfg);

const struct vlink_config *vlink_dir_config(const struct vlink_dir *d);
const struct vlink_counts *vlink_dir_counts(const struct vlink_dir *d);
size_t vlink_dir_queue_packets(const struct vlink_dir *d);
uint64_t
vlink_dir_queue_bytes(const struct vlink_dir *d); /* with overhead; the one being sent too */
/* How long a packet that came at `now` would wait before its first bit leaves, ns. */
uint64_t vlink_dir_wait(const struct vlink_dir *d, vlink_time now);

/*
 * For a caller with a queue of its own before the bottleneck (share.h). It pushes while the
 * serialiser is hungry, advances to the serialiser's next event, and so on until `now`; it may push
 * with the time of that event though it looks later, so that its own lateness costs no capacity.
 */
/* What waits does not last until the serialiser's next event has been served. */
bool vlink_dir_hungry(const struct vlink_dir *d);
/* That event: the head has left, or the next opportunity. VLINK_NEVER: nothing waits. */
vlink_time vlink_dir_event(const struct vlink_dir *d);
void vlink_dir_advance(struct vlink_dir *d, vlink_time now);
/* As vlink_dir_wait, were `bytes` more (with overhead) to come before. */
uint64_t vlink_dir_wait_behind(const struct vlink_dir *d, vlink_time now, uint64_t bytes);

#endif
