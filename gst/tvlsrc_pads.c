/* tvlsrc_pads.c - see tvlsrc_internal.h. */
#include "layer_caps.h"
#include "layer_event.h"
#include "track_caps.h"
#include "tvlsrc_internal.h"

#include <gst/video/video.h>
#include <string.h>

#define AUDIO_CAPS "audio/x-opus, channel-mapping-family=(int)0"
static GstStaticPadTemplate templates[] = {
    GST_STATIC_PAD_TEMPLATE("svc_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                            GST_STATIC_CAPS(TVL_CAPS_LAYERS)),
    GST_STATIC_PAD_TEMPLATE("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES,
                            GST_STATIC_CAPS(AUDIO_CAPS)),
    GST_STATIC_PAD_TEMPLATE("data_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY),
};

static const struct { /* as the templates */
    const gchar *name;
    GstStreamType type;
    guint first; /* slot */
} kinds[] = { { "svc", GST_STREAM_TYPE_VIDEO, SOURCE_VIDEO },
              { "audio", GST_STREAM_TYPE_AUDIO, SOURCE_SOUND },
              { "data", GST_STREAM_TYPE_UNKNOWN, SOURCE_DATA } };

static guint kind_of(guint slot)
{
    return slot < SOURCE_SOUND ? 0 : slot < SOURCE_DATA ? 1 : 2;
}

void tvl_src_slot_name(guint slot, gchar *out, gsize size)
{
    const guint kind = kind_of(slot);
    g_snprintf(out, size, "%s_%u", kinds[kind].name, slot - kinds[kind].first);
}

void tvl_src_add_templates(GstElementClass *c)
{
    for (gsize i = 0; i < G_N_ELEMENTS(templates); i++)
        gst_element_class_add_static_pad_template(c, &templates[i]);
}

/* ---- what is asked of a pad ---- */

gboolean tvl_src_answer_latency(TvlSrc *s, GstQuery *query)
{
    GST_OBJECT_LOCK(s);
    const GstClockTime latency = s->used_latency_ms * GST_MSECOND;
    GST_OBJECT_UNLOCK(s);
    gst_query_set_latency(query, TRUE, latency, GST_CLOCK_TIME_NONE);
    return TRUE;
}

gboolean tvl_src_answer_uri(TvlSrc *s, GstQuery *query)
{
    gchar *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(s));
    if (uri)
        gst_query_set_uri(query, uri);
    g_free(uri);
    return uri != NULL;
}

static gboolean pad_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_LATENCY:
        return tvl_src_answer_latency((TvlSrc *)parent, query);
    case GST_QUERY_URI:
        return tvl_src_answer_uri((TvlSrc *)parent, query);
    case GST_QUERY_SCHEDULING:
        gst_query_set_scheduling(
            query, GST_SCHEDULING_FLAG_SEQUENTIAL | GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED, 1, -1,
            0);
        gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
        return TRUE;
    case GST_QUERY_SEEKING:
        gst_query_set_seeking(query, GST_FORMAT_TIME, FALSE, 0, -1);
        return TRUE;
    case GST_QUERY_DURATION:
        return FALSE;
    default:
        return gst_pad_query_default(pad, parent, query);
    }
}

/* Of layers that are lost the server knows by itself; without the base nothing is left. */
static gboolean wants_key(GstEvent *event)
{
    guint spatial;
    return gst_video_event_is_force_key_unit(event) ||
           (tvl_layer_refresh_event_parse(event, &spatial, NULL) && spatial == 0);
}

static void ask_for_key(TvlSrc *s, GstPad *pad, GstEvent *event)
{
    guint slot = 0;
    if (!wants_key(event))
        return;
    g_mutex_lock(&s->pads_lock);
    while (slot < SOURCE_SLOTS && (GstPad *)s->pad[slot] != pad)
        slot++;
    g_mutex_unlock(&s->pads_lock);
    GST_OBJECT_LOCK(s);
    if (s->link && slot < SOURCE_SLOTS)
        source_ask_key(s->link, slot);
    GST_OBJECT_UNLOCK(s);
}

