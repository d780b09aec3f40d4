/* test_session_track.c - what a session is told about itself: the JSON, and the reason that each
 * layer is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session_track.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stage {
    struct snapshot_session is, was;
    struct session_reason reason[SNAPSHOT_PATHS_MAX];
    struct tracks tracks;
    uint64_t needed_bps[TRACKS_MAX];
    struct policy policy;
    struct live_stats live, live_was;
    struct session_view view;
    json_t *said;
};

#define LAYER_FIRST 1 /* track number of S0T0; 2 temporal layers each */

static size_t track_of(unsigned s, unsigned t)
{
    return LAYER_FIRST + 2 * s + t;
}

static void set_path(struct tvl_path_stats *p, uint32_t id, const char *cc)
{
    struct sockaddr_in *to = (struct sockaddr_in *)&p->remote;
    *p = (struct tvl_path_stats){ .id = id,
                                  .state = TVL_PATH_UP,
                                  .cc = cc,
                                  .srtt = 40000,
                                  .rtt_min = 20000,
                                  .cwnd = 50000,
                                  .in_flight = 1200 };
    to->sin_family = AF_INET;
    to->sin_port = htons(4433);
    to->sin_addr.s_addr = htonl(0xc0000207);
}

/* Three spatial layers of two temporal ones, all of which go well; two paths; a second. */
static void begin(struct stage *s)
{
    memset(s, 0, sizeof *s);
    s->is.top = 2;
    s->is.rate_bps = 3000000;
    s->is.n_paths = s->was.n_paths = 2;
    for (uint32_t i = 0; i < 2; i++) {
        set_path(&s->was.path[i], i ? 7 : 0, i ? "bbr" : "copa");
        s->is.path[i] = s->was.path[i];
        s->is.path[i].bytes_sent = 125000;
        s->is.path[i].packets_sent = 100;
        s->is.path[i].packets_lost = 2;
        s->reason[i] = (struct session_reason){ .ago = SESSION_TRACK_NEVER };
    }
    s->reason[1].from = "copa";
    s->reason[1].ago = 12300000;
    snprintf(s->reason[1].text, sizeof s->reason[1].text, "random losses");
    s->tracks.n = s->is.n_tracks = s->was.n_tracks = 7;
    s->tracks.track[0].kind = TRACK_CATALOG;
    for (uint8_t i = 0; i < 7; i++)
        s->is.track[i].track = s->was.track[i].track = i;
    for (uint8_t l = 0; l < 3; l++)
        for (uint8_t t = 0; t < 2; t++) {
            const size_t i = track_of(l, t);
            s->tracks.track[i] = (struct track){ .kind = TRACK_LAYER, .layer = { l, t } };
            s->needed_bps[i] = (l + 1u) * 800000u;
            s->is.track[i].takes = true;
            s->is.track[i].offered = s->is.track[i].sent = 15;
            s->is.track[i].bytes = 25000;
        }
    for (size_t l = 0; l < 3; l++)
        s->policy.spatial[l].admitted = true;
    s->view = (struct session_view){ .connection = { 0, 0xab, 0xcd, 0xef, 1, 2, 3, 4 },
                                     .connection_len = 8,
                                     .ns = "live/a",
                                     .is = &s->is,
                                     .was = &s->was,
                                     .now = 50000000,
                                     .span = 1000000,
                                     .sure_bps = 1900000,
                                     .queue_us = 12500,
                                     .reason = s->reason,
                                     .tracks = &s->tracks,
                                     .needed_bps = s->needed_bps,
                                     .policy = &s->policy };
}

static void look(struct stage *s)
{
    size_t len;
    char *text = session_track_json(&s->view, &len);
    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    json_decref(s->said);
    s->said = json_loads(text, 0, NULL);
    assert_true(json_is_object(s->said));
    free(text);
}

static json_t *item(const struct stage *s, const char *list, size_t i)
{
    return json_array_get(json_object_get(s->said, list), i);
}

