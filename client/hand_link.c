/* hand_link.c - see hand_link.h. Nothing here waits. */
#include "hand_link.h"

#include "hand_state.h"

#include <ev.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINES_AT_ONCE 16
#define IDENTITY "svc-player" /* the one key there is; both ends name it */

enum stage { CONNECTING, SHAKING, READY, CLOSED };

struct hand_link {
    struct ev_loop *loop;
    const struct hand_link_handler *handler;
    void *user;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    uint8_t key[HAND_KEY_LEN];
    enum stage stage;
    ev_io readable, writable;
    ev_timer later; /* a failure is told outside of hand_link_send() */
    char in[HAND_LINE_MAX + 1];
    size_t in_len;
    char *out;
    size_t out_len;
    bool *freed; /* somebody is inside a call of the handler and wants to know */
};

/* ---- TLS ---- */

static SSL_SESSION *key_session(SSL *ssl)
{
    static const unsigned char aes_128_gcm_sha256[] = { 0x13, 0x01 };
    const struct hand_link *l = SSL_get_app_data(ssl);
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
    SSL_SESSION *s = SSL_SESSION_new();

    if (s && cipher && SSL_SESSION_set1_master_key(s, l->key, sizeof l->key) == 1 &&
        SSL_SESSION_set_cipher(s, cipher) == 1 &&
        SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
        return s;
    SSL_SESSION_free(s);
    return NULL;
}

static int use_key(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
                   SSL_SESSION **out)
{
    (void)md;
    *id = (const unsigned char *)IDENTITY;
    *id_len = sizeof IDENTITY - 1;
    *out = key_session(ssl);
    return *out != NULL;
}

static int find_key(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **out)
{
    const bool ours = id_len == sizeof IDENTITY - 1 && memcmp(id, IDENTITY, id_len) == 0;

    *out = ours ? key_session(ssl) : NULL;
    return !ours || *out;
}

/* By certificate nobody comes in: none is trusted, none is shown. */
static int set_tls_up(struct hand_link *l, bool accepts)
{
    l->ctx = SSL_CTX_new(accepts ? TLS_server_method() : TLS_client_method());
    if (!l->ctx || SSL_CTX_set_min_proto_version(l->ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(l->ctx, "TLS_AES_128_GCM_SHA256") != 1)
        return -1;
    SSL_CTX_set_verify(l->ctx, accepts ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(l->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(l->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(l->ctx, 0);
    if (accepts)
        SSL_CTX_set_psk_find_session_callback(l->ctx, find_key);
    else
        SSL_CTX_set_psk_use_session_callback(l->ctx, use_key);
    l->ssl = SSL_new(l->ctx);
    if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
        return -1;
    SSL_set_app_data(l->ssl, l);
    SSL_set_mode(l->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (accepts)
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    return 0;
}

/* It was the key that let the other in, and nothing else. */
static bool by_key(const struct hand_link *l)
{
    return SSL_session_reused(l->ssl) == 1 && SSL_get0_peer_certificate(l->ssl) == NULL;
}

/* ---- ends ---- */

/* False: the link is gone. */
static bool tell(struct hand_link *l,
                 void (*what)(struct hand_link *l, const char *line, size_t len), const char *line,
                 size_t len)
{
    bool freed = false;

    l->freed = &freed;
    what(l, line, len);
    if (!freed)
        l->freed = NULL;
    return !freed;
}

static void close_link(struct hand_link *l, const char *why)
{
    const bool ready = l->stage == READY;

    if (l->stage == CLOSED)
        return;
    l->stage = CLOSED;
    ev_io_stop(l->loop, &l->readable);
    ev_io_stop(l->loop, &l->writable);
    ev_timer_stop(l->loop, &l->later);
    l->handler->on_closed(l->user, ready, why);
}

static void on_later(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    close_link(timer->data, "the connection broke");
}

/* Why the handshake, or the connection, ended. */
static const char *reason_of(const struct hand_link *l, int result, char *out, size_t cap)
{
    const int error = SSL_get_error(l->ssl, result), system_error = errno;
    const unsigned long code = ERR_peek_last_error();

    if (l->stage == READY && (error == SSL_ERROR_ZERO_RETURN || code == 0))
        snprintf(out, cap, "the other player has left");
    else if (l->stage == SHAKING && error == SSL_ERROR_SSL)
        snprintf(out, cap,
                 "the code is not the one that the other player shows, or what is there is "
                 "no player");
    else if (error == SSL_ERROR_SYSCALL && system_error)
        snprintf(out, cap, "%s", strerror(system_error));
    else
        snprintf(out, cap,
                 l->stage == READY ? "the connection broke"
                                   : "the other one does not take us, or is no player");
    return out;
}

/* ---- bytes ---- */

/* What has to happen before it goes on; false: it does not, and the link may be gone. */
static bool wants(struct hand_link *l, int result)
{
    char why[160];

    switch (SSL_get_error(l->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_WRITE:
        ev_io_start(l->loop, &l->writable);
        return true;
    default:
        close_link(l, reason_of(l, result, why, sizeof why));
        return false;
    }
}

/* False: the link may be gone. */
static bool flush(struct hand_link *l)
{
    size_t done = 0;
    int n = 1;

    while (done < l->out_len) {
        ERR_clear_error();
        errno = 0;
        n = SSL_write(l->ssl, l->out + done, (int)(l->out_len - done));
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    memmove(l->out, l->out + done, l->out_len - done);
    l->out_len -= done;
    if (l->out_len == 0)
        ev_io_stop(l->loop, &l->writable);
    return l->out_len == 0 || wants(l, n);
}

static void tell_line(struct hand_link *l, const char *line, size_t len)
{
    l->handler->on_line(l->user, line, len);
}

static void tell_ready(struct hand_link *l, const char *line, size_t len)
{
    (void)line;
    (void)len;
    l->handler->on_ready(l->user);
}

/* The lines that have come. False: the link is gone or closed. */
static bool take_lines(struct hand_link *l)
{
    size_t at = 0;

    for (char *end; (end = memchr(l->in + at, '\n', l->in_len - at)) != NULL;) {
        const char *line = l->in + at;

        at = (size_t)(end - l->in) + 1;
        if (!tell(l, tell_line, line, (size_t)(end - line)) || l->stage != READY)
            return false;
    }
    memmove(l->in, l->in + at, l->in_len - at);
    l->in_len -= at;
    if (l->in_len < sizeof l->in)
        return true;
    close_link(l, "what the other player says is too long");
    return false;
}

static void read_lines(struct hand_link *l)
{
    for (int i = 0; i < LINES_AT_ONCE; i++) {
        ERR_clear_error();
        errno = 0;
        const int n = SSL_read(l->ssl, l->in + l->in_len, (int)(sizeof l->in - l->in_len));

        if (n <= 0) {
            (void)wants(l, n);
            return;
        }
        l->in_len += (size_t)n;
        if (!take_lines(l))
            return;
    }
    if (SSL_pending(l->ssl) > 0)
        ev_feed_event(l->loop, &l->readable, EV_READ);
}

static void shake(struct hand_link *l)
{
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(l->ssl);

    if (result != 1) {
        (void)wants(l, result);
        return;
    }
    if (!by_key(l)) {
        close_link(l, "what is there is no player");
        return;
    }
    l->stage = READY;
    if (tell(l, tell_ready, NULL, 0) && l->stage == READY)
        read_lines(l);
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct hand_link *l = io->data;
    int error = 0;
    socklen_t len = sizeof error;

    (void)loop;
    if (l->stage == CONNECTING) {
        if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error) {
            close_link(l, strerror(error));
            return;
        }
        l->stage = SHAKING;
    }
    if (l->stage == SHAKING) {
        ev_io_stop(l->loop, &l->writable);
        shake(l);
        return;
    }
    if ((events & EV_WRITE) && !flush(l))
        return;
    if (events & EV_READ)
        read_lines(l);
}

void hand_link_send(struct hand_link *l, const char *line)
{
    const size_t len = strlen(line);
    char *grown = l->stage == READY && l->out_len + len + 1 <= HAND_BACKLOG_MAX
                      ? realloc(l->out, l->out_len + len + 1)
                      : NULL;

    if (l->stage == CLOSED)
        return;
    if (!grown) {
        ev_timer_start(l->loop, &l->later);
        return;
    }
    l->out = grown;
    memcpy(l->out + l->out_len, line, len);
    l->out[l->out_len + len] = '\n';
    l->out_len += len + 1;
    ERR_clear_error();
    const int n = SSL_write(l->ssl, l->out, (int)l->out_len);
    if (n > 0) {
        memmove(l->out, l->out + n, l->out_len - (size_t)n);
        l->out_len -= (size_t)n;
    } else if (SSL_get_error(l->ssl, n) != SSL_ERROR_WANT_READ &&
               SSL_get_error(l->ssl, n) != SSL_ERROR_WANT_WRITE) {
        ev_timer_start(l->loop, &l->later);
        return;
    }
    if (l->out_len > 0)
        ev_io_start(l->loop, &l->writable);
}

/* ---- life ---- */

/* Owns `fd`, also on failure. */
static int link_new(struct hand_link **out, struct ev_loop *loop, int fd, const char *code,
                    bool accepts, const struct hand_link_handler *handler, void *user)
{
    struct hand_link *l = calloc(1, sizeof *l);
    const int on = 1;

    if (!l) {
        close(fd);
        return -1;
    }
    l->loop = loop;
    l->handler = handler;
    l->user = user;
    l->fd = fd;
    l->stage = accepts ? SHAKING : CONNECTING;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ev_io_init(&l->readable, on_event, fd, EV_READ);
    ev_io_init(&l->writable, on_event, fd, EV_WRITE);
    ev_timer_init(&l->later, on_later, 0, 0);
    l->readable.data = l->writable.data = l->later.data = l;
    if (hand_code_key(l->key, code) != 0 || set_tls_up(l, accepts) != 0) {
        hand_link_free(l);
        return -1;
    }
    ev_io_start(loop, accepts ? &l->readable : &l->writable);
    if (!accepts)
        ev_io_start(loop, &l->readable);
    *out = l;
    return 0;
}

int hand_link_accept(struct hand_link **out, struct ev_loop *loop, int fd, const char *code,
                     const struct hand_link_handler *handler, void *user)
{
    return link_new(out, loop, fd, code, true, handler, user);
}

/* The address of `t`, which is none to be looked up. NULL: none. */
static struct addrinfo *address_of(const struct hand_target *t, int flags)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | flags };
    struct addrinfo *list = NULL;
    char port[8];

    snprintf(port, sizeof port, "%u", t->port);
    return getaddrinfo(t->host[0] ? t->host : NULL, port, &hints, &list) == 0 ? list : NULL;
}

int hand_link_connect(struct hand_link **out, struct ev_loop *loop, const struct hand_target *to,
                      const struct hand_link_handler *handler, void *user, char *why,
                      size_t why_size)
{
    struct addrinfo *a = to->host[0] ? address_of(to, 0) : NULL;
    int result = -1;

    if (!a) {
        snprintf(why, why_size, "%.100s: an address is wanted here, as the other player shows it",
                 to->host);
        return -1;
    }
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        snprintf(why, why_size, "%.100s: %s", to->host, strerror(errno));
        if (fd >= 0)
            close(fd);
    } else {
        result = link_new(out, loop, fd, to->code, false, handler, user);
        if (result != 0)
            snprintf(why, why_size, "TLS cannot be set up");
    }
    freeaddrinfo(a);
    return result;
}

void hand_link_free(struct hand_link *l)
{
    if (!l)
        return;
    if (l->freed)
        *l->freed = true;
    ev_io_stop(l->loop, &l->readable);
    ev_io_stop(l->loop, &l->writable);
    ev_timer_stop(l->loop, &l->later);
    if (l->stage == READY && !ev_is_pending(&l->later)) {
        ERR_clear_error();
        (void)SSL_shutdown(l->ssl);
    }
    SSL_free(l->ssl);
    SSL_CTX_free(l->ctx);
    close(l->fd);
    free(l->out);
    OPENSSL_cleanse(l, sizeof *l);
    free(l);
}

int hand_listen(struct hand_target *at, char *why, size_t why_size)
{
    struct addrinfo *a = address_of(at, AI_PASSIVE);
    const int on = 1, off = 0;
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    int fd = -1;

    if (!a) {
        snprintf(why, why_size, "--take-over: %.100s is no address", at->host);
        return -1;
    }
    struct addrinfo *use = a; /* of any address: IPv6 takes IPv4 too */
    for (struct addrinfo *i = a; i && !at->host[0]; i = i->ai_next)
        if (i->ai_family == AF_INET6)
            use = i;
    for (int tries = 0; tries < 2 && fd < 0; tries++, use = a) {
        fd = socket(use->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (use->ai_family == AF_INET6)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (bind(fd, use->ai_addr, use->ai_addrlen) == 0 && listen(fd, 4) == 0 &&
            getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
            break;
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        snprintf(why, why_size, "--take-over: cannot listen at %.100s:%u: %s", at->host, at->port,
                 strerror(errno));
    else
        at->port =
            ntohs(bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((const struct sockaddr_in *)&bound)->sin_port);
    freeaddrinfo(a);
    return fd;
}
