/*
 * vlink_link.c - a link under whatever its ports, children and parent send, and whatever is changed
 * meanwhile. No frame of a tenant comes out at a port or another tenant, none is made up, and every
 * one that came in is let go.
 *
 * The input is a list of operations: a byte says which, those behind it are its operands.
 */
#include "link.h"
#include "wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 3u
#define TENANTS 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

struct sink {
    struct vlink_exit exit; /* first */
    uint8_t whose;          /* 0: of ports, else the tenant; what its frames carry as type */
    uint64_t n;
};

struct world {
    struct vlink_link *link;
    struct sink port[PORTS], tenant[TENANTS], parent;
    int place[TENANTS]; /* -1: not there */
    uint64_t credit[VLINK_WAYS];
    struct vlink_frame *under_way; /* the last that the parent was given */
    vlink_time now;
};

static unsigned byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static void receive(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct sink *s = (struct sink *)e;
    (void)now;
    assert(f->len >= VLINK_FRAME_MIN && f->len <= VLINK_FRAME_MAX);
    assert(f->bytes[12] == s->whose);
    s->n++;
}

static void to_parent(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct world *w = (struct world *)((char *)e - offsetof(struct world, parent));
    (void)now;
    assert(f->head_len >= sizeof(struct vlink_origin) && f->head_len <= VLINK_HEAD_MAX);
    vlink_frame_unref(w->under_way);
    w->under_way = vlink_frame_ref(f);
}

static struct vlink_frame *frame(struct input *in, uint8_t whose)
{
    uint8_t bytes[VLINK_FRAME_MAX] = { 2, 0, 0, 0, 0, 0, 2 };
    size_t len = byte(in) * 36;
    bytes[5] = (uint8_t)(byte(in) & 7);
    bytes[11] = (uint8_t)(byte(in) & 7);
    bytes[0] = bytes[5] == 7 ? 255 : 2;
    bytes[12] = whose;
    return vlink_frame_new(bytes, len < VLINK_FRAME_MIN ? VLINK_FRAME_MIN : len);
}

static void change(struct world *w, struct input *in)
{
    static const char *const settings[][2] = {
        { "rate", "1mbit" }, { "rate", "unlimited" }, { "rate", "100mbit" },
        { "delay", "5ms" },  { "delay", "0" },        { "loss", "30%" },
        { "jitter", "3ms" }, { "duplicate", "50%" },  { "down", "" },
        { "up", "" },        { "reorder", "20%" },    { "queue", "10kB" },
        { "queue", "5ms" },  { "loss", "0" },         { "ge", "5%:30%:0:9%" },
    };
    char why[VLINK_WHY_MAX];
    struct vlink_way_config c[VLINK_WAYS];
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        const char *const *s = settings[byte(in) % (sizeof settings / sizeof *settings)];
        c[way] = *vlink_link_config(w->link, way);
        assert(vlink_config_set(&c[way].config, s[0], s[1], why, sizeof why) == 0);
        c[way].given = byte(in) & 7;
    }
    vlink_link_configure(w->link, w->now, c, why, sizeof why);
}

static void come_and_go(struct world *w, struct input *in)
{
    char why[VLINK_WHY_MAX];
    unsigned i = byte(in) % TENANTS;
    if (w->place[i] >= 0) {
        vlink_link_tenant_remove(w->link, (unsigned)w->place[i]);
        w->place[i] = -1;
    } else {
        w->place[i] = vlink_link_tenant_add(w->link, "s/l", 1 + byte(in), &w->tenant[i].exit, why,
                                            sizeof why);
    }
}

