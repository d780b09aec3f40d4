/* server_internal.h - what the files of the server's own life share: server.c, desk.c. */
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include <ev.h>

#include "access.h"
#include "broadcast.h"
#include "config_diff.h"
#include "desk.h"
#include "directory.h"
#include "outside.h"
#include "port.h"
#include "relay.h"
#include "server.h"
#include "worker.h"

enum server_phase {
    SERVER_SERVING,
    SERVER_LEAVING,  /* no session is taken; viewers are asked to leave, and have some time */
    SERVER_DRAINING, /* sources are halted; what is queued is sent */
    SERVER_CLOSING,  /* goodbyes are said */
};

struct server {
    struct config *cfg;
    struct desk *desk;
    struct ev_loop *loop;
    FILE *json, *policy_log; /* NULL: none */
    struct access *access;   /* who may do what */
    struct port port;
    struct worker *worker[TVL_WORKERS_MAX];
    bool unrung[TVL_WORKERS_MAX]; /* it has letters, and has not been told */
    bool running;                 /* the workers have begun */
    struct worker_host worker_host;
    struct broadcast_host broadcast_host;
    struct directory *directory;
    struct relay *relay;
    struct outside *outside; /* other servers */
    struct letter_box in;    /* from the workers */
    ev_async bell;
    ev_signal on_term, on_int;
    ev_timer tick, report;
    enum server_phase phase;
    const char *why;                      /* SERVER_DRAINING and later; static */
    tvl_time began, busy_at, phase_until; /* busy_at: when something was last left to send */
    bool json_failed, source_failed;
    char failed_why[BROADCAST_WHY_MAX];
};

/* To one worker; takes `l`. */
void server_post(struct server *s, unsigned worker, struct letter *l);
/* To all workers: `kind` with id, code and reason. */
void server_post_all(struct server *s, enum letter_kind kind, uint64_t id, uint64_t code,
                     const char *reason);
/* As the first SIGTERM; nothing, where the end has begun. */
void server_leave(struct server *s);
/* Sources come, go and change as `diff` says; all others go on by the words of `next`, which is
 * put into the place of the configuration then. */
void server_apply_sources(struct server *s, const struct config *next,
                          const struct config_diff *diff);
/* NULL: no memory. The caller frees it. */
struct snapshot *server_snapshot(struct server *s);

#endif
