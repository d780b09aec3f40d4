/*
 * source.h - what tvlsrc does on its link's thread: a session of peer/, whose units and packets are
 * put into order (gather.h) and onto the pipeline's clock.
 *
 *     running time = media time + offset,   one for sound and pictures; it follows what drifts
 *                                           (skew.h)
 *
 * A picture is given out when it is whole and its turn has come, else `latency` after its time,
 * less what is left for decoding. The offset is found anew after an interruption, when playing
 * begins, and when the media time or the pictures' numbers begin anew.
 */
#ifndef GST_SOURCE_H
#define GST_SOURCE_H

#include "settings.h"

#include "link.h"

G_BEGIN_DECLS

/* What comes goes to one of these: a slot for each video, each sound, each opaque track, which it
 * keeps by its name (a video by that of its base layer) for as long as the catalog has it. */
#define SOURCE_DATA_MAX 8
enum {
    SOURCE_VIDEO,
    SOURCE_SOUND = SOURCE_VIDEO + SUBSCRIPTION_VIDEOS_MAX,
    SOURCE_DATA = SOURCE_SOUND + SUBSCRIPTION_SOUNDS_MAX,
    SOURCE_SLOTS = SOURCE_DATA + SOURCE_DATA_MAX
};
#define SOURCE_ALL_SLOTS ((1u << SOURCE_SLOTS) - 1)

#define SOURCE_MARGIN_MS 30       /* left for decoding, at most a quarter of the latency */
#define SOURCE_BOUND_LEAST_MS 200 /* off by more, or by the latency: a resync */
#define SOURCE_KEY_WAIT_MS 1000
#define SOURCE_LATENCY_DEFAULT 200u /* ms, until the catalog says, or where it does not */

struct source_tracks { /* all borrowed */
    const struct msf_catalog *catalog;
    const struct subscription_plan *plan;
    /* Of the catalog, what fills each slot (of the video its base layer); NULL: nothing. */
    const struct msf_track *slot[SOURCE_SLOTS];
    /* Those that are new since the last catalog, as a bit set; they are wanted. */
    guint fresh;
};

struct source_handler { /* called on the link's thread; all required */
    /* Running time, or GST_CLOCK_TIME_NONE: not playing, nothing is taken. */
    GstClockTime (*now)(gpointer user);
    /* Comes again after a reconnection, and with each later catalog. */
    void (*on_tracks)(gpointer user, const struct source_tracks *tracks);
    void (*on_latency)(gpointer user, guint latency_ms); /* what is kept is another now */
    /* source_select is in force. */
    void (*on_selected)(gpointer user, guint slots);
    void (*on_buffer)(gpointer user, guint slot, GstBuffer *buffer); /* the callee's */
    void (*on_end)(gpointer user);
    void (*on_failed)(gpointer user, const gchar *why);
    void (*on_interrupted)(gpointer user, const gchar *why);
    void (*on_away)(gpointer user, const gchar *why); /* no broadcast in TVL_AWAY_S; once */
    void (*on_path)(gpointer user, const gchar *path, gboolean up);
    /* A listener's; `why`: one line, "" if it was added. */
    void (*on_caller)(gpointer user, enum session_caller what, const gchar *address,
                      const gchar *why);
    void (*on_layer)(gpointer user, guint slot, guint spatial); /* the best that is given out now */
    void (*on_stats)(gpointer user, GstStructure *stats); /* about each 250 ms; the callee's */
};

struct source_config {
    const struct source_handler *handler;
    gpointer user;
    GDestroyNotify user_gone;
    struct tvl_settings settings; /* the source's from source_start on */
    gboolean listen;              /* see session_config */
    gboolean keep;                /* of a listener: the next publisher is waited for */
    guint latency_ms;             /* 0: the catalog's */
    struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX]; /* no more is asked for, by slot */
    gboolean audio;
};

/* Takes `cfg` over, also on failure. NULL: no thread to be had. All else that fails comes through
 * on_failed. End it with tvl_link_stop(). */
struct tvl_link *source_start(struct source_config *cfg);
/* Any thread: playing begins or ends; ask for no more than `top`, which is copied. */
void source_play(struct tvl_link *l, gboolean play);
/* A key picture of a slot's video is wanted; asked for no more often than each SOURCE_KEY_WAIT_MS.
 */
void source_ask_key(struct tvl_link *l, guint slot);
void source_ask(struct tvl_link *l, const struct svc_layer top[SUBSCRIPTION_VIDEOS_MAX]);
/* Only the slots of that bit set are sent to us and given out. */
void source_select(struct tvl_link *l, guint slots);
/* 0: the catalog's. */
void source_set_latency(struct tvl_link *l, guint latency_ms);
/* What had come is of no use any more; the pipeline's times may begin anew. */
void source_flush(struct tvl_link *l);

G_END_DECLS

#endif
