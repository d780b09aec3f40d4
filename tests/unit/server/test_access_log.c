/* test_access_log.c - the access log: its lines, renamed under it, a disk that is full, a flood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <jansson.h>

#include "access_log.h"
#include "keys.h"

static struct keys dir;

static struct access_log *open_log(const char *path)
{
    struct access_log *log = NULL;
    char why[256] = "";
    if (access_log_open(&log, path, why, sizeof why) < 0)
        fail_msg("%s", why);
    return log;
}

static struct access_entry entry(uint64_t session)
{
    return (struct access_entry){ .session = session,
                                  .has_session = true,
                                  .address = "192.0.2.1:4433",
                                  .action = "subscribe",
                                  .ns = "live/a",
                                  .allowed = 1,
                                  .bytes = -1,
                                  .bytes_received = -1,
                                  .duration_us = -1,
                                  .count = -1 };
}

/* How many lines; each must be an object. The last one is left in *last if not NULL. */
static size_t lines(const char *path, json_t **last)
{
    FILE *f = fopen(path, "r");
    char line[ACCESS_LOG_LINE_MAX + 2];
    size_t n = 0;
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        json_t *o = json_loads(line, 0, NULL);
        if (!o)
            fail_msg("no JSON: %s", line);
        if (last) {
            json_decref(*last);
            *last = o;
        } else {
            json_decref(o);
        }
        n++;
    }
    fclose(f);
    return n;
}

static void fields(void **state)
{
    char path[KEYS_PATH_MAX];
    struct access_log *log = open_log(keys_path(&dir, "fields", path));
    struct access_entry e = entry(7);
    json_t *o = NULL;
    (void)state;
    e.allowed = 0;
    e.reason = "a \"reason\"\nwith all sorts \x01 of things";
    e.subject = "";
    e.bytes = 12;
    e.duration_us = 1234567;
    access_log_write(log, &e);
    access_log_free(log);
    assert_int_equal(lines(path, &o), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "session")), 7);
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "refused");
    assert_string_equal(json_string_value(json_object_get(o, "namespace")), "live/a");
    assert_string_equal(json_string_value(json_object_get(o, "reason")), e.reason);
    assert_int_equal(json_integer_value(json_object_get(o, "bytes")), 12);
    assert_float_equal(json_real_value(json_object_get(o, "duration")), 1.234, 1e-9);
    assert_int_equal(strlen(json_string_value(json_object_get(o, "time"))), 24);
    assert_null(json_object_get(o, "subject"));
    assert_null(json_object_get(o, "count"));
    json_decref(o);
}

static void wait_lines(const char *path, size_t n)
{
    for (int i = 0; i < 500 && lines(path, NULL) < n; i++)
        usleep(10000);
    assert_int_equal(lines(path, NULL), n);
}

static void renamed(void **state)
{
    char path[KEYS_PATH_MAX], old[KEYS_PATH_MAX];
    struct access_log *log = open_log(keys_path(&dir, "renamed", path));
    const struct access_entry e = entry(1);
    (void)state;
    access_log_write(log, &e);
    wait_lines(path, 1);
    assert_int_equal(rename(path, keys_path(&dir, "renamed.1", old)), 0);
    access_log_write(log, &e);
    wait_lines(old, 2); /* until it is told */
    access_log_reopen(log);
    for (int i = 0; i < 500 && access(path, F_OK) != 0; i++)
        usleep(10000);
    access_log_write(log, &e);
    access_log_free(log);
    assert_int_equal(lines(path, NULL), 1);
    assert_int_equal(lines(old, NULL), 2);
}

static void full_disk(void **state)
{
    struct access_log *log = open_log("/dev/full");
    const struct access_entry e = entry(1);
    (void)state;
    for (int i = 0; i < 100; i++)
        access_log_write(log, &e);
    access_log_free(log); /* the test is that we are still here */
}

/* A file that may not grow, in the middle of a line: what follows is whole lines again. */
static void torn_line(void **state)
{
    char path[KEYS_PATH_MAX];
    const struct access_entry e = entry(1);
    struct rlimit before, small;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 200;
    struct access_log *log = open_log(keys_path(&dir, "torn", path));
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 5; i++)
        access_log_write(log, &e);
    for (int i = 0; i < 500; i++) {
        FILE *f = fopen(path, "r");
        fseek(f, 0, SEEK_END);
        const long size = ftell(f);
        fclose(f);
        if (size == 200)
            break;
        usleep(10000);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    access_log_reopen(log); /* also ends the wait for a better time */
    for (int i = 0; i < 300; i++) {
        access_log_write(log, &e);
        usleep(1000);
    }
    access_log_free(log);
    FILE *f = fopen(path, "r");
    char line[ACCESS_LOG_LINE_MAX];
    size_t whole = 0, torn = 0;
    while (fgets(line, sizeof line, f)) {
        json_t *o = json_loads(line, 0, NULL);
        *(o ? &whole : &torn) += 1;
        json_decref(o);
    }
    fclose(f);
    assert_int_equal(torn, 1);
    assert_true(whole >= 300); /* none is glued to it */
}

static void *flood(void *arg)
{
    const struct access_entry e = entry(1);
    for (int i = 0; i < 5000; i++)
        access_log_write(arg, &e);
    return NULL;
}

static void from_all_threads(void **state)
{
    char path[KEYS_PATH_MAX];
    struct access_log *log = open_log(keys_path(&dir, "flood", path));
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flood, access_log_ref(log)), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        access_log_free(log);
    }
    access_log_free(log);
    const size_t n = lines(path, NULL); /* each whole; some may be lost, not without being said */
    assert_true(n > 0 && n <= 20000);
}

static int make_dir(void **state)
{
    (void)state;
    keys_init(&dir);
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    keys_fini(&dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),           cmocka_unit_test(renamed),
        cmocka_unit_test(full_disk),        cmocka_unit_test(torn_line),
        cmocka_unit_test(from_all_threads),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
