/*
 * session.h - a connection to a broadcast: paths, MoQT session, catalog, layer tracks. Either we
 * call a server, again and again, or (`listen`) we wait for a publisher who calls us.
 * It hands over units and packets as they come and keeps none.
 */
#ifndef PEER_SESSION_H
#define PEER_SESSION_H

#include "broadcast.h"
#include "path_spec.h"
#include "sender_view.h"
#include "subscription.h"
#include "uri.h"

#include <moq/msf.h>
#include <svc/svc.h>
#include <tvl/ev.h>

#define SESSION_PATHS_MAX 8      /* = TVL_PATHS_MAX */
#define SESSION_NEXT_PATH_S 2.0  /* the handshake is tried on a further path after this long */
#define SESSION_GIVE_UP_S 10.0   /* no answer on any path: this try has failed */
#define SESSION_SILENCE_S 1.5    /* nothing comes on any path: a new connection is tried beside */
#define SESSION_PATH_RETRY_S 1.0 /* an abandoned path is opened again after this long */
#define SESSION_PATH_RETRIES_MAX 600 /* per path */
#define SESSION_GUESTS_MAX 8         /* callers at once who have not been taken */
#define SESSION_GUEST_S 5.0          /* they have so long to offer what is wanted */
#define SESSION_CALLER_SILENCE_S 4.0 /* a caller who says nothing on any path is gone */
#define SESSION_BUSY_S 1.0 /* one who was heard so long after another's offer is still there */

enum session_caller {                         /* what became of one who called us */
                      SESSION_CALLER_ADDED,   /* it is the publisher now */
                      SESSION_CALLER_REMOVED, /* it was the publisher */
                      SESSION_CALLER_REFUSED,
};

struct session_handler { /* all required but where it is said; `user` is the one given to
                            session_new */
    void (*on_connected)(void *user);
    /* Tracks were chosen and are being asked for. Borrowed. */
    void (*on_catalog)(void *user, const struct msf_catalog *c, const struct subscription_plan *p);
    /* Bytes borrowed; `track`: of the catalog. */
    void (*on_unit)(void *user, size_t track, const struct svc_unit *unit);
    void (*on_sound)(void *user, size_t track, const uint8_t *opus, size_t len, int64_t pts);
    void (*on_data)(void *user, const struct broadcast_data *d); /* may be NULL */
    /* That track of the catalog is to be sent, as far as session_ask has it. May be NULL: all. */
    bool (*is_wanted)(void *user, size_t track);
    /* The sender gave up a layer's unit on its way. May be NULL. */
    void (*on_given_up)(void *user, struct svc_layer l);
    /* How the sender serves us, or that it does not say; see session_ask_sender. May be NULL. */
    void (*on_sender)(void *user, const struct sender_view *v);
    void (*on_note)(void *user, const char *what); /* something for the report's events */
    /* The connection is lost, or stands still: nothing comes until on_catalog is called again. May
     * be NULL. */
    void (*on_interrupted)(void *user, const char *why);
    /* What comes from here on is from another place of the broadcast. May be NULL. */
    void (*on_restart)(void *user);
    /* Every track has ended: no more will come. */
    void (*on_end)(void *user);
    /* listen only. `address`: "192.0.2.1:5000", by its first path; `why`: one line, "" if it was
     * added. May be NULL. */
    void (*on_caller)(void *user, enum session_caller what, const char *address, const char *why);
    /* The session is over by fault; exit code and one line. Called once. */
    void (*on_failed)(void *user, int exit_code, const char *why);
};

/* Whom to reach, and as whom. Strings are borrowed for the life of the session; NULL: not given. */
struct session_to {
    struct uri uri;
    const char *token;                /* a file's name or the token itself, see credential.h */
    const char *token_text;           /* the token itself, never a file's name */
    const char *ca_file;              /* NULL: the system's */
    const char *cert_file, *key_file; /* of ours; both or none */
    const char *keylog_file, *qlog_dir;
    const char *cc, *sched;     /* NULL: the library's choice */
    const char *implementation; /* what we call ourselves, e.g. "svc-player 0.1" */
};

struct session_config {
    struct ev_loop *loop;
    struct session_to to;
    const struct path_spec *paths; /* copied; the first carries the handshake */
    size_t n_paths;                /* [1, SESSION_PATHS_MAX] */
    bool follow;        /* the paths were found: once connected, use every interface that comes */
    double reconnect_s; /* go on trying so long without a connection; negative: for ever; 0: one try
                           to connect, and a connection that breaks is the end */
    struct subscription_wish wish;
    bool editions; /* later ones of the catalog are followed, see broadcast_config */
    /* Begin at a place instead of with what is live, where the server keeps it: media time `pts_us`
     * at `at_us` (CLOCK_MONOTONIC), which goes on with time where `moves`. */
    struct session_start {
        bool is, moves;
        int64_t pts_us, at_us;
    } start;
    /*
     * Wait at to.uri's address for one who publishes its namespace, instead of calling: needs
     * to.cert_file; to.ca_file: demand a certificate that is issued by one of them; to.token:
     * demand that token. Paths are the caller's; `paths`, `start` and `find_paths` do not count. A
     * caller may break off and call again; a second one beside a live one is refused.
     */
    bool listen;
    bool keep;    /* of a listener: a broadcast that ends in order is not the session's end */
    bool patient; /* go on trying also where not even a first packet can be sent */
    bool awaits;  /* likewise where the server does not have it (BROADCAST_ABSENT) yet */
    /* Where paths were found: finds them again before each further try. NULL: they stay as they
     * are. */
    size_t (*find_paths)(const struct uri *server, struct path_spec *out, size_t cap);
    const struct session_handler *handler;
    void *user;
};

