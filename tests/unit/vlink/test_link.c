/* test_link.c - a link with ports, tenants and a parent, on a clock of the test's: who gets which
 * frame, when, and what is counted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define MS 1000000ull
#define SEEN_MAX 4096

/* An exit that remembers what came. */
struct sink {
    struct vlink_exit exit; /* first */
    struct {
        vlink_time at;
        unsigned number; /* the frame's first payload byte */
        uint16_t len;
    } seen[SEEN_MAX];
    size_t n;
    struct vlink_frame *last; /* a reference */
};

static void sink_send(struct vlink_exit *e, struct vlink_frame *f, vlink_time now)
{
    struct sink *s = (struct sink *)e;
    assert_true(s->n < SEEN_MAX);
    s->seen[s->n].at = now;
    s->seen[s->n].number = f->bytes[14];
    s->seen[s->n++].len = f->len;
    vlink_frame_unref(s->last);
    s->last = vlink_frame_ref(f);
}

static void sink_init(struct sink *s)
{
    memset(s, 0, sizeof *s);
    s->exit.send = sink_send;
}

static struct vlink_frame *frame(uint8_t to, uint8_t from, uint8_t number, size_t size)
{
    static uint8_t bytes[VLINK_FRAME_MAX];
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, (uint8_t[]){ 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0, number }, 15);
    if (to == 255)
        memset(bytes, 255, 6);
    struct vlink_frame *f = vlink_frame_new(bytes, size);
    assert_non_null(f);
    return f;
}

struct bench {
    struct vlink_link *link;
    struct sink port[4];
};

static int setup(void **state)
{
    struct bench *b = malloc(sizeof *b);
    char why[VLINK_WHY_MAX];
    b->link = vlink_link_new("l", 7, 0);
    for (unsigned i = 0; i < 4; i++) {
        char name[8];
        sink_init(&b->port[i]);
        snprintf(name, sizeof name, "p%u", i);
        if (i < 2)
            assert_int_equal(vlink_link_port_add(b->link, name, i == 0 ? VLINK_UP : VLINK_DOWN,
                                                 &b->port[i].exit, why, sizeof why),
                             i);
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    vlink_link_free(b->link);
    for (unsigned i = 0; i < 4; i++)
        vlink_frame_unref(b->port[i].last);
    free(b);
    return 0;
}

static void configure(struct vlink_link *l, vlink_time now, const char *key, const char *value)
{
    char why[VLINK_WHY_MAX];
    struct vlink_way_config c[VLINK_WAYS];
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        c[way] = *vlink_link_config(l, way);
        assert_int_equal(vlink_config_set(&c[way].config, key, value, why, sizeof why), 0);
        c[way].given |= strcmp(key, "rate") == 0    ? VLINK_GIVEN_RATE
                        : strcmp(key, "delay") == 0 ? VLINK_GIVEN_DELAY
                        : strcmp(key, "loss") == 0  ? VLINK_GIVEN_LOSS
                                                    : 0;
    }
    assert_int_equal(vlink_link_configure(l, now, c, why, sizeof why), 0);
}

static void run_until(struct vlink_link *l, vlink_time end)
{
    vlink_time next;
    while ((next = vlink_link_next(l)) <= end)
        vlink_link_run(l, next);
    vlink_link_run(l, end);
}

/* ---- a cable and a switch ---- */

static void test_rate_and_delay(void **state)
{
    struct bench *b = *state;
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "delay", "40ms");
    /* 1250 bytes are 10 ms at 1 Mbit/s. */
    for (uint8_t i = 0; i < 3; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, i, 1250), 1 * MS);
    run_until(b->link, 100 * MS);
    assert_int_equal(b->port[1].n, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(b->port[1].seen[i].at, 51 * MS + i * 10 * MS);
        assert_int_equal(b->port[1].seen[i].number, i);
    }
    assert_int_equal(b->port[0].n, 0);
}

