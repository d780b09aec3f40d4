/* sender_view.c - see sender_view.h. */
#include "sender_view.h"

#include <jansson.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 1e15 /* of anything that is said */

/* ---- reading ---- */

/* -1 where it is missing, no number, negative or out of all bounds. */
static double number(const json_t *o, const char *name)
{
    const json_t *x = json_object_get(o, name);
    const double value = json_is_number(x) ? json_number_value(x) : -1;
    return isfinite(value) && value >= 0 && value <= NUMBER_MAX ? value : -1;
}

static double share(const json_t *o, const char *name)
{
    return fmin(1, number(o, name));
}

/* Below `end`, else -1. */
static int small(const json_t *o, const char *name, int end)
{
    const double value = number(o, name);
    return value >= 0 && value < end ? (int)value : -1;
}

/* As much as fits; only what every terminal and font shows. */
static void text(const json_t *o, const char *name, char *out, size_t cap)
{
    const char *s = json_string_value(json_object_get(o, name));
    size_t n = 0;
    for (; s && s[n] && n + 1 < cap; n++)
        out[n] = s[n] >= ' ' && s[n] < 0x7f ? s[n] : '?';
    out[n] = '\0';
}

static void read_path(struct sender_path *p, const json_t *o)
{
    *p = (struct sender_path){ .known = true,
                               .id = (uint32_t)number(o, "id"),
                               .sending_bps = number(o, "sending_bps"),
                               .rate_bps = number(o, "rate_bps"),
                               .delivery_bps = number(o, "delivery_bps"),
                               .rtt_ms = number(o, "rtt_ms"),
                               .rtt_min_ms = number(o, "rtt_min_ms"),
                               .loss = share(o, "loss"),
                               .cwnd_bytes = number(o, "cwnd_bytes"),
                               .in_flight_bytes = number(o, "in_flight_bytes"),
                               .cc_ago_s = number(o, "cc_ago_s") };
    text(o, "client", p->client, sizeof p->client);
    text(o, "cc", p->cc, sizeof p->cc);
    text(o, "cc_from", p->cc_from, sizeof p->cc_from);
    text(o, "cc_reason", p->cc_reason, sizeof p->cc_reason);
}

static void read_paths(struct sender_view *v, const json_t *list)
{
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        const double id = number(o, "id");
        if (v->n_paths < TVL_PATHS_MAX && id >= 0 && id < UINT32_MAX)
            read_path(&v->path[v->n_paths++], o);
    }
}

static const char *const why_words[] = {
    [SENDER_WHY_OTHER] = "other", [SENDER_WHY_SENT] = "sent",       [SENDER_WHY_OFF] = "off",
    [SENDER_WHY_IDLE] = "idle",   [SENDER_WHY_RATE] = "rate",       [SENDER_WHY_RETRY] = "retry",
    [SENDER_WHY_BELOW] = "below", [SENDER_WHY_BROKEN] = "broken",   [SENDER_WHY_QUEUE] = "queue",
    [SENDER_WHY_FULL] = "full",   [SENDER_WHY_EXPIRED] = "expired",
};
#define WHYS (sizeof why_words / sizeof *why_words)

const char *sender_why_word(enum sender_why why)
{
    return why_words[(unsigned)why < WHYS ? why : SENDER_WHY_OTHER];
}

static enum sender_why read_why(const json_t *o)
{
    const char *word = json_string_value(json_object_get(o, "why"));
    for (size_t i = 0; word && i < WHYS; i++)
        if (strcmp(word, why_words[i]) == 0)
            return (enum sender_why)i;
    return SENDER_WHY_OTHER;
}

static double left_out(const json_t *o)
{
    static const char *const names[] = { "dropped_rate", "dropped_queue", "dropped_broken",
                                         "dropped_full", "expired" };
    const double offered = number(o, "offered");
    double sum = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sum += fmax(0, number(o, names[i]));
    return offered > 0 ? fmin(1, sum / offered) : 0;
}

static void read_layers(struct sender_view *v, const json_t *list)
{
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        const int s = small(o, "spatial", SVC_SPATIAL_MAX);
        const int t = small(o, "temporal", SVC_TEMPORAL_MAX);
        if (s < 0 || t < 0)
            continue;
        v->layer[s][t] = (struct sender_layer){ .known = true,
                                                .why = read_why(o),
                                                .needed_bps = number(o, "needed_bps"),
                                                .sending_bps = number(o, "sending_bps"),
                                                .retry_ms = number(o, "retry_ms"),
                                                .left_out = left_out(o) };
    }
}

