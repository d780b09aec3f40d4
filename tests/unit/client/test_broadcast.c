/*
 * test_broadcast.c - what a session of the player makes of what comes, in the order in which it
 * comes; the MoQT session below it is this file's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "broadcast.h"
#include "early.h"

#include <moq/loc.h>
#include <moq/moq_tvl.h>

#include <string.h>

#define RTT_US 50000
#define UNITS_MAX 32
#define SUBSCRIPTIONS_MAX 8
#define LAYERS 2

struct row {
    uint64_t picture;
    uint8_t spatial;
};

static struct {
    const struct moq_handler *handler;
    struct broadcast *broadcast;
    void *user[SUBSCRIPTIONS_MAX]; /* of each subscription: the catalog's, then the layers' */
    size_t n_subscriptions;
    char fetch[UNITS_MAX]; /* their addresses are the fetches */
    size_t n_fetches;
    size_t n_catalogs, n_unsubscribed;
    size_t n_layers;            /* of the catalog */
    struct row unit[UNITS_MAX]; /* handed on */
    size_t n_units;
} st;

/* ---- the MoQT session ---- */

void __wrap_moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out);
void __wrap_moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out)
{
    *t = (struct moq_tvl){ .conn = conn };
    memset(out, 0, sizeof *out);
}

void __wrap_moq_tvl_on_event(struct moq_tvl *t, struct moq_session *s, const struct tvl_event *ev,
                             tvl_time now);
void __wrap_moq_tvl_on_event(struct moq_tvl *t, struct moq_session *s, const struct tvl_event *ev,
                             tvl_time now)
{
    (void)s;
    (void)ev;
    t->now = now;
}

int __wrap_moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                           const struct moq_quic *quic, const struct moq_handler *h, void *user);
int __wrap_moq_session_new(struct moq_session **out, const struct moq_session_config *cfg,
                           const struct moq_quic *quic, const struct moq_handler *h, void *user)
{
    (void)cfg;
    (void)quic;
    st.handler = h;
    *out = user;
    return 0;
}

int __wrap_moq_session_start(struct moq_session *s);
int __wrap_moq_session_start(struct moq_session *s)
{
    (void)s;
    return 0;
}

void __wrap_moq_session_free(struct moq_session *s);
void __wrap_moq_session_free(struct moq_session *s)
{
    (void)s;
}

void __wrap_moq_session_tick(struct moq_session *s, uint64_t now_us);
void __wrap_moq_session_tick(struct moq_session *s, uint64_t now_us)
{
    (void)s;
    (void)now_us;
}

int __wrap_moq_subscribe(struct moq_session *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o, void *user,
                         struct moq_subscription **out);
int __wrap_moq_subscribe(struct moq_session *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o, void *user,
                         struct moq_subscription **out)
{
    (void)s;
    (void)name;
    (void)o;
    assert_true(st.n_subscriptions < SUBSCRIPTIONS_MAX);
    st.user[st.n_subscriptions] = user;
    *out = (struct moq_subscription *)(void *)&st.user[st.n_subscriptions++];
    return 0;
}

void __wrap_moq_unsubscribe(struct moq_subscription *s);
void __wrap_moq_unsubscribe(struct moq_subscription *s)
{
    (void)s;
    st.n_unsubscribed++;
}

int __wrap_moq_subscription_update(struct moq_subscription *s,
                                   const struct moq_subscribe_options *o);
int __wrap_moq_subscription_update(struct moq_subscription *s,
                                   const struct moq_subscribe_options *o)
{
    (void)s;
    (void)o;
    return 0;
}

void *__wrap_moq_subscription_user(const struct moq_subscription *s);
void *__wrap_moq_subscription_user(const struct moq_subscription *s)
{
    return *(void *const *)(const void *)s;
}

int __wrap_moq_fetch(struct moq_session *s, const struct moq_name *name,
                     const struct moq_fetch_options *o, void *user, struct moq_fetch **out);
int __wrap_moq_fetch(struct moq_session *s, const struct moq_name *name,
                     const struct moq_fetch_options *o, void *user, struct moq_fetch **out)
{
    (void)s;
    (void)name;
    (void)o;
    (void)user;
    assert_true(st.n_fetches < UNITS_MAX);
    *out = (struct moq_fetch *)(void *)&st.fetch[st.n_fetches++];
    return 0;
}

void __wrap_moq_fetch_abort(struct moq_fetch *f, uint64_t code);
void __wrap_moq_fetch_abort(struct moq_fetch *f, uint64_t code)
{
    (void)f;
    (void)code;
}

/* ---- the player above ---- */

static void on_catalog(void *user, const struct msf_catalog *c, const struct subscription_plan *p)
{
    (void)user;
    (void)c;
    assert_int_equal(p->n, st.n_layers);
    st.n_catalogs++;
}

