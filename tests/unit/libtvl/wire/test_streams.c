/*
 * test_streams.c - two ends wired back to back: limits, flow control, order, deadlines, violations
 * with their codes, and that a lossy link delivers every byte and leaves no stream behind.
 */
#include "unit.h"

#include "streams.h"

#define RECORDS 64

struct pair {
    struct tvl_streams client, server;
};

static tvl_time now; /* of acknowledgements */

static const struct tvl_streams_config usual = { .buffer_max = TVL_CONN_BUFFER_MAX,
                                                 .stream_window = 20000,
                                                 .conn_window = 60000,
                                                 .streams_bidi = 4,
                                                 .streams_uni = 10 };

static void pair_start(struct pair *p, struct tvl_streams_config cfg)
{
    struct tvl_params params;
    cfg.side = TVL_CLIENT;
    tvl_streams_init(&p->client, &cfg);
    cfg.side = TVL_SERVER;
    tvl_streams_init(&p->server, &cfg);
    memset(&params, 0, sizeof(params));
    tvl_streams_fill_params(&p->client, &params);
    tvl_streams_set_peer(&p->server, &params);
    tvl_streams_set_peer(&p->client, &params);
}

static void pair_end(struct pair *p)
{
    tvl_streams_fini(&p->client);
    tvl_streams_fini(&p->server);
}

struct packet {
    uint8_t bytes[1200];
    size_t len;
    struct tvl_sent_frame rec[RECORDS];
    uint32_t count;
};

static bool build(struct tvl_streams *from, struct packet *k, size_t room)
{
    struct tvl_wr w = tvl_wr_over(k->bytes, room);
    struct tvl_sent_list list = { k->rec, 0, RECORDS };
    k->count = tvl_streams_write_frames(from, &w, &list);
    assert_int_equal(k->count, list.count);
    k->len = (size_t)(w.p - k->bytes);
    return k->count > 0;
}

static void deliver(struct tvl_streams *to, const struct packet *k)
{
    struct tvl_rd rd = tvl_rd_over(k->bytes, k->len);
    while (tvl_rd_left(&rd) > 0) {
        struct tvl_frame f;
        assert_int_equal(tvl_frame_parse(&f, &rd), 0);
        assert_true(tvl_streams_owns_frame(f.type));
        assert_int_equal(tvl_streams_on_frame(to, &f), 0);
    }
}

static void acked(struct tvl_streams *from, const struct packet *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        tvl_streams_on_acked(from, &k->rec[i], now);
}

static void lost(struct tvl_streams *from, const struct packet *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        tvl_streams_on_lost(from, &k->rec[i]);
}

/* Everything there is goes over and is acknowledged at once. */
static void exchange(struct tvl_streams *a, struct tvl_streams *b)
{
    struct packet k;
    bool any = true;
    for (unsigned i = 0; any; i++) {
        assert_true(i < 20000); /* packets of 1200 bytes: more than a full buffer */
        any = false;
        if (build(a, &k, sizeof(k.bytes))) {
            any = true;
            deliver(b, &k);
            acked(a, &k);
        }
        if (build(b, &k, sizeof(k.bytes))) {
            any = true;
            deliver(a, &k);
            acked(b, &k);
        }
    }
    assert_false(tvl_streams_has_data(a));
}

static bool next_is(struct tvl_streams *ss, enum tvl_event_type type, uint64_t id)
{
    struct tvl_streams_event ev;
    return tvl_streams_poll(ss, &ev) && ev.type == type && ev.id == id;
}

static const uint8_t zeroes[100000];

