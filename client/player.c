/*
 * player.c - plays: when a picture's turn comes, whatever arrived of it is decoded, and at its due
 * time the best layer goes to the screen. The decoder takes only what the tracker calls decodable.
 *
 *     unit --> window --turn: due - margin--> decoder --due--> screen
 *                 \--late: heals references, is not shown--> decoder
 */
#include "player_internal.h"

#include "log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECODER_THREADS 2
#define TURNS_MAX 64 /* pictures handled in one go */
#define SOUND_PERIOD_S (PLAYOUT_FOLLOW_US / 1e6)
#define STALE_RUN_MAX 200 /* units older than the window in a row: the stream began anew */

/* ---- decoding ---- */

enum gather { GATHER_IN_TURN, GATHER_LATE };

/* The units of `pic` that the decoder will take, by rising spatial layer. */
static size_t gather(const struct player *p, const struct picture *pic, enum gather how,
                     struct svc_unit *units)
{
    struct svc_tracker t = *svc_decoder_tracker(p->decoder);
    size_t n = 0;
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++) {
        const struct svc_unit *u = &pic->layer[s].unit;
        if (!u->bytes || !svc_tracker_decodable(&t, u))
            continue;
        if (how == GATHER_LATE && (u->deps.refreshes == 0 || !svc_tracker_harmless(&t, u)))
            continue;
        svc_tracker_decoded(&t, u);
        units[n++] = *u;
    }
    return n;
}

/* 1: *out is a picture to release. 0: nothing decodable was there. */
static int decode(struct player *p, struct picture *pic, enum gather how, struct svc_picture *out)
{
    struct svc_unit units[SVC_SPATIAL_MAX];
    size_t n = gather(p, pic, how, units);
    if (n == 0)
        return 0;
    int result = svc_decoder_decode(p->decoder, units, n, out);
    for (size_t i = 0; i < n; i++)
        picture_window_consume(&p->window, pic, units[i].layer.spatial);
    if (result == 1 && pic->number > p->last_decoded)
        p->last_decoded = pic->number;
    if (result >= 0)
        return result;
    char what[96];
    snprintf(what, sizeof what, "picture %llu: %s", (unsigned long long)pic->number,
             svc_strerror(result));
    player_note(p, what);
    return 0;
}

/* Whether a late unit will never be decoded: nobody reads it, or what it reads or refreshes is
 * newer than it. */
static bool is_hopeless(const struct svc_tracker *t, const struct svc_unit *u)
{
    if (u->deps.refreshes == 0 || !svc_tracker_harmless(t, u))
        return true;
    for (size_t i = 0; i < u->deps.n_reads && i < SVC_SLOTS; i++) {
        const struct svc_read *read = &u->deps.reads[i];
        if (read->slot < SVC_SLOTS && t->slot[read->slot].valid &&
            t->slot[read->slot].picture > read->picture)
            return true;
    }
    return false;
}

/* Late units of a picture that has passed: those that came for nothing are counted, once. */
static void judge_late(struct player *p, struct picture *pic)
{
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++) {
        struct picture_unit *u = &pic->layer[s];
        if (!u->late || u->decoded || !is_hopeless(svc_decoder_tracker(p->decoder), &u->unit))
            continue;
        u->late = false;
        demand_useless(&p->evidence, u->unit.layer);
    }
}

/*
 * Something came late: decode what now can be decoded of the pictures that have passed. Done just
 * before the next turn and not at once: the upper layers of a late picture follow its base closely,
 * and are lost when later base layers have meanwhile taken the slots that they read.
 */
static void heal(struct player *p)
{
    if (!p->heal_wanted)
        return;
    p->heal_wanted = false;
    struct picture *pic = picture_window_next(&p->window, p->window.floor);
    for (; pic && pic->number < p->clock.next;
         pic = picture_window_next(&p->window, pic->number + 1)) {
        struct svc_picture unseen;
        if (decode(p, pic, GATHER_LATE, &unseen) == 1) {
            svc_picture_release(p->decoder, &unseen);
            p->healed++;
        }
        judge_late(p, pic);
    }
}

