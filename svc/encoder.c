/*
 * encoder.c - svc_encoder: what is the same for every codec. For each picture a plan (structure.h),
 * per layer a quantizer (rate.h), the backend's bytes, and the dependencies that go with them.
 */
#include "budget.h"
#include "codec.h"
#include "cut.h"
#include "isolate.h"
#include "rate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MIN 64
#define SIDE_MAX 4096
#define SIDE_LAYER_MIN 16
#define FPS_MAX 240
#define RATIO_MAX 16
#define LONG_TERM_MAX 64
#define SPEED_MIN 7
#define SPEED_MAX 10

struct svc_encoder {
    const struct svc_codec *codec;
    void *state;             /* the codec's, */
    struct svc_isolate *iso; /* or the process it is in */
    bool broken;             /* it died of the last picture, twice */
    uint64_t restarts;
    struct svc_encoder_config cfg;
    struct svc_stream_info info;
    struct svc_rate rate[SVC_SPATIAL_MAX];
    struct svc_budget budget[SVC_SPATIAL_MAX]; /* instead of it, where there was a first pass */
    struct svc_cut cut;
    struct svc_tracker slots;          /* what the encoder's own slots hold */
    uint64_t picture, since_key;       /* the next one's */
    uint64_t t0_pictures;              /* since the key picture */
    uint8_t top, top_wanted;           /* spatial layers coded */
    uint8_t temporal, temporal_wanted; /* temporal layers coded */
    bool lost[SVC_SPATIAL_MAX];        /* to be predicted anew at the next T0 picture */
    bool long_held[SVC_SPATIAL_MAX];   /* the receiver has its long-term reference */
};

void svc_encoder_config_init(struct svc_encoder_config *cfg)
{
    *cfg = (struct svc_encoder_config){
        .codec = "av1",
        .width = 1280,
        .height = 720,
        .fps_num = 30,
        .fps_den = 1,
        .structure = { .n_spatial = 3, .n_temporal = 2, .long_term = true },
        .bitrate_bps = { 300000, 900000, 2400000 },
        .quantizer = { 36, 36, 36, 36 },
        .key_interval = 60,
        .long_term_interval = 8,
        .isolated = true,
        .speed = 9,
        .threads = 2,
    };
}

/* ---- what is opened ---- */

/* Each spatial layer's, filled in where the caller left it to us. False: out of range. */
static bool fill_ratios(struct svc_encoder_config *c)
{
    const unsigned n = c->structure.n_spatial;

    for (unsigned s = 0; s < n; s++) {
        struct svc_ratio *r = &c->ratio[s];

        if (r->num == 0 && r->den == 0)
            *r = (struct svc_ratio){ 1, (uint8_t)(1u << (n - 1 - s)) };
        if (r->num < 1 || r->den > RATIO_MAX || r->num > r->den)
            return false;
        if (s > 0 && r->num * c->ratio[s - 1].den < c->ratio[s - 1].num * r->den)
            return false;
    }
    return c->ratio[n - 1].num == c->ratio[n - 1].den;
}

/* Down, then up to even, as libaom and libvpx round. */
static uint16_t layer_side(uint16_t top, struct svc_ratio r)
{
    const unsigned side = (unsigned)top * r.num / r.den;

    return (uint16_t)(side + side % 2);
}

void svc_encoder_config_first_pass(struct svc_encoder_config *cfg)
{
    const double fps = cfg->fps_den ? (double)cfg->fps_num / cfg->fps_den : 0;
    struct svc_encoder_config filled = *cfg;
    const bool good = svc_structure_valid(&cfg->structure) && fill_ratios(&filled) && fps > 0;

    for (unsigned s = 0; good && s < cfg->structure.n_spatial; s++) {
        const uint32_t pixels = (uint32_t)layer_side(cfg->width, filled.ratio[s]) *
                                layer_side(cfg->height, filled.ratio[s]);

        if (cfg->bitrate_bps[s])
            cfg->quantizer[s] = svc_budget_first_quantizer(cfg->bitrate_bps[s], fps, pixels);
        cfg->bitrate_bps[s] = 0;
    }
    cfg->speed = SPEED_MAX;
    cfg->library_rate = false;
    cfg->first_pass = NULL;
}