/* A loop that looks late gets the same capacity: the serialiser's time is its own. */
static void test_lateness_costs_no_capacity(void **state)
{
    struct bench *b = *state;
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "queue", "unlimited");
    for (unsigned i = 0; i < 100; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1250), 0);
    for (vlink_time now = 0; now < 1000 * MS; now += 37 * MS)
        vlink_link_run(b->link, now);
    vlink_link_run(b->link, 1000 * MS - 1);
    assert_int_equal(b->port[1].n, 99);
    vlink_link_run(b->link, 1000 * MS);
    assert_int_equal(b->port[1].n, 100);
}

static struct vlink_trace *trace(const char *text)
{
    char why[VLINK_WHY_MAX];
    struct vlink_trace *t = calloc(1, sizeof *t);
    assert_int_equal(vlink_trace_parse(t, text, strlen(text), why, sizeof why), 0);
    return t;
}

/* Small frames fill an opportunity, large ones span several, several may fall together. */
static void test_a_trace_is_used_up(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    struct vlink_way_config c[VLINK_WAYS];
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        c[way] = *vlink_link_config(b->link, way);
        c[way].config.trace = trace("5\n5\n5\n10\n");
        c[way].config.queue_ns = 0;
    }
    assert_int_equal(vlink_link_configure(b->link, 0, c, why, sizeof why), 0);
    for (unsigned i = 0; i < 60; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 300), 0);
    vlink_link_run(b->link, 5 * MS - 1);
    assert_int_equal(b->port[1].n, 0);
    vlink_link_run(b->link, 5 * MS); /* 3 * 1500 bytes */
    assert_int_equal(b->port[1].n, 15);
    vlink_link_run(b->link, 16 * MS); /* 10, 15, 15, 15, looked at late */
    assert_int_equal(b->port[1].n, 15 + 4 * 5);
    configure(b->link, 16 * MS, "rate", "1mbit"); /* trace still in config: rate is not used */
    vlink_link_run(b->link, 30 * MS);             /* 20; 25, 25, 25; 30 */
    assert_int_equal(b->port[1].n, 60);
}

static void test_queue_limit(void **state)
{
    struct bench *b = *state;
    struct vlink_way_view v;
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "queue", "35ms");
    for (unsigned i = 0; i < 10; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, (uint8_t)i, 1250), 0);
    vlink_link_run(b->link, 1000 * MS);
    /* Those that would wait 0, 10, 20, 30 ms. */
    assert_int_equal(b->port[1].n, 4);
    vlink_link_way_view(b->link, VLINK_UP, &v);
    assert_int_equal(v.flow->lost[VLINK_LOST_QUEUE], 6);
    assert_int_equal(v.flow->frames_in, 10);
    assert_int_equal(v.flow->frames_out, 4);
}

static void add_port(struct bench *b, unsigned i, enum vlink_way side)
{
    char why[VLINK_WHY_MAX], name[8];
    snprintf(name, sizeof name, "p%u", i);
    assert_int_equal(vlink_link_port_add(b->link, name, side, &b->port[i].exit, why, sizeof why),
                     i);
}

static void expect_counts(struct bench *b, size_t a, size_t c, size_t d)
{
    assert_int_equal(b->port[0].n, a);
    assert_int_equal(b->port[1].n, c);
    assert_int_equal(b->port[2].n, d);
}

static void test_a_switch_learns(void **state)
{
    struct bench *b = *state;
    add_port(b, 2, VLINK_DOWN);
    vlink_link_port_in(b->link, 0, frame(12, 10, 0, 60), 1); /* unknown: to all others */
    vlink_link_run(b->link, 1);
    expect_counts(b, 0, 1, 1);
    vlink_link_port_in(b->link, 2, frame(10, 12, 0, 60), 2); /* 10 is known */
    vlink_link_run(b->link, 2);
    expect_counts(b, 1, 1, 1);
    vlink_link_port_in(b->link, 0, frame(12, 10, 0, 60), 3); /* and 12 is now */
    vlink_link_run(b->link, 3);
    expect_counts(b, 1, 1, 2);
    vlink_link_port_in(b->link, 1, frame(255, 11, 0, 60), 4); /* broadcast */
    vlink_link_run(b->link, 4);
    expect_counts(b, 2, 1, 3);
    vlink_link_port_in(b->link, 1, frame(11, 13, 0, 60), 5); /* to its own side: nowhere */
    vlink_link_run(b->link, 5);
    expect_counts(b, 2, 1, 3);
}

