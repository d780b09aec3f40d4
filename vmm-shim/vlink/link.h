/*
 * link.h - a virtual link between Ethernet ports, without sockets.
 *
 *     port ─► program ─► share ─► serialise ─► [parent's link] ─► delay, loss ─► switch ─► port
 *     child's link ──┘   fair     rate, trace    if it has one    order ...          └──► child's
 * link
 *
 * Two ports are a cable, more a learning switch. Frames of the side "up" pass the up direction, all
 * others down. A tenant (the link of a child slice) has its frames pass the direction it says and
 * gets them back: they never reach a port here, nor another tenant. A child link gives its frames
 * to its parent's after its own serialiser, no more than a window's worth at a time, so that what
 * waits waits here, in this link's own fair queue, and slices in slices stay fair too.
 *
 * Time is in ns on one clock that never goes back. One thread.
 */
#ifndef VLINK_LINK_H
#define VLINK_LINK_H

#include "frame.h"
#include "histogram.h"
#include "share.h"
#include "spec.h"

#define VLINK_PORTS_MAX 32u                /* of one link */
#define VLINK_TENANT_BYTES_MAX (64u << 20) /* of one tenant and way inside a link */
#define VLINK_LINK_FRAMES_MAX                                                                \
    VLINK_FLIGHT_PACKETS_MAX                       /* of a way; the same part to each tenant \
                                                    */
#define VLINK_TENANT_NAME_MAX (2 * VLINK_NAME_MAX) /* "SLICE/LINK" */
#define VLINK_OWN 0u                               /* the tenant that is the link's own ports */

/* ---- where frames go: a port's socket, a child's, the parent's ---- */

struct vlink_exit {
    /* Borrows the frame; takes a reference to keep it. */
    void (*send)(struct vlink_exit *e, struct vlink_frame *f, vlink_time now);
};

/* ---- what a link lets through at best, seen by a child of it ---- */

struct vlink_limit {
    bool down;
    uint64_t rate_bps; /* of a trace: the mean; 0: no limit */
    uint64_t delay_ns;
    uint32_t loss_ppm;
};

enum { VLINK_GIVEN_RATE = 1, VLINK_GIVEN_DELAY = 2, VLINK_GIVEN_LOSS = 4 };

/* One direction as it was asked for. */
struct vlink_way_config {
    struct vlink_config config; /* `trace` is owned by the link once configured: see below */
    unsigned given;             /* VLINK_GIVEN_*: not inherited */
};

/* ---- what happened ---- */

enum vlink_drop {
    VLINK_LOST_QUEUE,
    VLINK_LOST_LOSS,
    VLINK_LOST_DOWN,  /* link down, or its parent's process has gone */
    VLINK_LOST_BOUND, /* a bound with a name, or memory */
    VLINK_LOST_PROGRAM,
    VLINK_LOST_KINDS,
};

struct vlink_flow { /* of a link's direction, or of one tenant in it */
    uint64_t frames_in, bytes_in, frames_out, bytes_out;
    uint64_t lost[VLINK_LOST_KINDS];
    uint64_t marked, duplicated;
    struct vlink_histogram delay; /* from coming in to going out */
};

struct vlink_port_counts {
    uint64_t frames_in, bytes_in, frames_out, bytes_out;
};

/* ---- a packet program (program.h) as a link sees it ---- */

enum vlink_verdict { VLINK_LET_PASS, VLINK_LET_DROP, VLINK_LET_MARK, VLINK_LET_WAIT };

struct vlink_filter {
    /* `tenant`: name of the child slice, "" for the link's own. *delay_ns: for VLINK_LET_WAIT. */
    enum vlink_verdict (*judge)(struct vlink_filter *p, const struct vlink_frame *f,
                                const char *tenant, vlink_time now, uint64_t *delay_ns);
};

struct vlink_link;

struct vlink_link *vlink_link_new(const char *name, uint64_t seed, vlink_time now); /* or NULL */
/* Frees all frames inside, traces too; ports' and tenants' exits are not called. */
void vlink_link_free(struct vlink_link *l);
const char *vlink_link_name(const struct vlink_link *l);

/* ---- settings ---- */

const struct vlink_way_config *vlink_link_config(const struct vlink_link *l, enum vlink_way way);
/*
 * New settings of both ways from `now` on. 0: traces that are not in use any more were freed. -1:
 * wider than the parent's, `why` says in what; nothing changed, new traces stay the caller's.
 */
int vlink_link_configure(struct vlink_link *l, vlink_time now,
                         const struct vlink_way_config config[VLINK_WAYS], char *why,
                         size_t why_size);
