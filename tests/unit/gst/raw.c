/* raw.c - see raw.h. */
#include "raw.h"

#include "elements.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

void gst_test_init(int *argc, char ***argv)
{
    g_setenv("GST_REGISTRY_UPDATE", "no", TRUE);
    gst_init(argc, argv);
    g_log_set_always_fatal(
        (GLogLevelFlags)(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK));
    assert_true(GST_ELEMENT_REGISTER(svcav1enc, NULL));
    assert_true(GST_ELEMENT_REGISTER(svcav1dec, NULL));
    assert_true(GST_ELEMENT_REGISTER(svcav1parse, NULL));
}

GstBuffer *raw_picture(guint width, guint height, guint n)
{
    const gsize luma = (gsize)width * height, chroma = luma / 4;
    GstBuffer *b = gst_buffer_new_allocate(NULL, luma + 2 * chroma, NULL);
    GstMapInfo map;
    assert_true(gst_buffer_map(b, &map, GST_MAP_WRITE));
    for (gsize y = 0; y < height; y++)
        for (gsize x = 0; x < width; x++)
            map.data[y * width + x] = (guint8)(((x + 3 * n) ^ (y + n)) & 0xff);
    memset(map.data + luma, 100, chroma);
    memset(map.data + luma + chroma, (int)(100 + n % 50), chroma);
    gst_buffer_unmap(b, &map);
    GST_BUFFER_PTS(b) = n * FRAME_TIME;
    GST_BUFFER_DURATION(b) = FRAME_TIME;
    return b;
}

GstHarness *encoder_new(const char *props, guint width, guint height, const char *downstream_caps)
{
    gchar *line = g_strdup_printf("svcav1enc speed=10 pace=never %s", props);
    GstHarness *h = gst_harness_new_parse(line);
    g_free(line);
    gchar *caps =
        g_strdup_printf("video/x-raw,format=I420,width=%u,height=%u,framerate=30/1", width, height);
    if (downstream_caps)
        gst_harness_set_sink_caps_str(h, downstream_caps);
    gst_harness_set_src_caps_str(h, caps);
    g_free(caps);
    return h;
}

void encoder_push(GstHarness *h, guint width, guint height, guint first, guint n)
{
    for (guint i = first; i < first + n; i++)
        assert_int_equal(GST_FLOW_OK, gst_harness_push(h, raw_picture(width, height, i)));
}
