/* test_peer.c - a session against raw bytes of a peer: every violation closes with its code, what
 * is legal does not, and damage of any kind is survived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <moq/moq.h>

#include "mutate.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
#define OPEN_ENDED UINT64_MAX /* expected code: the session stays open */
#define MUTATIONS 20000
#define NOTED_MAX 4096

/* The connection: takes everything, notes the last things said. */
struct line {
    uint64_t next_bidi, next_uni; /* stream counts */
    bool closed;
    uint64_t code;
    uint8_t said[NOTED_MAX]; /* last write on a bidirectional stream */
    size_t said_len;
    unsigned stops, resets;
    bool server;
    struct moq_subscription *sub;
    struct moq_sending *sending;
    int rejected, objects, done;
};

static int line_open(void *ctx, bool uni, uint64_t *id)
{
    struct line *l = ctx;
    uint64_t *next = uni ? &l->next_uni : &l->next_bidi;
    *id = (*next)++ * 4 + (uni ? 2 : 0) + l->server;
    return 0;
}

static int line_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    struct line *l = ctx;
    (void)fin;
    if ((id & 2) == 0 && len > 0 && len <= NOTED_MAX) {
        memcpy(l->said, bytes, len);
        l->said_len = len;
    }
    return 0;
}

static int line_reset(void *ctx, uint64_t id, uint64_t code)
{
    (void)id, (void)code;
    ((struct line *)ctx)->resets++;
    return 0;
}

static int line_stop(void *ctx, uint64_t id, uint64_t code)
{
    (void)id, (void)code;
    ((struct line *)ctx)->stops++;
    return 0;
}

static void line_set_rank(void *ctx, uint64_t id, uint64_t rank)
{
    (void)ctx, (void)id, (void)rank;
}

static void line_set_lifetime(void *ctx, uint64_t id, uint64_t us, uint64_t code)
{
    (void)ctx, (void)id, (void)us, (void)code;
}

static int line_datagram(void *ctx, const uint8_t *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return 0;
}

static void line_close(void *ctx, uint64_t code, const char *reason)
{
    struct line *l = ctx;
    assert_false(l->closed);
    assert_non_null(reason);
    l->closed = true;
    l->code = code;
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    (void)o;
    ((struct line *)user)->sending = s;
    if (name->track.len == 1 && name->track.bytes[0] == 'y')
        moq_accept(s, NULL, (struct moq_bytes){ 0 });
}

static void on_rejected(void *user, struct moq_subscription *s, uint64_t code, const char *reason)
{
    struct line *l = user;
    (void)s, (void)code, (void)reason;
    l->rejected++;
    l->sub = NULL;
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    struct line *l = user;
    (void)s, (void)obj;
    l->objects++;
}

static void on_done(void *user, struct moq_subscription *s, uint64_t status, const char *reason)
{
    struct line *l = user;
    (void)s, (void)status, (void)reason;
    l->done++;
    l->sub = NULL;
}

static struct moq_session *open_session(struct line *l, bool server)
{
    *l = (struct line){ .server = server };
    struct moq_quic quic = { .ctx = l,
                             .open = line_open,
                             .write = line_write,
                             .reset = line_reset,
                             .stop = line_stop,
                             .set_rank = line_set_rank,
                             .set_lifetime = line_set_lifetime,
                             .datagram = line_datagram,
                             .close = line_close };
    struct moq_session_config cfg = { .server = server };
    struct moq_handler h = { .on_subscribe = on_subscribe,
                             .on_rejected = on_rejected,
                             .on_object = on_object,
                             .on_done = on_done };
    struct moq_session *s;
    assert_int_equal(moq_session_new(&s, &cfg, &quic, &h, l), 0);
    assert_int_equal(moq_session_start(s), 0);
    return s;
}

/* The peer's stream numbers, by our role: index from 0. */
static uint64_t peer_uni(const struct line *l, uint64_t i)
{
    return i * 4 + 2 + !l->server;
}

static uint64_t peer_bidi(const struct line *l, uint64_t i)
{
    return i * 4 + !l->server;
}

static void setup(struct line *l, struct moq_session *s)
{
    static const uint8_t empty[] = { 0xaf, 0x00, 0x00, 0x00 };
    moq_session_on_data(s, peer_uni(l, 0), empty, sizeof empty, false, 0);
    assert_false(l->closed);
}

