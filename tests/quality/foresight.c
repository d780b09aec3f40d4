/*
 * foresight.c - see foresight.h.
 *
 * Each link is a row of milliseconds with so many bytes of payload in each: its rate or trace, less
 * headers, less what it loses, with the scenario's changes. A unit takes the earliest room from its
 * release on; what a link carries has to leave it early enough to be there in time.
 */
#include "foresight.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS 45u /* QUIC header, tag, stream frame header */
#define UNITS_MAX 200000u
#define PPM 1e6
#define BASE_LIFETIME 2 /* latencies, as peer/policy.c has it */

struct river {
    float *room; /* bytes by millisecond since the clock's beginning */
    uint32_t *delay_ms;
};

struct water {
    struct river link[LINKS_MAX];
    unsigned n;
    size_t span; /* ms */
};

struct item {             /* a unit of the clip */
    struct svc_unit unit; /* without bytes */
    bool carried;
    double there_ms, due_ms; /* since the beginning; of the carried; when its picture is shown */
};

struct film {
    struct item *item;
    size_t n;
    struct {
        int64_t pts;
        size_t bytes;
    } * sound;
    size_t n_sound;
    uint64_t pictures; /* of the clip */
    int64_t duration;
    struct svc_stream_info info;
};

/* ---- links ---- */

static double passing(const struct vlink_config *c)
{
    double loss = c->loss_ppm / PPM;

    if (c->ge && c->ge_p_ppm + c->ge_r_ppm > 0) {
        const double bad = (double)c->ge_p_ppm / (c->ge_p_ppm + c->ge_r_ppm);

        loss += (bad * c->ge_bad_ppm + (1 - bad) * c->ge_good_ppm) / PPM;
    }
    return loss < 1 ? 1 - loss : 0;
}

static double payload_share(const struct vlink_config *c)
{
    return (double)(TVL_DATAGRAM_MAX - HEADERS) / (double)(TVL_DATAGRAM_MAX + c->overhead_bytes);
}

static void fill(struct river *r, const struct links_config *cfg, unsigned link, size_t span)
{
    struct vlink_schedule schedule = cfg->schedule;
    struct vlink_config c = cfg->link[link].config[VLINK_DOWN];
    char why[VLINK_WHY_MAX];
    uint64_t k = 0;

    for (size_t ms = 0; ms < span; ms++) {
        const struct vlink_change *change;

        while ((change = vlink_schedule_take(&schedule, ms * UINT64_C(1000000))) != NULL)
            if (strcmp(change->link, cfg->link[link].name) == 0 && (change->ways >> VLINK_DOWN & 1))
                (void)vlink_config_set(&c, change->key, change->value, why, sizeof why);
        double bytes = (double)c.rate_bps / 8000;
        if (c.trace)
            for (bytes = 0; vlink_trace_at(c.trace, k) / 1000000 <= ms; k++)
                bytes += VLINK_TRACE_BYTES;
        else if (c.rate_bps == 0)
            bytes = 1e6;
        r->room[ms] = c.down ? 0 : (float)(bytes * payload_share(&c) * passing(&c));
        r->delay_ms[ms] = (uint32_t)(c.delay_ns / 1000000);
    }
}

static void water_free(struct water *w)
{
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        free(w->link[i].room);
        free(w->link[i].delay_ms);
    }
}

static int water_make(struct water *w, const struct links_config *cfg, size_t span)
{
    *w = (struct water){ .n = cfg->n, .span = span };
    for (unsigned i = 0; i < cfg->n; i++) {
        w->link[i].room = calloc(span, sizeof(float));
        w->link[i].delay_ms = calloc(span, sizeof(uint32_t));
        if (!w->link[i].room || !w->link[i].delay_ms)
            return -1;
        fill(&w->link[i], cfg, i, span);
    }
    return 0;
}

enum pour { POUR_ASK, POUR_TAKE };

