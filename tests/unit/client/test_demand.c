/*
 * test_demand.c - which layers are asked for: tables of single decisions, and a small world of
 * window, decoder and path that answers what was asked for, in which the demand must settle; its
 * log is decided again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "receiver.h"

#include <stdio.h>
#include <string.h>

#define LATENCY_US 400000
#define UNITS 3 /* of a layer in a period: 15 pictures a second */

/* L3T2, 320x180 to 1280x720. */
static struct demand_input quiet(int64_t now_us)
{
    struct demand_input in = {
        .latency_us = LATENCY_US, .n_spatial = 3, .n_temporal = 2, .paths = 2
    };
    demand_next(&in, now_us);
    in.elapsed_us = DEMAND_PERIOD_US;
    for (unsigned s = 0; s < 3; s++) {
        in.width[s] = 320u << s;
        in.height[s] = 180u << s;
    }
    return in;
}

/* All layers up to the level of `d` came as they should. */
static struct demand_input good(const struct demand_decision *d, int64_t now_us)
{
    struct demand_input in = quiet(now_us);
    for (uint8_t s = 0; s <= d->spatial; s++)
        for (uint8_t t = 0; t <= d->temporal; t++)
            for (unsigned n = 0; n < UNITS; n++)
                demand_came(&in, (struct svc_layer){ s, t }, 300000);
    in.busy_us = in.elapsed_us / 10;
    return in;
}

static const char *name(const struct demand_decision *d)
{
    static char text[16];
    snprintf(text, sizeof text, "S%uT%u", d->spatial, d->temporal);
    return text;
}

static void test_display(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        const char *want;
    } rows[] = {
        { 0, 0, "S2T1" },      { 1280, 720, "S2T1" }, { 3840, 2160, "S2T1" }, { 640, 360, "S1T1" },
        { 700, 390, "S1T1" },  { 720, 405, "S2T1" },  { 320, 180, "S0T1" },   { 64, 48, "S0T1" },
        { 1920, 180, "S0T1" }, { 320, 1080, "S0T1" }, { 1000, 390, "S1T1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct demand d = { 0 };
        struct demand_decision out;
        struct demand_input in = quiet(0);
        in.display_width = rows[i].width;
        in.display_height = rows[i].height;
        demand_decide(&d, &in, &out);
        assert_string_equal(name(&out), rows[i].want);
        assert_int_equal(out.reason, DEMAND_BEGIN);
    }
    struct demand d = { 0 }; /* layers of quality are all of one size */
    struct demand_decision out;
    struct demand_input in = quiet(0);
    for (unsigned s = 0; s < 3; s++)
        in.width[s] = 640, in.height[s] = 360;
    in.display_width = in.display_height = 100;
    demand_decide(&d, &in, &out);
    assert_string_equal(name(&out), "S2T1");
}

/* A person's limit is obeyed at once, and taken back like any proof: after a second without a
 * fault. */
