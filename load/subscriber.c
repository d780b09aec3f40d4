/* subscriber.c - see subscriber.h. */
#include "subscriber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moq/loc.h>
#include <moq/moq.h>
#include <moq/moq_tvl.h>

#include "subscription.h"

#define WANTED_MAX 16 /* tracks that one subscriber follows: 4 x 4 layers less one, and sound */

struct follow {                   /* a track it asked for; index 0 is the catalog */
    struct moq_subscription *sub; /* NULL: over */
    int track;                    /* in the tally; -1: the catalog */
    struct course course;
};

struct subscriber {
    struct subscriber_host *host;
    struct tvl_ev *driver;
    struct tvl_conn *conn;
    struct moq_tvl glue;
    struct moq_session *moq; /* NULL: not connected yet */
    tvl_time began;
    bool leaving, watching, told_failed;
    struct follow catalog, *follow; /* n_follow, once the catalog is known */
    size_t n_follow;
    uint64_t path_id[ARGS_PATHS_MAX];
    uint64_t path_counted[ARGS_PATHS_MAX]; /* bytes that are in the tally already */
};

static void fail(struct subscriber *s, const char *why)
{
    if (s->told_failed || s->leaving)
        return;
    s->told_failed = true;
    tally_fail(s->host->tally, why);
}

/* ---- MoQT ---- */

static int ask(struct subscriber *s, struct follow *f, const char *track, uint8_t priority,
               enum moq_filter filter)
{
    struct moq_subscribe_options o;
    struct moq_name name;

    moq_subscribe_options_init(&o);
    o.priority = priority;
    o.filter = filter;
    const int r = moq_name_from_text(&name, s->host->args->uri.ns, track);
    return r < 0 ? r : moq_subscribe(s->moq, &name, &o, f, &f->sub);
}

static void on_setup(void *user, struct moq_bytes path, struct moq_bytes authority)
{
    struct subscriber *s = user;

    (void)path;
    (void)authority;
    s->catalog.track = -1;
    if (ask(s, &s->catalog, MSF_CATALOG_TRACK, SUBSCRIPTION_PRIORITY_CATALOG, MOQ_FILTER_NONE) != 0)
        fail(s, "cannot ask for the catalog");
}

static void ask_for_tracks(struct subscriber *s, const struct subscription_plan *plan)
{
    s->follow = calloc(plan->n, sizeof *s->follow);
    for (size_t i = 0; s->follow && i < plan->n && s->n_follow < WANTED_MAX; i++) {
        struct follow *f = &s->follow[s->n_follow];
        const char *name = s->host->catalog->tracks[plan->item[i].track].name;

        f->track = tally_track(s->host->tally, name);
        if (f->track >= 0 && ask(s, f, name, plan->item[i].priority, MOQ_FILTER_NEXT_GROUP) == 0)
            s->n_follow++;
        else
            fail(s, "cannot ask for a track");
    }
}

static void take_catalog(struct subscriber *s, const struct moq_object *obj)
{
    const struct args *a = s->host->args;
    const struct subscription_wish wish = { .max_spatial = a->max_spatial,
                                            .max_temporal = a->max_temporal,
                                            .audio = !a->no_audio };
    struct subscription_plan plan;
    char why[TALLY_REASON_MAX] = "";

    if (s->follow || obj->object != 0 || obj->status != 0)
        return; /* later editions are not followed */
    if (msf_catalog_read(s->host->catalog, (const char *)obj->payload.bytes, obj->payload.len, why,
                         sizeof why) != 0 ||
        subscription_decide(&plan, s->host->catalog, &wish, why, sizeof why) != 0) {
        fail(s, why);
        return;
    }
    ask_for_tracks(s, &plan);
}

static void note_first(struct subscriber *s)
{
    if (s->watching)
        return;
    s->watching = true;
    s->host->watching++;
    s->host->tally->watching++;
    histogram_add(&s->host->tally->first, (int64_t)(tvl_ev_now(s->driver) - s->began));
}

