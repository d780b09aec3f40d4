/* select.c - see select.h and <tvl/select.h>. */
#include "select.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FORMULA_WEIGHT 0.05 /* beside knowledge of a path exactly alike, which has 1 */
#define NOT_MEASURED 0.5    /* share of the best, of one that the knowledge does not name */
#define ERROR_AT_FIRST 0.3  /* of either, before any comparison; it counts for */
#define ERROR_LOOKS 5.0     /* looks */
#define ERROR_LEAST 0.05    /* none is trusted without end */
#define ERROR_MAX_LOOKS 30.0
/* A path changes more from one ten seconds to the next than controllers differ: on recorded links
 * every constant that believed experience sooner cost more than it brought. Only who fails is
 * found out: with these a tenth of what was foretold ends it in about 12 s, seven tenths never. */
#define OWN_LOOKS 40.0      /* of experience as good as the prior */
#define PATH_LOOKS 20.0     /* until what one falls short of is half the path's */
#define EXPERIENCE_MAX 40.0 /* looks */
#define BEGIN_GAIN 1.01     /* noise causes no change at the beginning either */
#define SHARE_LOOKS 20.0    /* over which what is foretold is averaged */
#define LATE_SLOPE 1.0      /* deadlines over which a formula's share in time falls to nothing */
#define SETTLE_ROUNDS 6
#define DWELL_ROUNDS 20
#define SWAY_ROUNDS 4 /* after a swap say nothing of the new one; and TVL_SELECT_EVERY */

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

static const struct tvl_path_model nothing = { .rtt_min = 0 };

/* ---- scores ---- */

/* [0, 1]: how much is there in time, by the mean of the queue alone. */
static double in_time(tvl_time queue, tvl_time rtt_min, tvl_time deadline)
{
    const double takes = (double)rtt_min / 2 + 2.0 * (double)queue; /* the late tail counts */
    const double late = (takes - (double)deadline) / (double)(deadline ? deadline : 1);

    return late <= 0 ? 1 : late >= LATE_SLOPE ? 0 : 1 - late / LATE_SLOPE;
}

static double faded(const struct tvl_selector_seen *e, tvl_time now)
{
    return exp2(-(double)(now - e->last_at) / TVL_SELECT_FORGET);
}

/* What both foretell of every controller. */
struct prior {
    double knowledge[TVL_SELECT_MAX], formula[TVL_SELECT_MAX]; /* scores; negative: not known */
    double share[TVL_SELECT_MAX]; /* of the best one's, by both; negative likewise */
    double level;                 /* the best one's score */
};

static double trust(const struct tvl_selector_error *e)
{
    return 1 / (ERROR_LEAST +
                (e->mean * e->weight + ERROR_AT_FIRST * ERROR_LOOKS) / (e->weight + ERROR_LOOKS));
}

static double formulas(const struct tvl_selector *s, const struct tvl_path_model *m, double *score)
{
    double best = 0;

    for (size_t i = 0; i < count_all(); i++) {
        struct tvl_prediction p;

        score[i] = -1;
        if (tvl_predict(tvl_cc_all[i]->name, m, s->datagram, &p) != 0)
            continue;
        score[i] = tvl_objective_score(s->objective, (double)p.rate_bps / (double)m->capacity_bps,
                                       (double)p.queue, (double)m->rtt_min,
                                       in_time(p.queue, m->rtt_min, s->deadline));
        best = fmax(best, score[i]);
    }
    return best;
}

/* Compared are shares of each one's best: where they put the best itself is the path's affair. */
static bool foretell(const struct tvl_selector *s, const struct tvl_path_model *m, struct prior *p)
{
    const char *eyes = s->current >= 0 ? tvl_cc_all[s->current]->name : NULL;
    const bool empty = m->rtt_min == 0 || m->capacity_bps == 0;
    struct tvl_knowledge_rank k = { .level = 0 };
    const bool known = s->k && tvl_knowledge_rank(s->k, empty ? NULL : m, eyes, s->objective,
                                                  s->deadline, &k) == 0;
    const double best = empty ? 0 : formulas(s, m, p->formula);
    const double by_k = known ? trust(&s->knowledge) / (1 + k.distance) : 0;
    const double by_f = best > 0 ? FORMULA_WEIGHT * trust(&s->formula) : 0;

    for (size_t i = 0; i < count_all(); i++) {
        const double share = known ? k.share[i] : -1, formula = best > 0 ? p->formula[i] : -1;
        const double weights = by_k + (formula >= 0 ? by_f : 0);
        const double sum =
            by_k * (share >= 0 ? share : NOT_MEASURED) + (formula >= 0 ? by_f * formula / best : 0);

        p->formula[i] = formula;
        p->knowledge[i] = share >= 0 ? share * k.level : -1;
        p->share[i] = weights > 0 ? sum / weights : -1;
    }
    p->level = known ? k.level : best;
    return known || best > 0;
}

