/* worker.c - see worker.h. */
#include "worker.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "census.h"
#include "clock.h"
#include "encoder_orders.h"
#include "log.h"
#include "relay_side.h"
#include "viewer.h"

#define TICK_S 0.05
#define TICKS_OF_VIEWERS 2 /* their time-outs need no better clock */
#define LOOK_US 200000u    /* between looks for the best viewer of a broadcast */
#define MEDIA_AT_ONCE 32   /* objects that are offered to one viewer, then to the next */
#define READ_TIME_US 5000  /* of letters, until what has arrived on the network is looked at */
#define SEND_AFTER 16      /* viewers; while what they were given is in the cache */

struct worker {
    unsigned number;
    struct worker_host *host;
    struct letter_box in;
    atomic_size_t n_unread; /* taken out of it and not read yet */
    pthread_mutex_t lock;   /* of `ended` */
    pthread_cond_t has_ended;
    bool ended;

    struct tvl_ev *driver; /* from here on the thread's */
    struct viewer_host viewer_host;
    struct viewer **viewers;
    size_t n_viewers, viewers_cap;
    LIST_HEAD(, follow) follows;
    struct snapshot_totals gone;    /* of sessions that are over */
    struct supplier_viewer *looked; /* as many as viewers_cap */
    struct letter *unread, **last_unread;
    ev_timer tick, again; /* again: there are unread letters */
    unsigned ticks;
    bool closed, reports; /* takes no sessions; the main loop wants to know who is left */
    struct relay_side *relay;
};

/* ---- to the main loop ---- */

static void post(struct worker *w, struct letter *l)
{
    if (!l)
        return;
    l->worker = w->number;
    if (letter_box_put(w->host->up, l))
        w->host->ring(w->host->user);
}

/* Something that the next one of its kind makes up for. */
static void post_news(struct worker *w, struct letter *l)
{
    if (l && letter_box_count(w->host->up) >= WORKER_UP_MAX) {
        letter_free(l);
        return;
    }
    post(w, l);
}

/* Objects of publishers go as long as the main loop reads. */
static void post_note(void *user, struct relay_note *n)
{
    struct worker *w = user;
    struct letter *l = n ? letter_new(LETTER_RELAY) : NULL;
    if (!l) {
        relay_note_free(n);
        return;
    }
    l->note = n;
    if (n->kind == RELAY_MEDIA)
        post_news(w, l);
    else
        post(w, l);
}

static struct letter *letter_about(enum letter_kind kind, const struct follow *f)
{
    struct letter *l = letter_new(kind);
    if (l) {
        l->id = f->view->id;
        memcpy(l->ns, f->ns, sizeof l->ns);
    }
    return l;
}

static void tell_crowd(struct worker *w, const struct follow *f)
{
    struct letter *l = f->view ? letter_about(LETTER_CROWD, f) : NULL;
    if (l)
        l->count = f->n_watches;
    post(w, l);
}

/* ---- the best viewer of a broadcast ---- */

/* Looks at all who watch. */
static const struct supplier_viewer *look(struct worker *w, struct follow *f, tvl_time now,
                                          uint8_t *wanted)
{
    const struct watch *watch;
    size_t n = 0;
    LIST_FOREACH(watch, &f->watches, link)
    {
        if (n == w->viewers_cap)
            break; /* who watches with several watches */
        watch_summary(watch, now, &w->looked[n]);
        *wanted = w->looked[n].takes > *wanted ? w->looked[n].takes : *wanted;
        n++;
    }
    f->looked_at = now;
    return supplier_choose(w->looked, n, f->best);
}

static void tell_best(struct worker *w, struct follow *f, tvl_time now)
{
    struct letter *l = letter_about(LETTER_BEST, f);
    if (!l)
        return;
    const struct supplier_viewer *best = look(w, f, now, &l->wanted);
    f->best = best ? best->id : 0;
    if (best)
        l->best = *best;
    post_news(w, l);
}

