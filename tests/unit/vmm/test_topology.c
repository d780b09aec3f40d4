/*
 * test_topology.c - topology files as a table: good ones and what is read of them, bad ones with
 * the line and the words of the error. Each bad one differs from a good one in what is wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topology/resolve.h"
#include "topology/topology.h"

static char folder[] = "/tmp/test_topology.XXXXXX";

/* Writes `text` as FOLDER/name and reads it; the error is without the folder. */
static int read_text(struct vmm_topology **t, const char *name, const char *text,
                     const struct vmm_variable *vars, size_t n_vars, char why[VMM_WHY_MAX])
{
    char path[256], said[VMM_WHY_MAX] = "";
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    int done = vmm_topology_read(t, path, vars, n_vars, said, sizeof said);
    strcpy(why, strncmp(said, folder, strlen(folder)) == 0 ? said + strlen(folder) + 1 : said);
    unlink(path);
    assert_int_equal(*t != NULL, done == 0);
    return done;
}

static struct vmm_topology *read_good(const char *text)
{
    struct vmm_topology *t;
    char why[VMM_WHY_MAX];
    if (read_text(&t, "good.yaml", text, NULL, 0, why) < 0)
        fail_msg("%s\nof:\n%s", why, text);
    return t;
}

/* ---- what is refused ---- */

#define NODES "nodes:\n  a: {}\n  b: {}\n"
#define NODE(keys) "nodes:\n  a:\n    " keys "\n"
#define LINK(keys) NODES "links:\n  l:\n    between: [a, b]\n    " keys "\n"

