/* player_watch.c - what is known of playing: accounts of each shown picture, measurements, what is
 * asked for, the totals. */
#include "player_internal.h"

#include "log.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define SKEW_PARTS 8 /* the mean of so many pictures is what counts as skew */

int64_t player_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

double player_since_start(const struct player *p, int64_t now)
{
    return (double)(now - p->cfg.process_began_us) / 1e6;
}

void player_note(const struct player *p, const char *what)
{
    log_text(LOG_LEVEL_INFO, "%s", what);
    if (p->cfg.report)
        report_add_event(p->cfg.report, player_since_start(p, player_clock()), what);
}

/* What is to be added to player_clock for us since 1970. */
int64_t player_wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 - player_clock();
}

/* How far what is heard is behind what is shown, ms; NaN: nothing is heard. */
static double account_skew(struct player *p, int64_t pts, int64_t now)
{
    int64_t heard;
    if (!p->sound || !sound_heard(p->sound, now, &heard) || !p->clock.led) {
        p->view.av_skew_ms = (double)NAN;
        return (double)NAN;
    }
    const double ms = (double)(pts - heard) / 1e3;
    const double mean = isnan(p->view.av_skew_ms) ? ms : p->view.av_skew_ms;
    p->view.av_skew_ms = mean + (ms - mean) / SKEW_PARTS;
    if (fabs(p->view.av_skew_ms) > p->view.av_skew_max_ms)
        p->view.av_skew_max_ms = fabs(p->view.av_skew_ms);
    return ms;
}

/* From capture where the sender says when that was, else from arrival. */
static double account_delay(struct player *p, int64_t due, int64_t now)
{
    const struct svc_picture *pic = &p->waiting.picture;
    struct delay_stamps *at = &p->waiting.at;
    at->due = due;
    at->shown = now;
    const double skew = account_skew(p, pic->pts, now);
    delay_add(&p->view.delay, at, p->rtt_us);
    if (p->timing)
        timing_add(p->timing,
                   &(struct timing_row){ .picture = pic->picture,
                                         .pts_us = pic->pts,
                                         .time_code =
                                             p->cfg.screen ? screen_read_number(p->cfg.screen) : -1,
                                         .wall_us = player_wall_us(),
                                         .at = *at,
                                         .spatial = pic->layer.spatial,
                                         .av_skew_ms = skew });
    return (double)(now - (p->view.delay.has_capture ? at->captured : at->arrived)) / 1e3;
}

/* ---- places ---- */

void player_take_place(struct player *p, int64_t pts_us, int64_t at_us)
{
    p->place = (struct place){ .is = true, .pts_us = pts_us, .at_us = at_us };
}

void player_start_clock(struct player *p, const struct svc_unit *unit, int64_t now)
{
    playout_start(&p->clock, unit->picture, unit->pts, now);
    if (!p->place.is) {
        p->preview.at = now + PLAYER_PREVIEW_US;
        return;
    }
    const int64_t at = p->place.at_us ? p->place.at_us : now + p->clock.latency_us;
    p->clock.offset_us = at - p->place.pts_us;
    p->place.is = false; /* the next start is one like any other */
    p->place.catching = true;
    p->place.began_us = p->place.past_us = now;
}

void player_see_past(struct player *p, const struct svc_unit *unit, int64_t now)
{
    const bool still = p->place.at_us == 0;

    if (p->place.catching &&
        (still ? unit->pts <= p->place.pts_us : playout_due(&p->clock, unit->pts) < now))
        p->place.past_us = now;
}

int64_t player_awaits_past(struct player *p, int64_t now)
{
    const int64_t most = p->place.began_us + PLAYER_BURST_MAX_US;
    int64_t until = p->place.past_us + PLAYER_BURST_US;

    if (!p->place.catching || p->place.past_us == 0)
        return 0;
    until = until < most ? until : most;
    if (now < until)
        return until;
    if (p->place.at_us == 0) /* a still one: now that it is there */
        p->clock.offset_us = now + p->margin_us - p->place.pts_us;
    p->place.past_us = 0;
    return 0;
}

bool player_has_passed(const struct player *p, int64_t now, int64_t next_due)
{
    const bool still = p->place.at_us == 0;

    return p->waiting.picture.pts < p->place.pts_us ||
           (!still && now > next_due && player_catches_up(p, now));
}