/* ---- what it is about, for the screen and the control socket ---- */

enum session_state {
    SESSION_CONNECTING, /* handshakes are under way: `paths` */
    SESSION_JOINING,    /* connected; the first unit has not come yet */
    SESSION_PLAYING,
    SESSION_SILENT,  /* was playing; nothing comes, and a new connection is tried beside this one */
    SESSION_WAITING, /* for the next try: `reason`, `retry_in_s` */
    SESSION_OVER,    /* ended, or failed for good */
};
const char *session_state_word(enum session_state s); /* "connecting" ... static */

#define SESSION_REASON_MAX 256
#define SESSION_PATHS_TEXT_MAX 160
struct session_status {
    enum session_state state;
    bool resuming;                      /* it was playing before: the last picture stands */
    unsigned attempt;                   /* the present or next try, from 1; 1 again once it plays */
    char paths[SESSION_PATHS_TEXT_MAX]; /* "wlan0, wwan0": where it is tried, or what is up */
    char reason[SESSION_REASON_MAX];    /* why the last try failed or the connection broke; "" */
    double retry_in_s;                  /* SESSION_WAITING: until the next try [0, ...) */
    double give_up_in_s;                /* negative: never */
    double since_s;                     /* in this state */
    bool paused;
    bool has_window; /* the server keeps media: pause and seek go on where they were */
    double window_s; /* of how much */
    double behind_s; /* live, that we are; 0: live */
};
/* One line for a person: "connecting by wlan0, wwan0 ...", "no answer; next try in 3 s (4th)"; ""
 * when there is nothing to say (it plays). Result: `out`. */
const char *session_status_text(const struct session_status *s, char *out, size_t cap);

struct session;
void session_get_status(const struct session *s, struct session_status *out);
/* Whether the interfaces that `paths` name are there now. 0; -1 with one line in `why`. */
int session_check_interfaces(const struct path_spec *paths, size_t n, char *why, size_t why_size);
/* Opens sockets and begins to connect. 0, or the exit code (1: something named on the command line
 * is missing or cannot be read; 2: no path can be opened) with one line in `why`. */
int session_new(struct session **out, const struct session_config *cfg, char *why, size_t why_size);
void session_free(struct session *s);
/* Say goodbye; let the loop run a moment afterwards. */
void session_close(struct session *s);

/* From now on ask for the layers up to `top` of those of the plan that the handler's is_wanted
 * names now; begins with all. What is not asked for stays subscribed and is not sent. */
void session_ask(struct session *s, struct svc_layer top);

/* A key picture is wanted soon, of the video with that base layer in the catalog or of every one
 * (BROADCAST_EVERY_VIDEO): the publisher is asked, if it hears that. */
void session_ask_key(struct session *s, size_t base);

/* The sender is to say how it serves us, or not to, as at first: it costs about 15 kbit/s. Holds
 * over reconnections. */
void session_ask_sender(struct session *s, bool ask);

struct session_path {
    char name[PATH_SPEC_ADDRESS_MAX]; /* of a listener: the caller's address and port there */
    struct tvl_path_stats stats;      /* of an `off` one: what is known of its last life, or zero */
    bool off;                         /* switched off */
};
/* Paths of the connection: for each option the latest attempt, or those over the interfaces that
 * are there now. Result: how many. */
size_t session_paths(const struct session *s, struct session_path *out, size_t cap);
/*
 * Use the path of that name (or address, or number from 1) or do not; set it aside for when no
 * other lives. The only path in use is not switched off. Takes effect at once; holds over
 * reconnections. 0, or -1 with one line in `why`.
 */
enum session_path_use { SESSION_PATH_OFF, SESSION_PATH_ON, SESSION_PATH_BACKUP };
int session_path_set(struct session *s, const char *name, enum session_path_use use, char *why,
                     size_t why_size);
struct session_path_wish { /* of a path by its name */
    char name[PATH_SPEC_NAME_MAX];
    bool off, backup;
};
/* What was asked for so far, by options and calls, where it is not the plain use of a path. Result:
 * how many. */
size_t session_path_wishes(const struct session *s, struct session_path_wish *out, size_t cap);
/* An interface or a route came: whoever waits for a try tries now. */
void session_network_changed(struct session *s);
/*
 * Nothing is sent until session_resume; that goes on where the server keeps it (`has_window`), else
 * with what is live. seek: by so many seconds, within the window. 0, or -1 with one line in `why`.
 * Each of them but pause is followed by on_restart and then by units from the new place.
 */
int session_pause(struct session *s);
int session_resume(struct session *s);
int session_seek(struct session *s, double by_s, char *why, size_t why_size);
int session_live(struct session *s);
/* What comes is sent live; else it is of what the server keeps. */
bool session_is_live(const struct session *s);
/* The media time that is shown, us; at least every METER_PERIOD_US. */
void session_set_position(struct session *s, int64_t pts_us);
struct session_times { /* of the first connection that played, us of CLOCK_MONOTONIC; 0: not yet */
    tvl_time sockets, connected, setup, catalog, first_unit;
};
const struct session_times *session_times(const struct session *s);
/* us from start to handshake complete; 0 before. */
tvl_time session_connect_time(const struct session *s);

#endif
