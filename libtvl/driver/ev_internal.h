/* ev_internal.h - what the driver's files share beside their public calls. */
#ifndef TVL_DRIVER_EV_INTERNAL_H
#define TVL_DRIVER_EV_INTERNAL_H

#include <tvl/ev.h>

/* One line for a person, where one is wanted. */
void tvl_ev_say(char *why, size_t why_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Where the last tvl_ev_connect went. */
const struct sockaddr_storage *tvl_ev_server(const struct tvl_ev *d);

/* A path over an interface to an address that is known: as tvl_ev_path_add. Neither this nor the
 * next runs what follows from it: tvl_ev_kick later. */
int tvl_ev_path_over(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                     const struct sockaddr_storage *remote);
/* Go on with the path over another interface: as tvl_path_migrate. The former socket is closed. */
int tvl_ev_path_move(struct tvl_ev *d, struct tvl_conn *conn, uint32_t path_id,
                     const char *interface, const struct sockaddr_storage *remote);
/* Name its socket is bound to, or "". */
const char *tvl_ev_path_device(const struct tvl_ev *d, const struct tvl_conn *conn,
                               uint32_t path_id);

/* ---- workers.c: several drivers on one port ---- */

struct tvl_ev_share {
    unsigned self; /* this driver's number */
    /* Whose a datagram is, and the way there for one of another's. On this driver's thread. */
    unsigned (*owner_of)(void *user, const uint8_t *bytes, size_t len);
    void (*pass_on)(void *user, unsigned owner, const struct tvl_datagram *dgram,
                    const uint8_t *bytes);
    void *user;
};

/* As tvl_ev_new, for a server; its socket shares the port (SO_REUSEPORT). */
int tvl_ev_new_shared(struct tvl_ev **out, const struct tvl_ev_config *cfg,
                      const struct tvl_ev_share *share, char *why, size_t why_size);
/* The listening socket. */
int tvl_ev_fd(const struct tvl_ev *d);
/* A datagram that another driver has read; tvl_ev_kick later. */
void tvl_ev_take(struct tvl_ev *d, const struct tvl_datagram *dgram, uint8_t *bytes);

/* ---- watch.c: one connection's paths follow the interfaces ---- */

struct tvl_watch;

/* For each event of the connection, after the application has seen it. */
void tvl_watch_on_event(struct tvl_watch *w, const struct tvl_event *ev);
const struct tvl_conn *tvl_watch_conn(const struct tvl_watch *w);
void tvl_watch_free(struct tvl_watch *w);
/* The driver keeps it: 0, TVL_ERR_FULL, TVL_ERR_STATE: the connection has one. */
int tvl_ev_keep_watch(struct tvl_ev *d, struct tvl_watch *w);
struct tvl_watch *tvl_ev_watch_of(const struct tvl_ev *d, const struct tvl_conn *conn);

#endif