/* A guest that moved is heard on another port: its next frame is enough. */
static void test_a_mac_moves_at_once(void **state)
{
    struct bench *b = *state;
    add_port(b, 2, VLINK_DOWN);
    vlink_link_port_in(b->link, 1, frame(255, 12, 0, 60), 1);
    vlink_link_run(b->link, 1);
    vlink_link_port_in(b->link, 2, frame(255, 12, 0, 60), 2);
    vlink_link_run(b->link, 2);
    size_t before = b->port[1].n;
    vlink_link_port_in(b->link, 0, frame(12, 10, 0, 60), 3);
    vlink_link_run(b->link, 3);
    assert_int_equal(b->port[1].n, before);
    assert_int_equal(b->port[2].n, 2); /* the broadcast by port 1, and this */
    /* A frame under way finds the port its address is at when it arrives. */
    configure(b->link, 4, "delay", "10ms");
    vlink_link_port_in(b->link, 0, frame(12, 10, 0, 60), 5 * MS);
    vlink_link_port_in(b->link, 1, frame(255, 12, 0, 60), 6 * MS);
    run_until(b->link, 15 * MS);
    assert_int_equal(b->port[1].n, before + 1);
    vlink_link_port_remove(b->link, 1);
    vlink_link_port_in(b->link, 0, frame(12, 10, 0, 60), 30 * MS);
    run_until(b->link, 50 * MS);
    assert_int_equal(b->port[1].n, before + 1);
}

static void test_down_loses_and_up_again(void **state)
{
    struct bench *b = *state;
    struct vlink_way_view v;
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "delay", "10ms");
    for (unsigned i = 0; i < 4; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1250), 0);
    configure(b->link, 5 * MS, "down", "");
    vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1250), 6 * MS);
    run_until(b->link, 100 * MS);
    assert_int_equal(b->port[1].n, 0);
    vlink_link_way_view(b->link, VLINK_UP, &v);
    assert_int_equal(v.flow->lost[VLINK_LOST_DOWN], 5);
    configure(b->link, 100 * MS, "up", "");
    vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1250), 100 * MS);
    run_until(b->link, 120 * MS);
    assert_int_equal(b->port[1].n, 1);
    vlink_link_port_set_down(b->link, 1, true);
    vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1250), 130 * MS);
    vlink_link_port_in(b->link, 1, frame(1, 2, 0, 1250), 130 * MS);
    run_until(b->link, 200 * MS);
    assert_int_equal(b->port[1].n, 1);
    assert_int_equal(b->port[0].n, 0);
}

/* ---- tenants ---- */

static unsigned add_tenant(struct vlink_link *l, const char *name, uint32_t weight, struct sink *s)
{
    char why[VLINK_WHY_MAX];
    int place = vlink_link_tenant_add(l, name, weight, &s->exit, why, sizeof why);
    assert_true(place > 0);
    return (unsigned)place;
}

static struct vlink_frame *of_child(enum vlink_way way, uint8_t number, size_t size)
{
    struct vlink_frame *f = frame(255, 9, number, size);
    f->way = way;
    f->head_len = 3;
    memcpy(f->head, "abc", 3);
    return f;
}

