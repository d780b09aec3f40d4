/*
 * test_publisher.c - a broadcast of several videos, sounds and opaque tracks from publisher.h to
 * broadcast.h: two real MoQT sessions over a pipe in memory, in place of a connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broadcast.h"
#include "pipe.h"
#include "publisher.h"

#include <moq/moq_tvl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX 4096
#define FIRST_GROUP 1000

static struct world {
    struct pipe pipe;
    struct publisher *publisher;
    struct publisher_caller *caller;
    struct broadcast *broadcast;
    struct msf_catalog catalog; /* as it came last */
    uint64_t picture[PUBLISHER_VIDEOS_MAX];
    char log[LOG_MAX]; /* "name:payload " of each that came */
    unsigned keys[PUBLISHER_VIDEOS_MAX], missed[PUBLISHER_VIDEOS_MAX], catalogs;
    struct moq_location at[256]; /* by mark: the object that it was written as */
    bool unwanted[MSF_TRACKS_MAX], ended;
} w;

/* ---- the connection ---- */

static struct moq_quic inner(const void *ctx)
{
    const struct pipe_end *e = (const void *)((const struct moq_tvl *)ctx)->conn;
    return pipe_quic(e->pipe, e->side);
}

static int do_open(void *ctx, bool uni, uint64_t *id)
{
    const struct moq_quic q = inner(ctx);
    return q.open(q.ctx, uni, id);
}

static int do_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    const struct moq_quic q = inner(ctx);
    return q.write(q.ctx, id, bytes, len, fin);
}

static int do_send(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    const struct moq_quic q = inner(ctx);
    int rc = q.open(q.ctx, true, id);
    if (rc == 0)
        rc = q.write(q.ctx, *id, m->head, m->head_len, m->body_len == 0);
    if (rc == 0 && m->body_len > 0)
        rc = q.write(q.ctx, *id, m->body, m->body_len, true);
    return rc;
}

static int do_reset(void *ctx, uint64_t id, uint64_t code)
{
    const struct moq_quic q = inner(ctx);
    return q.reset(q.ctx, id, code);
}

static int do_stop(void *ctx, uint64_t id, uint64_t code)
{
    const struct moq_quic q = inner(ctx);
    return q.stop(q.ctx, id, code);
}

static void do_rank(void *ctx, uint64_t id, uint64_t rank)
{
    const struct moq_quic q = inner(ctx);
    q.set_rank(q.ctx, id, rank);
}

static void do_lifetime(void *ctx, uint64_t id, uint64_t us, uint64_t code)
{
    const struct moq_quic q = inner(ctx);
    q.set_lifetime(q.ctx, id, us, code);
}

static void do_close(void *ctx, uint64_t code, const char *reason)
{
    const struct moq_quic q = inner(ctx);
    q.close(q.ctx, code, reason);
}

void moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out)
{
    *t = (struct moq_tvl){ .conn = conn };
    *out = (struct moq_quic){ .ctx = t,
                              .open = do_open,
                              .write = do_write,
                              .send = do_send,
                              .reset = do_reset,
                              .stop = do_stop,
                              .set_rank = do_rank,
                              .set_lifetime = do_lifetime,
                              .close = do_close };
}

void moq_tvl_on_event(struct moq_tvl *t, struct moq_session *s, const struct tvl_event *ev,
                      tvl_time now)
{
    (void)s;
    (void)ev;
    t->now = now;
}

uint64_t tvl_backlog(const struct tvl_conn *conn, uint64_t rank)
{
    (void)conn;
    (void)rank;
    return 0;
}

void tvl_conn_get_stats(const struct tvl_conn *conn, struct tvl_conn_stats *out)
{
    (void)conn;
    *out = (struct tvl_conn_stats){ .rate_bps = 50000000, .sure_bps = 50000000 };
}

int tvl_flow_set(struct tvl_conn *conn, uint32_t flow, const struct tvl_flow_config *cfg)
{
    (void)conn;
    (void)cfg;
    return flow < TVL_FLOWS_MAX ? 0 : TVL_ERR_ARG;
}

int tvl_flow_get_stats(const struct tvl_conn *conn, uint32_t flow, struct tvl_flow_stats *out)
{
    (void)conn;
    (void)flow;
    *out = (struct tvl_flow_stats){ 0 };
    return 0;
}

size_t tvl_conn_original_id(const struct tvl_conn *conn, uint8_t out[TVL_ORIGINAL_ID_MAX])
{
    (void)conn;
    (void)out;
    return 0;
}