/* Between looks: how is the one that was best? */
static void tell_best_again(struct worker *w, struct follow *f, tvl_time now)
{
    const struct watch *watch;
    LIST_FOREACH(watch, &f->watches, link)
    {
        if (watch->way->id != f->best)
            continue;
        struct letter *l = letter_about(LETTER_BEST, f);
        if (!l)
            return;
        watch_summary(watch, now, &l->best);
        l->wanted = UINT8_MAX; /* as before */
        post_news(w, l);
        return;
    }
}

static void tell_all_best(struct worker *w, tvl_time now)
{
    struct follow *f;
    LIST_FOREACH(f, &w->follows, link)
    {
        if (!f->view || !f->view->coded)
            continue;
        if (now - f->looked_at >= LOOK_US)
            tell_best(w, f, now);
        else
            tell_best_again(w, f, now);
    }
}

/* ---- what viewers want ---- */

static struct follow *find_name(const struct worker *w, const char *ns)
{
    struct follow *f;
    LIST_FOREACH(f, &w->follows, link)
    {
        if (strcmp(f->ns, ns) == 0)
            return f;
    }
    return NULL;
}

static struct follow *find_run(const struct worker *w, uint64_t id)
{
    struct follow *f;
    LIST_FOREACH(f, &w->follows, link)
    {
        if (f->view && f->view->id == id)
            return f;
    }
    return NULL;
}

static struct follow *follow(void *user, const char *ns)
{
    struct worker *w = user;
    struct follow *f = find_name(w, ns);
    if (f)
        return f;
    f = calloc(1, sizeof *f);
    struct letter *l = letter_new(LETTER_WANTED);
    if (!f || !l) {
        free(f);
        letter_free(l);
        return NULL;
    }
    strcpy(f->ns, ns); /* viewers take none that is longer */
    strcpy(l->ns, ns);
    LIST_INIT(&f->watches);
    LIST_INSERT_HEAD(&w->follows, f, link);
    post(w, l);
    return f;
}

static void drop_follow(struct follow *f)
{
    LIST_REMOVE(f, link);
    view_unref(f->view);
    free(f);
}

static void left(void *user, struct follow *f)
{
    struct worker *w = user;
    if (!f->view)
        return; /* the answer is waited for */
    if (f->n_watches > 0) {
        tell_crowd(w, f);
        return;
    }
    post(w, letter_about(LETTER_LEFT, f));
    drop_follow(f);
}

static void watched(void *user, struct follow *f, size_t track)
{
    struct worker *w = user;
    if (f->view->coded)
        tell_best(w, f, clock_now_us());
    tell_crowd(w, f);
    struct letter *l = letter_about(LETTER_WATCHED, f);
    if (l)
        l->track = (uint8_t)track;
    post(w, l);
}

static void anew(void *user, struct follow *f, size_t track)
{
    struct letter *l = letter_about(LETTER_ANEW, f);
    if (l)
        l->track = (uint8_t)track;
    post(user, l);
}

/* Where pictures are encoded live; a film has its own when it has them. */
static void ask_for_key(struct worker *w, struct follow *f)
{
    const int base = tracks_of_layer(&f->view->tracks, (struct svc_layer){ 0, 0 });
    if (base >= 0 && f->view->coded)
        anew(w, f, (size_t)base);
}

/* What all hold who have `spatial`, and `first`, who has lost it (may be NULL). False: nobody has
 * it. */
static bool hold_in_common(const struct follow *f, const struct watch *first, uint8_t spatial,
                           struct letter *l)
{
    const struct watch *watch;
    bool any = false;
    l->has_held = true;
    LIST_FOREACH(watch, &f->watches, link)
    {
        if (watch != first && watch_top(watch) < spatial)
            continue;
        const struct svc_tracker *held = watch_holds(watch);
        if (!held)
            l->has_held = false;
        else if (!any)
            l->held = *held;
        else
            encoder_orders_agree(&l->held, held);
        any = true;
    }
    return any;
}

