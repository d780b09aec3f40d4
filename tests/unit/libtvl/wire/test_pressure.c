/*
 * test_pressure.c - streams under pressure: what a reader that does not read, a peer that sends in
 * crumbs, and deadlines that pass do to memory; resets and stops in every state of RFC 9000 3.
 */
#include "unit.h"

#include "streams.h"

#define RECORDS 64

static const uint8_t zeroes[1 << 20];

static const struct tvl_streams_config usual = { .buffer_max = 100000,
                                                 .stream_window = 20000,
                                                 .conn_window = 60000,
                                                 .streams_bidi = 4,
                                                 .streams_uni = 200 };

struct pair {
    struct tvl_streams client, server;
    tvl_time now;
};

static void pair_start(struct pair *p, struct tvl_streams_config cfg)
{
    struct tvl_params params;

    memset(&params, 0, sizeof params);
    p->now = 1000;
    cfg.side = TVL_CLIENT;
    tvl_streams_init(&p->client, &cfg);
    cfg.side = TVL_SERVER;
    tvl_streams_init(&p->server, &cfg);
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

static bool build(struct tvl_streams *from, struct packet *k)
{
    struct tvl_wr w = tvl_wr_over(k->bytes, sizeof k->bytes);
    struct tvl_sent_list list = { k->rec, 0, RECORDS };

    k->count = tvl_streams_write_frames(from, &w, &list);
    k->len = (size_t)(w.p - k->bytes);
    return k->count > 0;
}

static void deliver(struct tvl_streams *to, const struct packet *k)
{
    struct tvl_rd rd = tvl_rd_over(k->bytes, k->len);

    while (tvl_rd_left(&rd) > 0) {
        struct tvl_frame f;

        assert_int_equal(tvl_frame_parse(&f, &rd), 0);
        assert_int_equal(tvl_streams_on_frame(to, &f), 0);
    }
}

static void acked(struct tvl_streams *from, const struct packet *k, tvl_time now)
{
    for (uint32_t i = 0; i < k->count; i++)
        tvl_streams_on_acked(from, &k->rec[i], now);
}

static void lost(struct tvl_streams *from, const struct packet *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        tvl_streams_on_lost(from, &k->rec[i]);
}

static void exchange(struct pair *p)
{
    struct packet k;
    bool any = true;

    for (unsigned i = 0; any; i++) {
        assert_true(i < 10000);
        any = build(&p->client, &k);
        if (any) {
            deliver(&p->server, &k);
            acked(&p->client, &k, p->now);
        }
        if (build(&p->server, &k)) {
            any = true;
            deliver(&p->client, &k);
            acked(&p->server, &k, p->now);
        }
    }
}

static bool poll_for(struct tvl_streams *ss, enum tvl_event_type type, uint64_t id)
{
    struct tvl_streams_event ev;
    bool found = false;

    while (tvl_streams_poll(ss, &ev))
        found = found || (ev.type == type && ev.id == id);
    return found;
}

static void read_everything(struct tvl_streams *ss)
{
    static uint8_t out[1 << 16];
    struct tvl_streams_event ev;
    bool fin;

    while (tvl_streams_poll(ss, &ev))
        if (ev.type == TVL_EVENT_STREAM_READABLE)
            while (tvl_streams_read(ss, ev.id, out, sizeof out, &fin) > 0)
                ;
}

/* Bytes taken from the allocator for stream data in either direction. */
static uint64_t memory(const struct tvl_streams *ss)
{
    const struct tvl_stream *s, *next;
    uint64_t bytes = 0;

    HASH_ITER(hh, ss->table, s, next)
    bytes += s->out.cap + s->in.cap +
             sizeof(struct tvl_range) * (s->in.got.cap + s->out.acked.cap + s->out.lost.cap);
    return bytes;
}

/* ---- the sender ---- */

static void all_streams_share_one_bound(void **state)
{
    (void)state;
    struct pair p;
    uint64_t id[3];

    pair_start(&p, usual);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id[i]), 0);
    assert_int_equal(tvl_streams_write(&p.client, id[0], zeroes, 70000, false), 70000);
    assert_int_equal(tvl_streams_write(&p.client, id[1], zeroes, 70000, true), 30000);
    assert_int_equal(tvl_streams_write(&p.client, id[2], zeroes, 10, true), 0);
    assert_int_equal(tvl_streams_write(&p.client, id[2], NULL, 0, false), 0);
    assert_int_equal(tvl_streams_write(&p.client, id[2], zeroes, 10, true), 0);
    assert_int_equal(p.client.held, 100000);
    assert_false(tvl_streams_has_news(&p.client));

    /* Nobody reads: credit for 60000 bytes, no more; then what is acknowledged makes room. */
    exchange(&p);
    assert_int_equal(p.client.held, 100000 - 40000); /* two streams of 20000 each */
    assert_true(poll_for(&p.client, TVL_EVENT_STREAM_WRITABLE, id[2]));
    assert_int_equal(tvl_streams_write(&p.client, id[2], zeroes, 10, true), 10);
    assert_int_equal(tvl_streams_write(&p.client, id[1], zeroes, 40000, true), 39990);
    assert_int_equal(p.client.held, 100000);
    pair_end(&p);
}

