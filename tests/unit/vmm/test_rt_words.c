/* test_rt_words.c - what `rt set` understands, and what it says to the rest. */
#include "rt.h"
#include "rt/words.h"

struct row {
    const char *words, *says; /* NULL: fine */
    struct vmm_real_time rt;
    struct vmm_share share;
};

static const struct row rows[] = {
    { "policy=fifo", NULL, { .policy = VMM_POLICY_FIFO, .priority = 50 }, { 0 } },
    { "policy=fifo,priority=97", NULL, { .policy = VMM_POLICY_FIFO, .priority = 97 }, { 0 } },
    { "priority=20,policy=fifo", NULL, { .policy = VMM_POLICY_FIFO, .priority = 50 }, { 0 } },
    { "policy=nice,priority=-5", NULL, { .policy = VMM_POLICY_NICE, .priority = -5 }, { 0 } },
    { "policy=deadline,budget=10ms,period=33.3ms",
      NULL,
      { .policy = VMM_POLICY_DEADLINE, .budget_ns = 10000000, .period_ns = 33300000 },
      { 0 } },
    { "policy=fifo budget=500us period=1ms",
      NULL,
      { .policy = VMM_POLICY_FIFO, .priority = 50, .budget_ns = 500000, .period_ns = 1000000 },
      { 0 } },
    { "weight=300,quota=50%,memory=256MiB",
      NULL,
      { 0 },
      { .weight = 300, .quota_percent = 50, .memory_bytes = 256ull << 20 } },
    { "memory=64M", NULL, { 0 }, { .memory_bytes = 64ull << 20 } },
    { "memory=none,quota=none", NULL, { 0 }, { 0 } },
    { "pin=1", NULL, { .pin = true }, { .cpus = 2 } },
    { "pin=yes", NULL, { .pin = true }, { 0 } },
    { "cpus=0-1+3", NULL, { 0 }, { .cpus = 11 } },
    { "", "nothing to set", { 0 }, { 0 } },
    { "fast", "KEY=VALUE is wanted", { 0 }, { 0 } },
    { "speed=1", "speed: no such key; there are policy,", { 0 }, { 0 } },
    { "policy=rr", "none, nice, fifo or deadline is wanted", { 0 }, { 0 } },
    { "policy=fifo,priority=98", "from 1 to 97", { 0 }, { 0 } },
    { "policy=fifo,priority=-1", "from 1 to 97", { 0 }, { 0 } },
    { "policy=nice,priority=20", "-20 to 19", { 0 }, { 0 } },
    { "policy=deadline", "a budget and a period are wanted", { 0 }, { 0 } },
    { "policy=deadline,budget=2s,period=1s", "not shorter", { 0 }, { 0 } },
    { "policy=fifo,budget=1ms", "a budget goes with a period", { 0 }, { 0 } },
    { "budget=1ms,period=2ms", "go with policy=fifo or policy=deadline", { 0 }, { 0 } },
    { "period=50us", "from 100us to 4s", { 0 }, { 0 } },
    { "budget=1", "a time like 10ms", { 0 }, { 0 } },
    { "budget=-1ms", "a time like 10ms", { 0 }, { 0 } },
    { "weight=0", "from 1 to 10000", { 0 }, { 0 } },
    { "quota=6401%", "6400%", { 0 }, { 0 } },
    { "quota=0%", "from 1%", { 0 }, { 0 } },
    { "pin=64", "CPUs like", { 0 }, { 0 } },
    { "cpus=3-1", "CPUs like", { 0 }, { 0 } },
    { "memory=1TB", "a size like 256M", { 0 }, { 0 } },
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct vmm_real_time rt = { 0 };
        struct vmm_share share = { 0 };
        char why[VMM_WHY_MAX] = "";
        int got = vmm_rt_words(r->words, &rt, &share, why, sizeof why);
        if (got != (r->says ? -1 : 0))
            fail_msg("%s: %d, %s", r->words, got, why);
        if (r->says)
            assert_says(why, r->says);
        if (rt.policy != r->rt.policy || rt.priority != r->rt.priority ||
            rt.budget_ns != r->rt.budget_ns || rt.period_ns != r->rt.period_ns ||
            rt.pin != r->rt.pin || share.weight != r->share.weight ||
            share.quota_percent != r->share.quota_percent || share.cpus != r->share.cpus ||
            share.memory_bytes != r->share.memory_bytes)
            fail_msg("%s: other values than expected", r->words);
    }
}

/* Another policy forgets the figures of the old one. */
static void change_of_policy(void **state)
{
    (void)state;
    struct vmm_real_time rt = { .policy = VMM_POLICY_DEADLINE,
                                .budget_ns = 1000000,
                                .period_ns = 2000000 };
    struct vmm_share share = { 0 };
    char why[VMM_WHY_MAX];
    assert_int_equal(vmm_rt_words("policy=none", &rt, &share, why, sizeof why), 0);
    assert_true(rt.budget_ns == 0 && rt.period_ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(table),
                                        cmocka_unit_test(change_of_policy) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