static void missed(void *user, const struct watch *watch, uint8_t spatial)
{
    struct worker *w = user;
    struct letter *l = letter_about(LETTER_MISSED, watch->follow);
    if (!l)
        return;
    l->spatial = spatial;
    (void)hold_in_common(watch->follow, watch, spatial, l);
    post_news(w, l);
}

/* ---- letters of the main loop ---- */

static void read_shown(struct worker *w, const struct letter *l)
{
    struct follow *f = find_name(w, l->ns);
    if (!f || f->view)
        return;
    f->view = view_ref(l->view);
    memcpy(f->largest, l->largest, sizeof f->largest);
    memcpy(f->has_largest, l->has_largest, sizeof f->has_largest);
    memcpy(f->needed_bps, l->needed_bps, sizeof f->needed_bps);
    if (f->n_watches == 0) { /* all have left meanwhile */
        left(w, f);
        return;
    }
    /* Each may leave, and the last one take the follow with it. */
    size_t n = f->n_watches;
    for (struct watch *watch = LIST_FIRST(&f->watches), *next; watch && n > 0; watch = next, n--) {
        next = LIST_NEXT(watch, link);
        viewer_shown(watch);
    }
}

/* It is over for all who watch it: each has left it before it is told. */
static void end_follow(struct follow *f, const struct letter *l)
{
    while (!LIST_EMPTY(&f->watches)) {
        struct watch *watch = LIST_FIRST(&f->watches);
        watch_part(watch);
        if (l->kind == LETTER_OVER)
            watch_done(watch, l->code, l->reason);
        else
            watch_refuse(watch, l->code, l->reason);
        viewer_over(watch);
    }
    drop_follow(f);
}

static void read_refused(struct worker *w, const struct letter *l)
{
    struct follow *f = find_name(w, l->ns);
    if (f && !f->view)
        end_follow(f, l);
}

static void read_over(struct worker *w, const struct letter *l)
{
    struct follow *f = find_run(w, l->id);
    if (f)
        end_follow(f, l);
}

/* The worker does not keep up, and `m` is left out. */
static void leave_out(struct worker *w, struct follow *f, const struct media *m, tvl_time now)
{
    const uint64_t age = now - m->at;
    w->gone.units_offered += f->n_watches;
    w->gone.units_dropped_queue += f->n_watches;
    if (f->shed.began == now)
        log_line(LOG_WARN, "%s: worker %u does not keep up, %llu ms: layers are left out", f->ns,
                 w->number, (unsigned long long)(age / 1000));
    if (m->has_unit && m->end_of_picture && shed_wants_key(&f->shed, age, f->view->latency_us))
        ask_for_key(w, f);
}

/* Without what is left out. How many there are then. */
static size_t thin_out(struct worker *w, struct follow *f, struct media **m, size_t n, tvl_time now)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct svc_unit *unit = m[i]->has_unit ? &m[i]->unit : NULL;
        if (shed_leaves_out(&f->shed, unit, now - m[i]->at, f->view->latency_us, now))
            leave_out(w, f, m[i], now);
        else
            m[kept++] = m[i];
    }
    return kept;
}

/* All `n` are of one run. A viewer's objects go into common packets. */
static void offer_media(struct worker *w, struct media **m, size_t n, tvl_time now)
{
    struct follow *f = find_run(w, m[0]->of);
    struct watch *watch;
    size_t offered = 0;
    if (!f)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct object *o = &m[i]->object;
        f->largest[o->track] = (struct moq_location){ o->moq.group, o->moq.object };
        f->has_largest[o->track] = true;
    }
    n = thin_out(w, f, m, n, now);
    if (n == 0)
        return;
    LIST_FOREACH(watch, &f->watches, link)
    {
        for (size_t i = 0; i < n; i++)
            watch_offer(watch, m[i], now);
        if (++offered % SEND_AFTER == 0)
            tvl_ev_send(w->driver);
    }
}