/* ---- showing ---- */

static struct playout_view look(struct player *p)
{
    struct playout_view v = { 0 };
    struct picture *pic = picture_window_next(&p->window, p->clock.next);
    if (pic && pic->number == p->clock.next) {
        v.has_next = true;
        v.next_pts = pic->pts;
    } else if (pic) {
        v.has_later = true;
        v.later = pic->number;
        v.later_pts = pic->pts;
    }
    return v;
}

static void show(struct player *p, int64_t now)
{
    struct playout_view v = look(p);
    int64_t next_due = playout_due(&p->clock, playout_next_pts(&p->clock, &v));
    const bool behind = v.has_next && now > next_due; /* this machine is too slow: catch up */
    if (p->place.catching ? player_has_passed(p, now, next_due) : behind) {
        p->frames_skipped += !p->place.catching;
        p->evidence.too_slow += !p->place.catching;
    } else {
        struct svc_image *img = &p->waiting.picture.image;
        if (img->matrix == SVC_MATRIX_UNKNOWN)
            img->matrix = (uint8_t)p->matrix;
        if (p->cfg.screen && screen_show(p->cfg.screen, img) == 0)
            screen_render(p->cfg.screen);
        player_account_shown(p, now, player_clock());
        char why[600];
        if (p->frames && frames_add(p->frames, p->last_picture, img, why, sizeof why) != 0)
            log_text(LOG_LEVEL_ERROR, "%s", why);
    }
    svc_picture_release(p->decoder, &p->waiting.picture);
    p->waiting.is = false;
    if (p->cfg.args->frames == 0 || p->frames_shown < p->cfg.args->frames || p->finished)
        return;
    p->finished = true; /* as many as were wanted */
    p->cfg.on_finished(p->cfg.user);
}

/* ---- turns ---- */

static void learn_margin(struct player *p, int64_t took_us)
{
    int64_t wish = 2 * took_us + 2000;
    p->margin_us += (wish - p->margin_us) / (wish > p->margin_us ? 2 : 16);
    if (p->margin_us < PLAYER_MARGIN_MIN_US)
        p->margin_us = PLAYER_MARGIN_MIN_US;
    if (p->margin_us > PLAYER_MARGIN_MAX_US)
        p->margin_us = PLAYER_MARGIN_MAX_US;
}

/* Of the units that came of a picture, without a gap below. */
static uint8_t highest(const struct picture *pic)
{
    uint8_t top = 0;
    while (top + 1u < SVC_SPATIAL_MAX && pic->layer[top + 1].unit.picture == pic->number &&
           (pic->layer[top + 1].unit.bytes || pic->layer[top + 1].decoded))
        top++;
    return top;
}

/* Low latency: all that such pictures consist of lately is there. */
static bool is_whole(const struct player *p, const struct picture *pic)
{
    return (pic->layer[0].unit.bytes || pic->layer[0].decoded) &&
           highest(pic) >= p->whole[pic->temporal];
}

/* How long after a picture's base its other layers came lately; the most of them fades. */
static void learn_spread(struct player *p, const struct svc_unit *unit, int64_t now)
{
    const struct picture *pic = picture_window_get(&p->window, unit->picture);
    const int64_t behind = now - pic->first_arrival_us;
    p->spread_us -= p->spread_us / 64;
    if (behind > p->spread_us)
        p->spread_us = behind < PLAYER_SPREAD_MAX_US ? behind : PLAYER_SPREAD_MAX_US;
}

/* Low latency: when the next picture's turn is. At once if it is whole; not much later than its
 * layers use to come. What is missing while a later picture is whole and decodes without it is not
 * waited for. */
