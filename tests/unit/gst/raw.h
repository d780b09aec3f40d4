/* raw.h - pictures for encoders under test, and their layers. */
#ifndef TESTS_GST_RAW_H
#define TESTS_GST_RAW_H

#include <gst/check/gstharness.h>
#include <gst/gst.h>

/* Where a test ends by itself when GStreamer prints a warning or worse. */
void gst_test_init(int *argc, char ***argv);

#define FRAME_TIME (GST_SECOND / 30)

/* Picture number `n` at 30 a second: I420 with something that moves. */
GstBuffer *raw_picture(guint width, guint height, guint n);
/* An encoder with `props` ("layers=L2T2 speed=10"), sized; its input is 30 pictures a second.
 * Unless they say so it does not mind how fast this machine is. */
GstHarness *encoder_new(const char *props, guint width, guint height, const char *downstream_caps);
/* Pushes the pictures from `first` on. */
void encoder_push(GstHarness *h, guint width, guint height, guint first, guint n);

#endif