int __real_moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                           const struct moq_quic *quic, const struct moq_handler *h, void *user);
int __wrap_moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                           const struct moq_quic *quic, const struct moq_handler *h, void *user);
int __wrap_moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                           const struct moq_quic *quic, const struct moq_handler *h, void *user)
{
    const int rc = __real_moq_session_new(out, cfg, quic, h, user);
    w.pipe.session[cfg->server ? PIPE_SERVER : PIPE_CLIENT] = *out;
    return rc;
}

int __real_moq_object_write(struct moq_sending *s, const struct moq_object *obj, uint64_t life_us);
int __wrap_moq_object_write(struct moq_sending *s, const struct moq_object *obj, uint64_t life_us);
int __wrap_moq_object_write(struct moq_sending *s, const struct moq_object *obj, uint64_t life_us)
{
    if (obj->payload.len == 1)
        w.at[obj->payload.bytes[0]] = (struct moq_location){ obj->group, obj->object };
    return __real_moq_object_write(s, obj, life_us);
}

static struct tvl_conn *end_of(int side)
{
    return (struct tvl_conn *)(void *)&w.pipe.end[side];
}

/* ---- who publishes, who receives ---- */

static void on_key_wanted(void *user, size_t video)
{
    (void)user;
    w.keys[video]++;
}

static void on_missed(void *user, size_t video, unsigned spatial, const struct svc_tracker *held)
{
    (void)user;
    (void)held;
    assert_int_equal(spatial, 0);
    w.missed[video]++;
}

static void came(size_t track, const uint8_t *bytes, size_t len)
{
    const size_t at = strlen(w.log);
    assert_true(track < w.catalog.n_tracks && len > 0);
    snprintf(w.log + at, LOG_MAX - at, "%s%s:%u", at ? " " : "", w.catalog.tracks[track].name,
             bytes[0]);
}

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    (void)user;
    (void)p;
    w.catalog = *c;
    w.catalogs++;
}

static void on_unit(void *user, size_t track, const struct svc_unit *unit)
{
    (void)user;
    came(track, unit->bytes, unit->len);
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    (void)user;
    (void)pts;
    came(track, opus, len);
}

static void on_data(void *user, const struct broadcast_data *d)
{
    (void)user;
    came(d->track, d->bytes, d->len);
}

static bool is_wanted(void *user, size_t track)
{
    (void)user;
    return !w.unwanted[track];
}

static void on_given_up(void *user, struct svc_layer l)
{
    (void)user;
    (void)l;
}

static void on_sender(void *user, const struct sender_view *v)
{
    (void)user;
    (void)v;
}

static void on_live(void *user, const char *why)
{
    (void)user;
    (void)why;
}

static void on_end(void *user)
{
    (void)user;
    w.ended = true;
}

static void on_fault(void *user, enum broadcast_fault fault, const char *why, double later_s)
{
    (void)user;
    (void)fault;
    (void)later_s;
    fail_msg("%s", why);
}

static const struct broadcast_handler handler = { .on_catalog = on_catalog,
                                                  .on_unit = on_unit,
                                                  .on_sound = on_sound,
                                                  .on_data = on_data,
                                                  .is_wanted = is_wanted,
                                                  .on_given_up = on_given_up,
                                                  .on_sender = on_sender,
                                                  .on_live = on_live,
                                                  .on_end = on_end,
                                                  .on_fault = on_fault };

static void tick(tvl_time now)
{
    publisher_time(w.publisher, now);
    publisher_caller_tick(w.caller, now);
    broadcast_tick(w.broadcast, now);
    pipe_run(&w.pipe);
}

static void open_world(const struct publisher_tracks *what, bool all_kinds)
{
    static const struct uri uri = { .ns = "demo" };
    const struct publisher_config cfg = { .ns = "demo",
                                          .first_group = FIRST_GROUP,
                                          .latency_ms = 300,
                                          .on_key_wanted = on_key_wanted,
                                          .on_missed = on_missed };
    const struct publisher_end end = { .server = true, .implementation = "test" };
    const struct broadcast_config to = {
        .uri = &uri,
        .implementation = "test",
        .wish = { .max_spatial = -1, .max_temporal = -1, .audio = true, .all_kinds = all_kinds },
        .top = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 },
        .follow = true,
        .handler = &handler
    };
    memset(&w, 0, sizeof w);
    pipe_init(&w.pipe, 1, 4096);
    assert_int_equal(publisher_new(&w.publisher, &cfg), 0);
    assert_int_equal(publisher_add(w.publisher, end_of(PIPE_SERVER), &end, &w.caller), 0);
    assert_int_equal(broadcast_new(&w.broadcast, &to, end_of(PIPE_CLIENT)), 0);
    tick(1000000);
    assert_int_equal(publisher_describe(w.publisher, what, 1), 0);
    tick(1010000);
    assert_int_equal(w.catalogs, 1);
}