static void parent_says(struct world *w, struct input *in)
{
    struct vlink_limit limit[VLINK_WAYS] = {
        { .down = byte(in) & 1, .rate_bps = byte(in) * 100000u, .delay_ns = byte(in) * 100000u }
    };
    char why[VLINK_WHY_MAX];
    limit[VLINK_DOWN] = limit[VLINK_UP];
    switch (byte(in) % 4) {
    case 0:
        vlink_link_set_parent(w->link, &w->parent.exit, limit, w->now, why, sizeof why);
        w->credit[0] = w->credit[1] = 0;
        break;
    case 1:
        vlink_link_set_parent(w->link, NULL, NULL, w->now, NULL, 0);
        break;
    case 2:
        vlink_link_set_limit(w->link, limit, w->now);
        break;
    default:
        w->credit[byte(in) & 1] += byte(in) * 16u;
        vlink_link_credit(w->link, VLINK_UP, w->credit[0], w->now);
        vlink_link_credit(w->link, VLINK_DOWN, w->credit[1], w->now);
    }
}

/* A message off the wire: what the parent was given, or anything. */
static void from_parent(struct world *w, struct input *in)
{
    uint8_t message[VLINK_WIRE_FRAME_HEAD + 64];
    struct vlink_wire m;
    size_t len;
    if (w->under_way && byte(in) & 1) {
        struct vlink_frame *f = w->under_way;
        w->under_way = NULL;
        vlink_link_returned(w->link, f, w->now);
        return;
    }
    for (len = 0; len < sizeof message && in->at < in->end; len++)
        message[len] = (uint8_t)byte(in);
    if (vlink_wire_read(&m, message, len) < 0 || m.kind != VLINK_WIRE_FRAME)
        return;
    struct vlink_frame *f = vlink_frame_new(m.bytes, m.len);
    f->way = m.way;
    f->head_len = (uint16_t)m.head_len;
    memcpy(f->head, m.head, m.head_len);
    f->bytes[12] = 0;
    if (m.head_len >= 2 && f->head[0] == VLINK_OF_TENANT)
        vlink_frame_unref(f); /* may name a tenant that is there: the parent is believed */
    else
        vlink_link_returned(w->link, f, w->now);
}

static void step(struct world *w, struct input *in)
{
    unsigned what = byte(in), i = byte(in);
    switch (what % 8) {
    case 0:
    case 1:
        vlink_link_port_in(w->link, i % PORTS, frame(in, 0), w->now);
        break;
    case 2:
        if (w->place[i % TENANTS] >= 0) {
            struct vlink_frame *f = frame(in, (uint8_t)(1 + i % TENANTS));
            f->way = byte(in) & 1 ? VLINK_UP : VLINK_DOWN;
            f->head_len = (uint16_t)(byte(in) % (VLINK_HEAD_MAX + 1));
            vlink_link_tenant_in(w->link, (unsigned)w->place[i % TENANTS], f, w->now);
        }
        break;
    case 3:
        w->now += (uint64_t)i * i * 2000;
        vlink_link_run(w->link, w->now);
        break;
    case 4:
        change(w, in);
        break;
    case 5:
        come_and_go(w, in);
        break;
    case 6:
        parent_says(w, in);
        break;
    default:
        from_parent(w, in);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { .now = 1, .parent.exit.send = to_parent };
    struct input in = { data, data + size };
    char why[VLINK_WHY_MAX];
    w.link = vlink_link_new("l", 1, w.now);
    for (unsigned i = 0; i < PORTS; i++) {
        const char name[2] = { (char)('a' + i), 0 };
        w.port[i].exit.send = receive;
        vlink_link_port_add(w.link, name, i ? VLINK_DOWN : VLINK_UP, &w.port[i].exit, why,
                            sizeof why);
    }
    for (unsigned i = 0; i < TENANTS; i++) {
        w.tenant[i] = (struct sink){ .exit.send = receive, .whose = (uint8_t)(1 + i) };
        w.place[i] = -1;
    }
    while (in.at < in.end)
        step(&w, &in);
    vlink_link_run(w.link, w.now + 60000000000u);
    vlink_frame_unref(w.under_way);
    vlink_link_free(w.link);
    return 0;
}
