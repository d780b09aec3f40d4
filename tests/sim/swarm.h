/*
 * swarm.h - worlds drawn from a seed: topology, links, faults in time, configuration, application.
 *
 *     client ─[boxes, link]─┐                                      one to three clients, each with
 *       │ └──[boxes, link]─ router ─[link]─ core ─[boxes]─ server  one to four interfaces and one
 * or client ─[boxes, link]─┘                 └──[boxes]────┘      two connections
 *
 * Each class of fault is in a world or not, and has a generator of its own, so that leaving one out
 * (--without) leaves the others as they were. At `calm_at` all harm ends: from then on everything
 * must arrive and end in bounded time. A world ends with goodbyes, and with no memory left.
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "check.h"
#include "test_pki.h"
#include "trace.h"

#define SWARM_HOSTS_MAX 4 /* the server is host 0 */
#define SWARM_APPS_MAX 4
#define SWARM_EVENTS_MAX 128
#define SWARM_TRACES_MAX 8
#define SWARM_STEPS_MAX 2000000u /* turns of the loop; more is a storm */
#define SWARM_IDLE_TURNS_MAX 8   /* turns of a due timer that does nothing */
#define SWARM_REST_MAX 4096      /* rounds until the hosts have no more to say at one time */

enum swarm_fault {
    SWARM_LOSS,
    SWARM_BURST,
    SWARM_REORDER,
    SWARM_DUPLICATE,
    SWARM_JITTER,
    SWARM_QUEUE,
    SWARM_TRACE,
    SWARM_MARK,
    SWARM_BLEACH,
    SWARM_NAT,
    SWARM_MTU,
    SWARM_CORRUPT,
    SWARM_SHUFFLE,
    SWARM_PARTITION,
    SWARM_DOWN,
    SWARM_RATE,
    SWARM_SPOOF,
    SWARM_ADDRESS,
    SWARM_CLOCK,
    SWARM_SLEEP,
    SWARM_RESETS,
    SWARM_STOPS,
    SWARM_DEADLINES,
    SWARM_DATAGRAMS,
    SWARM_SLOW,
    SWARM_PATHS,
    SWARM_MIGRATE,
    SWARM_KEYS,
    SWARM_CLOSES,
    SWARM_WINDOWS,
    SWARM_RETRY,
    SWARM_RESTART,
    SWARM_ADMISSION,
    SWARM_SINGLE,
    SWARM_PLUGINS,
    SWARM_CRYPTO,
    SWARM_OPTIONS,
    SWARM_LONG,
    SWARM_FLOWS,
    SWARM_FAULTS,
};
extern const char *const swarm_fault_name[SWARM_FAULTS];
#define SWARM_BIT(f) (UINT64_C(1) << (f))

enum swarm_what {
    SWARM_EV_LINK_DOWN,
    SWARM_EV_LINK_UP,
    SWARM_EV_LINK_RATE,
    SWARM_EV_REBIND,
    SWARM_EV_MTU,
    SWARM_EV_GATE,
    SWARM_EV_ADDRESS,
    SWARM_EV_CLOCK,
    SWARM_EV_SLEEP,
    SWARM_EV_WAKE,
    SWARM_EV_RESTART,
    SWARM_EV_REFUSE,
};

struct swarm_event {
    tvl_time at;
    enum swarm_what what;
    struct sim_node *node; /* a host too */
    unsigned ways;         /* or the port */
    uint64_t value;
};

struct swarm {
    uint64_t seed, without, drawn; /* bits of enum swarm_fault */
    tvl_time stop_at;
    struct sim_graph g;
    struct sim_host *host[SWARM_HOSTS_MAX];
    unsigned n_hosts;
    struct app app[SWARM_APPS_MAX];
    unsigned n_apps;
    struct swarm_event event[SWARM_EVENTS_MAX];
    size_t n_events, next_event;
    struct vlink_trace trace[SWARM_TRACES_MAX];
    size_t n_traces;
    struct check check;
    const struct test_pki *pki;
    tvl_time began, calm_at;
    bool calm;
    bool no_keepalive; /* of some client: who has nothing to say falls silent, and idle */
    tvl_time outage;   /* sum of the times something does not pass somewhere */
    tvl_time idle_min, idle_max, handshake_max; /* time-outs of the hosts */
    bool harsh;                                 /* loss such that a time-out may be bad luck */
    uint64_t slowest_bps;                       /* of any link at any time */
    uint64_t bytes;                             /* all streams */
    enum app_who closer;
};

enum swarm_seen { /* what came of it, counted over a world */
                  SWARM_SEEN_DROPPED,
                  SWARM_SEEN_PATHS_UP,
                  SWARM_SEEN_PATHS_SUSPECT,
                  SWARM_SEEN_PATHS_ABANDONED,
                  SWARM_SEEN_PATHS_BACK,
                  SWARM_SEEN_MTU_FALLS,
                  SWARM_SEEN_REBINDINGS,
                  SWARM_SEEN_DARK,
                  SWARM_SEEN_MIGRATIONS,
                  SWARM_SEEN_KEY_UPDATES,
                  SWARM_SEEN_RESUMED,
                  SWARM_SEEN_LIVES_OF_A_MINUTE,
                  SWARM_SEEN_STREAMS_OF_A_MEGABYTE,
                  SWARM_SEEN_STREAMS_DONE,
                  SWARM_SEEN_STREAMS_RESET,
                  SWARM_SEEN_STREAMS_STOPPED,
                  SWARM_SEEN_STREAMS_EXPIRED,
                  SWARM_SEEN_REPAIRED,
                  SWARM_SEEN_DATAGRAMS,
                  SWARM_SEEN_ENDS_GOODBYE,
                  SWARM_SEEN_ENDS_RESET,
                  SWARM_SEEN_ENDS_TIMEOUT,
                  SWARM_SEEN_ENDS_OTHER,
                  SWARM_SEEN,
};
extern const char *const swarm_seen_name[SWARM_SEEN];

struct swarm_result {
    bool ok;
    char why[200];
    uint64_t hash, drawn;
    tvl_time time;
    uint64_t steps, datagrams, bytes;
    size_t memory_peak;
    uint64_t conns, seen[SWARM_SEEN];
};

struct swarm_order { /* which world, and what to do with it */
    uint64_t seed, without;
    const struct test_pki *pki;
    FILE *log;        /* NULL: none */
    tvl_time stop_at; /* us of graph time: end there, with the state in the log; 0: do not */
};

void swarm_run(const struct swarm_order *order, struct swarm_result *out);
/* draw.c: makes everything in `w`, whose seed, without, graph and pki are set. */
void swarm_draw(struct swarm *w);

/* ---- between the files that draw ---- */
struct vlink_rng; /* `rng`: one per fault, and one for the rest at SWARM_FAULTS */
uint64_t swarm_between(struct vlink_rng *r, uint64_t low, uint64_t high);     /* both included */
uint64_t swarm_log_between(struct vlink_rng *r, uint64_t low, uint64_t high); /* even by size */
bool swarm_has(const struct swarm *w, enum swarm_fault f);
void swarm_draw_config(struct swarm *w, struct vlink_rng *rng, struct tvl_config *cfg,
                       struct tvl_tls_config *tc, bool server);
void swarm_draw_app(struct swarm *w, struct vlink_rng *rng, struct app *a);
void swarm_add_event(struct swarm *w, const struct swarm_event *ev);

#endif
