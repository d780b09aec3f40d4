/*
 * feed.c - a layered stream through two production endpoints: units on streams of their own with
 * rank, deadline and flow, as the server sends them. Contract in layered.h.
 *
 * What goes over the links' sum is left out by one rule, the same for every scheduler: a unit above
 * the base is not offered when what goes before it would take longer than DUE of its deadline at
 * the rate at which the paths delivered lately.
 */
#include <stdlib.h>
#include <string.h>

#include "layered.h"
#include "rng.h"

#define SYNC 60         /* pictures from one to the next, 30 to the second */
#define SYNC_TIMES 3    /* a base unit at a sync, over another */
#define REOPEN 1000000u /* us: SESSION_PATH_RETRY_S of the player */
#define DUE 0.15
#define FREE 16384 /* bytes of backlog that are no reason */

/* Share of the bytes, per mille, by layer: thin, thick. The thin ones are those of the demo's clip,
 * which the project's own encoder makes: see live.c. */
static const unsigned shares[2][FEED_LAYERS] = { { 56, 23, 168, 84, 421, 248 },
                                                 { 120, 50, 160, 100, 320, 250 } };

uint64_t feed_pictures(const struct feed *f)
{
    const uint64_t n = f->span / FEED_PICTURE_US;

    return n < FEED_PICTURES_MAX ? n : FEED_PICTURES_MAX;
}

tvl_time feed_release(const struct feed *f, uint64_t picture)
{
    return f->lead + picture * FEED_PICTURE_US;
}

uint32_t feed_size(const struct feed *f, uint64_t picture, unsigned spatial)
{
    const unsigned layer = feed_layer(picture, spatial);
    /* half of the pictures have it, and syncs take more */
    const double mean =
        (double)f->rate_bps / 8e6 * FEED_PICTURE_US * 2 * shares[f->thick][layer] / 1000;
    const double times = layer == 0 ? picture % SYNC == 0 ? SYNC_TIMES : 1 : 1;
    const double even = layer == 0 ? (SYNC / 2.0) / (SYNC / 2.0 - 1 + SYNC_TIMES) : 1;
    struct vlink_rng r;

    vlink_rng_init(&r, f->seed, picture * 3 + spatial);
    const double vary = 0.6 + 0.8 * (double)vlink_rng_below(&r, 1000) / 1000;
    const double size = mean * times * even * vary;

    return size < 40 ? 40 : (uint32_t)size;
}

struct unit {
    uint64_t stream; /* plus 1; 0: not sent */
    tvl_time read;   /* whole at the client; 0: not */
};

struct way { /* of the client, over one link */
    uint32_t id;
    tvl_time again_at; /* it was abandoned; 0: it was not */
};

struct show {
    const struct feed *f;
    struct way way[NET_LINKS_MAX];
    bool connected;
    uint64_t pictures; /* offered */
    uint64_t first;    /* whose streams may still come */
    uint64_t offered;  /* upper bytes */
    uint64_t late;
    struct tvl_conn_stats end;
    struct unit unit[FEED_PICTURES_MAX][3];
};

static bool fits(const struct show *w, const struct tvl_conn *conn, uint64_t rank)
{
    struct tvl_path_stats path[TVL_PATHS_MAX];
    const size_t n = tvl_paths(conn, path, TVL_PATHS_MAX);
    double bps = 0;

    for (size_t i = 0; i < n; i++)
        bps += path[i].state == TVL_PATH_UP ? (double)path[i].delivery_bps : 0;
    return (double)tvl_backlog(conn, rank) * 8e6 <= bps * DUE * (double)w->f->deadline + FREE * 8e6;
}

static void offer(struct show *w, struct net *n, uint64_t picture, unsigned spatial)
{
    static const uint8_t bytes[1 << 20];
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    const unsigned layer = feed_layer(picture, spatial);
    const uint64_t rank = (uint64_t)(layer + 2) << 46 | picture;
    const uint32_t size = feed_size(w->f, picture, spatial);
    uint64_t id;

    if ((layer > 0 && (w->f->alone || !fits(w, conn, rank))) || size > sizeof bytes ||
        tvl_stream_open(conn, TVL_UNI, &id) != 0)
        return;
    (void)tvl_stream_set_rank(conn, id, rank);
    (void)tvl_stream_set_flow(conn, id, layer);
    (void)tvl_stream_set_deadline(conn, id, net_now(n) + w->f->deadline, 1);
    (void)tvl_stream_write(conn, id, bytes, size, true);
    w->unit[picture][spatial].stream = id + 1;
    w->offered += layer > 0 ? size : 0;
}

