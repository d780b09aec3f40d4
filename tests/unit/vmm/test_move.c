/*
 * test_move.c - the machine of a move against two scripted QEMUs: the order of each mode, and for
 * each step that fails: what is undone, that the source runs again, what is said.
 */
#include "move/machine.h"
#include "move/ram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include <cmocka.h>

/* A QEMU as far as a move sees one. */
struct fake {
    struct vmm_lines *lines;
    struct vmm_qmp *qmp;
    struct world *w;
    const char *status; /* of query-status */
    bool is_source;
};

struct world {
    struct ev_loop *loop;
    struct fake source, destination;
    struct vmm_move_machine *machine;
    const char *copy; /* status of query-migrate */
    int copies_left;  /* answers of query-migrate until it is completed */
    bool postcopy;
    int cpus_there;
    /* What is to fail: a command of a side ("source migrate"), or an action ("start"). */
    const char *fails, *gone;
    char log[4000];
    bool finished;
    struct vmm_move_result result;
};

static void note(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct world *w, const char *format, ...)
{
    const size_t n = strlen(w->log);
    va_list args;

    va_start(args, format);
    vsnprintf(w->log + n, sizeof w->log - n, format, args);
    va_end(args);
}

/* ---- QEMU ---- */

static bool is_running(const struct fake *f)
{
    return strcmp(f->status, "running") == 0;
}

static json_t *migration(struct world *w)
{
    if (strcmp(w->copy, "active") == 0 && w->copies_left-- <= 0 &&
        (!w->postcopy || w->copies_left < -2)) {
        w->copy = "completed";
        w->destination.status = is_running(&w->source) ? "running" : "paused";
        w->source.status = "postmigrate";
    } else if (w->postcopy && strcmp(w->copy, "postcopy-active") == 0 && w->copies_left-- <= 0) {
        w->copy = "completed";
    }
    return json_pack("{s:s, s:{s:i}, s:i}", "status", w->copy, "ram", "transferred", 4096,
                     "downtime", 7);
}

static json_t *obey(struct fake *f, const char *command)
{
    struct world *w = f->w;

    if (strcmp(command, "query-status") == 0)
        return json_pack("{s:s, s:b}", "status", f->status, "running", is_running(f));
    if (strcmp(command, "query-cpus-fast") == 0)
        return f->is_source || w->cpus_there == 1 ? json_pack("[{}]") : json_pack("[{}, {}]");
    if (strcmp(command, "query-version") == 0)
        return json_pack("{s:s}", "package", "7.2");
    if (strcmp(command, "query-migrate") == 0)
        return migration(w);
    if (strcmp(command, "stop") == 0)
        f->status = "paused";
    else if (strcmp(command, "cont") == 0)
        f->status = "running";
    else if (strcmp(command, "migrate") == 0)
        w->copy = "active";
    else if (strcmp(command, "migrate_cancel") == 0)
        w->copy = "cancelled";
    else if (strcmp(command, "migrate-start-postcopy") == 0) {
        w->copy = "postcopy-active";
        w->source.status = "finish-migrate";
        w->destination.status = "running";
        w->copies_left = 3;
    }
    return json_object();
}

static void on_command(void *user, json_t *m)
{
    struct fake *f = user;
    const char *command = json_string_value(json_object_get(m, "execute"));
    char line[100];
    json_t *answer;

    if (strcmp(command, "qmp_capabilities") != 0 && strncmp(command, "query", 5) != 0)
        note(f->w, "%s %s; ", f->is_source ? "source" : "there", command);
    snprintf(line, sizeof line, "%s %s", f->is_source ? "source" : "there", command);
    if (f->w->gone && strcmp(line, f->w->gone) == 0) {
        vmm_lines_free(f->lines);
        f->lines = NULL;
        return;
    }
    if (f->w->fails && strcmp(line, f->w->fails) == 0)
        answer = json_pack("{s:O, s:{s:s}}", "id", json_object_get(m, "id"), "error", "desc",
                           "it will not");
    else
        answer =
            json_pack("{s:O, s:o}", "id", json_object_get(m, "id"), "return", obey(f, command));
    vmm_lines_send(f->lines, answer);
}

static const struct vmm_lines_handler fake_handler = { .on_message = on_command };
static const struct vmm_qmp_handler quiet;

static void make_fake(struct world *w, struct fake *f, bool is_source)
{
    char why[200];
    int fd[2];

    *f = (struct fake){ .w = w,
                        .is_source = is_source,
                        .status = is_source ? "running" : "inmigrate" };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(vmm_lines_new(&f->lines, w->loop, fd[0], &fake_handler, f, why, sizeof why),
                     0);
    assert_int_equal(vmm_qmp_new_on(&f->qmp, w->loop, fd[1], &quiet, f, why, sizeof why), 0);
    vmm_lines_send(f->lines, json_pack("{s:{}}", "QMP"));
    for (int i = 0; i < 100 && !vmm_qmp_is_ready(f->qmp); i++)
        ev_run(w->loop, EVRUN_NOWAIT);
    assert_true(vmm_qmp_is_ready(f->qmp));
}