/* What the path makes of any prior: in part what those in use have made of theirs. */
static double kept_by_path(const struct tvl_selector *s)
{
    double actual = 0, predicted = 0, weight = 0;

    for (size_t i = 0; i < count_all(); i++) {
        const double left = faded(&s->seen[i], s->looked_at);

        actual += left * s->seen[i].actual;
        predicted += left * s->seen[i].predicted;
        weight += left * s->seen[i].weight;
    }
    if (weight <= 0 || predicted <= 0)
        return 1;
    const double rest = PATH_LOOKS * predicted / weight;

    return (actual + rest) / (predicted + rest);
}

static double kept_by(const struct tvl_selector *s, size_t which, double path)
{
    const struct tvl_selector_seen *e = &s->seen[which];
    const double left = faded(e, s->looked_at);

    if (e->weight <= 0 || e->predicted <= 0)
        return path;
    const double rest = OWN_LOOKS * e->predicted / e->weight;

    return (left * e->actual + rest * path) / (left * e->predicted + rest);
}

static bool is_allowed(size_t which, const struct tvl_path_model *m)
{
    return !tvl_cc_all[which]->l4s || m->ecn;
}

/* A path's model sways from one second to the next, and so would the choice. */
static double share_of(const struct tvl_selector *s, const struct prior *p, size_t i)
{
    const double share = s->share_looks > 0 ? s->share[i] : p->share[i];

    return share > 0 ? share : 0;
}

/* Rows by place in tvl_cc_all. False: nothing is known. */
static bool rate_all(const struct tvl_selector *s, const struct tvl_path_model *m,
                     struct tvl_select_row row[TVL_SELECT_MAX])
{
    const double path = kept_by_path(s);
    struct prior p;

    if (!foretell(s, m, &p))
        return false;
    for (size_t i = 0; i < count_all(); i++) {
        const struct tvl_selector_seen *e = &s->seen[i];

        row[i] = (struct tvl_select_row){ .cc = tvl_cc_all[i]->name,
                                          .by_knowledge = p.knowledge[i],
                                          .by_formula = p.formula[i],
                                          .by_experience = -1,
                                          .tried = e->tried,
                                          .chosen = (int)i == s->current };
        if (e->weight > 0) {
            row[i].by_experience = e->actual / e->weight;
            row[i].foretold = e->predicted / e->weight;
        }
        row[i].score = p.level * share_of(s, &p, i) * kept_by(s, i, path);
    }
    return true;
}

/* ---- experience ---- */

void tvl_selector_init(struct tvl_selector *s, const struct tvl_knowledge *k,
                       enum tvl_objective objective, tvl_time deadline, const char *cc,
                       tvl_time now)
{
    *s = (struct tvl_selector){ .k = k,
                                .objective = objective,
                                .deadline = deadline,
                                .datagram = 1200,
                                .current = place_of(cc),
                                .began = now,
                                .since = now,
                                .looked_at = now,
                                .trials_from = now };
}

static tvl_time at_least(tvl_time least, const struct tvl_path_model *m, unsigned rounds)
{
    return rounds * m->rtt > least ? rounds * m->rtt : least;
}

static void compare(struct tvl_selector_error *e, double predicted, double actual)
{
    const double larger = fmax(predicted, actual);

    if (predicted < 0 || larger <= 0)
        return;
    e->mean = (e->mean * e->weight + fabs(predicted - actual) / larger) / (e->weight + 1);
    e->weight = fmin(e->weight + 1, ERROR_MAX_LOOKS);
}

