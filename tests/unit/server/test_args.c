/* test_args.c - command lines as a table: what they mean, or what the error names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "args.h"

#define WORDS_MAX 12
#define LIVE(source) "--live", source, "--cert", "c", "--key", "k"
#define GOOD "f.mkv", "--cert", "c", "--key", "k"

static const struct row {
    const char *words[WORDS_MAX];
    enum args_result result;
    const char *why;
} rows[] = {
    { { GOOD }, ARGS_RUN, NULL },
    { { GOOD, "--latency", "50" }, ARGS_RUN, NULL },
    { { GOOD, "--latency=10000", "--loop", "--start-on-viewer" }, ARGS_RUN, NULL },
    { { GOOD, "--cc", "cubic", "--sched", "minrtt" }, ARGS_RUN, NULL },
    { { GOOD, "--objective", "video", "--knowledge", "k" }, ARGS_RUN, NULL },
    { { GOOD, "--namespace", "a/b/c" }, ARGS_RUN, NULL },
    { { "--help", "--nosuch" }, ARGS_HELP, NULL },
    { { "--version" }, ARGS_VERSION, NULL },
    { { NULL }, ARGS_BAD, "no file" },
    { { "f.mkv" }, ARGS_BAD, "openssl req" },
    { { "f.mkv", "--cert", "c" }, ARGS_BAD, "openssl req" },
    { { GOOD, "g.mkv" }, ARGS_BAD, "g.mkv" },
    { { GOOD, "--nosuch" }, ARGS_BAD, "--nosuch" },
    { { GOOD, "--loo" }, ARGS_BAD, "--loo" },
    { { GOOD, "--loop=1" }, ARGS_BAD, "--loop takes no value" },
    { { GOOD, "--json" }, ARGS_BAD, "--json needs a value" },
    { { GOOD, "--latency", "49" }, ARGS_BAD, "--latency" },
    { { GOOD, "--latency", "10001" }, ARGS_BAD, "--latency" },
    { { GOOD, "--latency", "-1" }, ARGS_BAD, "--latency" },
    { { GOOD, "--latency", "1e3" }, ARGS_BAD, "--latency" },
    { { GOOD, "--latency", "99999999999999999999" }, ARGS_BAD, "--latency" },
    { { GOOD, "--max-viewers", "0" }, ARGS_BAD, "--max-viewers" },
    { { GOOD, "--cc", "vegas99" }, ARGS_BAD, "cubic" },
    { { GOOD, "--sched", "none" }, ARGS_BAD, "minrtt" },
    { { GOOD, "--objective", "speed" }, ARGS_BAD, "throughput" },
    { { GOOD, "--objective" }, ARGS_BAD, "value" },
    { { GOOD, "--namespace", "" }, ARGS_BAD, "--namespace" },
    { { GOOD, "--namespace", "a//b" }, ARGS_BAD, "--namespace" },
    { { GOOD, "--log", "loud" }, ARGS_BAD, "--log" },
    { { LIVE("test") }, ARGS_RUN, NULL },
    { { LIVE("test:960x540@30"), "--layers", "L3T3", "--bitrate=100,200" }, ARGS_RUN, NULL },
    { { LIVE("test@29.97"), "--codec", "vp9", "--key-interval", "0.5" }, ARGS_RUN, NULL },
    { { LIVE("film.mp4"), "--size", "640x360", "--fps", "25", "--speed=7", "--threads=4" },
      ARGS_RUN,
      NULL },
    { { LIVE("tests.mp4"), "--loop" }, ARGS_RUN, NULL }, /* a file, not a test */
    { { LIVE("-") }, ARGS_RUN, NULL },
    { { LIVE("test"), "--codec", "h264", "--layers", "L1T3" }, ARGS_RUN, NULL },
    { { LIVE("test"), "--codec", "h264" }, ARGS_RUN, NULL },
    { { GOOD, "--live", "test" }, ARGS_BAD, "one of them" },
    { { GOOD, "--layers", "L3T2" }, ARGS_BAD, "--layers" },
    { { LIVE("test"), "--codec", "h264", "--layers", "L3T2" }, ARGS_BAD, "h264" },
    { { LIVE("test:"), "--loop" }, ARGS_BAD, "test" },
    { { LIVE("test:960x541") }, ARGS_BAD, "test:960x541" },
    { { LIVE("test:960x540@0") }, ARGS_BAD, "test:960x540@0" },
    { { LIVE("") }, ARGS_BAD, "--live" },
    { { LIVE("test"), "--layers", "L9T9" }, ARGS_BAD, "L4T2" },
    { { LIVE("test"), "--codec", "h266" }, ARGS_BAD, "vp9" },
    { { LIVE("test"), "--bitrate", "7" }, ARGS_BAD, "kbit/s" },
    { { LIVE("test"), "--size", "10x10" }, ARGS_BAD, "--size" },
    { { LIVE("test"), "--fps", "241" }, ARGS_BAD, "--fps" },
    { { LIVE("test"), "--key-interval", "0" }, ARGS_BAD, "--key-interval" },
    { { LIVE("test"), "--speed", "6" }, ARGS_BAD, "--speed" },
    { { LIVE("test"), "--threads", "0" }, ARGS_BAD, "--threads" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *argv[WORDS_MAX + 1] = { (char *)"svc-server" };
        int argc = 1;
        while (argc <= WORDS_MAX && rows[i].words[argc - 1]) {
            argv[argc] = (char *)(uintptr_t)rows[i].words[argc - 1];
            argc++;
        }
        struct args a;
        char why[1024] = "";
        enum args_result got = args_parse(&a, argc, argv, why, sizeof why);
        if (got != rows[i].result)
            fail_msg("row %zu gave %d: %s", i, got, why);
        if (rows[i].why && !strstr(why, rows[i].why))
            fail_msg("row %zu said \"%s\"", i, why);
    }
}