static void test_a_tenant_gets_its_own_back(void **state)
{
    struct bench *b = *state;
    unsigned t = add_tenant(b->link, "s/l", 1, &b->port[2]);
    unsigned u = add_tenant(b->link, "r/l", 1, &b->port[3]);
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "delay", "5ms");
    vlink_link_tenant_in(b->link, t, of_child(VLINK_DOWN, 7, 1250), 0);
    assert_int_equal(vlink_link_tenant_credit(b->link, t, VLINK_DOWN), 0);
    vlink_link_port_in(b->link, 0, frame(255, 1, 8, 1250), 0);
    run_until(b->link, 100 * MS);
    assert_int_equal(b->port[2].n, 1); /* the tenant's, after 10 + 5 ms, with its head */
    assert_int_equal(b->port[2].seen[0].at, 15 * MS);
    assert_int_equal(b->port[2].last->way, VLINK_DOWN);
    assert_int_equal(b->port[2].last->head_len, 3);
    assert_memory_equal(b->port[2].last->head, "abc", 3);
    assert_int_equal(vlink_link_tenant_credit(b->link, t, VLINK_DOWN), 1250);
    assert_int_equal(vlink_link_tenant_credit(b->link, u, VLINK_DOWN), 0);
    assert_int_equal(b->port[0].n, 0); /* a tenant's broadcast reaches no port */
    assert_int_equal(b->port[1].n, 1); /* the port's own, and no tenant has it */
    assert_int_equal(b->port[3].n, 0);
}

static void test_a_tenant_goes(void **state)
{
    struct bench *b = *state;
    unsigned t = add_tenant(b->link, "s/l", 1, &b->port[2]);
    configure(b->link, 0, "rate", "1mbit");
    configure(b->link, 0, "delay", "50ms");
    for (unsigned i = 0; i < 5; i++)
        vlink_link_tenant_in(b->link, t, of_child(VLINK_UP, 0, 1250), 0);
    vlink_link_run(b->link, 15 * MS);
    vlink_link_tenant_remove(b->link, t);
    unsigned again = add_tenant(b->link, "r/l", 1, &b->port[3]);
    assert_int_equal(again, t); /* the same place, another generation */
    run_until(b->link, 500 * MS);
    assert_int_equal(b->port[2].n, 0);
    assert_int_equal(b->port[3].n, 0);
}

/* A stream's frames through the parent's link, with and without another tenant's flood: what a
 * frame waits grows by one frame of the flood's at most. */
static void test_a_flood_is_not_felt(void **state)
{
    struct bench *b = *state;
    vlink_time worst[2] = { 0, 0 };
    unsigned t = add_tenant(b->link, "a/l", 1, &b->port[2]);
    unsigned u = add_tenant(b->link, "b/l", 1, &b->port[3]);
    configure(b->link, 0, "rate", "10mbit");
    for (unsigned flood = 0; flood < 2; flood++) {
        vlink_time start = flood * 10000 * MS;
        for (unsigned i = 0; i < 400; i++) {
            vlink_time now = start + i * 10 * MS;
            run_until(b->link, now);
            for (unsigned k = 0; flood && k < 30; k++)
                vlink_link_tenant_in(b->link, u, of_child(VLINK_UP, 0, 1514), now);
            b->port[2].n = b->port[3].n = 0;
            vlink_link_tenant_in(b->link, t, of_child(VLINK_UP, 0, 1000), now);
            run_until(b->link, now + 9 * MS);
            assert_int_equal(b->port[2].n, 1);
            vlink_time took = b->port[2].seen[0].at - now;
            worst[flood] = took > worst[flood] ? took : worst[flood];
        }
    }
    assert_int_equal(worst[0], 800000);
    assert_true(worst[1] <= 800000 + 2 * 1211200);
}

/* ---- a child ---- */

static const struct vlink_limit wide[VLINK_WAYS] = {
    { .rate_bps = 8000000, .delay_ns = 10 * MS, .loss_ppm = 0 },
    { .rate_bps = 8000000, .delay_ns = 10 * MS, .loss_ppm = 0 },
};

/* What `parent` (a sink) was given comes back, and credit for it. */
static void give_back(struct bench *b, struct sink *parent, uint64_t *credit, vlink_time now)
{
    assert_non_null(parent->last);
    struct vlink_frame *f = vlink_frame_new(parent->last->bytes, parent->last->len);
    f->way = parent->last->way;
    f->head_len = parent->last->head_len;
    memcpy(f->head, parent->last->head, f->head_len);
    *credit += f->len;
    vlink_link_credit(b->link, f->way, *credit, now);
    vlink_link_returned(b->link, f, now);
}