static void a_stream_lives_and_is_forgotten(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id;
    uint8_t out[100];
    bool fin;
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_BIDI, &id), 0);
    assert_int_equal(id, 0);
    assert_int_equal(tvl_streams_write(&p.client, id, (const uint8_t *)"ask", 3, true), 3);
    assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 1, false), TVL_ERR_STATE);
    exchange(&p.client, &p.server);
    assert_true(next_is(&p.server, TVL_EVENT_STREAM_OPENED, 0));
    assert_true(next_is(&p.server, TVL_EVENT_STREAM_READABLE, 0));
    assert_false(tvl_streams_has_news(&p.server));
    assert_int_equal(tvl_streams_read(&p.server, 0, out, sizeof(out), &fin), 3);
    assert_true(fin);
    assert_int_equal(tvl_streams_read(&p.server, 0, out, sizeof(out), &fin), TVL_ERR_ARG);
    assert_int_equal(tvl_streams_write(&p.server, 0, (const uint8_t *)"answer", 6, true), 6);
    exchange(&p.server, &p.client);
    assert_true(next_is(&p.client, TVL_EVENT_STREAM_READABLE, 0) ||
                next_is(&p.client, TVL_EVENT_STREAM_READABLE, 0)); /* ACKED may come first */
    assert_int_equal(tvl_streams_read(&p.client, 0, out, sizeof(out), &fin), 6);
    assert_true(fin);
    struct tvl_streams_event ev;
    while (tvl_streams_poll(&p.client, &ev) || tvl_streams_poll(&p.server, &ev))
        assert_int_equal(ev.type, TVL_EVENT_STREAM_ACKED);
    assert_int_equal(tvl_streams_count(&p.client), 0);
    assert_int_equal(tvl_streams_count(&p.server), 0);
    assert_int_equal(tvl_streams_write(&p.client, 0, zeroes, 1, false), TVL_ERR_ARG);
    pair_end(&p);
}

static void stream_credit_follows_the_reader(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id;
    bool fin;
    static uint8_t out[100000];
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 50000, false), 50000);
    exchange(&p.client, &p.server);
    assert_int_equal(p.client.stats.bytes_sent, 20000);
    assert_int_equal(tvl_streams_backlog(&p.client, UINT64_MAX), 30000);
    assert_int_equal(tvl_streams_backlog(&p.client, 5), 0);
    assert_int_equal(tvl_streams_read(&p.server, id, out, 9999, &fin), 9999);
    exchange(&p.client, &p.server); /* less than half: no new credit */
    assert_int_equal(p.client.stats.bytes_sent, 20000);
    assert_int_equal(tvl_streams_read(&p.server, id, out, 1, &fin), 1);
    exchange(&p.client, &p.server);
    assert_int_equal(p.client.stats.bytes_sent, 30000);
    pair_end(&p);
}

static void connection_credit_is_shared_and_resending_needs_none(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id[4];
    bool fin;
    static uint8_t out[100000];
    struct packet k;
    pair_start(&p, usual);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id[i]), 0);
        assert_int_equal(tvl_streams_write(&p.client, id[i], zeroes, 20000, true), 20000);
    }
    assert_true(build(&p.client, &k, sizeof(k.bytes)));
    exchange(&p.client, &p.server);
    assert_int_equal(p.client.sent, 60000);
    lost(&p.client, &k); /* no credit left, still it goes out again */
    exchange(&p.client, &p.server);
    assert_int_equal(p.client.stats.bytes_resent, k.rec[0].len);
    assert_int_equal(tvl_streams_read(&p.server, id[0], out, sizeof(out), &fin), 20000);
    assert_int_equal(tvl_streams_read(&p.server, id[1], out, sizeof(out), &fin), 20000);
    exchange(&p.client, &p.server);
    assert_int_equal(p.client.sent, 80000);
    pair_end(&p);
}

