/* send.c - see send.h. */
#include "send.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"

#define PING_BYTES 32u
#define PING_STREAM 1000u         /* of the pattern; streams of bytes are 0 to 63 */
#define DATAGRAM_STREAM 2000u     /* of the pattern */
#define DATAGRAM_BYTES 64u        /* the first eight are its number */
#define DATAGRAM_PATIENCE 1000000 /* us of silence after the last that end the counting */
#define PATHS_PATIENCE 3000000    /* us for the paths to come up */
#define CHUNK 16384u              /* bytes made at a time */
#define GOODBYE_PATIENCE 2000000  /* us from the goodbye to the end, at most */
#define CODE_HARMED 1             /* application error: what came back is wrong */

static void fail(struct echo_send *s, const char *why)
{
    if (!s->error[0])
        snprintf(s->error, sizeof s->error, "%s", why);
}

/* What the transport says once it is over is not asked again: keep it. */
static void keep_statistics(struct echo_send *s)
{
    s->n_paths = tvl_paths(s->conn, s->path, TVL_PATHS_MAX);
    tvl_conn_get_stats(s->conn, &s->stats);
}

static void say_goodbye(struct echo_send *s, tvl_time now)
{
    keep_statistics(s);
    s->state = SEND_CLOSING;
    s->due = now + GOODBYE_PATIENCE;
    if (tvl_close(s->conn, s->error[0] ? CODE_HARMED : 0, s->error[0] ? s->error : "done", now) !=
        0)
        s->state = SEND_OVER;
}

/* ---- datagrams ---- */

static void datagram_make(uint8_t out[DATAGRAM_BYTES], uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> 8 * i);
    pattern_fill(DATAGRAM_STREAM + number, 0, out + 8, DATAGRAM_BYTES - 8);
}

static void datagrams_go(struct echo_send *s, tvl_time now)
{
    uint8_t bytes[DATAGRAM_BYTES];

    while (s->datagrams < s->args->datagrams) {
        datagram_make(bytes, s->datagrams);
        const int r = tvl_datagram_write(s->conn, bytes, sizeof bytes);
        if (r != 0 && r != TVL_ERR_FULL) {
            fail(s, "the server takes no datagrams");
            say_goodbye(s, now);
            return;
        }
        s->datagram_last = now;
        s->due = now + (s->args->interval_us ? s->args->interval_us : 1000);
        if (r != 0)
            return;
        s->datagrams++;
        if (s->args->interval_us)
            return;
    }
    s->due = s->datagram_last + DATAGRAM_PATIENCE;
    if (s->returned + s->harmed >= s->args->datagrams || now >= s->due)
        say_goodbye(s, now);
}

static void datagram_returned(struct echo_send *s, const uint8_t *bytes, size_t len, tvl_time now)
{
    uint8_t want[DATAGRAM_BYTES];
    uint64_t number = 0;

    for (unsigned i = 0; i < 8 && i < len; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    datagram_make(want, number);
    s->datagram_last = now;
    if (len == sizeof want && number < s->datagrams && memcmp(bytes, want, len) == 0) {
        s->returned++;
    } else {
        s->harmed++;
        fail(s, "a datagram came back damaged");
    }
    if (s->state == SEND_DATAGRAMS && s->datagrams == s->args->datagrams)
        datagrams_go(s, now);
}

/* ---- streams ---- */

static void write_more(struct echo_send *s, struct send_stream *st, tvl_time now)
{
    uint8_t chunk[CHUNK];
    const uint64_t which = (uint64_t)(st - s->stream);

    while (!st->ended) {
        const uint64_t left = st->bytes - st->written;
        const size_t n = left < CHUNK ? (size_t)left : CHUNK;
        int64_t taken;

        pattern_fill(which, st->written, chunk, n);
        taken = tvl_stream_write(s->conn, st->id, chunk, n, n == left);
        if (taken < 0) {
            fail(s, "the server wants no more of a stream");
            say_goodbye(s, now);
            return;
        }
        st->written += (uint64_t)taken;
        st->ended = n == left && (uint64_t)taken == n;
        if ((size_t)taken < n)
            return; /* WRITABLE follows */
    }
}

static void streams_end(struct echo_send *s, tvl_time now)
{
    s->streams_took = now - s->streams_began;
    s->state = SEND_DATAGRAMS;
    s->datagram_last = now;
    datagrams_go(s, now);
}

static void streams_go(struct echo_send *s, tvl_time now)
{
    const uint32_t n = s->args->streams;

    s->state = SEND_STREAMS;
    s->streams_began = now;
    s->due = TVL_TIME_NEVER;
    for (uint32_t i = 0; i < n && s->state == SEND_STREAMS; i++) {
        struct send_stream *st = &s->stream[i];

        if (!st->started) {
            st->bytes = s->args->bytes / n + (i < s->args->bytes % n);
            if (st->bytes == 0)
                continue;
            if (tvl_stream_open(s->conn, TVL_BIDI, &st->id) != 0)
                return; /* STREAMS follows */
            st->started = true;
            write_more(s, st, now);
        }
    }
    if (s->args->bytes == 0 && s->state == SEND_STREAMS)
        streams_end(s, now);
}

static bool all_returned(const struct echo_send *s)
{
    uint64_t returned = 0;

    for (uint32_t i = 0; i < s->args->streams; i++) {
        if (s->stream[i].started && s->stream[i].id != UINT64_MAX)
            return false;
        returned += s->stream[i].returned;
    }
    return returned == s->args->bytes;
}

static struct send_stream *stream_of(struct echo_send *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->args->streams; i++)
        if (s->stream[i].started && s->stream[i].id == id)
            return &s->stream[i];
    return NULL;
}

