/* test_configure.c - command lines and files as tables: what they mean, or what the error names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "configure.h"
#include "live.h"

#define WORDS_MAX 12
#define LIVE(source) "--live", source, "--cert", "c", "--key", "k"
#define GOOD "f.mkv", "--cert", "c", "--key", "k"

static const struct row {
    const char *words[WORDS_MAX];
    enum configure_result result;
    const char *why;
} rows[] = {
    { { GOOD }, CONFIGURE_RUN, NULL },
    { { GOOD, "--latency", "50" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--latency=10000", "--loop", "--start-on-viewer" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--cc", "cubic", "--sched", "minrtt" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--objective", "video", "--knowledge", "k" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--namespace", "a/b/c" }, CONFIGURE_RUN, NULL },
    { { "--help", "--nosuch" }, CONFIGURE_HELP, NULL },
    { { "--version" }, CONFIGURE_VERSION, NULL },
    { { NULL }, CONFIGURE_USAGE, "no file" },
    { { GOOD, "--check" }, CONFIGURE_CHECK, NULL },
    { { "--replay-policy", "log" }, CONFIGURE_REPLAY, NULL },
    { { GOOD, "--control", "127.0.0.1:4480", "--workers=32" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--listen", "[::1]:0", "--log-json" }, CONFIGURE_RUN, NULL },
    { { "--upstream", "moqt://a:1/b", "--cert", "c", "--key", "k" }, CONFIGURE_RUN, NULL },
    { { "--publish", "--cert", "c", "--key", "k", "--namespace", "in" }, CONFIGURE_RUN, NULL },
    { { "f.mkv" }, CONFIGURE_USAGE, "openssl req" },
    { { GOOD, "--publish" }, CONFIGURE_USAGE, "one source" },
    { { "--upstream", "moqt://a:1", "--cert", "c", "--key", "k" }, CONFIGURE_USAGE, "moqt://HOST" },
    { { GOOD, "--control", "0.0.0.0:4480" }, CONFIGURE_USAGE, "control.token" },
    { { GOOD, "--listen", "localhost:1" }, CONFIGURE_USAGE, "--listen takes ADDRESS:PORT" },
    { { GOOD, "--listen", "1.2.3.4:65536" }, CONFIGURE_USAGE, "--listen" },
    { { GOOD, "--listen", "[1.2.3.4]:5" }, CONFIGURE_USAGE, "--listen" },
    { { GOOD, "--workers", "33" }, CONFIGURE_USAGE, "0 to 32" },
    { { GOOD, "--server-id", "abc" }, CONFIGURE_USAGE, "hexadecimal" },
    { { GOOD, "--token-algorithm", "none" }, CONFIGURE_USAGE, "ES256" },
    { { GOOD, "--token-key", "t" }, CONFIGURE_USAGE, "token_algorithm" },
    { { GOOD, "--token-key", "t", "--token-algorithm=HS256" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--confine", "on" }, CONFIGURE_USAGE, "deny, kill or off" },
    { { GOOD, "--config", "/nonexistent.yaml" }, CONFIGURE_BAD, "/nonexistent.yaml: No such" },
    { { "f.mkv", "--cert", "c" }, CONFIGURE_USAGE, "openssl req" },
    { { GOOD, "g.mkv" }, CONFIGURE_USAGE, "g.mkv" },
    { { GOOD, "--nosuch" }, CONFIGURE_USAGE, "--nosuch" },
    { { GOOD, "--loo" }, CONFIGURE_USAGE, "--loo" },
    { { GOOD, "--loop=1" }, CONFIGURE_USAGE, "--loop takes no value" },
    { { GOOD, "--json" }, CONFIGURE_USAGE, "--json needs a value" },
    { { GOOD, "--latency", "49" }, CONFIGURE_USAGE, "--latency" },
    { { GOOD, "--latency", "10001" }, CONFIGURE_USAGE, "--latency" },
    { { GOOD, "--latency", "-1" }, CONFIGURE_USAGE, "--latency" },
    { { GOOD, "--latency", "1e3" }, CONFIGURE_USAGE, "--latency" },
    { { GOOD, "--latency", "99999999999999999999" }, CONFIGURE_USAGE, "--latency" },
    { { GOOD, "--max-viewers", "0" }, CONFIGURE_USAGE, "--max-viewers" },
    { { GOOD, "--cc", "vegas99" }, CONFIGURE_USAGE, "cubic" },
    { { GOOD, "--sched", "none" }, CONFIGURE_USAGE, "minrtt" },
    { { GOOD, "--objective", "speed" }, CONFIGURE_USAGE, "throughput" },
    { { GOOD, "--objective" }, CONFIGURE_USAGE, "value" },
    { { GOOD, "--namespace", "" }, CONFIGURE_USAGE, "--namespace" },
    { { GOOD, "--namespace", "a//b" }, CONFIGURE_USAGE, "--namespace" },
    { { GOOD, "--log", "loud" }, CONFIGURE_USAGE, "--log" },
    { { LIVE("test") }, CONFIGURE_RUN, NULL },
    { { LIVE("test:960x540@30"), "--layers", "L3T3", "--bitrate=100,200" }, CONFIGURE_RUN, NULL },
    { { LIVE("test@29.97"), "--codec", "vp9", "--key-interval", "0.5" }, CONFIGURE_RUN, NULL },
    { { LIVE("film.mp4"), "--size", "640x360", "--fps", "25", "--speed=7", "--threads=4" },
      CONFIGURE_RUN,
      NULL },
    { { LIVE("tests.mp4"), "--loop" }, CONFIGURE_RUN, NULL }, /* a file, not a test */
    { { LIVE("-") }, CONFIGURE_RUN, NULL },
    { { LIVE("test"), "--codec", "h264", "--layers", "L1T3" }, CONFIGURE_RUN, NULL },
    { { LIVE("test"), "--codec", "h264" }, CONFIGURE_RUN, NULL },
    { { GOOD, "--live", "test" }, CONFIGURE_USAGE, "one source" },
    { { GOOD, "--layers", "L3T2" }, CONFIGURE_USAGE, "--layers" },
    { { LIVE("test"), "--codec", "h264", "--layers", "L3T2" }, CONFIGURE_USAGE, "h264" },
    { { LIVE("test:"), "--loop" }, CONFIGURE_USAGE, "test" },
    { { LIVE("test:960x541") }, CONFIGURE_USAGE, "test:960x541" },
    { { LIVE("test:960x540@0") }, CONFIGURE_USAGE, "test:960x540@0" },
    { { LIVE("") }, CONFIGURE_USAGE, "--live" },
    { { LIVE("test"), "--layers", "L9T9" }, CONFIGURE_USAGE, "L4T2" },
    { { LIVE("test"), "--codec", "h266" }, CONFIGURE_USAGE, "vp9" },
    { { LIVE("test"), "--bitrate", "7" }, CONFIGURE_USAGE, "kbit/s" },
    { { LIVE("test"), "--size", "10x10" }, CONFIGURE_USAGE, "--size" },
    { { LIVE("test"), "--fps", "241" }, CONFIGURE_USAGE, "--fps" },
    { { LIVE("test"), "--key-interval", "0" }, CONFIGURE_USAGE, "--key-interval" },
    { { LIVE("test"), "--speed", "6" }, CONFIGURE_USAGE, "--speed" },
    { { LIVE("test"), "--threads", "0" }, CONFIGURE_USAGE, "--threads" },
};