/* Arrival on our clock less the media's time: the same for all objects but for their lateness. */
static void note_late(struct subscriber *s, const struct moq_object *obj)
{
    struct loc_properties p;

    if (loc_properties_decode(&p, obj->properties.bytes, obj->properties.len) != 0 ||
        !p.has_timestamp)
        return;
    struct tally *t = s->host->tally;
    const double scale = p.timescale ? 1e6 / (double)p.timescale : 1;
    const int64_t media = (int64_t)((double)p.timestamp * scale);
    const int64_t late = (int64_t)s->glue.now - media;
    if (!t->has_origin) {
        int64_t none = 0;

        (void)atomic_compare_exchange_strong(s->host->origin, &none, late ? late : 1);
        tally_set_origin(t, atomic_load(s->host->origin));
    }
    tally_late(t, late);
}

static void on_object(void *user, struct moq_subscription *sub, const struct moq_object *obj)
{
    struct subscriber *s = user;
    struct follow *f = moq_subscription_user(sub);

    if (f->track < 0) {
        take_catalog(s, obj);
        return;
    }
    if (s->leaving || obj->status != 0)
        return;
    note_first(s);
    note_late(s, obj);
    s->host->bytes += obj->payload.len;
    tally_object(s->host->tally, f->track, &f->course, obj->group, obj->object, obj->payload.len);
}

static void on_object_lost(void *user, struct moq_subscription *sub, uint64_t group,
                           uint64_t object, uint64_t code)
{
    struct subscriber *s = user;
    const struct follow *f = moq_subscription_user(sub);

    (void)group;
    (void)object;
    (void)code;
    if (f->track >= 0 && !s->leaving)
        s->host->tally->track[f->track].given_up++;
}

static void on_rejected(void *user, struct moq_subscription *sub, uint64_t code, const char *reason)
{
    struct subscriber *s = user;
    struct follow *f = moq_subscription_user(sub);
    char line[TALLY_REASON_MAX];

    f->sub = NULL;
    snprintf(line, sizeof line, "refused (0x%llx): %.100s", (unsigned long long)code, reason);
    fail(s, line);
}

static void on_done(void *user, struct moq_subscription *sub, uint64_t status, const char *reason)
{
    struct follow *f = moq_subscription_user(sub);

    (void)user;
    (void)status;
    (void)reason;
    f->sub = NULL;
}

static void on_moq_closed(void *user, uint64_t code, const char *reason)
{
    char line[TALLY_REASON_MAX];

    if (code == MOQ_NO_ERROR)
        return;
    snprintf(line, sizeof line, "the session broke (0x%llx): %.100s", (unsigned long long)code,
             reason);
    fail(user, line);
}

static const struct moq_handler handler = {
    .on_setup = on_setup,
    .on_closed = on_moq_closed,
    .on_object = on_object,
    .on_object_lost = on_object_lost,
    .on_rejected = on_rejected,
    .on_done = on_done,
};

/* ---- the connection ---- */

static struct tvl_ev_path way_of(const struct args *a, size_t i)
{
    static const struct path_spec any;
    const struct path_spec *p = a->n_paths > 0 ? &a->path[i] : &any;

    return (struct tvl_ev_path){
        .interface = p->interface, .local = p->local, .remote = p->remote, .backup = p->backup
    };
}

static void open_session(struct subscriber *s)
{
    const struct args *a = s->host->args;
    char path[URI_NAMESPACE_MAX + 1];
    struct moq_quic quic;
    const struct moq_session_config cfg = { .authority = a->uri.authority,
                                            .path = path,
                                            .implementation = "svc-load " TVL_VERSION };

    snprintf(path, sizeof path, "/%s", a->uri.ns);
    moq_tvl_init(&s->glue, s->conn, &quic);
    if (moq_session_new(&s->moq, &cfg, &quic, &handler, s) != 0 || moq_session_start(s->moq) != 0)
        fail(s, "cannot begin a session");
}