/* The media that `l` begins with, all of one run. What comes after them. */
static struct letter *read_media(struct worker *w, struct letter *l, tvl_time now)
{
    struct media *m[MEDIA_AT_ONCE];
    size_t n = 0;
    for (; l && l->kind == LETTER_MEDIA && n < MEDIA_AT_ONCE; l = l->next) {
        if (n > 0 && l->media->of != m[0]->of)
            break;
        m[n++] = l->media;
    }
    offer_media(w, m, n, now);
    return l;
}

static void read_needs(struct worker *w, const struct letter *l)
{
    struct follow *f = find_run(w, l->id);
    if (f)
        memcpy(f->needed_bps, l->needed_bps, sizeof f->needed_bps);
}

static void read_live(struct worker *w, const struct letter *l)
{
    struct follow *f = find_run(w, l->id);
    if (!f)
        return;
    f->has_live = true;
    f->live = l->live;
}

static void read_asked(struct worker *w, const struct letter *asked)
{
    const struct follow *f = find_run(w, asked->id);
    struct letter *l = f ? letter_about(LETTER_HELD, f) : NULL;
    if (!l)
        return;               /* it has left: the main loop hears of that, too */
    l->code = asked->spatial; /* the question */
    l->spatial = hold_in_common(f, NULL, asked->spatial, l) ? asked->spatial : SVC_SPATIAL_MAX;
    post(w, l);
}

static void read_census(struct worker *w, struct census *c, tvl_time now)
{
    struct census_part part = { .totals = w->gone };
    part.session = calloc(w->n_viewers ? w->n_viewers : 1, sizeof *part.session);
    for (size_t i = 0; part.session && i < w->n_viewers; i++) {
        viewer_snapshot(w->viewers[i], now, &part.session[i]);
        part.session[i].worker = w->number;
        viewer_total(w->viewers[i], &part.totals);
        part.n++;
    }
    tvl_endpoint_get_stats(tvl_ev_endpoint(w->driver), &part.endpoint);
    census_answer(c, w->number, &part);
}

static void read_stop(struct worker *w, const struct letter *l, tvl_time now)
{
    for (size_t i = 0; i < w->n_viewers; i++)
        if (l->id == 0 || viewer_id(w->viewers[i]) == l->id)
            viewer_close(w->viewers[i], l->code, l->reason, now);
}

static void read_done(struct worker *w, const struct letter *l)
{
    w->closed = w->reports = true;
    for (size_t i = 0; i < w->n_viewers; i++)
        viewer_done(w->viewers[i], l->code, l->reason);
}

static void read_letter(struct worker *w, struct letter *l, tvl_time now)
{
    switch (l->kind) {
    case LETTER_SHOWN:
        read_shown(w, l);
        break;
    case LETTER_REFUSED:
        read_refused(w, l);
        break;
    case LETTER_NEEDS:
        read_needs(w, l);
        break;
    case LETTER_LIVE:
        read_live(w, l);
        break;
    case LETTER_OVER:
        read_over(w, l);
        break;
    case LETTER_ASKED:
        read_asked(w, l);
        break;
    case LETTER_CENSUS:
        read_census(w, l->census, now);
        break;
    case LETTER_STOP:
    case LETTER_CLOSE:
        read_stop(w, l, now);
        break;
    case LETTER_DONE:
        read_done(w, l);
        break;
    case LETTER_LEAVE:
        w->closed = w->reports = true;
        for (size_t i = 0; i < w->n_viewers; i++)
            viewer_ask_to_leave(w->viewers[i], l->code);
        break;
    case LETTER_RELAY:
        relay_side_read(w->relay, l->note);
        break;
    default:
        break; /* media are read by read_media, the others are the main loop's */
    }
}

/* One letter, or the media that come first. */
static void read_next(struct worker *w)
{
    const tvl_time now = clock_now_us();
    struct letter *l = w->unread, *next = l->next;
    size_t n = 0;
    if (l->kind == LETTER_MEDIA)
        next = read_media(w, l, now);
    else
        read_letter(w, l, now);
    for (; l != next; l = w->unread, n++) {
        w->unread = l->next;
        letter_free(l);
    }
    if (!w->unread)
        w->last_unread = &w->unread;
    atomic_fetch_sub(&w->n_unread, n);
}

