/* session_track.c - see session_track.h. */
#include "session_track.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of what was offered: so little left out is no news. */
#define SPARED_PERCENT 2u

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)(n < INT64_MAX ? n : INT64_MAX));
}

static json_t *rounded(double x, double steps)
{
    return isfinite(x) ? json_real(round(x * steps) / steps) : json_null();
}

static json_t *ms(uint64_t us)
{
    return rounded((double)us / 1e3, 1000);
}

static json_t *ms_or_null(uint64_t us)
{
    return us ? ms(us) : json_null();
}

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static json_t *rate(uint64_t bytes, tvl_time span)
{
    return span ? count((uint64_t)((double)bytes * 8e6 / (double)span)) : json_null();
}

/* ---- paths ---- */

static const struct tvl_path_stats *path_before(const struct session_view *v, uint32_t id)
{
    for (size_t i = 0; v->was && i < v->was->n_paths; i++)
        if (v->was->path[i].id == id)
            return &v->was->path[i];
    return NULL;
}

static const char *state_name(enum tvl_path_state state)
{
    static const char *const names[] = { [TVL_PATH_OPENING] = "opening",
                                         [TVL_PATH_UP] = "up",
                                         [TVL_PATH_SUSPECT] = "suspect",
                                         [TVL_PATH_ABANDONED] = "abandoned" };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "abandoned";
}

static void put_controller(json_t *o, const struct tvl_path_stats *p,
                           const struct session_reason *why)
{
    json_object_set_new(o, "cc", json_string(p->cc ? p->cc : ""));
    json_object_set_new(o, "cc_from", why->from ? json_string(why->from) : json_null());
    json_object_set_new(o, "cc_reason", json_string(*why->text ? why->text : "configured"));
    json_object_set_new(o, "cc_ago_s",
                        why->ago == SESSION_TRACK_NEVER ? json_null()
                                                        : rounded((double)why->ago / 1e6, 10));
}

static json_t *path(const struct session_view *v, size_t i)
{
    const struct tvl_path_stats *p = &v->is->path[i], *b = path_before(v, p->id);
    char client[ADDRESS_TEXT_MAX];
    const uint64_t sent = b ? grown(p->packets_sent, b->packets_sent) : 0;
    const uint64_t lost = b ? grown(p->packets_lost, b->packets_lost) : 0;
    json_t *o = json_object();
    address_text(&p->remote, client);
    json_object_set_new(o, "id", json_integer(p->id));
    json_object_set_new(o, "state", json_string(state_name(p->state)));
    json_object_set_new(o, "backup", json_boolean(p->backup));
    json_object_set_new(o, "client", json_string(client));
    json_object_set_new(o, "sending_bps",
                        b ? rate(grown(p->bytes_sent, b->bytes_sent), v->span) : json_null());
    json_object_set_new(o, "rate_bps", count(p->srtt ? p->cwnd * 8 * 1000000 / p->srtt : 0));
    json_object_set_new(o, "delivery_bps", count(p->delivery_bps));
    json_object_set_new(o, "rtt_ms", ms_or_null(p->srtt));
    json_object_set_new(o, "rtt_min_ms", ms_or_null(p->rtt_min));
    json_object_set_new(o, "loss",
                        sent ? rounded(fmin(1, (double)lost / (double)sent), 1e4) : json_null());
    json_object_set_new(o, "cwnd_bytes", count(p->cwnd));
    json_object_set_new(o, "in_flight_bytes", count(p->in_flight));
    put_controller(o, p, &v->reason[i]);
    return o;
}

/* ---- layers ---- */

struct happened { /* to one layer's units since the last look */
    uint64_t offered, sent, bytes, rate, queue, broken, full, expired;
};

static struct happened since(const struct session_view *v, size_t i)
{
    static const struct snapshot_track none;
    const struct snapshot_track *t = &v->is->track[i], *b = &none;
    for (size_t k = 0; v->was && k < v->was->n_tracks; k++)
        if (v->was->track[k].track == t->track)
            b = &v->was->track[k];
    return (struct happened){ .offered = grown(t->offered, b->offered),
                              .sent = grown(t->sent, b->sent),
                              .bytes = grown(t->bytes, b->bytes),
                              .rate = grown(t->dropped_rate, b->dropped_rate),
                              .queue = grown(t->dropped_queue, b->dropped_queue),
                              .broken = grown(t->dropped_broken, b->dropped_broken),
                              .full = grown(t->dropped_full, b->dropped_full),
                              .expired = grown(t->expired, b->expired) };
}

static bool goes_well(const struct policy *p, unsigned spatial)
{
    return p->spatial[spatial].admitted && !p->spatial[spatial].failed;
}

/* The layer is not sent because it, or what it leans on, was not admitted, or has failed. */
static const char *why_kept_back(const struct session_view *v, struct svc_layer l,
                                 uint64_t needed_bps)
{
    for (unsigned s = 0; s < l.spatial; s++)
        if (!goes_well(v->policy, s))
            return "below";
    if (goes_well(v->policy, l.spatial))
        return "broken";
    return needed_bps > v->sure_bps ? "rate" : "retry";
}

