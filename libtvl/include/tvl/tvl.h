/*
 * tvl.h - Multipath QUIC as a protocol engine without I/O.
 *
 * libtvl speaks QUIC version 1 (RFC 9000, 9001, 9002, 9221) and its multipath extension
 * (draft-ietf-quic-multipath). It opens no socket, reads no clock, starts no thread and has no
 * global state. The caller moves datagrams and says what time it is:
 *
 *     datagram --> tvl_endpoint_recv() --+                  +--> tvl_endpoint_send() --> datagram
 *     time     --> tvl_endpoint_tick() --+--> tvl_endpoint -+--> tvl_endpoint_poll() --> event
 *     bytes    --> tvl_stream_write()  --+                  +--> tvl_stream_read()   --> bytes
 *
 * After any call on the left, drain poll and send on the right, then arm one timer for
 * tvl_endpoint_next_tick(). <tvl/ev.h> does exactly this on libev; tests/sim does it on a
 * simulated network.
 *
 * Conventions, for every function below
 *   time     tvl_time: microseconds on any monotonic clock. `now` never goes back between two
 * calls. errors   0 or a count on success; a negative enum tvl_error on failure, with nothing
 * changed unless the function says otherwise. memory   x_new makes it, x_free takes it;
 * x_free(NULL) is allowed. Borrowed pointers live for the call. threads  one endpoint and all its
 * connections, one thread at a time. Endpoints share nothing but a tvl_tls, whose count is atomic.
 *   misuse   breaking a stated range returns TVL_ERR_ARG.
 */
#ifndef TVL_TVL_H
#define TVL_TVL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h> /* struct sockaddr_storage: an address is data here, never a socket */
#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_VERSION "0.1.0"

typedef uint64_t tvl_time; /* us */
#define TVL_TIME_NEVER UINT64_MAX

/* Every queue and loop is bounded; these are the bounds a caller can meet. */
#define TVL_PATHS_MAX 8       /* paths of one connection at one time */
#define TVL_DATAGRAM_MAX 1472 /* bytes of UDP payload, either direction: Ethernet, IPv4 */
#define TVL_REASON_MAX 128    /* bytes of a close reason, with its NUL */
#define TVL_STREAM_BUFFER_MAX (16u << 20) /* bytes a stream holds unsent or unacknowledged */
#define TVL_CONN_BUFFER_MAX (64u << 20)   /* same, all streams of a connection */
#define TVL_FLOWS_MAX 64                  /* flows of one connection that are counted apart */
#define TVL_SUBJECT_MAX 512               /* bytes of a certificate's subject, with its NUL */
#define TVL_SESSION_MAX 8192              /* bytes of an exported session */
#define TVL_SERVER_ID_MAX 15              /* bytes of a server ID, draft-ietf-quic-load-balancers */
#define TVL_WORKERS_MAX 32                /* endpoints that may share one UDP port */

enum tvl_error {
    TVL_ERR_ARG = -1,    /* an argument is outside its stated range */
    TVL_ERR_NOMEM = -2,  /* allocation failed */
    TVL_ERR_STATE = -3,  /* not in this state: e.g. write after finish, open before the handshake */
    TVL_ERR_FULL = -4,   /* a bound or the peer's limit is reached; try again after an event */
    TVL_ERR_PACKET = -5, /* datagram is not ours, damaged or forged; dropped and counted */
    TVL_ERR_PEER = -6,   /* the peer broke the protocol; the connection is closing */
    TVL_ERR_TLS = -7,    /* TLS set-up or handshake failed */
    TVL_ERR_FILE = -8,   /* a certificate, key or CA file cannot be read */
    TVL_ERR_SYS = -9,    /* driver only: a system call failed, errno says why */
};
const char *tvl_strerror(int error); /* static text, never NULL */

/* ---- TLS ---- */

struct tvl_tls; /* certificates, trust and ALPN; shared by many connections, counted */

struct tvl_tls_config {
    const char *const
        *alpn;             /* names, ends with NULL; first is preferred; at least one [RFC 7301] */
    const char *cert_file; /* PEM chain; required on a server, optional on a client */
    const char *key_file;  /* PEM key; goes with cert_file */
    const char *ca_file;   /* PEM trust anchors; NULL: the system's. On a server: demand of every
                              client a certificate issued by one of them; NULL: ask for none */
    bool ca_optional;      /* server with a ca_file: a client that shows no certificate may come in
                              too; see tvl_conn_peer_subject */
    const char *suites;    /* TLS 1.3 cipher suites, OpenSSL's names with ':'; NULL: AES-128-GCM,
                              AES-256-GCM, ChaCha20-Poly1305 in this order */
    const char *groups;    /* key exchange groups, OpenSSL's names with ':'; NULL: its default. A
                              server that takes none the client has guessed asks again
                              (HelloRetryRequest, RFC 8446 4.1.4) */
    bool server;
    bool no_tickets; /* server: give none (RFC 8446 4.6.1); client: keep and use none */
    /* One line in SSLKEYLOGFILE form without newline per secret; NULL: none. Must not call back. */
    void (*keylog)(void *user, const char *line);
    void *keylog_user;
};