static int64_t low_turn(struct player *p, const struct playout_view *v, int64_t at, int64_t now)
{
    if (!v->has_next && !v->has_later)
        return at;
    const struct picture *pic =
        picture_window_get(&p->window, v->has_next ? p->clock.next : v->later);
    if (!pic->layer[0].unit.bytes ||
        (!v->has_next &&
         !svc_tracker_decodable(svc_decoder_tracker(p->decoder), &pic->layer[0].unit)))
        return at;
    const int64_t enough = pic->first_arrival_us + p->spread_us + PLAYER_SPREAD_MARGIN_US;
    const int64_t soon = is_whole(p, pic) ? now : enough;
    return soon < at ? soon : at;
}

/* Low latency: shown ahead of the sound by no more than is not noticed. */
static int64_t earlier(int64_t due)
{
    return due - PLAYER_LEAD_US;
}

/* ---- the first picture ---- */

/* The clock starts with a key picture, which is due a latency later: it is seen now. */
static void show_preview(struct player *p)
{
    struct picture *pic = picture_window_get(&p->window, p->clock.next);

    p->preview.at = 0;
    if (!pic || decode(p, pic, GATHER_IN_TURN, &p->preview.picture) != 1)
        return;
    p->preview.is = true;
    if (p->cfg.screen && screen_show(p->cfg.screen, &p->preview.picture.image) == 0)
        screen_render(p->cfg.screen);
    if (!p->first_seen_us)
        p->first_seen_us = player_clock();
}

static void drop_preview(struct player *p)
{
    if (p->preview.is)
        svc_picture_release(p->decoder, &p->preview.picture);
    p->preview = (struct preview){ 0 };
}

/* Its turn: what has come meanwhile is better, or it is what there is. As decode(). */
static int decode_after_preview(struct player *p, struct picture *pic)
{
    int got = decode(p, pic, GATHER_IN_TURN, &p->waiting.picture);

    if (got == 0 && p->preview.is && p->preview.picture.picture == pic->number) {
        p->waiting.picture = p->preview.picture;
        p->preview.is = false;
        got = 1;
    }
    drop_preview(p);
    return got;
}

static void take_turn(struct player *p, int64_t pts)
{
    uint64_t number = p->clock.next;
    int64_t turn = player_clock();
    heal(p);
    struct picture *pic = picture_window_get(&p->window, number);
    struct delay_stamps at = { .decode_began = player_clock() };
    int got = 0;
    if (pic) {
        const struct svc_unit *base = &pic->layer[0].unit;
        at.captured = base->captured ? base->captured - player_wall_us() : 0;
        at.encode_us = base->encode_us;
        at.arrived = pic->first_arrival_us;
        p->whole[pic->temporal] = highest(pic);
        got = decode_after_preview(p, pic);
        at.decoded = player_clock();
        learn_margin(p, at.decoded - at.decode_began);
        if (at.decoded - at.decode_began > p->decode_max_us)
            p->decode_max_us = at.decoded - at.decode_began;
    }
    p->evidence.busy_us += (uint32_t)(player_clock() - turn);
    layers_passed(&p->layers, number, pic, got == 1);
    if (got == 1) {
        p->waiting.is = true;
        p->waiting.due = playout_due(&p->clock, pts);
        p->waiting.at = at;
        if (p->clock.low && p->waiting.due > at.decoded)
            p->waiting.due = p->sound ? earlier(p->waiting.due) : at.decoded;
    } else if (p->layers.counting && !p->place.catching &&
               p->layers.subscribed[0][layers_temporal(&p->layers, pic, number)]) {
        p->frames_skipped++;
    }
    playout_pass(&p->clock, pts);
    if (number > PLAYER_PAST)
        picture_window_forget_before(&p->window, number - PLAYER_PAST);
}

static void arm(struct player *p, int64_t at)
{
    double after = (double)(at - player_clock()) / 1e6;
    if (p->stopped || p->suspended)
        return;
    ev_timer_stop(p->cfg.loop, &p->turn);
    ev_now_update(p->cfg.loop);
    ev_timer_set(&p->turn, after > 0 ? after : 0, 0);
    ev_timer_start(p->cfg.loop, &p->turn);
}