static void dropped_bytes_give_their_credit_back(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id;
    pair_start(&p, usual);
    /* 10 streams of 20000 through a connection window of 60000: one half reset, one half stopped */
    for (unsigned i = 0; i < 10; i++) {
        struct tvl_streams_event ev;
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
        assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 20000, false), 20000);
        exchange(&p.client, &p.server);
        if (i % 2 == 0)
            assert_int_equal(tvl_streams_reset(&p.client, id, 7), 0);
        else
            assert_int_equal(tvl_streams_stop(&p.server, id, 8), 0);
        exchange(&p.client, &p.server);
        while (tvl_streams_poll(&p.server, &ev))
            assert_true(ev.type != TVL_EVENT_STREAM_RESET || ev.code == 7);
        while (tvl_streams_poll(&p.client, &ev))
            assert_true(ev.type != TVL_EVENT_STREAM_STOPPED || ev.code == 8);
        exchange(&p.client, &p.server);
    }
    assert_int_equal(p.client.sent, 200000);
    assert_int_equal(p.server.received, 200000);
    assert_int_equal(p.server.consumed, 200000);
    assert_int_equal(tvl_streams_count(&p.client), 0);
    assert_int_equal(tvl_streams_count(&p.server), 0);
    pair_end(&p);
}

static void stream_limits_rise_as_streams_close(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id;
    uint8_t out[4];
    bool fin;
    struct tvl_streams_event ev;
    pair_start(&p, usual);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
        assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 1, true), 1);
    }
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), TVL_ERR_FULL);
    assert_true(p.client.dir[1].want_blocked);
    exchange(&p.client, &p.server);
    while (tvl_streams_poll(&p.server, &ev))
        if (ev.type == TVL_EVENT_STREAM_READABLE && ev.id < 5 * 4)
            assert_int_equal(tvl_streams_read(&p.server, ev.id, out, 4, &fin), 1);
    exchange(&p.client, &p.server);
    assert_true(tvl_streams_poll(&p.client, &ev));
    assert_int_equal(ev.type, TVL_EVENT_STREAMS);
    assert_int_equal(ev.dir, TVL_UNI);
    assert_int_equal(p.client.dir[1].own_max, 15);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(id, 10 * 4 + 2);
    pair_end(&p);
}

static void a_higher_id_opens_the_lower_ones(void **state)
{
    (void)state;
    struct pair p;
    pair_start(&p, usual);
    struct tvl_frame f = { .type = 0x08, .stream = { 8, 0, zeroes, 1, false } };
    assert_int_equal(tvl_streams_on_frame(&p.server, &f), 0);
    assert_int_equal(tvl_streams_count(&p.server), 3);
    for (uint64_t id = 0; id <= 8; id += 4)
        assert_true(next_is(&p.server, TVL_EVENT_STREAM_OPENED, id));
    pair_end(&p);
}

static void rank_orders_then_id(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id[4];
    static const uint64_t rank[4] = { 30, 10, 20, 10 };
    static const unsigned order[4] = { 1, 3, 2, 0 };
    struct packet k;
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_first(&p.client).rank, UINT64_MAX);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id[i]), 0);
        assert_int_equal(tvl_streams_write(&p.client, id[i], zeroes, 50, true), 50);
        assert_int_equal(tvl_streams_set_rank(&p.client, id[i], rank[i]), 0);
    }
    assert_int_equal(tvl_streams_first(&p.client).rank, 10);
    assert_int_equal(tvl_streams_first(&p.client).id, id[1]);
    assert_int_equal(tvl_streams_backlog(&p.client, 20), 150);
    assert_true(build(&p.client, &k, sizeof(k.bytes)));
    assert_int_equal(k.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(k.rec[i].id, id[order[i]]);
    lost(&p.client, &k); /* a resend keeps its place in the order */
    assert_true(build(&p.client, &k, 120));
    assert_int_equal(k.rec[0].id, id[1]);
    assert_int_equal(k.rec[1].id, id[3]);
    pair_end(&p);
}

