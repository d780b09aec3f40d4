/*
 * enc_pace.h - svcav1enc kept in time, where the machine is too slow for what is asked of it:
 * <svc/pace.h>, and when it is wanted. Times are inputs (the pipeline's clock).
 */
#ifndef GST_ENC_PACE_H
#define GST_ENC_PACE_H

#include <gst/gst.h>

#include <svc/pace.h>

G_BEGIN_DECLS

enum enc_pace_mode { ENC_PACE_AUTO, ENC_PACE_ALWAYS, ENC_PACE_NEVER };
GType enc_pace_mode_get_type(void);

struct enc_pace {
    gboolean able;  /* the pictures have a length that it can reckon with */
    gboolean on;    /* wanted, and able */
    gboolean asked; /* upstream, whether it is live, */
    gboolean live;  /* and what it said */
    guint64 latency_us;
    struct svc_pace pace;
};

/* `best` as the encoder was opened, of `fps` (0/1: not known). What upstream said is kept. */
void enc_pace_begin(struct enc_pace *p, const struct svc_pace_orders *best, gint fps_num,
                    gint fps_den);
/* Decides anew by what is wanted and by a LATENCY query of what is linked to `sink`, where
 * `again` or nobody has asked yet. */
void enc_pace_decide(struct enc_pace *p, enum enc_pace_mode mode, GstPad *sink, gboolean again);
/* A picture that was `due` (running time; NONE: not known) was coded from `began` to `ended`, both
 * running times; `skipped`: left out by our order. TRUE: other orders. */
gboolean enc_pace_picture(struct enc_pace *p, GstClockTime due, GstClockTime began,
                          GstClockTime ended, gboolean skipped);
/* `best` while it is off. */
struct svc_pace_orders enc_pace_orders(const struct enc_pace *p);

G_END_DECLS

#endif