/* ---- the owner ---- */

static void act(struct world *w, const char *name)
{
    note(w, "%s; ", name);
    if (w->fails && strncmp(w->fails, "never ", 6) == 0 && strcmp(w->fails + 6, name) == 0)
        return;
    vmm_move_done(w->machine, w->fails && strcmp(w->fails, name) == 0 ? "it cannot" : NULL);
}

static void do_open(void *user)
{
    act(user, "open");
}

static void do_start(void *user)
{
    struct world *w = user;

    if (!w->fails || strcmp(w->fails, "start") != 0) {
        make_fake(w, &w->destination, false);
        vmm_move_set_destination(w->machine, w->destination.qmp);
    }
    act(w, "start");
}

static void do_keep(void *user)
{
    act(user, "keep");
}

static void do_arrive(void *user)
{
    act(user, "arrive");
}

static void do_commit(void *user)
{
    act(user, "commit");
}

static void do_undo(void *user, bool ran)
{
    act(user, ran ? "undo ran" : "undo");
}

static void on_finished(void *user, const struct vmm_move_result *r)
{
    struct world *w = user;

    w->finished = true;
    w->result = *r;
}

static const struct vmm_move_ops ops = { .open = do_open,
                                         .start = do_start,
                                         .keep_ram = do_keep,
                                         .arrive = do_arrive,
                                         .commit = do_commit,
                                         .undo = do_undo,
                                         .finished = on_finished };

static struct world *play(enum vmm_move_mode mode, const char *fails, const char *gone, int cpus)
{
    const struct vmm_move_plan plan = { .mode = mode, .uri = "unix:/x", .agent_s = 0.05 };
    struct world *w = calloc(1, sizeof *w);

    w->loop = ev_loop_new(EVFLAG_AUTO);
    w->fails = fails;
    w->gone = gone;
    w->copy = "none";
    w->copies_left = 2;
    w->postcopy = mode == VMM_MOVE_POSTCOPY;
    w->cpus_there = cpus;
    make_fake(w, &w->source, true);
    w->machine = vmm_move_new(w->loop, &plan, w->source.qmp, &ops, w);
    vmm_move_begin(w->machine);
    for (int i = 0; i < 20000 && !w->finished; i++)
        ev_run(w->loop, EVRUN_ONCE);
    assert_true(w->finished);
    return w;
}

static void end(struct world *w)
{
    vmm_move_free(w->machine);
    vmm_qmp_free(w->source.qmp);
    vmm_qmp_free(w->destination.qmp);
    vmm_lines_free(w->source.lines);
    vmm_lines_free(w->destination.lines);
    ev_loop_destroy(w->loop);
    free(w);
}

#define BEGIN                                                                        \
    "open; start; source migrate-set-capabilities; there migrate-set-capabilities; " \
    "source migrate-set-parameters; "

static const struct {
    enum vmm_move_mode mode;
    const char *log;
} orders[] = {
    { VMM_MOVE_SHARED, BEGIN "keep; there migrate-incoming; source stop; keep; source migrate; "
                             "there cont; arrive; commit; " },
    { VMM_MOVE_STOP, BEGIN "there migrate-incoming; source stop; source migrate; there cont; "
                           "arrive; commit; " },
    { VMM_MOVE_POSTCOPY, BEGIN "there migrate-incoming; source migrate; "
                               "source migrate-start-postcopy; arrive; commit; " },
    { VMM_MOVE_PRECOPY, BEGIN "there migrate-incoming; source migrate; arrive; commit; " },
};

static void test_orders(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct world *w = play(orders[i].mode, NULL, NULL, 1);

        assert_string_equal(w->log, orders[i].log);
        assert_true(w->result.moved && w->result.bytes == 4096 && !*w->result.why);
        assert_string_equal(w->destination.status, "running");
        assert_true(w->result.down_ms >= 0 && w->result.down_ms <= w->result.total_ms + 7);
        end(w);
    }
}

