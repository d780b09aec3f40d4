/*
 * test_match.c SOURCE - needs and the system each gets, with the sentence, as a table over made-up
 * figures; the installed file and its four answers; figures of this host kept and read again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "systems/match.h"

#define MS UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

static const char *source;
static char folder[] = "/tmp/test_match.XXXXXX";

/* As in the reference file, and one that nobody has measured. */
static const struct vmm_systems made_up = {
    .host_arch = "amd64",
    .n = 5,
    .system = {
        { .name = "cloud", .arch = "amd64", .files = true, .qemu = "q",
          .figures = { 3400 * MS, 1800000, "fifo", 1320000, 206 * MIB, "", false } },
        { .name = "rt", .arch = "amd64", .files = true, .qemu = "q",
          .figures = { 3900 * MS, 600000, "fifo", 1400000, 233 * MIB, "", false } },
        { .name = "arm64", .arch = "arm64", .files = true, .qemu = "q",
          .figures = { 3000 * MS, 2000000, "", 1500000, 169 * MIB, "", false } },
        { .name = "metal", .arch = "amd64", .only = "tvl-echo", .qemu = "q",
          .figures = { 150 * MS, 300000, "", 250000, 39 * MIB, "", false } },
        { .name = "new", .arch = "riscv64", .files = true, .qemu = "q" },
    },
};

static const struct row {
    const char *need[4];
    const char *program;
    const char *chosen;   /* "": none */
    const char *sentence; /* "": not compared */
} rows[] = {
    { { "wake_latency=1ms" },
      NULL,
      "rt",
      "rt: wake p99 under fifo 0.6 ms <= 1 ms; not cloud: wake p99 under fifo 1.8 ms > 1 ms; not "
      "arm64: "
      "wake p99 2 ms > 1 ms; rather than metal: runs this host's programs; not new: wake p99 not "
      "measured" },
    { { "boot=500ms" },
      NULL,
      "metal",
      "metal: boot 150 ms <= 500 ms; not cloud: boot 3.4 s > 500 ms; not rt: boot 3.9 s > 500 ms; "
      "not "
      "arm64: boot 3 s > 500 ms; not new: boot not measured" },
    { { "arch=arm64" },
      NULL,
      "arm64",
      "arm64: arch arm64; not cloud: arch amd64; not rt: arch amd64; not metal: arch amd64; not "
      "new: arch "
      "riscv64" },
    { { "files=true" },
      NULL,
      "cloud",
      "cloud: has files; rather than rt: takes less memory; rather than arm64: runs this host's "
      "programs; not metal: has no files; rather than new: runs this host's programs" },
    { { NULL },
      NULL,
      "cloud",
      "cloud: nothing is asked for; rather than rt: takes less memory; rather than arm64: runs "
      "this "
      "host's programs; rather than metal: runs this host's programs; rather than new: runs this "
      "host's programs" },
    { { "wake_latency=0.5ms" }, NULL, "metal", "" },
    { { "wake_latency=2ms" }, NULL, "cloud", "" },
    { { "wake_latency=600us" }, NULL, "rt", "" }, /* exactly: satisfied */
    { { "memory=200M" }, NULL, "metal", "" },
    { { "memory=200M", "files=no" }, NULL, "metal", "" },
    { { "memory=200M" }, "svc-server", "arm64", "" },
    { { "arch=riscv64", "files=true" }, NULL, "new", "" },
    /* what shall run there matters */
    { { "boot=500ms" }, "/x/tvl-echo", "metal", "" },
    { { "boot=500ms" }, "svc-server", "", "none satisfies; nearest is arm64: boot 3 s > 500 ms" },
    /* none */
    { { "wake_latency=1us" },
      NULL,
      "",
      "none satisfies; nearest is metal: wake p99 0.3 ms > 1 us" },
    { { "wake_latency=1ms", "boot=1s", "files=true" },
      NULL,
      "",
      "none satisfies; nearest is rt: boot 3.9 s > 1 s" },
    { { "wake_latency=1ms", "boot=1s", "files=true", "arch=riscv64" }, NULL, "", "" },
    { { "arch=sparc" }, NULL, "", "none satisfies; nearest is cloud: arch amd64" },
};

static void parse(struct vmm_need *need, const char *const *texts)
{
    char why[256];
    *need = (struct vmm_need){ 0 };
    for (size_t i = 0; i < 4 && texts[i]; i++)
        if (vmm_need_parse(need, texts[i], why, sizeof why) < 0)
            fail_msg("%s: %s", texts[i], why);
}