static int64_t silence_over(const struct player *p)
{
    return p->came_us + PLAYER_SILENCE_FRAMES * p->clock.frame_us;
}

/* Do what is due and set the timer for what is next. */
static void run(struct player *p)
{
    if (p->suspended)
        return;
    const int64_t past_until = player_awaits_past(p, player_clock());
    if (past_until > 0) {
        arm(p, past_until);
        return;
    }
    for (int i = 0; i < TURNS_MAX && p->clock.started && !p->finished; i++) {
        int64_t now = player_clock();
        if (p->waiting.is) {
            if (now < p->waiting.due) {
                arm(p, p->waiting.due);
                return;
            }
            show(p, now);
            continue;
        }
        struct playout_view v = look(p);
        if (p->no_more && !v.has_next && !v.has_later) {
            p->finished = true;
            p->cfg.on_finished(p->cfg.user);
            return;
        }
        if (v.has_next && playout_jumps(&p->clock, v.next_pts)) {
            player_note(p, "the broadcast's time jumps");
            playout_start(&p->clock, p->clock.next, v.next_pts, now);
        }
        int64_t pts = playout_next_pts(&p->clock, &v);
        int64_t at = playout_due(&p->clock, pts) - p->margin_us;
        if (p->clock.low)
            at = low_turn(p, &v, at, now);
        if (p->preview.at && now < at) {
            if (now < p->preview.at) {
                arm(p, p->preview.at);
                return;
            }
            show_preview(p);
            continue;
        }
        if (now < at || (!v.has_next && !v.has_later && now < silence_over(p))) {
            arm(p, now < at ? at : silence_over(p));
            return;
        }
        take_turn(p, pts);
    }
    if (p->clock.started && !p->finished)
        arm(p, player_clock()); /* other events get their chance in between */
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    run(timer->data);
}

static void on_sound_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct player *p = timer->data;
    (void)loop;
    (void)events;
    int64_t now = player_clock(), heard;
    if (!p->sound || !p->first_shown_us || !p->clock.started || p->suspended)
        return;
    sound_run(p->sound, playout_media_now(&p->clock, now), now);
    if (sound_heard(p->sound, now, &heard))
        playout_follow(&p->clock, heard, now);
    else
        playout_follow_none(&p->clock);
}

/* ---- what comes ---- */

/* The decoder for what the catalog says. */
static void use_codec(struct player *p, const char *codec)
{
    struct svc_decoder *d;

    if (!codec || codec == p->codec)
        return;
    const int err = svc_decoder_new(&d, codec, DECODER_THREADS);

    if (err < 0) {
        log_text(LOG_LEVEL_WARN, "no decoder for %s: %s", codec, svc_strerror(err));
        return;
    }
    drop_preview(p);
    svc_picture_release(p->decoder, &p->waiting.picture);
    p->waiting = (struct waiting){ 0 };
    svc_decoder_free(p->decoder);
    p->decoder = d;
    p->codec = codec;
}

/* A layer that may be asked for. */
static void offer(struct player *p, struct svc_layer l, const struct msf_track *t)
{
    struct demand_input *e = &p->evidence;

    p->offered[l.spatial][l.temporal] = true;
    e->n_spatial = l.spatial >= e->n_spatial ? (uint8_t)(l.spatial + 1) : e->n_spatial;
    e->n_temporal = l.temporal >= e->n_temporal ? (uint8_t)(l.temporal + 1) : e->n_temporal;
    e->width[l.spatial] = t->width;
    e->height[l.spatial] = t->height;
    p->matrix = p->matrix == SVC_MATRIX_BT709 || t->height > PLAYER_SD_HEIGHT_MAX
                    ? SVC_MATRIX_BT709
                    : SVC_MATRIX_BT601;
}