static void test_wish(void **state)
{
    static const struct {
        struct svc_layer top;
        uint8_t levels;
        const char *want;
    } rows[] = {
        { { 3, 3 }, 4, "S2T1" }, { { 2, 1 }, 4, "S2T1" }, { { 1, 1 }, 3, "S1T1" },
        { { 0, 1 }, 2, "S0T1" }, { { 2, 0 }, 1, "S0T0" }, { { 0, 0 }, 1, "S0T0" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct demand d = { 0 };
        struct demand_decision out;
        struct demand_input in = quiet(0);
        int64_t now = DEMAND_PERIOD_US;
        demand_decide(&d, &in, &out);
        in = good(&out, now);
        in.levels_max = demand_levels_to(&in, rows[i].top);
        assert_int_equal(in.levels_max, rows[i].levels);
        demand_decide(&d, &in, &out);
        assert_string_equal(name(&out), rows[i].want);
        assert_int_equal(out.reason, rows[i].levels < 4 ? DEMAND_WISH : DEMAND_SAME);
        for (; now < 8000000; now += DEMAND_PERIOD_US) { /* no limit any more */
            in = good(&out, now);
            demand_decide(&d, &in, &out);
            assert_true(out.reason == DEMAND_SAME || out.reason == DEMAND_PROOF);
        }
        assert_string_equal(name(&out), "S2T1");
    }
}

/* From S2T1: ten periods, of each: units of the top layers that came late, of no use to anybody.
 */
static void test_down(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned late[10], slow[10], busy_percent;
        const char *want;
        enum demand_reason reason;
    } rows[] = {
        { "all well", { 0 }, { 0 }, 10, "S2T1", DEMAND_SAME },
        { "a few late", { 1, 0, 1, 0, 1, 1, 1, 1, 0, 1 }, { 0 }, 10, "S2T1", DEMAND_SAME },
        { "a death", { 0, 9, 9, 9, 9, 9 }, { 0 }, 10, "S2T1", DEMAND_SAME },
        { "much late", { 9, 9, 9, 9, 9, 9 }, { 0 }, 10, "S1T1", DEMAND_PATHS },
        { "a part late", { 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 }, { 0 }, 10, "S1T1", DEMAND_PATHS },
        { "some pictures left out", { 0 }, { 1, 0, 1, 0, 0 }, 10, "S2T1", DEMAND_SAME },
        { "a hiccup", { 0 }, { 0, 9, 3, 0, 0 }, 10, "S2T1", DEMAND_SAME },
        { "too many", { 0 }, { 1, 1, 0, 1, 0 }, 10, "S1T1", DEMAND_DECODER },
        { "busy", { 0 }, { 0 }, 85, "S2T1", DEMAND_SAME },
        { "too busy", { 0 }, { 0 }, 87, "S1T1", DEMAND_DECODER },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct demand d = { 0 };
        struct demand_decision out, any = { .reason = DEMAND_SAME };
        struct demand_input in = quiet(0);
        demand_decide(&d, &in, &out);
        for (unsigned n = 0; n < 10 && any.reason == DEMAND_SAME; n++) {
            in = good(&out, (n + 1) * DEMAND_PERIOD_US);
            for (unsigned k = 0; k < rows[i].late[n]; k++)
                demand_useless(&in, (struct svc_layer){ 2, k % 2 });
            in.too_slow = rows[i].slow[n];
            in.busy_us = in.elapsed_us * rows[i].busy_percent / 100;
            demand_decide(&d, &in, &out);
            any = out.reason != DEMAND_SAME ? out : any;
        }
        if (strcmp(name(&out), rows[i].want) != 0 || any.reason != rows[i].reason)
            fail_msg("%s: %s, reason %u", rows[i].what, name(&out), any.reason);
    }
}

/* What the sender leaves out costs nothing: an empty top layer is asked for as before. */
static void test_left_out_is_no_fault(void **state)
{
    (void)state;
    struct demand d = { 0 };
    struct demand_decision out;
    struct demand_input in = quiet(0);
    const struct demand_decision base = { 0 };
    demand_decide(&d, &in, &out);
    for (int n = 1; n < 100; n++) {
        in = good(&base, n * DEMAND_PERIOD_US);
        demand_decide(&d, &in, &out);
    }
    assert_string_equal(name(&out), "S2T1");
}

/* ---- a world ---- */

struct world {
    uint32_t display;      /* width; 0: none */
    unsigned path_level;   /* levels above it come late */
    unsigned decode_level; /* levels above it are too much for the decoder */
    struct receiver r;
    struct demand_decision now;
    FILE *log;
    int64_t time_us;
    unsigned changes, at[DEMAND_LEVELS_MAX]; /* periods spent at each level */
    uint32_t paths;
};

static unsigned level(const struct demand_decision *d)
{
    return d->spatial + d->temporal;
}

static void pass(struct world *w, double seconds)
{
    for (int n = 0; n < (int)(seconds * 1e6 / DEMAND_PERIOD_US); n++) {
        struct demand_input in = good(&w->now, w->time_us += DEMAND_PERIOD_US);
        in.display_width = w->display;
        in.display_height = w->display * 9 / 16;
        in.paths = w->paths;
        for (uint8_t t = 0; level(&w->now) > w->path_level && t < 2; t++)
            for (int k = 0; k < UNITS; k++)
                demand_useless(&in, (struct svc_layer){ w->now.spatial, t });
        in.busy_us = in.elapsed_us * (level(&w->now) > w->decode_level ? 95 : 20) / 100;
        receiver_demand(&w->r, w->log, &in, &w->now);
        w->changes += w->now.reason != DEMAND_SAME;
        w->at[level(&w->now)]++;
    }
}

static struct world world(uint32_t display, unsigned path_level, unsigned decode_level)
{
    struct world w = { .display = display,
                       .path_level = path_level,
                       .decode_level = decode_level,
                       .paths = 2,
                       .log = tmpfile() };
    assert_non_null(w.log);
    return w;
}

/* Another policy: it asks for more of what comes late. */
static void decide_deaf(void *state, const void *in, void *out)
{
    struct demand_input deaf = *(const struct demand_input *)in;
    memset(deaf.useless, 0, sizeof deaf.useless);
    demand_decide(&((struct receiver *)state)->demand, &deaf, out);
}

/* The log is decided again to the same, but by another policy only where that makes no difference.
 */