/* What is held back for another path is left out, and what comes after it is not. */
static void a_packet_may_begin_further_back(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id[4];
    static const uint64_t rank[4] = { 30, 10, 20, 10 };
    static const unsigned order[4] = { 1, 3, 2, 0 };
    struct tvl_streams_demand d;
    struct packet k, before;
    pair_start(&p, usual);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id[i]), 0);
        assert_int_equal(tvl_streams_write(&p.client, id[i], zeroes, 200, true), 200);
        assert_int_equal(tvl_streams_set_rank(&p.client, id[i], rank[i]), 0);
    }
    assert_true(build(&p.client, &before, 120)); /* a piece of the first is lost later */
    lost(&p.client, &before);
    tvl_streams_look(&p.client, NULL, &d);
    for (unsigned i = 0; i < 4; i++) {
        const struct tvl_streams_head at = d.head;
        assert_int_equal(at.id, id[order[i]]);
        assert_int_equal(at.rank, rank[order[i]]);
        assert_int_equal(d.again, i == 0);
        tvl_streams_look(&p.client, &at, &d);
    }
    assert_int_equal(d.head.rank, UINT64_MAX);
    struct tvl_wr w = tvl_wr_over(k.bytes, sizeof k.bytes);
    struct tvl_sent_list list = { k.rec, 0, RECORDS };
    const struct tvl_streams_head from = { .rank = 20, .id = id[2] };
    assert_int_equal(tvl_streams_write_from(&p.client, &from, 0, &w, &list), 2);
    assert_int_equal(k.rec[0].id, id[2]);
    assert_int_equal(k.rec[1].id, id[0]);
    pair_end(&p);
}

static void deadlines_expire_unless_acknowledged(void **state)
{
    (void)state;
    struct pair p;
    uint64_t a, b;
    struct packet k;
    struct tvl_streams_event ev;
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_next_deadline(&p.client), TVL_TIME_NEVER);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &a), 0);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &b), 0);
    assert_int_equal(tvl_streams_write(&p.client, a, zeroes, 10, true), 10);
    assert_int_equal(tvl_streams_write(&p.client, b, zeroes, 10000, true), 10000);
    assert_int_equal(tvl_streams_set_deadline(&p.client, a, 500, 1), 0);
    assert_int_equal(tvl_streams_set_deadline(&p.client, b, 900, 77), 0);
    assert_int_equal(tvl_streams_next_deadline(&p.client), 500);
    assert_true(build(&p.client, &k, sizeof(k.bytes))); /* all of a, some of b */
    deliver(&p.server, &k);
    acked(&p.client, &k);
    assert_int_equal(tvl_streams_next_deadline(&p.client), 900);
    assert_true(next_is(&p.client, TVL_EVENT_STREAM_ACKED, a));
    tvl_streams_tick(&p.client, 899);
    assert_false(tvl_streams_has_news(&p.client));
    tvl_streams_tick(&p.client, 900);
    assert_true(tvl_streams_poll(&p.client, &ev));
    assert_int_equal(ev.type, TVL_EVENT_STREAM_EXPIRED);
    assert_int_equal(ev.code, 77);
    assert_int_equal(tvl_streams_backlog(&p.client, UINT64_MAX), 0);
    assert_int_equal(p.client.stats.expired, 1);
    exchange(&p.client, &p.server);
    assert_int_equal(tvl_streams_count(&p.client), 0);
    bool told = false;
    while (tvl_streams_poll(&p.server, &ev))
        told = told || (ev.type == TVL_EVENT_STREAM_RESET && ev.id == b && ev.code == 77);
    assert_true(told);
    pair_end(&p);
}