/*
 * Read the files and make a context. The peer's certificate and name are always verified on a
 * client. 0, TVL_ERR_ARG, TVL_ERR_FILE or TVL_ERR_TLS; on failure `why` (may be NULL, `why_size`
 * bytes) gets one line that names the file.
 */
int tvl_tls_new(struct tvl_tls **out, const struct tvl_tls_config *cfg, char *why, size_t why_size);

/*
 * Read the files of `cfg` anew: handshakes that begin from now on use them, connections that are
 * there go on. Role, ALPN, key log and whether there are tickets stay as they are. Tickets that
 * were given stay good, unless clients show certificates: who they speak for is asked again. From
 * any thread. Results as tvl_tls_new; on failure all stays as it was.
 */
int tvl_tls_reload(struct tvl_tls *tls, const struct tvl_tls_config *cfg, char *why,
                   size_t why_size);
void tvl_tls_free(struct tvl_tls *tls); /* drops one reference; connections hold their own */

/* ---- endpoint: what one UDP port (server) or one application (client) drives ---- */

struct tvl_endpoint;
struct tvl_conn; /* owned by its endpoint */

enum tvl_retry_policy { /* when a server asks a client to prove its address, RFC 9000 8.1.2 */
                        TVL_RETRY_UNDER_LOAD, /* once half of handshakes_max are under way (default)
                                               */
                        TVL_RETRY_ALWAYS,
                        TVL_RETRY_NEVER,
};

enum tvl_knock { /* what a server's application makes of one who wants to come in */
                 TVL_KNOCK_ADMIT,
                 TVL_KNOCK_PROVE,  /* once it has proved its address (Retry), ask again */
                 TVL_KNOCK_REFUSE, /* CONNECTION_REFUSED */
};

/*
 * How connection IDs name the server, so that a balancer in front can route every path of a
 * connection to it: draft-ietf-quic-load-balancers 5. All zero: IDs are random.
 */
struct tvl_lb_config {
    uint8_t config_id;                    /* [0, 6], the three first bits of each ID */
    uint8_t server_id_len;                /* [1, TVL_SERVER_ID_MAX]; 0: no server ID */
    uint8_t nonce_len;                    /* [4, 18]; 1 + server_id_len + nonce_len <= 20 */
    uint8_t server_id[TVL_SERVER_ID_MAX]; /* of this server */
    bool encrypted;                       /* by `key`; else the server ID stands in the clear */
    uint8_t key[16];                      /* AES-128, shared with the balancer */
};

/*
 * For a balancer: the server ID in the connection ID at `cid` (`len` bytes may be there; a short
 * header does not tell where it ends), where `lb` says how to read it; lb->server_id is not used.
 * Bytes of the ID written, lb->server_id_len. TVL_ERR_PACKET: too short, or of another config ID,
 * as a client's first choice may be: route that by address. TVL_ERR_ARG, TVL_ERR_NOMEM.
 */
int tvl_lb_decode(const struct tvl_lb_config *lb, const uint8_t *cid, size_t len,
                  uint8_t server_id[TVL_SERVER_ID_MAX]);

struct tvl_trace_event; /* <tvl/trace.h> */
struct tvl_cc_ops;      /* <tvl/cc.h> */
struct tvl_knowledge;   /* <tvl/select.h> */

enum tvl_objective { /* towards which a controller is chosen for each path, see <tvl/select.h> */
                     TVL_OBJECTIVE_NONE,       /* none is chosen: the configured one stays */
                     TVL_OBJECTIVE_THROUGHPUT, /* rate */
                     TVL_OBJECTIVE_DELAY,      /* rate less what queues cost: log rate
                                                  - 0.5 log (queue + rtt_min) */
                     TVL_OBJECTIVE_VIDEO,      /* rate that arrives within the deadline */
};

