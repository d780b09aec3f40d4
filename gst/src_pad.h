/*
 * src_pad.h - a source pad with a queue and a task: whoever puts something never waits, and what
 * the pad cannot get rid of is dropped at SRC_PAD_QUEUE_MAX.
 */
#ifndef GST_SRC_PAD_H
#define GST_SRC_PAD_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define SRC_PAD_QUEUE_MAX 1024 /* buffers */

typedef struct {
    GstPad pad;
    GMutex lock;
    GCond cond;
    GQueue queue;                     /* of GstMiniObject: buffers, events */
    gboolean flushing, discont, held; /* held: nothing is pushed yet */
    guint64 dropped;
    guint32 seqnum; /* of segment and EOS: of one run, or of the flush; any at first */
    void (*gone)(GstElement *parent, gpointer pad); /* with EOS; NULL: nobody's concern */
} TvlSrcPad;
typedef GstPadClass TvlSrcPadClass;

GType tvl_src_pad_get_type(void);
/* Not active yet, and held; its queries and events are the owner's to set. Floating. */
TvlSrcPad *tvl_src_pad_new(GstPadTemplate *template, const gchar *name);
/* Takes `o` over, a buffer or an event. Any thread. */
void tvl_src_pad_put(TvlSrcPad *p, GstMiniObject *o);
/* When it is the element's: from now on what was put is pushed, so that who looks on from pad-added
 * sees all of it. */
void tvl_src_pad_open(TvlSrcPad *p);
/* FLUSH_START or FLUSH_STOP, which it takes: what waits is dropped, what comes later begins with a
 * segment anew. Not on its own task. */
void tvl_src_pad_flush(TvlSrcPad *p, GstEvent *event);

G_END_DECLS

#endif