static const struct bad {
    const char *text, *why;
} bads[] = {
    /* YAML itself */
    { "nodes: [\n", "x.yaml:2: not YAML: did not find expected node content while parsing a flow "
                    "node" },
    { "a: b: c\n", "x.yaml:1: not YAML: mapping values are not allowed in this context" },
    { "- a\n", "x.yaml:1: a topology is a map: nodes: ..., links: ..." },
    { NODES "---\n" NODES, "x.yaml:4: a second document: one file is one document" },
    { NODES "nodes: {}\n", "x.yaml:4: \"nodes\" is there twice, first in line 1" },
    { "nodes:\n  a: {}\n  a: {}\n", "x.yaml:3: \"a\" is there twice, first in line 2" },
    { "? [a]\n: b\n", "x.yaml:1: a key must be a text" },
    { "nodes: {a: &x {}, b: *y}\n", "x.yaml:1: *y refers to nothing before it" },
    { "nodes: &x {a: *x}\n", "x.yaml:1: *x refers to nothing before it" },
    { "nodes:\n  a:\n    <<: 3\n", "x.yaml:3: << takes a map or a list of maps" },
    { "nodes: {a: {run: \"a\\0b\"}}\n", "x.yaml:1: a NUL in a text" },
    { "nodes: [[[[[[[[[[[[[[]]]]]]]]]]]]]]\n", "x.yaml:1: maps and lists more than 12 deep" },
    /* variables */
    { "name: ${NOT_SET_ANYWHERE}\n", "x.yaml:1: ${NOT_SET_ANYWHERE} is not set: give "
                                     "NOT_SET_ANYWHERE=VALUE, or a default as in "
                                     "${NOT_SET_ANYWHERE:-value}" },
    { "name: ${A\n", "x.yaml:1: \"${A\" has no closing brace" },
    { "name: ${A-b}\n", "x.yaml:1: \"${A-b}\" is neither ${NAME} nor ${NAME:-default}" },
    { "name: ${}\n", "x.yaml:1: \"${}\" is neither ${NAME} nor ${NAME:-default}" },
    { "name: ${NOT_SET:-Big}\n",
      "x.yaml:1: name takes a name of at most 15 of a-z, 0-9 and -, not \"Big\"" },
    /* the whole */
    { "", "x.yaml:1: there are neither nodes nor links" },
    { "node: {}\n", "x.yaml:1: unknown key \"node\" (did you mean nodes?)" },
    { "quux: {}\n",
      "x.yaml:1: unknown key \"quux\"; the keys of a topology are name, parent, user, "
      "seed, network, nodes or links" },
    { "nodes: 3\n", "x.yaml:1: nodes takes a map of nodes, as NAME: {KEY: VALUE}, not \"3\"" },
    { "links: []\n", "x.yaml:1: links takes a map of links, as NAME: {KEY: VALUE}, not a list" },
    { "seed: 0\n", "x.yaml:1: seed takes a whole number [1, 4294967295], not \"0\"" },
    { "seed: 1e3\n", "x.yaml:1: seed takes a whole number [1, 4294967295], not \"1e3\"" },
    { "user: root user\n", "x.yaml:1: user takes the name of a user, not \"root user\"" },
    { "name: sixteen-letters-\n",
      "x.yaml:1: name takes a name of at most 15 of a-z, 0-9 and -, not \"sixteen-letters-\"" },
    { "name: a\nparent: a\nlinks: {l: {inherits: k}}\n",
      "x.yaml:1: the slice is its own parent: give it a name" },
    { "network: {policy: fifo, guest: true, priority: 98}\n" NODES,
      "x.yaml:1: priority takes a whole number [-20, 97], not \"98\"" },
    { "\nnetwork: {policy: deadline}\n" NODES, "x.yaml:2: network: policy: deadline needs budget "
                                               "and period, as in {policy: deadline, budget: "
                                               "10ms, period: 33ms}" },
    /* nodes */
    { "nodes:\n  A: {}\n",
      "x.yaml:2: a node's name has at most 15 of a-z, 0-9 and -, unlike \"A\"" },
    { "nodes:\n  -a: {}\n",
      "x.yaml:2: a node's name has at most 15 of a-z, 0-9 and -, unlike \"-a\"" },
    { "nodes:\n  a:\n", "x.yaml:2: node a: here are the keys of a node expected, as KEY: VALUE" },
    { NODE("memmory: 1M"), "x.yaml:3: node a: unknown key \"memmory\" (did you mean memory?)" },
    { NODE("kind: vm"), "x.yaml:3: node a: kind takes guest, process or namespace, not \"vm\"" },
    { NODE("memory: 128"), "x.yaml:3: node a: memory takes a size like 128M [2M, 1024G], not "
                           "\"128\"" },
    { NODE("memory: 1K"), "x.yaml:3: node a: memory takes a size like 128M [2M, 1024G], not "
                          "\"1K\"" },
    { NODE("memory: 3100K"), "x.yaml:3: node a: memory takes a multiple of 512K" },
    { NODE("memory:"), "x.yaml:3: node a: memory takes a size like 128M [2M, 1024G], not nothing" },
    { NODE("vcpus: 0"), "x.yaml:3: node a: vcpus takes a whole number [1, 16], not \"0\"" },
    { NODE("vcpus: [1]"), "x.yaml:3: node a: vcpus takes a whole number [1, 16], not a list" },
    { NODE("disk: maybe"), "x.yaml:3: node a: disk takes true or false, not \"maybe\"" },
    { NODE("namespace: x"), "x.yaml:3: node a: namespace is only for namespaces" },
    { NODE("interface: tap"), "x.yaml:3: node a: interface is only for processes or namespaces" },
    { NODE("kind: namespace"), "x.yaml:2: node a: namespace is missing: which one of the host?" },
    { NODE("kind: namespace\n    namespace: a/b"),
      "x.yaml:4: node a: namespace takes a name as ip netns shows it, or an absolute path, not "
      "\"a/b\"" },
    { NODE("kind: namespace\n    run: x"),
      "x.yaml:4: node a: run is only for guests or processes" },
    { NODE("kind: process"), "x.yaml:2: node a: run is missing: which command?" },
    { NODE("kind: process\n    memory: 1G"), "x.yaml:4: node a: memory is only for guests" },
    { NODE("kind: process\n    run: x\n    interface: wire"),
      "x.yaml:5: node a: interface takes tap or veth, not \"wire\"" },
    { NODE("system: cloud\n    need: {boot: 1s}"),
      "x.yaml:4: node a: system and need exclude each other" },
    { NODE("need: {wake-latency: 1ms}"),
      "x.yaml:3: node a: unknown key \"wake-latency\" (did you mean wake_latency?)" },
    { NODE("need: {wake_latency: 1}"),
      "x.yaml:3: node a: wake_latency takes a time like 40ms [1 us, 10 s], not \"1\"" },
    { NODE("need: 1ms"),
      "x.yaml:3: node a: need takes what the guest needs, as {wake_latency: 1ms}, "
      "not \"1ms\"" },
    { NODE("run: \"\""),
      "x.yaml:3: node a: run takes a command, as a list of words or one line, not "
      "\"\"" },
    { NODE("run: []"),
      "x.yaml:3: node a: run takes a command, as a list of words or one line, not a "
      "list" },
    { NODE("run: [a, [b]]"), "x.yaml:3: node a: run: a word must be a text" },
    { NODE("run: a 'b"), "x.yaml:3: node a: run: a ' is not closed" },
    { NODE("result: true"), "x.yaml:3: node a: result is only for a node with run" },
    { NODE("after_all: yes"), "x.yaml:3: node a: after_all is only for a node with run" },
    { NODE("files: x"), "x.yaml:3: node a: files takes a list of files, not \"x\"" },
    { NODE("files: [x, {form: y}]"),
      "x.yaml:3: node a: unknown key \"form\" (did you mean from?)" },
    { NODE("files:\n    - {to: /y}"),
      "x.yaml:4: node a: from is missing: which file of the host?" },
    { NODE("files: [{from: x, to: y}]"), "x.yaml:3: node a: to takes an absolute path of a file, "
                                         "without .. in it, not \"y\"" },
    { NODE("files: [{from: x, to: /a/../../y}]"),
      "x.yaml:3: node a: to takes an absolute path of a file, without .. in it, not "
      "\"/a/../../y\"" },
    { NODE("files: [{from: x, to: /..}]"), "x.yaml:3: node a: to takes an absolute path of a file, "
                                           "without .. in it, not \"/..\"" },
    { NODE("files: [x/]"), "x.yaml:3: node a: \"x/\" is no name of a file, program:NAME or "
                           "media:NAME" },
    { NODE("files: [\"program:\"]"), "x.yaml:3: node a: \"program:\" is no name of a file, "
                                     "program:NAME or media:NAME" },
    { NODE("files:\n    - c/x\n    - d/x"),
      "x.yaml:5: node a: /x is there twice, first by line 4" },
    /* real time, share */
    { NODE("real_time: {policy: rr}"),
      "x.yaml:3: node a: policy takes none, nice, fifo or deadline, not \"rr\"" },
    { NODE("vcpus: 1\n    real_time: {policy: fifo, priority: -1}"),
      "x.yaml:4: node a: priority of policy: fifo takes 1 to 97" },
    { NODE("real_time: {policy: nice, priority: 20}"),
      "x.yaml:3: node a: priority of policy: nice takes -20 to 19" },
    { NODE("real_time: {priority: 20}"),
      "x.yaml:3: node a: priority is only for policy: fifo or nice" },
    { NODE("real_time: {policy: fifo, budget: 10ms}"),
      "x.yaml:3: node a: policy: fifo takes budget and period together, or neither" },
    { NODE("real_time: {policy: nice, budget: 10ms}"),
      "x.yaml:3: node a: budget and period are only for policy: deadline or fifo" },
    { NODE("real_time: {policy: deadline, budget: 10ms, period: 5ms}"),
      "x.yaml:3: node a: the budget is longer than the period" },
    { NODE("real_time: {policy: deadline, budget: 10ms, period: 5s}"),
      "x.yaml:3: node a: period takes a time like 40ms [0.1 ms, 4 s], not \"5s\"" },
    { NODE("kind: process\n    run: x\n    real_time: {guest: true}"),
      "x.yaml:5: node a: guest is only for guests" },
    { NODE("share: {quota: 50}"),
      "x.yaml:3: node a: quota takes percent like 50% [1%, 6400%], not \"50\"" },
    { NODE("share: {weight: 0}"),
      "x.yaml:3: node a: weight takes a whole number [1, 10000], not \"0\"" },
    { NODE("share: {cpus: 3-1}"), "x.yaml:3: node a: cpus takes numbers of CPUs as [0, 2] or 0-1,3 "
                                  "[0, 63], not \"3-1\"" },
    { NODE("share: {cpus: [64]}"),
      "x.yaml:3: node a: cpus takes numbers of CPUs as [0, 2] or 0-1,3 "
      "[0, 63], not a list" },
    { NODE("memory: 128M\n    share: {memory: 128M}"),
      "x.yaml:4: node a: share.memory is the limit of RAM and QEMU together: give more than "
      "memory" },
    /* links */
    { NODES "links:\n  l: {between: [a, c]}\n",
      "x.yaml:5: link l: between: no node \"c\"; the nodes are a or b" },
    { NODES "links:\n  l: {between: [a, cellar]}\n",
      "x.yaml:5: link l: between: no node \"cellar\"; the nodes are a or b" },
    { "links:\n  l: {between: [a, b]}\n",
      "x.yaml:2: link l: between: no node \"a\"; there is none" },
    { NODES "links:\n  l: {between: [a]}\n",
      "x.yaml:5: link l: between takes a list of two or more nodes, not a list" },
    { NODES "links:\n  l: {between: [a, a]}\n", "x.yaml:5: link l: between: a is there twice" },
    { NODES "links:\n  a_b: {}\n",
      "x.yaml:5: a link's name has at most 15 of a-z, 0-9 and -, unlike \"a_b\"" },
    { LINK("rate: 3mb"),
      "x.yaml:7: link l: rate takes a rate like 3mbit, or unlimited, not \"3mb\"" },
    { LINK("rate: 0"), "x.yaml:7: link l: rate takes a rate like 3mbit, or unlimited, not \"0\"" },
    { LINK("delay: 40"), "x.yaml:7: link l: delay takes a time like 40ms, not \"40\"" },
    { LINK("loss: 5"), "x.yaml:7: link l: loss takes a share like 0.5%, not \"5\"" },
    { LINK("loss: {a: b}"), "x.yaml:7: link l: loss takes a share like 0.5%, not keys" },
    { LINK("state: off"), "x.yaml:7: link l: state takes up or down, not \"off\"" },
    { LINK("up: down"),
      "x.yaml:7: link l: up takes keys of one direction, as in up: {rate: 3mbit}; a "
      "link that is down: \"state: down\"" },
    { LINK("up: {rate: 1mbit, wieght: 3}"),
      "x.yaml:7: link l: unknown key \"wieght\"; the keys of a direction are rate, trace, delay, "
      "jitter, loss, ge, queue, reorder, duplicate, overhead or state" },
    { LINK("up: {loss: 120%}"), "x.yaml:7: link l: loss takes a share like 0.5%, not \"120%\"" },
    { LINK("trace: t.mm\n    rate: 1mbit"), "x.yaml:8: link l: rate and trace exclude each other" },
    { LINK("rate: 1mbit\n    down:\n      trace: t.mm"),
      "x.yaml:9: link l: rate and trace exclude each other" },
    { LINK("trace: \"\""), "x.yaml:7: link l: trace takes the name of a file in Mahimahi's format, "
                           "not \"\"" },
    { LINK("both: {rate: 1mbit}"), "x.yaml:7: link l: unknown key \"both\"; what holds in both "
                                   "directions stands at the link itself" },
    { LINK("subnet: 10.0.0.0/16"),
      "x.yaml:7: link l: subnet takes an IPv4 network like 10.77.0.0/24, "
      "not \"10.0.0.0/16\"" },
    { LINK("subnet: 10.0.0.1/24"),
      "x.yaml:7: link l: subnet takes an IPv4 network like 10.77.0.0/24, "
      "not \"10.0.0.1/24\"" },
    { LINK("subnet: 10.77.1.0/24\n  m:\n    between: [a, b]"),
      "x.yaml:8: link m: its subnet is that of link l, too" },
    { LINK("argument: 30"), "x.yaml:5: link l: argument is only for a link with a program" },
    { LINK("program: x.so\n    argument: []"),
      "x.yaml:8: link l: argument takes a text of 1 to 255 bytes, not a list" },
    { LINK("inherits: up"), "x.yaml:5: link l: inherits is only for a slice with a parent" },
    { LINK("weight: 2"), "x.yaml:5: link l: weight is only for a link that inherits" },
    { "parent: p\n" LINK("rate: 1mbit"),
      "x.yaml:6: link l: inherits is missing: which link of p carries it?" },
    { "parent: p\n" LINK("inherits: k\n    weight: 0"),
      "x.yaml:9: link l: weight takes a whole number [1, 1000], not \"0\"" },
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct vmm_topology *t;
        char why[VMM_WHY_MAX];
        if (read_text(&t, "x.yaml", bads[i].text, NULL, 0, why) == 0)
            fail_msg("accepted:\n%s", bads[i].text);
        if (strcmp(why, bads[i].why) != 0)
            fail_msg("of:\n%s\nsaid:     %s\nexpected: %s", bads[i].text, why, bads[i].why);
    }
}

