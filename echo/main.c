/*
 * main.c - tvl-echo on an ordinary system: the command line, libev, the exit code.
 *
 * 0: done, everything came back unharmed. 1: it did not. 64: the command line is wrong. SIGINT and
 * SIGTERM end a server with 0.
 */
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <tvl/ev.h>

#include "args.h"
#include "relay.h"
#include "send.h"
#include "serve.h"
#include "transport.h"
#include "wake.h"

#define TICK_LEAST 0.0005 /* s between ticks of a sender */
#define TICK_MOST 0.25    /* s; a sender looks at its limit at least so often */

struct program {
    struct echo_args args;
    struct tvl_config config, back_config; /* back: of a relay */
    struct tvl_ev *driver, *back;
    struct echo_relay relay;
    struct echo_counts counts;
    struct echo_send send;
    ev_timer timer;
    ev_signal term, interrupt;
};

static uint64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static int complain(const char *why)
{
    fprintf(stderr, "tvl-echo: %s\n", why);
    return EXIT_FAILURE;
}

/* ---- serve ---- */

static void serve_event(void *user, const struct tvl_event *ev)
{
    struct program *p = user;

    echo_serve_event(&p->counts, ev);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    (void)w;
    (void)revents;
    ev_break(loop, EVBREAK_ALL);
}

/* Until a signal ends it. */
static int listen_for(struct program *p, struct ev_loop *loop,
                      void (*on_event)(void *user, const struct tvl_event *ev))
{
    const struct tvl_ev_config driver = {
        .loop = loop,
        .tvl = p->config,
        .listen = p->args.listen,
        .on_event = on_event,
        .user = p,
    };
    char why[ECHO_WHY_MAX];

    if (tvl_ev_new(&p->driver, &driver, why, sizeof why) != 0)
        return complain(why);
    ev_signal_init(&p->term, on_signal, SIGTERM);
    ev_signal_start(loop, &p->term);
    ev_signal_init(&p->interrupt, on_signal, SIGINT);
    ev_signal_start(loop, &p->interrupt);
    printf("tvl-echo: ready on port %u\n", tvl_ev_port(p->driver));
    fflush(stdout);
    ev_run(loop, 0);
    return EXIT_SUCCESS;
}

/* ---- send ---- */

static struct tvl_ev_path path_of(const struct path_spec *s)
{
    return (struct tvl_ev_path){ s->interface, s->local, s->remote, s->backup };
}

/* Those after the first. 0, or -1 and `why`. */
static int open_paths(const struct program *p, struct tvl_ev *driver, struct tvl_conn *conn,
                      char *why, size_t why_size)
{
    for (size_t i = 1; i < p->args.n_paths; i++) {
        const struct tvl_ev_path path = path_of(&p->args.path[i]);

        if (tvl_ev_path_add(driver, conn, &path, why, why_size) < 0)
            return -1;
    }
    return 0;
}

/* After anything that happened: paths, the end, the timer. */
static void look_on(struct program *p)
{
    struct ev_loop *loop = ev_default_loop(0);
    const tvl_time now = tvl_ev_now(p->driver), due = echo_send_due(&p->send);
    double wait = due > now ? (double)(due - now) / 1e6 : 0;
    char why[ECHO_WHY_MAX];

    if (echo_send_wants_paths(&p->send) &&
        open_paths(p, p->driver, p->send.conn, why, sizeof why) != 0)
        echo_send_fail(&p->send, why, now);
    if (echo_send_over(&p->send))
        ev_break(loop, EVBREAK_ALL);
    wait = wait < TICK_LEAST ? TICK_LEAST : wait > TICK_MOST ? TICK_MOST : wait;
    ev_timer_stop(loop, &p->timer);
    ev_timer_set(&p->timer, wait, 0);
    ev_timer_start(loop, &p->timer);
}

static void send_event(void *user, const struct tvl_event *ev)
{
    struct program *p = user;

    echo_send_event(&p->send, ev, tvl_ev_now(p->driver));
    look_on(p);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct program *p = w->data;

    (void)loop;
    (void)revents;
    echo_send_tick(&p->send, tvl_ev_now(p->driver));
    look_on(p);
    tvl_ev_kick(p->driver);
}

