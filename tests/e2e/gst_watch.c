/*
 * gst_watch.c - runs a pipeline and says what an application sees of it, for gstreamer.py.
 *
 * usage: gst_watch PIPELINE
 *
 * Until EOS, an error (exit code 1), SIGTERM or SIGINT. JSON lines:
 *     {"sink":NAME,"crc":N,"height":N,"pts":NS}   a picture (I420) at a fakesink called v...
 *     {"message":NAME, ...}                       an element's message, with its texts and numbers
 *     {"signal":NAME}                             of tvlsrc or tvlsink, wherever in the pipeline
 *     {"stats":TEXT}                              of those, at the end
 *     {"error":TEXT} {"warning":TEXT} {"eos":1}
 * A decoder called only0, only1 ... gets the spatial layers up to that, and no say upstream: what
 * it shows is what others must show who got no more.
 */
#include "svc/svc.h"

#include <glib-unix.h>
#include <gst/tvl/layer.h>
#include <gst/video/video.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    GMainLoop *loop;
    GstElement *pipeline;
    int exit_code;
};

static void say(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    printf("%s\n", text); /* one call: the lines of threads stay apart */
    fflush(stdout);
    free(text);
    json_decref(line);
}

/* ---- pictures ---- */

static void on_picture(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;
    GstVideoFrame frame;
    (void)data;
    if (!caps || !gst_video_info_from_caps(&info, caps) ||
        GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_I420 ||
        !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
        say(json_pack("{ss}", "error", "a buffer that is no I420 picture"));
        exit(1);
    }
    struct svc_image image = { .width = (uint16_t)info.width, .height = (uint16_t)info.height };
    for (guint p = 0; p < 3; p++) {
        image.plane[p] = GST_VIDEO_FRAME_PLANE_DATA(&frame, p);
        image.stride[p] = GST_VIDEO_FRAME_PLANE_STRIDE(&frame, p);
    }
    say(json_pack("{sssIsisI}", "sink", GST_OBJECT_NAME(sink), "crc",
                  (json_int_t)svc_image_crc(&image), "height", info.height, "pts",
                  (json_int_t)GST_BUFFER_PTS(buffer)));
    gst_video_frame_unmap(&frame);
    gst_caps_unref(caps);
}

/* Found by name: the function in our plug-in is not visible here. */
static GstPadProbeReturn on_unit(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    const guint most = GPOINTER_TO_UINT(data);
    (void)pad;
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_UPSTREAM)
        return GST_EVENT_TYPE(info->data) == GST_EVENT_CUSTOM_UPSTREAM ? GST_PAD_PROBE_DROP
                                                                       : GST_PAD_PROBE_OK;
    const TvlLayerMeta *m = tvl_buffer_get_layer_meta(GST_PAD_PROBE_INFO_BUFFER(info));
    return m && m->spatial > most ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

/* ---- elements, as they come ---- */

static void on_path(GstElement *e, const gchar *path, gpointer name)
{
    say(json_pack("{ssssss*}", "signal", (const char *)name, "of", GST_OBJECT_NAME(e), "path",
                  path));
}

static void on_element(GstBin *bin, GstBin *in, GstElement *e, gpointer data)
{
    const GstElementFactory *factory = gst_element_get_factory(e);
    const gchar *kind = factory ? GST_OBJECT_NAME(factory) : "", *name = GST_OBJECT_NAME(e);
    (void)bin;
    (void)in;
    (void)data;
    if (strcmp(kind, "fakesink") == 0 && name[0] == 'v') {
        g_object_set(e, "signal-handoffs", TRUE, NULL);
        g_signal_connect(e, "handoff", G_CALLBACK(on_picture), NULL);
    } else if (strcmp(kind, "svcav1dec") == 0 && g_str_has_prefix(name, "only")) {
        GstPad *pad = gst_element_get_static_pad(e, "sink");
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                          on_unit, GUINT_TO_POINTER((guint)atoi(name + 4)), NULL);
        gst_object_unref(pad);
    } else if (strcmp(kind, "tvlsrc") == 0 || strcmp(kind, "tvlsink") == 0) {
        g_signal_connect(e, "path-up", G_CALLBACK(on_path), "path-up");
        g_signal_connect(e, "path-down", G_CALLBACK(on_path), "path-down");
    }
}

