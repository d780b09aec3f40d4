/* test_args.c - command line, URI and path option: tables of the good and the bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_uri(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        const char *ns, *authority; /* ns NULL: refused */
    } rows[] = {
        { "moqt://127.0.0.1:4433/live", "127.0.0.1", 4433, "live", "127.0.0.1:4433" },
        { "moqt://example.org/live/one", "example.org", 4433, "live/one", "example.org:4433" },
        { "MOQT://h:1/x/", "h", 1, "x", "h:1" },
        { "moqt://[::1]:5000/a", "::1", 5000, "a", "[::1]:5000" },
        { "moqt://[fe80::1]/a", "fe80::1", 4433, "a", "[fe80::1]:4433" },
        { "http://h/a", NULL, 0, NULL, NULL },
        { "moqt://", NULL, 0, NULL, NULL },
        { "moqt:///a", NULL, 0, NULL, NULL },
        { "moqt://h", NULL, 0, NULL, NULL },
        { "moqt://h/", NULL, 0, NULL, NULL },
        { "moqt://h//a", NULL, 0, NULL, NULL },
        { "moqt://h/a//b", NULL, 0, NULL, NULL },
        { "moqt://h:0/a", NULL, 0, NULL, NULL },
        { "moqt://h:65536/a", NULL, 0, NULL, NULL },
        { "moqt://h:/a", NULL, 0, NULL, NULL },
        { "moqt://h:12x/a", NULL, 0, NULL, NULL },
        { "moqt://[::1/a", NULL, 0, NULL, NULL },
        { "moqt://[h]/a", NULL, 0, NULL, NULL },
        { "moqt://[::1]x/a", NULL, 0, NULL, NULL },
        { "moqt://h h/a", NULL, 0, NULL, NULL },
        { "moqt://h/a b", NULL, 0, NULL, NULL },
        { "moqt://h/a?q", NULL, 0, NULL, NULL },
        { "moqt://u@h/a", NULL, 0, NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct uri u = { .port = 7 };
        char why[200] = "";
        int result = uri_parse(&u, rows[i].text, why, sizeof why);
        if (!rows[i].ns) {
            assert_int_equal(result, -1);
            assert_int_equal(u.port, 7); /* nothing changed */
            assert_true(*why && !strchr(why, '\n'));
            continue;
        }
        assert_int_equal(result, 0);
        assert_string_equal(u.host, rows[i].host);
        assert_int_equal(u.port, rows[i].port);
        assert_string_equal(u.ns, rows[i].ns);
        assert_string_equal(u.authority, rows[i].authority);
    }
}

static void test_uri_too_long(void **state)
{
    (void)state;
    char text[2000] = "moqt://h/", why[200];
    struct uri u;
    memset(text + 9, 'a', 1000);
    assert_int_equal(uri_parse(&u, text, why, sizeof why), -1);
    memset(text + 7, 'h', 1000);
    assert_int_equal(uri_parse(&u, text, why, sizeof why), -1);
}

