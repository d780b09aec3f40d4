/*
 * workers.h - one server on several threads: a driver, an endpoint and a libev loop for each, all
 * on one UDP port.
 *
 * A connection lives in one worker from its first packet to its last: the worker's number is in
 * every connection ID that the server gives out (tvl_config.worker), and the kernel hands each
 * datagram to the socket it names (SO_REUSEPORT with a classic BPF program on the low five bits of
 * the ID's first octet). So all paths of a connection, and a path that moves, stay where they are.
 * Where the kernel does not, as when it joins datagrams of several connections, the worker that
 * reads one passes it on.
 *
 *     datagram -> kernel: ID -> socket -> worker 0 | worker 1 | ...      each: <tvl/ev.h>
 *                                            '--- passed on ---'
 *
 * All workers share the secret, so that tokens and stateless resets of one hold for all, and the
 * TLS context with its ticket keys.
 */
#ifndef TVL_WORKERS_H
#define TVL_WORKERS_H

#include <tvl/ev.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_WORKERS_MAILBOX_MAX 1024 /* datagrams passed on to a worker and not yet taken */
#define TVL_WORKERS_JOBS_MAX 64      /* calls of tvl_workers_run waiting in one worker */

struct tvl_workers;

struct tvl_workers_config {
    struct tvl_config tvl; /* a server's. worker and workers are set here; secret and seed all zero:
                              from getrandom(2). The limits conns_max, handshakes_max and
                              conns_per_host are divided among the workers, rounded up. trace and
                              the keylog of tvl.tls are called by all threads */
    const char *listen;    /* as in tvl_ev_config */
    unsigned workers;      /* [1, TVL_WORKERS_MAX]; 0: one for each processor */
    void *const *trace_users; /* one for each worker, instead of tvl.trace_user; NULL: none. Then
                                 workers is not 0 */
    bool no_steering; /* leave the kernel's choice by addresses as it is; pass on what is not
                         meant for the worker that got it */
    /* On the thread of `worker`, which may call on ev->conn what it likes. */
    void (*on_event)(void *user, unsigned worker, const struct tvl_event *ev);
    void *user;
};

/*
 * Bind the sockets and start the threads; they take no signals. 0 or an error as tvl_ev_new, on
 * failure `why` (may be NULL) gets one line.
 */
int tvl_workers_new(struct tvl_workers **out, const struct tvl_workers_config *cfg, char *why,
                    size_t why_size);
/* Stops and joins the threads; connections end without a goodbye. Not from on_event. */
void tvl_workers_free(struct tvl_workers *w);

unsigned tvl_workers_count(const struct tvl_workers *w);
uint16_t tvl_workers_port(const struct tvl_workers *w);
bool tvl_workers_steered(const struct tvl_workers *w); /* by the kernel */

/*
 * From any thread: have `job` called soon on the thread of `worker`, with its driver; what it does
 * to connections is sent after it. 0, TVL_ERR_ARG, or TVL_ERR_FULL.
 */
int tvl_workers_run(struct tvl_workers *w, unsigned worker,
                    void (*job)(void *arg, unsigned worker, struct tvl_ev *driver), void *arg);

struct tvl_workers_stats {
    struct tvl_endpoint_stats endpoint; /* sums over all workers */
    uint64_t passed_on;                 /* datagrams read by a worker that they were not for */
    uint64_t passed_on_dropped;         /* of them: the mailbox was full */
};
/* Asks each worker and waits for all: not from on_event nor from a job. */
void tvl_workers_get_stats(struct tvl_workers *w, struct tvl_workers_stats *out);

#ifdef __cplusplus
}
#endif
#endif
