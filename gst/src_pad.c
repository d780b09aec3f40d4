/* src_pad.c - see src_pad.h. */
#include "src_pad.h"

#include "net_log.h"

#define GST_CAT_DEFAULT tvl_debug_category()

G_DEFINE_TYPE(TvlSrcPad, tvl_src_pad, GST_TYPE_PAD)

static void clear(TvlSrcPad *p)
{
    for (GstMiniObject *o = g_queue_pop_head(&p->queue); o; o = g_queue_pop_head(&p->queue))
        gst_mini_object_unref(o);
}

static void tvl_src_pad_finalize(GObject *object)
{
    TvlSrcPad *p = (TvlSrcPad *)object;
    clear(p);
    g_mutex_clear(&p->lock);
    g_cond_clear(&p->cond);
    G_OBJECT_CLASS(tvl_src_pad_parent_class)->finalize(object);
}

static void tvl_src_pad_class_init(TvlSrcPadClass *c)
{
    G_OBJECT_CLASS(c)->finalize = tvl_src_pad_finalize;
}

static void tvl_src_pad_init(TvlSrcPad *p)
{
    g_mutex_init(&p->lock);
    g_cond_init(&p->cond);
    g_queue_init(&p->queue);
    p->flushing = p->held = TRUE;
}

void tvl_src_pad_put(TvlSrcPad *p, GstMiniObject *o)
{
    g_mutex_lock(&p->lock);
    const gboolean full = GST_IS_BUFFER(o) && g_queue_get_length(&p->queue) >= SRC_PAD_QUEUE_MAX;
    if (full || p->flushing) {
        p->dropped += full;
        p->discont = TRUE;
        gst_mini_object_unref(o);
    } else {
        if (GST_IS_BUFFER(o) && p->discont) {
            GST_BUFFER_FLAG_SET(GST_BUFFER(o), GST_BUFFER_FLAG_DISCONT);
            p->discont = FALSE;
        }
        g_queue_push_tail(&p->queue, o);
        g_cond_signal(&p->cond);
    }
    g_mutex_unlock(&p->lock);
}

void tvl_src_pad_open(TvlSrcPad *p)
{
    g_mutex_lock(&p->lock);
    p->held = FALSE;
    g_cond_signal(&p->cond);
    g_mutex_unlock(&p->lock);
}

/* A task cannot remove its own pad. */
static void at_end(TvlSrcPad *p)
{
    gst_pad_pause_task(GST_PAD(p));
    g_mutex_lock(&p->lock);
    void (*const gone)(GstElement *, gpointer) = p->gone;
    g_mutex_unlock(&p->lock);
    GstElement *parent = gone ? gst_pad_get_parent_element(GST_PAD(p)) : NULL;
    if (!parent)
        return;
    gst_element_call_async(parent, gone, gst_object_ref(p), gst_object_unref);
    gst_object_unref(parent);
}

/* The events of what is one to an application have one number. */
static void push_numbered(TvlSrcPad *p, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS || GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        event = gst_event_make_writable(event);
        gst_event_set_seqnum(event, p->seqnum);
    }
    gst_pad_push_event(GST_PAD(p), event);
}

static void loop(gpointer data)
{
    TvlSrcPad *p = data;
    GstPad *pad = GST_PAD(p);
    g_mutex_lock(&p->lock);
    while (!p->flushing && (p->held || g_queue_is_empty(&p->queue)))
        g_cond_wait(&p->cond, &p->lock);
    GstMiniObject *o = p->flushing ? NULL : g_queue_pop_head(&p->queue);
    g_mutex_unlock(&p->lock);
    if (!o) {
        gst_pad_pause_task(pad);
        return;
    }
    if (GST_IS_EVENT(o)) {
        const gboolean eos = GST_EVENT_TYPE(o) == GST_EVENT_EOS;
        push_numbered(p, GST_EVENT(o));
        if (eos)
            at_end(p);
        return;
    }
    const GstFlowReturn flow = gst_pad_push(pad, GST_BUFFER(o));
    if (flow == GST_FLOW_OK || flow == GST_FLOW_NOT_LINKED)
        return; /* it may be linked later */
    GST_INFO_OBJECT(pad, "stops: %s", gst_flow_get_name(flow));
    if (flow == GST_FLOW_NOT_NEGOTIATED || flow <= GST_FLOW_ERROR) {
        GstElement *e = gst_pad_get_parent_element(pad);
        if (e)
            GST_ELEMENT_FLOW_ERROR(e, flow);
        if (e)
            gst_object_unref(e);
    }
    gst_pad_pause_task(pad);
}

static gboolean activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    TvlSrcPad *p = (TvlSrcPad *)pad;
    (void)parent;
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    g_mutex_lock(&p->lock);
    p->flushing = !active;
    clear(p);
    g_cond_signal(&p->cond);
    g_mutex_unlock(&p->lock);
    return active ? gst_pad_start_task(pad, loop, p, NULL) : gst_pad_stop_task(pad);
}

static void set_flushing(TvlSrcPad *p, gboolean flushing)
{
    g_mutex_lock(&p->lock);
    p->flushing = flushing;
    p->discont = TRUE;
    clear(p);
    g_cond_signal(&p->cond);
    g_mutex_unlock(&p->lock);
}

void tvl_src_pad_flush(TvlSrcPad *p, GstEvent *event)
{
    GstPad *pad = GST_PAD(p);
    GstSegment segment;
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) {
        set_flushing(p, TRUE);
        p->seqnum = gst_event_get_seqnum(event);
        gst_pad_push_event(pad, event); /* lets go of who blocks its task */
        gst_pad_pause_task(pad);
        return;
    }
    gst_pad_push_event(pad, event);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push_numbered(p, gst_event_new_segment(&segment));
    set_flushing(p, FALSE);
    gst_pad_start_task(pad, loop, p, NULL);
}

TvlSrcPad *tvl_src_pad_new(GstPadTemplate *template, const gchar *name)
{
    TvlSrcPad *p = g_object_new(tvl_src_pad_get_type(), "name", name, "direction", GST_PAD_SRC,
                                "template", template, NULL);
    p->seqnum = gst_util_seqnum_next();
    gst_pad_set_activatemode_function(GST_PAD(p), activate);
    gst_pad_use_fixed_caps(GST_PAD(p));
    return p;
}
