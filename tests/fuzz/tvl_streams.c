/*
 * tvl_streams.c - libFuzzer entry: the streams of a client and of a server, joined by packets that
 * are delivered, lost, delivered late or told of twice, as the bytes say; and frames from nowhere.
 * What is read must be what was written, in order, and never more.
 */
#include <string.h>

#include "input.h"
#include "streams.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define STEPS_MAX 600
#define FLIGHT 24  /* packets on their way */
#define RECORDS 12 /* frames of one */
#define IDS 64     /* streams looked at */

struct packet {
    bool used, arrived;
    unsigned from;
    size_t len;
    uint8_t bytes[1200];
    struct tvl_sent_frame rec[RECORDS];
    struct tvl_sent_list list;
};

struct world {
    struct tvl_streams side[2];
    uint64_t written[2][IDS], read[2][IDS];
    struct packet flight[FLIGHT];
    tvl_time now;
    bool lied; /* frames from nowhere: contents are not promised any more */
    bool dead; /* a side has refused a frame */
};

static uint8_t pattern(uint64_t id, uint64_t n)
{
    return (uint8_t)(id * 7 + n * 31 + (n >> 8));
}

static void begin(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        const struct tvl_streams_config c = { .side = i == 0 ? TVL_CLIENT : TVL_SERVER,
                                              .stream_window = 2000,
                                              .conn_window = 5000,
                                              .streams_bidi = 4,
                                              .streams_uni = 4 };

        tvl_streams_init(&w->side[i], &c);
    }
    for (int i = 0; i < 2; i++) {
        struct tvl_params p;

        tvl_params_init(&p);
        tvl_streams_fill_params(&w->side[i], &p);
        tvl_streams_set_peer(&w->side[1 - i], &p);
    }
}

static void write_some(struct world *w, unsigned i, uint64_t id, size_t len, bool fin)
{
    uint8_t bytes[1024];

    for (size_t k = 0; k < len; k++)
        bytes[k] = pattern(id, w->written[i][id] + k);
    const int64_t n = tvl_streams_write(&w->side[i], id, bytes, len, fin);
    if (n > 0)
        w->written[i][id] += (uint64_t)n;
}

static void read_some(struct world *w, unsigned i, uint64_t id, size_t cap)
{
    uint8_t bytes[1024];
    bool fin;
    const int64_t n = tvl_streams_read(&w->side[i], id, bytes, cap, &fin);

    must(n <= (int64_t)cap);
    for (int64_t k = 0; k < n && !w->lied; k++)
        must(bytes[k] == pattern(id, w->read[i][id] + (uint64_t)k));
    if (n > 0)
        w->read[i][id] += (uint64_t)n;
    must(w->lied || w->read[i][id] <= w->written[1 - i][id]);
}

static void send_packet(struct world *w, unsigned i, size_t room)
{
    for (size_t k = 0; k < FLIGHT; k++) {
        struct packet *p = &w->flight[k];

        if (p->used)
            continue;
        struct tvl_wr wr = tvl_wr_over(p->bytes, room < sizeof p->bytes ? room : sizeof p->bytes);
        *p = (struct packet){ .used = true, .from = i };
        p->list = (struct tvl_sent_list){ .v = p->rec, .cap = RECORDS };
        const uint32_t n = tvl_streams_write_frames(&w->side[i], &wr, &p->list);
        p->len = (size_t)(wr.p - p->bytes);
        must(n <= p->list.count && (n > 0) == (p->len > 0));
        p->used = n > 0;
        return;
    }
}

static void deliver(struct world *w, struct packet *p)
{
    struct tvl_rd rd = tvl_rd_over(p->bytes, p->len);
    struct tvl_frame f;

    p->arrived = true;
    while (tvl_rd_left(&rd) > 0 && !w->dead) {
        must(tvl_frame_parse(&f, &rd) == 0);
        w->dead = tvl_streams_on_frame(&w->side[1 - p->from], &f) != 0;
        must(!w->dead || w->lied);
    }
}

