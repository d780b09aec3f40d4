/* broadcast.c - see broadcast.h. */
#include "broadcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "feed_source.h"
#include "log.h"
#include "recorder.h"
#include "recovery.h"
#include "window.h"

#define US_PER_MS 1000u
#define TRACK_BASE_FLOW 0     /* struct track.flow of the base layer */
#define TELL_LIVE_US 1000000u /* between letters about how the encoder fares */
#define FILE_WINDOW_S 20      /* kept of a file, without a window that was asked for */

struct broadcast {
    struct broadcast_host *host;
    const struct config_source *cfg;
    enum snapshot_state state;
    char why[SNAPSHOT_TEXT_MAX];
    bool stopped; /* by order: no viewer starts it */
    bool halted;
    ev_timer retry, linger, bury;
    unsigned failures;        /* in a row */
    struct feed *feed, *dead; /* dead: freed when its call has returned */
    LIST_HEAD(, broadcast_listener) listeners;

    /* The run; view is NULL without. */
    struct view *view;
    struct window *window;         /* NULL: none is kept */
    bool window_failed;            /* said so */
    struct recorder *recorder;     /* NULL: nothing is recorded */
    struct tracks tracks;          /* with the needs of now */
    struct encoder_orders *orders; /* NULL: nothing is encoded */
    struct supplier supplier;
    struct recovery recovery;
    struct object_counter counter;
    struct moq_location largest[TRACKS_MAX];
    bool has_largest[TRACKS_MAX];
    uint32_t waiting, followers, skipping; /* a bit for each worker */
    unsigned held;                         /* by so many listeners */
    struct supplier_viewer best[TVL_WORKERS_MAX];
    uint8_t wanted[TVL_WORKERS_MAX];
    size_t crowd[TVL_WORKERS_MAX];
    uint64_t objects, bytes;
    tvl_time told_live; /* workers, how the encoder fares */
    bool had_live;
    struct live_stats last_live; /* of the run before */
};

static uint32_t bit(unsigned worker)
{
    return UINT32_C(1) << worker;
}

static bool may_return(const struct broadcast *b)
{
    return !b->host->sole && feed_source_may_return(b->cfg);
}

/* ---- to the workers ---- */

static struct letter *letter_about(const struct broadcast *b, enum letter_kind kind)
{
    struct letter *l = letter_new(kind);
    if (!l) {
        log_line(LOG_ERROR, "%s: out of memory", b->cfg->ns);
        return NULL;
    }
    l->id = b->view ? b->view->id : 0;
    snprintf(l->ns, sizeof l->ns, "%s", b->cfg->ns);
    return l;
}

static void post(const struct broadcast *b, unsigned worker, struct letter *l)
{
    if (l)
        b->host->post(b->host->user, worker, l);
}

static void copy_needs(const struct broadcast *b, struct letter *l)
{
    for (size_t i = 0; l && i < b->tracks.n; i++)
        l->needed_bps[i] = b->tracks.track[i].needed_bps;
}

static void show(struct broadcast *b, unsigned worker)
{
    struct letter *l = letter_about(b, LETTER_SHOWN);
    if (!l)
        return;
    l->view = view_ref(b->view);
    memcpy(l->largest, b->largest, sizeof l->largest);
    memcpy(l->has_largest, b->has_largest, sizeof l->has_largest);
    copy_needs(b, l);
    post(b, worker, l);
    b->followers |= bit(worker);
    b->skipping &= ~bit(worker);
}

static void refuse(const struct broadcast *b, unsigned worker, uint64_t code, const char *reason)
{
    struct letter *l = letter_about(b, LETTER_REFUSED);
    if (!l)
        return;
    l->code = code;
    snprintf(l->reason, sizeof l->reason, "%s", reason);
    post(b, worker, l);
}