static int send_all(struct program *p, struct ev_loop *loop)
{
    const struct tvl_ev_config driver = {
        .loop = loop,
        .tvl = p->config,
        .on_event = send_event,
        .user = p,
    };
    const struct tvl_ev_path first = path_of(&p->args.path[0]);
    struct tvl_conn *conn;
    char why[ECHO_WHY_MAX], *report;

    if (tvl_ev_new(&p->driver, &driver, why, sizeof why) != 0)
        return complain(why);
    ev_timer_init(&p->timer, on_timer, 0, 0);
    p->timer.data = p;
    echo_send_init(&p->send, &p->args, tvl_ev_now(p->driver));
    if (tvl_ev_connect(p->driver, p->args.server, p->args.name, p->args.n_paths ? &first : NULL,
                       &conn, why, sizeof why) != 0)
        return complain(why);
    look_on(p);
    ev_run(loop, 0);
    report = echo_send_report(&p->send);
    const bool ok = report && !p->send.error[0];
    if (report)
        fputs(report, stdout);
    free(report);
    echo_send_fini(&p->send);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- relay ---- */

static void front_event(void *user, const struct tvl_event *ev)
{
    struct program *p = user;

    echo_relay_event(&p->relay, RELAY_FRONT, ev, clock_us());
    tvl_ev_kick(p->back); /* what it has written there */
}

static void back_event(void *user, const struct tvl_event *ev)
{
    struct program *p = user;

    echo_relay_event(&p->relay, RELAY_BACK, ev, clock_us());
    tvl_ev_kick(p->driver);
}

static int relay_connect(void *user, struct tvl_conn **out, char *why, size_t why_size)
{
    struct program *p = user;
    const struct tvl_ev_path first = path_of(&p->args.path[0]);

    return tvl_ev_connect(p->back, p->args.server, p->args.name, p->args.n_paths ? &first : NULL,
                          out, why, why_size) == 0
               ? 0
               : -1;
}

static void relay_connected(void *user, struct tvl_conn *conn)
{
    const struct program *p = user;
    char why[ECHO_WHY_MAX];

    if (open_paths(p, p->back, conn, why, sizeof why) != 0)
        (void)complain(why); /* it goes on over those it has */
}

static int relay(struct program *p, struct ev_loop *loop)
{
    struct tvl_ev_config driver = {
        .loop = loop,
        .share_sockets = true, /* connections are many, sockets few */
        .on_event = back_event,
        .user = p,
    };
    char why[ECHO_WHY_MAX];
    int code;

    if (echo_transport(&p->back_config, &p->args, ECHO_CLIENT, why, sizeof why) != 0)
        return complain(why);
    driver.tvl = p->back_config;
    if (tvl_ev_new(&p->back, &driver, why, sizeof why) != 0)
        return complain(why);
    p->relay =
        (struct echo_relay){ .connect = relay_connect, .connected = relay_connected, .user = p };
    code = listen_for(p, loop, front_event);
    echo_relay_fini(&p->relay);
    return code;
}

/* ---- wake ---- */

static int wake(const struct echo_args *args)
{
    struct echo_wake w;
    char *report;

    echo_wake_init(&w, args, clock_us());
    do {
        const struct timespec due = { (time_t)(w.due / 1000000), (long)(w.due % 1000000 * 1000) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0)
            ;
    } while (echo_wake_at(&w, clock_us()));
    report = echo_wake_report(&w);
    if (report)
        fputs(report, stdout);
    free(report);
    echo_wake_fini(&w);
    return report ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct program *p)
{
    struct ev_loop *loop = ev_default_loop(0);
    const enum echo_side side = p->args.verb == ECHO_SEND ? ECHO_CLIENT : ECHO_SERVER;
    char why[ECHO_WHY_MAX];
    int code;

    if (!loop)
        return complain("no event loop");
    if (echo_transport(&p->config, &p->args, side, why, sizeof why) != 0)
        return complain(why);
    code = p->args.verb == ECHO_SERVE   ? listen_for(p, loop, serve_event)
           : p->args.verb == ECHO_RELAY ? relay(p, loop)
                                        : send_all(p, loop);
    tvl_ev_free(p->driver);
    tvl_ev_free(p->back);
    tvl_tls_free(p->config.tls);
    tvl_tls_free(p->back_config.tls);
    ev_loop_destroy(loop);
    return code;
}

int main(int argc, char **argv)
{
    struct program *p = calloc(1, sizeof *p);
    char why[ECHO_WHY_MAX];
    int code = EXIT_SUCCESS;

    if (!p)
        return complain("out of memory");
    switch (echo_args_parse(&p->args, argc, argv, why, sizeof why)) {
    case ECHO_HELP:
        fputs(echo_help, stdout);
        break;
    case ECHO_VERSION:
        puts("tvl-echo " TVL_VERSION);
        break;
    case ECHO_WRONG:
        (void)complain(why);
        code = EX_USAGE;
        break;
    case ECHO_WAKE:
        code = wake(&p->args);
        break;
    case ECHO_SERVE:
    case ECHO_SEND:
    case ECHO_RELAY:
        code = run(p);
        break;
    }
    free(p);
    return code;
}
