/* test_rt_admit.c - what is admitted and what is refused, with the figures. */
#include "rt.h"

#define HELD 3
#define NEW 3

static const struct vmm_host two_cpus = { .cpus = 2,
                                          .real_time_ppm = 90 * PERCENT,
                                          .memory_bytes = 1000ull * MIB };

struct row {
    const char *name, *says; /* NULL: admitted */
    bool groups;
    struct {
        enum vmm_policy policy;
        uint32_t percent;
        uint64_t cpus;
        uint32_t mib;
    } held[HELD], new[NEW];
};

static const struct row rows[] = {
    { "nothing", NULL, true, { { 0 } }, { { 0 } } },
    { "one FIFO guest", NULL, true, { { 0 } }, { { VMM_POLICY_FIFO, 80, 0, 0 } } },
    { "two, by groups",
      "a/h0 80 %, b/n0 20 %",
      true,
      { { VMM_POLICY_FIFO, 80, 1, 0 } },
      { { VMM_POLICY_FIFO, 20, 2, 0 } } },
    { "two on two CPUs, no groups",
      NULL,
      false,
      { { VMM_POLICY_FIFO, 80, 1, 0 } },
      { { VMM_POLICY_FIFO, 80, 2, 0 } } },
    { "two on one CPU",
      "CPU 1 would promise 110 %",
      false,
      { { VMM_POLICY_FIFO, 80, 2, 0 } },
      { { VMM_POLICY_FIFO, 30, 2, 0 } } },
    { "just fits on one CPU",
      NULL,
      false,
      { { VMM_POLICY_FIFO, 60, 2, 0 } },
      { { VMM_POLICY_FIFO, 30, 2, 0 } } },
    { "deadline fits",
      NULL,
      false,
      { { VMM_POLICY_DEADLINE, 90, 0, 0 } },
      { { VMM_POLICY_DEADLINE, 90, 0, 0 } } },
    { "deadline does not",
      "real time would need 185 %",
      false,
      { { VMM_POLICY_DEADLINE, 90, 0, 0 } },
      { { VMM_POLICY_DEADLINE, 95, 0, 0 } } },
    { "deadline beside FIFO",
      "real time would need 190 %",
      true,
      { { VMM_POLICY_FIFO, 80, 0, 0 } },
      { { VMM_POLICY_DEADLINE, 110, 0, 0 } } },
    { "deadline pinned",
      "node n0: DEADLINE cannot be pinned",
      true,
      { { 0 } },
      { { VMM_POLICY_DEADLINE, 30, 1, 0 } } },
    { "CPU that is not there",
      "CPU 2 is asked for, the host has 0 to 1",
      true,
      { { 0 } },
      { { VMM_POLICY_NONE, 0, 4, 0 } } },
    { "a whole CPU for FIFO",
      "node n0: 95 % of a CPU for real time",
      true,
      { { 0 } },
      { { VMM_POLICY_FIFO, 95, 0, 0 } } },
    { "nothing left for FIFO",
      "is left for its real-time threads",
      true,
      { { 0 } },
      { { VMM_POLICY_FIFO, 2, 0, 0 } } },
    { "quotas fit",
      NULL,
      true,
      { { VMM_POLICY_NONE, 100, 0, 0 } },
      { { VMM_POLICY_NONE, 100, 0, 0 } } },
    { "quotas do not",
      "would promise 201 % of a CPU",
      true,
      { { VMM_POLICY_NONE, 100, 0, 0 } },
      { { VMM_POLICY_NONE, 101, 0, 0 } } },
    { "a quota of more than the host",
      "a quota of 250 %: the host has 2 CPUs",
      true,
      { { 0 } },
      { { VMM_POLICY_NONE, 250, 0, 0 } } },
    { "quota beside real time",
      "would promise 230 % of a CPU",
      true,
      { { VMM_POLICY_FIFO, 80, 0, 0 } },
      { { VMM_POLICY_NONE, 150, 0, 0 } } },
    { "memory fits",
      NULL,
      true,
      { { VMM_POLICY_NONE, 0, 0, 500 } },
      { { VMM_POLICY_NONE, 0, 0, 400 } } },
    { "memory does not",
      "memory: 901 MiB would be promised (500 MiB to slices that run)",
      true,
      { { VMM_POLICY_NONE, 0, 0, 500 } },
      { { VMM_POLICY_NONE, 0, 0, 401 } } },
    { "others' over-commitment is theirs",
      NULL,
      false,
      { { VMM_POLICY_FIFO, 80, 1, 0 }, { VMM_POLICY_FIFO, 80, 1, 0 } },
      { { VMM_POLICY_NONE, 0, 1, 10 } } },
};