struct tvl_config {
    struct tvl_tls *tls;             /* a reference is taken */
    const char *cc;                  /* congestion controller by name, see <tvl/cc.h> ["cubic"] */
    const struct tvl_cc_ops *cc_ops; /* one of the caller's own instead; NULL: none. Must outlive
                                        the endpoint */
    /* What each path's controller is chosen for while it runs, beginning with `cc`; see
     * tvl_conn_set_objective. */
    enum tvl_objective objective;          /* default TVL_OBJECTIVE_NONE */
    tvl_time objective_deadline;           /* us from sending to use, for TVL_OBJECTIVE_VIDEO
                                              [1 ms, 1 min], default 400 ms */
    const struct tvl_knowledge *knowledge; /* what was measured before; NULL (default): formulas
                                              alone. Must outlive the endpoint */
    /* How paths that share a bottleneck are kept from taking more of it than one would: "lia" (RFC
     * 6356), "olia", "balia", see <tvl/cc.h>; "": they are not. Only paths that RFC 8382's
     * detection groups together are coupled, after about eight seconds under load. Default "lia":
     * the only one of them that is an RFC, and it leaves losses to the controller; the others
     * move traffic better between paths of unlike congestion, which here the scheduler does. */
    const char *coupling;
    const char *sched;          /* path scheduler by name, see <tvl/sched.h> ["ecf"] */
    uint64_t seed[4];           /* all of libtvl's randomness; a driver fills it from the kernel */
    tvl_time idle_timeout;      /* us [1 s, 10 min], default 30 s; RFC 9000 10.1 */
    tvl_time handshake_timeout; /* us [1 s, 1 min], default 10 s */
    tvl_time keepalive;         /* us of silence on a path after which a client asks it for a sign
                                   of life [50 ms, 1 min]; 0: never (default) */
    uint32_t max_path_id;       /* highest path ID allowed at start [0, 255], default 16; a client
                                   and a server with UINT32_MAX do not offer multipath */
    uint64_t stream_window;     /* bytes per stream the peer may send ahead [16 KiB, 64 MiB], 8 MiB:
                                        over unlike paths much overtakes; conn_window bounds the sum */
    uint64_t conn_window;       /* same, whole connection [64 KiB, 256 MiB], default 16 MiB */
    uint64_t streams_bidi;      /* streams the peer may have open at once [0, 2^16], default 128 */
    uint64_t streams_uni;       /* same, unidirectional, default 1024 */
    uint32_t conns_max;         /* server: connections at once [1, 65536], default 16384 */
    uint32_t handshakes_max;    /* server: of them not yet complete [1, 65536], default 1024; what
                                   comes above is refused with CONNECTION_REFUSED */
    uint32_t conns_per_host;    /* server: connections from one address (IPv6: one /64) at once;
                                   0: conns_max (default) */
    enum tvl_retry_policy retry;
    /* Server: asked of each client that may come in by the limits above, before anything is kept
     * of it; NULL (default): all may. `proved`: its address is known to be its own (else it may be
     * somebody's whom the sender means to harm: do not count it). Workers ask from their threads.
     * Must not call back. */
    enum tvl_knock (*on_knock)(void *user, const struct sockaddr_storage *remote, bool proved,
                               tvl_time now);
    void *knock_user;
    struct tvl_lb_config lb;
    uint8_t worker, workers; /* server: which of how many endpoints on one port this is; its IDs
                                carry the number. workers [1, TVL_WORKERS_MAX], default 1 */
    uint8_t secret[32];      /* server: keys of tokens and stateless resets come from it; equal on
                                all workers and after a restart. All zero: from the seed */
    tvl_time wall_offset;    /* server: us that make `now` the time since 1970, for tokens that
                                outlive the process or are shared by several; 0: `now` will do */
    uint32_t datagram_max;   /* bytes of a DATAGRAM frame taken (RFC 9221); 0: none; default 1400 */
    uint32_t repair_span;   /* bytes of a protected stream kept after they were read, so that repair
                               symbols of the peer can be used (TVL_FLOW_REPAIR) [16 KiB, 1 MiB],
                               default 128 KiB, of 64 streams at once; 0: none are taken */
    uint32_t mtu_max;       /* bytes of UDP payload probed for, RFC 8899 [1200, TVL_DATAGRAM_MAX],
                               default TVL_DATAGRAM_MAX; 1200: no probing */
    bool no_ecn;            /* do not mark packets ECT(0) (RFC 9000 13.4) */
    bool no_spin;           /* never show the spin bit (RFC 9000 17.4); else on 15 paths of 16 */
    bool no_grease;         /* no reserved versions, parameters, nor a free fixed bit (RFC 9287) */
    bool no_resumption;     /* client: begin every connection afresh, without ticket and token */
    uint32_t first_version; /* client: a reserved version 0x?a?a?a?a to begin with, so that servers
                               negotiate (RFC 9000 6.3); then version 1. 0 (default): version 1 */
    uint64_t key_update_packets; /* packets sent under one key before a new one, at most the
                                    cipher's limit (RFC 9001 6.6); 0: that limit */
    /* Server: where clients go on once the handshake is confirmed (RFC 9000 9.6); port 0 (default):
     * they stay. The endpoint must be given what arrives there too. */
    struct sockaddr_in preferred_ipv4;
    struct sockaddr_in6 preferred_ipv6;
    /* What happens inside, see <tvl/trace.h>; NULL: none. Must not call back. */
    void (*trace)(void *user, const struct tvl_trace_event *ev);
    void *trace_user;
};

/* Every field to its documented default; tls to NULL, seed to zero. Call first. */
void tvl_config_init(struct tvl_config *cfg);

/* Copies `cfg`, its names too. A server accepts connections as soon as it is driven. */
int tvl_endpoint_new(struct tvl_endpoint **out, const struct tvl_config *cfg);
void tvl_endpoint_free(struct tvl_endpoint *ep); /* frees its connections without a goodbye */

struct tvl_datagram {
    struct sockaddr_storage local, remote; /* local may be AF_UNSPEC where the driver cannot know */
    uint8_t ecn;                           /* the two ECN bits [0, 3] */
    size_t len;                            /* UDP payload [1, TVL_DATAGRAM_MAX] */
    size_t segment; /* batches: `len` bytes are datagrams of this size, the last may be shorter */
    tvl_time release_at; /* send: not before, us (SO_TXTIME, or at once where there is none) */
    uint64_t tag;    /* send: id of the local socket, as given in tvl_path_config.tag or by recv */
    tvl_time waited; /* recv: us that it had lain here when it was read, which no path is blamed
                        for; 0: not known */
};

/*
 * Take one received datagram; `bytes` is decrypted in place and scratch afterwards. 0, or
 * TVL_ERR_PACKET when nothing in it was ours. Errors of the peer become events, not results.
 */