static void subscribe(struct line *l, struct moq_session *s)
{
    struct moq_name name;
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    assert_int_equal(moq_name_from_text(&name, "n", "t"), 0);
    assert_int_equal(moq_subscribe(s, &name, &o, l, &l->sub), 0);
}

enum what { WHAT_BYTES, WHAT_FIN, WHAT_RESET, WHAT_STOP, WHAT_DATAGRAM };
enum where { WHERE_CONTROL, WHERE_UNI, WHERE_BIDI, WHERE_OURS, WHERE_OUR_CONTROL };

struct row {
    const char *name;
    bool server, before_setup; /* our role; else the peer's SETUP has come */
    enum where where;          /* WHERE_OURS: our SUBSCRIBE's stream */
    enum what what;            /* WHAT_FIN: bytes, then the end */
    uint8_t bytes[40];
    size_t len;
    uint64_t code;
};

static const struct row rows[] = {
    /* control streams */
    { "data before SETUP waits", true, true, WHERE_CONTROL, WHAT_BYTES, BYTES(0x10, 0, 2, 0, 0),
      OPEN_ENDED },
    { "stream type unknown", true, false, WHERE_UNI, WHAT_BYTES, BYTES(0x06),
      MOQ_PROTOCOL_VIOLATION },
    { "second control stream", true, false, WHERE_UNI, WHAT_BYTES, BYTES(0xaf, 0, 0, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "second SETUP", true, false, WHERE_CONTROL, WHAT_BYTES, BYTES(0xaf, 0, 0, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "SUBSCRIBE on the control stream", true, false, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 't', 0), MOQ_PROTOCOL_VIOLATION },
    { "message type unknown", true, false, WHERE_CONTROL, WHAT_BYTES, BYTES(0x3f, 0, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "control stream ends",
      true,
      false,
      WHERE_CONTROL,
      WHAT_FIN,
      { 0 },
      0,
      MOQ_PROTOCOL_VIOLATION },
    { "control stream reset",
      true,
      false,
      WHERE_CONTROL,
      WHAT_RESET,
      { 0 },
      0,
      MOQ_PROTOCOL_VIOLATION },
    { "our control stream stopped",
      true,
      false,
      WHERE_OUR_CONTROL,
      WHAT_STOP,
      { 0 },
      0,
      MOQ_PROTOCOL_VIOLATION },
    { "PATH from a server", false, true, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0xaf, 0, 0, 3, 0x01, 1, '/'), MOQ_INVALID_PATH },
    { "AUTHORITY from a server", false, true, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0xaf, 0, 0, 3, 0x05, 1, 'h'), MOQ_INVALID_AUTHORITY },
    { "PATH malformed", true, true, WHERE_CONTROL, WHAT_BYTES, BYTES(0xaf, 0, 0, 3, 0x01, 1, 'x'),
      MOQ_MALFORMED_PATH },
    { "AUTHORITY malformed", true, true, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0xaf, 0, 0, 3, 0x05, 1, ' '), MOQ_MALFORMED_AUTHORITY },
    { "option cut off", true, true, WHERE_CONTROL, WHAT_BYTES, BYTES(0xaf, 0, 0, 2, 0x01, 9),
      MOQ_KEY_VALUE_FORMATTING_ERROR },
    { "options unknown and greased", true, true, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0xaf, 0, 0, 6, 0x02, 1, 0x80, 0x9b, 1, 'g'), OPEN_ENDED },
    { "GOAWAY", false, false, WHERE_CONTROL, WHAT_BYTES, BYTES(0x10, 0, 4, 1, 'u', 0, 2),
      OPEN_ENDED },
    { "GOAWAY twice", false, false, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0x10, 0, 3, 0, 0, 2, 0x10, 0, 3, 0, 0, 2), MOQ_PROTOCOL_VIOLATION },
    { "GOAWAY with a URI from a client", true, false, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0x10, 0, 4, 1, 'u', 0, 1), MOQ_PROTOCOL_VIOLATION },
    { "GOAWAY with the wrong parity", true, false, WHERE_CONTROL, WHAT_BYTES,
      BYTES(0x10, 0, 3, 0, 0, 2), MOQ_INVALID_REQUEST_ID },
    /* requests */
    { "SUBSCRIBE", true, false, WHERE_BIDI, WHAT_BYTES, BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 't', 0),
      OPEN_ENDED },
    { "SUBSCRIBE with a tail", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 8, 0, 1, 1, 'n', 1, 't', 0, 0), MOQ_PROTOCOL_VIOLATION },
    { "wrong parity", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 7, 1, 1, 1, 'n', 1, 't', 0), MOQ_INVALID_REQUEST_ID },
    { "ID used twice", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 'y', 0, 0x02, 0, 2, 0, 0), MOQ_INVALID_REQUEST_ID },
    { "update before the answer", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 't', 0, 0x02, 0, 2, 2, 0), OPEN_ENDED },
    { "SUBSCRIBE twice on one stream", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 'y', 0, 0x03, 0, 7, 2, 1, 1, 'n', 1, 'z', 0),
      MOQ_PROTOCOL_VIOLATION },
    { "request opens with REQUEST_OK", true, false, WHERE_BIDI, WHAT_BYTES, BYTES(0x07, 0, 1, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "request ends inside its message", true, false, WHERE_BIDI, WHAT_FIN, BYTES(0x03, 0, 7, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "subscriber ends its side", true, false, WHERE_BIDI, WHAT_FIN,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 'y', 0), OPEN_ENDED },
    { "parameter unknown", true, false, WHERE_BIDI, WHAT_BYTES,
      BYTES(0x03, 0, 9, 0, 1, 1, 'n', 1, 't', 1, 0x3f, 0), MOQ_PROTOCOL_VIOLATION },
    { "request before SETUP waits", true, true, WHERE_BIDI, WHAT_BYTES, BYTES(0x07, 0, 1, 0),
      OPEN_ENDED },
    { "request reset", true, false, WHERE_BIDI, WHAT_RESET,
      BYTES(0x03, 0, 7, 0, 1, 1, 'n', 1, 'y', 0), OPEN_ENDED },
    /* answers to our SUBSCRIBE */
    { "SUBSCRIBE_OK", false, false, WHERE_OURS, WHAT_BYTES, BYTES(0x04, 0, 2, 5, 0), OPEN_ENDED },
    { "SUBSCRIBE_OK twice", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x04, 0, 2, 5, 0, 0x04, 0, 2, 6, 0), MOQ_PROTOCOL_VIOLATION },
    { "REQUEST_OK unasked", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x04, 0, 2, 5, 0, 0x07, 0, 1, 0), MOQ_PROTOCOL_VIOLATION },
    { "REQUEST_ERROR unasked", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x04, 0, 2, 5, 0, 0x05, 0, 3, 0, 0, 0), MOQ_PROTOCOL_VIOLATION },
    { "PUBLISH_DONE first", false, false, WHERE_OURS, WHAT_BYTES, BYTES(0x0b, 0, 3, 2, 0, 0),
      MOQ_PROTOCOL_VIOLATION },
    { "SUBSCRIBE in answer", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x03, 0, 7, 1, 1, 1, 'n', 1, 't', 0), MOQ_PROTOCOL_VIOLATION },
    { "answer ends without one",
      false,
      false,
      WHERE_OURS,
      WHAT_FIN,
      { 0 },
      0,
      MOQ_PROTOCOL_VIOLATION },
    { "end without PUBLISH_DONE", false, false, WHERE_OURS, WHAT_FIN, BYTES(0x04, 0, 2, 5, 0),
      OPEN_ENDED },
    { "GOAWAY on the request", false, false, WHERE_OURS, WHAT_BYTES, BYTES(0x10, 0, 2, 0, 0),
      OPEN_ENDED },
    { "GOAWAY on the request twice", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x10, 0, 2, 0, 0, 0x10, 0, 2, 0, 0), MOQ_PROTOCOL_VIOLATION },
    { "mandatory property", false, false, WHERE_OURS, WHAT_BYTES,
      BYTES(0x04, 0, 6, 5, 0, 0xc0, 0x40, 0x00, 1), OPEN_ENDED },
    { "property cut off", false, false, WHERE_OURS, WHAT_BYTES, BYTES(0x04, 0, 4, 5, 0, 0x0b, 9),
      MOQ_KEY_VALUE_FORMATTING_ERROR },
    /* data: the alias 5 is subscribed */
    { "object", false, false, WHERE_UNI, WHAT_FIN, BYTES(0x10, 5, 0, 128, 0, 1, 'a'), OPEN_ENDED },
    { "subgroup without objects", false, false, WHERE_UNI, WHAT_FIN, BYTES(0x10, 5, 0, 128),
      OPEN_ENDED },
    { "ends inside an object", false, false, WHERE_UNI, WHAT_FIN, BYTES(0x10, 5, 0, 128, 0, 2, 'a'),
      MOQ_PROTOCOL_VIOLATION },
    { "ends inside the header", false, false, WHERE_UNI, WHAT_FIN, BYTES(0x10, 5),
      MOQ_PROTOCOL_VIOLATION },
    { "subgroup mode 3", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0x16, 5, 0, 128),
      MOQ_PROTOCOL_VIOLATION },
    { "status 2", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0x10, 5, 0, 128, 0, 0, 2),
      MOQ_PROTOCOL_VIOLATION },
    { "properties on a status", false, false, WHERE_UNI, WHAT_BYTES,
      BYTES(0x11, 5, 0, 128, 0, 2, 0x10, 1, 0, 3), MOQ_PROTOCOL_VIOLATION },
    { "alias unknown", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0x10, 6, 0, 128, 0, 1, 'a'),
      OPEN_ENDED },
    { "fetch stream never asked for", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0x05, 2),
      MOQ_PROTOCOL_VIOLATION },
    { "fetch stream of a number used up", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0x05, 0),
      OPEN_ENDED },
    { "padding stream", false, false, WHERE_UNI, WHAT_BYTES, BYTES(0xf0, 0x13, 0x2b, 0x3e, 0x28, 0),
      OPEN_ENDED },
    { "object too large", false, false, WHERE_UNI, WHAT_BYTES,
      BYTES(0x10, 5, 0, 128, 0, 0xf0, 0x80, 0, 0, 1), OPEN_ENDED },
    { "datagram", false, false, WHERE_UNI, WHAT_DATAGRAM, BYTES(0x00, 5, 0, 0, 128, 'a'),
      OPEN_ENDED },
    { "datagram type", false, false, WHERE_UNI, WHAT_DATAGRAM, BYTES(0x10, 5, 0, 0, 128, 'a'),
      MOQ_PROTOCOL_VIOLATION },
    { "datagram cut off", false, false, WHERE_UNI, WHAT_DATAGRAM, BYTES(0x00, 5),
      MOQ_PROTOCOL_VIOLATION },
    { "datagram of an unknown alias", false, false, WHERE_UNI, WHAT_DATAGRAM,
      BYTES(0x00, 6, 0, 0, 128, 'a'), OPEN_ENDED },
};

