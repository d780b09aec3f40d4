/*
 * access.h - who may do what: limits by address before there is a session, then the session's
 * client certificate and tokens against the namespaces it asks for, and the access log of it.
 *
 *     first packet ──► access_knock()     at the door of the endpoint, before memory is spent
 *     handshake over ► access_join()      one struct access_session a connection
 *     SETUP's token ─► access_setup()     refused: close the session with verdict.close_code
 *     any request ───► access_request()   refused: REQUEST_ERROR with verdict.request_code;
 *                                         before it is looked up whether the namespace exists
 *     every second ──► access_check()     a token of the session has run out: close it
 *     connection gone ► access_leave()
 *
 * What may be done is the union of what needs no token (config_access.anonymous), what the
 * session's own tokens grant, and, for one request, the token in it. A prefix covers a namespace by
 * whole fields: "live" covers "live" and "live/a", not "lively"; a '/' at its end says nothing; ""
 * covers all. Without token_key, client_ca and anonymous everybody may subscribe and nobody
 * publish; with client_ca alone that is true of everybody who gets in.
 *
 * Threads: a struct access is used by all, a struct access_session by its worker alone. The rules
 * are one immutable, counted struct that access_reload swaps; a session asks the new ones from its
 * next request on, with its tokens verified again. What was granted before goes on.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moq/moq.h>
#include <tvl/tvl.h>

#include "config.h"

#define ACCESS_TOKEN_MAX 4096  /* bytes of a token; longer ones are malformed */
#define ACCESS_TOKENS_MAX 4    /* tokens of one session, its own and those in requests */
#define ACCESS_SUBJECT_MAX 128 /* with its NUL; longer ones are cut */
#define ACCESS_REASON_MAX 160  /* with its NUL */
#define ACCESS_STRIKES_MAX 16  /* refused requests after which a session is closed */
#define ACCESS_FOREVER UINT64_MAX

struct access;
struct access_session;

enum access_action { ACCESS_SUBSCRIBE, ACCESS_PUBLISH };

struct access_verdict {
    bool allowed;
    bool close;            /* refused, and the session must be closed with close_code */
    uint64_t close_code;   /* enum moq_close_code */
    uint64_t request_code; /* enum moq_request_error */
    uint64_t retry_ms;     /* refused, may be right later: REQUEST_ERROR's; 0: do not retry */
    uint64_t until_ms;     /* allowed: until then, of access_now_ms(); ACCESS_FOREVER: no end */
    char reason[ACCESS_REASON_MAX]; /* refused: one line for a person; says nothing secret */
};

/* Reads the key. 0, or -1 with one line in `why`. `cfg` need not outlive the call. */
int access_new(struct access **out, const struct config_access *cfg, char *why, size_t why_size);
/* From any thread. 0, or -1 with one line in `why`, and the old rules stay. */
int access_reload(struct access *a, const struct config_access *cfg, char *why, size_t why_size);
/* Open the access log's file again, as after it was renamed (SIGHUP). From any thread. */
void access_reopen_log(struct access *a);
/* About once a second, from one thread: forgets addresses, sums up who was turned away or came for
 * nothing: one line in the logs for ten seconds of them. */
void access_tick(struct access *a, tvl_time now);
void access_free(struct access *a); /* after its sessions; NULL allowed */

/* Fits tvl_config.on_knock with `access` as its user; from any thread, does not wait for others. */
enum tvl_knock access_knock(void *access, const struct sockaddr_storage *remote, bool proved,
                            tvl_time now);

struct access_peer {
    uint64_t id; /* of the session, for the log */
    const struct sockaddr_storage *remote;
    const char
        *subject; /* of its verified client certificate (tvl_conn_peer_subject); NULL: none */
};
/*
 * The handshake is over (TVL_EVENT_CONNECTED). NULL: refused, `v` says why: close the connection
 * with v->close_code. Everything is copied.
 */
struct access_session *access_join(struct access *a, const struct access_peer *peer, tvl_time now,
                                   struct access_verdict *v);

/* In on_setup, with what moq_tokens() gives there; n 0: it showed none, which is allowed. */
void access_setup(struct access_session *s, const struct moq_token *tokens, size_t n,
                  struct access_verdict *v);

/*
 * May it do `action` on `ns`, of which the namespace counts and not the track? `tokens`: `n` of
 * this request, as moq_tokens() gives them. Allowed: it holds until v->until_ms; then
 * end it with PUBLISH_DONE, MOQ_DONE_UNAUTHORIZED. Logged.
 */
void access_request(struct access_session *s, enum access_action action, const struct moq_name *ns,
                    const struct moq_token *tokens, size_t n, struct access_verdict *v);

/* What access_request allowed on `ns` is over, all of it. For the log, which has one line for the
 * first of several requests on one namespace, and this. */
void access_done(struct access_session *s, enum access_action action, const struct moq_name *ns,
                 uint64_t bytes, uint64_t duration_us, const char *reason);

/*
 * May the session go on? One that has shown a token in SETUP not once all that it has shown have
 * run out: close with v->close_code (MOQ_EXPIRED_AUTH_TOKEN). Cheap; each second or so.
 */
void access_check(struct access_session *s, struct access_verdict *v);

/* Who it is: "sub" of its first token, else the certificate's subject; "": nobody we know. */
const char *access_subject(const struct access_session *s);

/* The connection is gone. NULL allowed. */
void access_leave(struct access_session *s, uint64_t bytes_sent, uint64_t bytes_received,
                  const char *reason, tvl_time now);

/* A connection is gone that access_join never saw: its handshake came to nothing. */
void access_missed(struct access *a);

uint64_t access_now_ms(void); /* since 1970: tokens run out by the clock of the day */

/* Turned away since the start, at the door and after; from any thread. */
uint64_t access_refused(const struct access *a);

#endif
