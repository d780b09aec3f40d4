/*
 * tvlsrc_internal.h - between the element tvlsrc (tvlsrc.c) and its pads (tvlsrc_pads.c): those of
 * a catalog's streams that are selected, by the slots of source.h.
 */
#ifndef GST_TVLSRC_INTERNAL_H
#define GST_TVLSRC_INTERNAL_H

#include "net_element.h"
#include "source.h"
#include "src_pad.h"

G_BEGIN_DECLS

typedef struct {
    GstElement element;
    /* the object's lock is for these */
    struct tvl_net net;
    guint latency_ms, used_latency_ms;
    gchar *layers;
    gboolean audio, keep;
    struct tvl_link *link; /* also under it, but started and stopped by state changes alone */
    GMutex pads_lock;      /* of these */
    TvlSrcPad *pad[SOURCE_SLOTS]; /* borrowed from the element */
    struct stream {               /* of the catalog; caps NULL: none */
        GstCaps *caps;
        GstTagList *tags; /* may be NULL */
        GstStream *stream;
    } stream[SOURCE_SLOTS];
    guint selected;       /* slots, as a bit set */
    GList *retired;       /* of TvlSrcPad, likewise: removed when their EOS has gone */
    guint group;          /* id of the streams of this run */
    gboolean adding, eos; /* pads are on their way; the application has sent EOS */
    guint32 seqnum;       /* likewise, of its events */
} TvlSrc;

void tvl_src_add_templates(GstElementClass *c);
void tvl_src_slot_name(guint slot, gchar *out, gsize size); /* as GST_PAD_NAME */
gboolean tvl_src_answer_latency(TvlSrc *s, GstQuery *query);
/* The ids of streams come of it, so that they are the same each time. */
gboolean tvl_src_answer_uri(TvlSrc *s, GstQuery *query);

/* On the link's thread. A catalog that comes again changes the caps of pads that are there. */
void tvl_src_take_tracks(TvlSrc *s, const struct source_tracks *t);
void tvl_src_take_selected(TvlSrc *s, guint slots); /* the message STREAMS_SELECTED, too */
/* Takes `o`; without such a pad, or after EOS, it is dropped. */
void tvl_src_put(TvlSrc *s, guint slot, GstMiniObject *o);
void tvl_src_remove_pads(TvlSrc *s);

/* Of the application: SELECT_STREAMS (FALSE: names none of ours), EOS, FLUSH_START or FLUSH_STOP.
 */
gboolean tvl_src_select_streams(TvlSrc *s, GstEvent *event);
void tvl_src_end_all(TvlSrc *s);
void tvl_src_flush_all(TvlSrc *s, GstEvent *event);

G_END_DECLS

#endif