static uint64_t stream_of(const struct line *l, const struct row *r)
{
    switch (r->where) {
    case WHERE_CONTROL:
        return peer_uni(l, 0);
    case WHERE_UNI:
        return peer_uni(l, 1);
    case WHERE_BIDI:
        return peer_bidi(l, 0);
    case WHERE_OURS:
        return l->server;
    case WHERE_OUR_CONTROL:
        return 2 + l->server;
    }
    return 0;
}

static void play(const struct row *r, struct line *l, struct moq_session *s, size_t chunk)
{
    uint64_t id = stream_of(l, r);
    if (r->what == WHAT_DATAGRAM) {
        moq_session_on_datagram(s, r->bytes, r->len);
        return;
    }
    for (size_t at = 0; at < r->len; at += chunk)
        moq_session_on_data(s, id, r->bytes + at, r->len - at < chunk ? r->len - at : chunk, false,
                            1);
    if (r->what == WHAT_FIN)
        moq_session_on_data(s, id, NULL, 0, true, 2);
    if (r->what == WHAT_RESET)
        moq_session_on_reset(s, id, 1);
    if (r->what == WHAT_STOP)
        moq_session_on_stop(s, id, 1);
}

static struct moq_session *prepare(const struct row *r, struct line *l)
{
    struct moq_session *s = open_session(l, r->server);
    if (!r->before_setup)
        setup(l, s);
    if (!r->server && !r->before_setup && r->where != WHERE_CONTROL)
        subscribe(l, s);
    static const uint8_t ok[] = { 0x04, 0, 2, 5, 0 };
    if (r->where == WHERE_UNI && !r->server)
        moq_session_on_data(s, 0, ok, sizeof ok, false, 0);
    return s;
}

