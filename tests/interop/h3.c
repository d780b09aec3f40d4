/*
 * h3.c - see h3.h.
 *
 * libtvl copies what is written, so nghttp3 may forget bytes as soon as they are taken; only the
 * end of an exchange waits for the real acknowledgement.
 */
#include "h3.h"

#include <nghttp3/nghttp3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536 /* bytes of a DATA frame */
#define VECS 8
#define WRITES_MAX 4096 /* per flush: the rest follows with the next event */
#define FIELD_SECTION_MAX 65536

struct h3 {
    struct tvl_conn *conn;
    nghttp3_conn *ng;
    struct h3_callbacks cb;
    void *user;
    struct h3_exchange *first;
    uint64_t failure; /* the code to close with; 0: none */
};

static int fail(struct h3 *h, int64_t ng_error)
{
    if (!h->failure)
        h->failure = nghttp3_err_infer_quic_app_error_code((int)ng_error);
    return -1;
}

/* ---- exchanges ---- */

static struct h3_exchange *exchange_new(struct h3 *h, uint64_t id)
{
    struct h3_exchange *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->id = id;
    x->next = h->first;
    if (h->first)
        h->first->prev = x;
    h->first = x;
    return x;
}

static void exchange_over(struct h3 *h, struct h3_exchange *x)
{
    if (h->cb.over)
        h->cb.over(h->user, x, x->ended && x->delivered);
    if (x->prev)
        x->prev->next = x->next;
    else
        h->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    free(x);
}

static struct h3_exchange *exchange_find(struct h3 *h, uint64_t id)
{
    struct h3_exchange *x = h->first;

    while (x && x->id != id)
        x = x->next;
    return x;
}

/* ---- what nghttp3 calls ---- */

