/*
 * test_lines.c - JSON lines: each kind of line reaches who it is for, every request ends once, all
 * that an outsider can grow is bounded, and a channel may be freed from any callback.
 */
#include "door.h"
#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ev.h>

#include <cmocka.h>

struct side {
    struct vmm_lines *l;
    char log[4096]; /* what came, a word each */
    struct vmm_call *held;
    bool free_on_call, free_on_close;
    int gone;
};

struct pair {
    struct ev_loop *loop;
    struct side a, b; /* b: under test where only one is; else a asks, b answers */
    int raw;          /* the other end, when a is no channel */
};

static void say(struct side *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct side *s, const char *format, ...)
{
    const size_t at = strlen(s->log);
    va_list args;

    va_start(args, format);
    vsnprintf(s->log + at, sizeof s->log - at, format, args);
    va_end(args);
}

static void on_gone(void *user)
{
    ((struct side *)user)->gone++;
}

static void on_call(void *user, struct vmm_call *call, json_t *m)
{
    struct side *s = user;
    const char *what = json_string_value(json_object_get(m, "do"));

    say(s, "call(%s) ", what);
    if (s->free_on_call) {
        vmm_lines_free(s->l);
        s->l = NULL;
    }
    if (strcmp(what, "hold") == 0) {
        s->held = call;
        vmm_call_on_gone(call, on_gone, s);
    } else if (strcmp(what, "stream") == 0) {
        vmm_call_part(call, json_pack("{s:s}", "out", "one\n"));
        vmm_call_part(call, json_pack("{s:s}", "err", "two\n"));
        vmm_call_end(call, json_pack("{s:i}", "exit", 3));
    } else if (strcmp(what, "fail") == 0) {
        vmm_call_error(call, "there is no %s", "spoon");
    } else {
        vmm_call_ok(call, NULL);
    }
}

static void on_message(void *user, json_t *m)
{
    char *text = json_dumps(m, JSON_COMPACT | JSON_SORT_KEYS);

    say(user, "message(%s) ", text);
    free(text);
}

static void on_closed(void *user, const char *why)
{
    struct side *s = user;

    say(s, "closed(%s) ", why);
    if (s->free_on_close) {
        vmm_lines_free(s->l);
        s->l = NULL;
    }
}

static const struct vmm_lines_handler handler = { .on_call = on_call,
                                                  .on_message = on_message,
                                                  .on_closed = on_closed };
static const struct vmm_lines_handler refusing = { .on_closed = on_closed };

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    char *text = m ? json_dumps(m, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    say(user, "%s(%s)%s%s ",
        kind == VMM_PART   ? "part"
        : kind == VMM_DONE ? "done"
                           : "failed",
        text ? text : "", *why ? ":" : "", why);
    free(text);
}

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    int fd[2];
    char why[200];

    p->raw = -1;
    p->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(vmm_lines_new(&p->a.l, p->loop, fd[0], &handler, &p->a, why, sizeof why), 0);
    assert_int_equal(vmm_lines_new(&p->b.l, p->loop, fd[1], &handler, &p->b, why, sizeof why), 0);
    *state = p;
    return 0;
}

/* The other end is a plain descriptor. */
static int setup_raw_with(void **state, const struct vmm_lines_handler *h)
{
    struct pair *p = calloc(1, sizeof *p);
    int fd[2];
    char why[200];

    p->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    p->raw = fd[0];
    assert_int_equal(vmm_lines_new(&p->b.l, p->loop, fd[1], h, &p->b, why, sizeof why), 0);
    *state = p;
    return 0;
}

static int setup_raw(void **state)
{
    return setup_raw_with(state, &handler);
}

static int setup_refusing(void **state)
{
    return setup_raw_with(state, &refusing);
}

static int teardown(void **state)
{
    struct pair *p = *state;

    vmm_lines_free(p->a.l);
    vmm_lines_free(p->b.l);
    if (p->raw >= 0)
        close(p->raw);
    ev_loop_destroy(p->loop);
    free(p);
    return 0;
}

/* Until nothing is left to do at once. */
static void turn(struct pair *p)
{
    for (int i = 0; i < 50; i++)
        ev_run(p->loop, EVRUN_NOWAIT);
}

static void feed(struct pair *p, const char *text)
{
    assert_int_equal(write(p->raw, text, strlen(text)), (ssize_t)strlen(text));
    turn(p);
}