static void a_reset_gives_its_room_to_others(void **state)
{
    (void)state;
    struct pair p;
    uint64_t a, b;

    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &a), 0);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &b), 0);
    assert_int_equal(tvl_streams_write(&p.client, a, zeroes, 200000, false), 100000);
    assert_int_equal(tvl_streams_write(&p.client, b, zeroes, 1, false), 0);
    assert_int_equal(tvl_streams_reset(&p.client, a, 5), 0);
    assert_int_equal(p.client.held, 0);
    assert_true(poll_for(&p.client, TVL_EVENT_STREAM_WRITABLE, b));
    pair_end(&p);
}

static void a_reader_that_never_reads_stops_the_writer(void **state)
{
    (void)state;
    struct tvl_streams_config cfg = usual;
    struct pair p;
    uint64_t id;
    uint64_t written = 0;

    cfg.buffer_max = TVL_CONN_BUFFER_MAX;
    pair_start(&p, cfg);
    for (unsigned i = 0; i < 100; i++) {
        if (i < 20)
            assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
        const int64_t n = tvl_streams_write(&p.client, 4 * (i % 20) + 2, zeroes, 500000, false);
        assert_true(n >= 0);
        written += (uint64_t)n;
        exchange(&p);
        assert_true(p.client.held <= cfg.buffer_max);
    }
    assert_int_equal(p.server.received, cfg.conn_window);
    assert_int_equal(written, p.client.held + cfg.conn_window);
    assert_true(memory(&p.client) <= 2 * p.client.held + cfg.buffer_max / 4);
    assert_true(memory(&p.server) <= 4 * cfg.conn_window);
    read_everything(&p.server);
    exchange(&p);
    assert_true(p.server.received > cfg.conn_window);
    pair_end(&p);
}

/* A ring that was large does not stay so for the sake of a few bytes. */
static void memory_follows_what_is_held(void **state)
{
    (void)state;
    struct tvl_streams_config cfg = usual;
    struct packet k, held_back;
    struct pair p;
    uint64_t id;

    cfg.buffer_max = 4 << 20;
    cfg.stream_window = cfg.conn_window = 4 << 20;
    pair_start(&p, cfg);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 1 << 20, false), 1 << 20);
    assert_true(memory(&p.client) >= 3 << 20);
    for (unsigned i = 0; build(&p.client, &k); i++) {
        if (i == 2500) {
            held_back = k; /* on its way, neither acknowledged nor delivered */
            continue;
        }
        deliver(&p.server, &k);
        acked(&p.client, &k, p.now);
    }
    const uint64_t left = p.client.held;
    assert_true(left > 100000 && left < 500000);
    assert_true(memory(&p.client) <= 2 * left + cfg.buffer_max / 4);
    read_everything(&p.server);
    assert_true(memory(&p.server) >= left); /* what came after the hole waits */
    deliver(&p.server, &held_back);
    acked(&p.client, &held_back, p.now);
    read_everything(&p.server);
    assert_int_equal(p.client.held, 0);
    assert_true(memory(&p.client) <= cfg.buffer_max / 4 + 2048);
    tvl_streams_trim(&p.client);
    tvl_streams_trim(&p.server);
    assert_true(memory(&p.client) + memory(&p.server) <= 3 * 1024);
    pair_end(&p);
}

