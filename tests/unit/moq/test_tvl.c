/* test_tvl.c - sessions over production libtvl endpoints on links in memory that lose datagrams:
 * what the adapter of <moq/moq_tvl.h> maps to what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <moq/moq_tvl.h>

#include "../libtvl/conn/pair.h"

#define SECOND 1000000u
#define OBJECTS 60
#define SIZE_MAX_ 200000

struct end {
    struct moq_tvl tvl;
    struct moq_session *session;
    struct moq_sending *sending;
    struct moq_subscription *sub;
    int setups, objects, lost, done, cancelled, closed;
    uint64_t lost_code, done_status;
};

struct world {
    struct pair pair;
    struct end end[2];
};

static uint8_t pattern(uint64_t object, size_t i)
{
    return (uint8_t)(object * 7 + i * 31 + (i >> 8));
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct end *e = user;
    (void)path, (void)authority;
    e->setups++;
}

static void on_closed(void *user, uint64_t code, const char *reason)
{
    struct end *e = user;
    (void)code, (void)reason;
    e->closed++;
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    struct end *e = user;
    (void)name, (void)o;
    e->sending = s;
    assert_int_equal(moq_accept(s, NULL, (struct moq_bytes){ 0 }), 0);
}

static void on_cancelled(void *user, struct moq_sending *s)
{
    struct end *e = user;
    (void)s;
    e->cancelled++;
    e->sending = NULL;
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    struct end *e = user;
    (void)s;
    e->objects++;
    for (size_t i = 0; i < obj->payload.len; i++)
        if (obj->payload.bytes[i] != pattern(obj->object, i))
            fail_msg("object %d differs at %zu", (int)obj->object, i);
}

static void on_object_lost(void *user, struct moq_subscription *s, uint64_t group, uint64_t object,
                           uint64_t code)
{
    struct end *e = user;
    (void)s, (void)group, (void)object;
    e->lost++;
    e->lost_code = code;
}

static void on_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    struct end *e = user;
    (void)s, (void)reason;
    e->done++;
    e->done_status = status;
    e->sub = NULL;
}

static void on_event(struct pair *p, int side, const struct tvl_event *ev)
{
    static const struct moq_handler handler = {
        .on_setup = on_setup,
        .on_closed = on_closed,
        .on_subscribe = on_subscribe,
        .on_cancelled = on_cancelled,
        .on_object = on_object,
        .on_object_lost = on_object_lost,
        .on_done = on_done,
    };
    struct end *e = &((struct world *)p->user)->end[side];
    if (ev->type == TVL_EVENT_CONNECTED) {
        struct moq_quic quic;
        struct moq_session_config cfg = { .server = side == PAIR_SERVER };
        moq_tvl_init(&e->tvl, ev->conn, &quic);
        assert_int_equal(moq_session_new(&e->session, &cfg, &quic, &handler, e), 0);
        assert_int_equal(moq_session_start(e->session), 0);
    }
    if (e->session)
        moq_tvl_on_event(&e->tvl, e->session, ev, p->now);
}

static bool both_set_up(struct pair *p)
{
    struct world *w = p->user;
    return w->end[0].setups + w->end[1].setups == 2;
}

static bool publishing(struct pair *p)
{
    return ((struct world *)p->user)->end[PAIR_SERVER].sending != NULL;
}

static bool all_received(struct pair *p)
{
    struct end *e = &((struct world *)p->user)->end[PAIR_CLIENT];
    return e->objects + e->lost == OBJECTS;
}

static bool ended(struct pair *p)
{
    return ((struct world *)p->user)->end[PAIR_CLIENT].done > 0;
}

static bool cancelled(struct pair *p)
{
    return ((struct world *)p->user)->end[PAIR_SERVER].cancelled > 0;
}

static bool closed(struct pair *p)
{
    return p->closed[PAIR_SERVER].type == TVL_EVENT_CLOSED;
}

static void open_world(struct world *w)
{
    static const struct pair_options options;
    memset(w, 0, sizeof *w);
    pair_init(&w->pair, &options);
    w->pair.user = w;
    w->pair.on_event = on_event;
    pair_connect(&w->pair, &options);
    pair_run(&w->pair, 10 * SECOND, both_set_up);
    assert_true(both_set_up(&w->pair));
}

static void close_world(struct world *w)
{
    assert_int_equal(w->end[0].closed + w->end[1].closed, 0);
    moq_session_free(w->end[0].session);
    moq_session_free(w->end[1].session);
    pair_fini(&w->pair);
}

static void subscribe(struct world *w)
{
    struct end *e = &w->end[PAIR_CLIENT];
    struct moq_name name;
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    assert_int_equal(moq_name_from_text(&name, "live", "video"), 0);
    assert_int_equal(moq_subscribe(e->session, &name, &o, e, &e->sub), 0);
    pair_run(&w->pair, 10 * SECOND, publishing);
    assert_true(publishing(&w->pair));
}

static int write_object(struct world *w, uint64_t object, size_t size, uint64_t lifetime_us)
{
    static uint8_t payload[SIZE_MAX_];
    for (size_t i = 0; i < size; i++)
        payload[i] = pattern(object, i);
    struct moq_object obj = { .object = object, .priority = 128, .payload = { payload, size } };
    return moq_object_write(w->end[PAIR_SERVER].sending, &obj, lifetime_us);
}

static void objects_survive_loss(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    open_world(w);
    w->pair.link[0].drop_nth = 15;
    subscribe(w);
    for (uint64_t i = 0; i < OBJECTS; i++)
        assert_int_equal(write_object(w, i, i % 20 == 0 ? SIZE_MAX_ : i * 50, 0), 0);
    pair_run(&w->pair, 60 * SECOND, all_received);
    assert_int_equal(w->end[PAIR_CLIENT].objects, OBJECTS);
    assert_int_equal(moq_done(w->end[PAIR_SERVER].sending, MOQ_DONE_TRACK_ENDED, ""), 0);
    pair_run(&w->pair, 60 * SECOND, ended);
    assert_int_equal(w->end[PAIR_CLIENT].done, 1);
    assert_int_equal(w->end[PAIR_CLIENT].done_status, MOQ_DONE_TRACK_ENDED);
    assert_int_equal(w->end[PAIR_CLIENT].lost, 0);
    close_world(w);
    free(w);
}

/* More than the link can carry within the objects' lifetime: some expire on the way. */
static void old_objects_expire(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    open_world(w);
    subscribe(w);
    tvl_time before = w->pair.now;
    for (uint64_t i = 0; i < OBJECTS; i++)
        assert_int_equal(write_object(w, i, SIZE_MAX_, i < 2 ? 0 : 200000), 0);
    pair_run(&w->pair, 20 * SECOND, all_received);
    struct end *client = &w->end[PAIR_CLIENT];
    assert_true(w->pair.now > before);
    assert_true(client->objects >= 2 && client->objects < OBJECTS);
    assert_true(client->lost > 0);
    assert_int_equal(client->lost_code, MOQ_STREAM_DELIVERY_TIMEOUT);
    assert_int_equal(moq_done(w->end[PAIR_SERVER].sending, MOQ_DONE_TRACK_ENDED, ""), 0);
    pair_run(&w->pair, SECOND, ended);
    moq_session_tick(client->session, w->pair.now + 10 * SECOND);
    assert_int_equal(client->done, 1);
    close_world(w);
    free(w);
}

