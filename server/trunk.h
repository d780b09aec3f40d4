/*
 * trunk.h - one connection of ours to another MoQT server or relay, on the main loop: kept up while
 * it is wanted, tried again ever more seldom when it breaks. What goes over it is its owner's.
 */
#ifndef SERVER_TRUNK_H
#define SERVER_TRUNK_H

#include <moq/moq.h>
#include <stddef.h>

#define TRUNK_RETRY_MIN_S 1. /* after it broke; doubles ... */
#define TRUNK_RETRY_MAX_S 30.
#define TRUNK_WHY_MAX 160

struct ev_loop;
struct tvl_conn;
struct trunk;

struct trunk_config {
    struct ev_loop *loop;
    const char *what;       /* for the log: "push demo to moqt://..." */
    const char *uri;        /* "moqt://HOST:PORT[/...]"; the rest is the owner's */
    const char *ca;         /* PEM trust anchors; NULL: the system's */
    const char *token;      /* file, read at each connect; NULL: none */
    const char *cc, *sched; /* NULL: the library's */
    /* on_setup, on_closed: those of the owner are called with its user like all the others. */
    const struct moq_handler *handler;
    void *user;
    void (*on_up)(void *user, struct moq_session *moq); /* requests may be made */
    /* It is not up any more, or could not be had: nothing of the session is touched any more. */
    void (*on_down)(void *user, const char *why);
};

/* Strings are borrowed for its life. 0, or -1 with one line in `why`. */
int trunk_new(struct trunk **out, const struct trunk_config *cfg, char *why, size_t why_size);
void trunk_free(struct trunk *t); /* says goodbye, calls nobody; NULL allowed */

void trunk_want(struct trunk *t, bool wanted);
struct moq_session *trunk_moq(const struct trunk *t);     /* NULL: it is not up */
const struct tvl_conn *trunk_conn(const struct trunk *t); /* NULL: there is none */
/* After calls on the session from outside of its handler. */
void trunk_kick(struct trunk *t);
/* In the handler's on_setup. */
void trunk_set_up(struct trunk *t);

#endif