static void learn(struct tvl_selector *s, const struct tvl_selector_look *look)
{
    const struct tvl_path_model *m = look->model;
    struct prior p;

    if (look->limited || m->rtt_min == 0 || m->capacity_bps == 0 || !foretell(s, m, &p))
        return;
    s->share_looks = fmin(s->share_looks + 1, SHARE_LOOKS);
    for (size_t i = 0; i < count_all(); i++)
        s->share[i] += (p.share[i] - s->share[i]) / s->share_looks;
    if (s->current < 0 || p.share[s->current] < 0 ||
        s->looked_at - s->since < at_least(TVL_SELECT_EVERY, m, SWAY_ROUNDS))
        return;
    struct tvl_selector_seen *e = &s->seen[s->current];
    const double left = faded(e, look->now);
    const double keep =
        e->weight * left > EXPERIENCE_MAX - 1 ? (EXPERIENCE_MAX - 1) / e->weight : left;
    const double actual =
        tvl_objective_score(s->objective, fmin(1, (double)look->rate_bps / (double)m->capacity_bps),
                            (double)look->queue, (double)m->rtt_min, look->in_time);

    compare(&s->knowledge, p.knowledge[s->current], actual);
    compare(&s->formula, p.formula[s->current], actual);
    e->actual = e->actual * keep + actual;
    e->predicted = e->predicted * keep + p.share[s->current] * p.level;
    e->weight = e->weight * keep + 1;
    e->tried += look->now - s->looked_at;
    e->last_at = look->now;
}

/* ---- the choice ---- */

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

static const struct tvl_cc_ops *choose(struct tvl_selector *s, const struct tvl_path_model *m,
                                       double gain, tvl_time now)
{
    struct tvl_select_row row[TVL_SELECT_MAX];
    double best = 0;
    int which = -1;

    if (!rate_all(s, m, row))
        return NULL;
    for (size_t i = 0; i < count_all(); i++)
        if (row[i].score > best && is_allowed(i, m) &&
            ((int)i == s->current || may_try(s, i, now))) {
            best = row[i].score;
            which = (int)i;
        }
    if (which < 0 || which == s->current ||
        (s->current >= 0 && best < gain * row[s->current].score))
        return NULL;
    s->current = which;
    s->since = now;
    s->swaps++;
    return tvl_cc_all[which];
}

const struct tvl_cc_ops *tvl_selector_look(struct tvl_selector *s,
                                           const struct tvl_selector_look *look)
{
    const struct tvl_path_model *m = look->model;

    if (s->objective == TVL_OBJECTIVE_NONE || !tvl_selector_due(s, look->now))
        return NULL;
    if (!s->begun) {
        s->begun = true;
        s->looked_at = look->now;
        return choose(s, &nothing, BEGIN_GAIN, look->now);
    }
    learn(s, look);
    s->looked_at = look->now;
    if (m->rtt_min == 0 || m->capacity_bps == 0 || look->limited)
        return NULL;
    if (!s->settled) {
        s->settled = look->now - s->began >= at_least(TVL_SELECT_SETTLE, m, SETTLE_ROUNDS);
        return s->settled ? choose(s, m, BEGIN_GAIN, look->now) : NULL;
    }
    if (look->now - s->since < at_least(TVL_SELECT_DWELL, m, DWELL_ROUNDS))
        return NULL;
    const struct tvl_cc_ops *ops = choose(s, m, TVL_SELECT_GAIN, look->now);

    s->trials += ops && s->seen[s->current].weight <= 0;
    return ops;
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

static void put_reason(const struct tvl_select_row *row, size_t n, bool on_average, char *reason,
                       size_t size)
{
    const struct tvl_select_row *used = NULL;

    for (size_t i = 0; i < n && !used; i++)
        used = row[i].chosen ? &row[i] : NULL;
    if (size == 0)
        return;
    if (!used)
        snprintf(reason, size, "%s is expected to do best: %.2f", row[0].cc, row[0].score);
    else if (on_average)
        snprintf(reason, size, "nothing is known of the path yet; on average %s has %.2f, %s %.2f",
                 row[0].cc, row[0].score, n > 1 ? row[1].cc : "none", n > 1 ? row[1].score : 0);
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
    const bool on_average = s->begun && !s->settled; /* as the choice was made */
    const size_t n = count_all();

    if (s->objective == TVL_OBJECTIVE_NONE || !rate_all(s, on_average ? &nothing : m, row))
        return 0;
    sort_rows(row, n);
    put_reason(row, n, on_average, reason, reason_size);
    return n;
}

size_t tvl_select_explain(const struct tvl_path_model *m, const struct tvl_knowledge *k,
                          const char *seen_by, enum tvl_objective objective, tvl_time deadline,
                          struct tvl_select_row row[TVL_SELECT_MAX], char *reason,
                          size_t reason_size)
{
    struct tvl_selector s;

    if (m->rtt_min == 0 || m->capacity_bps == 0)
        return 0;
    tvl_selector_init(&s, k, objective, deadline, seen_by, 0);
    const size_t n = tvl_selector_explain(&s, m, row, reason, reason_size);

    for (size_t i = 0; i < n; i++)
        row[i].chosen = i == 0;
    if (n > 0)
        put_reason(row, n, false, reason, reason_size);
    return n;
}