static bool first_pass_valid(const struct svc_encoder_config *c)
{
    const struct svc_first_pass *f = c->first_pass;

    if (!f)
        return true;
    for (unsigned s = 0; s < c->structure.n_spatial; s++)
        if (c->bitrate_bps[s] == 0 || f->quantizer[s] > 63)
            return false;
    return !c->library_rate && f->n >= 1 && f->n <= SVC_FIRST_PASS_MAX && f->bytes;
}

static bool config_valid(struct svc_encoder_config *c, const struct svc_codec *codec)
{
    const struct svc_structure *st = &c->structure;

    if (!svc_structure_valid(st) || st->n_spatial > codec->n_spatial_max ||
        st->n_temporal > codec->n_temporal_max || !fill_ratios(c))
        return false;
    if (c->width < SIDE_MIN || c->width > SIDE_MAX || c->height < SIDE_MIN ||
        c->height > SIDE_MAX || c->width % 2 || c->height % 2 ||
        layer_side(c->height, c->ratio[0]) < SIDE_LAYER_MIN ||
        layer_side(c->width, c->ratio[0]) < SIDE_LAYER_MIN)
        return false;
    if (c->fps_num == 0 || c->fps_den == 0 || c->fps_num / c->fps_den > FPS_MAX)
        return false;
    for (unsigned s = 0; s < st->n_spatial; s++)
        if (c->quantizer[s] > 63)
            return false;
    if (!first_pass_valid(c))
        return false;
    return c->long_term_interval >= 1 && c->long_term_interval <= LONG_TERM_MAX &&
           c->speed >= SPEED_MIN && c->speed <= SPEED_MAX && c->threads >= 1 && c->threads <= 16;
}

static void fill_info(struct svc_encoder *e)
{
    const struct svc_encoder_config *c = &e->cfg;
    const struct svc_structure *st = &c->structure;
    struct svc_stream_info *i = &e->info;

    *i = (struct svc_stream_info){ .n_spatial = st->n_spatial,
                                   .n_temporal = st->n_temporal,
                                   .width = c->width,
                                   .height = c->height,
                                   .fps_num = c->fps_num,
                                   .fps_den = c->fps_den,
                                   .n_layers = (size_t)st->n_spatial * st->n_temporal };
    for (uint8_t t = 0; t < st->n_temporal; t++)
        for (uint8_t s = 0; s < st->n_spatial; s++) {
            struct svc_layer_info *l = &i->layers[t * st->n_spatial + s];

            l->layer = (struct svc_layer){ .spatial = s, .temporal = t };
            l->width = layer_side(c->width, c->ratio[s]);
            l->height = layer_side(c->height, c->ratio[s]);
            l->bitrate_bps = (uint32_t)(c->bitrate_bps[s] * svc_rate_part(st, t));
            l->bitrate_max_bps = l->bitrate_bps * 2;
        }
}

static struct svc_rate_config rate_config(const struct svc_encoder *e, unsigned s)
{
    const struct svc_layer_info *l = &e->info.layers[s];

    return (struct svc_rate_config){ .target_bps = e->cfg.bitrate_bps[s],
                                     .fps = (double)e->cfg.fps_num / e->cfg.fps_den,
                                     .key_interval = e->cfg.key_interval,
                                     .structure = e->cfg.structure,
                                     .pixels = (uint32_t)l->width * l->height };
}

static int make_rates(struct svc_encoder *e)
{
    const struct svc_first_pass *first = e->cfg.first_pass;
    int err = 0;

    for (unsigned s = 0; s < e->top && err == 0; s++) {
        const struct svc_rate_config rc = rate_config(e, s);
        const struct svc_budget_config bc = { rc.target_bps, rc.fps, first, s };

        if (first)
            err = svc_budget_init(&e->budget[s], &bc);
        else if (e->cfg.bitrate_bps[s])
            svc_rate_init(&e->rate[s], &rc);
    }
    e->cfg.first_pass = NULL;
    return err;
}

