/*
 * test_swap.c - controllers are changed in the middle of a transfer, and one from outside the
 * library is used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/cc.h>

#include "transfer.h"

#define BYTES 3000000u

static struct tvl_path_stats path_of(const struct pair *p, int side)
{
    struct tvl_path_stats s;

    assert_int_equal(tvl_paths(p->conn[side], &s, 1), 1);
    return s;
}

static void begin(struct pair *p, struct transfer *t, const struct pair_options *o)
{
    *t = (struct transfer){ .total = BYTES };
    pair_init(p, o);
    p->on_event = transfer_serve;
    p->user = t;
    p->link[0].delay = 10000;
    pair_connect(p, o);
    pair_run(p, 20 * SECOND, transfer_third);
}

static void end(struct pair *p, const struct transfer *t)
{
    pair_run(p, 60 * SECOND, transfer_finished);
    assert_true(t->finished && !t->damaged);
    assert_int_equal(t->received, BYTES);
    pair_fini(p);
}

/* Every controller hands over to every other, and back, while the data flow. */
static void every_pair_hands_over(void **state)
{
    (void)state;
    for (size_t i = 0; tvl_cc_all[i]; i++)
        for (size_t k = 0; tvl_cc_all[k]; k++) {
            const struct pair_options o = { .ca_file = NULL };
            struct transfer t;
            struct pair p;

            if (i == k)
                continue;
            begin(&p, &t, &o);
            struct tvl_conn *conn = p.conn[PAIR_SERVER];

            assert_int_equal(tvl_path_set_cc(conn, 0, tvl_cc_all[i]->name, p.now), 0);
            pair_run(&p, SECOND / 20, NULL);
            const uint64_t before = path_of(&p, PAIR_SERVER).cwnd;

            assert_int_equal(tvl_path_set_cc(conn, 0, tvl_cc_all[k]->name, p.now), 0);
            const struct tvl_path_stats after = path_of(&p, PAIR_SERVER);

            assert_string_equal(after.cc, tvl_cc_all[k]->name);
            if (after.cwnd < before / 4 || after.cwnd > before * 4)
                fail_msg("%s to %s: window %llu to %llu", tvl_cc_all[i]->name, tvl_cc_all[k]->name,
                         (unsigned long long)before, (unsigned long long)after.cwnd);
            end(&p, &t);
        }
}

static void ten_swaps(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct transfer t;
    struct pair p;

    (void)state;
    begin(&p, &t, &o);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(
            tvl_path_set_cc(p.conn[PAIR_SERVER], 0, tvl_cc_all[(i + 1) % 9]->name, p.now), 0);
        pair_run(&p, SECOND / 50, NULL);
    }
    end(&p, &t);
}

static void wrong_names(void **state)
{
    const struct pair_options o = { .ca_file = NULL };
    struct transfer t;
    struct pair p;

    (void)state;
    begin(&p, &t, &o);
    struct tvl_conn *conn = p.conn[PAIR_SERVER];

    assert_int_equal(tvl_path_set_cc(conn, 0, "reno-vegas", p.now), TVL_ERR_ARG);
    assert_int_equal(tvl_path_set_cc(conn, 0, NULL, p.now), TVL_ERR_ARG);
    assert_int_equal(tvl_path_set_cc(conn, 7, "bbr", p.now), TVL_ERR_ARG);
    assert_int_equal(tvl_path_set_cc_ops(conn, 0, NULL, p.now), TVL_ERR_ARG);
    assert_string_equal(path_of(&p, PAIR_SERVER).cc, "cubic");
    end(&p, &t);
}

/* ---- a controller of one's own, on nothing but <tvl/cc.h>: a fixed window ---- */

#define FIXED 30u /* datagrams */

struct fixed {
    uint64_t cwnd, acked;
};
_Static_assert(sizeof(struct fixed) <= TVL_CC_STATE_MAX, "fits");

static void fixed_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    (void)now;
    ((struct fixed *)cc)->cwnd = FIXED * datagram_bytes;
}

static void fixed_on_ack(void *cc, const struct tvl_cc_ack *ack)
{
    ((struct fixed *)cc)->acked += ack->bytes;
}

static void fixed_on_loss(void *cc, const struct tvl_cc_loss *loss)
{
    (void)cc, (void)loss;
}

static struct tvl_cc_limit fixed_limit(const void *cc)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct fixed *)cc)->cwnd };
}

static const struct tvl_cc_ops fixed = {
    .name = "fixed",
    .init = fixed_init,
    .on_ack = fixed_on_ack,
    .on_loss = fixed_on_loss,
    .limit = fixed_limit,
};

static void use_fixed(const struct pair *p, int side, struct tvl_tls_config *tls,
                      struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side == PAIR_SERVER)
        cfg->cc_ops = &fixed;
}

static void one_of_the_callers(void **state)
{
    const struct pair_options o = { .adjust = use_fixed };
    struct transfer t;
    struct pair p;

    (void)state;
    begin(&p, &t, &o);
    const struct tvl_path_stats s = path_of(&p, PAIR_SERVER);

    assert_string_equal(s.cc, "fixed");
    assert_int_equal(s.cwnd, FIXED * 1200); /* it takes no notice of a larger MTU */
    assert_in_range(s.in_flight, 1, s.cwnd);
    end(&p, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_hands_over),
        cmocka_unit_test(ten_swaps),
        cmocka_unit_test(wrong_names),
        cmocka_unit_test(one_of_the_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
