/* test_rt_balance.c - where pinned guests go: worst fit, real time apart, named CPUs kept. */
#include "rt.h"
#include "rt/balance.h"

static struct vmm_claim chosen(const char *name, enum vmm_policy policy, uint32_t percent)
{
    struct vmm_claim c = claim("own", name, policy, percent, 0);
    c.chosen = true;
    return c;
}

static void worst_fit(void **state)
{
    (void)state;
    struct vmm_claim c[] = { chosen("a", VMM_POLICY_NONE, 30), chosen("b", VMM_POLICY_NONE, 60),
                             chosen("c", VMM_POLICY_NONE, 20), chosen("d", VMM_POLICY_NONE, 40) };
    assert_int_equal(vmm_balance(2, NULL, 0, c, 4), 4);
    /* 60 | 40; 30 to the second: 60 | 70; 20 to the first: 80 | 70 */
    assert_int_equal(c[1].cpus, 1);
    assert_int_equal(c[3].cpus, 2);
    assert_int_equal(c[0].cpus, 2);
    assert_int_equal(c[2].cpus, 1);
    assert_true(vmm_balance_load(2, 0, c, 4) == 80 * PERCENT);
    assert_int_equal(vmm_balance(2, NULL, 0, c, 4), 0); /* stays */
}

static void real_time_apart(void **state)
{
    (void)state;
    struct vmm_claim others[] = { claim("x", "busy", VMM_POLICY_NONE, 90, 2) };
    struct vmm_claim c[] = { chosen("a", VMM_POLICY_FIFO, 20), chosen("b", VMM_POLICY_FIFO, 30) };
    vmm_balance(2, others, 1, c, 2);
    assert_int_equal(c[1].cpus, 1); /* the larger first, where nothing is */
    assert_int_equal(c[0].cpus, 2); /* beside the busy one rather than beside real time */
}

/* Real time chooses before a larger demand that has none. */
static void real_time_first(void **state)
{
    (void)state;
    struct vmm_claim others[] = { claim("x", "busy", VMM_POLICY_NONE, 30, 2) };
    struct vmm_claim c[] = { chosen("plain", VMM_POLICY_NONE, 60),
                             chosen("fast", VMM_POLICY_FIFO, 10) };
    vmm_balance(2, others, 1, c, 2);
    assert_int_equal(c[1].cpus, 1);
}

static void named_cpus_are_kept(void **state)
{
    (void)state;
    struct vmm_claim c[] = { claim("own", "named", VMM_POLICY_FIFO, 80, 1),
                             chosen("a", VMM_POLICY_FIFO, 10), chosen("b", VMM_POLICY_NONE, 10) };
    vmm_balance(2, NULL, 0, c, 3);
    assert_int_equal(c[0].cpus, 1);
    assert_int_equal(c[1].cpus, 2);
    assert_int_equal(c[2].cpus, 2);
}

static void two_vcpus_two_cpus(void **state)
{
    (void)state;
    struct vmm_claim others[] = { claim("x", "busy", VMM_POLICY_NONE, 50, 1) };
    struct vmm_claim c[] = { chosen("a", VMM_POLICY_NONE, 40), chosen("b", VMM_POLICY_NONE, 10) };
    c[0].threads = 2;
    vmm_balance(4, others, 1, c, 2);
    assert_int_equal(c[0].cpus, 6);
    assert_int_equal(c[1].cpus, 8);
}

/* A move costs: only for a gain of 10 % of a CPU. */
static void moves_for_a_gain(void **state)
{
    (void)state;
    struct vmm_claim c[] = { chosen("a", VMM_POLICY_NONE, 30), chosen("b", VMM_POLICY_NONE, 25) };
    c[0].cpus = c[1].cpus = 1;
    assert_int_equal(vmm_balance(2, NULL, 0, c, 2), 1); /* 55 | 0 -> 30 | 25 */
    assert_int_not_equal(c[0].cpus, c[1].cpus);
    struct vmm_claim d[] = { chosen("a", VMM_POLICY_NONE, 30), chosen("b", VMM_POLICY_NONE, 5) };
    d[0].cpus = d[1].cpus = 1;
    assert_int_equal(vmm_balance(2, NULL, 0, d, 2), 0);
    /* Real-time guests that share a CPU move apart for less. */
    struct vmm_claim e[] = { chosen("a", VMM_POLICY_FIFO, 5), chosen("b", VMM_POLICY_FIFO, 5) };
    e[0].cpus = e[1].cpus = 1;
    assert_int_equal(vmm_balance(2, NULL, 0, e, 2), 1);
}

static void one_cpu(void **state)
{
    (void)state;
    struct vmm_claim c[] = { chosen("a", VMM_POLICY_FIFO, 5), chosen("b", VMM_POLICY_NONE, 5) };
    c[1].threads = 4;
    assert_int_equal(vmm_balance(1, NULL, 0, c, 2), 2);
    assert_int_equal(c[0].cpus, 1);
    assert_int_equal(c[1].cpus, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worst_fit),
        cmocka_unit_test(real_time_apart),
        cmocka_unit_test(real_time_first),
        cmocka_unit_test(named_cpus_are_kept),
        cmocka_unit_test(two_vcpus_two_cpus),
        cmocka_unit_test(moves_for_a_gain),
        cmocka_unit_test(one_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