/* Those of the streams that are named; the link's thread sees to it. */
gboolean tvl_src_select_streams(TvlSrc *s, GstEvent *event)
{
    GList *ids = NULL;
    guint slots = 0;
    gst_event_parse_select_streams(event, &ids);
    g_mutex_lock(&s->pads_lock);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream &&
            g_list_find_custom(ids, gst_stream_get_stream_id(s->stream[slot].stream),
                               (GCompareFunc)g_strcmp0))
            slots |= 1u << slot;
    g_mutex_unlock(&s->pads_lock);
    g_list_free_full(ids, g_free);
    GST_OBJECT_LOCK(s);
    if (s->link && slots)
        source_select(s->link, slots);
    GST_OBJECT_UNLOCK(s);
    return slots != 0;
}

static gboolean pad_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CUSTOM_UPSTREAM:
        ask_for_key((TvlSrc *)parent, pad, event);
        gst_event_unref(event);
        return TRUE;
    case GST_EVENT_SELECT_STREAMS: {
        const gboolean selected = tvl_src_select_streams((TvlSrc *)parent, event);
        gst_event_unref(event);
        return selected;
    }
    case GST_EVENT_SEEK: /* live */
    case GST_EVENT_QOS:
        gst_event_unref(event);
        return FALSE;
    case GST_EVENT_RECONFIGURE:
    case GST_EVENT_LATENCY:
        gst_event_unref(event);
        return TRUE;
    default:
        return gst_pad_event_default(pad, parent, event);
    }
}

/* ---- pads of a catalog ---- */

/* Under pads_lock. */
static TvlSrcPad *make_pad(TvlSrc *s, guint slot)
{
    gchar own[32];
    GstPadTemplate *t = gst_static_pad_template_get(&templates[kind_of(slot)]);
    tvl_src_slot_name(slot, own, sizeof own);
    TvlSrcPad *p = tvl_src_pad_new(t, own);
    gst_object_unref(t);
    p->seqnum = s->seqnum;
    gst_pad_set_query_function(GST_PAD(p), pad_query);
    gst_pad_set_event_function(GST_PAD(p), pad_event);
    return p;
}

/* Of several videos and sounds the first are what is shown unless somebody chooses. */
static GstStream *make_stream(TvlSrc *s, GstPad *pad, guint slot)
{
    const guint kind = kind_of(slot);
    const gboolean first = slot == kinds[kind].first || kind == 2;
    gchar *id = gst_pad_create_stream_id(pad, GST_ELEMENT(s), GST_PAD_NAME(pad));
    GstStream *stream = gst_stream_new(id, s->stream[slot].caps, kinds[kind].type,
                                       first ? GST_STREAM_FLAG_SELECT : GST_STREAM_FLAG_NONE);
    g_free(id);
    return stream;
}

/* Under pads_lock. What comes before the first buffer, of the slot's stream and among those of
 * `all`; either may be none. The pad is active, held and nobody's yet: it has what it is for when
 * it is added, and what flows flows from then on, the segment first. */
static void push_beginning(TvlSrc *s, TvlSrcPad *p, GstStream *stream, GstStreamCollection *all,
                           const struct stream *of)
{
    GstPad *pad = GST_PAD(p);
    GstEvent *start = gst_event_new_stream_start(gst_stream_get_stream_id(stream));
    GstSegment segment;
    gst_event_set_group_id(start, s->group);
    gst_event_set_stream(start, stream);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, start);
    if (all)
        gst_pad_push_event(pad, gst_event_new_stream_collection(all));
    if (of->caps)
        gst_pad_push_event(pad, gst_event_new_caps(of->caps));
    tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_segment(&segment)));
    if (of->tags)
        tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_tag(gst_tag_list_ref(of->tags))));
}

