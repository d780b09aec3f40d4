/* enc_pace.c - see enc_pace.h. */
#include "enc_pace.h"

#define SPEED_MAX 10 /* svc_encoder_set_speed */

GType enc_pace_mode_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { ENC_PACE_AUTO, "Where upstream is live", "auto" },
        { ENC_PACE_ALWAYS, "Always", "always" },
        { ENC_PACE_NEVER, "Never: a picture takes as long as it takes", "never" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        const gsize made = g_enum_register_static("SvcAv1EncPace", values);
        g_once_init_leave(&type, made);
    }
    return type;
}

void enc_pace_begin(struct enc_pace *p, const struct svc_pace_orders *best, gint fps_num,
                    gint fps_den)
{
    const guint64 period =
        fps_num > 0 ? gst_util_uint64_scale(G_USEC_PER_SEC, (guint64)fps_den, (guint64)fps_num) : 0;
    const struct svc_pace_config cfg = { .period_us = (uint32_t)MIN(period, G_MAXUINT32),
                                         .best = *best,
                                         .speed_max = MAX(SPEED_MAX, best->speed) };
    p->able = svc_pace_init(&p->pace, &cfg);
    if (!p->able)
        p->pace = (struct svc_pace){ .cfg = cfg }; /* its orders are `best` */
}

static void ask(struct enc_pace *p, GstPad *sink)
{
    GstQuery *q = gst_query_new_latency();
    GstClockTime min = 0;
    p->live = FALSE;
    if (gst_pad_peer_query(sink, q))
        gst_query_parse_latency(q, &p->live, &min, NULL);
    p->latency_us = GST_CLOCK_TIME_IS_VALID(min) ? min / GST_USECOND : 0;
    p->asked = TRUE;
    gst_query_unref(q);
}

void enc_pace_decide(struct enc_pace *p, enum enc_pace_mode mode, GstPad *sink, gboolean again)
{
    if (again || !p->asked)
        ask(p, sink);
    p->on = p->able && (mode == ENC_PACE_ALWAYS || (mode == ENC_PACE_AUTO && p->live));
}

gboolean enc_pace_picture(struct enc_pace *p, GstClockTime due, GstClockTime began,
                          GstClockTime ended, gboolean skipped)
{
    if (!p->on || !GST_CLOCK_TIME_IS_VALID(began) || !GST_CLOCK_TIME_IS_VALID(ended))
        return FALSE;
    const guint64 start = began / GST_USECOND, end = ended / GST_USECOND;
    const guint64 at = GST_CLOCK_TIME_IS_VALID(due) ? due / GST_USECOND + p->latency_us : start;
    return svc_pace_picture(&p->pace, end + 1, skipped || end < start ? 0 : end - start,
                            start > at ? start - at : 0);
}

struct svc_pace_orders enc_pace_orders(const struct enc_pace *p)
{
    return p->on ? svc_pace_orders(&p->pace) : p->pace.cfg.best;
}