/* Carry `bytes`, released at `from`, to be there until `due` (ms). When they are; negative: not. */
static double pour(struct water *w, double from, double due, size_t bytes, enum pour how)
{
    double left = (double)bytes, there = 0;

    for (size_t ms = (size_t)from + 1; ms < w->span && left > 0 && (double)ms <= due; ms++)
        for (unsigned i = 0; i < w->n && left > 0; i++) {
            struct river *r = &w->link[i];
            const double at = (double)ms + 1 + r->delay_ms[ms];
            const double part = r->room[ms] < left ? r->room[ms] : left;

            if (at > due || part <= 0)
                continue;
            left -= part;
            there = at > there ? at : there;
            if (how == POUR_TAKE)
                r->room[ms] -= (float)part;
        }
    return left > 1e-3 ? -1 : there;
}

/* ---- the clip ---- */

static int read_film(struct film *f, const char *file, char *why, size_t why_size)
{
    struct svc_reader *r;
    struct svc_packet p;

    *f = (struct film){ .item = calloc(UNITS_MAX, sizeof *f->item),
                        .sound = calloc(UNITS_MAX, sizeof *f->sound) };
    if (!f->item || !f->sound || svc_reader_open(&r, file, why, why_size) < 0)
        return -1;
    f->info = *svc_reader_info(r);
    f->pictures = f->info.n_pictures;
    f->duration = f->info.duration;
    while (svc_reader_next(r, &p) == 1 && f->n < UNITS_MAX && f->n_sound < UNITS_MAX) {
        if (p.kind == SVC_AUDIO) {
            f->sound[f->n_sound].pts = p.pts;
            f->sound[f->n_sound++].bytes = p.audio_len;
        } else {
            f->item[f->n] = (struct item){ .unit = p.unit };
            f->item[f->n++].unit.bytes = NULL;
        }
    }
    svc_reader_free(r);
    return f->n > 0 && f->pictures > 0 && f->n % f->pictures == 0 ? 0 : -1;
}

/* The film as it will be sent: repeated, `pictures` of it. */
static struct item *unroll(const struct film *f, uint64_t pictures, size_t *n)
{
    const size_t each = f->n / f->pictures;
    struct item *all = calloc((size_t)pictures * each, sizeof *all);

    *n = 0;
    for (uint64_t i = 0; all && i < pictures; i++)
        for (size_t s = 0; s < each; s++) {
            const uint64_t loop = i / f->pictures;
            struct item *it = &all[(*n)++];

            *it = f->item[(i % f->pictures) * each + s];
            it->unit.picture += loop * f->pictures;
            it->unit.pts += (int64_t)loop * f->duration;
            for (unsigned k = 0; k < it->unit.deps.n_reads; k++)
                it->unit.deps.reads[k].picture += loop * f->pictures;
        }
    return all;
}

/* Whether all that the unit reads is there when its picture is to be decoded. */
static bool readable(const struct item *all, size_t each, const struct item *it)
{
    for (unsigned k = 0; k < it->unit.deps.n_reads; k++) {
        const struct svc_read *r = &it->unit.deps.reads[k];
        const struct item *read = &all[r->picture * each + r->spatial];

        if (!read->carried || read->there_ms > it->due_ms)
            return false;
    }
    return true;
}

struct plan {
    struct water water;
    struct film film;
    struct item *all;
    size_t n, each;
    double latency_ms, zero_ms, hold_ms; /* hold: from a picture's release until it is shown */
};

static void carry_sound(struct plan *p)
{
    const double span = (double)p->n / (double)p->each / (double)p->film.pictures;

    for (unsigned loop = 0; loop < span; loop++)
        for (size_t i = 0; i < p->film.n_sound; i++) {
            const double at =
                p->zero_ms +
                (double)(p->film.sound[i].pts + (int64_t)loop * p->film.duration) / 1e3;

            (void)pour(&p->water, at, at + p->hold_ms, p->film.sound[i].bytes, POUR_TAKE);
        }
}