int svc_encoder_new(struct svc_encoder **out, const struct svc_encoder_config *cfg)
{
    const struct svc_codec *codec = svc_codec_find(cfg->codec);
    struct svc_encoder_config checked = *cfg;

    if (!codec || !config_valid(&checked, codec))
        return SVC_ERR_ARG;
    checked.structure.long_term &= codec->long_term;
    struct svc_encoder *e = calloc(1, sizeof(*e));
    if (!e)
        return SVC_ERR_NOMEM;
    e->cfg = checked;
    e->codec = codec;
    e->top = e->top_wanted = cfg->structure.n_spatial;
    e->temporal = e->temporal_wanted = cfg->structure.n_temporal;
    fill_info(e);
    int err = make_rates(e);
    if (err == 0)
        err = cfg->isolated ? svc_isolate_open(&e->iso, codec, &e->cfg, &e->info)
                            : codec->encoder_open(&e->state, &e->cfg, &e->info);
    if (err < 0) {
        svc_encoder_free(e);
        return err;
    }
    *out = e;
    return 0;
}

const struct svc_stream_info *svc_encoder_info(const struct svc_encoder *e)
{
    return &e->info;
}

bool svc_encoder_image(struct svc_encoder *e, struct svc_image_buffer *out)
{
    if (!e->iso)
        return false;
    *out = svc_isolate_image(e->iso);
    return true;
}

uint64_t svc_encoder_copies(const struct svc_encoder *e)
{
    return e->iso ? svc_isolate_copies(e->iso) : 0;
}

uint64_t svc_encoder_restarts(const struct svc_encoder *e)
{
    return e->restarts;
}

/* ---- while it runs ---- */

int svc_encoder_set_rates(struct svc_encoder *e, const uint32_t bitrate_bps[SVC_SPATIAL_MAX])
{
    for (unsigned s = 0; s < e->info.n_spatial; s++)
        if (bitrate_bps[s] == 0 || e->cfg.bitrate_bps[s] == 0 || e->budget[s].plan)
            return SVC_ERR_ARG;
    for (unsigned s = 0; s < e->info.n_spatial; s++) {
        e->cfg.bitrate_bps[s] = bitrate_bps[s];
        svc_rate_retarget(&e->rate[s], bitrate_bps[s]);
    }
    return 0;
}

int svc_encoder_set_top(struct svc_encoder *e, uint8_t n_spatial)
{
    if (n_spatial < 1 || n_spatial > e->info.n_spatial)
        return SVC_ERR_ARG;
    e->top_wanted = n_spatial;
    return 0;
}

int svc_encoder_set_temporal(struct svc_encoder *e, uint8_t n_temporal)
{
    if (n_temporal < 1 || n_temporal > e->info.n_temporal)
        return SVC_ERR_ARG;
    e->temporal_wanted = n_temporal;
    return 0;
}

int svc_encoder_set_speed(struct svc_encoder *e, uint8_t speed)
{
    if (speed < SPEED_MIN || speed > SPEED_MAX)
        return SVC_ERR_ARG;
    e->cfg.speed = speed;
    return 0;
}

static bool holds(const struct svc_encoder *e, const struct svc_tracker *held, uint8_t slot,
                  unsigned spatial)
{
    return slot != SVC_NO_SLOT && e->slots.slot[slot].valid &&
           e->slots.slot[slot].spatial == spatial && held && held->slot[slot].valid &&
           held->slot[slot].spatial == spatial &&
           held->slot[slot].picture == e->slots.slot[slot].picture;
}

int svc_encoder_recover(struct svc_encoder *e, unsigned spatial, const struct svc_tracker *held)
{
    const struct svc_structure *st = &e->cfg.structure;

    if (spatial >= e->info.n_spatial)
        return SVC_ERR_ARG;
    for (unsigned s = spatial; s < e->info.n_spatial; s++) {
        if (s > spatial && holds(e, held, (uint8_t)s, s)) /* slot s is its T0 unit's */
            continue;
        e->lost[s] = true;
        e->long_held[s] = holds(e, held, svc_structure_long_term(st, s), s);
    }
    return 0;
}

/* ---- one picture ---- */

static bool key_due(const struct svc_encoder *e)
{
    const uint32_t interval = e->cfg.key_interval;

    return e->picture == 0 || e->broken || (interval && e->since_key >= interval);
}

