/* link.c - see link.h. A frame's life: port_in or tenant_in, judge, offer (fair queue), feed
 * (serialiser), leave_serialiser, [the parent's link, returned], air, arrive. */
#include "link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hold.h"
#include "limit.h"
#include "macs.h"

/* What a child has on its way to the parent's bottleneck and not yet through it: as little as keeps
 * the bottleneck busy, so that what waits waits in the child's own fair queue. */
#define WINDOW_NS 2000000u /* at the parent's rate: to begin with, and at least */
#define WINDOW_MIN 3028u   /* two frames of the usual size */
#define WINDOW_MAX 262144u
#define WINDOW_NS_MAX 40000000u
#define WINDOW_CALM 256u /* credits until a window that grew has gone back by two thirds */

struct port {
    struct vlink_exit *exit; /* NULL: the place is free */
    char name[VLINK_NAME_MAX];
    enum vlink_way side;
    bool down;
    uint32_t generation;
    struct vlink_port_counts counts;
};

struct tenant {
    char name[VLINK_TENANT_NAME_MAX];
    uint32_t weight, generation;
    struct vlink_exit *exit; /* NULL of the link's own */
    uint64_t credit[VLINK_WAYS];
    uint64_t held[VLINK_WAYS], held_frames[VLINK_WAYS]; /* inside the link: bytes, frames */
    struct vlink_flow flow[VLINK_WAYS];
};

struct way {
    struct vlink_way_config asked;
    struct vlink_limit limit; /* of the parent's link */
    struct vlink_share *share;
    struct vlink_dir *serve, *air;
    vlink_time served;       /* the serialiser's time: of its last event */
    vlink_time offered;      /* when a frame came into the fair queue last */
    uint64_t sent, credited; /* bytes given to the parent's link, and let go on by it */
    uint64_t window;         /* the most that may be between the two */
    struct vlink_flow flow;
};

struct vlink_link {
    char name[VLINK_NAME_MAX];
    bool is_child;
    struct vlink_exit *parent;
    struct vlink_filter *filter;
    struct vlink_hold hold; /* frames that a program made wait */
    struct way way[VLINK_WAYS];
    struct port port[VLINK_PORTS_MAX];
    unsigned n_ports;
    struct tenant *tenant[VLINK_TENANTS_MAX];
    unsigned n_tenants;
    uint32_t generation;
    struct vlink_macs macs;
};

/* ---- accounts ---- */

/* The tenant a frame is of; NULL: it has gone. */
static struct tenant *tenant_of(const struct vlink_link *l, const struct vlink_frame *f)
{
    if (f->origin.kind == VLINK_OF_PORT)
        return l->tenant[VLINK_OWN];
    struct tenant *t = l->tenant[f->origin.place];
    return t && t->generation == f->origin.generation ? t : NULL;
}

static unsigned place_of(const struct vlink_frame *f)
{
    return f->origin.kind == VLINK_OF_PORT ? VLINK_OWN : f->origin.place;
}

/* A frame comes to be inside; false: its tenant has too much there. */
static bool hold(const struct vlink_link *l, struct tenant *t, const struct vlink_frame *f)
{
    t->held[f->way] += f->len;
    t->held_frames[f->way]++;
    return t->held[f->way] <= VLINK_TENANT_BYTES_MAX &&
           t->held_frames[f->way] <= VLINK_LINK_FRAMES_MAX / l->n_tenants;
}

static void release(struct vlink_link *l, struct vlink_frame *f)
{
    struct tenant *t = tenant_of(l, f);
    if (!t)
        return;
    assert(t->held_frames[f->way] > 0 && t->held[f->way] >= f->len);
    t->held[f->way] -= f->len;
    t->held_frames[f->way]--;
}

static void count_loss(struct vlink_link *l, const struct vlink_frame *f, enum vlink_drop why)
{
    struct tenant *t = tenant_of(l, f);
    l->way[f->way].flow.lost[why]++;
    if (t)
        t->flow[f->way].lost[why]++;
}

/* The child that sent the frame may send as much again. */
static void give_credit(struct tenant *t, struct vlink_frame *f)
{
    if (t && !f->credited)
        t->credit[f->way] += f->len;
    f->credited = true;
}