static double value(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

static const char *word(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static const char *why(struct stage *s, unsigned l, unsigned t)
{
    look(s);
    return word(item(s, "layers", track_of(l, t) - LAYER_FIRST), "why");
}

static void end(struct stage *s)
{
    json_decref(s->said);
}

static void test_whole(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    look(&s);
    assert_string_equal(word(s.said, "connection"), "00abcdef01020304");
    assert_string_equal(word(s.said, "namespace"), "live/a");
    assert_true(value(s.said, "version") == 1 && value(s.said, "sure_bps") == 1900000);
    assert_true(value(s.said, "span_ms") == 1000 && value(s.said, "top") == 2);
    const json_t *p = item(&s, "paths", 0);
    assert_true(value(p, "sending_bps") == 1000000);
    assert_true(value(p, "rate_bps") == 10000000); /* 50,000 bytes in 40 ms */
    assert_true(value(p, "rtt_ms") == 40 && value(p, "rtt_min_ms") == 20);
    assert_true(value(p, "loss") > 0.0199 && value(p, "loss") < 0.0201);
    assert_string_equal(word(p, "client"), "192.0.2.7:4433");
    assert_string_equal(word(p, "cc"), "copa");
    assert_string_equal(word(p, "cc_reason"), "configured");
    assert_true(json_is_null(json_object_get(p, "cc_from")));
    p = item(&s, "paths", 1);
    assert_true(value(p, "id") == 7);
    assert_string_equal(word(p, "cc_from"), "copa");
    assert_string_equal(word(p, "cc_reason"), "random losses");
    assert_true(value(p, "cc_ago_s") > 12.2 && value(p, "cc_ago_s") < 12.4);
    assert_int_equal(json_array_size(json_object_get(s.said, "layers")), 6);
    assert_true(value(item(&s, "layers", 0), "sending_bps") == 200000);
    assert_true(json_is_null(json_object_get(s.said, "encoder")));
    end(&s);
}

static void test_first(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    s.view.was = NULL;
    s.view.span = 0;
    look(&s);
    assert_true(json_is_null(json_object_get(item(&s, "paths", 0), "sending_bps")));
    assert_true(json_is_null(json_object_get(item(&s, "paths", 0), "loss")));
    assert_true(json_is_null(json_object_get(item(&s, "layers", 0), "sending_bps")));
    s.view.tracks = NULL; /* a relay does not know */
    look(&s);
    assert_int_equal(json_array_size(json_object_get(s.said, "layers")), 0);
    end(&s);
}

static void drop_all(struct stage *s, unsigned l, unsigned t, bool by_rate)
{
    struct snapshot_track *k = &s->is.track[track_of(l, t)];
    k->sent = k->bytes = 0;
    k->dropped_rate = by_rate ? 1 : 0;
    k->dropped_broken = k->offered - k->dropped_rate;
}

static void test_why(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    assert_string_equal(why(&s, 2, 0), "sent");
    /* Not admitted: it needs 2.4 Mbit/s of 1.9. What comes after the sync is broken, for that. */
    s.policy.spatial[2].admitted = false;
    drop_all(&s, 2, 0, true);
    drop_all(&s, 2, 1, false);
    assert_string_equal(why(&s, 2, 0), "rate");
    assert_string_equal(why(&s, 2, 1), "rate");
    assert_true(value(item(&s, "layers", 4), "needed_bps") == 2400000);
    assert_true(value(item(&s, "layers", 4), "dropped_rate") == 1);
    assert_null(json_object_get(item(&s, "layers", 4), "sent"));
    assert_null(json_object_get(item(&s, "layers", 4), "retry_ms"));
    /* There is room, but it went badly and waits. */
    s.view.sure_bps = 5000000;
    s.policy.spatial[2].retry_at = s.view.now + 2100000;
    assert_string_equal(why(&s, 2, 0), "retry");
    assert_true(value(item(&s, "layers", 4), "retry_ms") == 2100);
    /* What it leans on fails. */
    s.policy.spatial[1].failed = true;
    assert_string_equal(why(&s, 2, 0), "below");
    s.policy.spatial[1].failed = false;
    s.policy.spatial[2].admitted = true;
    assert_string_equal(why(&s, 2, 0), "broken");
    /* Nothing to do with that: */
    s.is.track[track_of(1, 1)].sent = 12;
    s.is.track[track_of(1, 1)].dropped_queue = 3;
    assert_string_equal(why(&s, 1, 1), "queue");
    s.is.track[track_of(1, 1)].expired = 9;
    assert_string_equal(why(&s, 1, 1), "expired");
    s.is.track[track_of(1, 1)].dropped_full = 14;
    assert_string_equal(why(&s, 1, 1), "full");
    s.is.track[track_of(1, 1)].takes = false;
    assert_string_equal(why(&s, 1, 1), "off");
    s.is.track[track_of(1, 0)].offered = 0;
    assert_string_equal(why(&s, 1, 0), "idle");
    end(&s);
}

/* One in a hundred is no news, and what was before the last look does not count. */
static void test_since(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    struct snapshot_track *is = &s.is.track[track_of(1, 1)], *was = &s.was.track[track_of(1, 1)];
    was->dropped_queue = is->dropped_queue = 500;
    was->offered = 500;
    is->offered = 600;
    assert_string_equal(why(&s, 1, 1), "sent");
    is->dropped_queue++;
    assert_string_equal(why(&s, 1, 1), "sent");
    is->dropped_queue += 9;
    assert_string_equal(why(&s, 1, 1), "queue");
    was->offered = 9999; /* of another run: no nonsense */
    look(&s);
    end(&s);
}

static void test_encoder(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    s.live = (struct live_stats){ .pictures = 130,
                                  .bytes = { 50000, 125000 },
                                  .speed = 8,
                                  .n_spatial = 2,
                                  .n_temporal = 2,
                                  .load = 0.6242 };
    s.live_was = (struct live_stats){ .pictures = 100, .bytes = { 25000, 25000 } };
    s.view.live = &s.live;
    look(&s);
    const json_t *e = json_object_get(s.said, "encoder");
    assert_true(value(e, "speed") == 8 && json_is_null(json_object_get(e, "fps")));
    s.view.live_was = &s.live_was;
    look(&s);
    e = json_object_get(s.said, "encoder");
    assert_true(value(e, "fps") == 30 && value(e, "load") == 0.62);
    assert_true(json_number_value(json_array_get(json_object_get(e, "layer_bps"), 1)) == 800000);
    end(&s);
}

/* All paths, all layers, the longest of everything: within the bound that the player has. */
static void test_longest(void **state)
{
    struct stage s;
    size_t len;
    (void)state;
    begin(&s);
    s.is.n_paths = SNAPSHOT_PATHS_MAX;
    for (size_t i = 0; i < SNAPSHOT_PATHS_MAX; i++) {
        s.is.path[i] = s.is.path[0];
        memset(s.reason[i].text, '"', sizeof s.reason[i].text - 1);
        s.reason[i].from = "westwood";
        s.reason[i].ago = UINT64_C(1) << 50;
    }
    s.tracks.n = s.is.n_tracks = SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX;
    for (uint8_t i = 0; i < s.tracks.n; i++) {
        s.tracks.track[i] =
            (struct track){ .kind = TRACK_LAYER,
                            .layer = { i / SVC_TEMPORAL_MAX, i % SVC_TEMPORAL_MAX } };
        s.is.track[i] =
            (struct snapshot_track){ i,       true,    true,    1 << 30, 1 << 30, 1 << 30, 1 << 30,
                                     1 << 30, 1 << 30, 1 << 30, 1 << 30, 0,       0,       0 };
    }
    char *text = session_track_json(&s.view, &len);
    assert_non_null(text);
    printf("at most %zu bytes\n", len);
    assert_true(len <= SESSION_TRACK_BYTES_MAX);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_first),
        cmocka_unit_test(test_why),     cmocka_unit_test(test_since),
        cmocka_unit_test(test_encoder), cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