/* Temporal layers likewise: what returns in between would read what is long gone. */
static unsigned temporal_now(const struct svc_encoder *e, unsigned of_next)
{
    const bool fewer = e->temporal_wanted < e->temporal;

    return fewer || of_next == 0 ? e->temporal_wanted : e->temporal;
}

bool svc_encoder_skips(const struct svc_encoder *e)
{
    const unsigned t = svc_structure_temporal(&e->cfg.structure, e->since_key);

    return !key_due(e) && t >= temporal_now(e, t);
}

/* Layers that are left out go at once, those that return wait for a T0 picture. */
static void move_top(struct svc_encoder *e, unsigned temporal)
{
    if (e->top_wanted < e->top)
        e->top = e->top_wanted;
    for (; temporal == 0 && e->top < e->top_wanted; e->top++) {
        e->lost[e->top] = true;
        e->long_held[e->top] = false;
    }
}

static struct svc_plan plan_of(struct svc_encoder *e, bool force_key)
{
    const struct svc_structure *st = &e->cfg.structure;
    unsigned temporal = svc_structure_temporal(st, e->since_key);
    struct svc_plan plan = { .key = key_due(e) || force_key ||
                                    (temporal == 0 && e->lost[0] && !e->long_held[0]) };

    if (plan.key) {
        e->since_key = e->t0_pictures = 0;
        temporal = 0;
    }
    plan.since_key = e->since_key;
    e->temporal = (uint8_t)temporal_now(e, temporal);
    move_top(e, temporal);
    if (temporal > 0)
        return plan;
    const bool renew = e->t0_pictures++ % e->cfg.long_term_interval == 0;

    for (unsigned s = 0; s < e->top; s++) {
        if (e->lost[s] && !plan.key)
            plan.from[s] = e->long_held[s] ? SVC_FROM_LONG_TERM : SVC_FROM_BELOW;
        plan.keep_long[s] = renew || plan.from[s] == SVC_FROM_BELOW;
        e->lost[s] = e->long_held[s] = false;
    }
    return plan;
}

static void add_read(const struct svc_encoder *e, struct svc_deps *deps, uint8_t slot)
{
    assert(e->slots.slot[slot].valid);
    deps->reads[deps->n_reads++] = (struct svc_read){
        .slot = slot,
        .spatial = e->slots.slot[slot].spatial,
        .picture = e->slots.slot[slot].picture,
    };
}

static struct svc_deps deps_of(const struct svc_encoder *e, const struct svc_refs *refs)
{
    struct svc_deps deps = { 0 };

    if (refs->key) {
        deps.refreshes = 0xff;
        return deps;
    }
    if (refs->keep != SVC_NO_SLOT)
        deps.refreshes = (uint8_t)(1u << refs->keep);
    if (refs->keep_long != SVC_NO_SLOT)
        deps.refreshes |= (uint8_t)(1u << refs->keep_long);
    if (refs->last != SVC_NO_SLOT)
        add_read(e, &deps, refs->last);
    if (refs->below != SVC_NO_SLOT)
        add_read(e, &deps, refs->below);
    return deps;
}

static enum svc_rate_kind kind_of(const struct svc_plan *plan, unsigned spatial, unsigned temporal)
{
    if (plan->key)
        return SVC_RATE_KEY;
    if (plan->from[spatial] != SVC_FROM_LAST)
        return SVC_RATE_REFRESH;
    return (enum svc_rate_kind)(SVC_RATE_T0 + temporal);
}

/* What was planned for one picture. */
struct work {
    struct svc_plan plan;
    struct svc_coding coding[SVC_SPATIAL_MAX];
    enum svc_rate_kind kind[SVC_SPATIAL_MAX];
};

/* The layer's quantizer; a long-term reference is finer, as it is read for longer. */
static uint8_t quantizer_of(struct svc_encoder *e, const struct work *w, unsigned s)
{
    const uint8_t q = e->budget[s].plan       ? svc_budget_quantizer(&e->budget[s], w->kind[s])
                      : e->cfg.bitrate_bps[s] ? svc_rate_quantizer(&e->rate[s], w->kind[s])
                                              : svc_rate_cascade(e->cfg.quantizer[s], w->kind[s]);

    if (w->coding[s].refs.keep_long == SVC_NO_SLOT)
        return q;
    return q > SVC_RATE_LONG_FINER ? (uint8_t)(q - SVC_RATE_LONG_FINER) : 0;
}