static void each_element(GstBin *bin)
{
    GstIterator *all = gst_bin_iterate_recurse(bin);
    GValue item = G_VALUE_INIT;
    while (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
        on_element(bin, bin, g_value_get_object(&item), NULL);
        g_value_reset(&item);
    }
    g_value_unset(&item);
    gst_iterator_free(all);
}

static void say_stats(GstBin *bin)
{
    GstIterator *all = gst_bin_iterate_recurse(bin);
    GValue item = G_VALUE_INIT;
    while (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
        GstElement *e = g_value_get_object(&item);
        const GstElementFactory *factory = gst_element_get_factory(e);
        GstStructure *stats = NULL;
        if (factory && g_str_has_prefix(GST_OBJECT_NAME(factory), "tvl")) {
            g_object_get(e, "stats", &stats, NULL);
            gchar *text = gst_structure_to_string(stats);
            say(json_pack("{ssss}", "stats", text, "of", GST_OBJECT_NAME(e)));
            g_free(text);
            gst_structure_free(stats);
        }
        g_value_reset(&item);
    }
    g_value_unset(&item);
    gst_iterator_free(all);
}

/* ---- the bus ---- */

static gboolean add_field(GQuark field, const GValue *value, gpointer line)
{
    json_t *v = G_VALUE_HOLDS_STRING(value) ? json_string(g_value_get_string(value))
                : G_VALUE_HOLDS_UINT(value) ? json_integer(g_value_get_uint(value))
                                            : NULL;
    if (v)
        json_object_set_new(line, g_quark_to_string(field), v);
    return TRUE;
}

static void say_trouble(GstMessage *m)
{
    const gboolean error = GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR;
    GError *why = NULL;
    gchar *more = NULL;
    if (error)
        gst_message_parse_error(m, &why, &more);
    else
        gst_message_parse_warning(m, &why, &more);
    say(json_pack("{ssss*}", error ? "error" : "warning", why->message, "more", more));
    g_error_free(why);
    g_free(more);
}

static gboolean on_message(GstBus *bus, GstMessage *m, gpointer data)
{
    struct watch *w = data;
    (void)bus;
    switch (GST_MESSAGE_TYPE(m)) {
    case GST_MESSAGE_ELEMENT: {
        const GstStructure *s = gst_message_get_structure(m);
        json_t *line = json_pack("{ss}", "message", gst_structure_get_name(s));
        gst_structure_foreach(s, add_field, line);
        say(line);
        break;
    }
    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(w->pipeline));
        break;
    case GST_MESSAGE_WARNING:
        say_trouble(m);
        break;
    case GST_MESSAGE_ERROR:
        say_trouble(m);
        w->exit_code = 1;
        g_main_loop_quit(w->loop);
        break;
    case GST_MESSAGE_EOS:
        say(json_pack("{si}", "eos", 1));
        g_main_loop_quit(w->loop);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gpointer data)
{
    struct watch *w = data;
    g_main_loop_quit(w->loop);
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    struct watch w = { .exit_code = 0 };
    GError *why = NULL;
    gst_init(&argc, &argv);
    if (argc != 2) {
        fprintf(stderr, "usage: gst_watch PIPELINE\n");
        return 2;
    }
    GstElement *parsed = gst_parse_launch(argv[1], &why);
    if (why || !parsed) {
        fprintf(stderr, "gst_watch: %s\n", why ? why->message : "no pipeline");
        return 2;
    }
    w.pipeline = parsed;
    if (!GST_IS_PIPELINE(parsed)) { /* one element alone */
        w.pipeline = gst_pipeline_new(NULL);
        gst_bin_add(GST_BIN(w.pipeline), parsed);
    }
    w.loop = g_main_loop_new(NULL, FALSE);
    g_signal_connect(w.pipeline, "deep-element-added", G_CALLBACK(on_element), NULL);
    each_element(GST_BIN(w.pipeline));
    GstBus *bus = gst_element_get_bus(w.pipeline);
    gst_bus_add_watch(bus, on_message, &w);
    g_unix_signal_add(SIGTERM, on_signal, &w);
    g_unix_signal_add(SIGINT, on_signal, &w);
    gst_element_set_state(w.pipeline, GST_STATE_PLAYING);
    g_main_loop_run(w.loop);
    say_stats(GST_BIN(w.pipeline));
    gst_element_set_state(w.pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);
    gst_object_unref(bus);
    gst_object_unref(w.pipeline);
    g_main_loop_unref(w.loop);
    return w.exit_code;
}
