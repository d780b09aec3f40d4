/*
 * repair.c - units with a deadline over long lossy paths, on virtual time: how many come in time,
 * and what it costs, unprotected, with a copy on a second path, and with repair symbols.
 *
 *     repair [--seconds N] [--check]
 *
 * A unit every 33 ms, 6 to 18 KB, 3 Mbit/s in all, over links of 10 Mbit/s. Its deadline is one
 * round trip after it was written: enough for the way and for a queue, not for a repetition, which
 * takes half as long again. Losses are random, or come in bursts of four packets on average. The
 * first ten seconds are not judged: windows and the estimate of loss have to form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define MS 1000u
#define SECOND 1000000u
#define PICTURE 33333u
#define WARM_UP 300u /* units that are not judged */
#define UNITS_MAX 8192u
#define MBIT 1000000u
#define BURST 4.0

static const char *const words[] = { "none", "duplicate", "repair" };

struct job {
    unsigned links;
    tvl_time rtt;
    double loss; /* share */
    bool bursts;
    enum tvl_flow_protection protection;
    unsigned units;
    const struct test_pki *pki;
};

struct show {
    const struct job *job;
    uint64_t dice;
    unsigned written;
    uint64_t stream[UNITS_MAX]; /* its ID plus one; 0: none was to be had */
    tvl_time at[UNITS_MAX], read[UNITS_MAX];
    bool connected, joined;
    struct tvl_conn_stats before;
};

struct outcome {
    bool whole;
    double in_time;      /* share of units */
    double more;         /* bytes besides the units' own, over those */
    double delay_p99_ms; /* of a unit, those that never came at 10 s */
};

static uint32_t size_of_next(struct show *w)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return 6000 + (uint32_t)(w->dice >> 33) % 12000;
}

static void write_unit(struct show *w, struct net *n)
{
    static const uint8_t bytes[1 << 16];
    struct tvl_conn *conn = net_conn(n, NET_SERVER);
    const unsigned i = w->written;
    uint64_t id;

    if (i == WARM_UP)
        tvl_conn_get_stats(conn, &w->before);
    w->at[i] = net_now(n);
    w->written++;
    if (tvl_stream_open(conn, TVL_UNI, &id) != 0)
        return;
    (void)tvl_stream_set_flow(conn, id, 1);
    (void)tvl_stream_set_rank(conn, id, 1000 + i);
    (void)tvl_stream_write(conn, id, bytes, size_of_next(w), true);
    w->stream[i] = id + 1;
}

static void on_tick(void *user, struct net *n)
{
    struct show *w = user;

    if (net_conn(n, NET_SERVER) && w->connected)
        write_unit(w, n);
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    static uint8_t sink[65536];
    struct show *w = user;
    bool fin = false;
    int64_t r;

    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED) {
        const struct tvl_flow_config c = { .protection = w->job->protection };

        w->connected = tvl_flow_set(ev->conn, 1, &c) == 0;
    }
    if (side != NET_CLIENT || ev->type != TVL_EVENT_STREAM_READABLE)
        return;
    do
        r = tvl_stream_read(net_conn(n, NET_CLIENT), ev->stream.id, sink, sizeof sink, &fin);
    while (r > 0 && !fin);
    for (unsigned i = w->written; fin && i-- > 0;)
        if (w->stream[i] == ev->stream.id + 1) {
            w->read[i] = net_now(n);
            break;
        }
}

static tvl_time next_of(void *user)
{
    const struct show *w = user;

    return w->written < w->job->units ? NET_START + SECOND + (tvl_time)w->written * PICTURE
                                      : TVL_TIME_NEVER;
}

static bool is_done(void *user)
{
    (void)user;
    return false; /* the limit ends it */
}

static struct vlink_config link_of(const struct job *j)
{
    struct vlink_config l = { .rate_bps = 10 * MBIT,
                              .delay_ns = j->rtt * 1000 / 2,
                              .queue_bytes = 125000 };

    if (!j->bursts) {
        l.loss_ppm = (uint32_t)(j->loss * 1e6);
        return l;
    }
    l.ge = true; /* in the bad state all is lost; it lasts BURST packets on average */
    l.ge_bad_ppm = 1000000;
    l.ge_r_ppm = (uint32_t)(1e6 / BURST);
    l.ge_p_ppm = (uint32_t)(1e6 / BURST * j->loss / (1 - j->loss));
    return l;
}

static int by_delay(const void *a, const void *b)
{
    const tvl_time x = *(const tvl_time *)a, y = *(const tvl_time *)b;

    return x < y ? -1 : x > y;
}

static void judge(const struct show *w, const struct tvl_conn_stats *end, struct outcome *out)
{
    static tvl_time delay[UNITS_MAX];
    unsigned n = 0, good = 0;

    for (unsigned i = WARM_UP; i < w->written; i++) {
        delay[n] = w->read[i] ? w->read[i] - w->at[i] : 10 * SECOND;
        good += delay[n++] <= w->job->rtt;
    }
    const double own = (double)(end->stream_bytes_sent - w->before.stream_bytes_sent);
    const double more = (double)(end->stream_bytes_resent - w->before.stream_bytes_resent) +
                        (double)(end->repair_bytes_sent - w->before.repair_bytes_sent);

    qsort(delay, n, sizeof delay[0], by_delay);
    out->in_time = n ? (double)good / n : 0;
    out->delay_p99_ms = n ? (double)delay[n * 99 / 100] / MS : 0;
    out->more = own > 0 ? more / own : 0;
}