/* For a while: acknowledgements that lie unread make paths look slow, and then they are. */
static void read_some(struct worker *w)
{
    const tvl_time until = clock_now_us() + READ_TIME_US;
    while (w->unread) {
        read_next(w);
        if (w->unread && clock_now_us() >= until) {
            ev_timer_set(&w->again, 0., 0.);
            ev_timer_start(tvl_ev_loop(w->driver), &w->again);
            return;
        }
    }
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *w = timer->data;
    (void)loop;
    (void)events;
    read_some(w);
    tvl_ev_kick(w->driver);
}

void worker_read(void *arg, unsigned number, struct tvl_ev *driver)
{
    struct worker *w = arg;
    (void)number;
    (void)driver;
    for (struct letter *l = letter_box_take(&w->in); l; l = l->next) {
        *w->last_unread = l;
        w->last_unread = &l->next;
        atomic_fetch_add(&w->n_unread, 1);
    }
    if (!ev_is_active(&w->again))
        read_some(w);
}

/* ---- sessions ---- */

static bool has_room(struct worker *w)
{
    if (w->n_viewers < w->viewers_cap)
        return true;
    const size_t cap = w->viewers_cap ? w->viewers_cap * 2 : 16;
    struct viewer **viewers = realloc(w->viewers, cap * sizeof(struct viewer *));
    if (!viewers)
        return false;
    w->viewers = viewers;
    struct supplier_viewer *looked = realloc(w->looked, cap * sizeof *looked);
    if (!looked)
        return false;
    w->looked = looked;
    w->viewers_cap = cap;
    return true;
}

/* Its viewers get less than they want as it is. */
static bool is_saturated(const struct worker *w, tvl_time now)
{
    const struct follow *f;
    LIST_FOREACH(f, &w->follows, link)
    {
        if (shed_is_saturated(&f->shed, now))
            return true;
    }
    return false;
}

static void accept_viewer(struct worker *w, struct tvl_conn *conn, tvl_time now)
{
    struct worker_host *h = w->host;
    const bool room =
        atomic_fetch_add(&h->viewers, 1) < atomic_load(&h->viewers_max) && !is_saturated(w, now);
    struct viewer *v = NULL;
    if (w->closed || !room || !has_room(w) ||
        viewer_new(&v, &w->viewer_host, atomic_fetch_add(&h->total, 1) + 1, conn, now) < 0) {
        atomic_fetch_sub(&h->viewers, 1);
        atomic_fetch_add(&h->refused, 1);
        tvl_close(conn, MOQ_NO_ERROR, "no room for another viewer", now);
        return;
    }
    tvl_conn_set_user(conn, v);
    w->viewers[w->n_viewers++] = v;
}

static void tell_ended(struct worker *w, const struct viewer *v, const char *reason, tvl_time now)
{
    struct letter *l = letter_new(LETTER_ENDED);
    if (!l)
        return;
    l->session = malloc(sizeof *l->session);
    if (!l->session) {
        letter_free(l);
        return;
    }
    viewer_snapshot(v, now, l->session);
    l->session->worker = w->number;
    snprintf(l->reason, sizeof l->reason, "%s", reason);
    post(w, l);
}

static void lose_viewer(struct worker *w, struct viewer *v, const struct tvl_event *ev,
                        tvl_time now)
{
    log_line(LOG_INFO, "viewer %llu: gone (%d, 0x%llx) %s", (unsigned long long)viewer_id(v),
             (int)ev->closed.kind, (unsigned long long)ev->closed.code, ev->closed.reason);
    tell_ended(w, v, ev->closed.reason, now);
    viewer_total(v, &w->gone);
    viewer_gone(v, ev->closed.reason, now);
    for (size_t i = 0; i < w->n_viewers; i++) {
        if (w->viewers[i] == v) {
            w->viewers[i] = w->viewers[--w->n_viewers];
            break;
        }
    }
    viewer_free(v);
    atomic_fetch_sub(&w->host->viewers, 1);
}

