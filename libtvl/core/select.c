/* select.c - see select.h and <tvl/select.h>. */
#include "select.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMULA_WEIGHT 0.3  /* beside knowledge of a path exactly alike, which has 1 */
#define PRIOR_WEIGHT 2.0    /* looks of experience that outweigh it */
#define EXPERIENCE_MAX 10.0 /* looks */
#define LATE_SLOPE 1.0      /* deadlines over which the share in time falls to nothing */

static size_t count_all(void)
{
    size_t n = 0;

    while (tvl_cc_all[n] && n < TVL_SELECT_MAX)
        n++;
    return n;
}

static int place_of(const char *cc)
{
    for (size_t i = 0; i < count_all(); i++)
        if (cc && strcmp(tvl_cc_all[i]->name, cc) == 0)
            return (int)i;
    return -1;
}

static const char *const objectives[] = {
    [TVL_OBJECTIVE_NONE] = "none",
    [TVL_OBJECTIVE_THROUGHPUT] = "throughput",
    [TVL_OBJECTIVE_DELAY] = "delay",
    [TVL_OBJECTIVE_VIDEO] = "video",
};

const char *tvl_objective_name(enum tvl_objective objective)
{
    return objective <= TVL_OBJECTIVE_VIDEO ? objectives[objective] : NULL;
}

int tvl_objective_find(const char *name)
{
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++)
        if (strcmp(objectives[i], name) == 0)
            return (int)i;
    return -1;
}

/* ---- scores ---- */

/* [0, 1]: how much of what is sent is there in time, for a queue of this mean. */
static double in_time(tvl_time queue, tvl_time rtt_min, tvl_time deadline)
{
    const double takes = (double)rtt_min / 2 + 2.0 * (double)queue; /* the late tail counts */
    const double late = (takes - (double)deadline) / (double)(deadline ? deadline : 1);

    return late <= 0 ? 1 : late >= LATE_SLOPE ? 0 : 1 - late / LATE_SLOPE;
}

static double score_of(const struct tvl_selector *s, uint64_t rate, tvl_time queue,
                       const struct tvl_path_model *m, uint64_t capacity)
{
    const double share = capacity ? (double)rate / (double)capacity : 0;

    switch (s->objective) {
    case TVL_OBJECTIVE_DELAY: /* exp of log rate - 0.5 log (queue + rtt_min), 1 without a queue */
        return share * sqrt((double)m->rtt_min / (double)(m->rtt_min + queue));
    case TVL_OBJECTIVE_VIDEO:
        return share * in_time(queue, m->rtt_min, s->deadline);
    default:
        return share;
    }
}

static uint64_t capacity_of(const struct tvl_selector *s, const struct tvl_path_model *m)
{
    return s->capacity_bps > m->capacity_bps ? s->capacity_bps : m->capacity_bps;
}

static double faded(const struct tvl_selector_seen *e, tvl_time now)
{
    return e->weight * exp2(-(double)(now - e->last_at) / TVL_SELECT_FORGET);
}

static struct tvl_select_row rate_one(const struct tvl_selector *s, size_t which,
                                      const struct tvl_path_model *m)
{
    const char *cc = tvl_cc_all[which]->name;
    const char *eyes = s->current >= 0 ? tvl_cc_all[s->current]->name : NULL;
    const struct tvl_selector_seen *e = &s->seen[which];
    struct tvl_select_row r = { .cc = cc,
                                .by_knowledge = -1,
                                .by_formula = -1,
                                .by_experience = -1,
                                .tried = e->tried,
                                .chosen = (int)which == s->current };
    struct tvl_prediction p;
    double sum = 0, weights = 0, distance;

    if (s->k && tvl_knowledge_predict(s->k, cc, eyes, m, &p, &distance) == 0) {
        const double weight = PRIOR_WEIGHT / (1 + distance);

        r.by_knowledge = score_of(s, p.rate_bps, p.queue, m, m->capacity_bps);
        sum += weight * r.by_knowledge;
        weights += weight;
    }
    if (tvl_predict(cc, m, s->datagram, &p) == 0) {
        r.by_formula = score_of(s, p.rate_bps, p.queue, m, m->capacity_bps);
        sum += PRIOR_WEIGHT * FORMULA_WEIGHT * r.by_formula;
        weights += PRIOR_WEIGHT * FORMULA_WEIGHT;
    }
    if (e->weight > 0) {
        const double weight = faded(e, s->looked_at);

        r.by_experience = e->mean * (double)capacity_of(s, m) / (double)m->capacity_bps;
        sum += weight * r.by_experience;
        weights += weight;
    }
    r.score = weights > 0 ? sum / weights : 0;
    return r;
}

/* ---- the choice ---- */

void tvl_selector_init(struct tvl_selector *s, const struct tvl_knowledge *k,
                       enum tvl_objective objective, tvl_time deadline, const char *cc,
                       tvl_time now)
{
    *s = (struct tvl_selector){ .k = k,
                                .objective = objective,
                                .deadline = deadline,
                                .datagram = 1200,
                                .current = place_of(cc),
                                .since = now,
                                .looked_at = now,
                                .trials_from = now };
}