bool player_catches_up(const struct player *p, int64_t now)
{
    return p->place.catching && now - p->place.began_us < PLAYER_CATCH_UP_US;
}

bool player_place(const struct player *p, struct player_moment *out)
{
    if (!player_last_shown(p, out))
        return false;
    if (p->clock.started)
        out->at_us = playout_due(&p->clock, out->pts_us);
    return true;
}

bool player_last_shown(const struct player *p, struct player_moment *out)
{
    if (p->moments > 0)
        *out = p->moment[(p->moments - 1) % PLAYER_MOMENTS];
    return p->moments > 0;
}

bool player_shown_after(const struct player *p, int64_t pts_us, int64_t at_us,
                        struct player_moment *out)
{
    const uint64_t known = p->moments < PLAYER_MOMENTS ? p->moments : PLAYER_MOMENTS;

    for (uint64_t i = p->moments - known; i < p->moments; i++) {
        const struct player_moment *m = &p->moment[i % PLAYER_MOMENTS];
        if (m->pts_us <= pts_us || m->at_us <= at_us)
            continue;
        *out = *m;
        return true;
    }
    return false;
}

void player_account_shown(struct player *p, int64_t due, int64_t now)
{
    const struct svc_picture *pic = &p->waiting.picture;
    if (!p->first_shown_us)
        p->first_shown_us = now;
    if (p->place.catching)
        demand_next(&p->evidence, now); /* what catching up cost says nothing */
    p->place.catching = false;
    p->moment[p->moments++ % PLAYER_MOMENTS] =
        (struct player_moment){ .picture = pic->picture, .pts_us = pic->pts, .at_us = now };
    int64_t stall = playout_shown(&p->clock, now);
    p->frames_shown++;
    p->last_picture = pic->picture;
    p->switches += p->frames_shown > 1 && pic->layer.spatial != p->view.shown.spatial;
    p->top_spatial = pic->layer.spatial;
    layers_shown(&p->layers, pic->layer);
    p->view.playing = true;
    p->view.shown = pic->layer;
    p->view.width = pic->image.width;
    p->view.height = pic->image.height;
    p->view.picture = pic->picture;
    p->view.pts_us = pic->pts;
    p->view.latency_ms = account_delay(p, due, now);
    p->view.stalls = p->clock.stalls;
    p->view.stall_max_ms = (double)p->clock.stall_max_us / 1e3;
    if (!p->cfg.report)
        return;
    if (stall)
        report_add_stall(p->cfg.report, player_since_start(p, now), (double)stall / 1e3);
    report_add_shown(p->cfg.report,
                     &(struct report_shown){ .picture = pic->picture,
                                             .pts_us = pic->pts,
                                             .layer = pic->layer,
                                             .crc32 = svc_image_crc(&pic->image),
                                             .wall_ms = (double)(now - p->first_shown_us) / 1e3,
                                             .latency_ms = p->view.latency_ms });
}

/* Which of the offered layers count as asked for. */
void player_count_asked(struct player *p)
{
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
            p->layers.subscribed[s][t] =
                p->offered[s][t] &&
                (!p->asked_any || (s <= p->asked.spatial && t <= p->asked.temporal));
}

/* ---- watching ---- */

void player_set_muted(struct player *p, bool muted)
{
    p->muted = p->view.muted = muted;
    if (p->sound)
        sound_set_muted(p->sound, muted);
}

void player_set_volume(struct player *p, double percent)
{
    p->volume = percent;
    if (p->sound)
        sound_set_volume(p->sound, percent);
}

/* What the pages show beside paths and layers. */
static void tell(struct player *p)
{
    struct osd_view *v = &p->view;
    v->frames_shown = p->frames_shown;
    v->frames_skipped = p->frames_skipped;
    v->rebuffers = p->clock.rebuffers;
    v->switches = p->switches;
    v->buffer_ms = v->delay.part_ms[DELAY_BUFFER];
    v->decode_ms = v->delay.part_ms[DELAY_DECODE];
    v->decode_max_ms = (double)p->decode_max_us / 1e3;
}

void player_sender(struct player *p, const struct sender_view *v)
{
    p->sender = *v;
    p->sender.came_us = player_clock();
}

