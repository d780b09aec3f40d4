/*
 * step.c - an application that sends less than the link carries, as video nearly always does: 30
 * units a second, 30 s at two thirds of 20 Mbit/s, then 10 s at nine tenths. After 12 s nothing
 * gets through for half a second, and windows collapse. What was missed has to be made up for in 8
 * s, and the step must find no controller that has forgotten the link: a unit is late by its own
 * time on it, two round trips and the queue at most.
 */
#include <tvl/cc.h>

#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "verbs.h"

#define MS 1000000u /* ns */
#define RATE 20000000u
#define RTT 40000u   /* us */
#define QUEUE 80000u /* us */
#define UNIT 33333u  /* us between two */
#define LOW 13333333u
#define HIGH 18000000u
#define STEP 30000000u /* us since the first unit */
#define END 40000000u
#define OUTAGE 12000000u
#define OUTAGE_TIME 500000u
#define MADE_UP 20000000u
#define UNITS 1300
/* One way, a unit's own time at the rate of the link, and what the text above grants. */
#define LATE_MAX (RTT / 2 + UNIT + 2 * RTT + QUEUE)

struct step {
    tvl_time began, next, written_at[UNITS], late[2]; /* us; 0: not yet */
    uint64_t id[UNITS];
    uint32_t left[UNITS]; /* bytes still to be written */
    unsigned made, writing, came;
    bool over, down;
};

static void write_more(struct step *s, struct tvl_conn *conn)
{
    static const uint8_t bytes[HIGH / 8 / 30 + 1];

    while (s->writing < s->made) {
        const unsigned u = s->writing;
        const int64_t r = tvl_stream_write(conn, s->id[u], bytes, s->left[u], true);

        if (r > 0)
            s->left[u] -= (uint32_t)r;
        if (s->left[u] > 0)
            return;
        s->writing++;
    }
}

static void read_all(struct step *s, struct net *n, uint64_t id)
{
    static uint8_t bytes[65536];
    const uint64_t u = id >> 2;
    bool fin = false;

    while (!fin && tvl_stream_read(net_conn(n, NET_CLIENT), id, bytes, sizeof bytes, &fin) > 0)
        ;
    if (!fin || u >= UNITS || s->written_at[u] == 0)
        return;
    const tvl_time late = net_now(n) - s->written_at[u];
    tvl_time *most = &s->late[s->written_at[u] >= s->began + STEP];

    s->came++;
    if (s->written_at[u] > s->began + MADE_UP && late > *most)
        *most = late;
}

static void on_event(void *user, struct net *n, enum net_side side, const struct tvl_event *ev)
{
    struct step *s = user;

    if (side == NET_CLIENT && ev->type == TVL_EVENT_STREAM_READABLE)
        read_all(s, n, ev->stream.id);
    if (side == NET_SERVER && ev->type == TVL_EVENT_CONNECTED)
        s->began = s->next = net_now(n);
    if (side == NET_SERVER && ev->type == TVL_EVENT_STREAM_WRITABLE)
        write_more(s, ev->conn);
}

static tvl_time on_next(void *user)
{
    const struct step *s = user;

    return s->began ? s->next : TVL_TIME_NEVER;
}

static void set_link(struct step *s, struct net *n, tvl_time at)
{
    const bool down = at >= OUTAGE && at < OUTAGE + OUTAGE_TIME;

    if (down != s->down)
        net_set_down(n, 0, NET_BOTH_WAYS, down);
    s->down = down;
}

static void on_tick(void *user, struct net *n)
{
    struct step *s = user;
    const tvl_time now = net_now(n);

    if (now >= s->began + END) {
        s->over = true;
        return;
    }
    if (now < s->next || s->made == UNITS)
        return;
    s->next += UNIT;
    set_link(s, n, now - s->began);
    if (tvl_stream_open(net_conn(n, NET_SERVER), TVL_UNI, &s->id[s->made]) != 0)
        return;
    (void)tvl_stream_set_rank(net_conn(n, NET_SERVER), s->id[s->made], s->made);
    s->written_at[s->made] = now;
    s->left[s->made] = (now >= s->began + STEP ? HIGH : LOW) / 8 / 30;
    s->made++;
    write_more(s, net_conn(n, NET_SERVER));
}

static bool is_over(void *user)
{
    return ((struct step *)user)->over;
}

/* us by which the latest unit came, before and after the step; false: units are missing. */
static bool measure(const char *cc, uint64_t seed, struct step *s)
{
    const struct vlink_config link = { .rate_bps = RATE,
                                       .delay_ns = RTT / 2 * 1000,
                                       .queue_ns = QUEUE * 1000,
                                       .overhead_bytes = VLINK_OVERHEAD_BYTES };
    const struct net_app app = {
        .event = on_event, .tick = on_tick, .next = on_next, .done = is_over
    };
    const struct net_config cfg = {
        .cc = cc, .links = 1, .link = { link }, .seed = seed, .window = 16u << 20, .pki = flow_pki()
    };

    *s = (struct step){ .made = 0 };
    struct net *n = cfg.pki ? net_new(&cfg, &app, s) : NULL;
    const bool ran = n && net_run(n, NET_START + END + 1000000);

    net_free(n);
    return ran && s->came + 10 > s->made;
}

int step_show(uint64_t seed)
{
    static struct step s;
    int bad = 0;

    printf("cc\tlate_before_ms\tlate_after_ms\n");
    for (unsigned i = 0; tvl_cc_all[i]; i++) {
        const bool whole = measure(tvl_cc_all[i]->name, seed, &s);

        bad = bad || !whole || s.late[0] > LATE_MAX || s.late[1] > LATE_MAX;
        printf("%s\t%.1f\t%.1f%s\n", tvl_cc_all[i]->name, (double)s.late[0] / 1e3,
               (double)s.late[1] / 1e3, whole ? "" : "\tunits are missing");
        fflush(stdout);
    }
    fprintf(stderr, "units may be late by %.1f ms\n", (double)LATE_MAX / 1e3);
    return bad;
}