static void answer_waiting(struct broadcast *b, uint64_t code, const char *reason)
{
    for (unsigned i = 0; i < b->host->workers; i++) {
        if ((b->waiting & bit(i)) == 0)
            continue;
        if (b->view)
            show(b, i);
        else
            refuse(b, i, code, reason);
    }
    b->waiting = 0;
}

/* A worker whose box is full does not run: it gets nothing before the next group that it has room
 * for. */
static bool must_skip(struct broadcast *b, unsigned worker, const struct media *m)
{
    const size_t n = b->host->waiting(b->host->user, worker);
    const bool begins = m->has_unit && m->unit.key;
    if ((b->skipping & bit(worker)) == 0) {
        if (n < BROADCAST_QUEUE_MAX)
            return false;
        log_line(LOG_ERROR, "%s: worker %u does not keep up; groups are dropped", b->cfg->ns,
                 worker);
        b->skipping |= bit(worker);
        return true;
    }
    if (n >= BROADCAST_QUEUE_MAX / 2)
        return true;
    if (!begins) {
        if (b->orders)
            encoder_orders_refresh(b->orders, 0, NULL);
        return true;
    }
    b->skipping &= ~bit(worker);
    return false;
}

static void hand_out(struct broadcast *b, struct media *m)
{
    for (unsigned i = 0; i < b->host->workers; i++) {
        if ((b->followers & bit(i)) == 0 || must_skip(b, i, m))
            continue;
        struct letter *l = letter_about(b, LETTER_MEDIA);
        if (!l)
            continue;
        l->media = media_ref(m);
        post(b, i, l);
    }
}

static void tell_needs(struct broadcast *b)
{
    tracks_need(&b->tracks, b->supplier.info, b->supplier.now.bitrate_bps);
    for (unsigned i = 0; i < b->host->workers; i++) {
        if ((b->followers & bit(i)) == 0)
            continue;
        struct letter *l = letter_about(b, LETTER_NEEDS);
        copy_needs(b, l);
        post(b, i, l);
    }
}

/* For those of its viewers who ask how they are served. */
static void tell_live(struct broadcast *b, tvl_time now)
{
    struct live_stats live;
    if (!b->orders || now < b->told_live + TELL_LIVE_US || !feed_stats(b->feed, &live))
        return;
    b->told_live = now;
    for (unsigned i = 0; i < b->host->workers; i++) {
        struct letter *l = (b->followers & bit(i)) != 0 ? letter_about(b, LETTER_LIVE) : NULL;
        if (!l)
            continue;
        l->live = live;
        post(b, i, l);
    }
}

/* ---- the end of a run ---- */

static void on_bury(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct broadcast *b = timer->data;
    (void)loop;
    (void)events;
    feed_free(b->dead);
    b->dead = NULL;
}

/* The feed is freed soon, as this may be called by it. */
static void bury(struct broadcast *b)
{
    if (!b->feed)
        return;
    feed_stop(b->feed);
    feed_free(b->dead);
    b->dead = b->feed;
    b->feed = NULL;
    ev_timer_set(&b->bury, 0., 0.);
    ev_timer_start(b->host->loop, &b->bury);
}

/* Workers are told. */
static void end_run(struct broadcast *b, uint64_t status, const char *reason)
{
    struct broadcast_listener *listener;
    if (!b->view)
        return;
    for (unsigned i = 0; i < b->host->workers; i++) {
        struct letter *l = (b->followers & bit(i)) != 0 ? letter_about(b, LETTER_OVER) : NULL;
        if (!l)
            continue;
        l->code = status;
        snprintf(l->reason, sizeof l->reason, "%s", reason);
        post(b, i, l);
    }
    LIST_FOREACH(listener, &b->listeners, link)
    {
        if (listener->on_over)
            listener->on_over(listener->user, status, reason);
    }
    b->had_live = feed_stats(b->feed, &b->last_live);
    bury(b);
    ev_timer_stop(b->host->loop, &b->linger);
    view_unref(b->view);
    window_unref(b->window);
    recorder_free(b->recorder); /* waits for the disk: a run ends seldom */
    b->view = NULL;
    b->window = NULL;
    b->recorder = NULL;
    b->orders = NULL;
    b->followers = b->skipping = 0;
    memset(b->best, 0, sizeof b->best);
    memset(b->wanted, 0, sizeof b->wanted);
    memset(b->crowd, 0, sizeof b->crowd);
    memset(b->has_largest, 0, sizeof b->has_largest);
}