static int on_begin_headers(nghttp3_conn *ng, int64_t id, void *user, void *stream_user)
{
    struct h3_exchange *x = stream_user ? stream_user : exchange_new(user, (uint64_t)id);

    if (!x)
        return NGHTTP3_ERR_CALLBACK_FAILURE;
    return nghttp3_conn_set_stream_user_data(ng, id, x) == 0 ? 0 : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static void keep_text(char *out, size_t size, const nghttp3_rcbuf *value)
{
    const nghttp3_vec v = nghttp3_rcbuf_get_buf(value);

    snprintf(out, size, "%.*s", (int)v.len, (const char *)v.base);
}

static int on_header(nghttp3_conn *ng, int64_t id, int32_t token, nghttp3_rcbuf *name,
                     nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
    struct h3_exchange *x = stream_user;
    char text[8];

    (void)ng, (void)id, (void)name, (void)flags, (void)user;
    if (!x)
        return 0;
    if (token == NGHTTP3_QPACK_TOKEN__METHOD)
        keep_text(x->method, sizeof x->method, value);
    else if (token == NGHTTP3_QPACK_TOKEN__PATH)
        keep_text(x->path, sizeof x->path, value);
    else if (token == NGHTTP3_QPACK_TOKEN__STATUS) {
        keep_text(text, sizeof text, value);
        x->status = (unsigned)strtoul(text, NULL, 10);
    }
    return 0;
}

static int on_end_headers(nghttp3_conn *ng, int64_t id, int fin, void *user, void *stream_user)
{
    struct h3 *h = user;

    (void)ng, (void)id, (void)fin;
    if (stream_user && h->cb.head)
        h->cb.head(h->user, stream_user);
    return 0;
}

static int on_data(nghttp3_conn *ng, int64_t id, const uint8_t *bytes, size_t len, void *user,
                   void *stream_user)
{
    struct h3 *h = user;
    struct h3_exchange *x = stream_user;

    (void)ng, (void)id;
    if (!x)
        return 0;
    x->received += len;
    if (h->cb.body)
        h->cb.body(h->user, x, bytes, len);
    return 0;
}

static int on_end_stream(nghttp3_conn *ng, int64_t id, void *user, void *stream_user)
{
    struct h3 *h = user;
    struct h3_exchange *x = stream_user;

    (void)ng, (void)id;
    if (!x)
        return 0;
    x->ended = true;
    if (h->cb.end)
        h->cb.end(h->user, x);
    return 0;
}

static int on_stop_sending(nghttp3_conn *ng, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct h3 *h = user;

    (void)ng, (void)stream_user;
    (void)tvl_stream_stop(h->conn, (uint64_t)id, code);
    return 0;
}

static int on_reset_stream(nghttp3_conn *ng, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct h3 *h = user;

    (void)ng, (void)stream_user;
    (void)tvl_stream_reset(h->conn, (uint64_t)id, code);
    return 0;
}

static nghttp3_ssize on_read_data(nghttp3_conn *ng, int64_t id, nghttp3_vec *vec, size_t cap,
                                  uint32_t *flags, void *user, void *stream_user)
{
    struct h3_exchange *x = stream_user;
    size_t n = x->body_len - x->body_used;

    (void)ng, (void)id, (void)user;
    if (n == 0 || cap == 0) {
        *flags |= NGHTTP3_DATA_FLAG_EOF;
        return 0;
    }
    n = n < CHUNK ? n : CHUNK;
    vec[0].base = (uint8_t *)x->body + x->body_used;
    vec[0].len = n;
    x->body_used += n;
    if (x->body_used == x->body_len)
        *flags |= NGHTTP3_DATA_FLAG_EOF;
    return 1;
}

static const nghttp3_callbacks callbacks = {
    .recv_data = on_data,
    .begin_headers = on_begin_headers,
    .recv_header = on_header,
    .end_headers = on_end_headers,
    .end_stream = on_end_stream,
    .stop_sending = on_stop_sending,
    .reset_stream = on_reset_stream,
};

/* ---- begin and end ---- */

static int open_uni(struct h3 *h, int64_t *id)
{
    uint64_t opened;
    const int r = tvl_stream_open(h->conn, TVL_UNI, &opened);

    if (r == 0)
        (void)tvl_stream_set_rank(h->conn, opened, 0); /* before any request */
    *id = (int64_t)opened;
    return r;
}

static int bind_streams(struct h3 *h)
{
    int64_t control, encoder, decoder;
    int r = open_uni(h, &control);

    r = r ? r : open_uni(h, &encoder);
    r = r ? r : open_uni(h, &decoder);
    if (r)
        return r;
    r = nghttp3_conn_bind_control_stream(h->ng, control);
    return r ? r : nghttp3_conn_bind_qpack_streams(h->ng, encoder, decoder);
}

int h3_new(struct h3 **out, struct tvl_conn *conn, bool server, const struct h3_callbacks *cb,
           void *user)
{
    struct h3 *h = calloc(1, sizeof *h);
    nghttp3_settings settings;
    int r;

    if (!h)
        return TVL_ERR_NOMEM;
    h->conn = conn;
    h->cb = *cb;
    h->user = user;
    nghttp3_settings_default(&settings);
    settings.max_field_section_size = FIELD_SECTION_MAX;
    settings.qpack_max_dtable_capacity = 4096;
    settings.qpack_encoder_max_dtable_capacity = 4096;
    settings.qpack_blocked_streams = 16;
    r = server ? nghttp3_conn_server_new(&h->ng, &callbacks, &settings, NULL, h)
               : nghttp3_conn_client_new(&h->ng, &callbacks, &settings, NULL, h);
    if (r == 0 && server)
        nghttp3_conn_set_max_client_streams_bidi(h->ng, UINT32_MAX); /* libtvl limits them */
    if (r == 0)
        r = bind_streams(h);
    if (r) {
        h3_free(h);
        return r;
    }
    *out = h;
    return 0;
}

void h3_free(struct h3 *h)
{
    if (!h)
        return;
    while (h->first)
        exchange_over(h, h->first);
    nghttp3_conn_del(h->ng);
    free(h);
}

/* ---- messages ---- */

static nghttp3_nv field(const char *name, const char *value)
{
    return (nghttp3_nv){ .name = (uint8_t *)name,
                         .value = (uint8_t *)value,
                         .namelen = strlen(name),
                         .valuelen = strlen(value),
                         .flags = NGHTTP3_NV_FLAG_NONE };
}

struct h3_exchange *h3_request(struct h3 *h, const char *authority, const char *path,
                               const uint8_t *body, size_t body_len, void *user)
{
    const nghttp3_data_reader reader = { on_read_data };
    struct h3_exchange *x;
    char length[24];
    uint64_t id;

    if (h->failure || tvl_stream_open(h->conn, TVL_BIDI, &id) != 0)
        return NULL;
    x = exchange_new(h, id);
    if (!x)
        return NULL;
    snprintf(x->path, sizeof x->path, "%s", path);
    snprintf(x->method, sizeof x->method, "%s", body ? "POST" : "GET");
    snprintf(length, sizeof length, "%zu", body_len);
    x->body = body;
    x->body_len = body_len;
    x->user = user;
    const nghttp3_nv fields[] = { field(":method", x->method),    field(":scheme", "https"),
                                  field(":authority", authority), field(":path", x->path),
                                  field("user-agent", "libtvl"),  field("content-length", length) };
    const int r = nghttp3_conn_submit_request(h->ng, (int64_t)id, fields, body ? 6 : 5,
                                              body ? &reader : NULL, x);
    if (r != 0) {
        (void)fail(h, r);
        return NULL;
    }
    return x;
}

int h3_answer(struct h3 *h, struct h3_exchange *x, unsigned status, const char *type,
              const uint8_t *body, size_t body_len)
{
    const nghttp3_data_reader reader = { on_read_data };
    char code[8], length[24];

    snprintf(code, sizeof code, "%u", status);
    snprintf(length, sizeof length, "%zu", body_len);
    x->body = body;
    x->body_len = body_len;
    const nghttp3_nv fields[] = { field(":status", code), field("server", "libtvl"),
                                  field("content-type", type), field("content-length", length) };
    const int r =
        nghttp3_conn_submit_response(h->ng, (int64_t)x->id, fields, 4, body_len ? &reader : NULL);
    return r == 0 ? 0 : fail(h, r);
}

/* ---- bytes ---- */

static void read_stream(struct h3 *h, uint64_t id)
{
    uint8_t bytes[16384];
    bool fin = false;

    while (!fin && !h->failure) {
        const int64_t n = tvl_stream_read(h->conn, id, bytes, sizeof bytes, &fin);

        if (n < 0 || (n == 0 && !fin))
            return;
        const nghttp3_ssize r = nghttp3_conn_read_stream(h->ng, (int64_t)id, bytes, (size_t)n, fin);
        if (r < 0)
            (void)fail(h, r);
    }
}

/* What nghttp3 offers of one stream. Bytes taken; *blocked when not all were. */
static int64_t write_vecs(struct h3 *h, int64_t id, const nghttp3_vec *vec, size_t n, bool fin,
                          bool *blocked)
{
    int64_t total = 0;

    *blocked = false;
    if (n == 0)
        return tvl_stream_write(h->conn, (uint64_t)id, (const uint8_t *)"", 0, fin);
    for (size_t i = 0; i < n && !*blocked; i++) {
        const int64_t r =
            tvl_stream_write(h->conn, (uint64_t)id, vec[i].base, vec[i].len, fin && i == n - 1);

        if (r < 0)
            return r;
        total += r;
        *blocked = (size_t)r < vec[i].len;
    }
    return total;
}

uint64_t h3_flush(struct h3 *h)
{
    for (unsigned round = 0; round < WRITES_MAX && !h->failure; round++) {
        nghttp3_vec vec[VECS];
        int64_t id = -1;
        int fin = 0;
        bool blocked;
        const nghttp3_ssize n = nghttp3_conn_writev_stream(h->ng, &id, &fin, vec, VECS);

        if (n < 0)
            (void)fail(h, n);
        if (n < 0 || id < 0)
            break;
        const int64_t taken = write_vecs(h, id, vec, (size_t)n, fin != 0, &blocked);
        if (taken < 0) { /* the peer stopped it */
            nghttp3_conn_shutdown_stream_write(h->ng, id);
            continue;
        }
        if (nghttp3_conn_add_write_offset(h->ng, id, (size_t)taken) != 0 ||
            nghttp3_conn_add_ack_offset(h->ng, id, (uint64_t)taken) != 0)
            (void)fail(h, NGHTTP3_ERR_INVALID_STATE);
        if (blocked)
            nghttp3_conn_block_stream(h->ng, id);
    }
    return h->failure;
}

/* ---- events ---- */

static void end_stream(struct h3 *h, uint64_t id, uint64_t code)
{
    struct h3_exchange *x = exchange_find(h, id);
    const int r = nghttp3_conn_close_stream(h->ng, (int64_t)id, code);

    if (r != 0 && r != NGHTTP3_ERR_STREAM_NOT_FOUND)
        (void)fail(h, r);
    if (x)
        exchange_over(h, x);
}

/* All of them: what QPACK has held up may end with another stream's bytes. */
static void end_done(struct h3 *h)
{
    struct h3_exchange *x = h->first, *next;

    for (; x; x = next) {
        next = x->next;
        if (x->ended && x->delivered)
            end_stream(h, x->id, H3_NO_ERROR);
    }
}

uint64_t h3_on_event(struct h3 *h, const struct tvl_event *ev)
{
    const uint64_t id = ev->stream.id;
    struct h3_exchange *x;

    switch (ev->type) {
    case TVL_EVENT_STREAM_READABLE:
        read_stream(h, id);
        break;
    case TVL_EVENT_STREAM_WRITABLE:
        nghttp3_conn_unblock_stream(h->ng, (int64_t)id);
        break;
    case TVL_EVENT_STREAM_ACKED:
        x = exchange_find(h, id);
        if (x)
            x->delivered = true;
        break;
    case TVL_EVENT_STREAM_STOPPED: /* the peer needs no more of ours; its own may still come */
        nghttp3_conn_shutdown_stream_write(h->ng, (int64_t)id);
        x = exchange_find(h, id);
        if (x)
            x->delivered = true;
        break;
    case TVL_EVENT_STREAM_RESET:
        end_stream(h, id, ev->stream.code);
        break;
    default:
        break;
    }
    end_done(h);
    return h3_flush(h);
}