/* ---- the receiver against a hostile peer ---- */

static int crumb(struct tvl_streams *ss, uint64_t id, uint64_t offset, size_t len)
{
    struct tvl_frame f = { .type = TVL_FRAME_STREAM };

    f.stream.id = id;
    f.stream.offset = offset;
    f.stream.bytes = zeroes;
    f.stream.len = len;
    f.stream.fin = false;
    return tvl_streams_on_frame(ss, &f);
}

static void crumbs_are_bounded_over_all_streams(void **state)
{
    (void)state;
    struct tvl_streams_config cfg = usual;
    const uint64_t most = TVL_STREAMS_PIECES_MIN + (16u << 20) / TVL_STREAMS_PIECE;
    uint64_t taken = 0;
    struct pair p;
    int r = 0;

    cfg.conn_window = 16 << 20;
    cfg.stream_window = 1 << 20;
    pair_start(&p, cfg);
    for (uint64_t id = 2; r == 0 && id < 4 * cfg.streams_uni; id += 4)
        for (uint64_t i = 0; r == 0 && i < 1000; i++, taken += r == 0)
            r = crumb(&p.server, id, 2 * i + 1, 1);
    assert_int_equal(r, -TVL_WIRE_INTERNAL_ERROR);
    assert_int_equal(taken, most);
    assert_true(memory(&p.server) <= 2 * most * sizeof(struct tvl_range) + 40 * 4096);
    pair_end(&p);
}

/* All is read but one byte at the far end of each stream: no stream keeps its window's worth. */
static void a_byte_left_behind_keeps_no_ring(void **state)
{
    (void)state;
    struct tvl_streams_config cfg = usual;
    struct packet k;
    struct pair p;

    cfg.conn_window = 16 << 20;
    cfg.stream_window = 1 << 20;
    pair_start(&p, cfg);
    for (uint64_t id = 2; id < 4 * 100; id += 4) {
        assert_int_equal(crumb(&p.server, id, 900001, 1), 0);
        assert_int_equal(crumb(&p.server, id, 0, 900000), 0);
        read_everything(&p.server);
        while (build(&p.server, &k)) /* credit for the next */
            acked(&p.server, &k, p.now);
    }
    assert_true(memory(&p.server) <= 2 * cfg.conn_window + (4 << 20));
    pair_end(&p);
}

/* ---- deadlines ---- */

static void an_expired_stream_leaves_at_once(void **state)
{
    (void)state;
    struct tvl_flow_stats fs;
    struct packet first, k;
    struct pair p;
    uint64_t a, b;

    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &a), 0);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &b), 0);
    assert_int_equal(tvl_streams_set_deadline(&p.client, a, 5000, 9), 0);
    assert_int_equal(tvl_streams_write(&p.client, a, zeroes, 50000, true), 50000);
    assert_true(build(&p.client, &first)); /* will be lost */
    while (build(&p.client, &k)) {         /* up to the stream's credit: blocked then */
        deliver(&p.server, &k);
        acked(&p.client, &k, 2000);
    }
    assert_false(tvl_streams_has_data(&p.client));
    tvl_streams_tick(&p.client, 5000);
    assert_int_equal(p.client.held, 0);
    assert_int_equal(memory(&p.client), 0);
    assert_true(tvl_streams_has_data(&p.client)); /* the reset needs no credit */
    lost(&p.client, &first);                      /* and its lost bytes do not come back */
    assert_true(build(&p.client, &k));
    assert_int_equal(k.count, 1);
    assert_int_equal(k.rec[0].kind, TVL_SENT_RESET_STREAM);
    assert_false(tvl_streams_has_data(&p.client));
    deliver(&p.server, &k);
    assert_true(poll_for(&p.server, TVL_EVENT_STREAM_RESET, a));
    assert_int_equal(p.server.received, 20000); /* the final size counts for the connection */
    assert_true(poll_for(&p.client, TVL_EVENT_STREAM_EXPIRED, a));
    tvl_flows_get(&p.client.flows, 0, &fs);
    assert_int_equal(fs.streams, 1);
    assert_int_equal(fs.expired, 1);
    assert_int_equal(fs.bytes_expired, 50000);
    pair_end(&p);
}