/* It has failed: again later, where that makes sense. Who waits goes on waiting then. */
static void fail(struct broadcast *b, const char *why)
{
    snprintf(b->why, sizeof b->why, "%.*s", (int)sizeof b->why - 1, why);
    b->state = SOURCE_FAILED;
    b->failures++;
    if (!may_return(b)) {
        if (!b->host->sole)
            log_line(LOG_WARN, "%s: %s", b->cfg->ns, why);
        answer_waiting(b, MOQ_REQ_INTERNAL, "the source has failed");
        return;
    }
    unsigned wait_s = BROADCAST_RETRY_MIN_S;
    for (unsigned i = 1; i < b->failures && wait_s < BROADCAST_RETRY_MAX_S; i++)
        wait_s *= 2;
    wait_s = wait_s < BROADCAST_RETRY_MAX_S ? wait_s : BROADCAST_RETRY_MAX_S;
    log_line(LOG_WARN, "%s: %s; again in %u s", b->cfg->ns, why, wait_s);
    ev_now_update(b->host->loop);
    ev_timer_set(&b->retry, wait_s, 0.);
    ev_timer_start(b->host->loop, &b->retry);
}

/* ---- the feed ---- */

static void keep(struct broadcast *b, const struct media *m, int64_t pts)
{
    if (!b->window || window_put(b->window, m->object.track, &m->object.moq, pts, clock_now_us(),
                                 clock_wall_ms()) == 0)
        return;
    if (!b->window_failed)
        log_line(LOG_ERROR, "%s: time shift has gaps: %s", b->cfg->ns, strerror(errno));
    b->window_failed = true;
}

static void on_packet(void *user, const struct svc_packet *pkt)
{
    struct broadcast *b = user;
    struct broadcast_listener *listener;
    struct object obj;
    if (!b->view || object_make(&b->counter, &b->tracks, pkt, &obj) < 0)
        return;
    struct media *m = media_new(b->view->id, &obj, pkt);
    if (!m) {
        log_line(LOG_ERROR, "%s: out of memory", b->cfg->ns);
        return;
    }
    b->failures = 0;
    b->objects++;
    b->bytes += obj.moq.payload.len;
    keep(b, m, pkt->pts);
    if (b->recorder)
        recorder_put(b->recorder, m);
    LIST_FOREACH(listener, &b->listeners, link)
    {
        listener->on_media(listener->user, m);
    }
    hand_out(b, m);
    b->largest[obj.track] = (struct moq_location){ obj.moq.group, obj.moq.object };
    b->has_largest[obj.track] = true;
    media_unref(m);
}

static void on_burst(void *user)
{
    const struct broadcast *b = user;
    b->host->flush(b->host->user);
}

static void on_end(void *user, enum feed_end end)
{
    struct broadcast *b = user;
    const bool fails = end == FEED_DAMAGED || may_return(b);
    const char *why = end == FEED_DAMAGED ? "damaged, nothing more to play" : "it has ended";
    if (fails) {
        end_run(b, MOQ_DONE_INTERNAL_ERROR, "the source has failed");
        fail(b, why);
    } else {
        if (b->halted)
            end_run(b, MOQ_DONE_GOING_AWAY, "the server is stopping");
        else
            end_run(b, MOQ_DONE_TRACK_ENDED, "the file is over");
        b->state = SOURCE_ENDED;
    }
    b->host->over(b->host->user, b, end);
}

/* ---- the beginning of a run ---- */