static void violations(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        for (size_t chunk = 1; chunk <= sizeof rows[i].bytes; chunk += sizeof rows[i].bytes - 1) {
            struct line l;
            struct moq_session *s = prepare(&rows[i], &l);
            play(&rows[i], &l, s, chunk);
            uint64_t code = l.closed ? l.code : OPEN_ENDED;
            if (code != rows[i].code)
                fail_msg("%s: code %llx", rows[i].name, (unsigned long long)code);
            moq_session_free(s);
        }
}

/* Each request that the application does not serve is refused on its stream, the session goes on.
 */
static void requests_nobody_serves_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[16];
        size_t len, id_at;
        uint64_t code;
    } asked[] = {
        { BYTES(0x1d, 0, 8, 0, 1, 1, 'n', 1, 't', 9, 0), 3, MOQ_REQ_UNINTERESTED },
        { BYTES(0x16, 0, 12, 0, 1, 1, 1, 'n', 1, 't', 0, 0, 1, 0, 0), 3, MOQ_REQ_NOT_SUPPORTED },
        { BYTES(0x0d, 0, 7, 0, 1, 1, 'n', 1, 't', 0), 3, MOQ_REQ_NOT_SUPPORTED },
        { BYTES(0x06, 0, 5, 0, 1, 1, 'n', 0), 3, MOQ_REQ_NOT_SUPPORTED },
        { BYTES(0x50, 0, 5, 0, 1, 1, 'n', 0), 3, MOQ_REQ_NOT_SUPPORTED },
        { BYTES(0x51, 0, 5, 0, 1, 1, 'n', 0), 3, MOQ_REQ_NOT_SUPPORTED },
    };
    struct line l;
    struct moq_session *s = open_session(&l, true);
    setup(&l, s);
    for (size_t i = 0; i < N(asked); i++) {
        uint8_t bytes[16];
        memcpy(bytes, asked[i].bytes, sizeof bytes);
        bytes[asked[i].id_at] = (uint8_t)(2 * i);
        l.said_len = 0;
        moq_session_on_data(s, peer_bidi(&l, i), bytes, asked[i].len, true, 0);
        assert_false(l.closed);
        assert_true(l.said_len > 3);
        assert_int_equal(l.said[0], 0x05);
        assert_int_equal(l.said[3], asked[i].code);
    }
    moq_session_free(s);
}

