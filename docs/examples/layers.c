/*
 * layers.c - what each layer of a GStreamer pipeline costs: counts units and bytes by the meta of
 * the buffers, and asks for the top layer anew once.
 *
 *     cc layers.c -o layers $(pkg-config --cflags --libs gstreamer-tvl-1.0)
 *     ./layers "videotestsrc num-buffers=60 ! svcav1enc ! fakesink name=out"
 *
 * The pipeline has an element called `out`, which gets video/x-svc.
 */
#include <gst/gst.h>
#include <gst/tvl/layer.h>
#include <stdio.h>

struct sums {
    guint units[TVL_LAYER_SPATIAL_MAX][TVL_LAYER_TEMPORAL_MAX];
    gsize bytes[TVL_LAYER_SPATIAL_MAX][TVL_LAYER_TEMPORAL_MAX];
    guint keys, anew;
};

static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    struct sums *sums = data;
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    const TvlLayerMeta *m = tvl_buffer_get_layer_meta(buffer);

    if (!m)
        return GST_PAD_PROBE_OK; /* no layer unit */
    sums->units[m->spatial][m->temporal]++;
    sums->bytes[m->spatial][m->temporal] += gst_buffer_get_size(buffer);
    sums->keys += m->key;
    sums->anew += m->sync && !m->key && m->picture > 0;
    if (m->picture == 5 && m->spatial == 1) /* as if it had been lost */
        gst_pad_push_event(pad, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                                                     gst_structure_new(TVL_LAYER_REFRESH, "spatial",
                                                                       G_TYPE_UINT, 1, NULL)));
    return GST_PAD_PROBE_OK;
}

static int play(GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *m =
        gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    const int failed = GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR;
    gst_message_unref(m);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    return failed;
}

int main(int argc, char **argv)
{
    struct sums sums = { .keys = 0 };
    gst_init(&argc, &argv);
    GstElement *pipeline = gst_parse_launch(argc > 1 ? argv[1] : "", NULL);
    GstElement *out =
        pipeline && GST_IS_BIN(pipeline) ? gst_bin_get_by_name(GST_BIN(pipeline), "out") : NULL;
    if (!out) {
        fprintf(stderr, "usage: layers \"PIPELINE with an element called out\"\n");
        return 2;
    }
    GstPad *pad = gst_element_get_static_pad(out, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, &sums, NULL);
    const int failed = play(pipeline);
    for (int s = 0; s < TVL_LAYER_SPATIAL_MAX; s++)
        for (int t = 0; t < TVL_LAYER_TEMPORAL_MAX; t++)
            if (sums.units[s][t])
                printf("S%dT%d: %u units, %zu bytes\n", s, t, sums.units[s][t], sums.bytes[s][t]);
    printf("%u keys, %u units that need no other picture\n", sums.keys, sums.anew);
    gst_object_unref(pad);
    gst_object_unref(out);
    gst_object_unref(pipeline);
    return failed;
}