/* ---- bounds that need longer texts ---- */

static void refuse_repeated(const char *before, const char *format, int times, const char *after,
                            const char *expected)
{
    size_t size = 400000, at = 0;
    char *text = malloc(size), why[VMM_WHY_MAX];
    struct vmm_topology *t;
    assert_non_null(text);
    at += (size_t)snprintf(text, size, "%s", before);
    for (int i = 0; i < times; i++) {
        char one[64];
        snprintf(one, sizeof one, "%d", i);
        const char *hash = strchr(format, '#');
        at += (size_t)snprintf(text + at, size - at, "%.*s%s%s",
                               hash ? (int)(hash - format) : (int)strlen(format), format,
                               hash ? one : "", hash ? hash + 1 : "");
        assert_true(at < size - 100);
    }
    snprintf(text + at, size - at, "%s", after);
    if (read_text(&t, "x.yaml", text, NULL, 0, why) == 0)
        fail_msg("accepted %d of %s", times, format);
    assert_string_equal(why, expected);
    free(text);
}

static void test_bounds(void **state)
{
    (void)state;
    refuse_repeated("nodes:\n", "  n#: {}\n", 33, "", "x.yaml:34: more than 32 nodes");
    refuse_repeated("links:\n", "  n#: {}\n", 33, "", "x.yaml:34: more than 32 links");
    refuse_repeated("nodes:\n  a:\n    run:\n", "    - w\n", 65, "",
                    "x.yaml:68: node a: a command of more than 64 words");
    refuse_repeated("nodes: {a: {run: ", "w ", 65, "}}",
                    "x.yaml:1: node a: a command of more than 64 words");
    refuse_repeated("nodes:\n  a:\n    files:\n", "    - f#\n", 33, "",
                    "x.yaml:36: node a: more than 32 files");
    refuse_repeated("name: \"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 128, "\"\n",
                    "x.yaml:1: a text longer than 4095 bytes");
    refuse_repeated("name: ${NOT_SET:-b}", "${NOT_SET:-aaaaaaaaaaaaaaaaaaaa}", 120, "\n",
                    "x.yaml:1: name takes a name of at most 15 of a-z, 0-9 and -, not "
                    "\"baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
    refuse_repeated("a: [", "1,", 8300, "]\n",
                    "x.yaml:1: more than 8192 values, what aliases stand for counted");
    refuse_repeated("a: [", "&x# 1,", 65, "]\n", "x.yaml:1: more than 64 anchors");
    refuse_repeated("#", "0123456789012345678901234567890123456789", 6600, "\n",
                    "x.yaml: larger than 256 KiB");
    refuse_repeated("l0: &l0 [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n"
                    "l1: &l1 [*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0,*l0]\n"
                    "l2: &l2 [*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1,*l1]\n"
                    "l3: &l3 [*l2,*l2,*l2,*l2,*l2,*l2,*l2,*l2,*l2,*l2,*l2]\n",
                    "", 0, "", "x.yaml:4: more than 8192 values, what aliases stand for counted");
}

/* ---- what is read ---- */

static const char whole[] = "name: show\n"
                            "user: media\n"
                            "seed: 7\n"
                            "network: {policy: fifo}\n"
                            "links: # before the nodes they name\n"
                            "  lte:\n"
                            "    between: [server, player]\n"
                            "    up: {rate: 1mbit, state: up}\n"
                            "    state: down\n"
                            "    rate: 3mbit\n"
                            "    delay: 40ms\n"
                            "  wifi:\n"
                            "    between: [player, server, out]\n"
                            "    trace: traces/wifi.mm\n"
                            "    subnet: 192.168.7.0/24\n"
                            "    program: drop.so\n"
                            "    argument: 10:500\n"
                            "nodes:\n"
                            "  server:\n"
                            "    system: cloud\n"
                            "    memory: 1.5G\n"
                            "    vcpus: 2\n"
                            "    files: [media:clip.ivf, program:svc-server, /etc/hostname,\n"
                            "            {from: a/b.txt, to: /c/d}]\n"
                            "    disk: yes\n"
                            "    run: svc-server --name 'a b' \"\"c\n"
                            "    real_time: {policy: deadline, budget: 10ms, period: 33ms, pin: "
                            "true, lock_memory: on, guest: on}\n"
                            "    share: {weight: 300, quota: 150%, cpus: '0-1,3', memory: 2G}\n"
                            "  player:\n"
                            "    kind: process\n"
                            "    run: [svc-player, --json, '']\n"
                            "    result: true\n"
                            "    after_all: true\n"
                            "    interface: veth\n"
                            "    real_time: {policy: nice, priority: -5}\n"
                            "    share: {cpus: [0, 2]}\n"
                            "  out: {kind: namespace, namespace: /proc/1/ns/net}\n"
                            "  any: {need: {wake_latency: 1ms, boot: 500ms, memory: 64M, arch: "
                            "arm64, files: yes}}\n";

static const char *setting(const struct vmm_setting *s, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].key, key) == 0)
            return s[i].value;
    return NULL;
}