static void test_path(void **state)
{
    static const struct {
        const char *text, *dev, *local, *to, *name;
        bool backup, ok;
    } rows[] = {
        { "wlan0", "wlan0", "", "", "wlan0", false, true },
        { "10.0.0.2", "", "10.0.0.2", "", "10.0.0.2", false, true },
        { "fd00::2", "", "fd00::2", "", "fd00::2", false, true },
        { "dev=wlan0,local=10.0.0.2,to=127.0.0.1:5002,name=wifi,backup", "wlan0", "10.0.0.2",
          "127.0.0.1:5002", "wifi", true, true },
        { "to=[::1]:9", "", "", "[::1]:9", "[::1]:9", false, true },
        { "to=127.0.0.1:5001,name=lte", "", "", "127.0.0.1:5001", "lte", false, true },
        { "wwan0,name=lte", "wwan0", "", "", "lte", false, true },
        { .text = "" },
        { .text = "," },
        { .text = "dev=" },
        { .text = "dev=a,dev=b" },
        { .text = "dev=a,,backup" },
        { .text = "local=nonsense" },
        { .text = "to=127.0.0.1" },
        { .text = "to=127.0.0.1:0" },
        { .text = "to=127.0.0.1:70000" },
        { .text = "to=::1:5" },
        { .text = "to=host:5" },
        { .text = "to=127.0.0.1:-1" },
        { .text = "speed=9" },
        { .text = "name=averyveryverylongname" },
        { .text = "averyveryverylongname" },
        { .text = "dev=a b" },
        { .text = "to=:5" },
        { .text = "to=[]:5" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct path_spec s;
        char why[200] = "";
        int result = path_spec_parse(&s, rows[i].text, why, sizeof why);
        if (!rows[i].ok) {
            if (result != -1)
                print_error("taken: %s\n", rows[i].text);
            assert_int_equal(result, -1);
            assert_true(*why);
            continue;
        }
        assert_int_equal(result, 0);
        assert_string_equal(s.interface, rows[i].dev);
        assert_string_equal(s.local, rows[i].local);
        assert_string_equal(s.remote, rows[i].to);
        assert_string_equal(s.name, rows[i].name);
        assert_int_equal(s.backup, rows[i].backup);
    }
}

#define WORDS 8
struct row {
    const char *word[WORDS]; /* after the program's name; ends with NULL */
    enum args_result result;
    const char *says; /* in the message */
};

static const struct row bad[] = {
    { { NULL }, ARGS_WRONG, "which broadcast" },
    { { "--path", "eth0" }, ARGS_WRONG, "which broadcast" },
    { { "moqt://h/a", "--nonsense" }, ARGS_WRONG, "unknown option --nonsense" },
    { { "moqt://h/a", "-x" }, ARGS_WRONG, "unknown option -x" },
    { { "moqt://h/a", "--json" }, ARGS_WRONG, "--json needs a value" },
    { { "moqt://h/a", "--json", "" }, ARGS_WRONG, "--json" },
    { { "moqt://h/a", "moqt://h/b" }, ARGS_WRONG, "one broadcast" },
    { { "http://h/a" }, ARGS_WRONG, "moqt://" },
    { { "moqt://h/a", "--duration", "0" }, ARGS_WRONG, "--duration" },
    { { "moqt://h/a", "--duration", "-3" }, ARGS_WRONG, "--duration" },
    { { "moqt://h/a", "--duration", "nan" }, ARGS_WRONG, "--duration" },
    { { "moqt://h/a", "--duration", "5x" }, ARGS_WRONG, "--duration" },
    { { "moqt://h/a", "--latency", "0" }, ARGS_WRONG, "--latency" },
    { { "moqt://h/a", "--statistics", "5" }, ARGS_WRONG, "--statistics" },
    { { "moqt://h/a", "--statistics", "11" }, ARGS_WRONG, "--statistics" },
    { { "moqt://h/a", "--rotate", "45" }, ARGS_WRONG, "--rotate" },
    { { "moqt://h/a", "--audio-delay", "-1" }, ARGS_WRONG, "--audio-delay" },
    { { "moqt://h/a", "--statistics", "4", "--rotate", "270", "--audio-delay", "120" },
      ARGS_RUN,
      NULL },
    { { "moqt://h/a", "--latency", "10001" }, ARGS_WRONG, "--latency" },
    { { "moqt://h/a", "--layers", "s4t0" }, ARGS_WRONG, "--layers" },
    { { "moqt://h/a", "--layers", "2" }, ARGS_WRONG, "--layers" },
    { { "moqt://h/a", "--size", "640" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--size", "640x" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--size", "640x-360" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--size", "640x360x2" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--size", "63x64" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--size", "8193x64" }, ARGS_WRONG, "--size" },
    { { "moqt://h/a", "--policy-log" }, ARGS_WRONG, "--policy-log needs" },
    { { "moqt://h/a", "--replay-policy", "f" }, ARGS_WRONG, "plays no" },
    { { "--replay-policy", "" }, ARGS_WRONG, "--replay-policy" },
    { { "--replay-policy", "f" }, ARGS_REPLAY, NULL },
    { { "moqt://h/a", "--log", "loud" }, ARGS_WRONG, "--log" },
    { { "moqt://h/a", "--screenshot", "@3" }, ARGS_WRONG, "--screenshot" },
    { { "moqt://h/a", "--screenshot", "a.png@x" }, ARGS_WRONG, "--screenshot" },
    { { "moqt://h/a", "--path", "to=1" }, ARGS_WRONG, "--path" },
    { { "moqt://h/a", "--token", "" }, ARGS_WRONG, "--token" },
    { { "moqt://h/a", "--cert", "c" }, ARGS_WRONG, "go together" },
    { { "moqt://h/a", "--key", "k" }, ARGS_WRONG, "go together" },
    { { "--take-over", "4455" }, ARGS_RUN, NULL },
    { { "--take-over", "" }, ARGS_WRONG, "empty" },
    { { "moqt://h/a", "--take-over", "4455" }, ARGS_WRONG, "the other player says which" },
    { { "--hand-over", "h:1", "--control", "s" }, ARGS_HAND_OVER, NULL },
    { { "--hand-over", "h:1" }, ARGS_WRONG, "which player" },
    { { "moqt://h/a", "--hand-over", "h:1", "--control", "s" }, ARGS_WRONG, "plays no broadcast" },
    { { "--hand-over", "h:1", "--control", "s", "--take-over", "1" }, ARGS_WRONG, "plays no" },
    { { "--help" }, ARGS_HELP, NULL },
    { { "--version" }, ARGS_VERSION, NULL },
    { { "moqt://h/a", "--headless", "--mute", "--no-audio", "--fullscreen" }, ARGS_RUN, NULL },
};

static enum args_result parse(const struct row *r, struct args *a, char *why, size_t size)
{
    char *argv[WORDS + 2] = { (char *)(uintptr_t) "svc-player" };
    int argc = 1;
    for (int i = 0; i < WORDS && r->word[i]; i++)
        argv[argc++] = (char *)(uintptr_t)r->word[i];
    return args_parse(a, argc, argv, why, size);
}

static void test_args(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct args a;
        char why[400] = "";
        assert_int_equal(parse(&bad[i], &a, why, sizeof why), bad[i].result);
        if (bad[i].says && !strstr(why, bad[i].says))
            fail_msg("row %zu says \"%s\"", i, why);
        assert_null(strchr(why, '\n'));
    }
}

static void test_args_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { { "--path", "a", "moqt://h/a", "--path", "b", "--layers", "s1t0" }, ARGS_RUN, NULL },
        { { "moqt://h/a", "--screenshot", "x@y.png@12.5", "--screenshot", "z.png", "--latency",
            "250" },
          ARGS_RUN,
          NULL },
        { { "moqt://h/a", "--size", "640x480" }, ARGS_RUN, NULL },
        { { "moqt://h/a", "--cert", "c", "--key", "k", "--token", "t" }, ARGS_RUN, NULL },
        { { "moqt://h/a", "--video", "2", "--language", "de" }, ARGS_RUN, NULL },
    };
    struct args a;
    char why[400];
    assert_int_equal(parse(&rows[4], &a, why, sizeof why), ARGS_RUN);
    assert_int_equal(a.video, 2);
    assert_string_equal(a.language, "de");
    assert_int_equal(parse(&rows[0], &a, why, sizeof why), ARGS_RUN);
    assert_int_equal(a.n_paths, 2);
    assert_string_equal(a.paths[1].interface, "b");
    assert_int_equal(a.max_spatial, 1);
    assert_int_equal(a.max_temporal, 0);
    assert_int_equal(parse(&rows[1], &a, why, sizeof why), ARGS_RUN);
    assert_int_equal(a.n_screenshots, 2);
    assert_string_equal(a.screenshots[0].file, "x@y.png");
    assert_true(a.screenshots[0].at_s == 12.5);
    assert_true(a.screenshots[1].at_s < 0);
    assert_int_equal(a.latency_ms, 250);
    assert_int_equal(parse(&rows[2], &a, why, sizeof why), ARGS_RUN);
    assert_int_equal(a.max_spatial, -1);
    assert_int_equal(a.n_paths, 0);
    assert_true(a.width == 640 && a.height == 480);
    assert_int_equal(parse(&rows[3], &a, why, sizeof why), ARGS_RUN);
    assert_string_equal(a.cert_file, "c");
    assert_string_equal(a.key_file, "k");
    assert_string_equal(a.token, "t");
}