/* SUBSCRIBE_OK is the first answer on its stream, whatever was asked meanwhile. */
static void updates_wait_for_the_answer(void **state)
{
    (void)state;
    struct line l;
    struct moq_session *s = open_session(&l, true);
    setup(&l, s);
    static const uint8_t both[] = { 0x03, 0, 7, 0, 1, 1, 'n', 1, 't', 0, 0x02, 0, 2, 2, 0 };
    moq_session_on_data(s, peer_bidi(&l, 0), both, sizeof both, false, 0);
    assert_int_equal(l.said_len, 0);
    assert_int_equal(moq_accept(l.sending, NULL, (struct moq_bytes){ 0 }), 0);
    assert_int_equal(l.said[0], 0x07); /* the last: REQUEST_OK */
    for (uint8_t id = 2; id < 2 + 17; id++) {
        uint8_t more[] = { 0x03, 0, 7, 100, 1, 1, 'n', 1, 'u', 0 };
        uint8_t update[] = { 0x02, 0, 2, (uint8_t)(2 * id), 0 };
        if (id == 2)
            moq_session_on_data(s, peer_bidi(&l, 1), more, sizeof more, false, 0);
        moq_session_on_data(s, peer_bidi(&l, 1), update, sizeof update, false, 0);
    }
    assert_true(l.closed && l.code == MOQ_PROTOCOL_VIOLATION); /* no end to what is owed */
    moq_session_free(s);
}

static void duplicate_alias(void **state)
{
    (void)state;
    struct line l;
    struct moq_session *s = open_session(&l, false);
    setup(&l, s);
    subscribe(&l, s);
    subscribe(&l, s);
    static const uint8_t ok[] = { 0x04, 0, 2, 5, 0 };
    moq_session_on_data(s, 0, ok, sizeof ok, false, 0);
    assert_false(l.closed);
    moq_session_on_data(s, 4, ok, sizeof ok, false, 0);
    assert_true(l.closed && l.code == MOQ_DUPLICATE_TRACK_ALIAS);
    moq_session_free(s);
}

