/* test_hand_link.c - two ends in one loop: lines both ways with one code, nothing with two, and
 * what is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hand_link.h"
#include "hand_state.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 10.0
#define CODE "K7QX-M2P4-9FTA"
#define OTHER_CODE "K7QX-M2P4-9FTB"

struct end {
    struct hand_link *link;
    bool ready, closed, was_ready;
    unsigned lines;
    char last[64], why[200];
    size_t longest;
};

struct pair {
    struct ev_loop *loop;
    struct hand_target at;
    ev_io accept;
    ev_timer patience;
    const char *code; /* of the one that accepts */
    struct end in, out;
};

static void on_ready(void *user)
{
    ((struct end *)user)->ready = true;
}

static void on_line(void *user, const char *line, size_t len)
{
    struct end *e = user;

    e->lines++;
    e->longest = len > e->longest ? len : e->longest;
    snprintf(e->last, sizeof e->last, "%.*s", (int)(len < 60 ? len : 60), line);
}

static void on_closed(void *user, bool ready, const char *why)
{
    struct end *e = user;

    e->closed = true;
    e->was_ready = ready;
    snprintf(e->why, sizeof e->why, "%s", why);
}

static const struct hand_link_handler handler = { on_ready, on_line, on_closed };

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    struct pair *p = io->data;
    const int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    assert_true(fd >= 0);
    assert_int_equal(hand_link_accept(&p->in.link, loop, fd, p->code, &handler, &p->in), 0);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    fail_msg("nothing more happens");
}

static void open_pair(struct pair *p, const char *code_in, const char *code_out)
{
    char why[200];

    *p = (struct pair){ .loop = ev_loop_new(0), .code = code_in, .at = { .host = "127.0.0.1" } };
    const int fd = hand_listen(&p->at, why, sizeof why);
    assert_true(fd >= 0 && p->at.port > 0);
    ev_io_init(&p->accept, on_accept, fd, EV_READ);
    p->accept.data = p;
    ev_io_start(p->loop, &p->accept);
    ev_timer_init(&p->patience, on_patience, PATIENCE_S, 0);
    ev_timer_start(p->loop, &p->patience);
    snprintf(p->at.code, sizeof p->at.code, "%s", code_out);
    assert_int_equal(
        hand_link_connect(&p->out.link, p->loop, &p->at, &handler, &p->out, why, sizeof why), 0);
}

static void close_pair(struct pair *p)
{
    hand_link_free(p->in.link);
    hand_link_free(p->out.link);
    close(p->accept.fd);
    ev_loop_destroy(p->loop);
}

#define UNTIL(p, what) \
    while (!(what))    \
    ev_run((p)->loop, EVRUN_ONCE)

static void lines_both_ways(void **state)
{
    struct pair p;

    (void)state;
    open_pair(&p, CODE, CODE);
    UNTIL(&p, p.in.ready && p.out.ready);
    hand_link_send(p.out.link, "from out");
    hand_link_send(p.out.link, "and more");
    hand_link_send(p.in.link, "from in");
    UNTIL(&p, p.in.lines == 2 && p.out.lines == 1);
    assert_string_equal(p.in.last, "and more");
    assert_string_equal(p.out.last, "from in");
    hand_link_free(p.out.link);
    p.out.link = NULL;
    UNTIL(&p, p.in.closed);
    assert_true(p.in.was_ready);
    assert_non_null(strstr(p.in.why, "left"));
    close_pair(&p);
}

static void a_wrong_code(void **state)
{
    struct pair p;

    (void)state;
    open_pair(&p, CODE, OTHER_CODE);
    UNTIL(&p, p.in.closed && p.out.closed);
    assert_false(p.in.ready || p.out.ready || p.in.was_ready || p.out.was_ready);
    assert_non_null(strstr(p.in.why, "code"));
    assert_non_null(strstr(p.out.why, "code"));
    close_pair(&p);
}

static void the_longest_line(void **state)
{
    struct pair p;
    char *line = malloc(HAND_LINE_MAX + 2);

    (void)state;
    memset(line, 'x', HAND_LINE_MAX + 1);
    line[HAND_LINE_MAX + 1] = '\0';
    open_pair(&p, CODE, CODE);
    UNTIL(&p, p.in.ready && p.out.ready);
    hand_link_send(p.out.link, line + 1);
    UNTIL(&p, p.in.lines == 1);
    assert_int_equal(p.in.longest, HAND_LINE_MAX);
    hand_link_send(p.out.link, line);
    UNTIL(&p, p.in.closed);
    assert_int_equal(p.in.lines, 1);
    assert_non_null(strstr(p.in.why, "too long"));
    close_pair(&p);
    free(line);
}

/* Somebody who speaks no TLS, and nobody at all. */
static void no_player(void **state)
{
    struct pair p;
    char why[200];

    (void)state;
    open_pair(&p, CODE, CODE);
    UNTIL(&p, p.in.ready && p.out.ready);
    close_pair(&p);

    open_pair(&p, CODE, CODE);
    hand_link_free(p.out.link);
    p.out.link = NULL;
    UNTIL(&p, p.in.closed);
    assert_false(p.in.was_ready);
    ev_io_stop(p.loop, &p.accept);
    close(p.accept.fd); /* now nobody listens there */
    assert_int_equal(
        hand_link_connect(&p.out.link, p.loop, &p.at, &handler, &p.out, why, sizeof why), 0);
    UNTIL(&p, p.out.closed);
    assert_string_equal(p.out.why, strerror(ECONNREFUSED));
    snprintf(p.at.host, sizeof p.at.host, "a.name");
    assert_int_equal(hand_link_connect(&p.in.link, p.loop, &p.at, &handler, &p.in, why, sizeof why),
                     -1);
    p.accept.fd = dup(0);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_both_ways),
        cmocka_unit_test(a_wrong_code),
        cmocka_unit_test(the_longest_line),
        cmocka_unit_test(no_player),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
