/*
 * moq_session.c - libFuzzer entry: a server and a client session against whatever a peer may do.
 * The input is a row of events: one byte what, one byte which stream, one byte how long, then the
 * bytes. ./run fuzz builds and runs it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <moq/moq.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    uint64_t opened[2];
    bool server;
};

static int line_open(void *ctx, bool uni, uint64_t *id)
{
    struct line *l = ctx;
    *id = l->opened[uni]++ * 4 + (uni ? 2 : 0) + l->server;
    return 0;
}

static int line_write(void *ctx, uint64_t id, const uint8_t *bytes, size_t len, bool fin)
{
    (void)ctx, (void)id, (void)bytes, (void)len, (void)fin;
    return 0;
}

static int line_code(void *ctx, uint64_t id, uint64_t code)
{
    (void)ctx, (void)id, (void)code;
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
    (void)ctx, (void)code, (void)reason;
}

static void on_subscribe(void *user, struct moq_sending *s, const struct moq_name *name,
                         const struct moq_subscribe_options *o)
{
    (void)user, (void)o;
    struct moq_object obj = { .group = 1, .priority = 1, .payload = { (const uint8_t *)"x", 1 } };
    if (name->track.len == 0 || moq_accept(s, NULL, (struct moq_bytes){ 0 }) < 0)
        return;
    moq_object_write(s, &obj, 0);
    if (name->track.len > 2)
        moq_done(s, MOQ_DONE_TRACK_ENDED, "");
}

static void on_publish(void *user, struct moq_subscription *s, const struct moq_name *name,
                       const struct moq_publish_options *p)
{
    (void)user, (void)p;
    struct moq_subscribe_options o;
    moq_subscribe_options_init(&o);
    if (name->track.len == 1)
        moq_publish_accept(s, &o);
    else if (name->track.len == 2)
        moq_publish_reject(s, MOQ_REQ_UNINTERESTED, "");
}

static void on_fetch(void *user, struct moq_fetch *f, const struct moq_name *name,
                     const struct moq_fetch_options *o)
{
    (void)user;
    struct moq_object obj = { .group = 1, .priority = 1, .payload = { (const uint8_t *)"x", 1 } };
    if (name->track.len == 0)
        return; /* not answered */
    moq_fetch_write(f, &obj);
    if (name->track.len == 2)
        moq_fetch_reject(f, MOQ_REQ_INVALID_RANGE, "");
    else if (moq_fetch_accept(f, true, o->end, (struct moq_bytes){ 0 }) == 0)
        moq_fetch_end(f);
}

static void on_request(void *user, struct moq_request *r, const struct moq_name *name)
{
    (void)user;
    if (moq_request_kind(r) == MOQ_REQUEST_TRACK_STATUS)
        moq_track_status(r, NULL, (struct moq_bytes){ 0 });
    else if (name->n_ns == 3)
        moq_request_reject(r, MOQ_REQ_UNAUTHORIZED, "");
    else if (moq_request_accept(r) == 0)
        moq_namespace(r, name, true);
}

static void on_namespace(void *user, struct moq_request *r, const struct moq_name *ns, bool there)
{
    (void)user, (void)there;
    if (ns->n_ns == 4)
        moq_request_end(r);
}

static void on_fetch_object(void *user, struct moq_fetch *f, const struct moq_object *obj)
{
    (void)user;
    if (obj->object == 66)
        moq_fetch_abort(f, MOQ_STREAM_CANCELLED);
}

static void on_object(void *user, struct moq_subscription *s, const struct moq_object *obj)
{
    (void)user;
    if (obj->object == 66)
        moq_unsubscribe(s);
}

/* One request of each kind: bidirectional streams 0, 4, ... of ours. */
static void ask(struct moq_session *s)
{
    struct moq_name name;
    struct moq_subscription *sub;
    struct moq_sending *sending;
    struct moq_fetch *fetch;
    struct moq_request *request;
    struct moq_subscribe_options o;
    struct moq_publish_options po = { .forward = true };
    struct moq_fetch_options fo;
    moq_subscribe_options_init(&o);
    moq_fetch_options_init(&fo);
    if (moq_name_from_text(&name, "n", "t") < 0)
        return;
    moq_subscribe(s, &name, &o, NULL, &sub);
    moq_publish(s, &name, &po, NULL, &sending);
    moq_fetch(s, &name, &fo, NULL, &fetch);
    for (int kind = 0; kind <= MOQ_REQUEST_TRACK_STATUS; kind++)
        moq_request(s, (enum moq_request_kind)kind, &name, NULL, &request);
}

static void play(struct moq_session *s, const uint8_t *data, size_t size)
{
    uint64_t now = 0;
    while (size >= 3) {
        unsigned what = data[0] % 8;
        uint64_t id = data[1];
        size_t len = data[2] < size - 3 ? data[2] : size - 3;
        const uint8_t *bytes = data + 3;
        if (what == 0)
            moq_session_on_reset(s, id, 1);
        else if (what == 1)
            moq_session_on_stop(s, id, 1);
        else if (what == 2)
            moq_session_on_datagram(s, bytes, len);
        else if (what == 3)
            moq_session_tick(s, now += (uint64_t)len << 16);
        else if (what == 4)
            moq_session_on_stream_end(s, id);
        else
            moq_session_on_data(s, id, bytes, len, what == 5, now);
        data += 3 + len;
        size -= 3 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int role = 0; role < 2; role++) {
        struct line l = { .server = role == 1 };
        struct moq_quic quic = { .ctx = &l,
                                 .open = line_open,
                                 .write = line_write,
                                 .reset = line_code,
                                 .stop = line_code,
                                 .set_rank = line_set_rank,
                                 .set_lifetime = line_set_lifetime,
                                 .datagram = line_datagram,
                                 .close = line_close };
        struct moq_session_config cfg = { .server = l.server,
                                          .token_cache = 64,
                                          .token = { 0, { (const uint8_t *)"t", 1 } } };
        struct moq_handler h = { .on_subscribe = on_subscribe,
                                 .on_publish = on_publish,
                                 .on_fetch = on_fetch,
                                 .on_request = on_request,
                                 .on_namespace = on_namespace,
                                 .on_fetch_object = on_fetch_object,
                                 .on_object = on_object };
        struct moq_session *s;
        if (moq_session_new(&s, &cfg, &quic, &h, NULL) < 0)
            return 0;
        static const uint8_t setup[] = { 0xaf, 0, 0, 0 };
        moq_session_start(s);
        moq_session_on_data(s, l.server ? 2 : 3, setup, sizeof setup, false, 0);
        ask(s);
        play(s, data, size);
        moq_session_free(s);
    }
    return 0;
}
