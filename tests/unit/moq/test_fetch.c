/* test_fetch.c - objects of the past between two sessions, objects that are passed on as they came,
 * and fetch streams on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ends.h"
#include "object.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define SEEDS 24
#define MUTATIONS 20000

static struct moq_object object(uint64_t group, uint64_t id, uint64_t subgroup)
{
    return (struct moq_object){ .group = group,
                                .object = id,
                                .subgroup = subgroup,
                                .priority = 7,
                                .payload = { (const uint8_t *)"x", 1 } };
}

static void fetch(struct ends *e, const struct moq_fetch_options *o)
{
    struct moq_name name = ends_name("a/b", "video");
    assert_int_equal(moq_fetch(e->client.session, &name, o, e, &e->client.fetch), 0);
    assert_ptr_equal(moq_fetch_user(e->client.fetch), e);
    pipe_run(&e->pipe);
}

static void standalone(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        struct moq_fetch_options o;
        moq_fetch_options_init(&o);
        o.start = (struct moq_location){ 1, 0 };
        o.order = seed % 2 ? MOQ_ORDER_DESCENDING : MOQ_ORDER_ASCENDING;
        fetch(&e, &o);
        ends_expect(&e, &e.server,
                    seed % 2 ? "fetch a/b video 1.0 to -1.0 down\n"
                             : "fetch a/b video 1.0 to -1.0 up\n");
        struct moq_fetch *f = e.server.fetch;
        uint64_t first = seed % 2 ? 9 : 2, second = seed % 2 ? 2 : 9;
        struct moq_object objs[] = { object(first, 0, 0), object(first, 1, 4), object(first, 7, 4),
                                     object(second, 70, 0) };
        static const uint8_t properties[] = { 0x10, 0x2a };
        objs[2].properties = (struct moq_bytes){ properties, sizeof properties };
        objs[2].priority = 8;
        objs[3].datagram = true;
        assert_int_equal(moq_fetch_end(f), MOQ_ERR_STATE);
        for (size_t i = 0; i < N(objs); i++) {
            if (i == seed % 5) /* the answer comes before, between or after the objects */
                assert_int_equal(moq_fetch_accept(f, true, (struct moq_location){ 9, 71 },
                                                  (struct moq_bytes){ 0 }),
                                 0);
            assert_int_equal(moq_fetch_write(f, &objs[i]), 0);
            assert_int_equal(moq_fetch_write(f, &objs[i]), MOQ_ERR_ARG); /* out of order */
        }
        if (seed % 5 >= N(objs))
            assert_int_equal(
                moq_fetch_accept(f, true, (struct moq_location){ 9, 71 }, (struct moq_bytes){ 0 }),
                0);
        assert_int_equal(moq_fetch_end(f), 0);
        ends_expect(&e, &e.client,
                    seed % 2 ? "fetch accepted to 9.71 end of track\n"
                               "fetched 9.0 sub 0 priority 7 x\nfetched 9.1 sub 4 priority 7 x\n"
                               "fetched 9.7 sub 4 priority 8 properties x\n"
                               "fetched 2.70 sub 0 priority 7 datagram x\nfetch done whole 0\n"
                             : "fetch accepted to 9.71 end of track\n"
                               "fetched 2.0 sub 0 priority 7 x\nfetched 2.1 sub 4 priority 7 x\n"
                               "fetched 2.7 sub 4 priority 8 properties x\n"
                               "fetched 9.70 sub 0 priority 7 datagram x\nfetch done whole 0\n");
        assert_int_equal(moq_session_requests(e.client.session), 0);
        assert_int_equal(moq_session_requests(e.server.session), 0);
        ends_close(&e);
    }
}

