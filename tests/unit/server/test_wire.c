/* test_wire.c - which object a stream carried is remembered until it ends, however many are under
 * way; the room for it grows with them and no further. Stands in for the connection. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire.h"

static uint64_t opened;

static int send_stream(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    (void)ctx;
    (void)m;
    *id = 4 * ++opened + 3;
    return 0;
}

void moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out)
{
    *t = (struct moq_tvl){ .conn = conn };
    *out = (struct moq_quic){ .ctx = t, .send = send_stream };
}

/* An object on a stream of its own; its number is the picture's. */
static uint64_t send_object(struct wire *w, const struct moq_quic *q)
{
    const struct moq_quic_message m = { .rank = 7 };
    uint64_t id;

    assert_int_equal(q->send(q->ctx, &m, &id), 0);
    wire_note(w, 1, 2, id);
    return id;
}

static void few_need_little_room(void **state)
{
    struct moq_quic q;
    struct wire w;

    (void)state;
    wire_init(&w, NULL, &q);
    assert_null(wire_end(&w, 3));
    for (int i = 0; i < 100000; i++) {
        const uint64_t id = send_object(&w, &q);
        const struct wire_flight *f = wire_end(&w, id);

        assert_non_null(f);
        assert_int_equal(f->picture, id);
        assert_int_equal(f->watch, 1);
        assert_int_equal(f->track, 2);
        assert_null(wire_end(&w, id));
    }
    assert_int_equal(w.cap, WIRE_FLIGHTS_MIN);
    assert_int_equal(w.last_rank, 7);
    wire_fini(&w);
}

static void one_that_stays_is_kept(void **state)
{
    struct moq_quic q;
    struct wire w;

    (void)state;
    wire_init(&w, NULL, &q);
    const uint64_t first = send_object(&w, &q);
    for (int i = 0; i < 1000; i++)
        assert_non_null(wire_end(&w, send_object(&w, &q)));
    const struct wire_flight *f = wire_end(&w, first);
    assert_non_null(f);
    assert_int_equal(f->picture, first);
    wire_fini(&w);
}

static void what_is_forgotten_was_never_there(void **state)
{
    struct moq_quic q;
    struct wire w;

    (void)state;
    wire_init(&w, NULL, &q);
    const uint64_t first = send_object(&w, &q), second = send_object(&w, &q);
    wire_forget(&w, 0);
    assert_non_null(wire_end(&w, first));
    wire_forget(&w, 1);
    assert_null(wire_end(&w, second));
    wire_fini(&w);
}

static void the_newest_of_very_many_are_known(void **state)
{
    enum { ALL = 3 * WIRE_FLIGHTS_MAX };
    static uint64_t id[ALL];
    struct moq_quic q;
    struct wire w;

    (void)state;
    wire_init(&w, NULL, &q);
    for (int i = 0; i < ALL; i++)
        id[i] = send_object(&w, &q);
    assert_int_equal(w.cap, WIRE_FLIGHTS_MAX);
    for (int i = ALL; i-- > 0;) {
        const struct wire_flight *f = wire_end(&w, id[i]);

        assert_true((f != NULL) == (i >= ALL - WIRE_FLIGHTS_MAX));
        assert_true(!f || f->picture == id[i]);
    }
    wire_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_need_little_room),
        cmocka_unit_test(one_that_stays_is_kept),
        cmocka_unit_test(what_is_forgotten_was_never_there),
        cmocka_unit_test(the_newest_of_very_many_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