/* What the single calls would say, and all bytes of it or none. */
static void a_message_has_its_own_stream(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id, other;
    uint8_t out[10];
    bool fin;
    struct tvl_stream_stats stats;
    const struct tvl_part part[] = { { (const uint8_t *)"he", 2 }, { (const uint8_t *)"llo", 3 } };
    const struct tvl_part large = { zeroes, 1001 };
    const struct tvl_flow_config rule = { .window = 1000, .lifetime = 30, .code = 9 };
    struct tvl_stream_order order = {
        .dir = TVL_UNI, .rank = 5, .deadline = TVL_TIME_NEVER, .flow = 3
    };
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_set_rule(&p.client, 3, &rule), 0);
    assert_int_equal(tvl_streams_send(&p.client, &order, &large, 1, 100, &id), TVL_ERR_FULL);
    order.flow = TVL_FLOWS_MAX;
    assert_int_equal(tvl_streams_send(&p.client, &order, part, 2, 100, &id), TVL_ERR_ARG);
    assert_int_equal(tvl_streams_count(&p.client), 0);
    order.flow = 3;
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &other), 0);
    assert_int_equal(tvl_streams_write(&p.client, other, zeroes, 1, true), 1);
    assert_int_equal(tvl_streams_send(&p.client, &order, part, 2, 100, &id), 0);
    assert_int_equal(tvl_streams_get_stats(&p.client, id, &stats), 0);
    assert_int_equal(stats.rank, 5);
    assert_int_equal(stats.flow, 3);
    assert_int_equal(stats.deadline, 130); /* the flow's */
    assert_int_equal(tvl_streams_first(&p.client).id, id);
    assert_int_equal(tvl_streams_backlog(&p.client, 5), 5);
    assert_int_equal(tvl_streams_next_deadline(&p.client), 130);
    exchange(&p.client, &p.server);
    assert_int_equal(tvl_streams_read(&p.server, id, out, sizeof(out), &fin), 5);
    assert_true(fin);
    assert_memory_equal(out, "hello", 5);
    assert_int_equal(tvl_streams_next_deadline(&p.client), TVL_TIME_NEVER);
    order.deadline = 200;
    order.code = 7;
    assert_int_equal(tvl_streams_send(&p.client, &order, NULL, 0, 150, &id), 0); /* only an end */
    assert_int_equal(tvl_streams_next_deadline(&p.client), 200);
    exchange(&p.client, &p.server);
    assert_int_equal(tvl_streams_read(&p.server, id, out, sizeof(out), &fin), 0);
    assert_true(fin);
    int result = 0;
    for (unsigned i = 0; i < 20 && result == 0; i++)
        result = tvl_streams_send(&p.client, &order, part, 2, 150, &id);
    assert_int_equal(result, TVL_ERR_FULL);
    pair_end(&p);
}

static void a_short_write_is_followed_by_writable(void **state)
{
    (void)state;
    struct pair p;
    struct tvl_streams_config cfg = usual;
    cfg.stream_window = cfg.conn_window = 16 << 20;
    uint64_t id;
    uint8_t *big = calloc(1, TVL_STREAM_BUFFER_MAX + 1);
    pair_start(&p, cfg);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_write(&p.client, id, big, TVL_STREAM_BUFFER_MAX + 1, true),
                     TVL_STREAM_BUFFER_MAX);
    assert_false(tvl_streams_has_news(&p.client));
    exchange(&p.client, &p.server);
    assert_true(next_is(&p.client, TVL_EVENT_STREAM_WRITABLE, id));
    assert_int_equal(tvl_streams_write(&p.client, id, big, 1, true), 1);
    pair_end(&p);
    free(big);
}