static void ways_to_end(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        struct moq_fetch_options o;
        moq_fetch_options_init(&o);
        struct moq_location end = { 3, 0 };
        struct moq_object obj = object(3, 0, 0);
        fetch(&e, &o); /* refused, after an object even */
        assert_int_equal(moq_fetch_write(e.server.fetch, &obj), 0);
        assert_int_equal(moq_fetch_reject(e.server.fetch, MOQ_REQ_INVALID_RANGE, "none"), 0);
        pipe_run(&e.pipe);
        assert_non_null(strstr(e.client.log, "fetch refused 11 none\n"));
        e.client.len = 0;
        fetch(&e, &o); /* empty */
        assert_int_equal(moq_fetch_accept(e.server.fetch, false, end, (struct moq_bytes){ 0 }), 0);
        assert_int_equal(moq_fetch_end(e.server.fetch), 0);
        ends_expect(&e, &e.client, "fetch accepted to 3.0\nfetch done whole 0\n");
        fetch(&e, &o); /* a gap nobody knows of, then broken off */
        assert_int_equal(moq_fetch_accept(e.server.fetch, false, end, (struct moq_bytes){ 0 }), 0);
        assert_int_equal(moq_fetch_write_unknown(e.server.fetch, (struct moq_location){ 2, 5 }), 0);
        assert_int_equal(moq_fetch_write_unknown(e.server.fetch, (struct moq_location){ 2, 6 }),
                         MOQ_ERR_ARG);
        ends_expect(&e, &e.client, "fetch accepted to 3.0\nunknown to 2.5\n");
        e.server.len = 0;
        e.server.log[0] = '\0';
        moq_fetch_abort(e.server.fetch, MOQ_STREAM_TOO_FAR_BEHIND);
        ends_expect(&e, &e.client, "fetch done broken 5\n");
        fetch(&e, &o); /* no longer wanted */
        assert_int_equal(moq_fetch_write(e.server.fetch, &obj), 0);
        moq_fetch_abort(e.client.fetch, MOQ_STREAM_CANCELLED);
        pipe_run(&e.pipe);
        assert_non_null(strstr(e.server.log, "fetch cancelled\n"));
        assert_int_equal(moq_session_requests(e.client.session), 0);
        assert_int_equal(moq_session_requests(e.server.session), 0);
        ends_close(&e);
    }
}

static void joining(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum moq_fetch_kind kind;
        uint64_t groups;
        bool forward, largest;
        const char *told, *refused;
    } rows[] = {
        { "two back", MOQ_FETCH_RELATIVE, 2, true, true, "fetch a/b video 8.0 to 10.4 up\n", "" },
        { "this group", MOQ_FETCH_RELATIVE, 0, true, true, "fetch a/b video 10.0 to 10.4 up\n",
          "" },
        { "before all", MOQ_FETCH_RELATIVE, 99, true, true, "fetch a/b video 0.0 to 10.4 up\n",
          "" },
        { "absolute", MOQ_FETCH_ABSOLUTE, 6, true, true, "fetch a/b video 6.0 to 10.4 up\n", "" },
        { "later", MOQ_FETCH_ABSOLUTE, 11, true, true, "",
          "fetch refused 11 the range ends before it begins\n" },
        { "forward off", MOQ_FETCH_RELATIVE, 0, false, true, "",
          "fetch refused 11 forward is off\n" },
        { "nothing yet", MOQ_FETCH_RELATIVE, 0, true, false, "",
          "fetch refused 11 nothing was published yet\n" },
    };
    for (size_t i = 0; i < 2 * N(rows); i++) {
        bool early = i >= N(rows); /* the FETCH comes before the SUBSCRIBE is answered */
        size_t row = i % N(rows);
        struct ends e;
        ends_open(&e, i, NULL, NULL);
        struct moq_name name = ends_name("a/b", "video");
        struct moq_subscribe_options so;
        moq_subscribe_options_init(&so);
        so.forward = rows[row].forward;
        assert_int_equal(moq_subscribe(e.client.session, &name, &so, &e, &e.client.sub), 0);
        ends_expect(&e, &e.server, "subscribe a/b video\n");
        struct moq_fetch_options o;
        moq_fetch_options_init(&o);
        o.kind = rows[row].kind;
        o.join = e.client.sub;
        o.join_groups = rows[row].groups;
        if (early)
            fetch(&e, &o);
        ends_expect(&e, &e.server, "");
        struct moq_location largest = { 10, 3 };
        assert_int_equal(moq_accept(e.server.sending, rows[row].largest ? &largest : NULL,
                                    (struct moq_bytes){ 0 }),
                         0);
        pipe_run(&e.pipe);
        e.client.len = 0;
        e.client.log[0] = '\0';
        if (!early)
            fetch(&e, &o);
        else
            pipe_run(&e.pipe);
        ends_expect(&e, &e.server, rows[row].told);
        if (!early)
            ends_expect(&e, &e.client, rows[row].refused);
        ends_close(&e);
    }
}