int tvl_endpoint_recv(struct tvl_endpoint *ep, const struct tvl_datagram *dgram, uint8_t *bytes,
                      tvl_time now);

/*
 * The same for several at once: `dgram->len` bytes are datagrams of `dgram->segment` each, the last
 * may be shorter, from one place to one place with one ECN mark, as UDP_GRO joins them. How many
 * were ours, or TVL_ERR_PACKET.
 */
int tvl_endpoint_recv_batch(struct tvl_endpoint *ep, const struct tvl_datagram *dgram,
                            uint8_t *bytes, tvl_time now);

/*
 * Write the next datagram that may leave now into `bytes` (room for TVL_DATAGRAM_MAX).
 * 1: one written, `dgram` says where it goes. 0: nothing may leave before next_tick.
 */
int tvl_endpoint_send(struct tvl_endpoint *ep, struct tvl_datagram *dgram, uint8_t *bytes,
                      tvl_time now);

/*
 * The same for several at once: datagrams of one size to one place back to back in `bytes` (`cap`
 * bytes, at least TVL_DATAGRAM_MAX; more than 64 KiB is not used), as UDP_SEGMENT takes them.
 * Result: how many datagrams [0, cap / TVL_DATAGRAM_MAX rounded up]; `dgram->len` is their sum,
 * `dgram->segment` the size of each but the last.
 */
int tvl_endpoint_send_batch(struct tvl_endpoint *ep, struct tvl_datagram *dgram, uint8_t *bytes,
                            size_t cap, tvl_time now);

/* When tick is next due, or TVL_TIME_NEVER. May lie in the past. Changes after any non-const call.
 */
tvl_time tvl_endpoint_next_tick(const struct tvl_endpoint *ep);

/* Run what is due at `now`: loss timers, pacing, probes, idle, deadlines. Extra calls do nothing.
 */
void tvl_endpoint_tick(struct tvl_endpoint *ep, tvl_time now);

/* Server: take no new connections (they get CONNECTION_REFUSED), or take them again. */
void tvl_endpoint_refuse(struct tvl_endpoint *ep, bool refuse);

/*
 * Client: what the next connection to a server name can use - TLS ticket (RFC 8446 2.2) and address
 * token (RFC 9000 8.1.3). The endpoint remembers them for its last 16 names by itself; these two
 * carry them over to another endpoint or a later process. The bytes are as secret as a key.
 * export: bytes written [0, cap], 0: nothing is known. import: 0 or TVL_ERR_ARG (not understood).
 */
size_t tvl_session_export(const struct tvl_endpoint *ep, const char *server_name, uint8_t *bytes,
                          size_t cap);
int tvl_session_import(struct tvl_endpoint *ep, const char *server_name, const uint8_t *bytes,
                       size_t len);

/* ---- connections and paths ---- */

struct tvl_path_config {
    struct sockaddr_storage local, remote; /* local may be AF_UNSPEC: the driver's socket decides */
    uint64_t tag;                          /* the driver's name of the socket; returned by send */
    bool backup;                           /* PATH_STATUS_BACKUP: used when no other path lives */
};

/*
 * Client: start a connection whose path 0 is `path`; the certificate must name `server_name` (a DNS
 * name or an address literal). The connection lives until its CLOSED event is polled.
 */
int tvl_connect(struct tvl_endpoint *ep, const struct tvl_path_config *path,
                const char *server_name, struct tvl_conn **out, tvl_time now);

/* A pointer of the caller's that comes with the connection; NULL at first. */
void tvl_conn_set_user(struct tvl_conn *conn, void *user);
void *tvl_conn_user(const struct tvl_conn *conn);
/* Number of the connection within its endpoint, from 1; never reused. */
uint64_t tvl_conn_id(const struct tvl_conn *conn);
/*
 * The connection ID that the client chose for the server's first packet (RFC 9000 7.3): both ends
 * agree on it, so it tells whether two speak of the same connection. Bytes written [8, 20].
 */
#define TVL_ORIGINAL_ID_MAX 20
size_t tvl_conn_original_id(const struct tvl_conn *conn, uint8_t out[TVL_ORIGINAL_ID_MAX]);
/* The ALPN name agreed on; "" before the handshake. Borrowed until the connection ends. */
const char *tvl_conn_alpn(const struct tvl_conn *conn);
/* Subject of the certificate that the peer has shown and that was verified, as RFC 2253 writes it
 * ("CN=cam1,O=Studio"), printable ASCII; "": none, or longer than TVL_SUBJECT_MAX. From CONNECTED
 * on; borrowed until CLOSED is polled. */
const char *tvl_conn_peer_subject(const struct tvl_conn *conn);

/*
 * Client: open a further path (draft-ietf-quic-multipath 3.1). Before the handshake is confirmed
 * the wish is kept. Result: the path ID, unique for the life of the connection. TVL_EVENT_PATH says
 * how it went. TVL_ERR_FULL: TVL_PATHS_MAX reached. TVL_ERR_STATE: closing, or a server.
 */
int tvl_path_add(struct tvl_conn *conn, const struct tvl_path_config *cfg, tvl_time now);

/* PATH_ABANDON; what was in flight there is sent on other paths. TVL_ERR_ARG: no such path. */
int tvl_path_abandon(struct tvl_conn *conn, uint32_t path_id, tvl_time now);