static void begin_anew(struct player *p, const char *why)
{
    player_note(p, why);
    drop_preview(p);
    picture_window_clear(&p->window);
    p->clock.started = false;
    p->last_decoded = 0;
    p->stale_run = 0;
    p->layers.passed = 0; /* numbers may be smaller now */
    p->layers.last_t0 = 0;
}

static void drop_waiting(struct player *p)
{
    drop_preview(p);
    if (p->waiting.is)
        svc_picture_release(p->decoder, &p->waiting.picture);
    p->waiting.is = false;
}

void player_suspend(struct player *p)
{
    p->suspended = true;
    ev_timer_stop(p->cfg.loop, &p->turn);
    drop_waiting(p);
}

void player_resume(struct player *p)
{
    p->suspended = false;
    drop_waiting(p);
    if (p->sound)
        sound_clear(p->sound);
    if (p->clock.started)
        begin_anew(p, "what comes from here on begins afresh");
}

void player_catalog(struct player *p, const struct msf_catalog *c,
                    const struct subscription_plan *plan)
{
    double fps = 0;
    uint32_t latency_ms = p->cfg.args->latency_ms;
    const bool again = p->evidence.n_spatial > 0;
    if (again || p->suspended) /* it may have been interrupted before the first one */
        player_resume(p);
    memset(p->offered, 0, sizeof p->offered);
    p->sender = (struct sender_view){ .known = false };
    p->evidence.n_spatial = p->evidence.n_temporal = 0;
    p->layers.n_spatial = plan->n_spatial;
    p->layers.n_temporal = plan->n_temporal;
    use_codec(p, plan->codec);
    for (size_t i = 0; i < plan->n; i++) {
        const struct msf_track *t = &c->tracks[plan->item[i].track];
        struct svc_layer l = plan->item[i].layer;
        if (latency_ms == 0)
            latency_ms = t->target_latency_ms;
        if (plan->item[i].kind == SUBSCRIPTION_VIDEO) {
            offer(p, l, t);
            fps = t->framerate > fps ? t->framerate : fps;
            continue;
        }
        char why[200];
        struct sound_config cfg = { .rate = t->samplerate ? t->samplerate : 48000,
                                    .channels = strcmp(t->channel_config, "1") == 0 ? 1 : 2,
                                    .device = !p->cfg.args->headless,
                                    .muted = p->muted,
                                    .low = p->cfg.args->latency_low,
                                    .extra_us = p->cfg.args->audio_delay_ms * INT64_C(1000) };
        if (!p->sound && sound_new(&p->sound, &cfg, why, sizeof why) != 0)
            log_text(LOG_LEVEL_WARN, "%s", why);
    }
    player_count_asked(p);
    /* the clock counts in pictures of all temporal layers, asked for or not */
    for (size_t i = 0; i < c->n_tracks; i++)
        fps = strcmp(c->tracks[i].role, "video") == 0 && c->tracks[i].framerate > fps
                  ? c->tracks[i].framerate
                  : fps;
    if (latency_ms == 0 || latency_ms > ARGS_LATENCY_MAX_MS)
        latency_ms = PLAYER_LATENCY_DEFAULT_MS;
    if (!(fps >= 1 && fps <= 240))
        fps = 30;
    if (again) {
        p->clock.frame_us = (int64_t)(1e6 / fps);
        return; /* what the delay has come to stays */
    }
    playout_init(&p->clock, (int64_t)latency_ms * 1000, (int64_t)(1e6 / fps));
    p->clock.low = p->cfg.args->latency_low;
    if (p->cfg.args->latency_max_ms)
        p->clock.extra_max_us = ((int64_t)p->cfg.args->latency_max_ms - (int64_t)latency_ms) * 1000;
    p->evidence.latency_us = latency_ms * 1000;
    demand_next(&p->evidence, player_clock());
}

/* This clock may have stood still: then nothing of what was missed is waited for, and what has come
 * of it is not shown any more. */