/* As the player does: what was abandoned is opened again. */
static void reopen(struct show *w, struct net *n)
{
    for (unsigned i = 0; i < NET_LINKS_MAX; i++) {
        struct way *y = &w->way[i];

        if (y->again_at == 0 || net_now(n) < y->again_at || !net_conn(n, NET_CLIENT))
            continue;
        const int id = net_add_path(n, i);

        y->again_at = id < 0 ? net_now(n) + REOPEN : 0;
        y->id = id < 0 ? y->id : (uint32_t)id;
    }
}

static void note_path(struct show *w, uint32_t id, tvl_time now)
{
    for (unsigned i = 0; i < NET_LINKS_MAX; i++)
        if (w->way[i].id == id)
            w->way[i].again_at = now + REOPEN;
}

static void on_tick(void *user, struct net *n)
{
    struct show *w = user;

    reopen(w, n);
    if (net_conn(n, NET_SERVER) && w->connected)
        for (unsigned s = 0; s < 3; s++)
            offer(w, n, w->pictures, s);
    w->pictures++;
}

static struct unit *find(struct show *w, uint64_t stream)
{
    const uint64_t age = w->pictures > 200 ? w->pictures - 200 : 0;

    for (uint64_t i = w->pictures; i-- > age;)
        for (unsigned s = 0; s < 3; s++)
            if (w->unit[i][s].stream == stream + 1)
                return &w->unit[i][s];
    return NULL;
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    static uint8_t bytes[65536];
    struct show *w = user;
    bool fin = false;
    int64_t r;

    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED)
        w->connected = true;
    if (side == NET_SERVER && ev->type == TVL_EVENT_CLOSED)
        w->connected = false;
    if (side == NET_CLIENT && ev->type == TVL_EVENT_PATH && ev->path.state == TVL_PATH_ABANDONED)
        note_path(w, ev->path.id, net_now(n));
    if (side != NET_CLIENT || ev->type != TVL_EVENT_STREAM_READABLE)
        return;
    do
        r = tvl_stream_read(net_conn(n, NET_CLIENT), ev->stream.id, bytes, sizeof bytes, &fin);
    while (r > 0 && !fin);
    struct unit *u = fin ? find(w, ev->stream.id) : NULL;

    if (u)
        u->read = net_now(n);
}

static tvl_time next_of(void *user)
{
    const struct show *w = user;

    return w->pictures < feed_pictures(w->f) ? NET_START + feed_release(w->f, w->pictures)
                                             : TVL_TIME_NEVER;
}

static bool is_done(void *user)
{
    (void)user;
    return false; /* the limit ends it */
}

static void judge(const struct show *w, const struct oracle *o, struct fed *out)
{
    for (uint64_t i = feed_first(w->f); i < feed_pictures(w->f); i++)
        for (unsigned s = 0; s < 3; s++) {
            const tvl_time due = NET_START + feed_release(w->f, i) + w->f->deadline;
            const bool in_time = w->unit[i][s].read != 0 && w->unit[i][s].read <= due;

            if (feed_layer(i, s) != 0) {
                out->upper_in_time += in_time ? feed_size(w->f, i, s) : 0;
            } else if (o->could[i]) {
                out->base_units++;
                out->base_in_time += in_time;
            }
        }
    out->upper_offered = w->offered;
}

struct fed feed_run(const struct net_config *cfg, const struct feed *f, const struct oracle *o)
{
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = next_of, .done = is_done
    };
    struct show *w = calloc(1, sizeof *w);
    struct net *n = w ? net_new(cfg, &app, w) : NULL;
    struct fed out = { .whole = false };

    if (n) {
        uint32_t id = 0;

        w->f = f;
        for (unsigned i = 0; i < NET_LINKS_MAX; i++)
            w->way[i].id = i >= cfg->links || (cfg->skip >> i & 1) ? UINT32_MAX : id++;
        (void)net_run(n, NET_START + f->lead + f->span + 2 * f->deadline);
        if (net_conn(n, NET_SERVER)) {
            tvl_conn_get_stats(net_conn(n, NET_SERVER), &w->end);
            out.whole = w->connected;
            out.sent = w->end.stream_bytes_sent;
            out.copied = w->end.stream_bytes_resent;
        }
        judge(w, o, &out);
    }
    net_free(n);
    free(w);
    return out;
}