/* The first frame may be without error; the second must give the code. At a server. */
static const struct {
    const char *what;
    int error;
    struct tvl_frame first, second;
} violations[] = {
    { "data on the server's own uni stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = 0x08, .stream = { 3, 0, zeroes, 1, false } } },
    { "data on a bidi stream the server has not opened",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = 0x08, .stream = { 1, 0, zeroes, 1, false } } },
    { "reset of the server's own uni stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 3, 0, 0 } } },
    { "stop of the client's uni stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_STOP_SENDING, .reset = { 2, 0, 0 } } },
    { "stop of an unopened stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_STOP_SENDING, .reset = { 3, 0, 0 } } },
    { "credit for the client's uni stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_MAX_STREAM_DATA, .limit = { 2, 9 } } },
    { "blocked on the server's uni stream",
      TVL_WIRE_STREAM_STATE_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_STREAM_DATA_BLOCKED, .limit = { 3, 9 } } },
    { "bidi stream above the limit",
      TVL_WIRE_STREAM_LIMIT_ERROR,
      { .type = 0x08, .stream = { 12, 0, zeroes, 1, false } },
      { .type = 0x08, .stream = { 16, 0, zeroes, 1, false } } },
    { "uni stream above the limit",
      TVL_WIRE_STREAM_LIMIT_ERROR,
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 38, 0, 0 } },
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 42, 0, 0 } } },
    { "stream credit exceeded",
      TVL_WIRE_FLOW_CONTROL_ERROR,
      { .type = 0x0c, .stream = { 2, 19999, zeroes, 1, false } },
      { .type = 0x0c, .stream = { 2, 20000, zeroes, 1, false } } },
    { "stream credit exceeded by a final size",
      TVL_WIRE_FLOW_CONTROL_ERROR,
      { .type = TVL_FRAME_DATA_BLOCKED },
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 2, 0, 20001 } } },
    { "end below what came",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = 0x0c, .stream = { 2, 100, zeroes, 10, false } },
      { .type = 0x09, .stream = { 2, 0, zeroes, 50, true } } },
    { "end moved",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = 0x0d, .stream = { 2, 100, zeroes, 10, true } },
      { .type = 0x0d, .stream = { 2, 100, zeroes, 11, true } } },
    { "data behind the end",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = 0x0d, .stream = { 2, 100, zeroes, 10, true } },
      { .type = 0x0c, .stream = { 2, 110, zeroes, 1, false } } },
    { "reset with another size",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = 0x0d, .stream = { 2, 100, zeroes, 10, true } },
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 2, 0, 109 } } },
    { "reset below what came",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = 0x0c, .stream = { 2, 100, zeroes, 10, false } },
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 2, 0, 109 } } },
    { "data behind a reset",
      TVL_WIRE_FINAL_SIZE_ERROR,
      { .type = TVL_FRAME_RESET_STREAM, .reset = { 2, 0, 109 } },
      { .type = 0x0c, .stream = { 2, 109, zeroes, 1, false } } },
};

static void violations_name_their_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(violations); i++) {
        struct pair p;
        pair_start(&p, usual);
        assert_int_equal(tvl_streams_on_frame(&p.server, &violations[i].first), 0);
        int res = tvl_streams_on_frame(&p.server, &violations[i].second);
        if (res != -violations[i].error)
            fail_msg("%s: %d instead of %d", violations[i].what, res, -violations[i].error);
        pair_end(&p);
    }
    struct pair p; /* the whole connection's credit, by three streams and a reset */
    pair_start(&p, usual);
    for (uint64_t id = 2; id <= 10; id += 4) {
        struct tvl_frame f = { .type = 0x0c, .stream = { id, 19999, zeroes, 1, false } };
        assert_int_equal(tvl_streams_on_frame(&p.server, &f), 0);
    }
    struct tvl_frame f = { .type = TVL_FRAME_RESET_STREAM, .reset = { 14, 0, 1 } };
    assert_int_equal(tvl_streams_on_frame(&p.server, &f), -TVL_WIRE_FLOW_CONTROL_ERROR);
    pair_end(&p);
}

/* ---- a link that loses, delays and lies about loss ---- */

enum { FLIGHT = 32, STREAMS = 300, BYTES_MAX = 5000 };

struct flight {
    struct packet k;
    bool used, to_server, arrived;
};

struct run {
    struct pair p;
    struct flight air[FLIGHT];
    uint64_t dice, got[STREAMS];
    unsigned opened, ended, acked;
};

static uint8_t byte_of(uint64_t id, uint64_t at)
{
    return (uint8_t)(id * 7 + at * 13);
}