/* A frame that is inside (held) ends here. */
static void lose(struct vlink_link *l, struct vlink_frame *f, enum vlink_drop why)
{
    count_loss(l, f, why);
    give_credit(tenant_of(l, f), f);
    release(l, f);
    vlink_frame_unref(f);
}

static enum vlink_drop drop_of(enum vlink_fate fate)
{
    static const enum vlink_drop drops[VLINK_FATES] = { [VLINK_DROP_QUEUE] = VLINK_LOST_QUEUE,
                                                        [VLINK_DROP_LOSS] = VLINK_LOST_LOSS,
                                                        [VLINK_DROP_DOWN] = VLINK_LOST_DOWN,
                                                        [VLINK_DROP_BOUND] = VLINK_LOST_BOUND };
    return drops[fate];
}

/* ---- arriving: the switch, or back to the child ---- */

static bool is_open(const struct port *p)
{
    return p->exit && !p->down;
}

static void send_to(struct port *p, struct vlink_frame *f, vlink_time now)
{
    p->counts.frames_out++;
    p->counts.bytes_out += f->len;
    p->exit->send(p->exit, f, now);
}

static void switch_frame(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    const struct port *from = &l->port[f->origin.place];
    if (from->generation != f->origin.generation)
        from = NULL;
    int to = l->n_ports > 2 ? vlink_macs_find(&l->macs, f->bytes, now) : -1;
    if (to >= 0) {
        if (&l->port[to] != from && is_open(&l->port[to]))
            send_to(&l->port[to], f, now);
        return;
    }
    for (struct port *p = l->port; p < l->port + VLINK_PORTS_MAX; p++)
        if (p != from && is_open(p))
            send_to(p, f, now);
}

static void count_arrival(struct vlink_flow *flow, const struct vlink_frame *f, vlink_time now)
{
    flow->frames_out++;
    flow->bytes_out += f->len;
    vlink_histogram_add(&flow->delay, now, now - f->origin.came);
}

static void arrive(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    struct tenant *t = tenant_of(l, f);
    count_arrival(&l->way[f->way].flow, f, now);
    if (!t)
        return;
    count_arrival(&t->flow[f->way], f, now);
    if (f->origin.kind == VLINK_OF_TENANT)
        t->exit->send(t->exit, f, now);
    else
        switch_frame(l, f, now);
}

/* ---- the air: what comes after the serialiser, the parent's too ---- */

static void into_air(struct vlink_link *l, struct vlink_frame *f, vlink_time at)
{
    enum vlink_fate fate = vlink_dir_push(l->way[f->way].air, at, f->len, (uint64_t)(uintptr_t)f);
    if (fate != VLINK_PASS)
        lose(l, f, drop_of(fate));
}

static void leave_air(struct vlink_link *l, struct way *w, vlink_time now)
{
    struct vlink_out out;
    while (vlink_dir_take(w->air, now, &out)) {
        struct vlink_frame *f = (struct vlink_frame *)(uintptr_t)out.tag;
        if (out.fate != VLINK_PASS) {
            if (out.last) /* else its duplicate follows */
                lose(l, f, drop_of(out.fate));
            continue;
        }
        arrive(l, f, now);
        if (out.last) {
            release(l, f);
            vlink_frame_unref(f);
        } else {
            w->flow.duplicated++;
        }
    }
}

/* ---- the serialiser and the parent ---- */

static void to_parent(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    struct way *w = &l->way[f->way];
    if (!l->parent || vlink_frame_push_origin(f) < 0) {
        w->sent -= f->len;
        lose(l, f, l->parent ? VLINK_LOST_BOUND : VLINK_LOST_DOWN);
        return;
    }
    release(l, f);
    l->parent->send(l->parent, f, now);
    vlink_frame_unref(f);
}

static void leave_serialiser(struct vlink_link *l, struct way *w, vlink_time now)
{
    struct vlink_out out;
    while (vlink_dir_take(w->serve, now, &out)) {
        struct vlink_frame *f = (struct vlink_frame *)(uintptr_t)out.tag;
        if (out.fate != VLINK_PASS) {
            w->sent -= f->len;
            lose(l, f, drop_of(out.fate));
        } else if (l->is_child) {
            to_parent(l, f, now);
        } else {
            into_air(l, f, out.at);
        }
    }
}