static void test_a_child_sends_through_its_parent(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    uint64_t credit = 0;
    struct sink *parent = &b->port[3];
    configure(b->link, 0, "delay", "25ms");
    assert_int_equal(vlink_link_set_parent(b->link, &parent->exit, wide, 0, why, sizeof why), 0);
    vlink_link_port_in(b->link, 0, frame(2, 1, 5, 1000), 1 * MS);
    vlink_link_run(b->link, 1 * MS);
    assert_int_equal(parent->n, 1);
    assert_int_equal(parent->last->head_len, sizeof(struct vlink_origin));
    assert_int_equal(b->port[1].n, 0);
    give_back(b, parent, &credit, 12 * MS);
    run_until(b->link, 100 * MS);
    assert_int_equal(b->port[1].n, 1);
    assert_int_equal(b->port[1].seen[0].at, 27 * MS); /* 15 ms of its 25 are left to it */
    assert_int_equal(b->port[1].seen[0].number, 5);
}

/* What the parent loses does not stay on the child's account. */
static void test_lost_at_the_parent(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    struct sink *parent = &b->port[3];
    vlink_link_set_parent(b->link, &parent->exit, wide, 0, why, sizeof why);
    for (uint64_t i = 1; i <= 2 * VLINK_LINK_FRAMES_MAX; i++) {
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1000), i);
        vlink_link_run(b->link, i);
        assert_int_equal(parent->n, 1);
        parent->n = 0;
        vlink_link_credit(b->link, VLINK_UP, i * 1000, i);
    }
}

/* No more is under way to the parent than a window. What it does not take waits here. */
static void test_window(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    struct sink *parent = &b->port[3];
    vlink_link_set_parent(b->link, &parent->exit, wide, 0, why, sizeof why);
    for (unsigned i = 0; i < 50; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1000), 0);
    vlink_link_run(b->link, 0);
    assert_int_equal(parent->n, 4); /* 3028 bytes: the one that reaches it is the last */
    vlink_link_run(b->link, 50 * MS);
    assert_int_equal(parent->n, 4);
    vlink_link_credit(b->link, VLINK_UP, 99999, 50 * MS); /* nonsense */
    assert_int_equal(parent->n, 4);
    vlink_link_credit(b->link, VLINK_UP, 2000, 50 * MS);
    assert_int_equal(parent->n, 6);
    vlink_link_credit(b->link, VLINK_UP, 6000,
                      51 * MS); /* all, and more waits: half as much again */
    assert_int_equal(parent->n, 6 + 5);
}

static void test_the_parent_goes_and_comes(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    struct sink *parent = &b->port[3];
    vlink_link_set_parent(b->link, &parent->exit, wide, 0, why, sizeof why);
    vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1000), 0);
    vlink_link_run(b->link, 0);
    assert_int_equal(parent->n, 1);
    assert_int_equal(vlink_link_set_parent(b->link, NULL, NULL, 1 * MS, NULL, 0), 0);
    assert_true(vlink_link_limit(b->link, VLINK_UP).down);
    for (unsigned i = 0; i < 10; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1000), 2 * MS);
    run_until(b->link, 50 * MS);
    assert_int_equal(parent->n, 1);
    vlink_link_set_parent(b->link, &parent->exit, wide, 60 * MS, NULL, 0);
    for (unsigned i = 0; i < 10; i++)
        vlink_link_port_in(b->link, 0, frame(2, 1, 0, 1000), 60 * MS);
    run_until(b->link, 60 * MS);
    assert_int_equal(parent->n, 1 + 4); /* a whole window again */
}

