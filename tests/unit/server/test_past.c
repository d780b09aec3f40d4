/* test_past.c - FETCH answered from a window, between two sessions: ranges, orders, a queue that
 * stays short, refusals, a window that loses what was asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ends.h"
#include "past.h"

#define GROUPS 5
#define OBJECTS 3

struct scene {
    struct ends ends;
    struct past past;
    struct window *window;
    uint64_t queued;
};

static uint64_t queued(void *ctx, uint64_t stream)
{
    struct scene *s = ctx;
    (void)stream;
    return s->queued;
}

static void put(struct window *w, uint64_t group, uint64_t object, const char *text)
{
    const struct moq_object obj = { .group = group,
                                    .object = object,
                                    .subgroup = object,
                                    .priority = 9,
                                    .payload = { (const uint8_t *)text, strlen(text) } };
    assert_int_equal(window_put(w, 2, &obj, 0, group * 100 + object, 0), 0);
}

static void begin(struct scene *s, uint64_t seed)
{
    const struct window_config cfg = { .span_us = 1000000, .bytes_max = WINDOW_BYTES_MIN };
    char why[200], text[2] = "a";

    ends_open(&s->ends, seed, NULL, NULL);
    assert_int_equal(window_new(&s->window, &cfg, why, sizeof why), 0);
    for (uint64_t g = 10; g < 10 + GROUPS; g++)
        for (uint64_t o = 0; o < OBJECTS; o++, text[0]++)
            put(s->window, g, o, text);
    s->queued = 0;
    s->past = (struct past){ .queued = queued, .ctx = s };
}

static void end(struct scene *s)
{
    past_fini(&s->past);
    window_unref(s->window);
    ends_close(&s->ends);
}

static void ask(struct scene *s, struct moq_location from, struct moq_location to, bool down)
{
    const struct moq_name name = ends_name("a/b", "video");
    struct moq_fetch_options o;

    moq_fetch_options_init(&o);
    o.start = from;
    o.end = to;
    o.order = down ? MOQ_ORDER_DESCENDING : MOQ_ORDER_ASCENDING;
    assert_int_equal(moq_fetch(s->ends.client.session, &name, &o, NULL, &s->ends.client.fetch), 0);
    pipe_run(&s->ends.pipe);
    past_begin(&s->past, s->ends.server.fetch, s->window, 2, &o);
}

static void what_is_kept_comes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct scene s;

        begin(&s, seed);
        ask(&s, (struct moq_location){ 11, 1 }, (struct moq_location){ 12, 2 }, false);
        ends_expect(&s.ends, &s.ends.client,
                    "fetch accepted to 12.2\nfetched 11.1 sub 1 priority 9 e\n"
                    "fetched 11.2 sub 2 priority 9 f\nfetched 12.0 sub 0 priority 9 g\n"
                    "fetched 12.1 sub 1 priority 9 h\nfetch done whole 0\n");
        /* A whole group; what begins before the window; what ends behind it. */
        ask(&s, (struct moq_location){ 3, 0 }, (struct moq_location){ 10, 0 }, false);
        ends_expect(&s.ends, &s.ends.client,
                    "fetch accepted to 11.0\nfetched 10.0 sub 0 priority 9 a\n"
                    "fetched 10.1 sub 1 priority 9 b\nfetched 10.2 sub 2 priority 9 c\n"
                    "fetch done whole 0\n");
        ask(&s, (struct moq_location){ 14, 2 }, (struct moq_location){ UINT64_MAX, 0 }, false);
        ends_expect(
            &s.ends, &s.ends.client,
            "fetch accepted to 14.3\nfetched 14.2 sub 2 priority 9 o\nfetch done whole 0\n");
        assert_int_equal(s.past.n, 0);
        assert_int_equal(s.past.objects, 8);
        end(&s);
    }
}

static void downwards(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 1);
    ask(&s, (struct moq_location){ 12, 1 }, (struct moq_location){ 14, 1 }, true);
    ends_expect(&s.ends, &s.ends.client,
                "fetch accepted to 14.1\nfetched 14.0 sub 0 priority 9 m\n"
                "fetched 13.0 sub 0 priority 9 j\nfetched 13.1 sub 1 priority 9 k\n"
                "fetched 13.2 sub 2 priority 9 l\nfetched 12.1 sub 1 priority 9 h\n"
                "fetched 12.2 sub 2 priority 9 i\nfetch done whole 0\n");
    end(&s);
}