static void read_stream(struct echo_send *s, struct send_stream *st, tvl_time now)
{
    const uint64_t which = (uint64_t)(st - s->stream);
    const uint8_t *bytes;
    bool fin = false;

    while (!fin) {
        const int64_t n = tvl_stream_peek(s->conn, st->id, &bytes, &fin);

        if (n < 0 || (n == 0 && !fin))
            return;
        const size_t right = pattern_check(which, st->returned, bytes, (size_t)n);
        if (right < (size_t)n || st->returned + (uint64_t)n > st->written) {
            snprintf(s->error, sizeof s->error, "stream %llu: byte %llu came back wrong",
                     (unsigned long long)st->id, (unsigned long long)(st->returned + right));
            say_goodbye(s, now);
            return;
        }
        st->returned += (uint64_t)n;
        (void)tvl_stream_consume(s->conn, st->id, (size_t)n, &fin);
    }
    if (st->returned != st->bytes) {
        snprintf(s->error, sizeof s->error, "stream %llu ended after %llu of %llu bytes",
                 (unsigned long long)st->id, (unsigned long long)st->returned,
                 (unsigned long long)st->bytes);
        say_goodbye(s, now);
        return;
    }
    st->id = UINT64_MAX; /* over: the number is the transport's again */
    if (all_returned(s))
        streams_end(s, now);
}

/* ---- pings ---- */

static void ping(struct echo_send *s, tvl_time now)
{
    uint8_t bytes[PING_BYTES];
    const bool first = s->pings == 0, last = s->pings + 1 == s->args->pings;

    if (first && tvl_stream_open(s->conn, TVL_BIDI, &s->ping_id) != 0)
        return; /* STREAMS follows */
    pattern_fill(PING_STREAM, (uint64_t)s->pings * PING_BYTES, bytes, sizeof bytes);
    if (tvl_stream_write(s->conn, s->ping_id, bytes, sizeof bytes, last) != PING_BYTES) {
        fail(s, "the server takes no ping");
        say_goodbye(s, now);
        return;
    }
    s->pings++;
    s->ping_sent = now;
    s->due = TVL_TIME_NEVER;
}

static void pings_go(struct echo_send *s, tvl_time now)
{
    s->state = SEND_PINGS;
    s->due = TVL_TIME_NEVER;
    if (s->pings < s->args->pings)
        ping(s, now);
    else
        streams_go(s, now);
}

static void read_ping(struct echo_send *s, tvl_time now)
{
    uint8_t bytes[PING_BYTES];
    bool fin;

    for (;;) {
        const int64_t n = tvl_stream_read(s->conn, s->ping_id, bytes, sizeof bytes, &fin);

        if (n <= 0)
            break;
        if (pattern_check(PING_STREAM, s->ping_at, bytes, (size_t)n) < (size_t)n) {
            fail(s, "a ping came back wrong");
            say_goodbye(s, now);
            return;
        }
        s->ping_at += (uint64_t)n;
    }
    if (s->state != SEND_PINGS || s->ping_at < (uint64_t)s->pings * PING_BYTES)
        return;
    samples_add(&s->round_trips, now - s->ping_sent);
    if (s->args->interval_us && s->pings < s->args->pings)
        s->due = s->ping_sent + s->args->interval_us;
    else
        pings_go(s, now);
}

/* ---- paths ---- */