static void app_sends(struct run *r)
{
    uint64_t id;
    uint8_t bytes[BYTES_MAX];
    if (r->opened == STREAMS || tvl_streams_open(&r->p.client, TVL_UNI, &id) < 0)
        return;
    size_t len = (size_t)seeded_below(&r->dice, BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_of(id, i);
    assert_int_equal(tvl_streams_write(&r->p.client, id, bytes, len, true), len);
    assert_int_equal(tvl_streams_set_rank(&r->p.client, id, seeded_below(&r->dice, 4)), 0);
    r->opened++;
}

static void app_reads(struct run *r)
{
    struct tvl_streams_event ev;
    while (tvl_streams_poll(&r->p.client, &ev))
        r->acked += ev.type == TVL_EVENT_STREAM_ACKED;
    while (tvl_streams_poll(&r->p.server, &ev)) {
        uint8_t out[700];
        bool fin = false;
        int64_t n = 1;
        if (ev.type != TVL_EVENT_STREAM_READABLE)
            continue;
        uint64_t *got = &r->got[ev.id >> 2];
        while (!fin && (n = tvl_streams_read(&r->p.server, ev.id, out, sizeof(out), &fin)) > 0)
            for (int64_t i = 0; i < n; i++)
                assert_int_equal(out[i], byte_of(ev.id, (*got)++));
        assert_true(n >= 0);
        r->ended += fin;
    }
}

static void link_moves(struct run *r)
{
    struct flight *f = &r->air[seeded_below(&r->dice, FLIGHT)];
    if (!f->used) {
        f->to_server = seeded_below(&r->dice, 3) > 0;
        f->arrived = false;
        f->used = build(f->to_server ? &r->p.client : &r->p.server, &f->k,
                        60 + (size_t)seeded_below(&r->dice, 1140));
        return;
    }
    struct tvl_streams *from = f->to_server ? &r->p.client : &r->p.server;
    struct tvl_streams *to = f->to_server ? &r->p.server : &r->p.client;
    switch (seeded_below(&r->dice, 8)) {
    case 0: /* lost, or only thought so */
        lost(from, &f->k);
        f->used = f->arrived;
        break;
    case 1:
    case 2: /* arrives, maybe again */
        deliver(to, &f->k);
        f->arrived = true;
        break;
    default:
        if (f->arrived) {
            acked(from, &f->k);
            f->used = seeded_below(&r->dice, 8) == 0;
        }
    }
}

static void a_bad_link_delivers_all_and_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct run *r = calloc(1, sizeof(*r));
        r->dice = seed;
        pair_start(&r->p, usual);
        for (unsigned step = 0; r->acked < STREAMS || r->ended < STREAMS; step++) {
            if (step > 2000000)
                fail_msg("seed %llu: stuck with %u opened, %u ended, %u acknowledged",
                         (unsigned long long)seed, r->opened, r->ended, r->acked);
            if (seeded_below(&r->dice, 10) == 0)
                app_sends(r);
            link_moves(r);
            if (seeded_below(&r->dice, 3) == 0)
                app_reads(r);
        }
        assert_int_equal(tvl_streams_count(&r->p.client), 0);
        assert_int_equal(tvl_streams_count(&r->p.server), 0);
        assert_int_equal(r->p.client.again.count + r->p.client.fresh.count, 0);
        assert_int_equal(r->p.server.received, r->p.server.consumed);
        assert_int_equal(r->p.client.sent, r->p.server.received);
        assert_int_equal(r->p.server.stats.bytes_received, r->p.server.received);
        pair_end(&r->p);
        free(r);
    }
}

