/*
 * h3.h - HTTP/3 (RFC 9114) on one connection of libtvl, by nghttp3: enough for a test client and a
 * test server that foreign peers can meet.
 *
 * An exchange is a request and its answer. Both sides see the same life: head, body, end of what
 * the peer sends; over, when what we send has arrived, too. Streams, QPACK and frames are
 * nghttp3's, bytes and acknowledgements libtvl's, whose events all go through h3_on_event.
 */
#ifndef TEST_H3_H
#define TEST_H3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tvl/tvl.h>

#define H3_PATH_MAX 1024
#define H3_METHOD_MAX 16

struct h3;

struct h3_exchange {
    uint64_t id; /* of the stream */
    char method[H3_METHOD_MAX], path[H3_PATH_MAX];
    unsigned status;            /* client: of the answer */
    uint64_t received;          /* bytes of the peer's body */
    bool ended;                 /* the peer has said all */
    bool delivered;             /* the peer has all we said */
    const uint8_t *body;        /* ours, owned by the caller until `over` */
    size_t body_len, body_used; /* used: taken by nghttp3 */
    void *user;
    struct h3_exchange *prev, *next;
};

struct h3_callbacks { /* any may be NULL */
    void (*head)(void *user, struct h3_exchange *x);
    void (*body)(void *user, struct h3_exchange *x, const uint8_t *bytes, size_t len);
    void (*end)(void *user, struct h3_exchange *x);
    /* `complete`: both sides said all. `x` is freed afterwards. Also called by h3_free. */
    void (*over)(void *user, struct h3_exchange *x, bool complete);
};

/* On a connection that is CONNECTED. 0 or a negative error; `cb` is copied. */
int h3_new(struct h3 **out, struct tvl_conn *conn, bool server, const struct h3_callbacks *cb,
           void *user);
void h3_free(struct h3 *h);

/*
 * Client. NULL: no stream is allowed now, or the connection fails. The body goes out with POST.
 */
struct h3_exchange *h3_request(struct h3 *h, const char *authority, const char *path,
                               const uint8_t *body, size_t body_len, void *user);
/* Server, once, from `head` on. */
int h3_answer(struct h3 *h, struct h3_exchange *x, unsigned status, const char *type,
              const uint8_t *body, size_t body_len);

/* After every event of the connection, and after request and answer. 0, or the code to close the
 * connection with (RFC 9114 8.1). */
uint64_t h3_on_event(struct h3 *h, const struct tvl_event *ev);
uint64_t h3_flush(struct h3 *h);

#define H3_NO_ERROR 0x100

#endif