static uint64_t window_of(const struct way *w, uint64_t ns)
{
    uint64_t bytes = w->limit.rate_bps ? w->limit.rate_bps / 8 * ns / 1000000000u : WINDOW_MAX;
    return bytes < WINDOW_MIN ? WINDOW_MIN : bytes > WINDOW_MAX ? WINDOW_MAX : bytes;
}

static bool may_send(const struct vlink_link *l, const struct way *w)
{
    return !l->is_child || w->sent - w->credited < w->window;
}

/* Credit came for all that was sent while more waits: the parent's bottleneck was about to stand
 * idle, so the way to it takes longer than the window. */
static void size_window(struct way *w, uint64_t total)
{
    uint64_t least = window_of(w, WINDOW_NS), most = window_of(w, WINDOW_NS_MAX);
    if (total == w->sent && vlink_share_packets_all(w->share) > 0)
        w->window += w->window / 2;
    else if (w->window > least)
        w->window -= (w->window - least) / WINDOW_CALM;
    w->window = w->window < least ? least : w->window > most ? most : w->window;
}

/* Keeps the serialiser busy until `now`, event by event: see vlink_dir_hungry. */
static void feed(struct vlink_link *l, struct way *w, vlink_time now)
{
    vlink_time event;
    do {
        struct vlink_share_item item;
        bool allowed;
        while ((allowed = may_send(l, w)) && vlink_dir_hungry(w->serve) &&
               vlink_share_pop(w->share, &item)) {
            struct vlink_frame *f = item.packet;
            give_credit(tenant_of(l, f), f);
            w->sent += f->len;
            w->served = item.came > w->served ? item.came : w->served;
            enum vlink_fate fate =
                vlink_dir_push(w->serve, w->served, f->len, (uint64_t)(uintptr_t)f);
            if (fate != VLINK_PASS) {
                w->sent -= f->len;
                lose(l, f, drop_of(fate));
            }
        }
        if (!allowed)
            w->served = now > w->served ? now : w->served; /* time stood still meanwhile */
        event = vlink_dir_event(w->serve);
        if (event <= now) {
            vlink_dir_advance(w->serve, event);
            w->served = event > w->served ? event : w->served;
        }
    } while (event <= now);
}

static void run_way(struct vlink_link *l, struct way *w, vlink_time now)
{
    feed(l, w, now);
    leave_serialiser(l, w, now);
    leave_air(l, w, now);
}

/* ---- coming in ---- */

static bool queue_is_full(const struct vlink_link *l, const struct way *w, unsigned place,
                          uint32_t cost, vlink_time now)
{
    const struct vlink_config *c = &w->asked.config;
    uint64_t served = vlink_dir_queue_bytes(w->serve);
    if (c->queue_bytes && vlink_share_bytes(w->share, place) + served + cost > c->queue_bytes)
        return true;
    if (!c->queue_ns)
        return false;
    uint64_t ahead = vlink_share_ahead(w->share, place);
    if (vlink_dir_wait_behind(w->serve, now, ahead) > c->queue_ns)
        return true;
    if (!l->is_child)
        return false;
    /* The parent's rate is the best case; how long the oldest has waited tells of the real one. */
    if (w->limit.rate_bps && (double)ahead * 8e9 / (double)w->limit.rate_bps > (double)c->queue_ns)
        return true;
    vlink_time oldest = vlink_share_oldest(w->share, place);
    return oldest != VLINK_NEVER && now - oldest > c->queue_ns;
}

uint64_t vlink_link_port_rest(const struct vlink_link *l, unsigned port, vlink_time now,
                              uint64_t most_ns)
{
    enum vlink_way way = l->port[port].side;
    const struct way *w = &l->way[way];
    uint64_t ahead = vlink_share_ahead(w->share, VLINK_OWN);
    if (vlink_link_limit(l, way).down)
        return most_ns;
    uint64_t wait = vlink_dir_wait_behind(w->serve, now, ahead);
    if (l->is_child && w->limit.rate_bps && ahead < UINT64_MAX / 8000000000u) {
        uint64_t there = ahead * 8000000000u / w->limit.rate_bps;
        wait = there > wait ? there : wait;
    }
    return wait / 4 < most_ns ? wait / 4 : most_ns;
}

