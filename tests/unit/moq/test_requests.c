/* test_requests.c - what two sessions make of PUBLISH, namespaces, track status, tokens and GOAWAY,
 * over many orders of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ends.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define SEEDS 24

static const uint8_t track_properties[] = { 0x0e, 0x40, 0x22 - 0x0e, 0x01 };
static const struct moq_bytes properties = { track_properties, sizeof track_properties };

static struct moq_object object(uint64_t group, uint64_t id, const char *payload)
{
    return (struct moq_object){ .group = group,
                                .object = id,
                                .priority = 7,
                                .payload = { (const uint8_t *)payload, strlen(payload) } };
}

static void publish(struct ends *e, bool forward)
{
    struct moq_name name = ends_name("a/b", "video");
    struct moq_publish_options o = {
        .forward = forward, .has_largest = true, .largest = { 4, 2 }, .properties = properties
    };
    assert_int_equal(moq_publish(e->client.session, &name, &o, e, &e->client.sending), 0);
    assert_int_equal(moq_publish(e->client.session, &name, &o, e, &e->client.sending),
                     MOQ_ERR_STATE);
    assert_ptr_equal(moq_sending_user(e->client.sending), e);
}

static void published_life(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        publish(&e, true);
        struct moq_object obj = object(5, 0, "early");
        assert_int_equal(moq_object_write(e.client.sending, &obj, 0), 0);
        ends_expect(&e, &e.server, "publish a/b video largest 4 properties 4\n");
        struct moq_subscribe_options o;
        moq_subscribe_options_init(&o);
        o.filter = MOQ_FILTER_NONE;
        o.priority = 3;
        assert_int_equal(moq_publish_accept(e.server.sub, &o), 0);
        assert_int_equal(moq_publish_accept(e.server.sub, &o), MOQ_ERR_STATE);
        ends_expect(&e, &e.server, "object 5.0 sub 0 priority 7 first early\n");
        ends_expect(&e, &e.client, "published priority 3\n");
        o.forward = false;
        assert_int_equal(moq_subscription_update(e.server.sub, &o), 0);
        ends_expect(&e, &e.client, "update off\n");
        obj = object(5, 1, "x");
        assert_int_equal(moq_object_write(e.client.sending, &obj, 0), MOQ_ERR_STATE);
        assert_int_equal(moq_done(e.client.sending, MOQ_DONE_TRACK_ENDED, "over"), 0);
        ends_expect(&e, &e.server, "done 2 over\n");
        assert_int_equal(moq_session_requests(e.server.session), 0);
        assert_int_equal(moq_session_requests(e.client.session), 0);
        ends_close(&e);
    }
}

static void published_and_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        publish(&e, true);
        struct moq_object obj = object(5, 0, "early");
        assert_int_equal(moq_object_write(e.client.sending, &obj, 0), 0);
        ends_expect(&e, &e.server, "publish a/b video largest 4 properties 4\n");
        assert_int_equal(moq_publish_reject(e.server.sub, MOQ_REQ_UNINTERESTED, "no"), 0);
        ends_expect(&e, &e.client, "publish refused 20 no\n");
        publish(&e, false); /* off: nothing goes before it is wanted */
        assert_int_equal(moq_object_write(e.client.sending, &obj, 0), MOQ_ERR_STATE);
        ends_expect(&e, &e.server, "publish a/b video off largest 4 properties 4\n");
        assert_int_equal(moq_done(e.client.sending, MOQ_DONE_GOING_AWAY, "sorry"), 0);
        ends_expect(&e, &e.server, "done 4 sorry\n"); /* taken back before the answer */
        assert_int_equal(moq_session_requests(e.server.session), 0);
        ends_close(&e);
    }
}

/* Both ends want it at once: one subscription comes of it, and both know which. */
static void publish_and_subscribe_cross(void **state)
{
    (void)state;
    struct ends e;
    ends_open(&e, 3, NULL, NULL);
    publish(&e, true);
    struct moq_name name = ends_name("a/b", "video");
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    struct moq_subscription *own;
    assert_int_equal(moq_subscribe(e.server.session, &name, &o, &e, &own), 0);
    struct pipe_stream *mine =
        pipe_find(&e.pipe, PIPE_SERVER, pipe_newest(&e.pipe, PIPE_SERVER, false));
    mine->held = true;
    ends_expect(&e, &e.server, "publish a/b video largest 4 properties 4\n");
    assert_int_equal(moq_publish_accept(e.server.sub, &o), 0);
    mine->held = false;
    ends_expect(&e, &e.server, "rejected 19 the peer publishes it\n");
    ends_expect(&e, &e.client, "published priority 128\n");
    assert_int_equal(moq_subscribe(e.server.session, &name, &o, &e, &own), 0);
    ends_expect(&e, &e.server, "rejected 19 subscribed already\n");
    ends_close(&e);
}

static void request(struct ends *e, enum moq_request_kind kind, const char *ns, const char *track)
{
    struct moq_name name = ends_name(ns, track);
    assert_int_equal(moq_request(e->client.session, kind, &name, e, &e->client.request), 0);
}