static struct vmm_topology *read_whole(void)
{
    return read_good(whole);
}

static void test_nodes(void **state)
{
    (void)state;
    struct vmm_topology *t = read_whole();
    char path[300];
    assert_string_equal(t->name, "show");
    assert_string_equal(t->user, "media");
    assert_int_equal(t->seed, 7);
    assert_int_equal(t->network.policy, VMM_POLICY_FIFO);
    assert_int_equal(t->network.priority, 50);
    assert_int_equal(t->n_nodes, 4);
    const struct vmm_node *n = &t->node[0];
    assert_string_equal(n->name, "server");
    assert_int_equal(n->line, 19);
    assert_int_equal(n->memory_bytes, 1536ull << 20);
    assert_int_equal(n->vcpus, 2);
    assert_int_equal(n->n_files, 4);
    assert_string_equal(n->file[0].from, "media:clip.ivf");
    assert_string_equal(n->file[0].to, "/media/clip.ivf");
    assert_string_equal(n->file[1].to, "/bin/svc-server");
    assert_string_equal(n->file[2].from, "/etc/hostname");
    assert_string_equal(n->file[2].to, "/etc/hostname");
    snprintf(path, sizeof path, "%s/a/b.txt", folder);
    assert_string_equal(n->file[3].from, path);
    assert_string_equal(n->file[3].to, "/c/d");
    assert_int_equal(n->file[3].line, 24);
    assert_true(n->disk && !n->result && !n->after_all);
    assert_int_equal(n->n_run, 4);
    assert_string_equal(n->run[2], "a b");
    assert_string_equal(n->run[3], "c");
    assert_null(n->run[4]);
    assert_int_equal(n->real_time.policy, VMM_POLICY_DEADLINE);
    assert_int_equal(n->real_time.budget_ns, 10000000);
    assert_int_equal(n->real_time.period_ns, 33000000);
    assert_true(n->real_time.pin && n->real_time.lock_memory && n->real_time.guest);
    assert_int_equal(n->share.weight, 300);
    assert_int_equal(n->share.quota_percent, 150);
    assert_int_equal(n->share.cpus, 0xb);
    assert_int_equal(n->share.memory_bytes, 2ull << 30);
    assert_false(n->need.any);
    n = &t->node[1];
    assert_int_equal(n->kind, VMM_PROCESS);
    assert_true(n->result && n->after_all && n->veth);
    assert_int_equal(n->n_run, 3);
    assert_string_equal(n->run[2], "");
    assert_int_equal(n->real_time.priority, -5);
    assert_int_equal(n->share.cpus, 5);
    n = &t->node[2];
    assert_int_equal(n->kind, VMM_NAMESPACE);
    assert_string_equal(n->namespace_, "/proc/1/ns/net");
    n = &t->node[3];
    assert_true(n->need.any && n->need.files);
    assert_int_equal(n->need.wake_latency_ns, 1000000);
    assert_int_equal(n->need.boot_ns, 500000000);
    assert_int_equal(n->need.memory_bytes, 64 << 20);
    assert_string_equal(n->need.arch, "arm64");
    assert_int_equal(n->memory_bytes, 128 << 20);
    assert_int_equal(n->vcpus, 1);
    vmm_topology_free(t);
}

