/*
 * death.c - the path in use dies while another lives: how soon is it left, what do a transfer and a
 * stream of frames notice, how soon is it back. Contract in bonding.h.
 *
 * Each trial draws from its seed two links (25 and 20 Mbit/s, one way 8 to 40 ms, up to 0.5 %
 * loss), a load of 30 to 50 % of their sum, and when the busier one dies: both ways, or one only.
 * The load is a long stream written every 10 ms and a frame on a stream of its own 60 times a
 * second.
 */
#include <stdlib.h>
#include <string.h>

#include "bonding.h"
#include "rng.h"

#define TRIALS_MAX 1000
#define TICK 10000u      /* us between writes of the transfer */
#define FRAME_GAP 16667u /* us */
#define FRAME_BYTES 3000u
#define FRAME_PATIENCE 250000u /* us until a frame is of no use */
#define FRAMES_MAX 1024
#define WARM_UP 2000000u      /* us */
#define AFTER_RETURN 1500000u /* us */

struct frame {
    uint64_t id;
    tvl_time sent, read; /* 0: not */
};

struct trial {
    /* the draw */
    struct net_config cfg;
    double load_bps;
    tvl_time death, back;
    enum net_ways ways;
    /* the course */
    unsigned dead; /* link; NET_LINKS_MAX: all live */
    bool returned, finished;
    tvl_time begin, next_tick, next_frame;
    uint64_t file, written, read;
    double owed; /* bytes of the transfer due */
    struct frame frame[FRAMES_MAX];
    size_t frames;
    uint64_t fresh_on[2]; /* bytes the server sent first, since the last tick but one */
    /* the findings, times 0: not yet */
    tvl_time last_on_dead, first_elsewhere, resent_at, progress_at, gap, up[2];
    uint64_t in_flight, again_elsewhere;
    bool proved; /* the server heard by another path that data arrives all the same */
};

/* ---- the draw ---- */

static void draw(struct trial *t, const struct plan *plan, uint64_t seed)
{
    static const uint64_t rate[] = { 25 * MBIT, 20 * MBIT };
    struct vlink_rng rng;

    memset(t, 0, sizeof *t);
    vlink_rng_init(&rng, seed, 77);
    t->cfg = (struct net_config){ .cc = plan->cc,
                                  .sched = plan->sched,
                                  .links = 2,
                                  .seed = seed,
                                  .pki = plan->pki,
                                  .keepalive = 500000 };
    for (unsigned i = 0; i < 2; i++)
        t->cfg.link[i] = (struct vlink_config){ .rate_bps = rate[i],
                                                .delay_ns = 8 * MS + vlink_rng_below(&rng, 32 * MS),
                                                .loss_ppm = (uint32_t)vlink_rng_below(&rng, 5000),
                                                .queue_ns = 100 * MS,
                                                .overhead_bytes = VLINK_OVERHEAD_BYTES };
    t->load_bps = 45e6 * (0.3 + 0.2 * (double)vlink_rng_below(&rng, 1000) / 1000);
    t->death = NET_START + WARM_UP + vlink_rng_below(&rng, 2000000);
    t->back = t->death + 2000000 + vlink_rng_below(&rng, 1500000);
    t->ways = (enum net_ways)vlink_rng_below(&rng, 3);
    t->dead = NET_LINKS_MAX;
}

/* ---- the application ---- */

static void write_load(struct trial *t, struct net *n)
{
    static const uint8_t bytes[65536];
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    const double frames_bps = FRAME_BYTES * 8 * 1e6 / FRAME_GAP;

    t->owed += (t->load_bps - frames_bps) / 8 * TICK / 1e6;
    while (t->owed >= 1) {
        const size_t len = t->owed < sizeof bytes ? (size_t)t->owed : sizeof bytes;
        const int64_t r = tvl_stream_write(conn, t->file, bytes, len, false);

        if (r <= 0)
            break;
        t->written += (uint64_t)r;
        t->owed -= (double)r;
    }
}

static void write_frame(struct trial *t, struct net *n)
{
    static const uint8_t bytes[FRAME_BYTES];
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    struct frame *f = &t->frame[t->frames];

    if (t->frames == FRAMES_MAX || tvl_stream_open(conn, TVL_UNI, &f->id) != 0)
        return;
    t->frames++;
    f->sent = net_now(n);
    (void)tvl_stream_set_rank(conn, f->id, 1);
    (void)tvl_stream_set_deadline(conn, f->id, f->sent + FRAME_PATIENCE, 1);
    (void)tvl_stream_write(conn, f->id, bytes, sizeof bytes, true);
}

static struct frame *frame_by_id(struct trial *t, uint64_t id)
{
    for (size_t i = t->frames; i-- > 0;)
        if (t->frame[i].id == id)
            return &t->frame[i];
    return NULL;
}

