/*
 * session.h - the player's connection to a broadcast: paths, MoQT session, catalog, layer tracks.
 * It hands over units and packets as they come and keeps none.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "args.h"
#include "subscription.h"

#include <moq/msf.h>
#include <svc/svc.h>
#include <tvl/ev.h>

#define SESSION_NEXT_PATH_S 2.0      /* the handshake is tried on a further path after this long */
#define SESSION_GIVE_UP_S 10.0       /* no answer on any path */
#define SESSION_PATH_RETRY_S 1.0     /* an abandoned path is opened again after this long */
#define SESSION_PATH_RETRIES_MAX 600 /* per path */

struct session_handler { /* all required but where it is said; `user` is the one given to
                            session_new */
    void (*on_connected)(void *user);
    /* Tracks were chosen and are being asked for. Borrowed. */
    void (*on_catalog)(void *user, const struct msf_catalog *c, const struct subscription_plan *p);
    void (*on_unit)(void *user, const struct svc_unit *unit); /* bytes borrowed */
    void (*on_sound)(void *user, const uint8_t *opus, size_t len, int64_t pts);
    /* The sender gave up a layer's unit on its way. May be NULL. */
    void (*on_given_up)(void *user, struct svc_layer l);
    void (*on_note)(void *user, const char *what); /* something for the report's events */
    /* Every track has ended: no more will come. */
    void (*on_end)(void *user);
    /* The session is over by fault; exit code and one line. Called once. */
    void (*on_failed)(void *user, int exit_code, const char *why);
};

struct session_config {
    struct ev_loop *loop;
    const struct args *args;       /* borrowed for the life of the session */
    const struct path_spec *paths; /* copied; the first carries the handshake */
    size_t n_paths;                /* [1, ARGS_PATHS_MAX] */
    bool follow; /* the paths were found: once connected, use every interface that comes */
    struct subscription_wish wish;
    const struct session_handler *handler;
    void *user;
};

struct session;
/* Opens sockets and begins to connect. 0, or the exit code (1: something named on the command line
 * is missing or cannot be read; 2: no path can be opened) with one line in `why`. */
int session_new(struct session **out, const struct session_config *cfg, char *why, size_t why_size);
void session_free(struct session *s);
/* Say goodbye; let the loop run a moment afterwards, until session_closed. */
void session_close(struct session *s);
bool session_closed(const struct session *s);

/* From now on ask for the layers up to `top` of those of the plan; begins with all. What is not
 * asked for stays subscribed and is not sent. */
void session_ask(struct session *s, struct svc_layer top);

struct session_path {
    char name[PATH_SPEC_NAME_MAX];
    struct tvl_path_stats stats;
};
/* Paths of the connection: for each option the latest attempt, or those over the interfaces that
 * are there now. Result: how many. */
size_t session_paths(const struct session *s, struct session_path *out, size_t cap);
/* us from start to handshake complete; 0 before. */
tvl_time session_connect_time(const struct session *s);

#endif
