/*
 * test_examples.c SOURCE - each topology in configs/ is read as it is, its files are found, its
 * traces are traces, and it says what its first line claims.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology/resolve.h"
#include "topology/topology.h"
#include "vlink/trace.h"

static const char *source;

static const struct example {
    const char *name; /* of the file and the slice */
    size_t n_nodes, n_links;
    const char *parent, *result; /* the node, "": none */
} examples[] = {
    { "two-path", 2, 2, "", "player" },     { "process", 2, 2, "", "player" },
    { "four-systems", 4, 1, "", "cloud" },  { "carrier", 0, 1, "", "" },
    { "slice-a", 2, 1, "carrier", "near" }, { "slice-b", 2, 1, "carrier", "near" },
    { "relayed", 3, 3, "", "player" },      { "programmed", 2, 1, "", "near" },
    { "real-time", 2, 1, "", "worker" },
};

static void check_trace(const char *path)
{
    static char text[1 << 20];
    struct vlink_trace trace;
    char why[256];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    if (vlink_trace_parse(&trace, text, len, why, sizeof why) < 0)
        fail_msg("%s: %s", path, why);
    assert_int_equal(trace.ms[trace.n - 1], 30000);
    assert_in_range(vlink_trace_mean_bps(&trace), 900000, 1200000);
    vlink_trace_fini(&trace);
}

static void check_traces(const struct vmm_topology *t)
{
    for (size_t i = 0; i < t->n_links; i++)
        for (size_t j = 0; j < t->link[i].n_up; j++)
            if (strcmp(t->link[i].up[j].key, "trace") == 0)
                check_trace(t->link[i].up[j].value);
}

static void check_example(const struct example *e)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];
    const char *result = "";
    struct vmm_topology *t;
    snprintf(path, sizeof path, "%s/configs/%s.yaml", source, e->name);
    if (vmm_topology_read(&t, path, NULL, 0, why, sizeof why) < 0 ||
        vmm_topology_resolve(t, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_string_equal(t->name, e->name);
    assert_string_equal(t->parent, e->parent);
    assert_int_equal(t->n_nodes, e->n_nodes);
    assert_int_equal(t->n_links, e->n_links);
    for (size_t i = 0; i < t->n_nodes; i++)
        if (t->node[i].result)
            result = t->node[i].name;
    assert_string_equal(result, e->result);
    check_traces(t);
    vmm_topology_free(t);
}

static void test_each(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        check_example(&examples[i]);
}

/* A topology that nobody has in the table above. */
static void test_none_is_left_out(void **state)
{
    char pattern[VMM_PATH_MAX], why[VMM_WHY_MAX];
    glob_t found;
    size_t topologies = 0;
    (void)state;
    snprintf(pattern, sizeof pattern, "%s/configs/*.yaml", source);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct vmm_topology *t;
        topologies += vmm_topology_read(&t, found.gl_pathv[i], NULL, 0, why, sizeof why) == 0;
        vmm_topology_free(t);
    }
    globfree(&found);
    assert_int_equal(topologies, sizeof examples / sizeof *examples);
}

/* A child that says what its parent has: the carrier's file and its children fit together. */
static void test_children_fit(void **state)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];
    struct vmm_topology *parent, *child;
    (void)state;
    snprintf(path, sizeof path, "%s/configs/carrier.yaml", source);
    assert_int_equal(vmm_topology_read(&parent, path, NULL, 0, why, sizeof why), 0);
    for (char which = 'a'; which <= 'b'; which++) {
        snprintf(path, sizeof path, "%s/configs/slice-%c.yaml", source, which);
        assert_int_equal(vmm_topology_read(&child, path, NULL, 0, why, sizeof why), 0);
        assert_string_equal(child->parent, parent->name);
        assert_int_equal(vmm_topology_link(parent, child->link[0].inherits), 0);
        assert_int_equal(child->link[0].weight, which == 'a' ? 3 : 1);
        vmm_topology_free(child);
    }
    vmm_topology_free(parent);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_none_is_left_out),
        cmocka_unit_test(test_children_fit),
    };
    assert_int_equal(argc, 2);
    source = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