static void check_row(const struct vmm_systems *s, const struct row *r)
{
    struct vmm_need need;
    struct vmm_choice c;
    parse(&need, r->need);
    vmm_match(&c, s, &need, r->program);
    const char *chosen = c.chosen < 0 ? "" : s->system[c.chosen].name;
    if (strcmp(chosen, r->chosen) != 0)
        fail_msg("%s: %s", r->need[0] ? r->need[0] : "nothing", c.sentence);
    if (r->sentence[0])
        assert_string_equal(c.sentence, r->sentence);
    if (c.chosen >= 0) {
        assert_true(c.candidate[c.chosen].fits);
        assert_int_equal(c.nearest, c.chosen);
    }
    assert_null(strchr(c.sentence, '\n'));
}

static void test_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&made_up, &rows[i]);
}

static void test_host_matters(void **state)
{
    struct vmm_systems other = made_up;
    struct vmm_choice c;
    const struct vmm_need files = { .any = true, .files = true };
    (void)state;
    strcpy(other.host_arch, "arm64");
    vmm_match(&c, &other, &files, NULL);
    assert_string_equal(other.system[c.chosen].name, "arm64");
    other.n = 0;
    vmm_match(&c, &other, &files, NULL);
    assert_int_equal(c.chosen, -1);
    assert_string_equal(c.sentence, "no system is registered");
}