static enum configure_result ask(const char *const *words, struct configure *q, struct config *c,
                                 char *why, size_t why_size)
{
    static char *argv[WORDS_MAX + 2];
    int argc = 1;
    argv[0] = (char *)(uintptr_t) "svc-server";
    for (; argc <= WORDS_MAX && words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    argv[argc] = NULL;
    *q = (struct configure){ .argc = argc, .argv = argv };
    return configure(q, c, why, why_size);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct configure q;
        struct config c;
        char why[1024];
        const enum configure_result got = ask(rows[i].words, &q, &c, why, sizeof why);
        if (got != rows[i].result)
            fail_msg("row %zu gave %d: %s", i, got, why);
        if (rows[i].why && !strstr(why, rows[i].why))
            fail_msg("row %zu said \"%s\"", i, why);
        if (rows[i].why && strchr(why, '\n'))
            fail_msg("row %zu said more than one line: \"%s\"", i, why);
        config_fini(&c);
    }
}

static void test_values(void **state)
{
    static const char *const words[] = { "--latency=250", "x.mkv", "--cert", "c",
                                         "--key",         "k",     "--loop", "--server-id=0aFF",
                                         "--max-viewers", "3",     NULL };
    struct configure q;
    struct config c;
    char why[1024];
    (void)state;
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_RUN);
    assert_null(q.file);
    assert_int_equal(c.n_sources, 1);
    const struct config_source *s = &c.source[0];
    assert_int_equal(s->kind, CONFIG_FILE);
    assert_string_equal(s->input, "x.mkv");
    assert_string_equal(s->ns, "demo");
    assert_int_equal(s->latency_ms, 250);
    assert_true(s->loop);
    assert_false(s->start_on_viewer);
    assert_string_equal(c.listen, "0.0.0.0:4433");
    assert_int_equal(c.viewers_max, 3);
    assert_int_equal(c.transport.server_id_len, 2);
    assert_int_equal(c.transport.server_id[1], 0xff);
    assert_null(c.json);
    config_fini(&c);
}