static void mandatory_properties(void **state)
{
    (void)state;
    struct line l;
    struct moq_session *s = open_session(&l, false);
    setup(&l, s);
    subscribe(&l, s);
    static const uint8_t on_track[] = { 0x04, 0, 6, 5, 0, 0xc0, 0x40, 0x00, 1 };
    moq_session_on_data(s, 0, on_track, sizeof on_track, false, 0);
    assert_int_equal(l.rejected, 1);
    subscribe(&l, s);
    static const uint8_t ok[] = { 0x04, 0, 2, 5, 0 };
    moq_session_on_data(s, 4, ok, sizeof ok, false, 0);
    static const uint8_t on_object_[] = { 0x11, 5, 0, 128, 0, 4, 0xc0, 0x40, 0x00, 1, 1, 'a' };
    moq_session_on_data(s, 7, on_object_, sizeof on_object_, true, 0);
    assert_int_equal(l.done, 1);
    assert_int_equal(l.objects, 0);
    assert_false(l.closed);
    moq_session_free(s);
}

/* A peer that opens requests or data streams without end meets a bound and is told so. */
static void floods_are_bounded(void **state)
{
    (void)state;
    struct line l;
    struct moq_session *s = open_session(&l, true);
    static const uint8_t half[] = { 0x03, 0, 9 };
    for (uint64_t i = 0; i < 3 * MOQ_REQUESTS_MAX; i++)
        moq_session_on_data(s, peer_bidi(&l, i), half, sizeof half, false, 0);
    assert_int_equal(l.resets, 2 * MOQ_REQUESTS_MAX);
    static const uint8_t data[] = { 0x10, 5, 0, 128, 0, 100 };
    for (uint64_t i = 1; i <= MOQ_STREAMS_MAX + 100; i++)
        moq_session_on_data(s, peer_uni(&l, i), data, sizeof data, false, 0);
    assert_int_equal(l.stops, 2 * MOQ_REQUESTS_MAX + 100);
    uint8_t *much = calloc(1, 1 << 20);
    for (int i = 0; i < 20; i++) /* early bytes of one stream */
        moq_session_on_data(s, peer_uni(&l, 1), much, 1 << 20, false, 0);
    assert_int_equal(l.stops, 2 * MOQ_REQUESTS_MAX + 101);
    free(much);
    setup(&l, s); /* and nothing of it hurts afterwards */
    assert_false(l.closed);
    moq_session_free(s);
}

static void random_event(struct mutate *rng, struct line *l, struct moq_session *s)
{
    const struct row *r = &rows[mutate_below(rng, N(rows))];
    uint8_t bytes[sizeof r->bytes];
    memcpy(bytes, r->bytes, sizeof bytes);
    size_t len = r->len;
    if (mutate_below(rng, 2) == 0)
        len = mutate_bytes(rng, bytes, len);
    uint8_t *exact = malloc(len + 1);
    memcpy(exact, bytes, len);
    uint64_t id = mutate_below(rng, 4) ? stream_of(l, r) : mutate_below(rng, 40);
    switch (mutate_below(rng, 12)) {
    case 0:
        moq_session_on_reset(s, id, 1);
        break;
    case 1:
        moq_session_on_stop(s, id, 1);
        break;
    case 2:
        moq_session_on_datagram(s, exact, len);
        break;
    case 3:
        moq_session_tick(s, mutate_below(rng, 20000000));
        break;
    case 4:
        if (l->sub)
            moq_unsubscribe(l->sub);
        l->sub = NULL;
        break;
    case 5:
        moq_session_on_stream_end(s, id);
        break;
    default:
        moq_session_on_data(s, id, exact, len, mutate_below(rng, 4) == 0, 0);
    }
    free(exact);
}

static void any_peer_is_survived(void **state)
{
    (void)state;
    struct mutate rng = { 20260512 };
    for (int i = 0; i < MUTATIONS; i++) {
        struct line l;
        struct moq_session *s = prepare(&rows[mutate_below(&rng, N(rows))], &l);
        size_t events = 1 + mutate_below(&rng, 12);
        while (events-- > 0)
            random_event(&rng, &l, s);
        moq_session_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(violations),
        cmocka_unit_test(requests_nobody_serves_are_refused),
        cmocka_unit_test(updates_wait_for_the_answer),
        cmocka_unit_test(duplicate_alias),
        cmocka_unit_test(mandatory_properties),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(any_peer_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