static void the_queue_stays_short(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 2);
    s.queued = 0;
    ask(&s, (struct moq_location){ 10, 0 }, (struct moq_location){ 10, 0 }, false);
    ends_expect(&s.ends, &s.ends.server, "fetch a/b video 10.0 to 10.0 up\n");
    ends_expect(&s.ends, &s.ends.client,
                "fetch accepted to 11.0\nfetched 10.0 sub 0 priority 9 a\n"
                "fetched 10.1 sub 1 priority 9 b\nfetched 10.2 sub 2 priority 9 c\n"
                "fetch done whole 0\n");
    s.queued = PAST_QUEUE_MAX;
    ask(&s, (struct moq_location){ 13, 1 }, (struct moq_location){ 14, 1 }, false);
    ends_expect(&s.ends, &s.ends.client, /* the first shows the stream */
                "fetch accepted to 14.1\nfetched 13.1 sub 1 priority 9 k\n");
    past_pump(&s.past);
    ends_expect(&s.ends, &s.ends.client, "");
    s.queued = 0;
    past_pump(&s.past);
    ends_expect(&s.ends, &s.ends.client,
                "fetched 13.2 sub 2 priority 9 l\nfetched 14.0 sub 0 priority 9 m\n"
                "fetch done whole 0\n");
    end(&s);
}

static void refusals(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 3);
    ask(&s, (struct moq_location){ 14, 3 }, (struct moq_location){ UINT64_MAX, 0 }, false);
    ends_expect(&s.ends, &s.ends.client, "fetch refused 11 nothing of that range is kept\n");
    ask(&s, (struct moq_location){ 3, 0 }, (struct moq_location){ 9, 0 }, true);
    ends_expect(&s.ends, &s.ends.client, "fetch refused 11 nothing of that range is kept\n");
    struct window *w = s.window;
    s.window = NULL;
    ask(&s, (struct moq_location){ 10, 0 }, (struct moq_location){ 10, 0 }, false);
    ends_expect(&s.ends, &s.ends.client, "fetch refused 10 nothing of it is kept\n");
    s.window = w;
    end(&s);
}

/* A reader who is slower than the window moves is given what is left. */
static void what_is_lost_is_passed_over(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 4);
    s.queued = PAST_QUEUE_MAX;
    ask(&s, (struct moq_location){ 10, 0 }, (struct moq_location){ UINT64_MAX, 0 }, false);
    const struct moq_object late = { .group = 20, .payload = { (const uint8_t *)"z", 1 } };
    assert_int_equal(window_put(s.window, 2, &late, 0, 1001300, 0), 0); /* 13.0 on stays */
    s.queued = 0;
    past_pump(&s.past);
    ends_expect(&s.ends, &s.ends.client,
                "fetch accepted to 14.3\nfetched 10.0 sub 0 priority 9 a\n"
                "fetched 13.0 sub 0 priority 9 j\nfetched 13.1 sub 1 priority 9 k\n"
                "fetched 13.2 sub 2 priority 9 l\nfetched 14.0 sub 0 priority 9 m\n"
                "fetched 14.1 sub 1 priority 9 n\nfetched 14.2 sub 2 priority 9 o\n"
                "fetch done whole 0\n");
    end(&s);
}

static void cancelled(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, 5);
    s.queued = PAST_QUEUE_MAX;
    ask(&s, (struct moq_location){ 10, 0 }, (struct moq_location){ UINT64_MAX, 0 }, false);
    pipe_run(&s.ends.pipe);
    struct moq_fetch *f = s.ends.server.fetch;
    moq_fetch_abort(s.ends.client.fetch, MOQ_STREAM_CANCELLED);
    pipe_run(&s.ends.pipe);
    past_cancelled(&s.past, f);
    assert_int_equal(s.past.n, 0);
    past_pump(&s.past);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_comes),          cmocka_unit_test(downwards),
        cmocka_unit_test(the_queue_stays_short),       cmocka_unit_test(refusals),
        cmocka_unit_test(what_is_lost_is_passed_over), cmocka_unit_test(cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