static struct view *make_view(struct broadcast *b, const struct svc_stream_info *info)
{
    struct view head = { .id = ++b->host->runs,
                         .tracks = b->tracks,
                         .latency_us = b->cfg->latency_ms * (uint64_t)US_PER_MS,
                         .coded = b->orders != NULL,
                         .window = b->window,
                         .catalog_group = clock_wall_ms() };
    struct msf_catalog *catalog = malloc(sizeof *catalog);
    char json[TRACKS_CATALOG_JSON_MAX];
    int len = -1;
    snprintf(head.ns, sizeof head.ns, "%s", b->cfg->ns);
    if (catalog) {
        tracks_catalog(&b->tracks, info, b->cfg->latency_ms, head.catalog_group, catalog);
        len = msf_catalog_write(catalog, json, sizeof json);
    }
    free(catalog);
    return len < 0 ? NULL : view_new(&head, json, (size_t)len);
}

/* A file makes no key picture for who comes: the last one must be there to begin with. */
static uint64_t window_s(const struct broadcast *b)
{
    const uint64_t least = b->cfg->kind == CONFIG_FILE ? FILE_WINDOW_S : 0;
    return b->cfg->window_s > least ? b->cfg->window_s : least;
}

/* Room for what the rates say and half as much again; in the recording's folder, else in memory. */
static void open_window(struct broadcast *b, const struct svc_stream_info *info)
{
    uint64_t bps = info->audio_bitrate_bps, bytes;
    char why[300], folder[WINDOW_FOLDER_MAX] = "";
    if (window_s(b) == 0)
        return;
    for (size_t i = 0; i < info->n_layers; i++)
        bps += info->layers[i].bitrate_bps;
    bytes = bps / 8 * window_s(b) / 2 * 3;
    bytes = bytes < WINDOW_BYTES_MIN ? WINDOW_BYTES_MIN : bytes;
    bytes = bytes > WINDOW_BYTES_MAX ? WINDOW_BYTES_MAX : bytes;
    if (b->cfg->record)
        window_folder(b->cfg->record, folder);
    const struct window_config cfg = { .folder = folder[0] ? folder : NULL,
                                       .span_us = window_s(b) * UINT64_C(1000000),
                                       .bytes_max = bytes };
    b->window_failed = false;
    if (window_new(&b->window, &cfg, why, sizeof why) < 0) {
        b->window = NULL;
        log_line(LOG_ERROR, "%s: no time shift: %s", b->cfg->ns, why);
    }
}

static void open_recorder(struct broadcast *b, const struct svc_stream_info *info)
{
    char why[BROADCAST_WHY_MAX];
    if (!b->cfg->record || recorder_new(&b->recorder, b->cfg->record, info, why, sizeof why) == 0)
        return;
    b->recorder = NULL;
    log_line(LOG_ERROR, "%s: not recorded: %s", b->cfg->ns, why);
}

/* The feed is open. */
static int begin_run(struct broadcast *b)
{
    const struct svc_stream_info *info = feed_info(b->feed);
    struct broadcast_listener *listener;
    b->orders = feed_orders(b->feed);
    open_window(b, info);
    tracks_init(&b->tracks, info, b->window != NULL);
    b->view = make_view(b, info);
    if (!b->view) {
        window_unref(b->window);
        b->window = NULL;
        b->orders = NULL;
        bury(b);
        return -1;
    }
    open_recorder(b, info);
    supplier_init(&b->supplier, b->orders, info, b->cfg->encoder.bitrate_bps, b->view->latency_us);
    b->supplier.log = b->host->policy_log;
    recovery_init(&b->recovery);
    object_counter_init(&b->counter, b->view->catalog_group);
    b->state = SOURCE_RUNNING;
    b->why[0] = 0;
    LIST_FOREACH(listener, &b->listeners, link)
    {
        if (listener->on_run)
            listener->on_run(listener->user, b->view, info);
    }
    if (!b->cfg->start_on_viewer && !b->cfg->on_demand)
        feed_start(b->feed, 0);
    answer_waiting(b, 0, "");
    return 0;
}