static void test_live_values(void **state)
{
    static const char *const words[] = { "--cert=c",           "--key=k",   "--live",
                                         "test:640x360@29.97", "--bitrate", "100,300",
                                         "--codec=h264",       NULL };
    struct configure q;
    struct config c;
    struct live_config live;
    char why[1024];
    (void)state;
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_RUN);
    assert_int_equal(config_live(&live, &c.source[0], why, sizeof why), 0);
    assert_int_equal(live.input.kind, LIVE_TEST);
    assert_int_equal(live.input.width, 640);
    assert_int_equal(live.input.fps_num, 30000);
    assert_int_equal(live.encoder.bitrate_bps[0], 100000);
    assert_int_equal(live.encoder.bitrate_bps[2], 300000);
    assert_int_equal(live.encoder.structure.n_spatial, 1); /* all that h264 has */
    assert_int_equal(live.encoder.structure.n_temporal, 2);
    config_fini(&c);
}

/* As long as the delay allows, unless it is said. */
static void test_sound_packets(void **state)
{
    static const struct {
        enum config_sound_packet packet;
        uint32_t latency_ms;
        bool low;
        uint32_t us;
    } sound[] = {
        { CONFIG_SOUND_AUTO, 400, false, 60000 }, { CONFIG_SOUND_AUTO, 399, false, 20000 },
        { CONFIG_SOUND_AUTO, 400, true, 10000 },  { CONFIG_SOUND_10, 400, false, 10000 },
        { CONFIG_SOUND_20, 400, false, 20000 },   { CONFIG_SOUND_40, 50, false, 40000 },
        { CONFIG_SOUND_60, 50, true, 60000 },
    };
    char why[1024];
    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        const struct config_source s = { .kind = CONFIG_LIVE,
                                         .input = "test",
                                         .latency_ms = sound[i].latency_ms,
                                         .encoder = { .codec = "av1",
                                                      .sound_packet = sound[i].packet,
                                                      .low_latency = sound[i].low } };
        struct live_config live;
        assert_int_equal(config_live(&live, &s, why, sizeof why), 0);
        assert_int_equal(live.sound_packet_us, sound[i].us);
    }
}

/* ---- files ---- */

#define PAIR "cert: c\nkey: k\n"
#define SOURCE(more) PAIR "sources:\n- {namespace: a, input: f.mkv}\n" more

static const struct file_row {
    const char *text, *why; /* NULL: it is good */
} file_rows[] = {
    { SOURCE(""), NULL },
    { "# nothing but a source\n" SOURCE(""), NULL },
    { PAIR "sources: [{kind: live, input: test, encoder: {bitrate_kbps: [100, 200], fps: 25, size: "
           "640x360}}]\n",
      NULL },
    { PAIR "sources: [{kind: publish, namespace: in}]\n", NULL },
    { SOURCE("access: {anonymous: [{namespace: \"\", subscribe: yes}], per_address: 65536}\n"),
      NULL },
    { SOURCE("push: [{namespace: a, to: \"moqt://relay:4433\"}]\n"), NULL },
    { SOURCE("transport:\nconfine: {writable: }\npush:\n"), NULL },
    { "", "openssl req" },
    { "sources: {}\n" PAIR, ":1: sources takes a list" },
    { SOURCE("colour: red\n"), ":5: unknown key colour; there are: listen" },
    { SOURCE("workers: many\n"), ":5: workers takes a number from 0 to 32, not \"many\"" },
    { SOURCE("workers: 33\n"), ":5: workers takes a number from 0 to 32" },
    { SOURCE("workers: -1\n"), ":5: workers" },
    { SOURCE("workers: [1]\n"), ":5: workers takes one value, not a list" },
    { SOURCE("workers:\n"), ":5: workers takes" },
    { SOURCE("workers: 1\nworkers: 2\n"), ":6: workers is there twice" },
    { SOURCE("log_json: 1\n"), ":5: log_json takes true or false" },
    { SOURCE("log_level: loud\n"), ":5: log_level takes error, warn, info or debug, not \"loud\"" },
    { SOURCE("access: {per_address: 65537}\n"), ":5: access.per_address takes" },
    { SOURCE("access: [1]\n"), ":5: access takes keys" },
    { SOURCE("access: {anonymous: [{publish: maybe}]}\n"), ":5: access.anonymous.publish" },
    { SOURCE("transport:\n  cc: none\n"), ":6: transport.cc knows no \"none\"; there are:" },
    { SOURCE("confine: {writable: x}\n"), ":5: confine.writable takes a list" },
    { SOURCE("- {namespace: a, input: g.mkv}\n"), "namespace a: two sources" },
    { SOURCE("- {namespace: b}\n"), "source b: a file needs an input" },
    { SOURCE("- {namespace: b, input: g, latency_ms: 49}\n"), ":5: sources.latency_ms takes" },
    { SOURCE("- {namespace: b, input: g, encoder: {speed: 11}}\n"),
      ":5: sources.encoder.speed takes" },
    { SOURCE("- {namespace: b, kind: upstream, input: \"http://a/b\"}\n"),
      "source b: input takes moqt" },
    { SOURCE("push: [{namespace: b, to: \"moqt://relay:4433\"}]\n"),
      "push b: there is no such source" },
    { SOURCE("control: {listen: \"0.0.0.0:80\"}\n"), "control.token" },
    { SOURCE("transport: {lb_key: k}\n"), "server_id" },
    { SOURCE("---\nworkers: 1\n"), ":6: a second document" },
    { PAIR "sources: [\n", "no YAML" },
    { "*a\n", ":1: no YAML" },
    { PAIR, "no source" },
};

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_files(void **state)
{
    char path[64];
    const char *const words[] = { "--config", path, NULL };
    (void)state;
    snprintf(path, sizeof path, "./test_configure.%ld.yaml", (long)getpid());
    for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++) {
        struct configure q;
        struct config c;
        char why[1024];
        write_file(path, file_rows[i].text);
        const enum configure_result got = ask(words, &q, &c, why, sizeof why);
        unlink(path);
        if (got != (file_rows[i].why ? CONFIGURE_BAD : CONFIGURE_RUN))
            fail_msg("file %zu gave %d: %s", i, got, why);
        if (file_rows[i].why && !strstr(why, file_rows[i].why))
            fail_msg("file %zu said \"%s\"", i, why);
        config_fini(&c);
    }
}