static void on_unit(void *user, size_t track, const struct svc_unit *unit)
{
    (void)user;
    assert_int_equal(track, unit->layer.spatial);
    assert_true(st.n_units < UNITS_MAX);
    assert_true(unit->len == 1 && unit->bytes[0] == (uint8_t)unit->picture);
    st.unit[st.n_units++] = (struct row){ unit->picture, unit->layer.spatial };
}

static void on_sound(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts)
{
    (void)user;
    (void)track;
    (void)opus;
    (void)len;
    (void)pts;
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
}

static void on_fault(void *user, enum broadcast_fault fault, const char *why, double later_s)
{
    (void)user;
    (void)fault;
    (void)later_s;
    fail_msg("%s", why);
}

static const struct broadcast_handler handler = {
    .on_catalog = on_catalog,
    .on_unit = on_unit,
    .on_sound = on_sound,
    .on_given_up = on_given_up,
    .on_sender = on_sender,
    .on_live = on_live,
    .on_end = on_end,
    .on_fault = on_fault,
};

static void make_catalog(struct msf_catalog *c)
{
    *c = (struct msf_catalog){ .n_tracks = st.n_layers + 1 };
    for (uint8_t s = 0; s < st.n_layers; s++) {
        struct msf_track *t = &c->tracks[s];
        *t = (struct msf_track){ .packaging = "loc",
                                 .role = "video",
                                 .codec = "av01.0.00M.08",
                                 .is_live = true,
                                 .has_spatial_id = true,
                                 .has_temporal_id = true,
                                 .spatial_id = s };
        t->name[0] = (char)('0' + s);
        if (s > 0) {
            t->depends[0][0] = '0';
            t->n_depends = 1;
        }
    }
    struct msf_track *line = &c->tracks[st.n_layers];
    *line = (struct msf_track){ .name = "line", .packaging = "mediatimeline", .is_live = true };
    line->depends[0][0] = '0';
    line->n_depends = 1;
}

/* An edition of the catalog comes. */
static void come_catalog(uint64_t group, size_t n_layers)
{
    static char json[8192];
    static struct msf_catalog catalog;
    st.n_layers = n_layers;
    make_catalog(&catalog);
    const int len = msf_catalog_write(&catalog, json, sizeof json);
    assert_true(len > 0);
    const struct moq_object obj = { .group = group,
                                    .payload = { (const uint8_t *)json, (size_t)len } };
    st.handler->on_object(st.broadcast, (struct moq_subscription *)(void *)&st.user[0], &obj);
}

/* A broadcast of which the catalog came; the newest key picture that is kept is asked for, as no
 * live one has come for so long. */
static void join_with(bool follow)
{
    static const struct uri uri = { .ns = "demo" };
    const struct broadcast_config cfg = { .uri = &uri,
                                          .wish = { .max_spatial = -1, .max_temporal = -1 },
                                          .top = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 },
                                          .follow = follow,
                                          .handler = &handler };
    const struct tvl_event event = { 0 };
    memset(&st, 0, sizeof st);
    assert_int_equal(broadcast_new(&st.broadcast, &cfg, NULL), 0);
    broadcast_event(st.broadcast, &event, 1);
    broadcast_event(st.broadcast, &event, RTT_US);
    come_catalog(0, LAYERS);
    assert_int_equal(st.n_subscriptions, 1 + LAYERS);
    assert_int_equal(st.n_fetches, 1); /* how far back it goes */
    broadcast_tick(st.broadcast, 10 * RTT_US);
}

static void join(void)
{
    join_with(false);
}

static void leave(void)
{
    broadcast_free(st.broadcast);
}

/* A unit comes live; object 0 of the base is the key picture of its group. */
static void come(uint64_t group, uint64_t object, uint8_t spatial)
{
    const uint64_t picture = group * 10 + object;
    const uint8_t payload = (uint8_t)picture;
    const bool key = object == 0 && spatial == 0;
    const struct svc_deps deps = { .refreshes = 1,
                                   .n_reads = !key,
                                   .reads = { { .picture = object ? picture - 1 : picture } } };
    struct loc_properties p = {
        .has_timestamp = true, .timestamp = picture * 40000, .has_picture = true, .picture = picture
    };
    uint8_t properties[256];
    const int deps_len = svc_deps_encode(&deps, picture, p.dependencies, sizeof p.dependencies);
    assert_true(deps_len > 0);
    p.dependencies_len = (size_t)deps_len;
    const int len = loc_properties_encode(&p, properties, sizeof properties);
    assert_true(len > 0);
    const struct moq_object obj = { .group = group,
                                    .object = object,
                                    .properties = { properties, (size_t)len },
                                    .payload = { &payload, 1 } };
    st.handler->on_object(st.broadcast, (struct moq_subscription *)(void *)&st.user[1 + spatial],
                          &obj);
    memset(properties, 0xee, sizeof properties); /* they were borrowed */
}