static void close_world(void)
{
    w.pipe.session[PIPE_SERVER] = w.pipe.session[PIPE_CLIENT] = NULL;
    publisher_free(w.publisher);
    broadcast_free(w.broadcast);
    pipe_fini(&w.pipe);
}

/* ---- what there is ---- */

static struct publisher_video video(uint8_t n_spatial, uint8_t n_temporal)
{
    struct publisher_video v = { .info = { .n_spatial = n_spatial, .n_temporal = n_temporal } };
    strcpy(v.info.codec, "av01.0.04M.08");
    v.info.n_layers = (size_t)n_spatial * n_temporal;
    for (size_t i = 0; i < v.info.n_layers; i++)
        v.info.layers[i].bitrate_bps = 100000;
    return v;
}

static void several(struct publisher_tracks *what)
{
    memset(what, 0, sizeof *what);
    what->video[0] = video(2, 1);
    what->video[1] = video(1, 1);
    what->sound[0] = (struct publisher_sound){ .channels = 2, .rate = 48000, .bitrate_bps = 64000 };
    what->sound[1] = (struct publisher_sound){
        .channels = 1, .rate = 48000, .bitrate_bps = 24000, .note = { "Kommentar", "de" }
    };
    what->opaque[0] = (struct publisher_opaque){ .name = "d0",
                                                 .codec = "application/x-note",
                                                 .caps = "application/x-note, version=(int)3" };
    what->n_opaque = 1;
}

/* One layer unit, whose payload is `mark`; of a key picture or not. */
static void unit(size_t which, uint8_t spatial, bool key, uint8_t mark)
{
    if (spatial == 0)
        w.picture[which]++;
    const uint64_t picture = w.picture[which];
    struct svc_packet packet = { .kind = SVC_VIDEO, .pts = (int64_t)picture * 33333 };
    packet.unit = (struct svc_unit){ .bytes = &mark,
                                     .len = 1,
                                     .picture = picture,
                                     .pts = packet.pts,
                                     .layer.spatial = spatial,
                                     .key = key && spatial == 0 };
    struct svc_deps *d = &packet.unit.deps;
    if (!key)
        d->reads[d->n_reads++] =
            (struct svc_read){ .slot = spatial, .spatial = spatial, .picture = picture - 1 };
    if (spatial > 0)
        d->reads[d->n_reads++] = (struct svc_read){ .slot = 0, .spatial = 0, .picture = picture };
    d->refreshes = (uint8_t)(packet.unit.key ? 0xff : 1u << spatial);
    publisher_packet(w.publisher, which, &packet);
}

static void sound(size_t which, uint8_t mark)
{
    const struct svc_packet packet = { .kind = SVC_AUDIO, .audio = &mark, .audio_len = 1 };
    publisher_packet(w.publisher, which, &packet);
}