/* Under pads_lock. */
static void number_run(TvlSrc *s)
{
    s->group = gst_util_group_id_next();
    s->seqnum = gst_util_seqnum_next();
}

/* Under pads_lock. What the catalog has. */
static GstStreamCollection *collection_of(TvlSrc *s)
{
    GstStreamCollection *all = gst_stream_collection_new(GST_OBJECT_NAME(s));
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream)
            gst_stream_collection_add_stream(all, gst_object_ref(s->stream[slot].stream));
    return all;
}

static void add_pad(TvlSrc *s, TvlSrcPad *p)
{
    gst_object_ref(p); /* who stops the element may remove it at once */
    gst_element_add_pad(GST_ELEMENT(s), GST_PAD(p));
    tvl_src_pad_open(p);
    gst_object_unref(p);
}

static void remove_pad(TvlSrc *s, TvlSrcPad *p)
{
    gst_pad_set_active(GST_PAD(p), FALSE);
    gst_element_remove_pad(GST_ELEMENT(s), GST_PAD(p));
}

/* A retired pad has pushed its EOS; or the element has stopped, and whoever finds it in the list
 * removes it. */
static void on_gone(GstElement *e, gpointer pad)
{
    TvlSrc *s = (TvlSrc *)e;
    g_mutex_lock(&s->pads_lock);
    GList *found = g_list_find(s->retired, pad);
    s->retired = found ? g_list_delete_link(s->retired, found) : s->retired;
    g_mutex_unlock(&s->pads_lock);
    if (found)
        remove_pad(s, pad);
}

/* One of that name that has not got rid of its EOS yet makes room. */
static void remove_retired(TvlSrc *s, const gchar *name)
{
    TvlSrcPad *found = NULL;
    g_mutex_lock(&s->pads_lock);
    for (GList *l = s->retired; l && !found; l = l->next)
        if (strcmp(GST_PAD_NAME(l->data), name) == 0)
            found = l->data;
    s->retired = found ? g_list_remove(s->retired, found) : s->retired;
    g_mutex_unlock(&s->pads_lock);
    if (found)
        remove_pad(s, found);
}

static void add_pads(TvlSrc *s, TvlSrcPad *const fresh[SOURCE_SLOTS], GstStreamCollection *all)
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        GstPad *pad = GST_PAD(fresh[slot]);
        if (!pad)
            continue;
        remove_retired(s, GST_PAD_NAME(pad));
        gst_pad_set_active(pad, TRUE);
        g_mutex_lock(&s->pads_lock);
        const gboolean there = s->stream[slot].stream != NULL; /* else it has stopped meanwhile */
        if (there) {
            push_beginning(s, fresh[slot], s->stream[slot].stream, all, &s->stream[slot]);
            s->pad[slot] = fresh[slot];
        }
        g_mutex_unlock(&s->pads_lock);
        if (there) {
            add_pad(s, fresh[slot]);
        } else {
            gst_pad_set_active(pad, FALSE);
            gst_object_unref(gst_object_ref_sink(pad));
        }
    }
}

/* Under pads_lock. */
static void retire_pad(TvlSrc *s, guint slot)
{
    TvlSrcPad *p = s->pad[slot];
    s->pad[slot] = NULL;
    s->retired = g_list_prepend(s->retired, p);
    g_mutex_lock(&p->lock);
    p->gone = on_gone;
    g_mutex_unlock(&p->lock);
    tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_eos()));
}

/* Under pads_lock. What of the streams is selected has a pad, with these caps; a new one comes in
 * `fresh`. `anew`: slots that have another stream now. */