static void assert_came(const struct row *want, size_t n)
{
    assert_int_equal(st.n_units, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(st.unit[i].picture, want[i].picture);
        assert_int_equal(st.unit[i].spatial, want[i].spatial);
    }
}

/* ---- tests ---- */

/* The key picture was held up, by a loss or a slow path; what overtook it leans on it. */
static void test_key_picture_is_overtaken(void **state)
{
    static const struct row want[] = { { 20, 0 }, { 20, 1 }, { 21, 0 }, { 22, 0 }, { 22, 1 } };
    (void)state;
    join();
    come(2, 0, 1);
    come(2, 1, 0);
    come(2, 2, 0);
    assert_int_equal(st.n_units, 0); /* the past may come first */
    come(2, 0, 0);
    come(2, 2, 1);
    assert_came(want, 5);
    leave();
}

/* The rest of a group that had begun before is not to be decoded. */
static void test_group_before_the_key_picture(void **state)
{
    static const struct row want[] = { { 30, 0 }, { 31, 1 } };
    (void)state;
    join();
    come(2, 7, 0);
    come(3, 1, 1);
    come(2, 8, 0);
    come(3, 0, 0);
    assert_came(want, 2);
    leave();
}

/* Nothing is kept after all: it goes on with what is live, which has begun to come. */
static void test_past_is_refused(void **state)
{
    static const struct row want[] = { { 21, 0 }, { 20, 0 } };
    (void)state;
    join();
    come(2, 1, 0);
    st.handler->on_fetch_refused(st.broadcast, (struct moq_fetch *)(void *)&st.fetch[0],
                                 MOQ_REQ_DOES_NOT_EXIST, "none");
    come(2, 0, 0);
    assert_came(want, 2);
    leave();
}

/* What waits goes with a place in the past, or with the session. */
static void test_what_waits_is_dropped(void **state)
{
    static const struct row want[] = { { 20, 0 } };
    (void)state;
    join();
    come(2, 1, 0);
    assert_int_equal(broadcast_seek(st.broadcast, 0), 0);
    broadcast_live(st.broadcast);
    come(2, 0, 0);
    assert_came(want, 1);
    leave();
    join();
    come(2, 1, 0);
    leave();
}

/* A server that keeps a window renews its catalog: tracks go and come, when the past is over. */
static void test_editions_are_followed(void **state)
{
    static const struct row want[] = { { 20, 0 }, { 21, 0 } };
    (void)state;
    join_with(true);
    come_catalog(2, 1);
    assert_int_equal(st.n_catalogs, 1); /* the past may come */
    come(2, 0, 0);
    broadcast_tick(st.broadcast, 11 * RTT_US);
    assert_int_equal(st.n_catalogs, 2);
    assert_int_equal(st.n_unsubscribed, 1);
    assert_int_equal(st.n_subscriptions, 1 + LAYERS);
    come(2, 1, 0);
    assert_came(want, 2);
    come_catalog(1, LAYERS);
    come_catalog(2, LAYERS);
    assert_int_equal(st.n_catalogs, 2); /* no later ones */
    come_catalog(3, LAYERS);
    assert_int_equal(st.n_catalogs, 3); /* what is live has no need to wait */
    assert_int_equal(st.n_subscriptions, 2 + LAYERS);
    assert_true(broadcast_has_window(st.broadcast));
    assert_int_equal(broadcast_seek(st.broadcast, 0), 0);
    come_catalog(4, 1);
    assert_int_equal(st.n_catalogs, 3);
    leave(); /* with one that waits */
    join();
    come_catalog(2, 1);
    broadcast_tick(st.broadcast, 11 * RTT_US);
    assert_int_equal(st.n_catalogs, 1); /* not asked for */
    leave();
}

static void give_none(void *user, size_t track, const struct moq_object *obj)
{
    (void)track;
    *(size_t *)user += obj->payload.len;
}

static void test_what_waits_is_bounded(void **state)
{
    static uint8_t payload[EARLY_BYTES_MAX / 4];
    struct moq_object obj = { .group = 1, .payload = { payload, sizeof payload } };
    struct early e = { 0 };
    size_t bytes = 0;
    (void)state;
    for (int i = 0; i < 9; i++)
        early_put(&e, 0, &obj);
    early_give(&e, 1, give_none, &bytes);
    assert_int_equal(bytes, EARLY_BYTES_MAX);
    early_put(&e, 0, &obj); /* there is room again */
    early_give(&e, 2, give_none, &bytes);
    assert_int_equal(bytes, EARLY_BYTES_MAX);
    assert_null(e.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_picture_is_overtaken),
        cmocka_unit_test(test_group_before_the_key_picture),
        cmocka_unit_test(test_past_is_refused),
        cmocka_unit_test(test_what_waits_is_dropped),
        cmocka_unit_test(test_editions_are_followed),
        cmocka_unit_test(test_what_waits_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