static void check_log(struct world *w, bool late)
{
    struct decision_verdict v;
    struct decision deaf[] = { receiver_policy.table[0], { 0 } };
    deaf[0].decide = decide_deaf;
    rewind(w->log);
    assert_int_equal(
        decision_replay(w->log, &(struct decision_policy){ deaf, receiver_policy.state_size }, &v),
        0);
    assert_int_equal(v.differed > 0, late);
    rewind(w->log);
    assert_int_equal(decision_replay(w->log, &receiver_policy, &v), 0);
    assert_int_equal(v.differed, 0);
    assert_int_equal(v.made, w->time_us / DEMAND_PERIOD_US);
    fclose(w->log);
}

/* It settles on what can be used, tries more ever more seldom, and is hardly ever above it. */
static void test_it_settles(void **state)
{
    (void)state;
    static const struct {
        uint32_t display;
        unsigned path, decode, settles;
    } rows[] = {
        { 0, 3, 3, 3 }, { 1280, 3, 3, 3 }, { 640, 3, 3, 2 }, { 0, 2, 3, 2 },
        { 0, 1, 3, 1 }, { 0, 0, 3, 0 },    { 0, 3, 2, 2 },   { 0, 3, 0, 0 },
        { 0, 1, 2, 1 }, { 640, 1, 3, 1 },  { 320, 3, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w = world(rows[i].display, rows[i].path, rows[i].decode);
        pass(&w, 300);
        unsigned above = 0;
        for (unsigned l = rows[i].settles + 1; l < DEMAND_LEVELS_MAX; l++)
            above += w.at[l];
        if (w.at[rows[i].settles] < 1500 * 9 / 10 || above > 1500 * 6 / 100 || w.changes > 40)
            fail_msg("row %zu: %u of 1500 at the level, %u above, %u changes", i,
                     w.at[rows[i].settles], above, w.changes);
        const unsigned before = w.changes;
        pass(&w, 60); /* later there are two tries a minute */
        assert_in_range(w.changes - before, 0, 6);
        check_log(&w, rows[i].path < rows[i].decode && w.display != 320);
    }
}

/* Better times: everything is back soon, at once a level at a time when a path has come. */
static void test_it_comes_back(void **state)
{
    (void)state;
    struct world w = world(0, 0, 3);
    pass(&w, 120);
    assert_int_equal(level(&w.now), 0);
    w.path_level = 3;
    w.paths++;
    pass(&w, 4);
    assert_string_equal(name(&w.now), "S2T1");
    w.display = 320; /* the window gets smaller, and larger */
    pass(&w, 0.2);
    assert_string_equal(name(&w.now), "S0T1");
    w.display = 1280;
    pass(&w, 3);
    assert_string_equal(name(&w.now), "S2T1");
    w.path_level = 1;
    pass(&w, 4);
    assert_string_equal(name(&w.now), "S0T1");
    w.path_level = 3; /* no path has come: after a while */
    pass(&w, 10);
    assert_string_equal(name(&w.now), "S2T1");
    check_log(&w, true);
}

/* Units that barely come in time, or late and yet of use to others, are no proof; nor a fault. */
static void test_tight_is_no_proof(void **state)
{
    (void)state;
    struct demand d = { 0 };
    struct demand_decision out;
    struct demand_input in = quiet(0);
    in.display_width = 320, in.display_height = 180;
    demand_decide(&d, &in, &out);
    assert_string_equal(name(&out), "S0T1");
    for (int n = 1; n < 100; n++) {
        in = good(&out, n * DEMAND_PERIOD_US);
        demand_came(&in, (struct svc_layer){ 0, 1 }, n < 25 ? -50000 : n < 50 ? 90000 : 110000);
        demand_decide(&d, &in, &out);
        assert_int_equal(out.spatial > 0, n >= 50 + 4);
        assert_int_equal(out.temporal, 1);
        if (n == 60)
            break;
    }
}

static void test_nonsense_is_harmless(void **state)
{
    (void)state;
    static const uint8_t rows[][2] = { { 0, 1 }, { 1, 0 }, { 5, 1 }, { 1, 5 }, { 255, 255 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct demand d = { 0 };
        struct demand_decision out = { 9, 9, 9 };
        struct demand_input in = quiet(0);
        in.n_spatial = rows[i][0];
        in.n_temporal = rows[i][1];
        demand_decide(&d, &in, &out);
        assert_int_equal(level(&out), 0);
        assert_false(d.begun);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_display),
        cmocka_unit_test(test_wish),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_left_out_is_no_fault),
        cmocka_unit_test(test_it_settles),
        cmocka_unit_test(test_it_comes_back),
        cmocka_unit_test(test_tight_is_no_proof),
        cmocka_unit_test(test_nonsense_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