static void flows_know_their_margins(void **state)
{
    (void)state;
    struct tvl_flow_stats fs;
    struct pair p;
    uint64_t id;

    pair_start(&p, usual);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
        assert_int_equal(tvl_streams_set_flow(&p.client, id, 7, 0), 0);
        assert_int_equal(tvl_streams_set_deadline(&p.client, id, 1000000, 1), 0);
        assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 100, true), 100);
        p.now = 1000000 - 1000 * (i + 1); /* margins of 1 ms to 100 ms */
        exchange(&p);
        (void)poll_for(&p.client, TVL_EVENT_STREAM_ACKED, id);
        read_everything(&p.server);
    }
    assert_int_equal(tvl_streams_set_flow(&p.client, id, TVL_FLOWS_MAX, 0), TVL_ERR_ARG);
    tvl_flows_get(&p.client.flows, 7, &fs);
    assert_int_equal(fs.streams, 100);
    assert_int_equal(fs.in_time, 100);
    assert_int_equal(fs.bytes_in_time, 10000);
    assert_int_equal(fs.margin_min, 1000);
    assert_int_equal(fs.margin_mean, 50500);
    assert_in_range(fs.margin_p10, 11000 * 3 / 4, 11000);
    tvl_flows_get(&p.client.flows, 6, &fs);
    assert_int_equal(fs.streams, 0);

    /* Acknowledged after its deadline, before the clock looked: neither in time nor expired. */
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_set_flow(&p.client, id, 6, 0), 0);
    assert_int_equal(tvl_streams_set_deadline(&p.client, id, 10, 1), 0);
    assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 100, true), 100);
    p.now = 11;
    exchange(&p);
    tvl_flows_get(&p.client.flows, 6, &fs);
    assert_int_equal(fs.streams, 1);
    assert_int_equal(fs.in_time, 0);
    assert_int_equal(fs.margin_min, 0);
    pair_end(&p);
}