static void note(size_t which, uint8_t mark)
{
    publisher_opaque_packet(w.publisher, which, &mark, 1, 0);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What came since the last time, in any order: streams overtake each other. `want` is sorted. */
static void expect(const char *want)
{
    char *word[64], sorted[LOG_MAX] = "";
    size_t n = 0;
    pipe_run(&w.pipe);
    for (char *at = strtok(w.log, " "); at; at = strtok(NULL, " "))
        word[n++] = at;
    qsort(word, n, sizeof word[0], by_text);
    for (size_t i = 0; i < n; i++) {
        strcat(sorted, i ? " " : "");
        strcat(sorted, word[i]);
    }
    assert_string_equal(sorted, want);
    w.log[0] = '\0';
}

static void expect_at(uint8_t mark, uint64_t group, uint64_t object)
{
    assert_int_equal(w.at[mark].group, group);
    assert_int_equal(w.at[mark].object, object);
}

static void expect_names(const char *want)
{
    char names[LOG_MAX] = "";
    for (size_t i = 0; i < w.catalog.n_tracks; i++) {
        strcat(names, i ? " " : "");
        strcat(names, w.catalog.tracks[i].name);
    }
    assert_string_equal(names, want);
}

/* ---- tests ---- */

/* Each packet goes on its own kind's own track, and videos count by themselves. */
static void everything_has_its_track(void **state)
{
    struct publisher_tracks what;
    (void)state;
    several(&what);
    open_world(&what, true);
    expect_names("a0 a1 v-s0t0 v-s1t0 v1-s0t0 d0");
    assert_string_equal(w.catalog.tracks[1].lang, "de");
    assert_string_equal(w.catalog.tracks[1].label, "Kommentar");
    assert_int_equal(w.catalog.tracks[1].bitrate, 24000);
    assert_string_equal(w.catalog.tracks[5].caps, "application/x-note, version=(int)3");
    assert_string_equal(w.catalog.tracks[3].depends[0], "v-s0t0");
    assert_true(w.keys[0] > 0 && w.keys[1] > 0);
    unit(0, 0, true, 10);
    unit(0, 1, true, 11);
    unit(1, 0, true, 20);
    unit(1, 0, false, 21);
    sound(0, 30);
    sound(1, 31);
    note(0, 40);
    expect("a0:30 a1:31 d0:40 v-s0t0:10 v-s1t0:11 v1-s0t0:20 v1-s0t0:21");
    expect_at(10, FIRST_GROUP, 0);
    expect_at(20, FIRST_GROUP, 0);
    expect_at(21, FIRST_GROUP, 1);
    expect_at(30, FIRST_GROUP, 0);
    expect_at(31, FIRST_GROUP, 0);
    expect_at(40, FIRST_GROUP, 0);
    unit(2, 0, true, 1); /* of none that there is */
    sound(2, 1);
    note(1, 1);
    expect("");
    assert_int_equal(publisher_stats(w.publisher).left_out, 3);
    close_world();
}

/* What is not wanted is not sent; a key picture is asked of one video alone. */
static void some_is_not_wanted(void **state)
{
    struct publisher_tracks what;
    (void)state;
    several(&what);
    open_world(&what, true);
    unit(0, 0, true, 1);
    unit(1, 0, true, 2);
    expect("v-s0t0:1 v1-s0t0:2");
    w.unwanted[0] = w.unwanted[2] = w.unwanted[3] = true; /* a0, the first video */
    broadcast_ask(w.broadcast, (struct svc_layer){ 3, 3 });
    pipe_run(&w.pipe);
    const uint64_t written = publisher_stats(w.publisher).written;
    unit(0, 0, false, 3);
    unit(1, 0, false, 4);
    sound(0, 5);
    sound(1, 6);
    expect("a1:6 v1-s0t0:4");
    assert_int_equal(publisher_stats(w.publisher).written, written + 2);
    const unsigned keys[] = { w.keys[0], w.keys[1] };
    broadcast_ask_key(w.broadcast, (size_t)msf_track_find(&w.catalog, "v1-s0t0"));
    pipe_run(&w.pipe);
    assert_int_equal(w.keys[0], keys[0]);
    assert_int_equal(w.keys[1], keys[1] + 1);
    close_world();
}

/* One goes, and comes back: the others are as they were, and its groups begin above the old. */
static void videos_come_and_go(void **state)
{
    struct publisher_tracks what;
    (void)state;
    several(&what);
    open_world(&what, true);
    unit(0, 0, true, 1);
    unit(1, 0, true, 2);
    sound(1, 3);
    expect("a1:3 v-s0t0:1 v1-s0t0:2");
    what.video[0].info.n_spatial = 0;
    what.sound[0].channels = 0;
    assert_int_equal(publisher_describe(w.publisher, &what, 2), 0);
    pipe_run(&w.pipe);
    expect_names("a1 v1-s0t0 d0");
    unit(0, 0, true, 4);
    unit(1, 0, false, 5);
    sound(1, 6);
    note(0, 7);
    expect("a1:6 d0:7 v1-s0t0:5");
    several(&what);
    assert_int_equal(publisher_describe(w.publisher, &what, 3), 0);
    pipe_run(&w.pipe);
    expect_names("a0 a1 v-s0t0 v-s1t0 v1-s0t0 d0");
    unit(0, 0, true, 8);
    unit(1, 0, false, 9);
    expect("v-s0t0:8 v1-s0t0:9");
    assert_int_equal(w.catalogs, 3);
    publisher_end(w.publisher);
    pipe_run(&w.pipe);
    assert_true(w.ended);
    close_world();
}

/* Whoever wants one of each takes the first. */
static void one_of_each_is_the_first(void **state)
{
    struct publisher_tracks what;
    (void)state;
    several(&what);
    open_world(&what, false);
    unit(0, 0, true, 1);
    unit(0, 1, true, 2);
    unit(1, 0, true, 3);
    sound(0, 4);
    sound(1, 5);
    note(0, 6);
    expect("a0:4 v-s0t0:1 v-s1t0:2");
    close_world();
}

/* What of a video expired is asked for of that video. */
static void what_is_missed_is_of_one_video(void **state)
{
    struct publisher_tracks what;
    struct tvl_event ev = { .type = TVL_EVENT_STREAM_EXPIRED };
    (void)state;
    several(&what);
    open_world(&what, true);
    unit(0, 0, true, 1);
    const uint64_t first = pipe_newest(&w.pipe, PIPE_SERVER, true);
    unit(1, 0, true, 2);
    ev.stream.id = pipe_newest(&w.pipe, PIPE_SERVER, true);
    publisher_caller_event(w.caller, &ev, 1020000);
    assert_int_equal(w.missed[1], 0); /* nothing arrives there yet */
    ev = (struct tvl_event){ .type = TVL_EVENT_STREAM_ACKED, .stream.id = first };
    publisher_caller_event(w.caller, &ev, 1030000);
    assert_int_equal(w.missed[0], 0);
    assert_int_equal(w.missed[1], 1);
    pipe_run(&w.pipe);
    close_world();
}

/* One video and one sound: the catalog is what it was before there could be several. */
static void one_video_is_as_ever(void **state)
{
    static struct msf_catalog c;
    static char json[MSF_CATALOG_MAX], again[MSF_CATALOG_MAX];
    struct publisher_tracks what;
    struct tracks t;
    (void)state;
    several(&what);
    what.video[1].info.n_spatial = 0;
    what.sound[1].channels = 0;
    what.n_opaque = 0;
    open_world(&what, true);
    struct svc_stream_info info = what.video[0].info;
    info.has_audio = true;
    info.audio_rate = 48000;
    info.audio_channels = 2;
    info.audio_bitrate_bps = 64000;
    tracks_init(&t, &info, false);
    tracks_catalog(&t, &info, 300, 1, &c);
    c.n_tracks--; /* the session's */
    assert_true(msf_catalog_write(&c, json, sizeof json) > 0);
    assert_true(msf_catalog_write(&w.catalog, again, sizeof again) > 0);
    assert_string_equal(json, again);
    close_world();
}

static void there_is_a_bound(void **state)
{
    struct publisher_tracks what;
    (void)state;
    several(&what);
    open_world(&what, true);
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        what.video[i] = video(4, 4);
    assert_int_equal(publisher_describe(w.publisher, &what, 2), MOQ_ERR_ARG);
    pipe_run(&w.pipe);
    assert_int_equal(w.catalogs, 1);
    unit(1, 0, true, 1);
    expect("v1-s0t0:1"); /* as it was */
    for (size_t i = 0; i < PUBLISHER_VIDEOS_MAX; i++)
        what.video[i] = video(3, 3);
    for (size_t i = 0; i < PUBLISHER_SOUNDS_MAX; i++)
        what.sound[i] = what.sound[0];
    for (size_t i = 0; i < PUBLISHER_OPAQUE_MAX; i++) {
        snprintf(what.opaque[i].name, sizeof what.opaque[i].name, "d%zu", i);
        memset(what.opaque[i].caps, 'x', MSF_CAPS_MAX - 1);
    }
    what.n_opaque = PUBLISHER_OPAQUE_MAX;
    assert_int_equal(publisher_describe(w.publisher, &what, 3), 0);
    tick(1100000);
    assert_int_equal(w.catalog.n_tracks, 4 * 9 + 8 + 8);
    unit(3, 0, true, 2);
    sound(7, 3);
    note(7, 4);
    expect("a7:3 d7:4 v3-s0t0:2");
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_has_its_track),
        cmocka_unit_test(some_is_not_wanted),
        cmocka_unit_test(videos_come_and_go),
        cmocka_unit_test(one_of_each_is_the_first),
        cmocka_unit_test(what_is_missed_is_of_one_video),
        cmocka_unit_test(one_video_is_as_ever),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