static void joining_what_is_over(void **state)
{
    (void)state;
    struct ends e;
    ends_open(&e, 1, NULL, NULL);
    struct moq_name name = ends_name("a/b", "video");
    struct moq_subscribe_options so;
    moq_subscribe_options_init(&so);
    assert_int_equal(moq_subscribe(e.client.session, &name, &so, &e, &e.client.sub), 0);
    pipe_run(&e.pipe);
    struct moq_fetch_options o;
    moq_fetch_options_init(&o);
    o.kind = MOQ_FETCH_RELATIVE;
    o.join = e.client.sub;
    fetch(&e, &o); /* waits */
    assert_int_equal(moq_reject(e.server.sending, MOQ_REQ_UNAUTHORIZED, "no"), 0);
    ends_expect(&e, &e.client, "rejected 1 no\nfetch refused 32 the subscription is over\n");
    ends_close(&e);
}

/* ---- objects of somebody else ---- */

static void open_relay(struct ends *e, uint64_t seed)
{
    ends_open(e, seed, NULL, NULL);
    struct moq_name name = ends_name("a/b", "video");
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    assert_int_equal(moq_subscribe(e->client.session, &name, &o, e, &e->client.sub), 0);
    pipe_run(&e->pipe);
    assert_int_equal(moq_accept(e->server.sending, NULL, (struct moq_bytes){ 0 }), 0);
    pipe_run(&e->pipe);
    e->client.len = 0;
    e->client.log[0] = '\0';
}

static void subgroups_pass_as_they_came(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        open_relay(&e, seed);
        struct moq_object a0 = object(4, 0, 0), a1 = object(4, 2, 0), b0 = object(4, 1, 1),
                          c0 = object(4, 3, 9);
        a0.first = b0.first = true;
        a0.more = b0.more = true;
        a1.has_previous = true; /* previous 0: 1 belongs to the other subgroup */
        c0.datagram = true;
        uint64_t streams = e.pipe.end[PIPE_SERVER].opened[1];
        assert_int_equal(moq_object_relay(e.server.sending, &a0, 0), 0);
        assert_int_equal(moq_object_relay(e.server.sending, &b0, 0), 0);
        assert_int_equal(moq_object_relay(e.server.sending, &a1, 0), 0);
        assert_int_equal(moq_object_relay(e.server.sending, &c0, 0), 0);
        moq_subgroup_end(e.server.sending, 4, 1, true);
        moq_subgroup_end(e.server.sending, 4, 1, true);
        assert_int_equal(e.pipe.end[PIPE_SERVER].opened[1] - streams, 2);
        ends_expect(&e, &e.client,
                    "object 4.0 sub 0 priority 7 first x\nobject 4.2 sub 0 priority 7 follows x\n"
                    "object 4.1 sub 1 priority 7 first x\n"
                    "object 4.3 sub 3 priority 7 datagram x\n");
        assert_int_equal(moq_done(e.server.sending, MOQ_DONE_TRACK_ENDED, ""), 0);
        ends_expect(&e, &e.client, "done 2 \n");
        ends_close(&e);
    }
}

