/*
 * config.h - everything that svc-server is told, as data: by a YAML file, by the environment and by
 * the command line, in this order, the later one wins. Every part of the server reads this and none
 * of the three. Plain values; strings and arrays are owned by the configuration.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <svc/svc.h>

struct live_config;

#define CONFIG_SOURCES_MAX 256 /* of each list below */

enum config_source_kind {
    CONFIG_FILE,     /* a layered file */
    CONFIG_LIVE,     /* what is encoded while it runs: see `input` */
    CONFIG_UPSTREAM, /* another svc-server or MoQT relay, subscribed to on demand */
    CONFIG_PUBLISH,  /* a MoQT client that pushes its tracks to us */
};

enum config_sound_packet { /* ms */
                           CONFIG_SOUND_AUTO,
                           CONFIG_SOUND_10,
                           CONFIG_SOUND_20,
                           CONFIG_SOUND_40,
                           CONFIG_SOUND_60,
};

struct config_encoder {
    const char *codec, *layers;            /* "av1", "L3T2" */
    uint32_t bitrate_bps[SVC_SPATIAL_MAX]; /* of each spatial layer on top of those below */
    uint16_t width, height;                /* 0: the input's */
    uint32_t fps_num, fps_den;             /* 0: the input's */
    double key_interval_s;                 /* (0, 3600] */
    uint8_t speed, threads;                /* [7, 10], [1, 16] */
    enum config_sound_packet sound_packet; /* how much sound goes together */
    bool low_latency;                      /* nothing waits for company: for delays below 100 ms */
};

struct config_source { /* one MoQT namespace */
    const char *ns;    /* "a/b", unique; CONFIG_PUBLISH: all namespaces that begin so */
    enum config_source_kind kind;
    const char *input; /* CONFIG_FILE: its name. CONFIG_LIVE: "test[:WxH][@FPS]", a file or URL of
                          FFmpeg (srt:, rtmp:, rtsp:, rtp:, udp:), "v4l2:DEVICE", "x11:DISPLAY",
                          "gst:PIPELINE". CONFIG_UPSTREAM: "moqt://HOST:PORT/NAMESPACE" */
    const char *sound; /* CONFIG_LIVE: "alsa:DEVICE", "pulse:SOURCE"; NULL: the input's own */
    const char *ca;    /* CONFIG_UPSTREAM: PEM trust anchors; NULL: the system's */
    const char *token; /* CONFIG_UPSTREAM: file with the token to show; NULL: none */
    bool loop;         /* files: begin again at the end */
    double start_s;    /* CONFIG_FILE: begin here [0, ...) */
    bool on_demand;    /* runs only while somebody watches */
    bool start_on_viewer; /* begins with the first viewer, and goes on */
    uint32_t latency_ms;  /* [50, 10000] */
    const char *record;   /* layered file that is written of it; NULL: none */
    uint32_t window_s;    /* time shift that viewers have [0, 86400]; 0: none */
    struct config_encoder encoder;
};

struct config_push {     /* a namespace of ours that is published to a relay */
    const char *ns, *to; /* to: "moqt://HOST:PORT" */
    const char *ca, *token;
};

struct config_grant {    /* what needs no token */
    const char *ns;      /* all namespaces that begin so, by whole fields; "": all */
    const char *subject; /* only for who shows a client certificate of this subject, as RFC 2253
                            writes it ("CN=cam1,O=Studio"); NULL: for anybody */
    bool subscribe, publish;
};

struct config_access {
    const char *client_ca; /* PEM: every client must show a certificate of it; NULL: none need */
    bool client_optional;  /* client_ca: one that shows none comes in too */
    const char *token_key; /* file: PEM public key, or a secret; NULL: tokens are not taken */
    const char *token_algorithm; /* "HS256", "ES256", "RS256" and their 384 and 512, as in RFC
                                    7518; the only one that is taken */
    const char *token_issuer;    /* "iss" that is asked for; NULL: any */
    struct config_grant *anonymous;
    size_t n_anonymous;
    const char *log;           /* JSON lines; "-": standard output; NULL: none */
    uint32_t per_address;      /* connections at once from one address [0, 65536]; 0: no limit */
    uint32_t per_token;        /* sessions at once with one token, likewise */
    uint32_t rate_per_address; /* new connections of an address in 10 s, likewise */
};

struct config_control {
    const char *listen; /* "127.0.0.1:4480"; NULL: no control */
    const char *token;  /* file: bearer token that changes and lists of sessions need; NULL: none */
};

struct config_transport {
    const char *cc, *sched, *knowledge;
    int objective;                       /* enum tvl_objective */
    uint8_t server_id[8], server_id_len; /* in connection IDs (QUIC-LB); 0: none */
    uint8_t lb_config_id;                /* [0, 6] */
    const char *lb_key;                  /* file, 16 bytes in hexadecimal; NULL: in the clear */
};

enum config_confine_mode {
    CONFINE_DENY, /* what the server does not need fails with EPERM */
    CONFINE_KILL, /* and ends the process: for tests */
    CONFINE_OFF,
};

struct config_confine {    /* main.c does it (confine.h), before anything is opened */
    int mode;              /* enum config_confine_mode */
    const char *user;      /* to become, when started as root; NULL: stay */
    const char **writable; /* folders beside those of recordings and logs */
    size_t n_writable;
    const char **readable; /* folders under /home, /root or /boot beside those of what is named */
    size_t n_readable;
};

struct config {
    const char *listen;   /* UDP */
    uint32_t workers;     /* threads for viewers [0, 32]; 0: one for each processor */
    uint32_t viewers_max; /* at once [1, 65536] */
    const char *cert, *key;
    struct config_source *source;
    size_t n_sources;
    bool ends_with_source; /* the only source over, the server is too: it was named on the command
                              line */
    struct config_push *push;
    size_t n_pushes;
    struct config_access access;
    struct config_control control;
    struct config_transport transport;
    struct config_confine confine;
    uint32_t drain_s; /* patience with viewers after the first SIGTERM [0, 3600] */
    int log_level;    /* enum log_level */
    bool log_json;
    const char *keylog, *json, *qlog,
        *policy_log; /* NULL: none; SSLKEYLOGFILE, QLOGDIR are in it */
};

/* The defaults: no source, no grant. 0, or -1: out of memory, `c` is zero. */
int config_init(struct config *c);
void config_fini(struct config *c); /* frees what is in it; legal on zero */
/* All of `c`, nothing shared. 0, or -1: out of memory, `out` is zero. */
int config_copy(struct config *out, const struct config *c);
/* The plain file that a CONFIG_FILE or CONFIG_LIVE source reads; NULL: it reads none. */
const char *config_input_file(const struct config_source *s);
/* What a CONFIG_LIVE source is for live_open(); borrows its strings. 0, or -1 with one line in
 * `why` (which names the key). */
int config_live(struct live_config *out, const struct config_source *s, char *why, size_t why_size);

#endif