static void test_values(void **state)
{
    (void)state;
    char *argv[] = { (char *)"svc-server",
                     (char *)"--latency=250",
                     (char *)"x.mkv",
                     (char *)"--cert",
                     (char *)"c",
                     (char *)"--key",
                     (char *)"k",
                     (char *)"--loop",
                     (char *)"--max-viewers",
                     (char *)"3" };
    struct args a;
    char why[1024];
    assert_int_equal(args_parse(&a, 10, argv, why, sizeof why), ARGS_RUN);
    assert_string_equal(a.file, "x.mkv");
    assert_string_equal(a.listen, "0.0.0.0:4433");
    assert_string_equal(a.ns, "demo");
    assert_int_equal(a.latency_ms, 250);
    assert_int_equal(a.max_viewers, 3);
    assert_true(a.loop);
    assert_false(a.start_on_viewer);
    assert_null(a.json);
}

static void test_live_values(void **state)
{
    (void)state;
    char *argv[] = { (char *)"svc-server", (char *)"--cert=c",           (char *)"--key=k",
                     (char *)"--live",     (char *)"test:640x360@29.97", (char *)"--bitrate",
                     (char *)"100,300",    (char *)"--codec=h264" };
    struct args a;
    char why[1024];
    assert_int_equal(args_parse(&a, 8, argv, why, sizeof why), ARGS_RUN);
    const struct live_config *c = &a.live.config;
    assert_null(a.file);
    assert_int_equal(c->input.kind, LIVE_TEST);
    assert_int_equal(c->input.width, 640);
    assert_int_equal(c->input.fps_num, 30000);
    assert_int_equal(c->encoder.bitrate_bps[0], 100000);
    assert_int_equal(c->encoder.bitrate_bps[2], 300000);
    assert_int_equal(c->encoder.structure.n_spatial, 1); /* all that h264 has */
    assert_int_equal(c->encoder.structure.n_temporal, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_live_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