static void test_links(void **state)
{
    (void)state;
    struct vmm_topology *t = read_whole();
    char path[300];
    uint8_t mac[6], other[6];
    assert_int_equal(t->n_links, 2);
    const struct vmm_link *l = &t->link[0];
    assert_string_equal(l->name, "lte");
    assert_int_equal(l->n_ports, 2);
    assert_string_equal(setting(l->up, l->n_up, "rate"), "1mbit");
    assert_string_equal(setting(l->down, l->n_down, "rate"), "3mbit");
    assert_string_equal(setting(l->up, l->n_up, "delay"), "40ms");
    assert_string_equal(setting(l->up, l->n_up, "up"), "");
    assert_null(setting(l->up, l->n_up, "down"));
    assert_string_equal(setting(l->down, l->n_down, "down"), "");
    l = &t->link[1];
    snprintf(path, sizeof path, "%s/traces/wifi.mm", folder);
    assert_string_equal(setting(l->up, l->n_up, "trace"), path);
    snprintf(path, sizeof path, "%s/drop.so", folder);
    assert_string_equal(l->program, path);
    assert_string_equal(l->argument, "10:500");
    assert_int_equal(l->n_ports, 3);
    assert_int_equal(l->port[0], 1);
    /* questions */
    assert_int_equal(vmm_topology_node(t, "player"), 1);
    assert_int_equal(vmm_topology_node(t, "nobody"), -1);
    assert_int_equal(vmm_topology_link(t, "wifi"), 1);
    assert_int_equal(vmm_topology_link(t, "w"), -1);
    assert_int_equal(vmm_topology_port(t, 1, 0), 1);
    assert_int_equal(vmm_topology_port(t, 0, 2), -1);
    assert_int_equal(vmm_topology_address(t, 0, 1), 10u << 24 | 77u << 16 | 2);
    assert_int_equal(vmm_topology_address(t, 1, 2), 192u << 24 | 168u << 16 | 7u << 8 | 3);
    vmm_topology_mac(t, 0, 1, mac);
    assert_int_equal(mac[0] << 16 | mac[1] << 8 | mac[2], 0x525400);
    assert_int_equal(mac[3] << 8 | mac[4], 2);
    t->name[0] = 'x'; /* another slice */
    vmm_topology_mac(t, 0, 1, other);
    assert_memory_equal(mac, other, 5);
    assert_int_not_equal(mac[5], other[5]);
    vmm_topology_free(t);
}