void player_measure(struct player *p, const struct session_path *path, size_t n_paths)
{
    struct report_sample row = { 0 };
    struct meter_input in = { .now_us = player_clock(),
                              .path = path,
                              .n_paths = n_paths,
                              .layers = &p->layers,
                              .sender = &p->view.sender,
                              .frames_shown = p->frames_shown };
    p->view.sender = p->sender;
    p->view.sender.known = p->sender.known && in.now_us - p->sender.came_us < SENDER_STALE_US;
    meter_sample(&p->meter, &in, &p->view, &row);
    p->rtt_us = meter_least_rtt(&p->meter);
    tell(p);
    row.t_s = player_since_start(p, in.now_us);
    row.top_spatial = p->top_spatial;
    p->top_spatial = -1;
    if (p->cfg.report)
        report_add_sample(p->cfg.report, &row);
}

bool player_wish(const struct player *p, struct svc_layer *limit, struct svc_layer *asked)
{
    const struct svc_layer all = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };

    *limit = p->limited ? p->limit : all;
    *asked = p->asked_any ? p->asked : all;
    return p->limited;
}

void player_set_limit(struct player *p, struct svc_layer top)
{
    p->limit = top;
    p->limited = true;
}

struct svc_layer player_limit(const struct player *p)
{
    const struct demand_input *e = &p->evidence;
    struct svc_layer top = { SVC_SPATIAL_MAX - 1, SVC_TEMPORAL_MAX - 1 };
    if (p->limited)
        top = p->limit;
    if (e->n_spatial > 0 && top.spatial >= e->n_spatial)
        top.spatial = (uint8_t)(e->n_spatial - 1);
    if (e->n_temporal > 0 && top.temporal >= e->n_temporal)
        top.temporal = (uint8_t)(e->n_temporal - 1);
    return top;
}

bool player_demand(struct player *p, uint32_t width, uint32_t height, struct svc_layer *out)
{
    struct demand_input *in = &p->evidence;
    struct demand_decision d;
    char what[96];
    int64_t now = player_clock();
    if (!p->clock.started || p->stopped || p->no_more || p->suspended || p->place.catching)
        return false;
    in->elapsed_us = (uint32_t)(now - in->now_us);
    in->now_us = now;
    in->display_width = width;
    in->display_height = height;
    in->levels_max = demand_levels_to(in, player_limit(p));
    in->paths = (uint32_t)meter_paths_up(&p->meter);
    receiver_demand(&p->receiver, p->cfg.policy_log, in, &d);
    demand_next(in, now);
    if (d.reason == DEMAND_SAME)
        return false;
    p->demand_changes += d.reason != DEMAND_BEGIN;
    *out = (struct svc_layer){ d.spatial, d.temporal };
    p->asked_any = true;
    p->asked = *out;
    player_count_asked(p);
    snprintf(what, sizeof what, "asking for S%u T%u: %s", out->spatial, out->temporal,
             demand_reason_text(d.reason));
    player_note(p, what);
    return true;
}

struct osd_view *player_view(struct player *p)
{
    return &p->view;
}

int64_t player_first_shown(const struct player *p)
{
    return p->first_shown_us;
}

void player_totals(const struct player *p, struct report_totals *t)
{
    int64_t now = player_clock();
    bool any = p->first_shown_us != 0;
    struct sound_counts sound = { 0 };
    if (p->sound)
        sound = sound_get_counts(p->sound);
    const int64_t seen = p->first_seen_us ? p->first_seen_us : p->first_shown_us;
    t->startup_ms = any ? (double)(seen - p->cfg.process_began_us) / 1e3 : -1;
    t->wall_zero_ms = any ? (double)(p->first_shown_us - p->cfg.process_began_us) / 1e3 : -1;
    t->duration_s = any ? (double)(now - p->first_shown_us) / 1e6 : 0;
    t->frames_shown = p->frames_shown;
    t->frames_skipped = p->frames_skipped;
    t->rebuffers = p->clock.rebuffers;
    t->units_late_healed = p->healed;
    t->units_refused = p->refused;
    t->demand_changes = p->demand_changes;
    t->stall_ms_max = (double)p->clock.stall_max_us / 1e3;
    t->av_skew_ms = p->view.av_skew_ms;
    t->av_skew_ms_max = isnan(p->view.av_skew_ms) ? p->view.av_skew_ms : p->view.av_skew_max_ms;
    t->delay = &p->view.delay;
    t->audio_packets = sound.packets;
    t->audio_lost = sound.lost;
    t->n_paths = meter_paths(&p->meter, t->path);
    t->layers = &p->layers;
    t->sender = &p->sender;
}