void vlink_link_set_filter(struct vlink_link *l, struct vlink_filter *filter); /* NULL: none */
/* What a child of this link can have. */
struct vlink_limit vlink_link_limit(const struct vlink_link *l, enum vlink_way way);

/* ---- ports: -1: VLINK_PORTS_MAX, or the name is taken ---- */

int vlink_link_port_add(struct vlink_link *l, const char *name, enum vlink_way side,
                        struct vlink_exit *exit, char *why, size_t why_size);
void vlink_link_port_remove(struct vlink_link *l, unsigned port);
void vlink_link_port_set_down(struct vlink_link *l, unsigned port, bool down);
int vlink_link_port_find(const struct vlink_link *l, const char *name); /* or -1 */
/* Takes the caller's reference. False: it was lost at once, as to a full queue. */
bool vlink_link_port_in(struct vlink_link *l, unsigned port, struct vlink_frame *f, vlink_time now);

/* How long a port whose frames are lost need not be read: until a quarter of what is queued has
 * gone, at most `most_ns`; most_ns where nothing passes. The link stays busy meanwhile. */
uint64_t vlink_link_port_rest(const struct vlink_link *l, unsigned port, vlink_time now,
                              uint64_t most_ns);

struct vlink_port_view {
    const char *name;
    enum vlink_way side;
    bool down;
    struct vlink_port_counts counts;
};
/* False: no port in this place [0, VLINK_PORTS_MAX). */
bool vlink_link_port_view(const struct vlink_link *l, unsigned port, struct vlink_port_view *out);

/* ---- tenants: places [0, VLINK_TENANTS_MAX), VLINK_OWN is always there ---- */

int vlink_link_tenant_add(struct vlink_link *l, const char *name, uint32_t weight,
                          struct vlink_exit *exit, char *why, size_t why_size);
void vlink_link_tenant_remove(struct vlink_link *l, unsigned tenant);
void vlink_link_tenant_weigh(struct vlink_link *l, unsigned tenant, uint32_t weight);
/* `f->way` and `f->head` as the child sent them. Takes the caller's reference. */
void vlink_link_tenant_in(struct vlink_link *l, unsigned tenant, struct vlink_frame *f,
                          vlink_time now);
/* Bytes of this tenant's frames that no longer wait in its queue, a total: what a child may send
 * more of. */
uint64_t vlink_link_tenant_credit(const struct vlink_link *l, unsigned tenant, enum vlink_way way);

struct vlink_tenant_view {
    const char *name;
    uint32_t weight;
    const struct vlink_flow *flow[VLINK_WAYS];
    size_t queue_frames[VLINK_WAYS];
    uint64_t queue_bytes[VLINK_WAYS];
};
bool vlink_link_tenant_view(const struct vlink_link *l, unsigned tenant,
                            struct vlink_tenant_view *out);

/* ---- the parent's link ---- */

/* This is the link of a child slice. `exit` NULL: the parent is not there (again); nothing passes
 * until it is. Starts with no bytes outstanding. -1: settings are wider than `limit`. */
int vlink_link_set_parent(struct vlink_link *l, struct vlink_exit *exit,
                          const struct vlink_limit limit[VLINK_WAYS], vlink_time now, char *why,
                          size_t why_size);
/* The parent's settings changed: they win, whatever was asked for here. */
void vlink_link_set_limit(struct vlink_link *l, const struct vlink_limit limit[VLINK_WAYS],
                          vlink_time now);
/* The parent's tenant credit came. */
void vlink_link_credit(struct vlink_link *l, enum vlink_way way, uint64_t total, vlink_time now);
/* A frame that passed the parent's link. Takes the caller's reference. */
void vlink_link_returned(struct vlink_link *l, struct vlink_frame *f, vlink_time now);
/* The exit could not take a frame it was given: not outstanding any more. */
void vlink_link_not_sent(struct vlink_link *l, const struct vlink_frame *f);

/* ---- time ---- */

void vlink_link_run(struct vlink_link *l, vlink_time now); /* all that is due goes on */
vlink_time vlink_link_next(const struct vlink_link *l);    /* VLINK_NEVER: not before a frame */

struct vlink_way_view {
    const struct vlink_flow *flow;
    struct vlink_limit effective;
    size_t queue_frames;
    uint64_t queue_bytes, reordered;
};
void vlink_link_way_view(const struct vlink_link *l, enum vlink_way way,
                         struct vlink_way_view *out);

#endif