static void read_stream(struct trial *t, struct net *n, uint64_t id)
{
    uint8_t bytes[65536];
    bool fin = false;
    int64_t r;

    do {
        r = tvl_stream_read(net_conn(n, NET_CLIENT), id, bytes, sizeof bytes, &fin);
        if (r > 0 && id == t->file) {
            t->read += (uint64_t)r;
            if (t->dead < NET_LINKS_MAX && !t->returned && net_now(n) - t->progress_at > t->gap)
                t->gap = net_now(n) - t->progress_at;
            t->progress_at = net_now(n);
        }
    } while (r > 0 && !fin);
    struct frame *f = fin ? frame_by_id(t, id) : NULL;

    if (f)
        f->read = net_now(n);
}

static void on_path(struct trial *t, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    const bool up = ev->path.state == TVL_PATH_UP;

    if (ev->path.id != t->dead)
        return;
    if (t->returned)
        t->up[side] = up ? net_now(n) : 0;
    else if (side == NET_SERVER && up)
        t->proved = true;
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct trial *t = user;

    if (side == NET_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE)
        read_stream(t, n, ev->stream.id);
    if (ev->type == TVL_EVENT_PATH)
        on_path(t, n, side, ev);
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED &&
        tvl_stream_open(ev->conn, TVL_UNI, &t->file) == 0) {
        t->begin = net_now(n);
        t->next_tick = t->next_frame = t->begin + TICK;
    }
}

/* ---- death and return ---- */

static const struct tvl_path_stats *path_of(struct net *n, enum net_side side, unsigned link,
                                            struct tvl_path_stats *v)
{
    const size_t count = tvl_paths(net_conn(n, side), v, TVL_PATHS_MAX);

    for (size_t i = 0; i < count; i++)
        if (v[i].id == link)
            return &v[i];
    return NULL;
}

static tvl_time proof_of(struct net *n, unsigned link)
{
    struct tvl_path_stats v[TVL_PATHS_MAX];
    const struct tvl_path_stats *p = path_of(n, NET_SERVER, link, v);

    return p ? p->proof_at : 0;
}

static void die(struct trial *t, struct net *n)
{
    struct tvl_path_stats v[TVL_PATHS_MAX];

    t->dead = t->fresh_on[1] > t->fresh_on[0];
    const struct tvl_path_stats *p = path_of(n, NET_SERVER, t->dead, v);

    t->in_flight = p ? p->in_flight : 0;
    t->progress_at = net_now(n);
    net_set_down(n, t->dead, t->ways, true);
}

static void come_back(struct trial *t, struct net *n)
{
    t->returned = true;
    for (unsigned side = 0; side < 2; side++) {
        struct tvl_path_stats v[TVL_PATHS_MAX];
        const struct tvl_path_stats *p = path_of(n, (enum net_side)side, t->dead, v);

        t->up[side] = p && p->state == TVL_PATH_UP ? net_now(n) : 0;
    }
    net_set_down(n, t->dead, t->ways, false);
}

static void on_tick(void *user, struct net *n)
{
    struct trial *t = user;
    const tvl_time now = net_now(n);

    if (t->begin == 0 || !net_conn(n, NET_SERVER))
        return;
    if (now >= t->death && t->dead == NET_LINKS_MAX)
        die(t, n);
    if (now >= t->back && !t->returned)
        come_back(t, n);
    if (now >= t->next_tick) {
        write_load(t, n);
        t->next_tick += TICK;
        t->fresh_on[0] -= t->fresh_on[0] / 8;
        t->fresh_on[1] -= t->fresh_on[1] / 8;
    }
    if (now >= t->next_frame) {
        write_frame(t, n);
        t->next_frame += FRAME_GAP;
    }
    t->finished = now >= t->back + AFTER_RETURN;
}

static tvl_time next_of(void *user)
{
    const struct trial *t = user;
    tvl_time next = TVL_TIME_NEVER;

    if (t->begin == 0)
        return next;
    next = t->next_tick < t->next_frame ? t->next_tick : t->next_frame;
    if (t->dead == NET_LINKS_MAX && t->death < next)
        next = t->death;
    return !t->returned && t->back < next ? t->back : next;
}

static void on_sent(void *user, struct net *n, enum net_side side, unsigned link, uint64_t fresh,
                    uint64_t again)
{
    struct trial *t = user;

    if (side != NET_SERVER)
        return;
    t->fresh_on[link] += fresh;
    if (t->dead == NET_LINKS_MAX || t->returned)
        return;
    if (link == t->dead) {
        t->proved = t->proved || (t->ways == NET_TO_SERVER && proof_of(n, link) > t->death);
        if (fresh > 0 && !t->proved)
            t->last_on_dead = net_now(n);
        if (t->proved && t->resent_at == 0) /* it arrived after all, and the server heard so */
            t->resent_at = net_now(n);
        return;
    }
    t->again_elsewhere += again;
    if (fresh > 0 && t->first_elsewhere == 0)
        t->first_elsewhere = net_now(n);
    /* packets are longer than what they carry */
    if (t->resent_at == 0 && t->again_elsewhere >= t->in_flight - t->in_flight / 10)
        t->resent_at = net_now(n);
}

static bool is_done(void *user)
{
    return ((struct trial *)user)->finished;
}

/* ---- the findings ---- */

struct series {
    double v[TRIALS_MAX];
    size_t n;
};

