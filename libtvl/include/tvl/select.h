/*
 * select.h - which congestion controller suits a path: a model of the path, what formulas say every
 * controller would make of it, what has been measured on paths like it, and the choice.
 *
 *     path ── acknowledgements ──► tvl_path_model ──► tvl_predict()            by formula
 *                                        │       └──► tvl_knowledge_predict()  by measurement
 *                                        ▼
 *                       knowledge, corrected by formula
 *                                        │
 *                                        ▼
 *                tvl_config.objective: the choice, once a second and path
 *                       tvl_path_explain(): as it stands   tvl_select_explain(): of a model alone
 *
 * All of it is pure: no file, no clock. Times in us, rates in bits/s, shares in [0, 1].
 */
#ifndef TVL_SELECT_H
#define TVL_SELECT_H

#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is known of a path, estimated while it is used. A field that has not been seen yet is 0, and
 * `rtt_min` 0 means that nothing is known at all.
 */
struct tvl_path_model {
    uint64_t capacity_bps;  /* fastest delivery of the last 10 s */
    tvl_time rtt_min, rtt;  /* shortest of the last minute or two; smoothed now */
    tvl_time jitter;        /* mean difference of two round trips in a row (RFC 3550 6.4.1) */
    double loss;            /* share of packets lost for good, over about the last 10 s */
    double loss_burst;      /* packets lost in a row, mean; at least 1 where anything was lost */
    double loss_congestive; /* share of the loss events that met a queue of 0.7 of the longest seen
                               or more: those of a full buffer; the others are random */
    tvl_time buffer; /* delay of the longest queue of the last 10 s: the bottleneck's buffer when
                        losses are congestive, a lower bound of it otherwise */
    tvl_time aggregation; /* between bunches of acknowledgements, mean */
    double marked;        /* share of packets marked CE */
    double change;        /* mean relative change of the delivery rate from one second to the
                             next while there was enough to send */
    bool ecn;             /* the path carries marks */
};
/* 0, or TVL_ERR_ARG: no such path. */
int tvl_path_get_model(const struct tvl_conn *conn, uint32_t path_id, struct tvl_path_model *out);

struct tvl_prediction {
    uint64_t rate_bps;   /* a long transfer's mean, at most capacity_bps */
    tvl_time queue;      /* us a packet waits at the bottleneck on average */
    const char *formula; /* static: which, and where it is from */
};

/*
 * By the published response functions: sources in libtvl/cc/predict.c. `datagram_bytes` is the size
 * of a packet [1200, TVL_DATAGRAM_MAX]. 0; TVL_ERR_ARG: no such controller; TVL_ERR_STATE: the
 * model is empty.
 */
int tvl_predict(const char *cc, const struct tvl_path_model *m, uint32_t datagram_bytes,
                struct tvl_prediction *out);

/* ---- what was measured before ---- */

/*
 * struct tvl_knowledge: path models and what each controller made of them, from text whose form
 * libtvl/cc/knowledge.c describes at its head.
 * 0, TVL_ERR_ARG (`why`, `why_size` bytes, gets one line that names the line) or TVL_ERR_NOMEM.
 * One may serve many endpoints; it must outlive them.
 */
int tvl_knowledge_new(struct tvl_knowledge **out, const char *text, size_t len, char *why,
                      size_t why_size);
void tvl_knowledge_free(struct tvl_knowledge *k);
/*
 * From the nearest models, weighted by distance; `*distance` (may be NULL) in [0, any]: how far the
 * nearest is, about 1 where loss or buffer differ by a factor of two. `seen_by`: the controller in
 * use while `m` was estimated (one that is shy of losses sees less capacity than there is), NULL:
 * unknown. The rate may be above m->capacity_bps for that reason. 0; TVL_ERR_ARG: `cc` is not in
 * it; TVL_ERR_STATE: the model is empty.
 */
int tvl_knowledge_predict(const struct tvl_knowledge *k, const char *cc, const char *seen_by,
                          const struct tvl_path_model *m, struct tvl_prediction *out,
                          double *distance);

#define TVL_SELECT_MAX 16 /* controllers that take part */

struct tvl_knowledge_rank {
    double share[TVL_SELECT_MAX]; /* of tvl_cc_all's, by place: of what the best one would reach
                                     [0, 1]; negative: not known */
    double level;                 /* the best one's score, in units of tvl_select_row.score */
    double distance;              /* as above */
};
/*
 * What the nearest paths promise to an objective (`deadline` us, for video only). `m` NULL: what is
 * so on average over all of them, before anything is known of the path. Results as above;
 * TVL_ERR_ARG: nothing is known.
 */
int tvl_knowledge_rank(const struct tvl_knowledge *k, const struct tvl_path_model *m,
                       const char *seen_by, enum tvl_objective objective, tvl_time deadline,
                       struct tvl_knowledge_rank *out);

/* ---- the choice ---- */

/* "none", "throughput", "delay", "video"; NULL: no such. */
const char *tvl_objective_name(enum tvl_objective objective);
/* Its value, or -1: no such. */
int tvl_objective_find(const char *name);

/*
 * How good a transfer is towards an objective [0, 1]: by the share of the capacity that it carries,
 * the mean queue and the path's shortest round trip (the same unit), and the share that arrives
 * within the deadline.
 */
double tvl_objective_score(enum tvl_objective objective, double share, double queue, double rtt_min,
                           double in_time);

struct tvl_select_row { /* one controller on one path */
    const char *cc;     /* static */
    double score; /* of all below; higher is better, 1 is the whole capacity without a queue */
    double by_knowledge, by_formula; /* scores; negative: not known */
    double by_experience;            /* the same; never known to tvl_select_explain */
    double foretold; /* mean of what the two first had said while it was in use, to be compared
                        with by_experience; 0: never in use */
    tvl_time tried;  /* us it was in use on this path; 0 likewise */
    bool chosen;
};

/*
 * What would be chosen for such a path, and why: the controllers by falling score, and a line for a
 * person in `reason` (`reason_size` bytes). `k` and `seen_by` may be NULL; `deadline` is us from
 * sending to use, for video only. Result: rows [0, TVL_SELECT_MAX]; 0: the model is empty, or the
 * objective is TVL_OBJECTIVE_NONE.
 */
size_t tvl_select_explain(const struct tvl_path_model *m, const struct tvl_knowledge *k,
                          const char *seen_by, enum tvl_objective objective, tvl_time deadline,
                          struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                          size_t reason_size);

/*
 * The same as it stands on a path of a connection with an objective, by what was seen there too.
 * Rows as above; 0 also: no such path, or nothing is chosen on it.
 */
size_t tvl_path_explain(const struct tvl_conn *conn, uint32_t path_id,
                        struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                        size_t reason_size);

#ifdef __cplusplus
}
#endif
#endif