/* Into the fair queue; false: it is lost. */
static bool offer(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    struct way *w = &l->way[f->way];
    uint32_t cost = f->len + w->asked.config.overhead_bytes;
    struct vlink_share_item item = {
        .packet = f, .came = now, .tenant = place_of(f), .bytes = cost
    };
    enum vlink_drop why = VLINK_LOST_KINDS;
    if (!tenant_of(l, f)) /* gone while a program held the frame */
        why = VLINK_LOST_DOWN;
    else if (w->asked.config.down || (l->is_child && (w->limit.down || !l->parent)))
        why = VLINK_LOST_DOWN;
    else if (queue_is_full(l, w, item.tenant, cost, now))
        why = VLINK_LOST_QUEUE;
    else if (!vlink_share_push(w->share, &item))
        why = VLINK_LOST_BOUND;
    w->offered = now;
    if (why != VLINK_LOST_KINDS)
        lose(l, f, why);
    return why == VLINK_LOST_KINDS;
}

/* What the link's program says; true: the frame goes on at once. Else it was kept or lost. */
static bool judge(struct vlink_link *l, struct vlink_frame *f, struct tenant *t, vlink_time now)
{
    uint64_t delay_ns = 0;
    const char *name = f->origin.kind == VLINK_OF_PORT ? "" : t->name;
    enum vlink_verdict verdict = l->filter->judge(l->filter, f, name, now, &delay_ns);
    if (verdict == VLINK_LET_MARK && vlink_frame_mark(f)) {
        l->way[f->way].flow.marked++;
        t->flow[f->way].marked++;
    }
    if (verdict == VLINK_LET_WAIT && delay_ns > 0) {
        give_credit(t, f);
        if (!vlink_hold_put(&l->hold, now + delay_ns, f))
            lose(l, f, VLINK_LOST_BOUND);
        return false;
    }
    if (verdict == VLINK_LET_DROP)
        lose(l, f, VLINK_LOST_PROGRAM);
    return verdict != VLINK_LET_DROP;
}

static void count_in(struct vlink_flow *flow, const struct vlink_frame *f)
{
    flow->frames_in++;
    flow->bytes_in += f->len;
}

/* False: it was lost at once. */
static bool enter(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    struct tenant *t = tenant_of(l, f);
    count_in(&l->way[f->way].flow, f);
    count_in(&t->flow[f->way], f);
    if (!hold(l, t, f)) {
        lose(l, f, VLINK_LOST_BOUND);
        return false;
    }
    return l->filter && !judge(l, f, t, now) ? true : offer(l, f, now);
}

bool vlink_link_port_in(struct vlink_link *l, unsigned port, struct vlink_frame *f, vlink_time now)
{
    struct port *p = &l->port[port];
    if (!is_open(p) || f->len < VLINK_FRAME_MIN) {
        vlink_frame_unref(f);
        return false;
    }
    p->counts.frames_in++;
    p->counts.bytes_in += f->len;
    vlink_macs_learn(&l->macs, f->bytes + 6, port, now);
    f->way = p->side;
    f->head_len = 0;
    f->origin = (struct vlink_origin){
        .kind = VLINK_OF_PORT, .place = (uint16_t)port, .generation = p->generation, .came = now
    };
    return enter(l, f, now);
}

void vlink_link_tenant_in(struct vlink_link *l, unsigned tenant, struct vlink_frame *f,
                          vlink_time now)
{
    f->origin = (struct vlink_origin){ .kind = VLINK_OF_TENANT,
                                       .place = (uint16_t)tenant,
                                       .generation = l->tenant[tenant]->generation,
                                       .came = now };
    enter(l, f, now);
}

void vlink_link_returned(struct vlink_link *l, struct vlink_frame *f, vlink_time now)
{
    bool sound = vlink_frame_pop_origin(f) == 0 &&
                 (f->origin.kind == VLINK_OF_PORT
                      ? f->origin.place < VLINK_PORTS_MAX
                      : f->origin.kind == VLINK_OF_TENANT && f->origin.place < VLINK_TENANTS_MAX &&
                            f->origin.place != VLINK_OWN) &&
                 f->origin.came <= now;
    struct tenant *t = sound ? tenant_of(l, f) : NULL;
    if (!t) {
        vlink_frame_unref(f);
        return;
    }
    if (!hold(l, t, f))
        lose(l, f, VLINK_LOST_BOUND);
    else
        into_air(l, f, now);
}