static void connected(struct subscriber *s)
{
    struct tally *t = s->host->tally;

    t->connected++;
    histogram_add(&t->connect, (int64_t)(tvl_ev_now(s->driver) - s->began));
    open_session(s);
    for (size_t i = 1; i < s->host->args->n_paths; i++) {
        const struct tvl_ev_path way = way_of(s->host->args, i);
        char why[TALLY_REASON_MAX] = "";
        const int id = tvl_ev_path_add(s->driver, s->conn, &way, why, sizeof why);

        if (id >= 0)
            s->path_id[i] = (uint64_t)id;
        else
            fail(s, why[0] ? why : tvl_strerror(id));
    }
}

void subscriber_count_paths(struct subscriber *s)
{
    struct tvl_path_stats stats[TVL_PATHS_MAX];
    const size_t n = tvl_paths(s->conn, stats, TVL_PATHS_MAX);

    for (size_t i = 0; i < ARGS_PATHS_MAX; i++)
        for (size_t k = 0; k < n && (i == 0 || s->path_id[i] > 0); k++)
            if (stats[k].id == s->path_id[i]) {
                s->host->tally->path_bytes[i] += stats[k].bytes_received - s->path_counted[i];
                s->path_counted[i] = stats[k].bytes_received;
            }
}

static void over(struct subscriber *s, const struct tvl_event *ev)
{
    static const char *const kinds[] = {
        [TVL_CLOSED_LOCAL] = "closed by us",  [TVL_CLOSED_PEER_APP] = "closed by the server",
        [TVL_CLOSED_PEER] = "refused",        [TVL_CLOSED_ERROR] = "the server broke the rules",
        [TVL_CLOSED_TLS] = "TLS failed",      [TVL_CLOSED_IDLE] = "nothing came any more",
        [TVL_CLOSED_NO_ANSWER] = "no answer", [TVL_CLOSED_RESET] = "the server forgot us",
    };
    char line[TALLY_REASON_MAX];

    snprintf(line, sizeof line, "%s%s%.100s", kinds[ev->closed.kind],
             ev->closed.reason[0] ? ": " : "", ev->closed.reason);
    fail(s, line);
    s->host->tally->left += s->leaving;
    subscriber_count_paths(s);
    tvl_conn_set_user(s->conn, NULL);
    subscriber_free(s);
}

void subscriber_on_event(struct subscriber *s, const struct tvl_event *ev)
{
    if (ev->type == TVL_EVENT_CLOSED) {
        over(s, ev);
        return;
    }
    if (ev->type == TVL_EVENT_CONNECTED)
        connected(s);
    if (s->moq)
        moq_tvl_on_event(&s->glue, s->moq, ev, tvl_ev_now(s->driver));
}

void subscriber_tick(struct subscriber *s, tvl_time now)
{
    s->glue.now = now;
    if (s->moq)
        moq_session_tick(s->moq, now);
}

void subscriber_leave(struct subscriber *s)
{
    const tvl_time now = tvl_ev_now(s->driver);

    if (s->leaving)
        return;
    subscriber_count_paths(s);
    s->leaving = true;
    s->glue.now = now;
    if (s->moq)
        moq_session_close(s->moq, MOQ_NO_ERROR, "");
    else
        tvl_close(s->conn, MOQ_NO_ERROR, "", now);
}

void subscriber_free(struct subscriber *s)
{
    if (!s)
        return;
    s->host->here--;
    s->host->watching -= s->watching;
    moq_session_free(s->moq);
    free(s->follow);
    free(s);
}

int subscriber_new(struct subscriber **out, struct subscriber_host *host, struct tvl_ev *driver,
                   char *why, size_t why_size)
{
    const struct tvl_ev_path way = way_of(host->args, 0);
    struct subscriber *s = calloc(1, sizeof *s);

    if (!s) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    s->host = host;
    s->driver = driver;
    s->began = tvl_ev_now(driver);
    if (tvl_ev_connect(driver, host->args->uri.authority, host->args->uri.host, &way, &s->conn, why,
                       why_size) != 0) {
        free(s);
        return -1;
    }
    tvl_conn_set_user(s->conn, s);
    host->here++;
    host->tally->begun++;
    *out = s;
    return 0;
}