static void learn(struct tvl_selector *s, const struct tvl_selector_look *look)
{
    if (s->current < 0 || look->limited || look->model->rtt_min == 0)
        return;
    struct tvl_selector_seen *e = &s->seen[s->current];
    const uint64_t capacity = capacity_of(s, look->model);
    const double before = faded(e, look->now);
    const double score = score_of(s, look->rate_bps, look->queue, look->model, capacity);

    if (look->model->capacity_bps > s->capacity_bps)
        s->capacity_bps = look->model->capacity_bps;
    e->mean = (e->mean * before + score) / (before + 1);
    e->weight = before + 1 < EXPERIENCE_MAX ? before + 1 : EXPERIENCE_MAX;
    e->tried += look->now - s->looked_at;
    e->last_at = look->now;
}

static bool may_swap(const struct tvl_selector *s, const struct tvl_selector_look *look)
{
    const tvl_time rounds = 20 * look->model->rtt;
    const tvl_time dwell = rounds > TVL_SELECT_DWELL ? rounds : TVL_SELECT_DWELL;

    return !look->limited && look->now - s->since >= dwell;
}

/* A swap to what was never tried here is a trial; too many of them would be the session's cost. */
static bool may_try(struct tvl_selector *s, size_t which, tvl_time now)
{
    if (s->seen[which].weight > 0)
        return true;
    if (now - s->trials_from >= TVL_SELECT_TRIAL_SPAN) {
        s->trials_from = now;
        s->trials = 0;
    }
    return s->trials < TVL_SELECT_TRIALS;
}

const struct tvl_cc_ops *tvl_selector_look(struct tvl_selector *s,
                                           const struct tvl_selector_look *look)
{
    double best = 0, present = 0;
    int which = -1;

    if (s->objective == TVL_OBJECTIVE_NONE || !tvl_selector_due(s, look->now))
        return NULL;
    learn(s, look);
    s->looked_at = look->now;
    if (look->model->rtt_min == 0 || look->model->capacity_bps == 0 || !may_swap(s, look))
        return NULL;
    for (size_t i = 0; i < count_all(); i++) {
        const double score = rate_one(s, i, look->model).score;

        if ((int)i == s->current)
            present = score;
        else if (score > best && (!tvl_cc_all[i]->l4s || look->model->ecn) &&
                 may_try(s, i, look->now)) {
            best = score;
            which = (int)i;
        }
    }
    if (which < 0 || (s->current >= 0 && best < TVL_SELECT_GAIN * present))
        return NULL;
    s->trials += s->seen[which].weight > 0 ? 0 : 1;
    s->current = which;
    s->since = look->now;
    s->swaps++;
    return tvl_cc_all[which];
}

/* ---- words ---- */

static void sort_rows(struct tvl_select_row *row, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const struct tvl_select_row r = row[i];
        size_t at = i;

        for (; at > 0 && row[at - 1].score < r.score; at--)
            row[at] = row[at - 1];
        row[at] = r;
    }
}

static void put_reason(const struct tvl_select_row *row, size_t n, char *reason, size_t size)
{
    const struct tvl_select_row *used = NULL;

    for (size_t i = 0; i < n && !used; i++)
        used = row[i].chosen ? &row[i] : NULL;
    if (size == 0)
        return;
    if (!used)
        snprintf(reason, size, "%s is expected to do best: %.2f", row[0].cc, row[0].score);
    else if (used == row)
        snprintf(reason, size, "%s does best: %.2f, then %s with %.2f", used->cc, used->score,
                 n > 1 ? row[1].cc : "none", n > 1 ? row[1].score : 0);
    else
        snprintf(reason, size, "%s stays with %.2f: %s would have %.2f, %s", used->cc, used->score,
                 row[0].cc, row[0].score,
                 row[0].score < TVL_SELECT_GAIN * used->score ? "too little more to swap"
                                                              : "and waits for its turn");
}

size_t tvl_selector_explain(const struct tvl_selector *s, const struct tvl_path_model *m,
                            struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                            size_t reason_size)
{
    const size_t n = count_all();

    if (s->objective == TVL_OBJECTIVE_NONE || m->rtt_min == 0 || m->capacity_bps == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        row[i] = rate_one(s, i, m);
    sort_rows(row, n);
    put_reason(row, n, reason, reason_size);
    return n;
}

size_t tvl_select_explain(const struct tvl_path_model *m, const struct tvl_knowledge *k,
                          const char *seen_by, enum tvl_objective objective, tvl_time deadline,
                          struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                          size_t reason_size)
{
    struct tvl_selector s;

    tvl_selector_init(&s, k, objective, deadline, seen_by, 0);
    const size_t n = tvl_selector_explain(&s, m, row, reason, reason_size);

    for (size_t i = 0; i < n; i++)
        row[i].chosen = i == 0;
    if (n > 0)
        put_reason(row, n, reason, reason_size);
    return n;
}