static void test_latency(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum args_result expected;
        uint32_t min_ms, max_ms;
        bool low;
    } rows[] = {
        { "250", ARGS_RUN, 250, 0, false },       { "100-400", ARGS_RUN, 100, 400, false },
        { "400-400", ARGS_RUN, 400, 400, false }, { "low", ARGS_RUN, 20, 400, true },
        { "balanced", ARGS_RUN, 0, 0, false },    { "smooth", ARGS_RUN, 1000, 5000, false },
        { "400-100", ARGS_WRONG, 0, 0, false },   { "0", ARGS_WRONG, 0, 0, false },
        { "-5", ARGS_WRONG, 0, 0, false },        { "100-", ARGS_WRONG, 0, 0, false },
        { "100-200ms", ARGS_WRONG, 0, 0, false }, { "10001", ARGS_WRONG, 0, 0, false },
        { "Low", ARGS_WRONG, 0, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = { { "moqt://h/a", "--latency", rows[i].text }, ARGS_RUN, NULL };
        struct args a;
        char why[400];
        assert_int_equal(parse(&row, &a, why, sizeof why), rows[i].expected);
        if (rows[i].expected != ARGS_RUN)
            continue;
        assert_int_equal(a.latency_ms, rows[i].min_ms);
        assert_int_equal(a.latency_max_ms, rows[i].max_ms);
        assert_int_equal(a.latency_low, rows[i].low);
    }
}