/* A unit of the base layer is worth carrying when it is late for its own picture: later ones read
 * it, and it lives as long as the server lets it. */
static void carry_layer(struct plan *p, unsigned spatial, unsigned temporal)
{
    const double late = spatial == 0 && temporal == 0 ? (BASE_LIFETIME - 1) * p->latency_ms : 0;

    for (size_t i = spatial; i < p->n; i += p->each) {
        struct item *it = &p->all[i];
        const double at = p->zero_ms + (double)it->unit.pts / 1e3;

        it->due_ms = at + p->hold_ms;
        if (it->unit.layer.temporal != temporal)
            continue;
        const double until = it->due_ms + late;
        /* what it reads may come late as well: a chain of base units is carried as one */
        struct item chained = *it;
        chained.due_ms = until;
        if (!readable(p->all, p->each, late > 0 ? &chained : it) ||
            pour(&p->water, at, until, it->unit.len, POUR_ASK) < 0)
            continue;
        it->there_ms = pour(&p->water, at, until, it->unit.len, POUR_TAKE);
        it->carried = true;
        for (unsigned k = 0; late > 0 && k < it->unit.deps.n_reads; k++) {
            const struct svc_read *r = &it->unit.deps.reads[k];
            const double read = p->all[r->picture * p->each + r->spatial].there_ms;

            it->there_ms = read > it->there_ms ? read : it->there_ms;
        }
    }
}

static size_t show(const struct plan *p, struct score_row *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i += p->each) {
        int top = -1;
        double there = 0;

        for (size_t s = 0;
             s < p->each && p->all[i + s].carried && p->all[i + s].there_ms <= p->all[i + s].due_ms;
             s++) {
            top = (int)s;
            there = p->all[i + s].there_ms > there ? p->all[i + s].there_ms : there;
        }
        const double at = p->zero_ms + (double)p->all[i].unit.pts / 1e3;
        if (top >= 0)
            rows[n++] = (struct score_row){ .picture = p->all[i].unit.picture,
                                            .spatial = (unsigned)top,
                                            .at_ms = at + p->hold_ms,
                                            .delay_ms = p->hold_ms,
                                            .carried_ms = there - at };
    }
    return n;
}

int foresight_ask(const struct foresight_job *job, struct score_row **rows, size_t *n, char *why,
                  size_t why_size)
{
    struct plan p = { .latency_ms = job->latency_ms,
                      .zero_ms = (double)(job->zero_us - LOOP_BEGIN_US) / 1e3 };
    int result = -1;

    snprintf(why, why_size, "%s: no oracle for it", job->layered);
    *rows = calloc((size_t)job->pictures, sizeof **rows);
    if (!*rows || read_film(&p.film, job->layered, why, why_size) != 0)
        goto free_all;
    p.each = p.film.n / p.film.pictures;
    p.all = unroll(&p.film, job->pictures, &p.n);
    const double seconds = (double)job->pictures / p.film.info.fps_num * p.film.info.fps_den;
    if (!p.all || water_make(&p.water, job->links,
                             (size_t)(p.zero_ms + seconds * 1000 + job->latency_ms + 2000)) != 0)
        goto free_all;
    const double first = pour(&p.water, p.zero_ms, p.zero_ms + 10000, p.all[0].unit.len, POUR_ASK);
    p.hold_ms = (first > 0 ? first - p.zero_ms : 0) + job->latency_ms;
    carry_sound(&p);
    for (unsigned s = 0; s < p.each; s++)
        for (unsigned t = 0; t < p.film.info.n_temporal; t++)
            carry_layer(&p, s, t);
    *n = show(&p, *rows);
    result = 0;
free_all:
    water_free(&p.water);
    free(p.all);
    free(p.film.item);
    free(p.film.sound);
    return result;
}