/* Every problem of a file is said; names of files are beside it. */
static void test_all_problems(void **state)
{
    static const char path[] = "./test_configure_all.yaml";
    static const char *const words[] = { "--config", path, NULL };
    struct configure q;
    struct config c;
    char why[1024];
    (void)state;
    write_file(path, "workers: 99\nloud: 1\ndrain_s: x\n" PAIR);
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_BAD);
    assert_non_null(strstr(why, ":1: workers"));
    assert_non_null(strstr(why, "\n./test_configure_all.yaml:2: unknown key loud"));
    assert_non_null(strstr(why, "\n./test_configure_all.yaml:3: drain_s"));
    write_file(path, SOURCE("- {namespace: b, kind: live, input: c.mp4}\n"
                            "- {namespace: c, kind: live, input: \"rtsp://cam/1\"}\n"
                            "qlog: /var/q\nkeylog: sub/k\n"));
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_RUN);
    unlink(path);
    assert_string_equal(c.cert, "./c");
    assert_string_equal(c.source[0].input, "./f.mkv");
    assert_string_equal(c.source[1].input, "./c.mp4");
    assert_string_equal(c.source[2].input, "rtsp://cam/1");
    assert_string_equal(c.qlog, "/var/q");
    assert_string_equal(c.keylog, "./sub/k");
    config_fini(&c);
}

/* File, environment, command line: the later one wins. */
static void test_order(void **state)
{
    static const char path[] = "./test_configure_order.yaml";
    static const char *const words[] = { "--config",    path, "--workers=3", "g.mkv",
                                         "--namespace", "b",  NULL };
    struct configure q;
    struct config c;
    char why[1024];
    (void)state;
    write_file(path, SOURCE("- {namespace: b, input: x, loop: true}\n"
                            "workers: 1\ndrain_s: 1\nviewers_max: 1\n"));
    setenv("SVC_SERVER_WORKERS", "2", 1);
    setenv("SVC_SERVER_MAX_VIEWERS", "2", 1);
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_RUN);
    assert_string_equal(q.file, path);
    assert_int_equal(c.workers, 3);
    assert_int_equal(c.viewers_max, 2);
    assert_int_equal(c.drain_s, 1);
    assert_int_equal(c.n_sources, 2); /* the file's b has given way */
    assert_string_equal(c.source[1].input, "g.mkv");
    assert_false(c.source[1].loop);
    config_fini(&c);
    setenv("SVC_SERVER_WORKERS", "lots", 1);
    assert_int_equal(ask(words, &q, &c, why, sizeof why), CONFIGURE_USAGE);
    assert_non_null(strstr(why, "SVC_SERVER_WORKERS takes a number"));
    unsetenv("SVC_SERVER_WORKERS");
    unsetenv("SVC_SERVER_MAX_VIEWERS");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_values),
        cmocka_unit_test(test_live_values), cmocka_unit_test(test_sound_packets),
        cmocka_unit_test(test_files),       cmocka_unit_test(test_all_problems),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