static void stream_statistics_add_up(void **state)
{
    (void)state;
    struct tvl_stream_stats st;
    struct packet k;
    struct pair p;
    uint64_t id;

    pair_start(&p, usual);
    assert_int_equal(tvl_streams_open(&p.client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_set_rank(&p.client, id, 3), 0);
    assert_int_equal(tvl_streams_write(&p.client, id, zeroes, 3000, true), 3000);
    assert_true(build(&p.client, &k));
    lost(&p.client, &k);
    assert_true(build(&p.client, &k));
    deliver(&p.server, &k);
    acked(&p.client, &k, p.now);
    const uint64_t one = k.rec[0].len;
    assert_int_equal(tvl_streams_get_stats(&p.client, id, &st), 0);
    assert_int_equal(st.written, 3000);
    assert_int_equal(st.sent, one);
    assert_int_equal(st.resent, one);
    assert_int_equal(st.acked, one);
    assert_int_equal(st.rank, 3);
    assert_int_equal(st.send_max, usual.stream_window);
    assert_int_equal(tvl_streams_get_stats(&p.server, id, &st), 0);
    assert_int_equal(st.received, one);
    assert_int_equal(st.read, 0);
    assert_int_equal(tvl_streams_reset(&p.client, id, 1), 0);
    assert_int_equal(tvl_streams_get_stats(&p.client, id, &st), 0);
    assert_int_equal(st.written, 3000);
    assert_int_equal(st.acked, one);
    assert_int_equal(tvl_streams_get_stats(&p.client, 4 * 9 + 2, &st), TVL_ERR_ARG);
    pair_end(&p);
}

/* ---- RFC 9000 3: resets and stops in every state ---- */

enum before { READY, SEND, DATA_SENT, DATA_RECVD, RESET_SENT, RESET_RECVD };

/* Bring a fresh stream of the client's into the state; true while it exists there. */
static uint64_t stream_in(struct pair *p, enum before state)
{
    struct packet k;
    uint64_t id;

    assert_int_equal(tvl_streams_open(&p->client, TVL_UNI, &id), 0);
    assert_int_equal(tvl_streams_write(&p->client, id, zeroes, 100, state >= DATA_SENT), 100);
    if (state == READY)
        return id;
    assert_true(build(&p->client, &k));
    deliver(&p->server, &k);
    if (state == DATA_RECVD)
        acked(&p->client, &k, p->now);
    if (state >= RESET_SENT) {
        assert_int_equal(tvl_streams_reset(&p->client, id, 1), 0);
        assert_true(build(&p->client, &k));
        if (state == RESET_RECVD)
            acked(&p->client, &k, p->now);
    }
    return id;
}

static const struct {
    enum before before;
    bool resets;   /* a RESET_STREAM follows */
    bool stopped;  /* the application is told of STOP_SENDING */
    int reset_now; /* what tvl_stream_reset says */
} sending[] = {
    { READY, true, true, 0 },
    { SEND, true, true, 0 },
    { DATA_SENT, true, true, 0 },
    { DATA_RECVD, false, false, TVL_ERR_STATE },
    { RESET_SENT, false, false, TVL_ERR_STATE },
    { RESET_RECVD, false, false, TVL_ERR_ARG }, /* over: forgotten */
};

static void stopping_and_resetting_what_is_sent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof sending / sizeof sending[0]; i++) {
        struct tvl_frame stop = { .type = TVL_FRAME_STOP_SENDING };
        struct packet k;
        struct pair p;

        pair_start(&p, usual);
        stop.reset.id = stream_in(&p, sending[i].before);
        stop.reset.code = 42;
        assert_int_equal(tvl_streams_on_frame(&p.client, &stop), 0);
        assert_int_equal(build(&p.client, &k), sending[i].resets);
        if (sending[i].resets) {
            struct tvl_rd rd = tvl_rd_over(k.bytes, k.len);
            struct tvl_frame f;

            assert_int_equal(tvl_frame_parse(&f, &rd), 0);
            assert_int_equal(f.type, TVL_FRAME_RESET_STREAM);
            assert_int_equal(f.reset.code, 42);
            assert_int_equal(f.reset.final_size, sending[i].before == READY ? 0 : 100);
            assert_int_equal(tvl_rd_left(&rd), 0);
        }
        assert_int_equal(poll_for(&p.client, TVL_EVENT_STREAM_STOPPED, stop.reset.id),
                         sending[i].stopped);
        assert_int_equal(tvl_streams_on_frame(&p.client, &stop), 0); /* again: nothing new */
        assert_false(build(&p.client, &k));
        pair_end(&p);

        pair_start(&p, usual);
        const uint64_t id = stream_in(&p, sending[i].before);
        assert_int_equal(tvl_streams_reset(&p.client, id, 43), sending[i].reset_now);
        assert_int_equal(build(&p.client, &k), sending[i].resets);
        pair_end(&p);
    }
}