static int open_run(struct broadcast *b)
{
    if (begin_run(b) == 0)
        return 0;
    fail(b, "the catalog cannot be written");
    return -1;
}

/* A feed that took its time. */
static void on_open(void *user, const char *why)
{
    struct broadcast *b = user;
    if (!why) {
        (void)open_run(b);
    } else {
        bury(b);
        fail(b, why);
    }
}

int broadcast_start(struct broadcast *b)
{
    const struct feed_sink sink = { .loop = b->host->loop,
                                    .on_open = on_open,
                                    .on_packet = on_packet,
                                    .on_burst = on_burst,
                                    .on_end = on_end,
                                    .user = b };
    char why[BROADCAST_WHY_MAX];
    if (b->feed)
        return 0;
    ev_timer_stop(b->host->loop, &b->retry);
    b->stopped = false;
    b->state = SOURCE_STARTING;
    if (feed_source_open(&b->feed, &sink, b->cfg, why, sizeof why) < 0) {
        b->feed = NULL;
        fail(b, why);
        return -1;
    }
    return feed_info(b->feed) ? open_run(b) : 0;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct broadcast *b = timer->data;
    (void)loop;
    (void)events;
    if (b->cfg->on_demand && !b->waiting)
        b->state = SOURCE_IDLE; /* the next viewer starts it */
    else
        (void)broadcast_start(b);
}

static void on_linger(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct broadcast *b = timer->data;
    (void)loop;
    (void)events;
    if (b->followers || b->held)
        return;
    log_line(LOG_INFO, "%s: nobody watches any more", b->cfg->ns);
    end_run(b, MOQ_DONE_TRACK_ENDED, "nobody watches");
    b->state = SOURCE_IDLE;
}

void broadcast_stop(struct broadcast *b, const char *reason)
{
    ev_timer_stop(b->host->loop, &b->retry);
    end_run(b, MOQ_DONE_TRACK_ENDED, reason);
    bury(b); /* one that was being opened */
    b->state = SOURCE_IDLE;
    b->stopped = true;
    answer_waiting(b, MOQ_REQ_DOES_NOT_EXIST, reason);
}

void broadcast_halt(struct broadcast *b)
{
    ev_timer_stop(b->host->loop, &b->retry);
    ev_timer_stop(b->host->loop, &b->linger);
    b->halted = true;
    if (b->feed)
        feed_stop(b->feed);
}

/* ---- what viewers want ---- */

static void read_wanted(struct broadcast *b, unsigned worker)
{
    ev_timer_stop(b->host->loop, &b->linger);
    if (b->view) {
        show(b, worker);
        return;
    }
    if (b->stopped || (b->state == SOURCE_ENDED && !b->cfg->on_demand)) {
        refuse(b, worker, MOQ_REQ_DOES_NOT_EXIST, b->stopped ? "it was stopped" : "it is over");
        return;
    }
    if (b->state == SOURCE_FAILED && !b->cfg->on_demand && !may_return(b)) {
        refuse(b, worker, MOQ_REQ_INTERNAL, "the source has failed");
        return;
    }
    b->waiting |= bit(worker);
    if (b->state != SOURCE_STARTING && !ev_is_active(&b->retry))
        (void)broadcast_start(b);
}

static void look_for_end(struct broadcast *b)
{
    if (b->followers || b->held || !b->cfg->on_demand || !b->view)
        return;
    ev_now_update(b->host->loop);
    ev_timer_set(&b->linger, BROADCAST_LINGER_US / 1e6, 0.);
    ev_timer_start(b->host->loop, &b->linger);
}

static uint8_t wanted_by_all(const struct broadcast *b)
{
    /* What is kept is kept whole, though nobody watches. */
    const bool whole = b->recorder || b->window || b->held;
    uint8_t wanted = whole ? b->supplier.info->n_spatial : 0;
    for (unsigned i = 0; i < b->host->workers; i++)
        wanted = b->wanted[i] > wanted ? b->wanted[i] : wanted;
    return wanted;
}