/*
 * The caller knows that nothing passes on the path now: its interface is down, or the kernel has no
 * route. As if its silence had been noticed: what is in flight there is sent on other paths at
 * once, it is probed, and returns by itself. Nothing happens while no other path is up.
 * TVL_ERR_ARG: no such path; TVL_ERR_STATE: closing.
 */
int tvl_path_hint_down(struct tvl_conn *conn, uint32_t path_id, tvl_time now);

/*
 * Client: go on with the path from another place (RFC 9000 9; also with a peer that has no
 * multipath): new addresses and tag, a fresh connection ID, congestion state anew, the peer's
 * address validated again. TVL_ERR_ARG: no such path; TVL_ERR_STATE: not open, a server, or the
 * peer forbids it (disable_active_migration); TVL_ERR_FULL: the peer has given no spare connection
 * ID.
 */
int tvl_path_migrate(struct tvl_conn *conn, uint32_t path_id, const struct tvl_path_config *to,
                     tvl_time now);

/* Begin a new key phase (RFC 9001 6). TVL_ERR_STATE: too early, the last one is not confirmed for
 * three probe time-outs of the slowest path. */
int tvl_conn_update_keys(struct tvl_conn *conn, tvl_time now);

/* Ask the peer to prefer (available) or to spare (backup) the path; PATH_STATUS_*. */
int tvl_path_set_backup(struct tvl_conn *conn, uint32_t path_id, bool backup, tvl_time now);

/*
 * Another congestion controller for the path, from the next packet on: what the last one has
 * learnt goes over to it (struct tvl_cc_learnt in <tvl/cc.h>). The choice stays until the next
 * call of these or of tvl_conn_set_objective. TVL_ERR_ARG: no such path, or no such controller;
 * TVL_ERR_STATE: closing. The second takes one of the caller's own, which must outlive the
 * connection.
 */
int tvl_path_set_cc(struct tvl_conn *conn, uint32_t path_id, const char *name, tvl_time now);
int tvl_path_set_cc_ops(struct tvl_conn *conn, uint32_t path_id, const struct tvl_cc_ops *ops,
                        tvl_time now);

/*
 * Choose each path's controller from now on by `objective`, all paths anew; what was tried on them
 * is forgotten. Each change is told by TVL_EVENT_CONTROLLER. With TVL_OBJECTIVE_NONE all stay as
 * they are. `deadline` as in tvl_config.objective_deadline, for TVL_OBJECTIVE_VIDEO only.
 * TVL_ERR_ARG: out of range; TVL_ERR_STATE: closing.
 */
int tvl_conn_set_objective(struct tvl_conn *conn, enum tvl_objective objective, tvl_time deadline,
                           tvl_time now);

/* Say goodbye with an application error code [0, 2^62). Keep driving until TVL_EVENT_CLOSED. */
int tvl_close(struct tvl_conn *conn, uint64_t code, const char *reason, tvl_time now);

/* ---- streams (RFC 9000 2, 3, 4) ---- */

enum tvl_dir { TVL_BIDI = 0, TVL_UNI = 2 }; /* values are RFC 9000 2.1's bit */

/* New stream; *id gets its RFC 9000 stream ID. TVL_ERR_FULL: wait for TVL_EVENT_STREAMS. */
int tvl_stream_open(struct tvl_conn *conn, enum tvl_dir dir, uint64_t *id);

/*
 * Order among streams with data: smaller rank first; equal ranks by stream ID. Default 1 << 32.
 * Handshake, acknowledgements and connection frames precede every stream.
 */
int tvl_stream_set_rank(struct tvl_conn *conn, uint64_t id, uint64_t rank);

/*
 * When `deadline` passes and the peer has not acknowledged everything, the stream is reset with
 * `code` and TVL_EVENT_STREAM_EXPIRED is raised. TVL_TIME_NEVER (default): never.
 */
int tvl_stream_set_deadline(struct tvl_conn *conn, uint64_t id, tvl_time deadline, uint64_t code);

/*
 * Queue bytes; they are copied. Result: how many were taken [0, len]; fewer than len when
 * TVL_STREAM_BUFFER_MAX is met (then TVL_EVENT_STREAM_WRITABLE follows). `fin` ends the stream and
 * counts only if all bytes were taken. TVL_ERR_STATE: finished or reset; TVL_ERR_ARG: no such
 * stream, or receive-only.
 */
int64_t tvl_stream_write(struct tvl_conn *conn, uint64_t id, const uint8_t *bytes, size_t len,
                         bool fin);

/*
 * Take up to `cap` bytes in order. Result: how many; 0 with *fin false: none now. *fin is set with
 * the last byte; the stream's receiving part is then over. TVL_ERR_ARG: no such stream (also after
 * fin, reset or stop).
 */
int64_t tvl_stream_read(struct tvl_conn *conn, uint64_t id, uint8_t *bytes, size_t cap, bool *fin);

/*
 * The same without a copy: look at the next bytes in order, as many as lie in one piece, and take
 * them. peek: how many [0, any], *bytes borrowed until the next call on the connection or the next
 * datagram for it; *fin: the stream ends with them. consume: `len` at most what can be read, *fin
 * as in tvl_stream_read; 0 or TVL_ERR_ARG (no such stream, or more than there is).
 */