static void prepare(struct svc_encoder *e, bool force_key, struct work *w)
{
    *w = (struct work){ .plan = plan_of(e, force_key) };
    const uint8_t temporal = svc_structure_temporal(&e->cfg.structure, w->plan.since_key);

    for (uint8_t s = 0; s < e->top; s++) {
        struct svc_coding *c = &w->coding[s];

        w->kind[s] = kind_of(&w->plan, s, temporal);
        c->layer = (struct svc_layer){ .spatial = s, .temporal = temporal };
        c->speed = e->cfg.speed;
        c->refs = svc_structure_refs(&e->cfg.structure, s, &w->plan);
        c->quantizer = quantizer_of(e, w, s);
    }
}

/* Once more, by a new process, which knows nothing: a key picture. */
static int code_again(struct svc_encoder *e, struct work *w)
{
    e->restarts++;
    e->slots = (struct svc_tracker){ 0 };
    prepare(e, true, w);
    return svc_isolate_encode(e->iso, NULL, e->picture, w->coding, e->top);
}

static int code(struct svc_encoder *e, const struct svc_image *img, bool force_key, struct work *w)
{
    prepare(e, force_key, w);
    if (!e->iso)
        return e->codec->encode(e->state, img, e->picture, w->coding, e->top);
    int err = svc_isolate_encode(e->iso, img, e->picture, w->coding, e->top);
    if (err < 0)
        err = code_again(e, w);
    e->broken = err < 0;
    return err;
}

static void look_for_cut(struct svc_encoder *e, const struct svc_image *img)
{
    if (!svc_cut_between(&e->cut, img))
        return;
    for (unsigned s = 0; s < e->info.n_spatial; s++)
        if (e->cfg.bitrate_bps[s] && !e->budget[s].plan)
            svc_rate_cut(&e->rate[s]);
}

static void skip(struct svc_encoder *e)
{
    const unsigned temporal = svc_structure_temporal(&e->cfg.structure, e->since_key);

    e->temporal = (uint8_t)temporal_now(e, temporal);
    for (uint8_t s = 0; s < e->info.n_spatial; s++)
        if (e->budget[s].plan)
            svc_budget_skipped(&e->budget[s]);
        else if (e->cfg.bitrate_bps[s] && s < e->top)
            svc_rate_skipped(&e->rate[s]);
    e->since_key++;
}

int svc_encoder_encode(struct svc_encoder *e, const struct svc_image *img, int64_t pts,
                       bool force_key, struct svc_unit *units)
{
    struct work w;

    if (!force_key && svc_encoder_skips(e)) {
        skip(e);
        return 0;
    }
    if (img->width != e->cfg.width || img->height != e->cfg.height)
        return SVC_ERR_ARG;
    look_for_cut(e, img);
    int err = code(e, img, force_key, &w);
    if (err < 0)
        return err;
    for (uint8_t s = 0; s < e->top; s++) {
        const struct svc_coding *c = &w.coding[s];

        units[s] = (struct svc_unit){ .bytes = c->bytes,
                                      .len = c->len,
                                      .picture = e->picture,
                                      .pts = pts,
                                      .layer = c->layer,
                                      .key = c->refs.key,
                                      .deps = deps_of(e, &c->refs) };
        svc_tracker_decoded(&e->slots, &units[s]);
        if (e->budget[s].plan)
            svc_budget_coded(&e->budget[s], c->len);
        else if (e->cfg.bitrate_bps[s])
            svc_rate_coded(&e->rate[s], w.kind[s], c->quantizer, c->len);
    }
    for (unsigned s = e->top; s < e->info.n_spatial; s++)
        if (e->budget[s].plan)
            svc_budget_skipped(&e->budget[s]);
    e->picture++;
    e->since_key++;
    return e->top;
}

void svc_encoder_free(struct svc_encoder *e)
{
    if (!e)
        return;
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        svc_budget_fini(&e->budget[s]);
    svc_isolate_close(e->iso);
    if (e->state)
        e->codec->encoder_close(e->state);
    free(e);
}