/* All that were asked for are up, or have failed for good. */
static bool paths_settled(const struct echo_send *s)
{
    struct tvl_path_stats path[TVL_PATHS_MAX];
    const size_t n = tvl_paths(s->conn, path, TVL_PATHS_MAX);
    size_t up = 0;

    for (size_t i = 0; i < n; i++)
        if (path[i].state == TVL_PATH_OPENING)
            return false;
        else
            up += path[i].state != TVL_PATH_ABANDONED;
    return s->paths_asked && (up >= s->args->n_paths || n >= s->args->n_paths);
}

static void paths_look(struct echo_send *s, tvl_time now)
{
    if (s->state == SEND_PATHS && (paths_settled(s) || now >= s->due))
        pings_go(s, now);
}

bool echo_send_wants_paths(struct echo_send *s)
{
    if (s->state != SEND_PATHS || s->paths_asked)
        return false;
    s->paths_asked = true;
    return true;
}

/* ---- from outside ---- */

void echo_send_init(struct echo_send *s, const struct echo_args *args, tvl_time now)
{
    memset(s, 0, sizeof *s);
    s->args = args;
    s->began = now;
    s->due = TVL_TIME_NEVER;
    samples_init(&s->round_trips);
}

void echo_send_fini(struct echo_send *s)
{
    if (s)
        samples_fini(&s->round_trips);
}

static void closed(struct echo_send *s, const struct tvl_event *ev)
{
    static const char *const what[] = {
        [TVL_CLOSED_PEER_APP] = "the server ended it",
        [TVL_CLOSED_PEER] = "the server's transport ended it",
        [TVL_CLOSED_ERROR] = "the server broke the protocol",
        [TVL_CLOSED_TLS] = "TLS",
        [TVL_CLOSED_IDLE] = "the server fell silent",
        [TVL_CLOSED_NO_ANSWER] = "no answer from the server",
        [TVL_CLOSED_RESET] = "the server does not know the connection any more",
    };

    if (ev->closed.kind != TVL_CLOSED_LOCAL && !s->error[0])
        snprintf(s->error, sizeof s->error, "%s%s%s", what[ev->closed.kind],
                 ev->closed.reason[0] ? ": " : "", ev->closed.reason);
    s->conn = NULL;
    s->state = SEND_OVER;
    s->due = TVL_TIME_NEVER;
}

void echo_send_event(struct echo_send *s, const struct tvl_event *ev, tvl_time now)
{
    if (!s->conn && s->state == SEND_CONNECTING)
        s->conn = ev->conn;
    if (!s->conn || ev->conn != s->conn)
        return;
    if (ev->type == TVL_EVENT_CLOSED) {
        closed(s, ev);
        return;
    }
    if (s->state >= SEND_CLOSING)
        return;
    switch (ev->type) {
    case TVL_EVENT_CONNECTED:
        s->state = SEND_PATHS;
        s->due = now + PATHS_PATIENCE;
        break;
    case TVL_EVENT_PATH:
        break;
    case TVL_EVENT_STREAMS:
        if (s->state == SEND_PINGS)
            pings_go(s, now);
        else if (s->state == SEND_STREAMS)
            streams_go(s, now);
        break;
    case TVL_EVENT_STREAM_READABLE:
        if (s->pings > 0 && ev->stream.id == s->ping_id)
            read_ping(s, now);
        else if (stream_of(s, ev->stream.id))
            read_stream(s, stream_of(s, ev->stream.id), now);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        if (stream_of(s, ev->stream.id))
            write_more(s, stream_of(s, ev->stream.id), now);
        break;
    case TVL_EVENT_STREAM_RESET:
    case TVL_EVENT_STREAM_STOPPED:
        fail(s, "the server gave a stream up");
        say_goodbye(s, now);
        break;
    case TVL_EVENT_DATAGRAM:
        datagram_returned(s, ev->datagram.bytes, ev->datagram.len, now);
        break;
    default:
        break;
    }
    paths_look(s, now);
}

void echo_send_fail(struct echo_send *s, const char *why, tvl_time now)
{
    fail(s, why);
    if (!s->conn)
        s->state = SEND_OVER; /* nothing was heard of it */
    else if (s->state < SEND_CLOSING)
        say_goodbye(s, now);
}

void echo_send_tick(struct echo_send *s, tvl_time now)
{
    if (s->state < SEND_CLOSING && now - s->began >= s->args->limit_us) {
        echo_send_fail(s,
                       s->state == SEND_CONNECTING ? "no answer from the server in time"
                                                   : "not everything came back in time",
                       now);
        return;
    }
    paths_look(s, now);
    if (now < s->due)
        return;
    if (s->state == SEND_PINGS)
        pings_go(s, now);
    else if (s->state == SEND_DATAGRAMS)
        datagrams_go(s, now);
    else if (s->state == SEND_CLOSING)
        s->state = SEND_OVER;
}