void worker_on_event(struct worker *w, const struct tvl_event *ev)
{
    const tvl_time now = clock_now_us();
    if (ev->type == TVL_EVENT_ACCEPTED) {
        accept_viewer(w, ev->conn, now);
        return;
    }
    struct viewer *v = tvl_conn_user(ev->conn);
    if (!v)
        return;
    if (ev->type == TVL_EVENT_CLOSED)
        lose_viewer(w, v, ev, now);
    else
        viewer_on_event(v, ev, now);
}

/* ---- time ---- */

static void tell_state(struct worker *w)
{
    struct letter *l = letter_new(LETTER_STATE);
    if (!l)
        return;
    l->count = w->n_viewers;
    for (size_t i = 0; i < w->n_viewers && !l->busy; i++)
        l->busy = tvl_backlog(viewer_conn(w->viewers[i]), UINT64_MAX) > 0;
    post_news(w, l);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct worker *w = timer->data;
    const tvl_time now = clock_now_us();
    (void)loop;
    (void)events;
    if (++w->ticks % TICKS_OF_VIEWERS == 0) {
        for (size_t i = 0; i < w->n_viewers; i++)
            viewer_tick(w->viewers[i], now);
        tvl_ev_kick(w->driver);
    }
    tell_all_best(w, now);
    if (w->reports)
        tell_state(w);
}

/* ---- life ---- */

struct worker *worker_new(unsigned number, struct worker_host *host)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->number = number;
    w->host = host;
    w->viewer_host = (struct viewer_host){ .user = w,
                                           .policy_log = host->policy_log,
                                           .chooses = host->chooses,
                                           .access = host->access,
                                           .follow = follow,
                                           .left = left,
                                           .watched = watched,
                                           .anew = anew,
                                           .missed = missed };
    w->relay = relay_side_new(
        &(struct relay_side_host){ .user = w, .post = post_note, .ours = viewer_subscribe_ours });
    if (!w->relay) {
        free(w);
        return NULL;
    }
    w->viewer_host.relay = w->relay;
    LIST_INIT(&w->follows);
    w->last_unread = &w->unread;
    letter_box_init(&w->in);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->has_ended, NULL);
    return w;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    letter_box_fini(&w->in);
    relay_side_free(w->relay);
    pthread_cond_destroy(&w->has_ended);
    pthread_mutex_destroy(&w->lock);
    free(w->viewers);
    free(w->looked);
    free(w);
}

bool worker_put(struct worker *w, struct letter *l)
{
    return letter_box_put(&w->in, l);
}

size_t worker_waiting(struct worker *w)
{
    return letter_box_count(&w->in) + atomic_load(&w->n_unread);
}

void worker_begin(void *arg, unsigned number, struct tvl_ev *driver)
{
    struct worker *w = arg;
    (void)number;
    w->driver = driver;
    ev_timer_init(&w->tick, on_tick, TICK_S, TICK_S);
    ev_timer_init(&w->again, on_again, 0., 0.);
    w->tick.data = w->again.data = w;
    ev_timer_start(tvl_ev_loop(driver), &w->tick);
}

void worker_end(void *arg, unsigned number, struct tvl_ev *driver)
{
    struct worker *w = arg;
    (void)number;
    w->closed = true;
    ev_timer_stop(tvl_ev_loop(driver), &w->tick);
    ev_timer_stop(tvl_ev_loop(driver), &w->again);
    while (w->unread) {
        struct letter *l = w->unread;
        w->unread = l->next;
        letter_free(l);
    }
    for (size_t i = 0; i < w->n_viewers; i++)
        viewer_free(w->viewers[i]);
    w->n_viewers = 0;
    while (!LIST_EMPTY(&w->follows))
        drop_follow(LIST_FIRST(&w->follows));
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    pthread_cond_signal(&w->has_ended);
    pthread_mutex_unlock(&w->lock);
}

void worker_wait_end(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->ended)
        pthread_cond_wait(&w->has_ended, &w->lock);
    pthread_mutex_unlock(&w->lock);
}