void broadcast_hold(struct broadcast *b)
{
    b->held++;
    ev_timer_stop(b->host->loop, &b->linger);
    if (!b->view && !b->stopped && b->state != SOURCE_STARTING && !ev_is_active(&b->retry))
        (void)broadcast_start(b);
    if (b->view)
        feed_start(b->feed, BROADCAST_VIEWER_START_US);
}

void broadcast_release(struct broadcast *b)
{
    if (b->held > 0 && --b->held == 0)
        look_for_end(b);
}

static void recover(struct broadcast *b)
{
    if (b->orders && recovery_is_complete(&b->recovery))
        recovery_order(&b->recovery, b->orders);
}

static void read_left(struct broadcast *b, unsigned worker)
{
    b->followers &= ~bit(worker);
    b->skipping &= ~bit(worker);
    b->best[worker] = (struct supplier_viewer){ .takes = 0 };
    b->wanted[worker] = 0;
    b->crowd[worker] = 0;
    recovery_left(&b->recovery, worker);
    recover(b);
    look_for_end(b);
}

static void read_watched(struct broadcast *b, const struct letter *l)
{
    if (b->cfg->start_on_viewer || b->cfg->on_demand)
        feed_start(b->feed, BROADCAST_VIEWER_START_US);
    if (supplier_decide(&b->supplier, b->best, b->host->workers, wanted_by_all(b), clock_now_us()))
        tell_needs(b);
    /* Whoever comes need not wait for the next key picture, where one can be had. */
    if (b->orders && l->track < b->tracks.n && b->tracks.track[l->track].flow == TRACK_BASE_FLOW)
        encoder_orders_refresh(b->orders, 0, NULL);
}

/* A key picture for the base; what is above it can be predicted anew from what is below. */
static void read_anew(struct broadcast *b, const struct letter *l)
{
    if (b->orders && l->track < b->tracks.n && b->tracks.track[l->track].kind == TRACK_LAYER)
        encoder_orders_refresh(b->orders, b->tracks.track[l->track].layer.spatial, NULL);
}

static void read_best(struct broadcast *b, const struct letter *l)
{
    b->best[l->worker] = l->best;
    if (l->wanted != UINT8_MAX)
        b->wanted[l->worker] = l->wanted;
    supplier_hear(&b->supplier, &l->best);
    broadcast_tick(b, clock_now_us());
}

/* What follows is for all who follow that layer, and may lean on what each of them holds. */
static void read_missed(struct broadcast *b, const struct letter *l)
{
    if (!b->orders)
        return;
    uint32_t ask = recovery_missed(&b->recovery, l, b->followers, clock_now_us());
    for (unsigned i = 0; ask; i++, ask >>= 1) {
        struct letter *question = (ask & 1) != 0 ? letter_about(b, LETTER_ASKED) : NULL;
        if (!question)
            continue;
        question->spatial = b->recovery.spatial;
        post(b, i, question);
    }
    recover(b);
}

void broadcast_read(struct broadcast *b, const struct letter *l)
{
    if (l->kind == LETTER_WANTED)
        read_wanted(b, l->worker);
    if (!b->view || l->id != b->view->id || (b->followers & bit(l->worker)) == 0)
        return; /* of a run that is over */
    switch (l->kind) {
    case LETTER_LEFT:
        read_left(b, l->worker);
        break;
    case LETTER_WATCHED:
        read_watched(b, l);
        break;
    case LETTER_ANEW:
        read_anew(b, l);
        break;
    case LETTER_CROWD:
        b->crowd[l->worker] = l->count;
        break;
    case LETTER_BEST:
        read_best(b, l);
        break;
    case LETTER_MISSED:
        read_missed(b, l);
        break;
    case LETTER_HELD:
        recovery_heard(&b->recovery, l);
        recover(b);
        break;
    default:
        break;
    }
}