static void see_leap(struct player *p, const struct svc_unit *unit, int64_t now)
{
    char what[80];
    const int64_t was = p->clock.offset_us;

    if (!playout_leap(&p->clock, unit->pts, now, p->receiver.delay.extra_us))
        return;
    snprintf(what, sizeof what, "the clock stood still: playing %d ms further on",
             (int)((was - p->clock.offset_us) / 1000));
    player_note(p, what);
    drop_waiting(p);
    p->place = (struct place){ .catching = true, .at_us = now, .began_us = now };
}

/* A base unit came; by how much the clock is shifted now. */
static int64_t judge_delay(struct player *p, const struct svc_unit *unit, int64_t now)
{
    const struct playout_arrival in =
        playout_base_arrived(&p->clock, unit->pts, now + p->margin_us);
    struct playout_change out;
    receiver_delay(&p->receiver, p->cfg.policy_log, &in, &out);
    playout_shift(&p->clock, out.shift_us);
    return out.shift_us;
}

/* Low latency: the sound has a say in it too, for it is there no sooner than it has been said. */
static void judge_sound(struct player *p, int64_t pts, int64_t now)
{
    const int64_t needed = SOUND_NEEDS_US + p->cfg.args->audio_delay_ms * INT64_C(1000);
    const int64_t due = pts + p->clock.offset_us;
    const struct playout_arrival in = { .now_us = now,
                                        .late_us = now + needed - due,
                                        .low = true,
                                        .extra_max_us = p->clock.extra_max_us,
                                        .reserve_us = PLAYOUT_LOW_MARGIN_US / 2 };
    struct playout_change out;
    receiver_delay(&p->receiver, p->cfg.policy_log, &in, &out);
    playout_shift(&p->clock, out.shift_us);
}

/* A unit whose picture's turn is over. */
static void late_unit(struct player *p, const struct svc_unit *unit, int64_t shifted)
{
    if (shifted > 0) {
        char what[80];
        snprintf(what, sizeof what, "base layer late: playing %d ms later", (int)(shifted / 1000));
        player_note(p, what);
        if (unit->picture > p->last_picture && !p->waiting.is) {
            playout_rewind(&p->clock, unit->picture, unit->pts);
            return;
        }
    }
    picture_window_get(&p->window, unit->picture)->layer[unit->layer.spatial].late = true;
    p->heal_wanted = true;
}

void player_unit(struct player *p, const struct svc_unit *unit)
{
    int64_t now = player_clock(), shifted = 0;
    if (p->suspended)
        return;
    enum picture_result result = picture_window_put(&p->window, unit, now);
    if (result == PICTURE_STALE && ++p->stale_run > STALE_RUN_MAX)
        begin_anew(p, "the broadcast began anew");
    if (result == PICTURE_AHEAD) {
        begin_anew(p, "the broadcast leaps ahead");
        result = picture_window_put(&p->window, unit, now);
    }
    if (result != PICTURE_TAKEN) {
        p->refused++;
        return;
    }
    p->stale_run = 0;
    p->came_us = now;
    layers_arrived(&p->layers, unit);
    learn_spread(p, unit, now);
    if (!p->clock.started) {
        if (!unit->key)
            return;
        player_start_clock(p, unit, now);
        picture_window_forget_before(&p->window, unit->picture);
    } else if (unit->layer.spatial == 0 && !player_catches_up(p, now)) {
        see_leap(p, unit, now);
        shifted = judge_delay(p, unit, now);
    }
    player_see_past(p, unit, now);
    int64_t margin = playout_due(&p->clock, unit->pts) - p->margin_us - now;
    /* passed by number but not by time, as the sender left time out without numbers */
    if (margin > 0 && unit->picture < p->clock.next && unit->picture > p->last_decoded)
        playout_rewind(&p->clock, unit->picture, unit->pts);
    if (unit->picture < p->clock.next) {
        demand_came(&p->evidence, unit->layer, margin < 0 ? margin : -1);
        if (unit->layer.spatial > p->whole[unit->layer.temporal])
            p->whole[unit->layer.temporal] = unit->layer.spatial; /* worth waiting for */
        late_unit(p, unit, shifted);
    } else {
        demand_came(&p->evidence, unit->layer, margin > 0 ? margin : 0);
    }
    if (p->clock.low && !p->waiting.is)
        arm(p, now); /* when what came with it has been taken too */
    else
        run(p);
}