static void a_gap_breaks_the_stream(void **state)
{
    (void)state;
    struct ends e;
    open_relay(&e, 3);
    struct moq_object o0 = object(4, 0, 0), o2 = object(4, 2, 0), o3 = object(4, 3, 0);
    o0.more = o2.more = o3.more = true;
    o2.has_previous = o3.has_previous = true;
    o2.previous = 1; /* which was left out */
    o3.previous = 2;
    assert_int_equal(moq_object_relay(e.server.sending, &o0, 0), 0);
    ends_expect(&e, &e.client, "object 4.0 sub 0 priority 7 x\n");
    assert_int_equal(moq_object_relay(e.server.sending, &o2, 0), 0);
    ends_expect(&e, &e.client, "subgroup 4.0 broken\nobject 4.2 sub 0 priority 7 x\n");
    assert_int_equal(moq_object_relay(e.server.sending, &o3, 0), 0);
    ends_expect(&e, &e.client, "object 4.3 sub 0 priority 7 follows x\n");
    moq_subgroup_end(e.server.sending, 4, 0, false);
    ends_expect(&e, &e.client, "subgroup 4.0 broken\n");
    struct moq_object many = object(5, 0, 0);
    many.more = true;
    for (many.subgroup = 0; many.subgroup < 300; many.subgroup++) /* a bound, not an end */
        assert_int_equal(moq_object_relay(e.server.sending, &many, 0), 0);
    pipe_run(&e.pipe);
    assert_int_equal(moq_done(e.server.sending, MOQ_DONE_TRACK_ENDED, ""), 0);
    pipe_run(&e.pipe);
    moq_session_tick(e.client.session, 60 * 1000000ull); /* of some not even the header came */
    assert_non_null(strstr(e.client.log, "done 2 \n"));
    ends_close(&e);
}

/* ---- the wire ---- */

static void bad_fetch_objects(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool second, descending;
        uint8_t bytes[16];
        size_t len;
        int result;
    } rows[] = {
        { "good first", false, false, { 0x1c, 5, 0, 7, 1, 'x' }, 6, 6 },
        { "first without a group", false, false, { 0x14, 0, 7, 1, 'x' }, 5, MOQ_ERR_WIRE },
        { "first without an object", false, false, { 0x18, 5, 7, 1, 'x' }, 5, MOQ_ERR_WIRE },
        { "first without a priority", false, false, { 0x0c, 5, 0, 1, 'x' }, 5, MOQ_ERR_WIRE },
        { "first with the subgroup before",
          false,
          false,
          { 0x1d, 5, 0, 7, 1, 'x' },
          6,
          MOQ_ERR_WIRE },
        { "flags 0x80", false, false, { 0x80, 0x80, 5, 0, 7, 1, 'x' }, 7, MOQ_ERR_WIRE },
        { "next of the same", true, false, { 0x00, 1, 'x' }, 3, 3 },
        { "the same again", true, false, { 0x04, 0, 1, 'x' }, 4, MOQ_ERR_WIRE },
        { "group beyond 2^64",
          true,
          false,
          { 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1, 'x' },
          13,
          MOQ_ERR_WIRE },
        { "group below 0", true, true, { 0x0c, 5, 0, 1, 'x' }, 5, MOQ_ERR_WIRE },
        { "group 0", true, true, { 0x0c, 4, 0, 1, 'x' }, 5, 5 },
        { "range of unknown", true, false, { 0x81, 0x0c, 0, 9 }, 4, 4 },
        { "range of nothing", false, false, { 0x80, 0x8c, 0, 9 }, 4, 4 },
        { "properties cut off", true, false, { 0x20, 2, 0x0b, 9, 1, 'x' }, 6, MOQ_ERR_WIRE },
        { "above our limit", true, false, { 0x00, 0xf0, 0x80, 0, 0, 1 }, 6, MOQ_ERR_FULL },
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct moq_fetch_place at = { .descending = rows[i].descending };
        if (rows[i].second)
            at = (struct moq_fetch_place){ .descending = rows[i].descending,
                                           .any = true,
                                           .any_object = true,
                                           .group = 5,
                                           .priority = 7 };
        struct moq_fetch_item item;
        size_t need;
        int got = moq_fetch_item_parse(&at, rows[i].bytes, rows[i].len, &item, &need);
        if (got != rows[i].result)
            fail_msg("%s: %d", rows[i].what, got);
        for (size_t cut = 0; got > 0 && cut < rows[i].len; cut++) {
            struct moq_fetch_place fresh = { 0 };
            assert_true(rows[i].second ||
                        moq_fetch_item_parse(&fresh, rows[i].bytes, cut, &item, &need) == 0);
        }
    }
}