static void cancellation_reaches_the_publisher(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    open_world(w);
    subscribe(w);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(write_object(w, i, SIZE_MAX_, 0), 0);
    moq_unsubscribe(w->end[PAIR_CLIENT].sub);
    pair_run(&w->pair, 10 * SECOND, cancelled);
    assert_int_equal(w->end[PAIR_SERVER].cancelled, 1);
    pair_run(&w->pair, SECOND, NULL);
    subscribe(w);
    assert_int_equal(write_object(w, 9, 10, 0), 0);
    int before = w->end[PAIR_CLIENT].objects;
    pair_run(&w->pair, SECOND, NULL);
    assert_int_equal(w->end[PAIR_CLIENT].objects, before + 1);
    close_world(w);
    free(w);
}

static void close_carries_its_code(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    open_world(w);
    moq_session_close(w->end[PAIR_CLIENT].session, MOQ_GOAWAY_TIMEOUT, "test");
    pair_run(&w->pair, 10 * SECOND, closed);
    assert_int_equal(w->pair.closed[PAIR_SERVER].closed.kind, TVL_CLOSED_PEER_APP);
    assert_int_equal(w->pair.closed[PAIR_SERVER].closed.code, MOQ_GOAWAY_TIMEOUT);
    close_world(w);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_survive_loss),
        cmocka_unit_test(old_objects_expire),
        cmocka_unit_test(cancellation_reaches_the_publisher),
        cmocka_unit_test(close_carries_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
