/*
 * hand_state.h - what moves when a viewer's session is handed over to another player, as a
 * versioned JSON object, and the other messages between the two (docs/decisions/0017-hand-over.md).
 * Pure; fed by strangers once they have shown the code, and fuzzed (tests/fuzz/client_hand_over.c).
 *
 *     {"version": 1, "uri": "moqt://example.org/live", "place": {"pts_us": 5000000, "at_us": ...,
 * "paused": false}, "layers": {"limit": "s1t2", "asked": "s1t2"}, "latency": {"min_ms": 20,
 * "max_ms": 400, "low": true}, "sound": {"volume": 100, "muted": false, "wanted": true}, "paths":
 * [{"name": "wlan0", "off": false, "backup": true}], "statistics": 2, "token": "..."}
 */
#ifndef CLIENT_HAND_STATE_H
#define CLIENT_HAND_STATE_H

#include "args.h"
#include "credential.h"

#include <svc/svc.h>

#define HAND_STATE_VERSION 1
#define HAND_LINE_MAX 16384 /* bytes of a message */
#define HAND_PATHS_MAX (2 * ARGS_PATHS_MAX)
#define HAND_REASON_MAX 200 /* bytes of what the other says, with NUL; more is cut off */
#define HAND_TIME_MAX_US (INT64_C(1) << 53)
#define HAND_VOLUME_MAX 130.0

struct hand_path {
    char name[PATH_SPEC_NAME_MAX];
    bool off, backup;
};

struct hand_state {
    char uri[URI_HOST_MAX + URI_NAMESPACE_MAX + 32]; /* uri_parse() takes it */
    char token[CREDENTIAL_TOKEN_MAX + 1];            /* to show the server; "": none */
    int64_t pts_us; /* media time shown last [0, HAND_TIME_MAX_US] */
    int64_t at_us;  /* when that was due, us by the receiver's CLOCK_MONOTONIC; of no meaning while
                       paused */
    bool paused;
    bool limited;
    struct svc_layer limit, asked;       /* by the person, where limited; by the player */
    uint32_t latency_ms, latency_max_ms; /* as in struct args */
    bool latency_low;
    double volume; /* percent [0, HAND_VOLUME_MAX] */
    bool muted, sound;
    unsigned page; /* of the statistics; 0: none */
    struct hand_path path[HAND_PATHS_MAX];
    size_t n_paths; /* those with a preference of the person's */
};

struct json_t;
/* A new reference; NULL: no memory. */
struct json_t *hand_state_json(const struct hand_state *s);
/* 0, or -1 with one line in `why`, which repeats no token. Members that are not known are skipped.
 */
int hand_state_read(struct hand_state *out, const struct json_t *from, char *why, size_t why_size);

/* ---- messages: an object with one of these members ---- */

enum hand_kind {
    HAND_TIME,     /* {"time": {"sent_us", "here_us"}} here_us only in the answer */
    HAND_STATE,    /* {"state": {...}} */
    HAND_ACCEPTED, /* {"accepted": true} */
    HAND_REFUSED,  /* {"refused": "why"}: also later, by either side */
    HAND_SHOWING,  /* {"showing": {"picture", "pts_us", "at_us"}} */
    HAND_YOURS,    /* {"yours": true} */
    HAND_MINE,     /* {"mine": true} */
    HAND_STOPPED,  /* {"stopped": {"picture", "pts_us", "at_us", "until_us"}} */
};

struct hand_moment { /* a picture on a screen, the first there or the last here */
    uint64_t picture;
    int64_t pts_us, at_us; /* at_us: of the target's CLOCK_MONOTONIC */
    int64_t until_us;      /* likewise; HAND_STOPPED: when nothing more was to be shown */
};

struct hand_message {
    enum hand_kind kind;
    int64_t sent_us, here_us;     /* HAND_TIME; here_us 0: it is asked for */
    struct hand_state state;      /* HAND_STATE */
    struct hand_moment moment;    /* HAND_SHOWING, HAND_STOPPED */
    char reason[HAND_REASON_MAX]; /* HAND_REFUSED: printable */
};

/* The line without a newline, to be freed; NULL: no memory. */
char *hand_message_write(const struct hand_message *m);
/* 0, or -1 with one line in `why`. */
int hand_message_read(struct hand_message *out, const char *line, size_t len, char *why,
                      size_t why_size);

#endif