static void namespaces_come_and_go(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        request(&e, MOQ_REQUEST_PUBLISH_NAMESPACE, "live/cam", "");
        struct moq_request *published = e.client.request;
        ends_expect(&e, &e.server, "publishes live/cam\n");
        assert_int_equal(moq_request_accept(e.server.request), 0);
        assert_int_equal(moq_request_accept(e.server.request), MOQ_ERR_STATE);
        ends_expect(&e, &e.client, "ok\n");

        request(&e, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, "live", "");
        ends_expect(&e, &e.server, "asks for namespaces of live\n");
        struct moq_request *asked = e.server.request;
        struct moq_name cam = ends_name("live/cam", ""), other = ends_name("dead", "");
        assert_int_equal(moq_namespace(asked, &cam, true), MOQ_ERR_STATE);
        assert_int_equal(moq_request_accept(asked), 0);
        assert_int_equal(moq_namespace(asked, &cam, true), 0);
        assert_int_equal(moq_namespace(asked, &cam, true), MOQ_ERR_STATE);
        assert_int_equal(moq_namespace(asked, &other, true), MOQ_ERR_ARG);
        ends_expect(&e, &e.client, "ok\nnamespace live/cam\n");
        assert_int_equal(moq_namespace(asked, &cam, false), 0);
        assert_int_equal(moq_namespace(asked, &cam, false), MOQ_ERR_STATE);
        ends_expect(&e, &e.client, "no namespace live/cam\n");

        moq_request_end(published);
        ends_expect(&e, &e.server, "request over 1 cancelled by the peer\n");
        moq_request_end(asked);
        ends_expect(&e, &e.client, "request over 1 cancelled by the peer\n");
        assert_int_equal(moq_session_requests(e.server.session), 0);
        ends_close(&e);
    }
}

static void prefixes_do_not_overlap(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool overlap;
    } rows[] = { { "a", "a/b", true },
                 { "a/b", "a", true },
                 { "", "x", true },
                 { "a", "b", false },
                 { "a/b", "a/c", false } };
    for (size_t i = 0; i < N(rows); i++) {
        struct ends e;
        ends_open(&e, i, NULL, NULL);
        request(&e, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, rows[i].first, "");
        pipe_run(&e.pipe);
        request(&e, MOQ_REQUEST_SUBSCRIBE_NAMESPACE, rows[i].second, "");
        ends_expect(&e, &e.client,
                    rows[i].overlap ? "request over 30 asked for already, in part or whole\n" : "");
        request(&e, MOQ_REQUEST_SUBSCRIBE_TRACKS, rows[i].second, ""); /* of its own kind only */
        ends_expect(&e, &e.client, "");
        ends_close(&e);
    }
}

static void tracks_are_published_to_who_asked(void **state)
{
    (void)state;
    struct ends e;
    ends_open(&e, 2, NULL, NULL);
    request(&e, MOQ_REQUEST_SUBSCRIBE_TRACKS, "a", "");
    ends_expect(&e, &e.server, "asks for tracks of a\n");
    assert_int_equal(moq_request_accept(e.server.request), 0);
    struct moq_name blocked = ends_name("a/b", "sound"), other = ends_name("b", "sound");
    assert_int_equal(moq_track_blocked(e.server.request, &blocked), 0);
    assert_int_equal(moq_track_blocked(e.server.request, &other), MOQ_ERR_ARG);
    ends_expect(&e, &e.client, "ok\nblocked a/b sound\n");
    ends_close(&e);
}

static void track_status(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        request(&e, MOQ_REQUEST_TRACK_STATUS, "a/b", "video");
        ends_expect(&e, &e.server, "asks for the status of a/b video\n");
        assert_int_equal(moq_request_accept(e.server.request), MOQ_ERR_STATE);
        assert_int_equal(
            moq_track_status(e.server.request, &(struct moq_location){ 12, 1 }, properties), 0);
        ends_expect(&e, &e.client, "status 12 properties 4\n");
        request(&e, MOQ_REQUEST_TRACK_STATUS, "a/b", "nothing");
        pipe_run(&e.pipe);
        assert_int_equal(moq_request_reject(e.server.request, MOQ_REQ_DOES_NOT_EXIST, "none"), 0);
        ends_expect(&e, &e.client, "request over 10 none\n");
        assert_int_equal(moq_session_requests(e.server.session), 0);
        ends_close(&e);
    }
}