void broadcast_tick(struct broadcast *b, tvl_time now)
{
    if (b->view && supplier_tick(&b->supplier, b->best, b->host->workers, wanted_by_all(b), now))
        tell_needs(b);
    if (b->view)
        tell_live(b, now);
}

int broadcast_refresh(struct broadcast *b, unsigned spatial)
{
    if (!b->orders || spatial >= b->supplier.info->n_spatial)
        return -1;
    encoder_orders_refresh(b->orders, spatial, NULL);
    return 0;
}

/* ---- life ---- */

struct broadcast *broadcast_new(struct broadcast_host *host, const struct config_source *cfg)
{
    struct broadcast *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->host = host;
    b->cfg = cfg;
    LIST_INIT(&b->listeners);
    ev_timer_init(&b->retry, on_retry, 0., 0.);
    ev_timer_init(&b->linger, on_linger, 0., 0.);
    ev_timer_init(&b->bury, on_bury, 0., 0.);
    b->retry.data = b->linger.data = b->bury.data = b;
    return b;
}

void broadcast_free(struct broadcast *b)
{
    if (!b)
        return;
    ev_timer_stop(b->host->loop, &b->retry);
    ev_timer_stop(b->host->loop, &b->linger);
    ev_timer_stop(b->host->loop, &b->bury);
    feed_free(b->dead);
    feed_free(b->feed);
    recorder_free(b->recorder);
    window_unref(b->window);
    view_unref(b->view);
    free(b);
}

const struct config_source *broadcast_config(const struct broadcast *b)
{
    return b->cfg;
}

void broadcast_set_config(struct broadcast *b, const struct config_source *cfg)
{
    b->cfg = cfg;
}

bool broadcast_is_stopped(const struct broadcast *b)
{
    return b->stopped;
}

enum snapshot_state broadcast_state(const struct broadcast *b)
{
    return b->state;
}

const char *broadcast_why(const struct broadcast *b)
{
    return b->why;
}

const struct view *broadcast_view(const struct broadcast *b)
{
    return b->view;
}

void broadcast_listen(struct broadcast *b, struct broadcast_listener *l)
{
    LIST_INSERT_HEAD(&b->listeners, l, link);
}

void broadcast_unlisten(struct broadcast_listener *l)
{
    LIST_REMOVE(l, link);
}

/* By spatial layer: what the encoder is told, the least and the mean of it. */
static void copy_told(const struct supplier *s, struct snapshot_source *out)
{
    out->n_told = s->next.n_spatial;
    for (unsigned i = 0; i < out->n_told; i++) {
        const struct supplier_told *t = &s->told[i];
        out->told[i] = (struct snapshot_told){ t->now_bps, t->min_bps,
                                               t->us ? (uint32_t)(t->sum / t->us) : 0 };
    }
}

void broadcast_snapshot(const struct broadcast *b, struct snapshot_source *out)
{
    *out = (struct snapshot_source){ .kind = feed_source_kind(b->cfg->kind),
                                     .state = b->state,
                                     .objects = b->objects,
                                     .bytes = b->bytes };
    snprintf(out->ns, sizeof out->ns, "%.*s", (int)sizeof out->ns - 1, b->cfg->ns);
    memcpy(out->why, b->why, sizeof out->why);
    for (unsigned i = 0; i < b->host->workers; i++)
        out->viewers += b->crowd[i];
    out->tracks = b->tracks;
    out->live = b->last_live;
    out->has_live = b->feed ? feed_stats(b->feed, &out->live) : b->had_live;
    if (out->has_live)
        copy_told(&b->supplier, out);
    if (b->window)
        out->window_us = window_span_us(b->window);
    struct recorder_stats recorded = { 0 };
    if (b->recorder)
        recorder_get_stats(b->recorder, &recorded);
    out->records = recorded.writes;
    out->recorded_bytes = recorded.bytes;
}