static const char *why(const struct session_view *v, const struct happened *h, struct svc_layer l,
                       bool taken, uint64_t needed_bps)
{
    const struct {
        const char *name;
        uint64_t n;
    } of[] = { { "queue", h->queue }, { "full", h->full }, { "expired", h->expired } };
    const uint64_t kept_back = h->rate + h->broken;
    uint64_t all = kept_back, most = kept_back;
    const char *name = NULL;
    if (!taken)
        return "off";
    if (h->offered == 0)
        return "idle";
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        all += of[i].n;
        if (of[i].n > most) {
            most = of[i].n;
            name = of[i].name;
        }
    }
    if (all * 100 <= h->offered * SPARED_PERCENT)
        return "sent";
    return name ? name : why_kept_back(v, l, needed_bps);
}

static void put_if_any(json_t *o, const char *name, uint64_t n)
{
    if (n)
        json_object_set_new(o, name, count(n));
}

static json_t *layer(const struct session_view *v, size_t i, const struct track *what)
{
    const struct snapshot_track *t = &v->is->track[i];
    const struct happened h = since(v, i);
    const struct policy_spatial *p = &v->policy->spatial[what->layer.spatial];
    const uint64_t needed_bps = v->needed_bps[t->track];
    json_t *o = json_object();
    json_object_set_new(o, "spatial", json_integer(what->layer.spatial));
    json_object_set_new(o, "temporal", json_integer(what->layer.temporal));
    json_object_set_new(o, "why", json_string(why(v, &h, what->layer, t->takes, needed_bps)));
    json_object_set_new(o, "needed_bps", count(needed_bps));
    json_object_set_new(o, "sending_bps", v->was ? rate(h.bytes, v->span) : json_null());
    put_if_any(o, "offered", h.offered);
    put_if_any(o, "sent", h.sent);
    put_if_any(o, "dropped_rate", h.rate);
    put_if_any(o, "dropped_queue", h.queue);
    put_if_any(o, "dropped_broken", h.broken);
    put_if_any(o, "dropped_full", h.full);
    put_if_any(o, "expired", h.expired);
    if (!goes_well(v->policy, what->layer.spatial) && p->retry_at > v->now)
        json_object_set_new(o, "retry_ms", ms(p->retry_at - v->now));
    return o;
}

static json_t *layers(const struct session_view *v)
{
    json_t *list = json_array();
    for (size_t i = 0; v->tracks && i < v->is->n_tracks; i++) {
        const uint8_t n = v->is->track[i].track;
        if (n < v->tracks->n && v->tracks->track[n].kind == TRACK_LAYER)
            json_array_append_new(list, layer(v, i, &v->tracks->track[n]));
    }
    return list;
}

/* ---- the encoder ---- */

static json_t *encoder(const struct session_view *v)
{
    const struct live_stats *l = v->live, *b = v->live_was;
    json_t *rates = json_array();
    if (!l) {
        json_decref(rates);
        return json_null();
    }
    for (size_t i = 0; i < SVC_SPATIAL_MAX && l->bytes[i]; i++)
        json_array_append_new(rates,
                              b ? rate(grown(l->bytes[i], b->bytes[i]), v->span) : json_null());
    const double span_s = (double)v->span / 1e6;
    return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "speed", (int)l->speed,
                     "spatial_layers", (int)l->n_spatial, "temporal_layers", (int)l->n_temporal,
                     "load", rounded(l->load, 100), "fps",
                     b && v->span ? rounded((double)grown(l->pictures, b->pictures) / span_s, 10)
                                  : json_null(),
                     "late_ms", ms(l->late_us), "layer_bps", rates);
}

/* ---- the whole ---- */

static void hex(const struct session_view *v, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < v->connection_len; i++) {
        *out++ = digits[v->connection[i] >> 4];
        *out++ = digits[v->connection[i] & 15];
    }
    *out = 0;
}

char *session_track_json(const struct session_view *v, size_t *len)
{
    char connection[2 * TVL_ORIGINAL_ID_MAX + 1];
    json_t *root = json_object(), *paths = json_array();
    hex(v, connection);
    json_object_set_new(root, "version", json_integer(1));
    json_object_set_new(root, "connection", json_string(connection));
    json_object_set_new(root, "namespace", json_string(v->ns));
    json_object_set_new(root, "span_ms", count(v->span / 1000));
    json_object_set_new(root, "rate_bps", count(v->is->rate_bps));
    json_object_set_new(root, "sure_bps", count(v->sure_bps));
    json_object_set_new(root, "loss", rounded(v->is->loss, 1e4));
    json_object_set_new(root, "queue_ms", ms(v->queue_us));
    json_object_set_new(root, "top", v->is->top < 0 ? json_null() : json_integer(v->is->top));
    for (size_t i = 0; i < v->is->n_paths; i++)
        json_array_append_new(paths, path(v, i));
    json_object_set_new(root, "paths", paths);
    json_object_set_new(root, "layers", layers(v));
    json_object_set_new(root, "encoder", encoder(v));
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(root);
    *len = text ? strlen(text) : 0;
    if (*len > SESSION_TRACK_BYTES_MAX) {
        free(text);
        text = NULL;
    }
    return text;
}