static void read_encoder(struct sender_encoder *e, const json_t *o)
{
    const json_t *rates = json_object_get(o, "layer_bps");
    const json_t *speed = json_object_get(o, "speed");
    const json_int_t value = json_integer_value(speed);
    if (!json_is_object(o))
        return;
    *e = (struct sender_encoder){ .known = true,
                                  .speed = value > -100 && value < 100 ? (int)value : 0,
                                  .load = number(o, "load"),
                                  .fps = number(o, "fps"),
                                  .late_ms = number(o, "late_ms") };
    e->n_spatial = (unsigned)fmax(0, small(o, "spatial_layers", SVC_SPATIAL_MAX + 1));
    e->n_temporal = (unsigned)fmax(0, small(o, "temporal_layers", SVC_TEMPORAL_MAX + 1));
    for (size_t i = 0; i < SVC_SPATIAL_MAX; i++) {
        const json_t *x = json_array_get(rates, i);
        const double bps = json_is_number(x) ? json_number_value(x) : -1;
        e->layer_bps[i] = bps >= 0 && bps <= NUMBER_MAX ? bps : -1;
    }
}

static bool is_of(const json_t *root, const uint8_t *id, size_t id_len)
{
    const char *said = json_string_value(json_object_get(root, "connection"));
    char ours[2 * TVL_ORIGINAL_ID_MAX + 1] = "";
    for (size_t i = 0; i < id_len && i < TVL_ORIGINAL_ID_MAX; i++)
        snprintf(ours + 2 * i, 3, "%02x", id[i]);
    return said && strcmp(said, ours) == 0;
}

int sender_view_read(struct sender_view *out, const char *json, size_t len, const uint8_t *id,
                     size_t id_len)
{
    struct sender_view v = { .known = true };
    json_t *root = len <= SENDER_BYTES_MAX ? json_loadb(json, len, 0, NULL) : NULL;
    int result = SENDER_WRONG;
    if (!json_is_object(root) || small(root, "version", 2) != 1)
        goto done;
    result = SENDER_OTHERS;
    if (!is_of(root, id, id_len))
        goto done;
    result = 0;
    v.rate_bps = number(root, "rate_bps");
    v.sure_bps = number(root, "sure_bps");
    v.queue_ms = number(root, "queue_ms");
    v.top = small(root, "top", SVC_SPATIAL_MAX);
    read_paths(&v, json_object_get(root, "paths"));
    read_layers(&v, json_object_get(root, "layers"));
    read_encoder(&v.encoder, json_object_get(root, "encoder"));
    *out = v;
done:
    json_decref(root);
    return result;
}

const struct sender_path *sender_view_path(const struct sender_view *v, uint32_t id)
{
    for (size_t i = 0; v->known && i < v->n_paths; i++)
        if (v->path[i].id == id)
            return &v->path[i];
    return NULL;
}

/* ---- for a person ---- */

static double mbps(double bps)
{
    return fmax(0, bps) / 1e6;
}

const char *sender_layer_text(const struct sender_view *v, struct svc_layer l, char *out,
                              size_t cap)
{
    const struct sender_layer *x = &v->layer[l.spatial][l.temporal];
    const double percent = 100 * x->left_out;
    switch (x->why) {
    case SENDER_WHY_SENT:
        snprintf(out, cap, "sent, %.2f Mbit/s", mbps(x->sending_bps));
        break;
    case SENDER_WHY_OFF:
        snprintf(out, cap, "not asked for");
        break;
    case SENDER_WHY_IDLE:
        snprintf(out, cap, "there is none of it now");
        break;
    case SENDER_WHY_RATE:
        snprintf(out, cap, "no room: needs %.1f Mbit/s of %.1f", mbps(x->needed_bps),
                 mbps(v->sure_bps));
        break;
    case SENDER_WHY_RETRY:
        if (x->retry_ms > 0)
            snprintf(out, cap, "went badly; tried again in %.0f s", ceil(x->retry_ms / 1e3));
        else
            snprintf(out, cap, "went badly; tried again soon");
        break;
    case SENDER_WHY_BELOW:
        snprintf(out, cap, "the layer below does not go well");
        break;
    case SENDER_WHY_BROKEN:
        snprintf(out, cap, "%.0f %% left out: lost what it reads", percent);
        break;
    case SENDER_WHY_QUEUE:
        snprintf(out, cap, "%.0f %% left out: would be late", percent);
        break;
    case SENDER_WHY_FULL:
        snprintf(out, cap, "%.0f %% left out: too many streams", percent);
        break;
    case SENDER_WHY_EXPIRED:
        snprintf(out, cap, "%.0f %% given up on the way", percent);
        break;
    default:
        snprintf(out, cap, "%.0f %% left out", percent);
        break;
    }
    return out;
}