/* ---- time ---- */

void vlink_link_run(struct vlink_link *l, vlink_time now)
{
    struct vlink_frame *f;
    while ((f = vlink_hold_take(&l->hold, now)))
        offer(l, f, now);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        run_way(l, &l->way[way], now);
}

vlink_time vlink_link_next(const struct vlink_link *l)
{
    vlink_time next = vlink_hold_next(&l->hold);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        const struct way *w = &l->way[way];
        vlink_time serve = vlink_dir_next(w->serve), air = vlink_dir_next(w->air);
        bool waits = vlink_share_packets_all(w->share) > 0 && vlink_dir_hungry(w->serve);
        next = serve < next ? serve : next;
        next = air < next ? air : next;
        if (waits && may_send(l, w) && w->offered < next)
            next = w->offered; /* has come since the last run */
    }
    return next;
}

/* ---- settings ---- */

const struct vlink_way_config *vlink_link_config(const struct vlink_link *l, enum vlink_way way)
{
    return &l->way[way].asked;
}

static void apply(struct vlink_link *l, struct way *w, vlink_time now)
{
    struct vlink_config serve, air;
    vlink_limit_split(&w->asked, l->is_child ? &w->limit : NULL, &serve, &air);
    if (l->is_child && (w->limit.down || !l->parent))
        serve.down = air.down = true;
    run_way(l, w, now);
    vlink_dir_configure(w->serve, now, &serve);
    vlink_dir_configure(w->air, now, &air);
    if (serve.down) { /* what waits is lost, too, as in vlink_dir */
        struct vlink_share_item item;
        while (vlink_share_pop(w->share, &item))
            lose(l, item.packet, VLINK_LOST_DOWN);
    }
    run_way(l, w, now);
}

/* What was given before may be wider by now than the parent's: it is what is new that is judged. */
static unsigned newly_given(const struct vlink_way_config *was, const struct vlink_way_config *is)
{
    const struct vlink_config *a = &was->config, *b = &is->config;
    unsigned fresh = is->given & ~was->given;
    if (a->rate_bps != b->rate_bps || a->trace != b->trace)
        fresh |= VLINK_GIVEN_RATE;
    if (a->delay_ns != b->delay_ns)
        fresh |= VLINK_GIVEN_DELAY;
    if (a->loss_ppm != b->loss_ppm)
        fresh |= VLINK_GIVEN_LOSS;
    return fresh & is->given;
}

int vlink_link_configure(struct vlink_link *l, vlink_time now,
                         const struct vlink_way_config config[VLINK_WAYS], char *why,
                         size_t why_size)
{
    for (enum vlink_way way = VLINK_UP; l->is_child && l->parent && way < VLINK_WAYS; way++) {
        struct vlink_way_config fresh = config[way];
        fresh.given = newly_given(&l->way[way].asked, &config[way]);
        if (vlink_limit_check(&fresh, &l->way[way].limit, way, why, why_size) < 0)
            return -1;
    }
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        struct way *w = &l->way[way];
        const struct vlink_trace *old = w->asked.config.trace;
        w->asked = config[way];
        apply(l, w, now);
        if (old && old != w->asked.config.trace) {
            struct vlink_trace *gone = (struct vlink_trace *)(uintptr_t)old;
            vlink_trace_fini(gone);
            free(gone);
        }
    }
    return 0;
}

void vlink_link_set_filter(struct vlink_link *l, struct vlink_filter *filter)
{
    l->filter = filter;
}

struct vlink_limit vlink_link_limit(const struct vlink_link *l, enum vlink_way way)
{
    const struct way *w = &l->way[way];
    struct vlink_limit limit = vlink_limit_of(&w->asked, l->is_child ? &w->limit : NULL);
    limit.down = limit.down || (l->is_child && !l->parent);
    return limit;
}