static void bytes_can_be_taken_without_a_copy(void **state)
{
    (void)state;
    struct pair p;
    static uint8_t bytes[15000];
    const uint8_t *at;
    uint64_t id, taken = 0;
    bool fin = false;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_peek(&p.client, id, &at, &fin), TVL_ERR_ARG); /* send-only */
    for (unsigned round = 0; round < 6; round++) { /* round and round the buffer */
        const bool last = round == 5;
        size_t left = sizeof bytes;

        assert_int_equal(tvl_streams_write(&p.client, id, bytes, sizeof bytes, last), sizeof bytes);
        exchange(&p.client, &p.server);
        assert_int_equal(tvl_streams_consume(&p.server, id, sizeof bytes + 1, &fin), TVL_ERR_ARG);
        while (left > 0) {
            const int64_t n = tvl_streams_peek(&p.server, id, &at, &fin);
            const size_t some = n > 4000 ? 4000 : (size_t)n;

            assert_true(n > 0 && (size_t)n <= left);
            assert_memory_equal(at, bytes + (sizeof bytes - left), (size_t)n);
            assert_int_equal(fin, last && (size_t)n == left);
            assert_int_equal(tvl_streams_consume(&p.server, id, some, &fin), 0);
            assert_int_equal(fin, last && some == left);
            left -= some;
            taken += some;
        }
        if (!last)
            assert_int_equal(tvl_streams_peek(&p.server, id, &at, &fin), 0);
        exchange(&p.server, &p.client); /* credit */
    }
    assert_int_equal(p.server.consumed, taken);
    pair_end(&p);
}

static void a_quiet_stream_gives_its_memory_back(void **state)
{
    (void)state;
    struct pair p;
    struct tvl_streams_config wide = usual;
    const size_t len = TVL_STREAM_KEEP + 1000;
    uint8_t *bytes = calloc(2, len);
    uint64_t id;
    bool fin;

    wide.stream_window = wide.conn_window = 4 * len;
    pair_start(&p, wide);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_write(&p.client, id, bytes, len, false), len);
    assert_true(p.client.large && !p.server.large);
    tvl_streams_trim(&p.client); /* what is still owed stays */
    assert_non_null(tvl_streams_find(&p.client, id)->out.ring);
    exchange(&p.client, &p.server);
    assert_true(p.server.large);
    tvl_streams_trim(&p.server);
    assert_int_equal(tvl_streams_read(&p.server, id, bytes, 2 * len, &fin), len);
    assert_non_null(tvl_streams_find(&p.server, id)->in.ring); /* busy: it may be used again */
    tvl_streams_trim(&p.client);
    tvl_streams_trim(&p.server);
    assert_null(tvl_streams_find(&p.client, id)->out.ring);
    assert_null(tvl_streams_find(&p.server, id)->in.ring);
    assert_false(p.client.large || p.server.large);
    assert_int_equal(tvl_streams_write(&p.client, id, bytes, 10, false), 10);
    exchange(&p.client, &p.server);
    assert_int_equal(tvl_streams_read(&p.server, id, bytes, len, &fin), 10);
    pair_end(&p);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_lives_and_is_forgotten),
        cmocka_unit_test(stream_credit_follows_the_reader),
        cmocka_unit_test(connection_credit_is_shared_and_resending_needs_none),
        cmocka_unit_test(dropped_bytes_give_their_credit_back),
        cmocka_unit_test(stream_limits_rise_as_streams_close),
        cmocka_unit_test(a_higher_id_opens_the_lower_ones),
        cmocka_unit_test(rank_orders_then_id),
        cmocka_unit_test(a_packet_may_begin_further_back),
        cmocka_unit_test(deadlines_expire_unless_acknowledged),
        cmocka_unit_test(a_message_has_its_own_stream),
        cmocka_unit_test(a_short_write_is_followed_by_writable),
        cmocka_unit_test(bytes_can_be_taken_without_a_copy),
        cmocka_unit_test(a_quiet_stream_gives_its_memory_back),
        cmocka_unit_test(violations_name_their_code),
        cmocka_unit_test(a_bad_link_delivers_all_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