int64_t tvl_stream_peek(const struct tvl_conn *conn, uint64_t id, const uint8_t **bytes, bool *fin);
int tvl_stream_consume(struct tvl_conn *conn, uint64_t id, size_t len, bool *fin);

int tvl_stream_reset(struct tvl_conn *conn, uint64_t id, uint64_t code); /* RESET_STREAM */
int tvl_stream_stop(struct tvl_conn *conn, uint64_t id, uint64_t code);  /* STOP_SENDING */

/*
 * Put the stream into a flow [0, TVL_FLOWS_MAX): one purpose, such as a layer of a video; default
 * 0. It is counted there (tvl_flow_get_stats) and treated as tvl_flow_set says.
 */
int tvl_stream_set_flow(struct tvl_conn *conn, uint64_t id, uint32_t flow);

struct tvl_stream_order { /* what tvl_stream_open, set_rank, set_deadline and set_flow would say */
    enum tvl_dir dir;
    uint64_t rank;
    tvl_time deadline; /* TVL_TIME_NEVER: none */
    uint64_t code;     /* of the reset at the deadline */
    uint32_t flow;
};
struct tvl_part {
    const uint8_t *bytes;
    size_t len;
};

/*
 * A whole message on a new stream: open it as `order` says, write `n` parts back to back and end
 * it, at a fraction of what the single calls cost. 0 and its *id; TVL_ERR_FULL: no stream is to be
 * had, or not all of the bytes fit; TVL_ERR_ARG, TVL_ERR_NOMEM or TVL_ERR_STATE as the single
 * calls.
 */
int tvl_stream_send(struct tvl_conn *conn, const struct tvl_stream_order *order,
                    const struct tvl_part *part, size_t n, uint64_t *id);

/* ---- virtual flows: how all streams of one number are sent ---- */

#define TVL_FLOW_PRIORITY_MAX (INT64_C(1) << 62)
#define TVL_FLOW_SHARE_MAX 1000

enum tvl_flow_paths {
    TVL_FLOW_ANY_PATH, /* the scheduler decides */
    TVL_FLOW_ONLY,     /* on the paths listed; nothing leaves while none of them is up */
    TVL_FLOW_EXCEPT,   /* on all others */
    TVL_FLOW_METERED,  /* on all, but on those listed no more than their budget */
};

enum tvl_flow_reliability {
    TVL_FLOW_UNTIL_DEADLINE, /* sent again until its stream's deadline, which resets it; without
                                one, for ever */
    TVL_FLOW_RELIABLE,       /* for ever: deadlines order and are counted, but reset nothing */
    TVL_FLOW_UNRELIABLE, /* never: no byte is sent a second time, be it lost or in doubt. A stream
                            of which bytes are lost is reset with `code`, and
                            TVL_EVENT_STREAM_EXPIRED; the reader keeps what it has read before
                            the gap, and is told. So is one whose deadline passes. Copies and
                            repair symbols (below) are no second sending: with them a stream
                            outlives losses. An end without bytes is sent until it is known.
                            What is of use with gaps in it is for tvl_datagram_write */
};

enum tvl_flow_protection {
    TVL_FLOW_UNPROTECTED,
    TVL_FLOW_DUPLICATE, /* what leaves on one path leaves on a second one too, if one is up that the
                           flow may take: the one of the shortest round trip, as soon as it has
                           room. Up to TVL_SCHED_COPIES pieces wait for that (<tvl/sched.h>);
                           what is more stays single */
    TVL_FLOW_REPAIR,    /* every block of it - a stream up to its end, up to 64 packets, or what a
                           quarter of a round trip brings, 20 to 100 ms - is followed by repair
                           symbols, as many as the loss measured on the paths asks for so that of
                           a thousand blocks one is not whole without waiting for what is sent
                           again: none where nothing is lost, at most half of the block. They go over
                           another path than most of the block where there is one that the flow
                           may take, before data of the same rank, never before a smaller one. The peer
                           must take them (tvl_conn_stats.repair); else the flow is unprotected.
                           What is lost and not repaired is sent again as `reliability` says */
    TVL_FLOW_RESCUE,    /* what has left on one path and is no longer sure to be in time there is
                           sent on another one too, if the scheduler judges so: `layered` does. It
                           does that for flow 0 unasked */
};

struct tvl_flow_config { /* all zero: nothing special */
    uint64_t window;     /* bytes written and not acknowledged, all its streams together; beyond it
                            writes are short, and WRITABLE follows; 0: no limit of its own */
    int64_t priority;    /* added to the rank of each stream [-TVL_FLOW_PRIORITY_MAX, same]: below 0
                            is earlier. Ranks stay within [0, UINT64_MAX - 1] */
    tvl_time lifetime;   /* us: the deadline of a stream that has none when it enters the flow, from
                            then on; 0: none */
    uint64_t code;       /* of the RESET_STREAM at that deadline, or of an unreliable stream */
    uint32_t share;      /* weight among flows of equal rank [1, TVL_FLOW_SHARE_MAX]: they take
                            turns by bytes, deficit round robin; 0: none, before those that have */
    enum tvl_flow_paths paths;
    struct {
        uint32_t id;     /* path ID; need not exist yet */
        uint64_t budget; /* METERED: stream bytes, repeats too, since the path was first listed */
    } path[TVL_PATHS_MAX];
    uint32_t n_paths; /* [0, TVL_PATHS_MAX] */
    enum tvl_flow_reliability reliability;
    enum tvl_flow_protection protection;
};