int vlink_link_set_parent(struct vlink_link *l, struct vlink_exit *exit,
                          const struct vlink_limit limit[VLINK_WAYS], vlink_time now, char *why,
                          size_t why_size)
{
    for (enum vlink_way way = VLINK_UP; exit && why && way < VLINK_WAYS; way++)
        if (vlink_limit_check(&l->way[way].asked, &limit[way], way, why, why_size) < 0)
            return -1;
    l->is_child = true;
    l->parent = NULL; /* what is under way is lost: it was not counted as sent there */
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        apply(l, &l->way[way], now);
        l->way[way].sent = l->way[way].credited = 0;
    }
    l->parent = exit;
    if (exit)
        vlink_link_set_limit(l, limit, now);
    return 0;
}

void vlink_link_set_limit(struct vlink_link *l, const struct vlink_limit limit[VLINK_WAYS],
                          vlink_time now)
{
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        l->way[way].limit = limit[way];
        l->way[way].window = window_of(&l->way[way], WINDOW_NS);
        apply(l, &l->way[way], now);
    }
}

void vlink_link_credit(struct vlink_link *l, enum vlink_way way, uint64_t total, vlink_time now)
{
    struct way *w = &l->way[way];
    if (total - w->credited > w->sent - w->credited)
        return; /* more than was sent, or less than before: nonsense */
    size_window(w, total);
    w->credited = total;
    run_way(l, w, now);
}

void vlink_link_not_sent(struct vlink_link *l, const struct vlink_frame *f)
{
    l->way[f->way].sent -= f->len;
    count_loss(l, f, VLINK_LOST_QUEUE);
}

/* ---- ports ---- */

int vlink_link_port_find(const struct vlink_link *l, const char *name)
{
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++)
        if (l->port[i].exit && strcmp(l->port[i].name, name) == 0)
            return (int)i;
    return -1;
}

int vlink_link_port_add(struct vlink_link *l, const char *name, enum vlink_way side,
                        struct vlink_exit *exit, char *why, size_t why_size)
{
    if (vlink_link_port_find(l, name) >= 0) {
        snprintf(why, why_size, "link %s has a port %s already", l->name, name);
        return -1;
    }
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++) {
        struct port *p = &l->port[i];
        if (p->exit)
            continue;
        *p = (struct port){ .exit = exit, .side = side, .generation = ++l->generation };
        snprintf(p->name, sizeof p->name, "%s", name);
        l->n_ports++;
        return (int)i;
    }
    snprintf(why, why_size, "link %s has %u ports already, the most there can be", l->name,
             VLINK_PORTS_MAX);
    return -1;
}

void vlink_link_port_remove(struct vlink_link *l, unsigned port)
{
    assert(l->port[port].exit);
    l->port[port] = (struct port){ 0 };
    l->n_ports--;
    vlink_macs_forget(&l->macs, port);
}

void vlink_link_port_set_down(struct vlink_link *l, unsigned port, bool down)
{
    l->port[port].down = down;
    if (down)
        vlink_macs_forget(&l->macs, port);
}

bool vlink_link_port_view(const struct vlink_link *l, unsigned port, struct vlink_port_view *out)
{
    const struct port *p = &l->port[port];
    if (!p->exit)
        return false;
    *out = (struct vlink_port_view){
        .name = p->name, .side = p->side, .down = p->down, .counts = p->counts
    };
    return true;
}

/* ---- tenants ---- */

int vlink_link_tenant_add(struct vlink_link *l, const char *name, uint32_t weight,
                          struct vlink_exit *exit, char *why, size_t why_size)
{
    struct tenant *t = calloc(1, sizeof *t);
    int up = t ? vlink_share_join(l->way[VLINK_UP].share, weight) : -1;
    if (up < 0) {
        snprintf(why, why_size,
                 t ? "link %s has %u tenants already, the most there can be"
                   : "link %s: out of memory for a tenant (%u at most)",
                 l->name, VLINK_TENANTS_MAX);
        free(t);
        return -1;
    }
    int down = vlink_share_join(l->way[VLINK_DOWN].share, weight);
    assert(down == up); /* they come and go together */
    (void)down;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->weight = weight;
    t->exit = exit;
    t->generation = ++l->generation;
    l->tenant[up] = t;
    l->n_tenants++;
    return up;
}

void vlink_link_tenant_remove(struct vlink_link *l, unsigned tenant)
{
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        struct vlink_share_item item;
        while (vlink_share_pop_of(l->way[way].share, tenant, &item))
            lose(l, item.packet, VLINK_LOST_DOWN);
        vlink_share_leave(l->way[way].share, tenant);
    }
    free(l->tenant[tenant]);
    l->tenant[tenant] = NULL;
    l->n_tenants--;
}

