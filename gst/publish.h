/*
 * publish.h - what tvlsink does on its link's thread: a publisher of peer/, and the connections
 * that it is published over - one to a server or relay, tried again for ever (or `reconnect`), or
 * those of whoever calls (a listener).
 *
 * Packets wait in a queue of PUBLISH_QUEUE_BYTES_MAX; a full one takes no more, and nobody waits.
 */
#ifndef GST_PUBLISH_H
#define GST_PUBLISH_H

#include "publisher.h"
#include "settings.h"

#include "link.h"

G_BEGIN_DECLS

#define PUBLISH_QUEUE_BYTES_MAX (8u << 20)
#define PUBLISH_KEY_WAIT_MS 500   /* a key picture is asked for no more often */
#define PUBLISH_HANDSHAKE_MS 3000 /* without an answer: the next path is tried */
#define PUBLISH_CC "copa"         /* as svc-server's: docs/decisions/0010-copa-for-the-server.md */
#define PUBLISH_SCHEDULER "layered"
#define PUBLISH_CALLERS_MAX 64 /* of a listener, at once */

struct publish_handler { /* called on the link's thread; all required */
    void (*on_failed)(gpointer user, const gchar *why);
    void (*on_interrupted)(gpointer user, const gchar *why);
    void (*on_away)(gpointer user, const gchar *why); /* no server in TVL_AWAY_S; once */
    void (*on_caller)(gpointer user, const gchar *address, gboolean added); /* a listener's */
    void (*on_path)(gpointer user, const gchar *path, gboolean up);
    void (*on_key_wanted)(gpointer user, gsize video);
    void (*on_missed)(gpointer user, gsize video, guint spatial, const struct svc_tracker *held);
    void (*on_stats)(gpointer user, GstStructure *stats); /* about each 250 ms; the callee's */
};

struct publish_config {
    const struct publish_handler *handler;
    gpointer user;
    GDestroyNotify user_gone;
    struct tvl_settings settings; /* the publication's from publish_start on */
    gboolean listen;
    guint latency_ms;
};

struct publish; /* shared by the link and its owner */
/* Takes `cfg` over, also on failure. NULL: no thread to be had. */
struct publish *publish_start(struct publish_config *cfg);
/* Waits no longer than tvl_link_stop; NULL allowed. */
void publish_stop(struct publish *p);

/* Any thread. */
enum publish_kind { PUBLISH_VIDEO, PUBLISH_SOUND, PUBLISH_OPAQUE };
void publish_describe(struct publish *p, const struct publisher_tracks *what, guint latency_ms);
/* `buffer` is referred to, not taken. `which`: of that kind, as in publisher.h. False: the queue is
 * full, it is left out (and counted). */
gboolean publish_packet(struct publish *p, enum publish_kind kind, gsize which, GstBuffer *buffer,
                        gint64 pts_us);
void publish_end(struct publish *p);

G_END_DECLS

#endif
