/*
 * trace.h - what happens inside a connection, as a stream of small plain records.
 *
 * tvl_config.trace is called for each; <tvl/qlog.h> writes them as qlog. With no callback set the
 * cost is one comparison per record. Every decision of the scheduler and of recovery can be told
 * from them: what was sent where and why, what was acknowledged, declared lost and by which rule,
 * and how a path's state, window and controller changed.
 */
#ifndef TVL_TRACE_H
#define TVL_TRACE_H

#include <tvl/select.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tvl_trace_type {
    TVL_TRACE_CONNECTION_STARTED, /* .start */
    TVL_TRACE_CONNECTION_CLOSED,  /* .closed; the goodbye may leave after it */
    TVL_TRACE_CONNECTION_FREED,   /* the last of it */
    TVL_TRACE_PARAMETERS,         /* .params: ours or the peer's */
    TVL_TRACE_KEY_UPDATED,        /* .key */
    TVL_TRACE_KEY_DISCARDED,      /* .key */
    TVL_TRACE_PACKET_SENT,        /* .packet */
    TVL_TRACE_PACKET_RECEIVED,    /* .packet */
    TVL_TRACE_PACKET_DROPPED,     /* .dropped */
    TVL_TRACE_PACKET_BUFFERED,    /* .dropped, but only for now: its keys are not there yet */
    TVL_TRACE_PACKET_LOST,        /* .lost */
    TVL_TRACE_PACKET_SPURIOUS,    /* .lost: acknowledged after all */
    TVL_TRACE_RECOVERY_METRICS,   /* .metrics: after an acknowledgement or a loss */
    TVL_TRACE_CONGESTION_STATE,   /* .congestion */
    TVL_TRACE_TIMER_EXPIRED,      /* .timer */
    TVL_TRACE_PATH_STATE,         /* .path */
    TVL_TRACE_PATH_ADDRESS,       /* .path: it moved */
    TVL_TRACE_PATH_MTU,           /* .path */
    TVL_TRACE_PATH_ECN,           /* .path */
    TVL_TRACE_SCHEDULER,          /* .scheduler: which path, and what the others offered */
    TVL_TRACE_STREAM_STATE,       /* .stream */
    TVL_TRACE_CONTROLLER,         /* .controller: one was chosen for a path, or stays */
};

#define TVL_TRACE_FRAMES_MAX 24  /* frames named per packet; more are counted only */
#define TVL_TRACE_RANGES_MAX 128 /* ranges of all ACK frames named per packet */

struct tvl_trace_range {
    uint64_t first, last; /* packet numbers, both inclusive */
};

struct tvl_trace_frame { /* what the type has of these; else 0 */
    uint64_t type;       /* on the wire, RFC 9000 19 */
    const char *name;    /* in qlog's spelling, static: "stream", "path_ack" */
    uint64_t id;         /* stream ID; of the path frames and PATH_ACK the path ID */
    uint64_t offset;     /* offset, limit or maximum; sequence number; of an ACK its delay in us */
    uint64_t len;        /* bytes; of a RESET_STREAM the final size; of PADDING how many */
    uint64_t code;       /* error code; Retire Prior To */
    bool fin;
    uint32_t range_from, ranges; /* ACK: which of packet.range[], falling */
    uint64_t ect0, ect1, ce;     /* ACK: packets so marked */
    uint8_t cid[20], cid_len;    /* NEW_CONNECTION_ID */
};

enum tvl_trace_level { /* packet types in qlog's words */
                       TVL_TRACE_INITIAL,
                       TVL_TRACE_ZERO_RTT,
                       TVL_TRACE_HANDSHAKE,
                       TVL_TRACE_ONE_RTT,
                       TVL_TRACE_RETRY,
                       TVL_TRACE_VERSION_NEGOTIATION,
                       TVL_TRACE_STATELESS_RESET,
};

struct tvl_trace_event {
    enum tvl_trace_type type;
    uint64_t conn_id; /* tvl_conn_id(); 0: of the endpoint */
    tvl_time at;
    bool server; /* our side */
    uint32_t path_id;
    union {
        struct {
            struct sockaddr_storage local, remote;
            uint8_t odcid[20], odcid_len; /* original destination connection ID: names the trace */
        } start;
        struct {
            enum tvl_close_kind kind;
            uint64_t code;
            const char *reason;
        } closed;
        struct {
            bool ours;
            uint64_t idle_timeout_ms, max_data, max_streams_bidi, max_streams_uni;
            uint64_t max_udp_payload, max_ack_delay_ms, active_cid_limit, datagram_max;
            bool multipath;
            uint64_t max_path_id;
        } params;
        struct {
            enum tvl_trace_level level;
            uint64_t phase;      /* ONE_RTT: how often keys were renewed before; modulo 2 */
            bool server;         /* the secret of the server's packets, else of the client's */
            const char *trigger; /* "tls", "local_update", "remote_update" */
        } key;
        struct {
            enum tvl_trace_level level;
            uint64_t pn;
            uint32_t bytes;
            uint8_t ecn;
            const char *trigger; /* NULL: the scheduler chose (see the event before), or why it
                                    left there: "pto_probe", "path_bound", "close", ... */
            size_t n_frames;     /* all; frame[] holds the first TVL_TRACE_FRAMES_MAX */
            struct tvl_trace_frame frame[TVL_TRACE_FRAMES_MAX];
            size_t n_ranges;
            struct tvl_trace_range range[TVL_TRACE_RANGES_MAX];
        } packet;
        struct {
            enum tvl_trace_level level;
            uint32_t bytes;
            const char *trigger; /* qlog's words: "key_unavailable", "decryption_failure", ... */
        } dropped;
        struct {
            enum tvl_trace_level level;
            uint64_t pn;
            uint32_t bytes;
            const char *trigger; /* "reordering_threshold", "time_threshold", "path_left", ... */
        } lost;
        struct {
            tvl_time rtt_latest, srtt, rttvar, rtt_min;
            uint64_t cwnd, in_flight, pacing_bps;
            unsigned pto_count;
        } metrics;
        struct {
            const char *controller,
                *state; /* "slow_start", "congestion_avoidance", "recovery" ... */
        } congestion;
        struct {
            const char *timer; /* "loss", "pto", "idle", "path_challenge", "health" */
        } timer;
        struct {
            enum tvl_path_state state;
            const char *why;
            struct sockaddr_storage local, remote;
            uint32_t mtu;
            bool ecn;
        } path;
        struct {
            size_t n;         /* paths offered */
            int picked;       /* path ID, or -1: held */
            uint64_t rank;    /* of the first stream waiting */
            const char *kind; /* of the paths offered: "proved", or, for want of such, "stale",
                                 "backup", "doubted" */
            struct {
                uint32_t id;
                tvl_time srtt;
                uint64_t room, cwnd, in_flight;
            } offer[TVL_PATHS_MAX];
        } scheduler;
        struct {
            uint64_t id;
            bool sending;      /* which half of it */
            const char *state; /* RFC 9000 3.1 and 3.2 in qlog's words: "ready", "size_known" ... */
            const char *why;   /* of "reset_sent": "deadline", "stop_sending" or "application" */
        } stream;
        struct { /* told when it is changed, and when another would be but for its little gain */
            const char *from, *to; /* the same: it stays */
            enum tvl_objective objective;
            const char *reason; /* one line for a person; borrowed */
            struct tvl_path_model model;
            size_t n;
            struct tvl_select_row row[TVL_SELECT_MAX];
        } controller;
    };
};

#ifdef __cplusplus
}
#endif
#endif