static void test_variables(void **state)
{
    (void)state;
    static const struct vmm_variable vars[] = { { "WHO", "old" },
                                                { "WHO", "alice" },
                                                { "NONE", "" } };
    struct vmm_topology *t;
    char why[VMM_WHY_MAX];
    const char *text = "name: ${WHO}-${NOT_SET:-x}\n"
                       "nodes:\n"
                       "  a: {kind: process, run: 'echo $$HOME $HOME 5$ ${NONE}${NONE:-y} "
                       "${ENV_VALUE}'}\n"
                       "  ${WHO}: {}\n";
    setenv("ENV_VALUE", "b: {c} 'd e'", 1);
    setenv("WHO", "environment", 1);
    /* Keys are no values: the last node's name is refused as it is written. */
    assert_int_equal(read_text(&t, "v.yaml", text, vars, 3, why), -1);
    assert_non_null(strstr(why, "v.yaml:4: a node's name"));
    char *good = strdup(text);
    *strstr(good, "  ${WHO}: {}") = 0;
    assert_int_equal(read_text(&t, "v.yaml", good, vars, 3, why), 0);
    free(good);
    assert_string_equal(t->name, "alice-x");
    static const char *const words[] = { "echo", "$HOME", "$HOME", "5$", "y", "b:", "{c}", "d e" };
    assert_int_equal(t->node[0].n_run, sizeof words / sizeof *words);
    for (size_t i = 0; i < t->node[0].n_run; i++)
        assert_string_equal(t->node[0].run[i], words[i]);
    vmm_topology_free(t);
}