static void test_wider_is_refused_narrower_inherited(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    struct sink *parent = &b->port[3];
    static const struct {
        const char *key, *value;
        bool fits;
    } rows[] = {
        { "rate", "8mbit", true }, { "rate", "8001kbit", false }, { "rate", "unlimited", false },
        { "delay", "10ms", true }, { "delay", "9999us", false },  { "loss", "1%", true },
        { "jitter", "1ms", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vlink_link *l = vlink_link_new("c", 1, 0);
        configure(l, 0, rows[i].key, rows[i].value);
        int result = vlink_link_set_parent(l, &parent->exit, wide, 0, why, sizeof why);
        assert_int_equal(result, rows[i].fits ? 0 : -1);
        if (!rows[i].fits)
            assert_non_null(strstr(why, rows[i].key));
        vlink_link_free(l);
    }
    assert_int_equal(vlink_link_set_parent(b->link, &parent->exit, wide, 0, why, sizeof why), 0);
    assert_int_equal(vlink_link_limit(b->link, VLINK_UP).rate_bps, 8000000);
    assert_int_equal(vlink_link_limit(b->link, VLINK_UP).delay_ns, 10 * MS);
    configure(b->link, 0, "rate", "5mbit");
    assert_int_equal(vlink_link_limit(b->link, VLINK_UP).rate_bps, 5000000);
    /* A later change at the parent wins, and does not stand in the way of other settings. */
    const struct vlink_limit narrow[VLINK_WAYS] = { { .rate_bps = 1000000, .delay_ns = 90 * MS },
                                                    { .rate_bps = 1000000, .down = true } };
    vlink_link_set_limit(b->link, narrow, 1 * MS);
    assert_int_equal(vlink_link_limit(b->link, VLINK_UP).rate_bps, 1000000);
    assert_int_equal(vlink_link_limit(b->link, VLINK_UP).delay_ns, 90 * MS);
    assert_true(vlink_link_limit(b->link, VLINK_DOWN).down);
    configure(b->link, 2 * MS, "jitter", "1ms");
}

/* What a parent sends back is looked at: another's head reaches nobody. */
static void test_a_wrong_head_is_dropped(void **state)
{
    struct bench *b = *state;
    char why[VLINK_WHY_MAX];
    vlink_link_set_parent(b->link, &b->port[3].exit, wide, 0, why, sizeof why);
    for (unsigned i = 0; i < 300; i++) {
        struct vlink_frame *f = frame(2, 1, 0, 100);
        const struct vlink_origin o = { .kind = (uint16_t)(i % 4),
                                        .place = (uint16_t)(i * 7),
                                        .generation = i };
        f->head_len = i % 5 == 0 ? (uint16_t)(i % 16) : sizeof o;
        memcpy(f->head, &o, sizeof o);
        f->way = i & 1 ? VLINK_UP : VLINK_DOWN;
        bool port = f->head_len == sizeof o && o.kind == VLINK_OF_PORT && o.place < VLINK_PORTS_MAX;
        vlink_link_returned(b->link, f, 1 * MS);
        run_until(b->link, 100 * MS);
        if (!port)
            assert_int_equal(b->port[0].n + b->port[1].n, 0);
        b->port[0].n = b->port[1].n = 0;
    }
}

/* ---- programs ---- */

struct judge {
    struct vlink_filter filter; /* first */
    enum vlink_verdict verdict;
    uint64_t delay_ns;
    char tenant[VLINK_TENANT_NAME_MAX];
};

static enum vlink_verdict judge(struct vlink_filter *filter, const struct vlink_frame *f,
                                const char *tenant, vlink_time now, uint64_t *delay_ns)
{
    struct judge *j = (struct judge *)filter;
    (void)f;
    (void)now;
    snprintf(j->tenant, sizeof j->tenant, "%s", tenant);
    *delay_ns = j->delay_ns;
    return j->verdict;
}

static void test_verdicts(void **state)
{
    struct bench *b = *state;
    struct vlink_way_view v;
    struct judge j = { .filter.judge = judge, .verdict = VLINK_LET_DROP };
    unsigned t = add_tenant(b->link, "s/l", 1, &b->port[2]);
    vlink_link_set_filter(b->link, &j.filter);
    vlink_link_port_in(b->link, 0, frame(2, 1, 1, 100), 0);
    vlink_link_tenant_in(b->link, t, of_child(VLINK_UP, 0, 100), 0);
    assert_string_equal(j.tenant, "s/l");
    assert_int_equal(vlink_link_tenant_credit(b->link, t, VLINK_UP), 100);
    run_until(b->link, 1 * MS);
    assert_int_equal(b->port[1].n + b->port[2].n, 0);
    vlink_link_way_view(b->link, VLINK_UP, &v);
    assert_int_equal(v.flow->lost[VLINK_LOST_PROGRAM], 2);
    j.verdict = VLINK_LET_WAIT;
    j.delay_ns = 30 * MS;
    vlink_link_port_in(b->link, 0, frame(2, 1, 2, 100), 10 * MS);
    j.delay_ns = 5 * MS; /* overtakes */
    vlink_link_port_in(b->link, 0, frame(2, 1, 3, 100), 11 * MS);
    assert_string_equal(j.tenant, "");
    run_until(b->link, 100 * MS);
    assert_int_equal(b->port[1].n, 2);
    assert_int_equal(b->port[1].seen[0].at, 16 * MS);
    assert_int_equal(b->port[1].seen[0].number, 3);
    assert_int_equal(b->port[1].seen[1].at, 40 * MS);
    /* A tenant that goes while its frame is held. */
    vlink_link_tenant_in(b->link, t, of_child(VLINK_UP, 0, 100), 100 * MS);
    assert_int_equal(vlink_link_tenant_credit(b->link, t, VLINK_UP), 200); /* waits, not there */
    vlink_link_tenant_remove(b->link, t);
    run_until(b->link, 200 * MS);
    assert_int_equal(b->port[2].n, 0);
}

static void test_mark(void **state)
{
    (void)state;
    struct vlink_frame *f = frame(2, 1, 0, 60);
    assert_false(vlink_frame_mark(f)); /* an empty IPv4 header is not ECN-capable */
    /* RFC 791's header with ECT(0); 0xb8f0 is its checksum. */
    static const uint8_t ip[20] = { 0x45, 0x02, 0x00, 0x2e, 0x12, 0x34, 0x40, 0x00, 0x40, 0x11,
                                    0,    0,    10,   77,   0,    1,    10,   77,   0,    2 };
    memcpy(f->bytes + 14, ip, sizeof ip);
    uint32_t sum = 0;
    for (size_t i = 0; i < 20; i += 2)
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    f->bytes[24] = (uint8_t)(sum >> 8);
    f->bytes[25] = (uint8_t)sum;
    assert_true(vlink_frame_mark(f));
    assert_int_equal(f->bytes[15] & 3, 3);
    uint32_t whole = 0;
    for (size_t i = 0; i < 20; i += 2)
        whole += (uint32_t)(f->bytes[14 + i] << 8 | f->bytes[15 + i]);
    assert_int_equal((whole & 0xffff) + (whole >> 16), 0xffff);
    f->bytes[12] = 0x86;
    f->bytes[13] = 0xdd;
    f->bytes[14] = 0x60;
    f->bytes[15] = 0x10; /* ECT(1) */
    assert_true(vlink_frame_mark(f));
    assert_int_equal(f->bytes[15], 0x30);
    vlink_frame_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_rate_and_delay),
        TEST(test_lateness_costs_no_capacity),
        TEST(test_a_trace_is_used_up),
        TEST(test_queue_limit),
        TEST(test_a_switch_learns),
        TEST(test_a_mac_moves_at_once),
        TEST(test_down_loses_and_up_again),
        TEST(test_a_tenant_gets_its_own_back),
        TEST(test_a_tenant_goes),
        TEST(test_a_flood_is_not_felt),
        TEST(test_a_child_sends_through_its_parent),
        TEST(test_lost_at_the_parent),
        TEST(test_window),
        TEST(test_the_parent_goes_and_comes),
        TEST(test_wider_is_refused_narrower_inherited),
        TEST(test_a_wrong_head_is_dropped),
        TEST(test_verdicts),
        TEST(test_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
