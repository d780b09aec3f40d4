/*
 * test_copies.c - every scheduler carries a transfer over unlike links of which one dies, and what
 * the scheduler wants twice leaves twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/sched.h>

#include "transfer.h"

#define BYTES 2000000u

static const char *sched_name;

static void with_sched(const struct pair *p, int side, struct tvl_tls_config *tls,
                       struct tvl_config *cfg)
{
    (void)p;
    (void)side;
    (void)tls;
    cfg->sched = sched_name;
}

static bool has_two_paths(struct pair *p)
{
    return p->last_path[PAIR_SERVER].path.id == 1 &&
           p->last_path[PAIR_SERVER].path.state == TVL_PATH_UP;
}

static void begin(struct pair *p, struct transfer *t, const char *sched)
{
    const struct pair_options o = { .adjust = with_sched };

    sched_name = sched;
    *t = (struct transfer){ .total = BYTES };
    pair_init(p, &o);
    p->user = t;
    p->link[0].delay = 10000;
    p->link[1].delay = 30000;
    pair_connect(p, &o);
    pair_run(p, 5 * SECOND, pair_both_connected);
    assert_int_equal(pair_path_add(p, 1), 1);
    pair_run(p, 5 * SECOND, has_two_paths);
    p->on_event = transfer_serve;
    assert_int_equal(tvl_stream_open(p->conn[PAIR_SERVER], TVL_UNI, &t->id), 0);
    t->started = true;
    transfer_write(p, PAIR_SERVER, t);
}

static void end(struct pair *p, const struct transfer *t)
{
    pair_run(p, 60 * SECOND, transfer_finished);
    if (!t->finished || t->damaged || t->received != BYTES)
        fail_msg("%s: %llu of %u bytes", sched_name, (unsigned long long)t->received, BYTES);
    pair_fini(p);
}

static void every_scheduler_outlives_a_link(void **state)
{
    (void)state;
    for (size_t i = 0; tvl_sched_all[i]; i++)
        for (unsigned dead = 0; dead < 2; dead++) {
            struct transfer t;
            struct pair p;

            begin(&p, &t, tvl_sched_all[i]->name);
            p.link[0].drop_nth = 97;
            p.link[1].drop_nth = 89;
            pair_run(&p, 20 * SECOND, transfer_third);
            p.link[dead].cut[0] = p.link[dead].cut[1] = true;
            end(&p, &t);
        }
}

static uint64_t stream_bytes_twice(const char *sched)
{
    struct tvl_conn_stats s;
    struct transfer t;
    struct pair p;

    begin(&p, &t, sched);
    p.link[1].delay = p.link[0].delay;
    pair_run(&p, 60 * SECOND, transfer_finished);
    tvl_conn_get_stats(p.conn[PAIR_SERVER], &s);
    end(&p, &t);
    return s.stream_bytes_resent;
}

static void redundant_sends_twice(void **state)
{
    (void)state;
    const uint64_t redundant = stream_bytes_twice("redundant");
    const uint64_t roundrobin = stream_bytes_twice("roundrobin"); /* reinjection only */

    if (redundant < BYTES / 4 || roundrobin > BYTES / 8)
        fail_msg("%llu, %llu", (unsigned long long)redundant, (unsigned long long)roundrobin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheduler_outlives_a_link),
        cmocka_unit_test(redundant_sends_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