static void test_names_and_merging(void **state)
{
    (void)state;
    struct vmm_topology *t;
    char why[VMM_WHY_MAX];
    const char *text = "nodes:\n"
                       "  a: &a {memory: 64M, vcpus: 2}\n"
                       "  b: &b {vcpus: 3, system: rt}\n"
                       "  c: {<<: *a, vcpus: 4}\n"
                       "  d: {memory: 32M, <<: [*a, *b]}\n";
    assert_int_equal(read_text(&t, "Two_Paths.v2.yaml", text, NULL, 0, why), 0);
    assert_string_equal(t->name, "two-paths");
    assert_int_equal(t->node[2].memory_bytes, 64 << 20);
    assert_int_equal(t->node[2].vcpus, 4);
    assert_int_equal(t->node[3].memory_bytes, 32 << 20);
    assert_int_equal(t->node[3].vcpus, 2);
    assert_string_equal(t->node[3].system, "rt");
    vmm_topology_free(t);
    t = read_good("name: child\nparent: p\nlinks: {l: {inherits: k, weight: 3}}\n");
    assert_string_equal(t->link[0].inherits, "k");
    assert_int_equal(t->link[0].weight, 3);
    assert_int_equal(t->link[0].n_ports, 0);
    vmm_topology_free(t);
    assert_int_equal(vmm_topology_read(&t, "/nowhere/at-all.yaml", NULL, 0, why, sizeof why), -1);
    assert_string_equal(why, "/nowhere/at-all.yaml: No such file or directory");
    assert_int_equal(vmm_topology_read(&t, "/", NULL, 0, why, sizeof why), -1);
    assert_string_equal(why, "/: Is a directory");
}