static const char *heard(struct pair *p)
{
    static char text[8192];
    const ssize_t n = recv(p->raw, text, sizeof text - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = 0;
    return text;
}

static uint64_t ask(struct pair *p, const char *what, double timeout_s)
{
    return vmm_lines_ask(p->a.l, json_pack("{s:s}", "do", what), timeout_s, on_answer, &p->a);
}

static void test_answers(void **state)
{
    struct pair *p = *state;

    assert_true(ask(p, "stream", 0) == 1 && ask(p, "fail", 0) == 2 && ask(p, "ok", 0) == 3);
    turn(p);
    assert_string_equal(p->b.log, "call(stream) call(fail) call(ok) ");
    assert_string_equal(p->a.log,
                        "part({\"id\":1,\"out\":\"one\\n\"}) part({\"err\":\"two\\n\",\"id\":1}) "
                        "done({\"exit\":3,\"id\":1}) "
                        "failed({\"error\":\"there is no spoon\",\"id\":2}):there is no spoon "
                        "done({\"id\":3,\"ok\":{}}) ");
}

static void test_messages(void **state)
{
    struct pair *p = *state;

    feed(p, "{\"event\":\"STOP\"}\n{\"id\":9,\"ok\":{}}\n\r\n{\"QMP\":1}\r\n{\"half\":");
    feed(p, "2}\n");
    assert_string_equal(p->b.log, "message({\"event\":\"STOP\"}) message({\"id\":9,\"ok\":{}}) "
                                  "message({\"QMP\":1}) message({\"half\":2}) ");
}

static void test_qmp_error(void **state)
{
    struct pair *p = *state;

    vmm_lines_ask(p->b.l, json_pack("{s:s}", "execute", "cont"), 0, on_answer, &p->b);
    assert_string_equal(heard(p), "{\"execute\":\"cont\",\"id\":1}\n");
    feed(p, "{\"id\":1,\"error\":{\"class\":\"GenericError\",\"desc\":\"no\\nway\"}}\n");
    assert_non_null(strstr(p->b.log, ":no way "));
}

static void test_bad_lines(void **state)
{
    static const char *const bad[] = { "[1]\n", "nonsense\n", "{\"a\":\n", "{\"a\":\"\xff\"}\n",
                                       "7\n",   "{}}\n" };
    struct pair *p = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        feed(p, bad[i]);
        assert_memory_equal(heard(p), "{\"error\":\"not a JSON object", 27);
    }
    feed(p, "{\"id\":\"x\",\"do\":\"ok\"}\n");
    assert_string_equal(heard(p), "{\"ok\":{},\"id\":\"x\"}\n");
}

static void test_refused(void **state)
{
    struct pair *p = *state;

    feed(p, "{\"id\":4,\"do\":\"ok\"}\n");
    assert_string_equal(heard(p), "{\"id\":4,\"error\":\"no requests are taken here\"}\n");
}

static void test_time_out(void **state)
{
    struct pair *p = *state;

    ask(p, "hold", 0.02);
    turn(p);
    for (int i = 0; i < 100 && !*p->a.log; i++)
        ev_run(p->loop, EVRUN_ONCE);
    assert_string_equal(p->a.log, "failed():no answer within 0.02 s ");
    vmm_call_ok(p->b.held, NULL); /* comes too late: a message like any other */
    turn(p);
    assert_non_null(strstr(p->a.log, "message({\"id\":1,\"ok\":{}})"));
}

static void test_forget(void **state)
{
    struct pair *p = *state;
    const uint64_t id = ask(p, "fail", 5);

    vmm_lines_forget(p->a.l, id);
    vmm_lines_forget(p->a.l, 77);
    turn(p);
    assert_null(strstr(p->a.log, "failed"));
}

/* Requests of both sides end when the channel does; the call is still ours to end. */
static void test_closed(void **state)
{
    struct pair *p = *state;

    ask(p, "hold", 0);
    turn(p);
    vmm_lines_free(p->a.l);
    p->a.l = NULL;
    assert_string_equal(p->a.log, "failed():the channel was closed here ");
    p->b.free_on_close = true;
    turn(p);
    assert_int_equal(p->b.gone, 1);
    assert_non_null(strstr(p->b.log, "closed(the other side has closed)"));
    assert_null(p->b.l);
    assert_null(vmm_call_channel(p->b.held));
    assert_int_equal(vmm_call_part(p->b.held, json_object()), -1);
    vmm_call_ok(p->b.held, NULL);
}