static void test_bad_needs(void **state)
{
    static const char *const bads[][2] = {
        { "wake_latency", "\"wake_latency\" is not KEY=VALUE, as in wake_latency=1ms" },
        { "=1ms", "\"=1ms\" is not KEY=VALUE, as in wake_latency=1ms" },
        { "wake=1ms",
          "unknown key \"wake\"; the keys of a need are wake_latency, boot, memory, arch or "
          "files" },
        { "boots=1ms", "unknown key \"boots\" (did you mean boot?)" },
        { "boot=1", "boot takes a time like 40ms [1 ms, 600 s], not \"1\"" },
        { "boot=", "boot takes a time like 40ms [1 ms, 600 s], not \"\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct vmm_need need = { 0 };
        char why[256];
        assert_int_equal(vmm_need_parse(&need, bads[i][0], why, sizeof why), -1);
        assert_string_equal(why, bads[i][1]);
        assert_false(need.any);
    }
}

/* ---- nodes of a topology ---- */

static struct vmm_topology *topology(const char *system, const char *program)
{
    struct vmm_topology *t = calloc(1, sizeof *t);
    assert_non_null(t);
    strcpy(t->file, "f.yaml");
    t->n_nodes = 1;
    strcpy(t->node[0].name, "a");
    strcpy(t->node[0].system, system);
    t->node[0].line = 3;
    if (program) {
        t->node[0].run[0] = strdup(program);
        t->node[0].n_run = 1;
    }
    return t;
}

static void test_nodes(void **state)
{
    static const struct {
        const char *system, *program, *chosen, *why;
    } nodes[] = {
        { "rt", "x", "rt", "" },
        { "metal", "/bin/tvl-echo", "metal", "" },
        { "metal", NULL, "metal", "" },
        { "metal", "program:tvl-echo", "metal", "" },
        { "", "x", "cloud", "" },
        { "metal", "svc-server", "", "f.yaml:3: node a: metal runs only tvl-echo, not svc-server" },
        { "clout", "x", "", "f.yaml:3: node a: no system \"clout\" (did you mean cloud?)" },
        { "hurd", "x", "", "f.yaml:3: node a: no system \"hurd\"; vmm-shim match lists them" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        struct vmm_topology *t = topology(nodes[i].system, nodes[i].program);
        char why[VMM_WHY_MAX] = "";
        int at = vmm_match_node(&made_up, t, 0, NULL, why, sizeof why);
        assert_string_equal(at < 0 ? "" : made_up.system[at].name, nodes[i].chosen);
        assert_string_equal(why, nodes[i].why);
        vmm_topology_free(t);
    }
    struct vmm_topology *t = topology("", NULL);
    char why[VMM_WHY_MAX];
    struct vmm_choice c;
    t->node[0].need = (struct vmm_need){ .any = true, .boot_ns = 1 };
    assert_int_equal(vmm_match_node(&made_up, t, 0, &c, why, sizeof why), -1);
    assert_string_equal(why,
                        "f.yaml:3: node a: none satisfies; nearest is metal: boot 150 ms > 0.001 "
                        "us");
    /* A figure under a policy is worth nothing without it. */
    static const char advice[] = "; that holds with real_time: {policy: fifo, guest: true}";
    t->node[0].need = (struct vmm_need){ .any = true, .wake_latency_ns = 1000000 };
    assert_int_equal(vmm_match_node(&made_up, t, 0, &c, why, sizeof why), 1);
    assert_non_null(strstr(c.sentence, advice));
    t->node[0].real_time.policy = VMM_POLICY_DEADLINE;
    assert_int_equal(vmm_match_node(&made_up, t, 0, &c, why, sizeof why), 1);
    assert_null(strstr(c.sentence, advice));
    vmm_topology_free(t);
}

/* ---- files ---- */

static struct vmm_systems *read_installed(void)
{
    struct vmm_systems *s;
    char why[VMM_WHY_MAX];
    if (vmm_systems_read(&s, NULL, why, sizeof why) < 0)
        fail_msg("%s", why);
    return s;
}

static void test_installed_answers(void **state)
{
    static const struct row four[] = {
        { { "wake_latency=1ms" }, NULL, "rt", "" },
        { { "boot=500ms" }, NULL, "metal", "" },
        { { "arch=arm64" }, NULL, "arm64", "" },
        { { "files=true" }, NULL, "cloud", "" },
    };
    struct vmm_systems *s = read_installed();
    (void)state;
    strcpy(s->host_arch, "amd64");
    for (size_t i = 0; i < sizeof four / sizeof *four; i++)
        check_row(s, &four[i]);
    for (size_t i = 0; i < s->n; i++)
        assert_false(s->system[i].figures.here);
    free(s);
}

static void test_figures_of_this_host(void **state)
{
    const struct vmm_figures first = { .boot_ns = 4000 * MS,
                                       .memory_bytes = 300 * MIB,
                                       .source = "this \"host\\\n, TCG" };
    const struct vmm_figures second = { .wake_p99_ns = 777, .policy = "deadline" };
    char why[VMM_WHY_MAX], path[128];
    (void)state;
    assert_int_equal(vmm_systems_keep("rt", &first, why, sizeof why), 0);
    assert_int_equal(vmm_systems_keep("cloud", &first, why, sizeof why), 0);
    assert_int_equal(vmm_systems_keep("rt", &second, why, sizeof why), 0);
    assert_int_equal(vmm_systems_keep("hurd", &first, why, sizeof why), -1);
    assert_string_equal(why, "no system \"hurd\"");
    struct vmm_systems *s = read_installed();
    const struct vmm_figures *f = &s->system[vmm_systems_find(s, "rt")].figures;
    assert_int_equal(f->boot_ns, 4000 * MS);
    assert_int_equal(f->wake_p99_ns, 777);
    assert_int_equal(f->memory_bytes, 300 * MIB);
    assert_int_equal(f->round_trip_ns, 680000); /* the reference's: not measured here */
    assert_string_equal(f->policy, "deadline");
    assert_string_equal(f->source, "this host, TCG");
    assert_true(f->here);
    f = &s->system[vmm_systems_find(s, "cloud")].figures;
    assert_true(f->here);
    assert_int_equal(f->wake_p99_ns, 1840000); /* the reference's, with its policy */
    assert_string_equal(f->policy, "fifo");
    assert_false(s->system[vmm_systems_find(s, "metal")].figures.here);
    free(s);
    snprintf(path, sizeof path, "%s/sub/systems.yaml", folder);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/sub", folder);
    assert_int_equal(rmdir(path), 0); /* nothing else was left */
}

static void test_bad_files(void **state)
{
    static const char *const bads[][2] = {
        { "systems: []\n", "1: systems takes a map of systems, as NAME: {KEY: VALUE}, not a list" },
        { "systems:\n  a: {arch: amd64}\n", "2: system a: qemu is missing" },
        { "systems:\n  a: {qemu: q}\n", "2: system a: arch is missing" },
        { "systems:\n  A: {}\n",
          "2: a system's name has at most 15 of a-z, 0-9 and -, unlike \"A\"" },
        { "systems:\n  a:\n    figures: {boot: 3}\n",
          "3: system a: boot takes a time like 40ms [1 us, 600 s], not \"3\"" },
        { "systems:\n  a:\n    title: \"\"\n",
          "3: system a: title takes a text of 1 to 95 bytes, not "
          "\"\"" },
        { "nodes: {}\n", "1: unknown key \"nodes\"; the keys of a list of systems are systems" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        char path[128], why[VMM_WHY_MAX];
        struct vmm_systems *s;
        snprintf(path, sizeof path, "%s/s.yaml", folder);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(bads[i][0], f);
        fclose(f);
        assert_int_equal(vmm_systems_read(&s, path, why, sizeof why), -1);
        assert_string_equal(why + strlen(path) + 1, bads[i][1]);
        unlink(path);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_host_matters),
        cmocka_unit_test(test_bad_needs),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_installed_answers),
        cmocka_unit_test(test_figures_of_this_host),
        cmocka_unit_test(test_bad_files),
    };
    char path[128];
    assert_int_equal(argc, 2);
    source = argv[1];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sub", folder);
    setenv("VMM_SHIM_CACHE", path, 1); /* made by the first that keeps */
    snprintf(path, sizeof path, "%s/configs", source);
    setenv("VMM_SHIM_DATA", path, 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