static struct outcome run(const struct job *j, uint64_t seed)
{
    static struct show w;
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = next_of, .done = is_done
    };
    struct net_config cfg = { .cc = "copa", .links = j->links, .seed = seed, .pki = j->pki };
    struct tvl_conn_stats end;
    struct outcome out = { .whole = false };

    w = (struct show){ .job = j, .dice = seed };
    for (unsigned i = 0; i < j->links; i++)
        cfg.link[i] = link_of(j);
    struct net *n = net_new(&cfg, &app, &w);

    if (!n)
        return out;
    (void)net_run(n, NET_START + 4 * SECOND + (tvl_time)j->units * PICTURE);
    if (net_conn(n, NET_SERVER) && w.written == j->units) {
        tvl_conn_get_stats(net_conn(n, NET_SERVER), &end);
        judge(&w, &end, &out);
        out.whole = true;
    }
    net_free(n);
    return out;
}

struct sum {
    double in_time, more;
    unsigned n;
};

static void add(struct sum *s, const struct outcome *o)
{
    s->in_time += o->in_time;
    s->more += o->more;
    s->n++;
}

struct sums { /* by number of links less one, whether losses come in bursts, protection */
    struct sum v[2][2][3];
};

static bool run_case(struct job *j, struct sums *sums)
{
    bool whole = true;

    printf("%u link%s %3u ms %.0f %% %s", j->links, j->links > 1 ? "s" : " ",
           (unsigned)(j->rtt / MS), j->loss * 100, j->bursts ? "bursts" : "random");
    for (unsigned k = 0; k < 3; k++) {
        if (j->links == 1 && k == TVL_FLOW_DUPLICATE)
            continue;
        j->protection = (enum tvl_flow_protection)k;
        const struct outcome o = run(j, 1);

        printf("  %s %.2f %% +%.1f %% p99 %.0f ms", words[k], o.in_time * 100, o.more * 100,
               o.delay_p99_ms);
        whole = whole && o.whole;
        add(&sums->v[j->links - 1][j->bursts][k], &o);
    }
    printf("\n");
    fflush(stdout);
    return whole;
}

static void json(const struct sums *sums)
{
    static const char *const paths[] = { "_one_path", "" }, *const kinds[] = { "", "_bursts" };
    const char *comma = "";

    printf("{");
    for (unsigned i = 0; i < 12; i++) {
        const struct sum *s = &sums->v[i / 6][i / 3 % 2][i % 3];
        char name[64];

        if (s->n == 0)
            continue;
        snprintf(name, sizeof name, "%s%s%s", words[i % 3], kinds[i / 3 % 2], paths[i / 6]);
        printf("%s\"units_in_time_%s\": %.4f, \"units_overhead_%s\": %.4f", comma, name,
               s->in_time / s->n, name, s->more / s->n);
        comma = ", ";
    }
    printf("}\n");
}

/*
 * For the suite: of what is late without, a twentieth stays late where losses are random, and half
 * where bursts take more of a unit than may be added to it.
 */
static bool is_good(const struct sums *sums)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct sum *none = &sums->v[i / 2][i % 2][TVL_FLOW_UNPROTECTED];
        const struct sum *fix = &sums->v[i / 2][i % 2][TVL_FLOW_REPAIR];
        const double left = fix->n - fix->in_time, before = none->n - none->in_time;

        if (left > before / (i % 2 ? 2 : 20) || fix->more > 0.7 * fix->n)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const tvl_time rtts[] = { 100 * MS, 200 * MS };
    static const double losses[] = { 0.01, 0.02, 0.05 };
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    struct sums sums = { { { { { .n = 0 } } } } };
    struct test_pki pki;
    struct job j = { .pki = &pki };
    unsigned seconds = 120;
    bool check = false, whole = true;

    for (int i = 1; i < argc; i++) {
        check = check || strcmp(argv[i], "--check") == 0;
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = (unsigned)atoi(argv[++i]);
    }
    if (seconds < 15 || seconds > 200 || test_pki_init(&pki, &pc) != 0)
        return 64;
    j.units = seconds * 30;
    for (j.links = 1; j.links <= 2; j.links++)
        for (size_t r = 0; r < 2; r++)
            for (size_t l = 0; l < 3; l++)
                for (int b = 0; b < 2; b++) {
                    j.rtt = rtts[r];
                    j.loss = losses[l];
                    j.bursts = b;
                    if (!check || (r == 1 && l == 1)) /* two cases a number of links */
                        whole = run_case(&j, &sums) && whole;
                }
    json(&sums);
    test_pki_fini(&pki);
    return whole && (!check || is_good(&sums)) ? 0 : 1;
}