const char *sender_layer_brief(const struct sender_view *v, struct svc_layer l, char *out,
                               size_t cap)
{
    const struct sender_layer *x = &v->layer[l.spatial][l.temporal];
    static const char *const words[WHYS] = {
        [SENDER_WHY_OFF] = "not asked for",  [SENDER_WHY_IDLE] = "none now",
        [SENDER_WHY_RETRY] = "went badly",   [SENDER_WHY_BELOW] = "lower one bad",
        [SENDER_WHY_BROKEN] = "lost before", [SENDER_WHY_FULL] = "no stream",
    };
    if (x->why == SENDER_WHY_RATE)
        snprintf(out, cap, "needs %.1f of %.1f", mbps(x->needed_bps), mbps(v->sure_bps));
    else if (x->why == SENDER_WHY_SENT)
        snprintf(out, cap, "sent, %.2f", mbps(x->sending_bps));
    else if (x->why == SENDER_WHY_QUEUE || x->why == SENDER_WHY_EXPIRED)
        snprintf(out, cap, "%.0f %% too late", 100 * x->left_out);
    else if (words[x->why])
        snprintf(out, cap, "%s", words[x->why]);
    else
        snprintf(out, cap, "%.0f %% left out", 100 * x->left_out);
    return out;
}

static const char *ago(double s, char *out, size_t cap)
{
    if (s < 120)
        snprintf(out, cap, "%.0f s", s);
    else if (s < 7200)
        snprintf(out, cap, "%.0f min", s / 60);
    else
        snprintf(out, cap, "%.0f h", s / 3600);
    return out;
}

const char *sender_controller_text(const struct sender_path *p, char *out, size_t cap)
{
    char age[24];
    if (p->cc_ago_s >= 0 && *p->cc_from && strcmp(p->cc_from, p->cc) != 0)
        snprintf(out, cap, "%s instead of %s, %s ago: %s", p->cc, p->cc_from,
                 ago(p->cc_ago_s, age, sizeof age), p->cc_reason);
    else if (*p->cc_reason)
        snprintf(out, cap, "%s: %s", p->cc, p->cc_reason);
    else
        snprintf(out, cap, "%s", p->cc);
    return out;
}

/* ---- for a program ---- */

static json_t *or_null(double x)
{
    return x < 0 ? json_null() : json_real(x);
}

static json_t *whole_or_null(double x)
{
    return x < 0 ? json_null() : json_integer((json_int_t)x);
}

static json_t *text_or_null(const char *s)
{
    return *s ? json_string(s) : json_null();
}

json_t *sender_path_json(const struct sender_path *p)
{
    if (!p || !p->known)
        return json_null();
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o,s:s,s:o}", "client", text_or_null(p->client),
        "sending_bps", whole_or_null(p->sending_bps), "rate_bps", whole_or_null(p->rate_bps),
        "delivery_bps", whole_or_null(p->delivery_bps), "rtt_ms", or_null(p->rtt_ms), "rtt_min_ms",
        or_null(p->rtt_min_ms), "loss", or_null(p->loss), "cwnd_bytes",
        whole_or_null(p->cwnd_bytes), "in_flight_bytes", whole_or_null(p->in_flight_bytes), "cc",
        p->cc, "cc_from", text_or_null(p->cc_from), "cc_reason", p->cc_reason, "cc_ago_s",
        or_null(p->cc_ago_s));
}

static json_t *layer_json(const struct sender_view *v, unsigned s, unsigned t)
{
    const struct sender_layer *l = &v->layer[s][t];
    char said[SENDER_TEXT_MAX];
    return json_pack(
        "{s:i,s:i,s:s,s:s,s:o,s:o,s:o,s:f}", "s", (int)s, "t", (int)t, "why",
        sender_why_word(l->why), "text",
        sender_layer_text(v, (struct svc_layer){ (uint8_t)s, (uint8_t)t }, said, sizeof said),
        "needed_bps", whole_or_null(l->needed_bps), "sending_bps", whole_or_null(l->sending_bps),
        "retry_ms", or_null(l->retry_ms), "left_out", l->left_out);
}

static json_t *encoder_json(const struct sender_encoder *e)
{
    json_t *rates = json_array();
    for (size_t i = 0; i < SVC_SPATIAL_MAX && e->layer_bps[i] >= 0; i++)
        json_array_append_new(rates, json_integer((json_int_t)e->layer_bps[i]));
    return json_pack("{s:i,s:i,s:i,s:o,s:o,s:o,s:o}", "speed", e->speed, "spatial_layers",
                     (int)e->n_spatial, "temporal_layers", (int)e->n_temporal, "load",
                     or_null(e->load), "fps", or_null(e->fps), "late_ms", or_null(e->late_ms),
                     "layer_bps", rates);
}

json_t *sender_view_json(const struct sender_view *v)
{
    json_t *layers;
    if (!v->known)
        return json_null();
    layers = json_array();
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
            if (v->layer[s][t].known)
                json_array_append_new(layers, layer_json(v, s, t));
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "rate_bps", whole_or_null(v->rate_bps),
                     "sure_bps", whole_or_null(v->sure_bps), "queue_ms", or_null(v->queue_ms),
                     "top", v->top < 0 ? json_null() : json_integer(v->top), "layers", layers,
                     "encoder", v->encoder.known ? encoder_json(&v->encoder) : json_null());
}
