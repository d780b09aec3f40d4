/* test_config_diff.c - copies, and what a reload asks for: no key is forgotten. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config_diff.h"
#include "config_keys.h"

static const struct config_key *key(const struct config_table *t, const char *name)
{
    const struct config_key *k = config_key_find(t, name);
    assert_non_null(k);
    return k;
}

static void put(const struct config_table *t, void *base, const char *name, const char *text)
{
    char why[CONFIG_WHY_MAX];
    if (config_set(key(t, name), base, text, why, sizeof why) < 0)
        fail_msg("%s: %s", name, why);
}

static struct config_source *source(struct config *c, const char *ns, const char *input)
{
    struct config_source *s = config_add(key(&config_root, "sources"), c);
    assert_non_null(s);
    put(&config_source_table, s, "namespace", ns);
    put(&config_source_table, s, "input", input);
    return s;
}

static void push(struct config *c, const char *ns, const char *to)
{
    struct config_push *p = config_add(key(&config_root, "push"), c);
    assert_non_null(p);
    put(&config_push_table, p, "namespace", ns);
    put(&config_push_table, p, "to", to);
}

/* Something of everything. */
static void fill(struct config *c)
{
    assert_int_equal(config_init(c), 0);
    source(c, "a", "a.mkv");
    source(c, "b", "b.mkv");
    push(c, "a", "moqt://r:1");
    assert_int_equal(config_add_text(key(&config_confine_table, "writable"), &c->confine, "/w"), 0);
    struct config_grant *g = config_add(key(&config_access_table, "anonymous"), &c->access);
    assert_non_null(g);
    g->subscribe = true;
}

static void test_copy(void **state)
{
    struct config a, b;
    (void)state;
    fill(&a);
    assert_int_equal(config_copy(&b, &a), 0);
    assert_true(config_table_same(&config_root, &a, &b));
    assert_ptr_not_equal(a.source[1].input, b.source[1].input);
    assert_ptr_not_equal(a.confine.writable[0], b.confine.writable[0]);
    config_fini(&a);
    assert_string_equal(b.source[1].input, "b.mkv");
    assert_string_equal(b.confine.writable[0], "/w");
    config_fini(&b);
    config_fini(&b); /* legal on zero */
}

/* A value that is not the default, for each kind of key. */
static const char *other(const struct config_key *k)
{
    static const char *const texts[] = {
        [KEY_TEXT] = "other", [KEY_PATH] = "/other",  [KEY_FLAG] = "true", [KEY_U8] = "5",
        [KEY_U32] = "7",      [KEY_REAL] = "1.5",     [KEY_KBPS] = "11",   [KEY_SIZE] = "128x128",
        [KEY_RATE] = "24",    [KEY_BYTES] = "010203",
    };
    if (k->names)
        return k->names[k->fallback && strcmp(k->names[1], k->fallback) == 0 ? 0 : 1];
    if (strcmp(k->name, "listen") == 0)
        return "127.0.0.9:99";
    if (strcmp(k->name, "cc") == 0)
        return "cubic";
    return strcmp(k->name, "sched") == 0 ? "minrtt" : texts[k->type];
}

/* Each key of the whole, changed alone, is a step, a part or a refusal; but for cert and key, which
 * are read again anyway. */
static void change_each(const struct config_table *t, size_t offset, const char *within)
{
    for (const struct config_key *k = t->key; k->name; k++) {
        struct config a, b;
        struct config_diff d;
        char why[CONFIG_WHY_MAX];
        if (k->type == KEY_TABLE)
            change_each(k->table, offset + k->offset, k->name);
        if (k->type >= KEY_TEXTS)
            continue;
        fill(&a);
        fill(&b);
        if (config_set(k, (char *)&b + offset, other(k), why, sizeof why) < 0)
            fail_msg("%s.%s: %s", within, k->name, why);
        assert_int_equal(config_diff(&d, &a, &b), 0);
        const bool seen = d.access || d.control || d.limits || d.log || d.n_refused == 1;
        const bool file = strcmp(k->name, "cert") == 0 || strcmp(k->name, "key") == 0;
        if (seen == file || d.n_steps != 0)
            fail_msg("%s.%s is forgotten", within, k->name);
        config_diff_fini(&d);
        config_fini(&a);
        config_fini(&b);
    }
}

static void test_every_key(void **state)
{
    (void)state;
    change_each(&config_root, 0, "");
}

static void test_nothing(void **state)
{
    struct config a, b;
    struct config_diff d;
    (void)state;
    fill(&a);
    fill(&b);
    assert_int_equal(config_diff(&d, &a, &b), 0);
    assert_int_equal(d.n_steps + d.n_refused, 0);
    assert_false(d.access || d.control || d.limits || d.log);
    config_diff_fini(&d);
    config_fini(&a);
    config_fini(&b);
}

static void test_steps(void **state)
{
    struct config a, b;
    struct config_diff d;
    (void)state;
    fill(&a);
    assert_int_equal(config_init(&b), 0);
    source(&b, "c", "c.mkv");
    put(&config_source_table, source(&b, "a", "a.mkv"), "loop", "true");
    push(&b, "a", "moqt://r:2");
    assert_int_equal(config_diff(&d, &a, &b), 0);
    assert_int_equal(d.n_steps, 5);
    static const enum config_change want[] = { CONFIG_WENT, CONFIG_WENT, CONFIG_CHANGED,
                                               CONFIG_CAME, CONFIG_CAME };
    for (size_t i = 0; i < d.n_steps; i++)
        assert_int_equal(d.step[i].change, want[i]);
    assert_string_equal(d.step[0].was->ns, "b");
    assert_string_equal(d.step[1].push_was->to, "moqt://r:1");
    assert_ptr_equal(d.step[2].was, &a.source[0]);
    assert_ptr_equal(d.step[2].is, &b.source[1]);
    assert_string_equal(d.step[3].is->ns, "c");
    assert_string_equal(d.step[4].push_is->to, "moqt://r:2");
    assert_true(d.access); /* the grant is gone */
    assert_int_equal(d.n_refused, 1);
    assert_string_equal(d.refused[0], "confine");
    config_diff_fini(&d);
    config_fini(&a);
    config_fini(&b);
}

/* What needs a restart is said at each reload, until the file has it back, or the restart. */
static void test_keep(void **state)
{
    struct config a, b, again;
    struct config_diff d;
    (void)state;
    fill(&a);
    fill(&b);
    put(&config_root, &b, "listen", "127.0.0.1:7");
    put(&config_root, &b, "workers", "3");
    put(&config_root, &b, "drain_s", "9");
    b.transport.server_id_len = 3;
    b.control.listen = strdup("127.0.0.1:8");
    assert_int_equal(config_copy(&again, &b), 0);
    config_diff_keep(&a, &b);
    config_fini(&a);
    assert_string_equal(b.listen, "0.0.0.0:4433");
    assert_int_equal(b.workers, 0);
    assert_int_equal(b.drain_s, 9);
    assert_int_equal(b.transport.server_id_len, 0);
    assert_null(b.control.listen);
    assert_string_equal(b.confine.writable[0], "/w");
    assert_int_equal(config_diff(&d, &b, &again), 0);
    assert_int_equal(d.n_refused, 4);
    assert_int_equal(d.n_steps, 0);
    config_diff_fini(&d);
    config_fini(&b);
    config_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),  cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_steps), cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
