/* capture_gst.c - see capture_reader.h: a pipeline of GStreamer's, as gst-launch-1.0 takes it. What
 * its end gives is made to fit, kept to the clock, and read from an appsink. */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_reader.h"
#include "log.h"
#include "source.h"

#define PREFIX_LEN 4 /* "gst:" */
#define WAIT_NS (100 * GST_MSECOND)
#define DESCRIPTION_MAX 4096

struct gst_reader {
    struct capture_reader_config cfg;
    GstElement *pipeline;
    GstAppSink *sink;
    GstSample *sample;
    GstVideoFrame frame;
    GstMapInfo map;
    bool has_frame, has_map;
};

static void let_go(struct gst_reader *r)
{
    if (r->has_frame)
        gst_video_frame_unmap(&r->frame);
    if (r->has_map)
        gst_buffer_unmap(gst_sample_get_buffer(r->sample), &r->map);
    if (r->sample)
        gst_sample_unref(r->sample);
    r->has_frame = r->has_map = false;
    r->sample = NULL;
}

static void gst_reader_free(void *reader)
{
    struct gst_reader *r = reader;

    if (!r)
        return;
    let_go(r);
    if (r->pipeline) {
        gst_element_set_state(r->pipeline, GST_STATE_NULL);
        gst_object_unref(r->pipeline);
    }
    if (r->sink)
        gst_object_unref(r->sink);
    free(r);
}

static int describe(const struct capture_reader_config *cfg, char *out, size_t size)
{
    const char *user = cfg->input + PREFIX_LEN;
    int n;

    if (cfg->sound_only)
        n = snprintf(out, size,
                     "%s ! audioconvert ! audioresample ! "
                     "audio/x-raw,format=S16LE,layout=interleaved,rate=%d,channels=%u ! "
                     "appsink name=out max-buffers=32 drop=true",
                     user, SOURCE_RATE, cfg->channels);
    else
        n = snprintf(out, size,
                     "%s ! videoconvert ! videoscale add-borders=true ! videorate ! "
                     "video/x-raw,format=I420,width=%u,height=%u,framerate=%u/%u,"
                     "pixel-aspect-ratio=1/1 ! appsink name=out max-buffers=4 drop=true",
                     user, cfg->width, cfg->height, cfg->fps_num, cfg->fps_den);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

/* The pipeline's own words for what is wrong, if it has any. */
static void ask_bus(GstElement *pipeline, char *why, size_t why_size)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;

    if (m) {
        gst_message_parse_error(m, &error, NULL);
        snprintf(why, why_size, "%s: %s", GST_OBJECT_NAME(GST_MESSAGE_SRC(m)), error->message);
        g_error_free(error);
        gst_message_unref(m);
    }
    gst_object_unref(bus);
}

static int begin(struct gst_reader *r, char *why, size_t why_size)
{
    char text[DESCRIPTION_MAX];
    GError *error = NULL;

    if (describe(&r->cfg, text, sizeof text) < 0) {
        snprintf(why, why_size, "the pipeline is too long");
        return -1;
    }
    r->pipeline = gst_parse_launch(text, &error);
    if (error) {
        snprintf(why, why_size, "%s", error->message);
        g_error_free(error);
        return -1;
    }
    r->sink = (GstAppSink *)gst_bin_get_by_name(GST_BIN(r->pipeline), "out");
    if (!r->sink ||
        gst_element_set_state(r->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        snprintf(why, why_size, "the pipeline does not start");
        ask_bus(r->pipeline, why, why_size);
        return -1;
    }
    return 0;
}

static int gst_reader_open(void **out, const struct capture_reader_config *cfg,
                           struct capture_reader_info *info, char *why, size_t why_size)
{
    struct gst_reader *r = calloc(1, sizeof *r);
    GError *error = NULL;
    char what[200] = "out of memory";

    if (r && !gst_init_check(NULL, NULL, &error)) {
        snprintf(what, sizeof what, "%s", error->message);
        g_error_free(error);
    } else if (r) {
        r->cfg = *cfg;
        if (begin(r, what, sizeof what) == 0) {
            *info = (struct capture_reader_info){ cfg->width, cfg->height, cfg->fps_num,
                                                  cfg->fps_den, cfg->channels };
            *out = r;
            return 0;
        }
    }
    snprintf(why, why_size, "%.80s: %s", cfg->input, what);
    gst_reader_free(r);
    return -1;
}

static int give_picture(struct gst_reader *r, struct capture_item *out)
{
    GstVideoInfo info;

    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(r->sample)) ||
        !gst_video_frame_map(&r->frame, &info, gst_sample_get_buffer(r->sample), GST_MAP_READ))
        return -1;
    r->has_frame = true;
    out->picture = true;
    out->image.width = r->cfg.width;
    out->image.height = r->cfg.height;
    for (unsigned p = 0; p < 3; p++) {
        out->image.plane[p] = GST_VIDEO_FRAME_PLANE_DATA(&r->frame, p);
        out->image.stride[p] = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&r->frame, p);
    }
    return 1;
}

static int give_sound(struct gst_reader *r, struct capture_item *out)
{
    if (!gst_buffer_map(gst_sample_get_buffer(r->sample), &r->map, GST_MAP_READ))
        return -1;
    r->has_map = true;
    out->samples = (const int16_t *)(const void *)r->map.data;
    out->n_frames = r->map.size / sizeof(int16_t) / r->cfg.channels;
    return 1;
}

static int64_t running_us(const struct gst_reader *r)
{
    const GstClockTime pts = GST_BUFFER_PTS(gst_sample_get_buffer(r->sample));
    const GstClockTime at =
        gst_segment_to_running_time(gst_sample_get_segment(r->sample), GST_FORMAT_TIME, pts);

    return GST_CLOCK_TIME_IS_VALID(at) ? (int64_t)(at / GST_USECOND) : 0;
}

static int gst_reader_read(void *reader, struct capture_item *out)
{
    struct gst_reader *r = reader;
    char why[200] = "";

    let_go(r);
    while (!r->sample && !r->cfg.stop(r->cfg.stop_user)) {
        r->sample = gst_app_sink_try_pull_sample(r->sink, WAIT_NS);
        ask_bus(r->pipeline, why, sizeof why);
        if (why[0])
            log_line(LOG_WARN, "%.80s: %s", r->cfg.input, why);
        if (!r->sample && (why[0] || gst_app_sink_is_eos(r->sink)))
            return why[0] ? -1 : 0;
    }
    if (!r->sample)
        return 0;
    *out = (struct capture_item){ .pts = running_us(r) };
    return r->cfg.sound_only ? give_sound(r, out) : give_picture(r, out);
}

static void gst_reader_stretch(void *reader, int frames, int over)
{
    (void)reader; /* its sink keeps to the clock */
    (void)frames;
    (void)over;
}

const struct capture_reader_ops capture_reader_gst = { gst_reader_open, gst_reader_read,
                                                       gst_reader_stretch, gst_reader_free };