static void fetch_objects_round_trip(void **state)
{
    (void)state;
    struct mutate rng = { 77 };
    for (int turn = 0; turn < 2000; turn++) {
        struct moq_fetch_place out = { .descending = turn % 2 }, in = out;
        uint8_t bytes[8192];
        struct moq_writer w = moq_writer_of(bytes, sizeof bytes);
        struct moq_object obj = { .group = turn % 2 ? UINT64_MAX : 0, .object = 3 }, want[20];
        for (size_t i = 0; i < N(want); i++) {
            obj.object += 1 + mutate_below(&rng, 3) * mutate_below(&rng, 1000);
            if (mutate_below(&rng, 3) == 0) {
                uint64_t step = 1 + mutate_below(&rng, 1000000);
                obj.group = turn % 2 ? obj.group - step : obj.group + step;
                obj.object = mutate_below(&rng, 100);
            }
            obj.subgroup = mutate_below(&rng, 3);
            obj.priority = (uint8_t)mutate_below(&rng, 3);
            assert_true(moq_fetch_follows(&out, obj.group, obj.object));
            want[i] = obj;
            moq_fetch_item_write(&w, &out, &(struct moq_fetch_item){ .obj = obj });
        }
        size_t at = 0;
        for (size_t i = 0; i < N(want); i++) {
            struct moq_fetch_item item;
            size_t need;
            int n = moq_fetch_item_parse(&in, bytes + at, moq_writer_len(&w) - at, &item, &need);
            assert_true(n > 0);
            item.obj.payload = want[i].payload; /* both empty */
            item.obj.properties = want[i].properties;
            assert_memory_equal(&item.obj, &want[i], sizeof want[i]);
            at += (size_t)n;
        }
        assert_int_equal(at, moq_writer_len(&w));
    }
}

static void damage_is_survived(void **state)
{
    (void)state;
    static const uint8_t good[] = { 0x1c, 5, 0, 7, 1, 'x',  0x00, 1, 'y',
                                    0x2f, 0, 3, 0, 2, 0x10, 1,    0 };
    struct mutate rng = { 4 };
    for (int i = 0; i < MUTATIONS; i++) {
        uint8_t bytes[sizeof good];
        memcpy(bytes, good, sizeof good);
        size_t len = mutate_bytes(&rng, bytes, sizeof bytes), at = 0;
        uint8_t *exact = malloc(len + 1);
        memcpy(exact, bytes, len);
        struct moq_fetch_place place = { .descending = i % 2 };
        int n = 1;
        while (n > 0 && at < len) {
            struct moq_fetch_item item;
            size_t need;
            n = moq_fetch_item_parse(&place, exact + at, len - at, &item, &need);
            at += n > 0 ? (size_t)n : 0;
        }
        assert_true(at <= len);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standalone),
        cmocka_unit_test(ways_to_end),
        cmocka_unit_test(joining),
        cmocka_unit_test(joining_what_is_over),
        cmocka_unit_test(subgroups_pass_as_they_came),
        cmocka_unit_test(a_gap_breaks_the_stream),
        cmocka_unit_test(bad_fetch_objects),
        cmocka_unit_test(fetch_objects_round_trip),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