static void subscriptions_ask_for_more(void **state)
{
    (void)state;
    struct ends e;
    ends_open(&e, 1, NULL, NULL);
    struct moq_name name = ends_name("a/b", "video");
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    o.rendezvous_ms = 500;
    o.has_new_group = true;
    assert_int_equal(moq_subscribe(e.client.session, &name, &o, &e, &e.client.sub), 0);
    ends_expect(&e, &e.server, "subscribe a/b video waits new group\n");
    assert_int_equal(moq_sending_options(e.server.sending)->rendezvous_ms, 500);
    assert_int_equal(moq_accept(e.server.sending, &(struct moq_location){ 3, 3 }, properties), 0);
    ends_expect(&e, &e.client, "subscribed 3 properties 4\n");
    o.priority = 1;
    assert_int_equal(moq_subscription_update(e.client.sub, &o), 0);
    ends_expect(&e, &e.server, "update new group\n");
    o.has_new_group = false;
    o.priority = 2;
    assert_int_equal(moq_subscription_update(e.client.sub, &o), 0);
    ends_expect(&e, &e.server, "update\n");
    ends_close(&e);
}

/* ---- tokens ---- */

static size_t said_by_client(const struct ends *e)
{
    size_t sum = 0;
    for (size_t i = 0; i < e->pipe.n_streams; i++)
        sum += e->pipe.streams[i].from == PIPE_CLIENT ? e->pipe.streams[i].len : 0;
    return sum;
}

/* The server is told the same, whether it takes aliases (then they cost less) or not. */
static void tokens_come_with_requests(void **state)
{
    (void)state;
    static const struct {
        uint32_t cache;
        bool by_alias;
    } rows[] = { { 0, false }, { 4096, true }, { 40, false }, { 16 + 40, true } };
    static const char value[] = "0123456789012345678901234567890123456789";
    static const char told[] = "publishes n\ntoken 5 0123456789012345678901234567890123456789\n";
    for (size_t i = 0; i < N(rows); i++) {
        struct moq_session_config client = { .token = { 5, { (const uint8_t *)value, 40 } } };
        struct moq_session_config server = { .server = true, .token_cache = rows[i].cache };
        struct ends e;
        ends_open(&e, i, &client, &server);
        ends_expect(&e, &e.server, strchr(told, '\n') + 1);
        for (int turn = 0; turn < 3; turn++) {
            size_t before = said_by_client(&e);
            request(&e, MOQ_REQUEST_PUBLISH_NAMESPACE, "n", "");
            ends_expect(&e, &e.server, told);
            size_t bytes = said_by_client(&e) - before;
            assert_true((bytes < 40) == (rows[i].by_alias && turn > 0));
            assert_int_equal(moq_request_reject(e.server.request, MOQ_REQ_UNAUTHORIZED, "no"), 0);
            ends_expect(&e, &e.client, "request over 1 no\n");
        }
        const struct moq_token *token;
        assert_int_equal(moq_tokens(e.server.session, &token), 0);
        struct moq_token none = { 0 }, long_one = { .value = { (const uint8_t *)value, 1 << 20 } };
        assert_int_equal(moq_session_set_token(e.client.session, &long_one), MOQ_ERR_ARG);
        assert_int_equal(moq_session_set_token(e.client.session, &none), 0);
        request(&e, MOQ_REQUEST_PUBLISH_NAMESPACE, "n", "");
        ends_expect(&e, &e.server, "publishes n\n");
        ends_close(&e);
    }
}

/* ---- GOAWAY ---- */

static void after_goaway_nothing_new(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ends e;
        ends_open(&e, seed, NULL, NULL);
        request(&e, MOQ_REQUEST_PUBLISH_NAMESPACE, "n", "");
        ends_expect(&e, &e.server, "publishes n\n");
        assert_int_equal(moq_goaway(e.client.session, "moqt://x/", 0), MOQ_ERR_ARG);
        assert_int_equal(moq_goaway(e.server.session, "moqt://x/", 2000), 0);
        assert_int_equal(moq_goaway(e.server.session, "moqt://x/", 2000), MOQ_ERR_STATE);
        request(&e, MOQ_REQUEST_PUBLISH_NAMESPACE, "crosses", ""); /* not heard of it yet */
        pipe_run(&e.pipe);
        ends_expect(&e, &e.client, "request over 6 this session is going away\n");
        struct moq_name name = ends_name("a", "");
        struct moq_request *r;
        assert_int_equal(
            moq_request(e.client.session, MOQ_REQUEST_PUBLISH_NAMESPACE, &name, NULL, &r),
            MOQ_ERR_STATE);
        moq_session_tick(e.server.session, 1000000);
        moq_session_tick(e.server.session, 2999999);
        assert_false(e.server.closed);
        moq_session_tick(e.server.session, 3000000); /* "n" is still there */
        assert_true(e.server.closed && e.server.closed_code == MOQ_GOAWAY_TIMEOUT);
        pipe_fini(&e.pipe);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_life),
        cmocka_unit_test(published_and_refused),
        cmocka_unit_test(publish_and_subscribe_cross),
        cmocka_unit_test(namespaces_come_and_go),
        cmocka_unit_test(prefixes_do_not_overlap),
        cmocka_unit_test(tracks_are_published_to_who_asked),
        cmocka_unit_test(track_status),
        cmocka_unit_test(subscriptions_ask_for_more),
        cmocka_unit_test(tokens_come_with_requests),
        cmocka_unit_test(after_goaway_nothing_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