/*
 * How the streams of a flow are sent from now on, those open included; `cfg` is copied. It may
 * change at any time. TVL_ERR_ARG: something is out of range; TVL_ERR_NOMEM.
 */
int tvl_flow_set(struct tvl_conn *conn, uint32_t flow, const struct tvl_flow_config *cfg);

/* Bytes written and not yet sent once, over all streams with a rank of `rank` or smaller, their
 * flow's priority counted. */
uint64_t tvl_backlog(const struct tvl_conn *conn, uint64_t rank);

/*
 * Unreliable datagram (RFC 9221); copied. Datagrams leave before the data of streams: the earliest
 * deadline first, others as they were written. Up to 256 of them, or 256 KiB, wait. TVL_ERR_FULL:
 * queue full; TVL_ERR_ARG: larger than tvl_datagram_room; TVL_ERR_STATE: the peer takes none.
 */
int tvl_datagram_write(struct tvl_conn *conn, const uint8_t *bytes, size_t len);

/* The same, dropped and counted when it has not left at `deadline`. */
int tvl_datagram_write_until(struct tvl_conn *conn, const uint8_t *bytes, size_t len,
                             tvl_time deadline);
/* Bytes that fit into one now: the peer's limit, and the smallest MTU of the paths in use. 0: none
 * are taken. */
size_t tvl_datagram_room(const struct tvl_conn *conn);

/* ---- events ---- */

enum tvl_event_type {
    TVL_EVENT_ACCEPTED,        /* server: a client has begun; conn is new */
    TVL_EVENT_CONNECTED,       /* handshake complete; streams may be opened */
    TVL_EVENT_CLOSED,          /* last event of a connection; conn is freed at the next poll call */
    TVL_EVENT_PATH,            /* a path changed its state */
    TVL_EVENT_CONTROLLER,      /* a path's controller was chosen anew, by the objective */
    TVL_EVENT_STREAMS,         /* the peer allows more streams: .streams.dir */
    TVL_EVENT_STREAM_OPENED,   /* the peer opened .stream.id */
    TVL_EVENT_STREAM_READABLE, /* bytes or the end have arrived; raised again after they were read
                                */
    TVL_EVENT_STREAM_WRITABLE, /* room again after a short write */
    TVL_EVENT_STREAM_RESET,    /* the peer reset: .stream.code; unread bytes are gone */
    TVL_EVENT_STREAM_STOPPED,  /* the peer asks to stop: .stream.code; we have reset already */
    TVL_EVENT_STREAM_EXPIRED,  /* the deadline passed; we have reset */
    TVL_EVENT_STREAM_ACKED,    /* every byte and the end are acknowledged */
    TVL_EVENT_DATAGRAM,        /* .datagram.bytes, borrowed until the next poll call */
};

enum tvl_path_state {
    TVL_PATH_OPENING,   /* challenge sent, not answered */
    TVL_PATH_UP,        /* validated and delivering */
    TVL_PATH_SUSPECT,   /* no proof of delivery for long: probed, carries no new data */
    TVL_PATH_ABANDONED, /* over for good; its ID is not used again */
};

enum tvl_close_kind {
    TVL_CLOSED_LOCAL,     /* tvl_close() */
    TVL_CLOSED_PEER_APP,  /* the peer's application: .code */
    TVL_CLOSED_PEER,      /* the peer's transport: .code, RFC 9000 20.1 */
    TVL_CLOSED_ERROR,     /* the peer broke the protocol: .code is what we sent */
    TVL_CLOSED_TLS,       /* handshake failed on either side: .code is 0x100 + alert */
    TVL_CLOSED_IDLE,      /* idle time-out */
    TVL_CLOSED_NO_ANSWER, /* the handshake met no answer */
    TVL_CLOSED_RESET,     /* stateless reset */
};

struct tvl_event {
    enum tvl_event_type type;
    struct tvl_conn *conn;
    union {
        struct {
            enum tvl_close_kind kind;
            uint64_t code;
            char reason[TVL_REASON_MAX]; /* text for a person; control characters replaced */
        } closed;
        struct {
            uint32_t id;
            enum tvl_path_state state;
        } path;
        struct {
            uint32_t id;                 /* of the path */
            const char *from, *to;       /* names, static */
            char reason[TVL_REASON_MAX]; /* one line for a person */
        } controller;
        struct {
            uint64_t id, code;
        } stream;
        struct {
            enum tvl_dir dir;
        } streams;
        struct {
            const uint8_t *bytes;
            size_t len;
        } datagram;
    };
};

/* 1: one event written. 0: none waiting. Events of one connection keep their order. */
int tvl_endpoint_poll(struct tvl_endpoint *ep, struct tvl_event *ev);

/* ---- watching ---- */

