/* choice.c - see choice.h. */
#include "choice.h"

#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "trace.h"

static bool is_wanted(const struct tvl_path *p)
{
    return p->conn->objective != TVL_OBJECTIVE_NONE && !p->cc_by_hand && tvl_path_is_up(p) &&
           p->conn->state == TVL_CONN_OPEN;
}

static struct tvl_choice *begin(struct tvl_path *p, tvl_time now)
{
    struct tvl_choice *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    tvl_selector_init(&c->s, p->conn->cfg->knowledge, p->conn->objective,
                      p->conn->objective_deadline, p->cc.ops->name, now);
    c->delivered_from = c->delivered_to = p->cc.rate.delivered;
    return c;
}

static void note(struct tvl_choice *c, const struct tvl_path *p,
                 const struct tvl_recovery_result *r)
{
    const uint64_t delivered = p->cc.rate.delivered;

    if (p->cc.rate.app_limited_to != 0)
        c->limited += delivered - c->delivered_to;
    c->delivered_to = delivered;
    if (r->rtt > 0) {
        const tvl_time queue = r->rtt > p->cc.rtt.min ? r->rtt - p->cc.rtt.min : 0;

        c->queue_sum += queue;
        c->queue_n++;
        c->in_time += p->cc.rtt.min / 2 + queue <= c->s.deadline;
    }
}

static struct tvl_selector_look look_of(const struct tvl_choice *c,
                                        const struct tvl_path_model *model, tvl_time now)
{
    const uint64_t bytes = c->delivered_to - c->delivered_from;
    const tvl_time span = now - c->s.looked_at;

    return (struct tvl_selector_look){
        .model = model,
        .rate_bps = span ? bytes * 8 * 1000000 / span : 0,
        .queue = c->queue_n ? c->queue_sum / c->queue_n : 0,
        .in_time = c->queue_n ? (double)c->in_time / (double)c->queue_n : 0,
        .limited = c->limited > bytes / 2,
        .now = now,
    };
}

static void swap(struct tvl_path *p, const struct tvl_cc_ops *ops, tvl_time now)
{
    p->choice->from = p->cc.ops;
    tvl_path_cc_swap(&p->cc, ops, now);
    p->left.set = false; /* it held the former one's state */
    p->cc_chosen++;
    tvl_conn_event(p->conn, &(struct tvl_event){ .type = TVL_EVENT_CONTROLLER,
                                                 .controller = { .id = p->id } });
}

void tvl_choice_heard(struct tvl_path *p, const struct tvl_recovery_result *r, tvl_time now)
{
    if (!is_wanted(p))
        return;
    if (!p->choice)
        p->choice = begin(p, now);
    struct tvl_choice *c = p->choice;

    if (!c)
        return;
    note(c, p, r);
    if (!tvl_selector_due(&c->s, now))
        return;
    const struct tvl_cc_ops *before = p->cc.ops;
    struct tvl_path_model model;

    (void)tvl_path_get_model(p->conn, p->id, &model);
    const struct tvl_selector_look look = look_of(c, &model, now);
    const struct tvl_cc_ops *ops = tvl_selector_look(&c->s, &look);

    c->delivered_from = c->delivered_to;
    c->limited = c->queue_sum = c->queue_n = c->in_time = 0;
    if (!ops && !tvl_traced(p->conn))
        return;
    struct tvl_select_row row[TVL_SELECT_MAX];
    const size_t n = tvl_selector_explain(&c->s, &model, row, c->reason, sizeof c->reason);

    if (ops)
        swap(p, ops, now);
    if (n > 0)
        tvl_trace_controller(p, before->name, &model, row, n, c->reason);
}

void tvl_choice_forget(struct tvl_path *p)
{
    free(p->choice);
    p->choice = NULL;
}

void tvl_choice_tell(const struct tvl_path *p, struct tvl_event *ev)
{
    ev->controller.id = p->id;
    ev->controller.to = p->cc.ops->name;
    ev->controller.from = ev->controller.to;
    if (!p->choice)
        return;
    if (p->choice->from)
        ev->controller.from = p->choice->from->name;
    memcpy(ev->controller.reason, p->choice->reason, sizeof ev->controller.reason);
}

/* ---- public ---- */

int tvl_conn_set_objective(struct tvl_conn *conn, enum tvl_objective objective, tvl_time deadline,
                           tvl_time now)
{
    if (objective > TVL_OBJECTIVE_VIDEO ||
        (objective == TVL_OBJECTIVE_VIDEO && !tvl_choice_deadline_valid(deadline)))
        return TVL_ERR_ARG;
    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    conn->now = now;
    conn->objective = objective;
    conn->objective_deadline = deadline;
    for (size_t i = 0; i < conn->n_paths; i++) {
        conn->path[i]->cc_by_hand = false;
        tvl_choice_forget(conn->path[i]);
    }
    return 0;
}

size_t tvl_path_explain(const struct tvl_conn *conn, uint32_t path_id,
                        struct tvl_select_row row[TVL_SELECT_MAX], char *reason, size_t reason_size)
{
    const struct tvl_path *p = tvl_path_find((struct tvl_conn *)conn, path_id);
    struct tvl_path_model model;

    if (!p || !p->choice || tvl_path_get_model(conn, path_id, &model) != 0)
        return 0;
    return tvl_selector_explain(&p->choice->s, &model, row, reason, reason_size);
}