static void settle(struct world *w, struct packet *p, bool acked)
{
    for (uint32_t k = 0; k < p->list.count; k++)
        if (acked)
            tvl_streams_on_acked(&w->side[p->from], &p->list.v[k], w->now);
        else
            tvl_streams_on_lost(&w->side[p->from], &p->list.v[k]);
}

static void fate(struct world *w, struct packet *p, unsigned what)
{
    if (!p->used)
        return;
    if (what < 3) {
        deliver(w, p);
    } else if (what < 5 && p->arrived) {
        settle(w, p, true);
        p->used = what == 4; /* told twice, perhaps */
    } else {
        settle(w, p, false); /* perhaps wrongly: it may still arrive */
        p->used = what == 6;
    }
}

static void nowhere(struct world *w, unsigned i, struct input *in)
{
    size_t len = input_u8(in);
    const uint8_t *bytes = input_bytes(in, &len);
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    struct tvl_frame f;

    w->lied = true;
    while (tvl_rd_left(&rd) > 0 && !w->dead && tvl_frame_parse(&f, &rd) == 0)
        if (tvl_streams_owns_frame(f.type))
            w->dead = tvl_streams_on_frame(&w->side[i], &f) != 0;
}

static void poll_all(struct world *w, unsigned i)
{
    struct tvl_streams_event ev;

    for (unsigned k = 0; k < 100 && tvl_streams_poll(&w->side[i], &ev); k++)
        ;
}

static void check(const struct world *w)
{
    for (int i = 0; i < 2; i++) {
        const struct tvl_streams *s = &w->side[i];

        must(s->received <= s->recv_max && s->sent <= s->send_max);
        must(s->consumed <= s->received && tvl_streams_count(s) <= 64);
    }
}

static void step(struct world *w, struct input *in)
{
    const uint8_t what = input_u8(in);
    const unsigned i = what >> 7;
    const uint8_t arg = input_u8(in);
    struct tvl_streams *s = &w->side[i];
    uint64_t id;

    switch (what & 15) {
    case 0:
        (void)tvl_streams_open(s, arg & 1 ? TVL_UNI : TVL_BIDI, &id);
        break;
    case 1:
    case 2:
        write_some(w, i, arg % IDS, (size_t)input_u8(in) * 4, what & 16);
        break;
    case 3:
        read_some(w, i, arg % IDS, (size_t)input_u8(in) * 4);
        break;
    case 4:
        (void)tvl_streams_reset(s, arg % IDS, arg);
        break;
    case 5:
        (void)tvl_streams_stop(s, arg % IDS, arg);
        break;
    case 6:
        (void)tvl_streams_set_rank(s, arg % IDS, arg >> 4);
        break;
    case 7:
        (void)tvl_streams_set_deadline(s, arg % IDS, w->now + input_u8(in), 9);
        break;
    case 8:
        w->now += arg;
        tvl_streams_tick(s, w->now);
        break;
    case 9:
        nowhere(w, i, in);
        break;
    case 10:
    case 11:
        send_packet(w, i, (size_t)arg * 5);
        break;
    case 12:
        tvl_streams_trim(s);
        break;
    case 13:
        poll_all(w, i);
        break;
    default:
        fate(w, &w->flight[arg % FLIGHT], (what >> 4) & 7);
        break;
    }
    (void)tvl_streams_first(s);
    (void)tvl_streams_next_deadline(s);
    (void)tvl_streams_backlog(s, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };
    struct world *w = calloc(1, sizeof *w);

    must(w != NULL);
    begin(w);
    for (unsigned i = 0; i < STEPS_MAX && input_left(&in) && !w->dead; i++) {
        step(w, &in);
        if (!w->lied)
            check(w);
    }
    tvl_streams_fini(&w->side[0]);
    tvl_streams_fini(&w->side[1]);
    free(w);
    return 0;
}
