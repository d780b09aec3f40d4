/*
 * enc_settings.h - what an application sets of svcav1enc: its properties but `stats`, by a table of
 * GObject's. Plain values without a lock: the element's.
 */
#ifndef GST_ENC_SETTINGS_H
#define GST_ENC_SETTINGS_H

#include <gst/gst.h>

#include "enc_pace.h"
#include "svc/svc.h"

G_BEGIN_DECLS

enum enc_settings_id {
    ENC_LAYERS = 1,
    ENC_BITRATE,
    ENC_LAYER_BITRATES,
    ENC_QUANTIZER,
    ENC_KEYFRAME_MAX_DIST,
    ENC_LONG_TERM_INTERVAL,
    ENC_MAX_SPATIAL,
    ENC_MAX_TEMPORAL,
    ENC_SPEED,
    ENC_THREADS,
    ENC_ISOLATED,
    ENC_PACE,
    ENC_SETTINGS_N,
};

struct enc_settings {
    struct svc_structure structure;
    guint bitrate_kbps;                /* of all layers; 0: by quantizer */
    guint layer_kbps[SVC_SPATIAL_MAX]; /* each one's own */
    guint n_layer_kbps;                /* 0: bitrate_kbps is shared out */
    guint top_spatial, top_temporal;   /* layers that are coded; 0: all */
    guint quantizer, key_interval, long_term_interval, speed, threads;
    gboolean isolated;
    enum enc_pace_mode pace;
};

void enc_settings_init(struct enc_settings *s);
void enc_settings_install(GObjectClass *c);
/* FALSE: no such property, or not to be set. Values out of range warn and change nothing. */
gboolean enc_settings_set(struct enc_settings *s, guint id, const GValue *value);
gboolean enc_settings_get(const struct enc_settings *s, guint id, GValue *value);
/* Each spatial layer's own target in bits/s; of those that there are not, and by quantizer: 0. */
void enc_settings_rates(const struct enc_settings *s, uint32_t out[SVC_SPATIAL_MAX]);

G_END_DECLS

#endif
