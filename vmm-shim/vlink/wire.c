/* wire.c - see wire.h. A message is its kind in a byte, then its members one after the other. */
#include "wire.h"

#include <assert.h>
#include <string.h>

/* Reads or writes: what both do is the same list of members. */
struct cursor {
    uint8_t *to;         /* writing */
    const uint8_t *from; /* reading */
    size_t left;
    bool bad;
};

static void move(struct cursor *c, void *member, size_t size)
{
    if (c->bad || c->left < size) {
        c->bad = true;
        return;
    }
    if (c->to) {
        memcpy(c->to, member, size);
        c->to += size;
    } else {
        memcpy(member, c->from, size);
        c->from += size;
    }
    c->left -= size;
}

static void move_text(struct cursor *c, char *text, size_t size)
{
    move(c, text, size);
    if (!c->to && !c->bad && !memchr(text, 0, size))
        c->bad = true;
}

static void move_way(struct cursor *c, enum vlink_way *way)
{
    uint8_t byte = (uint8_t)*way;
    move(c, &byte, sizeof byte);
    c->bad = c->bad || byte >= VLINK_WAYS;
    *way = byte == VLINK_UP ? VLINK_UP : VLINK_DOWN;
}

static void move_limit(struct cursor *c, struct vlink_limit *l)
{
    uint8_t down = l->down;
    move(c, &down, sizeof down);
    l->down = down != 0;
    move(c, &l->rate_bps, sizeof l->rate_bps);
    move(c, &l->delay_ns, sizeof l->delay_ns);
    move(c, &l->loss_ppm, sizeof l->loss_ppm);
    c->bad = c->bad || l->rate_bps > VLINK_RATE_MAX_BPS || l->loss_ppm > 1000000 ||
             l->delay_ns > UINT64_MAX / 4;
}

static void move_members(struct cursor *c, struct vlink_wire *m)
{
    switch (m->kind) {
    case VLINK_WIRE_HELLO:
        move(c, &m->version, sizeof m->version);
        move(c, &m->weight, sizeof m->weight);
        move_text(c, m->slice, sizeof m->slice);
        move_text(c, m->link, sizeof m->link);
        break;
    case VLINK_WIRE_REFUSED:
        move_text(c, m->why, sizeof m->why);
        break;
    case VLINK_WIRE_OFFER:
        move(c, &m->version, sizeof m->version);
        move(c, &m->depth, sizeof m->depth);
        move_limit(c, &m->limit[VLINK_UP]);
        move_limit(c, &m->limit[VLINK_DOWN]);
        break;
    case VLINK_WIRE_CREDIT:
        move_way(c, &m->way);
        move(c, &m->credit, sizeof m->credit);
        break;
    default:
        c->bad = true;
    }
}

static int read_frame(struct vlink_wire *out, struct cursor *c)
{
    uint8_t head_len = 0;
    move_way(c, &out->way);
    move(c, &head_len, sizeof head_len);
    if (c->bad || head_len > VLINK_HEAD_MAX || c->left < head_len + VLINK_FRAME_MIN ||
        c->left - head_len > VLINK_FRAME_MAX)
        return -1;
    out->head = c->from;
    out->head_len = head_len;
    out->bytes = c->from + head_len;
    out->len = c->left - head_len;
    return 0;
}

int vlink_wire_read(struct vlink_wire *out, const uint8_t *message, size_t len)
{
    struct cursor c = { .from = message, .left = len };
    uint8_t kind = 0;
    memset(out, 0, sizeof *out);
    move(&c, &kind, sizeof kind);
    out->kind = (enum vlink_wire_kind)kind;
    if (kind == VLINK_WIRE_FRAME)
        return read_frame(out, &c);
    move_members(&c, out);
    return c.bad || c.left > 0 ? -1 : 0;
}

size_t vlink_wire_write(const struct vlink_wire *m, uint8_t *message)
{
    struct vlink_wire copy = *m;
    struct cursor c = { .to = message, .left = VLINK_WIRE_NEWS_MAX };
    uint8_t kind = (uint8_t)m->kind;
    move(&c, &kind, sizeof kind);
    move_members(&c, &copy);
    assert(!c.bad);
    return VLINK_WIRE_NEWS_MAX - c.left;
}

size_t vlink_wire_frame_head(const struct vlink_frame *f, uint8_t *head)
{
    head[0] = VLINK_WIRE_FRAME;
    head[1] = (uint8_t)f->way;
    head[2] = (uint8_t)f->head_len;
    memcpy(head + 3, f->head, f->head_len);
    return 3u + f->head_len;
}