/* Whole lines before the end are taken; what is torn is not. */
static void test_end_of_file(void **state)
{
    struct pair *p = *state;

    vmm_lines_ask(p->b.l, json_pack("{s:s}", "do", "x"), 0, on_answer, &p->b);
    assert_true(write(p->raw, "{\"id\":1,\"ok\":1}\n{\"torn\":", 24) == 24);
    close(p->raw);
    p->raw = -1;
    turn(p);
    assert_string_equal(p->b.log, "done({\"id\":1,\"ok\":1}) closed(the other side has closed) ");
    assert_int_equal(vmm_lines_send(p->b.l, json_object()), -1);
}

static void test_freed_in_call(void **state)
{
    struct pair *p = *state;

    p->b.free_on_call = true;
    feed(p, "{\"do\":\"ok\"}\n{\"do\":\"ok\"}\n");
    assert_string_equal(p->b.log, "call(ok) ");
}

static void test_too_long(void **state)
{
    struct pair *p = *state;
    char *much = malloc(65536);

    memset(much, 'x', 65536);
    for (int i = 0; i < 200 && !strstr(p->b.log, "closed"); i++) {
        if (send(p->raw, much, 65536, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
        turn(p);
    }
    turn(p);
    free(much);
    assert_string_equal(p->b.log, "closed(a line is too long) ");
}

/* Who asks and does not read: the queue is bounded, then the channel ends. */
static void test_queue_full(void **state)
{
    struct pair *p = *state;
    char *big = calloc(1, 100001);
    size_t sent = 0;

    memset(big, 'y', 100000);
    feed(p, "{\"id\":1,\"do\":\"hold\"}\n");
    while (vmm_call_part(p->b.held, json_pack("{s:s}", "out", big)) == 0 && sent < 1000)
        sent++;
    assert_in_range(sent, 35, 60);
    assert_true(vmm_lines_queued(p->b.l) <= VMM_LINES_QUEUE_MAX);
    turn(p);
    assert_non_null(strstr(p->b.log, "closed(it does not read its answers)"));
    vmm_call_ok(p->b.held, NULL);
    free(big);
}

static void test_too_many_calls(void **state)
{
    struct pair *p = *state;
    struct vmm_call *held[VMM_LINES_CALLS_MAX];

    for (int i = 0; i < VMM_LINES_CALLS_MAX; i++) {
        feed(p, "{\"id\":1,\"do\":\"hold\"}\n");
        held[i] = p->b.held;
    }
    assert_string_equal(heard(p), "");
    feed(p, "{\"id\":2,\"do\":\"hold\"}\n");
    assert_non_null(strstr(heard(p), "too many requests"));
    for (int i = 0; i < VMM_LINES_CALLS_MAX; i++)
        vmm_call_ok(held[i], NULL);
}

static void test_too_many_asks(void **state)
{
    struct pair *p = *state;

    for (int i = 0; i < VMM_LINES_ASKS_MAX; i++)
        assert_true(vmm_lines_ask(p->b.l, json_object(), 0, on_answer, &p->b) != 0);
    assert_true(vmm_lines_ask(p->b.l, json_object(), 0, on_answer, &p->b) == 0);
    vmm_lines_free(p->b.l);
    p->b.l = NULL;
}

static void test_paused(void **state)
{
    struct pair *p = *state;

    vmm_lines_pause(p->b.l);
    feed(p, "{\"n\":1}\n{\"n\":2}\n");
    assert_string_equal(p->b.log, "");
    vmm_lines_resume(p->b.l);
    turn(p);
    assert_string_equal(p->b.log, "message({\"n\":1}) message({\"n\":2}) ");
}

/* All that was queued arrives before the end. */
static void test_finish(void **state)
{
    struct pair *p = *state;
    char *big = calloc(1, 500001);
    size_t got = 0;
    char some[65536];

    memset(big, 'z', 500000);
    assert_int_equal(vmm_lines_send(p->b.l, json_pack("{s:s}", "big", big)), 0);
    vmm_lines_finish(p->b.l);
    assert_int_equal(vmm_lines_send(p->b.l, json_object()), -1);
    for (ssize_t n = 1; n != 0;) {
        turn(p);
        n = recv(p->raw, some, sizeof some, MSG_DONTWAIT);
        assert_true(n >= 0);
        got += (size_t)n;
    }
    assert_int_equal(got, 500000 + strlen("{\"big\":\"\"}\n"));
    assert_string_equal(p->b.log, "closed(finished) ");
    free(big);
}

/* A descriptor goes along with a request. */
static void test_carry(void **state)
{
    struct pair *p = *state;
    char data[100], room[CMSG_SPACE(sizeof(int))];
    struct iovec part = { data, sizeof data };
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room
    };
    int fd;

    assert_int_equal(vmm_lines_carry(p->b.l, p->raw), 0);
    assert_int_equal(vmm_lines_send(p->b.l, json_object()), 0);
    assert_int_equal(recvmsg(p->raw, &m, MSG_DONTWAIT), 3);
    assert_non_null(CMSG_FIRSTHDR(&m));
    assert_int_equal(CMSG_FIRSTHDR(&m)->cmsg_type, SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    assert_int_equal(close(fd), 0);
}

/* The other side moves in the middle of an answer, in the middle of a line. */
static void test_adopt(void **state)
{
    struct pair *p = *state;
    struct vmm_lines *new;
    int fd[2];
    char why[200];

    vmm_lines_ask(p->b.l, json_pack("{s:s}", "do", "exec"), 0, on_answer, &p->b);
    feed(p, "{\"id\":1,\"out\":\"one\"}\n{\"id\":1,\"o");
    assert_int_equal(write(p->raw, "ut\":\"t", 6), 6); /* not yet read when it moves */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(vmm_lines_new(&new, p->loop, fd[1], &handler, &p->b, why, sizeof why), 0);
    vmm_lines_pause(new);
    assert_int_equal(write(fd[0], "wo\"}\n{\"id\":1,\"exit\":0}\n", 23), 23);
    turn(p);
    vmm_lines_adopt(new, p->b.l);
    vmm_lines_free(p->b.l);
    p->b.l = new;
    vmm_lines_resume(new);
    assert_true(vmm_lines_ask(new, json_object(), 0, on_answer, &p->b) == 2);
    turn(p);
    assert_string_equal(p->b.log,
                        "part({\"id\":1,\"out\":\"one\"}) part({\"id\":1,\"out\":\"two\"}) "
                        "done({\"exit\":0,\"id\":1}) ");
    vmm_lines_expect(new, 40, on_answer, &p->b);
    assert_int_equal(write(fd[0], "{\"id\":40,\"ok\":{}}\n", 19), 19);
    turn(p);
    assert_non_null(strstr(p->b.log, "done({\"id\":40,\"ok\":{}})"));
    close(fd[0]);
}

/* ---- the door ---- */

static void on_guest(void *user, int fd)
{
    *(int *)user += 1;
    close(fd);
}

static void test_door(void **state)
{
    struct pair *p = *state;
    struct vmm_door *d, *second;
    char dir[] = "/tmp/vmm-lines-XXXXXX", path[64], why[200], longer[300];
    struct stat st;
    int guests = 0, fd;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    assert_int_equal(vmm_door_new(&d, p->loop, path, on_guest, &guests, why, sizeof why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    fd = vmm_lines_dial(path, why, sizeof why);
    assert_true(fd >= 0);
    turn(p);
    close(fd);
    assert_int_equal(guests, 1);
    assert_int_equal(vmm_door_new(&second, p->loop, path, on_guest, &guests, why, sizeof why), -1);
    assert_non_null(strstr(why, "another program answers there"));
    vmm_door_free(d);
    assert_int_equal(stat(path, &st), -1);

    /* One that a dead program left. */
    assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
    assert_int_equal(vmm_lines_dial(path, why, sizeof why), -1);
    assert_int_equal(vmm_door_new(&d, p->loop, path, on_guest, &guests, why, sizeof why), 0);
    vmm_door_free(d);

    fclose(fopen(path, "w")); /* a file of somebody's */
    assert_int_equal(vmm_door_new(&d, p->loop, path, on_guest, &guests, why, sizeof why), -1);
    unlink(path);
    rmdir(dir);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(vmm_door_new(&d, p->loop, longer, on_guest, &guests, why, sizeof why), -1);
    assert_int_equal(vmm_lines_dial(longer, why, sizeof why), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_qmp_error, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_bad_lines, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup_refusing, teardown),
        cmocka_unit_test_setup_teardown(test_time_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_of_file, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_freed_in_call, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_queue_full, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_calls, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_asks, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_paused, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_finish, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_carry, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_adopt, setup_raw, teardown),
        cmocka_unit_test_setup_teardown(test_door, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