/* The receiving part: what has arrived, what happens then. */
static const struct {
    const char *what;
    bool fin, all;     /* the end, and every byte before it */
    bool read, stop;   /* first, by the application */
    bool told;         /* of a RESET_STREAM then */
    bool says_stop;    /* STOP_SENDING leaves */
    int stop_now;      /* what tvl_stream_stop says in this state */
    uint64_t reset_at; /* final size of the RESET_STREAM */
} receiving[] = {
    { "recv", false, false, false, false, true, true, 0, 200 },
    { "size known", true, false, false, false, true, true, 0, 200 },
    { "data received", true, true, false, false, false, false, 0, 200 },
    { "data read", true, true, true, false, false, false, TVL_ERR_ARG, 200 },
    { "stopped", false, false, false, true, false, true, TVL_ERR_ARG, 200 },
    { "stopped, size known", true, false, false, true, false, true, TVL_ERR_ARG, 200 },
    { "stopped, all here", true, true, false, true, false, false, TVL_ERR_ARG, 200 },
};

static uint64_t arrive(struct pair *p, unsigned i)
{
    struct tvl_frame f = { .type = TVL_FRAME_STREAM };
    uint8_t out[300];
    bool fin;

    f.stream.id = 2;
    f.stream.offset = receiving[i].all ? 0 : 100;
    f.stream.bytes = zeroes;
    f.stream.len = receiving[i].all ? 200 : receiving[i].fin ? 100 : 50;
    f.stream.fin = receiving[i].fin;
    assert_int_equal(tvl_streams_on_frame(&p->server, &f), 0);
    if (receiving[i].read)
        assert_int_equal(tvl_streams_read(&p->server, 2, out, sizeof out, &fin), 200);
    if (receiving[i].stop)
        assert_int_equal(tvl_streams_stop(&p->server, 2, 7), 0);
    return 2;
}

static void stopping_and_resetting_what_is_received(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof receiving / sizeof receiving[0]; i++) {
        struct tvl_frame reset = { .type = TVL_FRAME_RESET_STREAM };
        struct packet k;
        struct pair p;

        pair_start(&p, usual);
        reset.reset.id = arrive(&p, i);
        reset.reset.code = 13;
        reset.reset.final_size = receiving[i].reset_at;
        assert_int_equal(tvl_streams_on_frame(&p.server, &reset), 0);
        if (poll_for(&p.server, TVL_EVENT_STREAM_RESET, 2) != receiving[i].told)
            fail_msg("reset, %s", receiving[i].what);
        assert_int_equal(p.server.received, 200);
        if (tvl_streams_find(&p.server, 2)) { /* RFC 9000 4.5: its size cannot change any more */
            reset.reset.final_size = 201;
            assert_int_equal(tvl_streams_on_frame(&p.server, &reset), -TVL_WIRE_FINAL_SIZE_ERROR);
        }
        pair_end(&p);

        pair_start(&p, usual);
        (void)arrive(&p, i);
        if (tvl_streams_stop(&p.server, 2, 7) != receiving[i].stop_now)
            fail_msg("stop, %s", receiving[i].what);
        bool said = false;
        while (build(&p.server, &k)) {
            for (uint32_t n = 0; n < k.count; n++)
                said = said || k.rec[n].kind == TVL_SENT_STOP_SENDING;
            acked(&p.server, &k, p.now);
        }
        if (said != receiving[i].says_stop)
            fail_msg("STOP_SENDING, %s", receiving[i].what);
        pair_end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_streams_share_one_bound),
        cmocka_unit_test(a_reset_gives_its_room_to_others),
        cmocka_unit_test(a_reader_that_never_reads_stops_the_writer),
        cmocka_unit_test(memory_follows_what_is_held),
        cmocka_unit_test(crumbs_are_bounded_over_all_streams),
        cmocka_unit_test(a_byte_left_behind_keeps_no_ring),
        cmocka_unit_test(an_expired_stream_leaves_at_once),
        cmocka_unit_test(flows_know_their_margins),
        cmocka_unit_test(stream_statistics_add_up),
        cmocka_unit_test(stopping_and_resetting_what_is_sent),
        cmocka_unit_test(stopping_and_resetting_what_is_received),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