void player_of_the_past(struct player *p)
{
    playout_leap_not(&p->clock);
}

void player_given_up(struct player *p, struct svc_layer l)
{
    if (p->clock.started && l.spatial < SVC_SPATIAL_MAX && l.temporal < SVC_TEMPORAL_MAX)
        demand_useless(&p->evidence, l);
}

void player_sound(struct player *p, const uint8_t *opus, size_t len, int64_t pts)
{
    if (!p->sound || p->suspended)
        return;
    sound_put(p->sound, opus, len, pts);
    if (!p->clock.started || !p->clock.low)
        return;
    const int64_t now = player_clock();
    if (!player_catches_up(p, now))
        judge_sound(p, pts, now);
    if (p->first_shown_us)
        sound_run(p->sound, playout_media_now(&p->clock, now), now);
}

void player_no_more(struct player *p)
{
    p->no_more = true;
    if (!p->clock.started && !p->finished) {
        p->finished = true;
        p->cfg.on_finished(p->cfg.user);
    }
}

void player_stop(struct player *p)
{
    p->stopped = true;
    ev_timer_stop(p->cfg.loop, &p->turn);
    ev_timer_stop(p->cfg.loop, &p->sound_timer);
}

/* ---- life ---- */

int player_new(struct player **out, const struct player_config *cfg, char *why, size_t why_size)
{
    struct player *p = calloc(1, sizeof *p);
    int result = p ? svc_decoder_new(&p->decoder, svc_codecs[0], DECODER_THREADS) : SVC_ERR_NOMEM;
    if (result != 0) {
        snprintf(why, why_size, "no video decoder: %s", svc_strerror(result));
        free(p);
        return -1;
    }
    p->codec = svc_codecs[0];
    if ((cfg->args->timing_file &&
         timing_open(&p->timing, cfg->args->timing_file, why, why_size) != 0) ||
        (cfg->args->frames_dir &&
         frames_new(&p->frames, cfg->args->frames_dir, why, why_size) != 0)) {
        (void)timing_close(p->timing);
        svc_decoder_free(p->decoder);
        free(p);
        return -1;
    }
    p->cfg = *cfg;
    p->margin_us = 20000;
    p->top_spatial = -1;
    p->volume = 100;
    p->view.av_skew_ms = (double)NAN;
    p->muted = p->view.muted = cfg->args->mute;
    ev_timer_init(&p->turn, on_turn, 0, 0);
    p->turn.data = p;
    ev_timer_init(&p->sound_timer, on_sound_timer, SOUND_PERIOD_S, SOUND_PERIOD_S);
    p->sound_timer.data = p;
    ev_timer_start(cfg->loop, &p->sound_timer);
    *out = p;
    return 0;
}

void player_free(struct player *p)
{
    if (!p)
        return;
    player_stop(p);
    if (p->waiting.is)
        svc_picture_release(p->decoder, &p->waiting.picture);
    drop_preview(p);
    svc_decoder_free(p->decoder);
    sound_free(p->sound);
    if (frames_free(p->frames) != 0)
        log_text(LOG_LEVEL_ERROR, "not every picture could be written into %s",
                 p->cfg.args->frames_dir);
    if (timing_close(p->timing) != 0)
        log_text(LOG_LEVEL_ERROR, "cannot write %s", p->cfg.args->timing_file);
    picture_window_clear(&p->window);
    free(p);
}
