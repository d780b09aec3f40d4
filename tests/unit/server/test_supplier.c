/* test_supplier.c - whose faults count: the best viewer of all workers, kept until another is
 * clearly better. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "supplier.h"

#define OLD (2 * SUPPLIER_YOUNG_US)

static struct supplier_viewer viewer(uint64_t id, uint8_t takes, int top, uint64_t rate_bps)
{
    return (struct supplier_viewer){
        .id = id, .takes = takes, .top = top, .age_us = OLD, .rate_bps = rate_bps
    };
}

static uint64_t chosen(const struct supplier_viewer *v, size_t n, uint64_t kept)
{
    const struct supplier_viewer *best = supplier_choose(v, n, kept);

    return best ? best->id : 0;
}

static void the_best_has_layers_then_rate(void **state)
{
    struct supplier_viewer v[] = { viewer(1, 1, 0, 900), viewer(2, 3, 2, 300), viewer(3, 3, 2, 400),
                                   viewer(4, 0, 2, 9000) }; /* takes nothing */

    (void)state;
    assert_int_equal(chosen(v, 4, 0), 3);
    assert_int_equal(chosen(v, 1, 0), 1);
    assert_int_equal(chosen(v + 3, 1, 0), 0);
    assert_int_equal(chosen(NULL, 0, 7), 0);
    v[2].age_us = SUPPLIER_YOUNG_US - 1; /* nothing is known of it yet */
    assert_int_equal(chosen(v, 4, 0), 2);
}

static void it_is_kept_until_another_is_clearly_better(void **state)
{
    struct supplier_viewer v[] = { viewer(1, 3, 2, 1000), viewer(2, 3, 2, 1240) };

    (void)state;
    assert_int_equal(chosen(v, 2, 1), 1);
    v[1].rate_bps = 1260;
    assert_int_equal(chosen(v, 2, 1), 2);
    v[1].rate_bps = 10;
    v[0].top = 1;
    assert_int_equal(chosen(v, 2, 1), 2); /* it has more layers */
    v[0].takes = 0;
    assert_int_equal(chosen(v, 2, 1), 2); /* it has left */
}

/* Each worker chooses its own, the main loop among these: the same as choosing among all. */
static void workers_choose_as_one_would(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct supplier_viewer all[12], best[3];
        uint64_t kept = 0;

        for (int i = 0; i < 12; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            all[i] = viewer((uint64_t)i + 1, (uint8_t)(seed >> 60 & 3), (int)(seed >> 50 & 1) + 1,
                            100 + (seed >> 40 & 1023));
            kept = (seed >> 30 & 7) == 0 ? all[i].id : kept;
        }
        for (int w = 0; w < 3; w++) {
            const struct supplier_viewer *b = supplier_choose(all + 4 * w, 4, kept);
            best[w] = b ? *b : (struct supplier_viewer){ .takes = 0 };
        }
        assert_int_equal(chosen(best, 3, kept), chosen(all, 12, kept));
    }
}

static void a_queue_counts_at_its_shortest(void **state)
{
    const struct svc_stream_info info = { .n_spatial = 2, .n_temporal = 1 };
    const uint32_t rates[SVC_SPATIAL_MAX] = { 100000, 200000 };
    struct supplier_viewer v = viewer(1, 2, 1, 1000000);
    struct encoder_orders orders;
    struct supplier s;

    (void)state;
    encoder_orders_init(&orders, 2);
    supplier_init(&s, &orders, &info, rates, 400000);
    v.queue_us = 50000;
    (void)supplier_decide(&s, &v, 1, 2, 1000000);
    supplier_hear(&s, &v);
    v.queue_us = 20000;
    supplier_hear(&s, &v);
    v.queue_us = 90000;
    supplier_hear(&s, &v);
    assert_int_equal(s.next.queue_us, 20000);
    v.id = 2; /* another's queue says nothing */
    v.queue_us = 1;
    supplier_hear(&s, &v);
    assert_int_equal(s.next.queue_us, 20000);
    assert_false(supplier_tick(&s, &v, 1, 2, 1000000 + SUPPLY_PERIOD_US - 1));
    assert_int_equal(s.next.queue_us, 20000); /* it was not time */
    (void)supplier_tick(&s, &v, 1, 2, 1000000 + SUPPLY_PERIOD_US);
    assert_int_equal(s.best, 2);
    assert_int_equal(s.next.queue_us, UINT32_MAX);
    encoder_orders_fini(&orders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_has_layers_then_rate),
        cmocka_unit_test(it_is_kept_until_another_is_clearly_better),
        cmocka_unit_test(workers_choose_as_one_would),
        cmocka_unit_test(a_queue_counts_at_its_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