/* ---- names of files ---- */

static void test_resolve(void **state)
{
    (void)state;
    char why[VMM_WHY_MAX], path[300], program[300], of[64];
    setenv("VMM_SHIM_MEDIA", folder, 1);
    setenv("VMM_SHIM_PATH", folder, 1);
    snprintf(path, sizeof path, "%s/clip.ivf", folder);
    fclose(fopen(path, "w"));
    snprintf(program, sizeof program, "%s/own", folder);
    fclose(fopen(program, "w"));
    chmod(program, 0755);
    struct vmm_topology *t =
        read_good("nodes:\n"
                  "  g: {run: [program:svc-server, --input, media:clip.ivf, media:clip.ivf]}\n"
                  "  p: {kind: process, run: [program:own, media:clip.ivf, plain]}\n"
                  "  q: {kind: process, run: program:env}\n"
                  "  f: {files: [program:sh, media:clip.ivf]}\n"
                  "links: {l: {between: [g, p], down: {trace: clip.ivf}}}\n");
    if (vmm_topology_resolve(t, why, sizeof why) < 0)
        fail_msg("%s", why);
    assert_string_equal(t->node[0].run[0], "svc-server");
    assert_string_equal(t->node[0].run[2], "/media/clip.ivf");
    assert_string_equal(t->node[0].run[3], "/media/clip.ivf");
    assert_int_equal(t->node[0].n_files, 1);
    assert_string_equal(t->node[0].file[0].from, path);
    const struct vmm_node *n = &t->node[1];
    assert_string_equal(n->run[0], program);
    assert_string_equal(n->run[1], "/media/clip.ivf");
    assert_string_equal(n->run[2], "plain");
    assert_int_equal(n->n_files, 2);
    assert_string_equal(n->file[0].from, program);
    assert_string_equal(n->file[0].to, program);
    assert_string_equal(n->file[1].from, path);
    assert_int_equal(t->node[2].n_files, 0);
    assert_memory_equal(t->node[2].run[0], "/usr/", 5);
    assert_string_equal(t->node[3].file[0].to, "/bin/sh");
    assert_int_equal(t->node[3].file[0].from[0], '/');
    vmm_topology_free(t);
    static const char *const missing[][2] = {
        { "nodes: {a: {files: [media:other.ivf]}}\n", ":1: node a: no clip other.ivf in "
                                                      "$VMM_SHIM_MEDIA, the build tree" },
        { "nodes: {a: {kind: process, run: 'program:no-such'}}\n",
          ":1: node a: run: no program no-such in $VMM_SHIM_PATH, the build tree or $PATH" },
        { "nodes: {a: {files: [program:../sh]}}\n", NULL },
        { "nodes:\n  a: {}\n  b: {}\nlinks:\n  l:\n    between: [a, b]\n    trace: /nowhere.mm\n",
          ":7: link l: /nowhere.mm: No such file or directory" },
        { "links: {l: {program: /}}\n", ":1: link l: / is no file" },
    };
    snprintf(of, sizeof of, "%s/good.yaml", folder);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        if (!missing[i][1]) {
            assert_int_equal(read_text(&t, "good.yaml", missing[i][0], NULL, 0, why), -1);
            continue;
        }
        t = read_good(missing[i][0]);
        assert_int_equal(vmm_topology_resolve(t, why, sizeof why), -1);
        if (strncmp(why, of, strlen(of)) != 0)
            fail_msg("%s does not begin with %s", why, of);
        assert_string_equal(why + strlen(of), missing[i][1]);
        vmm_topology_free(t);
    }
    unlink(path);
    unlink(program);
}

int main(void)
{
    assert_non_null(mkdtemp(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),       cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_nodes),     cmocka_unit_test(test_links),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_names_and_merging),
        cmocka_unit_test(test_resolve),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