static void change_pads(TvlSrc *s, guint anew, TvlSrcPad *fresh[SOURCE_SLOTS])
{
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        struct stream *of = &s->stream[slot];
        const gboolean wanted = of->caps && s->selected >> slot & 1;
        if (s->pad[slot] && (!wanted || anew >> slot & 1))
            retire_pad(s, slot);
        if (!wanted)
            continue;
        if (s->pad[slot]) {
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_caps(of->caps)));
            if (of->tags)
                tvl_src_pad_put(s->pad[slot],
                                GST_MINI_OBJECT(gst_event_new_tag(gst_tag_list_ref(of->tags))));
            continue;
        }
        fresh[slot] = make_pad(s, slot);
        if (!of->stream)
            of->stream = make_stream(s, GST_PAD(fresh[slot]), slot);
    }
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->stream[slot].stream) {
            gst_stream_set_caps(s->stream[slot].stream, s->stream[slot].caps);
            gst_stream_set_tags(s->stream[slot].stream, s->stream[slot].tags);
        }
}

/* On the link's thread. Pads for the streams that are; `anew` as above, `others`: they are not the
 * same as before. */
static void set_pads(TvlSrc *s, guint anew, gboolean others)
{
    TvlSrcPad *fresh[SOURCE_SLOTS] = { NULL };
    g_mutex_lock(&s->pads_lock);
    const gboolean first = s->group == GST_GROUP_ID_INVALID;
    if (first)
        number_run(s);
    if (s->eos) {
        g_mutex_unlock(&s->pads_lock);
        return;
    }
    change_pads(s, anew, fresh);
    s->adding = TRUE;
    GstStreamCollection *all = collection_of(s);
    for (guint slot = 0; slot < SOURCE_SLOTS && others; slot++)
        if (s->pad[slot])
            tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_stream_collection(all)));
    g_mutex_unlock(&s->pads_lock);
    if (others)
        gst_element_post_message(GST_ELEMENT(s),
                                 gst_message_new_stream_collection(GST_OBJECT(s), all));
    add_pads(s, fresh, all);
    gst_object_unref(all);
    g_mutex_lock(&s->pads_lock);
    s->adding = FALSE;
    for (guint slot = 0; slot < SOURCE_SLOTS && s->eos; slot++)
        if (fresh[slot])
            tvl_src_pad_put(fresh[slot], GST_MINI_OBJECT(gst_event_new_eos()));
    g_mutex_unlock(&s->pads_lock);
    if (first)
        gst_element_no_more_pads(GST_ELEMENT(s));
}

static void stream_clear(struct stream *of)
{
    gst_clear_caps(&of->caps);
    gst_clear_tag_list(&of->tags);
    gst_clear_object(&of->stream);
}

/* Under pads_lock. Result: the streams are not the same as before. */
static gboolean take_streams(TvlSrc *s, const struct source_tracks *t)
{
    gboolean others = FALSE;
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        struct stream *of = &s->stream[slot];
        const struct msf_track *track = t->slot[slot];
        const gboolean anew = !track || t->fresh >> slot & 1;
        others = others || (anew && (track || of->caps));
        if (anew)
            stream_clear(of);
        if (!track)
            continue;
        gst_clear_caps(&of->caps);
        gst_clear_tag_list(&of->tags);
        of->caps = kind_of(slot) == 0   ? track_video_caps(t->catalog, t->plan, track)
                   : kind_of(slot) == 1 ? track_sound_caps(track)
                                        : track_data_caps(track);
        of->tags = track_tags(track);
    }
    s->selected |= t->fresh;
    return others;
}

void tvl_src_take_tracks(TvlSrc *s, const struct source_tracks *t)
{
    g_mutex_lock(&s->pads_lock);
    const gboolean others = take_streams(s, t);
    g_mutex_unlock(&s->pads_lock);
    set_pads(s, t->fresh, others);
}

