/*
 * test_agent.c - the host's side of a guest's agent: waits for it, notices when it is lost, comes
 * back, and takes its open requests along when the guest moves or sleeps.
 */
#include "door.h"
#include "guest/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>

#include <cmocka.h>

/* A QEMU's end of the port, with an agent that obeys by itself unless it is asked to be silent. */
struct port {
    struct ev_loop *loop;
    struct vmm_door *door;
    struct vmm_lines *lines;
    char path[64];
    bool silent;
    struct vmm_call
        *held[16]; /* not answered as calls: the agent's answers are of its own making */
    size_t n_held;
    char heard[1000];
};

struct world {
    struct ev_loop *loop;
    char dir[32];
    struct port a, b;
    char log[1000];
};

static void on_word(void *user, json_t *m)
{
    struct port *p = user;
    const char *what = json_string_value(json_object_get(m, "do"));
    json_t *id = json_object_get(m, "id");
    const size_t n = strlen(p->heard);

    snprintf(p->heard + n, sizeof p->heard - n, "%s(%lld) ", what ? what : "-",
             (long long)json_integer_value(id));
    if (!p->silent && what && strcmp(what, "exec") != 0)
        vmm_lines_send(p->lines, json_pack("{s:O, s:{}}", "id", id, "ok"));
}

static void on_call(void *user, struct vmm_call *call, json_t *m)
{
    struct port *p = user;

    p->held[p->n_held++] = call;
    on_word(user, m);
}

static const struct vmm_lines_handler port_handler = { .on_call = on_call, .on_message = on_word };

static void on_guest(void *user, int fd)
{
    struct port *p = user;
    char why[200];

    vmm_lines_free(p->lines);
    assert_int_equal(vmm_lines_new(&p->lines, p->loop, fd, &port_handler, p, why, sizeof why), 0);
}

static void open_port(struct world *w, struct port *p, const char *name)
{
    char why[200];

    p->loop = w->loop;
    snprintf(p->path, sizeof p->path, "%s/%s", w->dir, name);
    assert_int_equal(vmm_door_new(&p->door, w->loop, p->path, on_guest, p, why, sizeof why), 0);
}

static void close_port(struct port *p)
{
    vmm_lines_free(p->lines);
    vmm_door_free(p->door);
    while (p->n_held)
        vmm_call_ok(p->held[--p->n_held], NULL); /* nobody hears it */
    p->lines = NULL;
    p->door = NULL;
}

static void say(struct world *w, const char *text)
{
    const size_t n = strlen(w->log);

    snprintf(w->log + n, sizeof w->log - n, "%s ", text);
}

static void on_ready(void *user, const struct vmm_agent_hello *h)
{
    say(user, "ready");
    say(user, *h->node ? h->node : "?");
}

static void on_lost(void *user, const char *why)
{
    (void)why;
    say(user, "lost");
}

static const struct vmm_agent_handler handler = { .on_ready = on_ready, .on_lost = on_lost };

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    (void)why;
    say(user, kind == VMM_PART ? "part" : kind == VMM_DONE ? "done" : m ? "refused" : "gone");
}