void vlink_link_tenant_weigh(struct vlink_link *l, unsigned tenant, uint32_t weight)
{
    l->tenant[tenant]->weight = weight;
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        vlink_share_weigh(l->way[way].share, tenant, weight);
}

uint64_t vlink_link_tenant_credit(const struct vlink_link *l, unsigned tenant, enum vlink_way way)
{
    return l->tenant[tenant]->credit[way];
}

bool vlink_link_tenant_view(const struct vlink_link *l, unsigned tenant,
                            struct vlink_tenant_view *out)
{
    const struct tenant *t = l->tenant[tenant];
    if (!t)
        return false;
    *out = (struct vlink_tenant_view){ .name = t->name, .weight = t->weight };
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        out->flow[way] = &t->flow[way];
        out->queue_frames[way] = vlink_share_packets(l->way[way].share, tenant);
        out->queue_bytes[way] = vlink_share_bytes(l->way[way].share, tenant);
    }
    return true;
}

/* ---- life ---- */

void vlink_link_way_view(const struct vlink_link *l, enum vlink_way way, struct vlink_way_view *out)
{
    const struct way *w = &l->way[way];
    *out = (struct vlink_way_view){
        .flow = &w->flow,
        .effective = vlink_link_limit(l, way),
        .queue_frames = vlink_share_packets_all(w->share) + vlink_dir_queue_packets(w->serve),
        .queue_bytes = vlink_share_bytes_all(w->share) + vlink_dir_queue_bytes(w->serve),
        .reordered = vlink_dir_counts(w->air)->reordered,
    };
}

const char *vlink_link_name(const struct vlink_link *l)
{
    return l->name;
}

static int open_way(struct way *w, uint64_t seed, vlink_time now)
{
    vlink_config_init(&w->asked.config);
    w->asked.config.overhead_bytes = 0;
    struct vlink_config serve, air;
    vlink_limit_split(&w->asked, NULL, &serve, &air);
    w->share = vlink_share_new();
    w->serve = vlink_dir_new(&serve, seed, now);
    w->air = vlink_dir_new(&air, seed, now);
    w->served = now;
    return w->share && w->serve && w->air ? 0 : -1;
}

struct vlink_link *vlink_link_new(const char *name, uint64_t seed, vlink_time now)
{
    char why[VLINK_WHY_MAX];
    struct vlink_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    snprintf(l->name, sizeof l->name, "%s", name);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        if (open_way(&l->way[way], seed + way, now) < 0)
            goto no_memory;
    if (vlink_link_tenant_add(l, "", 1, NULL, why, sizeof why) == (int)VLINK_OWN)
        return l;
no_memory:
    vlink_link_free(l);
    return NULL;
}

static void drain(struct vlink_dir *d)
{
    struct vlink_out out;
    struct vlink_config down = { .down = true };
    vlink_time last = VLINK_NEVER - 1;
    vlink_dir_configure(d, 0, &down);
    while (vlink_dir_take(d, last, &out))
        if (out.last)
            vlink_frame_unref((struct vlink_frame *)(uintptr_t)out.tag);
}

static void close_way(struct way *w)
{
    struct vlink_share_item item;
    while (w->share && vlink_share_pop(w->share, &item))
        vlink_frame_unref(item.packet);
    if (w->serve)
        drain(w->serve);
    if (w->air)
        drain(w->air);
    vlink_dir_free(w->serve);
    vlink_dir_free(w->air);
    vlink_share_free(w->share);
    struct vlink_trace *trace = (struct vlink_trace *)(uintptr_t)w->asked.config.trace;
    if (trace)
        vlink_trace_fini(trace);
    free(trace);
}

void vlink_link_free(struct vlink_link *l)
{
    if (!l)
        return;
    struct vlink_frame *f;
    while ((f = vlink_hold_take(&l->hold, VLINK_NEVER)))
        vlink_frame_unref(f);
    vlink_hold_fini(&l->hold);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++)
        close_way(&l->way[way]);
    for (unsigned i = 0; i < VLINK_TENANTS_MAX; i++)
        free(l->tenant[i]);
    free(l);
}