static double quantile(struct series *s, double q)
{
    (void)spread_of(s->v, s->n);
    const size_t rank = (size_t)(q * (double)s->n + 0.999999); /* the nearest, from 1 */

    return s->n ? s->v[rank - 1] : 0;
}

static void add(struct series *s, tvl_time at, tvl_time from)
{
    s->v[s->n++] = at > from ? (double)(at - from) / 1e3 : 0;
}

static void count_frames(const struct trial *t, struct deaths *out)
{
    for (size_t i = 0; i < t->frames; i++) {
        const struct frame *f = &t->frame[i];

        if (f->sent < t->death - FRAME_PATIENCE || f->sent > t->back + 1000000)
            continue;
        out->frames++;
        out->frames_lost += f->read == 0;
        out->frames_late += f->read > f->sent + FRAME_PATIENCE;
    }
}

void deaths_run(const struct plan *plan, struct deaths *out)
{
    static struct series evacuation, resent, gap, back;
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = next_of, .sent = on_sent, .done = is_done
    };

    evacuation.n = resent.n = gap.n = back.n = 0;
    *out = (struct deaths){ .trials = plan->trials };
    for (unsigned i = 0; i < plan->trials && i < TRIALS_MAX; i++) {
        static struct trial t;

        draw(&t, plan, i + 1);
        struct net *n = net_new(&t.cfg, &app, &t);
        const bool whole = n && net_run(n, t.back + 10 * AFTER_RETURN);
        const tvl_time never = t.back + AFTER_RETURN;
        const tvl_time left =
            t.last_on_dead > t.first_elsewhere ? t.last_on_dead : t.first_elsewhere;
        const tvl_time up = t.up[0] > t.up[1] ? t.up[0] : t.up[1];

        out->failed += !whole || t.read == 0;
        add(&evacuation, t.first_elsewhere ? left : never, t.death);
        add(&resent, t.resent_at ? t.resent_at : never, t.death);
        add(&gap, t.gap, 0);
        add(&back, t.up[0] && t.up[1] ? up : never, t.back);
        count_frames(&t, out);
        if (plan->verbose)
            printf("  %3u: link %u dies %s, in flight %6llu, left %5.0f, resent %5.0f, gap %5.0f, "
                   "back %5.0f ms\n",
                   i + 1, t.dead,
                   t.ways == NET_BOTH_WAYS   ? "both ways"
                   : t.ways == NET_TO_CLIENT ? "forward  "
                                             : "backward ",
                   (unsigned long long)t.in_flight, evacuation.v[evacuation.n - 1],
                   resent.v[resent.n - 1], gap.v[gap.n - 1], back.v[back.n - 1]);
        net_free(n);
    }
    out->evacuation_p50 = quantile(&evacuation, 0.5);
    out->evacuation_p99 = quantile(&evacuation, 0.99);
    out->evacuation_max = quantile(&evacuation, 1);
    out->resent_p50 = quantile(&resent, 0.5);
    out->resent_p99 = quantile(&resent, 0.99);
    out->gap_p50 = quantile(&gap, 0.5);
    out->gap_p99 = quantile(&gap, 0.99);
    out->return_p50 = quantile(&back, 0.5);
    out->return_p99 = quantile(&back, 0.99);
    out->return_max = quantile(&back, 1);
}

bool deaths_show(const struct plan *plan, const char *prefix, FILE *json)
{
    struct deaths d;

    deaths_run(plan, &d);
    printf("%u deaths, %u failed\n", d.trials, d.failed);
    printf("  left after           %6.1f ms, p99 %.1f, max %.1f\n", d.evacuation_p50,
           d.evacuation_p99, d.evacuation_max);
    printf("  flight resent after  %6.1f ms, p99 %.1f\n", d.resent_p50, d.resent_p99);
    printf("  transfer paused for  %6.1f ms, p99 %.1f\n", d.gap_p50, d.gap_p99);
    printf("  back after           %6.1f ms, p99 %.1f, max %.1f\n", d.return_p50, d.return_p99,
           d.return_max);
    printf("  frames %llu, late %llu, lost %llu\n", (unsigned long long)d.frames,
           (unsigned long long)d.frames_late, (unsigned long long)d.frames_lost);
    const struct {
        const char *key;
        double value;
    } keys[] = {
        { "deaths", d.trials },
        { "deaths_failed", d.failed },
        { "evacuation_p50_ms", d.evacuation_p50 },
        { "evacuation_p99_ms", d.evacuation_p99 },
        { "evacuation_max_ms", d.evacuation_max },
        { "resent_p99_ms", d.resent_p99 },
        { "transfer_gap_p99_ms", d.gap_p99 },
        { "return_p50_ms", d.return_p50 },
        { "return_p99_ms", d.return_p99 },
        { "death_frames", (double)d.frames },
        { "death_frames_late", (double)d.frames_late },
        { "death_frames_lost", (double)d.frames_lost },
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        fprintf(json, "%s\"%s%s\": %.10g", i ? ", " : "", prefix, keys[i].key, keys[i].value);
    return d.failed == 0 && d.evacuation_p99 <= 200 && d.return_p99 <= 1000;
}