/* Until the log is this, or for ever. */
static void until(struct world *w, const char *log)
{
    for (int i = 0; i < 5000 && strcmp(w->log, log) != 0; i++) {
        ev_run(w->loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    assert_string_equal(w->log, log);
}

static void send_text(struct port *p, const char *text)
{
    json_t *m = json_loads(text, 0, NULL);

    assert_non_null(m);
    assert_int_equal(vmm_lines_send(p->lines, m), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    w->loop = ev_loop_new(EVFLAG_AUTO);
    strcpy(w->dir, "/tmp/vmm-agent-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    close_port(&w->a);
    close_port(&w->b);
    rmdir(w->dir);
    ev_loop_destroy(w->loop);
    free(w);
    return 0;
}

/* It is there before QEMU is; it comes back when the port was lost. */
static void test_life(void **state)
{
    struct world *w = *state;
    struct vmm_agent *a;
    char path[64], why[200];

    snprintf(path, sizeof path, "%s/a", w->dir);
    assert_int_equal(vmm_agent_new(&a, w->loop, path, &handler, w, why, sizeof why), 0);
    for (int i = 0; i < 5; i++)
        ev_run(w->loop, EVRUN_NOWAIT);
    assert_false(vmm_agent_is_ready(a));
    assert_true(vmm_agent_ask(a, json_object(), 0, on_answer, w) == 0);
    w->a.silent = true;
    open_port(w, &w->a, "a");
    while (!w->a.lines)
        ev_run(w->loop, EVRUN_NOWAIT);
    send_text(&w->a, "{\"hello\": 1, \"node\": \"player\", \"kernel\": \"k\", \"uptime_ms\": 5}");
    until(w, "ready player ");
    assert_true(vmm_agent_ask(a, json_pack("{s:s}", "do", "exec"), 0, on_answer, w) != 0);
    vmm_lines_free(w->a.lines);
    w->a.lines = NULL;
    w->a.silent = false;
    until(w, "ready player gone lost ready player ");
    vmm_agent_free(a);
}

/* From one QEMU to the next: what runs is not told, and its end comes from there. */
static void test_moves(void **state)
{
    struct world *w = *state;
    struct vmm_agent *a, *b;
    char why[200];
    uint64_t id;

    open_port(w, &w->a, "a");
    open_port(w, &w->b, "b");
    w->a.silent = true;
    assert_int_equal(vmm_agent_new(&a, w->loop, w->a.path, &handler, w, why, sizeof why), 0);
    while (!w->a.lines)
        ev_run(w->loop, EVRUN_NOWAIT);
    send_text(&w->a, "{\"hello\": 1, \"node\": \"player\"}");
    until(w, "ready player ");
    id = vmm_agent_ask(a, json_pack("{s:s}", "do", "exec"), 0, on_answer, w);
    assert_int_equal(id, 2); /* 1 was the ping, which nobody answered */
    assert_int_equal(vmm_agent_new_held(&b, w->loop, w->b.path, &handler, w, why, sizeof why), 0);
    while (!w->b.lines)
        ev_run(w->loop, EVRUN_NOWAIT);
    for (int i = 0; i < 20; i++)
        ev_run(w->loop, EVRUN_NOWAIT);
    assert_string_equal(w->b.heard, ""); /* held: nothing is asked there yet */
    send_text(&w->a, "{\"id\": 2, \"out\": \"x\"}");
    send_text(&w->b, "{\"id\": 2, \"exit\": 0}");
    vmm_agent_adopt(b, a);
    vmm_agent_free(a);
    until(w, "ready player part done ready player ");
    vmm_agent_free(b);
}

/* Into a file, and out of it. */
static void test_sleeps(void **state)
{
    struct world *w = *state;
    struct vmm_agent *a, *b, *parked;
    char why[200];

    open_port(w, &w->a, "a");
    open_port(w, &w->b, "b");
    assert_int_equal(vmm_agent_new(&a, w->loop, w->a.path, &handler, w, why, sizeof why), 0);
    until(w, "ready ? ");
    assert_true(vmm_agent_ask(a, json_pack("{s:s}", "do", "exec"), 0, on_answer, w) != 0);
    parked = vmm_agent_park(a);
    vmm_agent_free(a);
    assert_non_null(parked);
    assert_int_equal(vmm_agent_new_held(&b, w->loop, w->b.path, &handler, w, why, sizeof why), 0);
    vmm_agent_adopt(b, parked);
    vmm_agent_free(parked);
    until(w, "ready ? ready ? ");
    send_text(&w->b, "{\"id\": 2, \"exit\": 0}");
    until(w, "ready ? ready ? done ");
    vmm_agent_free(b);
}

/* By another keeper: ids of the first are not given again, and its request is heard. */
static void test_another_keeper(void **state)
{
    struct world *w = *state;
    struct vmm_agent *b;
    char why[200];

    open_port(w, &w->b, "b");
    assert_int_equal(vmm_agent_new_held(&b, w->loop, w->b.path, &handler, w, why, sizeof why), 0);
    vmm_agent_release(b, 40);
    until(w, "ready ? ");
    assert_string_equal(w->b.heard, "ping(41) ");
    assert_int_equal(vmm_agent_expect(b, 3, on_answer, w), 0);
    send_text(&w->b, "{\"id\": 3, \"out\": \"x\"}");
    send_text(&w->b, "{\"id\": 3, \"signal\": 9}");
    until(w, "ready ? part done ");
    vmm_agent_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sleeps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_keeper, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