struct tvl_path_stats {
    uint32_t id;
    enum tvl_path_state state;
    bool backup; /* the peer asked to spare it */
    uint64_t tag;
    struct sockaddr_storage local, remote;
    const char *cc;                             /* controller's name, static */
    uint64_t cc_chosen;                         /* times it was chosen anew, by the objective */
    tvl_time rtt_latest, srtt, rttvar, rtt_min; /* us; 0 before the first sample */
    uint64_t cwnd, in_flight;                   /* bytes */
    uint64_t pacing_bps;                        /* bits/s */
    uint64_t delivery_bps;               /* bits/s acknowledged, over about the last 200 ms */
    uint64_t bytes_sent, bytes_received; /* UDP payload */
    uint64_t packets_sent, packets_received, packets_lost;
    uint64_t bytes_lost;
    uint64_t packets_spurious; /* declared lost and acknowledged after all */
    uint32_t mtu;              /* bytes of UDP payload that are known to pass */
    bool validated;            /* the peer's address is (RFC 9000 8.2) */
    bool ecn;                  /* we mark, and the path carries the marks (RFC 9000 13.4.2) */
    uint64_t ecn_ce_sent;      /* packets of ours that were marked CE on the way */
    uint64_t ecn_ce_received;  /* of the peer's */
    uint64_t evacuations;      /* times the path was left for want of proof of delivery */
    unsigned bottleneck;       /* paths of one number share theirs, as it seems, and are coupled; 0:
                                  with none */
    uint64_t rebindings;       /* times the peer's address changed, or ours by migration */
    tvl_time proof_at;         /* of the last acknowledgement that proved delivery; 0: none */
};

struct tvl_conn_stats {
    tvl_time handshake_time;             /* us from start to complete; 0 before */
    uint64_t bytes_sent, bytes_received; /* UDP payload, all paths */
    uint64_t stream_bytes_sent;          /* first transmissions only */
    uint64_t stream_bytes_resent;
    uint64_t stream_bytes_received; /* new bytes only */
    uint64_t rate_bps;              /* bits/s all live paths carry now, by their controllers */
    uint64_t sure_bps; /* the same, but of a path in whose queue packets wait what it was seen to
                          carry, where that is less */
    double loss; /* share of packets lost, of about the last hundred of each live path, by rate */
    uint64_t streams_expired;
    uint64_t datagrams_sent, datagrams_expired; /* left; dropped at their deadline */
    uint64_t datagrams_acked, datagrams_lost;   /* of those sent; or too large for any path now */
    uint64_t datagrams_received, datagrams_dropped; /* dropped: the caller did not poll in time */
    uint64_t packets_dropped;                       /* not decryptable, duplicate, or not ours */
    uint64_t key_updates;                           /* phases begun, by either side */
    uint64_t repairs_sent, repair_bytes_sent; /* symbols of TVL_FLOW_REPAIR, and their bytes */
    uint64_t repairs_received;                /* symbols */
    uint64_t stream_bytes_recovered;          /* by them; counted in stream_bytes_received too */
    bool multipath;                           /* negotiated */
    bool repair;                              /* the peer takes repair symbols */
    bool resumed;                             /* TLS resumed an earlier session */
    uint16_t suite;                           /* TLS 1.3 cipher suite, RFC 8446 B.4; 0 before */
};

struct tvl_stream_stats {
    uint64_t written, sent, resent, acked; /* bytes: by the caller; first and further sendings */
    uint64_t received, read;               /* bytes: new ones; by the caller */
    uint64_t send_max, receive_max;        /* flow-control limits, offsets */
    uint64_t rank;
    tvl_time deadline;
    uint32_t flow;
};

/*
 * A flow is all streams with one number. Its margin is how long before its deadline a stream's last
 * byte was acknowledged, so the arrival was earlier still by the way back.
 */
struct tvl_flow_stats {
    uint64_t streams;          /* with a deadline and over */
    uint64_t in_time, expired; /* of them */
    uint64_t bytes_in_time, bytes_expired;
    int64_t margin_min, margin_mean; /* us over those in time; 0 when there are none */
    int64_t margin_p10;              /* us: nine of ten had more, about (a histogram) */
};

struct tvl_endpoint_stats {
    uint32_t conns, handshakes; /* now: all, and those not complete */
    uint64_t accepted;          /* connections begun, ever */
    uint64_t refused_conns_max, refused_handshakes_max, refused_host, refused_draining;
    uint64_t refused_knock; /* by tvl_config.on_knock */
    uint64_t retries_sent, tokens_bad, resets_sent, versions_sent;
    uint64_t datagrams_unroutable; /* no connection, and nothing was answered */
};

/* Up to `cap` paths that have not been forgotten, by rising ID; result: how many were written. */
size_t tvl_paths(const struct tvl_conn *conn, struct tvl_path_stats *out, size_t cap);
void tvl_conn_get_stats(const struct tvl_conn *conn, struct tvl_conn_stats *out);
/* 0, or TVL_ERR_ARG: no such stream (also once it is over and its last event polled). */
int tvl_stream_get_stats(const struct tvl_conn *conn, uint64_t id, struct tvl_stream_stats *out);
/* 0, or TVL_ERR_ARG: flow is not in [0, TVL_FLOWS_MAX). */
int tvl_flow_get_stats(const struct tvl_conn *conn, uint32_t flow, struct tvl_flow_stats *out);
void tvl_endpoint_get_stats(const struct tvl_endpoint *ep, struct tvl_endpoint_stats *out);

#ifdef __cplusplus
}
#endif
#endif