void tvl_src_take_selected(TvlSrc *s, guint slots)
{
    g_mutex_lock(&s->pads_lock);
    s->selected = slots;
    g_mutex_unlock(&s->pads_lock);
    set_pads(s, 0, FALSE);
    g_mutex_lock(&s->pads_lock);
    GstStreamCollection *all = collection_of(s);
    GstMessage *message = gst_message_new_streams_selected(GST_OBJECT(s), all);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        if (s->pad[slot])
            gst_message_streams_selected_add(message, s->stream[slot].stream);
    g_mutex_unlock(&s->pads_lock);
    gst_object_unref(all);
    gst_element_post_message(GST_ELEMENT(s), message);
}

void tvl_src_remove_pads(TvlSrc *s)
{
    g_mutex_lock(&s->pads_lock);
    GList *all = g_steal_pointer(&s->retired);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (s->pad[slot])
            all = g_list_prepend(all, s->pad[slot]);
        s->pad[slot] = NULL;
        stream_clear(&s->stream[slot]);
    }
    s->selected = SOURCE_ALL_SLOTS;
    s->group = GST_GROUP_ID_INVALID;
    g_mutex_unlock(&s->pads_lock);
    for (GList *l = all; l; l = l->next)
        remove_pad(s, l->data);
    g_list_free(all);
}

void tvl_src_put(TvlSrc *s, guint slot, GstMiniObject *o)
{
    g_mutex_lock(&s->pads_lock);
    if (s->pad[slot] && !s->eos)
        tvl_src_pad_put(s->pad[slot], o);
    else
        gst_mini_object_unref(o);
    g_mutex_unlock(&s->pads_lock);
}

/* ---- events of the application ---- */

/* Before the catalog there are no pads, and whoever waits for them would wait for ever: they come
 * without caps, to end. */
static void add_pads_to_end(TvlSrc *s)
{
    for (guint kind = 0; kind <= (s->audio ? 1 : 0); kind++) {
        const guint slot = kinds[kind].first;
        g_mutex_lock(&s->pads_lock);
        TvlSrcPad *p = s->pad[slot] = make_pad(s, slot);
        GstStream *stream = make_stream(s, GST_PAD(p), slot);
        g_mutex_unlock(&s->pads_lock);
        gst_pad_set_active(GST_PAD(p), TRUE);
        g_mutex_lock(&s->pads_lock);
        push_beginning(s, p, stream, NULL, &(struct stream){ NULL });
        g_mutex_unlock(&s->pads_lock);
        gst_object_unref(stream);
        tvl_src_pad_put(p, GST_MINI_OBJECT(gst_event_new_eos()));
        add_pad(s, p);
    }
    gst_element_no_more_pads(GST_ELEMENT(s));
}

void tvl_src_end_all(TvlSrc *s)
{
    g_mutex_lock(&s->pads_lock);
    const gboolean again = s->eos;
    gboolean none = !s->adding;
    s->eos = TRUE;
    for (guint slot = 0; slot < SOURCE_SLOTS && !again; slot++) {
        if (!s->pad[slot])
            continue;
        none = FALSE;
        tvl_src_pad_put(s->pad[slot], GST_MINI_OBJECT(gst_event_new_eos()));
    }
    if (none)
        number_run(s);
    g_mutex_unlock(&s->pads_lock);
    if (none && !again)
        add_pads_to_end(s);
}

/* FLUSH_START or FLUSH_STOP, to every pad. */
void tvl_src_flush_all(TvlSrc *s, GstEvent *event)
{
    TvlSrcPad *pad[SOURCE_SLOTS];
    g_mutex_lock(&s->pads_lock);
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++)
        pad[slot] = s->pad[slot] ? gst_object_ref(s->pad[slot]) : NULL;
    s->eos = FALSE;
    g_mutex_unlock(&s->pads_lock);
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
        GST_OBJECT_LOCK(s);
        source_flush(s->link);
        GST_OBJECT_UNLOCK(s);
    }
    for (guint slot = 0; slot < SOURCE_SLOTS; slot++) {
        if (pad[slot])
            tvl_src_pad_flush(pad[slot], gst_event_ref(event));
        gst_clear_object(&pad[slot]);
    }
}