static const struct {
    enum vmm_move_mode mode;
    const char *fails, *gone; /* a command that is refused; one at which QEMU dies */
    const char *why;          /* is in what is said */
    const char *undone;       /* is in the log */
} failures[] = {
    { VMM_MOVE_SHARED, "open", NULL, "ports of the network: it cannot", "open; undo; " },
    { VMM_MOVE_SHARED, "start", NULL, "start of the destination: it cannot", "undo; " },
    { VMM_MOVE_SHARED, "there query-version", NULL, "comparison of versions: it will not",
      "undo; " },
    { VMM_MOVE_STOP, "source query-memory-size-summary", NULL, "comparison of memory", "undo; " },
    { VMM_MOVE_STOP, "source migrate-set-capabilities", NULL, "preparation of the source",
      "undo; " },
    { VMM_MOVE_STOP, "there migrate-set-capabilities", NULL, "preparation of the destination",
      "undo; " },
    { VMM_MOVE_STOP, "source migrate-set-parameters", NULL, "preparation of the source", "undo; " },
    { VMM_MOVE_SHARED, "keep", NULL, "a copy to go back to: it cannot", "undo; " },
    { VMM_MOVE_STOP, "there migrate-incoming", NULL, "listening of the destination", "undo; " },
    { VMM_MOVE_STOP, "source stop", NULL, "stop: it will not", "undo; " },
    { VMM_MOVE_STOP, "source migrate", NULL, "start of the copy: it will not",
      "source migrate_cancel; undo; source cont; " },
    { VMM_MOVE_STOP, "source query-migrate", NULL, "copy: it will not",
      "source migrate_cancel; undo; source cont; " },
    { VMM_MOVE_POSTCOPY, "source migrate-start-postcopy", NULL, "copy: it will not",
      "source migrate_cancel; undo; " },
    { VMM_MOVE_STOP, "there query-status", NULL, "loading at the destination: it will not",
      "source migrate_cancel; undo; source cont; " },
    { VMM_MOVE_SHARED, "there cont", NULL, "going on at the destination: it will not",
      "source migrate_cancel; undo ran; source cont; " },
    { VMM_MOVE_SHARED, "arrive", NULL, "agent's answer from the destination: it cannot",
      "undo ran; source cont; " },
    { VMM_MOVE_STOP, "never arrive", NULL, "agent's answer from the destination: not within 0.05 s",
      "undo ran; source cont; " },
    { VMM_MOVE_POSTCOPY, "never arrive", NULL, "agent's answer from the destination: not within",
      "source migrate_cancel; undo ran; source cont; " },
    { VMM_MOVE_STOP, NULL, "there migrate-incoming", "the other side has closed", "undo; " },
    { VMM_MOVE_STOP, NULL, "there query-status", "the other side has closed",
      "undo; source cont; " },
};

static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct world *w = play(failures[i].mode, failures[i].fails, failures[i].gone, 1);

        if (!strstr(w->result.why, failures[i].why) || !strstr(w->log, failures[i].undone))
            fail_msg("%zu: \"%s\" in \"%s\"? \"%s\" in \"%s\"?", i, failures[i].why, w->result.why,
                     failures[i].undone, w->log);
        assert_false(w->result.moved);
        assert_null(strstr(w->log, "commit"));
        assert_true(w->result.source_runs);
        assert_string_equal(w->source.status, "running");
        end(w);
    }
}

static void test_other_cpus(void **state)
{
    struct world *w = play(VMM_MOVE_STOP, NULL, NULL, 2);

    (void)state;
    assert_non_null(strstr(w->result.why, "the two QEMUs differ: 1 vCPUs here, 2 there"));
    assert_null(strstr(w->log, "stop")); /* the source plays on all the time */
    end(w);
}

/* The source itself dies: nothing to go back to, and that is said. */
static void test_source_dies(void **state)
{
    struct world *w = play(VMM_MOVE_STOP, NULL, "source migrate", 1);

    (void)state;
    assert_false(w->result.moved);
    assert_false(w->result.source_runs);
    assert_non_null(strstr(w->log, "undo; "));
    end(w);
}

static void test_names(void **state)
{
    enum vmm_move_mode mode;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(vmm_move_mode_parse(vmm_move_mode_name((enum vmm_move_mode)i), &mode), 0);
        assert_int_equal(mode, i);
    }
    assert_int_equal(vmm_move_mode_parse("teleport", &mode), -1);
}

/* What another writes into the RAM is taken back; holes stay holes. */
static void test_ram(void **state)
{
    const size_t size = 8 << 20;
    const int fd = memfd_create("test", 0);
    struct vmm_ram *r;
    char why[200];
    uint8_t *p;

    (void)state;
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(p != MAP_FAILED);
    memset(p + 4096, 1, 3 * 4096);
    assert_int_equal(vmm_ram_new(&r, fd, why, sizeof why), 0);
    assert_int_equal(vmm_ram_keep(r), 3 * 4096);
    p[2 * 4096] = 7;
    assert_int_equal(vmm_ram_keep(r), 4096);
    p[2 * 4096] = 8;
    memset(p + (4 << 20), 9, 100);
    vmm_ram_restore(r);
    assert_int_equal(p[2 * 4096], 7);
    assert_int_equal(p[4096], 1);
    assert_int_equal(p[4 << 20], 0);
    vmm_ram_free(r);
    munmap(p, size);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_other_cpus), cmocka_unit_test(test_source_dies),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_ram),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