static void admission(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct vmm_host host = two_cpus;
        struct vmm_claim held[HELD], new[NEW];
        char why[VMM_WHY_MAX] = "";
        host.rt_groups = r->groups;
        for (unsigned k = 0; k < HELD; k++) {
            char name[16];
            snprintf(name, sizeof name, "h%u", k);
            held[k] = claim("a", name, r->held[k].policy, r->held[k].percent, r->held[k].cpus);
            held[k].memory_bytes = (uint64_t)r->held[k].mib * MIB;
            snprintf(name, sizeof name, "n%u", k);
            new[k] = claim("b", name, r->new[k].policy, r->new[k].percent, r->new[k].cpus);
            new[k].memory_bytes = (uint64_t)r->new[k].mib *MIB;
        }
        int got = vmm_admit(&host, held, HELD, new, NEW, why, sizeof why);
        if (got != (r->says ? -1 : 0))
            fail_msg("%s: %d, %s", r->name, got, why);
        if (r->says)
            assert_says(why, r->says);
    }
}

static void available_memory(void **state)
{
    (void)state;
    struct vmm_host host = two_cpus;
    struct vmm_claim c = claim("b", "n", VMM_POLICY_NONE, 0, 0);
    char why[VMM_WHY_MAX];
    host.available_bytes = 200ull * MIB;
    c.memory_bytes = 200ull * MIB;
    assert_int_equal(vmm_admit(&host, NULL, 0, &c, 1, why, sizeof why), 0);
    c.memory_bytes++;
    assert_int_equal(vmm_admit(&host, NULL, 0, &c, 1, why, sizeof why), -1);
    assert_says(why, "are needed and 200 MiB available");
}

/* Several threads of one FIFO guest on a CPU need their sum there. */
static void group_share(void **state)
{
    (void)state;
    struct vmm_claim c = claim("b", "n", VMM_POLICY_FIFO, 20, 0);
    c.threads = 3;
    assert_int_equal(vmm_claim_group_ppm(&c, &two_cpus), 40 * PERCENT);
    c.cpus = 1;
    assert_int_equal(vmm_claim_group_ppm(&c, &two_cpus), 60 * PERCENT);
    c.cpus = 3;
    c.threads = 2;
    assert_int_equal(vmm_claim_group_ppm(&c, &two_cpus), 20 * PERCENT);
}

static struct vmm_topology topology;

static struct vmm_node *node(const char *name, enum vmm_policy policy)
{
    struct vmm_node *n = &topology.node[topology.n_nodes++];
    *n = (struct vmm_node){ .vcpus = 1, .memory_bytes = 128ull * MIB };
    n->real_time.policy = policy;
    snprintf(n->name, sizeof n->name, "%s", name);
    return n;
}

/* FIFO without a figure: an equal part of what the others of the slice leave, not more than 80 %.
 */
static void open_shares(void **state)
{
    (void)state;
    struct vmm_claim c[VMM_NODES_MAX + 1];
    size_t index[VMM_NODES_MAX + 1];
    memset(&topology, 0, sizeof topology);
    snprintf(topology.name, sizeof topology.name, "lab");
    node("a", VMM_POLICY_FIFO);
    assert_int_equal(vmm_claims_of(&topology, 900000, c, index), 1);
    assert_int_equal(c[0].real_time_ppm, 800000);
    assert_true(c[0].memory_bytes == 128ull * MIB + VMM_QEMU_BYTES);
    struct vmm_node *b = node("b", VMM_POLICY_FIFO);
    b->real_time.budget_ns = 10000000;
    b->real_time.period_ns = 40000000;
    struct vmm_node *host = node("host", VMM_POLICY_NONE);
    host->kind = VMM_NAMESPACE;
    struct vmm_node *d = node("d", VMM_POLICY_DEADLINE);
    d->real_time.budget_ns = 10000000;
    d->real_time.period_ns = 40000000;
    topology.network.policy = VMM_POLICY_FIFO;
    assert_int_equal(vmm_claims_of(&topology, 900000, c, index), 4);
    assert_int_equal(c[0].real_time_ppm, 325000); /* (90 - 25) / 2 */
    assert_int_equal(c[1].real_time_ppm, 250000);
    assert_int_equal(c[2].real_time_ppm, 500000); /* and its main loop a quarter */
    assert_int_equal(index[2], 3);
    assert_int_equal(c[3].real_time_ppm, 325000);
    assert_string_equal(c[3].node, "network");
    assert_int_equal(index[3], VMM_NODES_MAX);
}

static void quota_is_the_share(void **state)
{
    (void)state;
    struct vmm_claim c[VMM_NODES_MAX + 1];
    size_t index[VMM_NODES_MAX + 1];
    memset(&topology, 0, sizeof topology);
    struct vmm_node *n = node("a", VMM_POLICY_FIFO);
    n->vcpus = 2;
    n->share.quota_percent = 60;
    n->share.cpus = 2;
    n->real_time.pin = true;
    assert_int_equal(vmm_claims_of(&topology, 900000, c, index), 1);
    assert_int_equal(c[0].real_time_ppm, 300000);
    assert_false(c[0].chosen);
    n->share.cpus = 0;
    vmm_claims_of(&topology, 900000, c, index);
    assert_true(c[0].chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admission),          cmocka_unit_test(available_memory),
        cmocka_unit_test(group_share),        cmocka_unit_test(open_shares),
        cmocka_unit_test(quota_is_the_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