static void test_args_too_many_paths(void **state)
{
    (void)state;
    char *argv[2 + 2 * (ARGS_PATHS_MAX + 1)];
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t) "svc-player";
    argv[argc++] = (char *)(uintptr_t) "moqt://h/a";
    for (int i = 0; i <= ARGS_PATHS_MAX; i++) {
        argv[argc++] = (char *)(uintptr_t) "--path";
        argv[argc++] = (char *)(uintptr_t) "eth0";
    }
    struct args a;
    char why[400];
    assert_int_equal(args_parse(&a, argc - 2, argv, why, sizeof why), ARGS_RUN);
    assert_int_equal(args_parse(&a, argc, argv, why, sizeof why), ARGS_WRONG);
}

/* Whatever is written on the command line: a verdict, no crash. */
static void test_mutations(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "moqt://[fe80::1]:4433/a/b", "dev=wlan0,local=10.0.0.2,to=127.0.0.1:5002,name=w,backup"
    };
    uint32_t random = 1;
    for (int i = 0; i < 40000; i++) {
        char text[80], why[200];
        snprintf(text, sizeof text, "%s", seeds[i & 1]);
        for (int n = 0; n < 3; n++) {
            random = random * 1664525u + 1013904223u;
            text[(random >> 8) % strlen(seeds[i & 1])] = (char)(random >> 24);
        }
        struct uri u;
        struct path_spec s;
        if (uri_parse(&u, text, why, sizeof why) == 0)
            assert_true(*u.host && *u.ns && u.port);
        if (path_spec_parse(&s, text, why, sizeof why) == 0)
            assert_true(*s.name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri),         cmocka_unit_test(test_uri_too_long),
        cmocka_unit_test(test_path),        cmocka_unit_test(test_args),
        cmocka_unit_test(test_args_values), cmocka_unit_test(test_args_too_many_paths),
        cmocka_unit_test(test_mutations),   cmocka_unit_test(test_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
