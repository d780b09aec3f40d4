/* control_json.c - see control_json.h. The configuration is in control_config.c. */
#include "control_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "address.h"

#define US_PER_S 1e6

/* ---- small values ---- */

void text_clean(char *out, size_t size, const char *s)
{
    const size_t n = strnlen(s, size - 1);
    json_t *whole = json_stringn(s, n); /* only UTF-8 becomes one */
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        out[i] = (char)(c < ' ' || c == 0x7f || (!whole && c > 0x7f) ? '?' : c);
    }
    for (size_t i = 0; i + 1 < n; i++) /* U+0080 to U+009F control terminals too */
        if ((unsigned char)out[i] == 0xc2 && (unsigned char)out[i + 1] < 0xa0)
            out[i] = out[i + 1] = '?';
    out[n] = 0;
    json_decref(whole);
}

json_t *json_text(const char *s)
{
    char clean[SNAPSHOT_TEXT_MAX * 8];
    text_clean(clean, sizeof clean, s);
    return json_string(clean);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *share(double x)
{
    return isfinite(x) ? json_real(round(x * 1e6) / 1e6) : json_null();
}

static json_t *share_of(uint64_t part, uint64_t whole)
{
    return whole ? share((double)part / (double)whole) : json_null();
}

static json_t *ms(uint64_t us)
{
    return json_real((double)us / 1000);
}

static json_t *ms_or_null(uint64_t us)
{
    return us ? ms(us) : json_null();
}

/* Bits a second, from bytes at the two moments; null where either is missing. */
static json_t *rate(const struct control_view *v, const uint64_t *now, const uint64_t *before)
{
    const uint64_t span = view_span(v);
    if (!span || !before || *now < *before)
        return json_null();
    return json_integer((json_int_t)((double)(*now - *before) * 8 * US_PER_S / (double)span));
}

const char *path_state_name(enum tvl_path_state state)
{
    static const char *const names[] = { [TVL_PATH_OPENING] = "opening",
                                         [TVL_PATH_UP] = "up",
                                         [TVL_PATH_SUSPECT] = "suspect",
                                         [TVL_PATH_ABANDONED] = "abandoned" };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *source_state_name(enum snapshot_state state)
{
    static const char *const names[] = { [SOURCE_IDLE] = "idle",
                                         [SOURCE_STARTING] = "starting",
                                         [SOURCE_RUNNING] = "running",
                                         [SOURCE_ENDED] = "ended",
                                         [SOURCE_FAILED] = "failed" };
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "?";
}

/* ---- the whole ---- */

json_t *json_status(const struct control_view *v)
{
    const struct snapshot *s = v->now.snapshot, *b = v->before.snapshot;
    const struct snapshot_totals *t = &s->totals;
    uint64_t capacity_bps = 0, backlog = 0, watching = 0, publishing = 0;
    for (size_t i = 0; i < s->n_sessions; i++) {
        capacity_bps += s->session[i].rate_bps;
        backlog += s->session[i].backlog_bytes;
        publishing += s->session[i].publishes;
        watching += !s->session[i].publishes && s->session[i].ns[0];
    }
    json_t *units = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "offered", count(t->units_offered), "sent",
        count(t->units_sent), "dropped_broken", count(t->units_dropped_broken), "dropped_rate",
        count(t->units_dropped_rate), "dropped_queue", count(t->units_dropped_queue),
        "dropped_full", count(t->units_dropped_full), "expired", count(t->units_expired));
    return json_pack(
        "{s:s, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o, s:o}",
        "version", TVL_VERSION, "time_ms", count(s->wall_ms), "up_s",
        json_real(round((double)s->up_us / 1e3) / 1e3), "ready", s->ready, "draining", s->draining,
        "workers", count(s->workers), "sources", count(s->n_sources), "sessions",
        count(s->n_sessions), "watching", count(watching), "publishing", count(publishing),
        "sessions_total", count(s->sessions_total), "refused_total", count(s->refused_total),
        "sending_bps", rate(v, &t->sent_bytes, b ? &b->totals.sent_bytes : NULL), "receiving_bps",
        rate(v, &t->received_bytes, b ? &b->totals.received_bytes : NULL), "capacity_bps",
        count(capacity_bps), "backlog_bytes", count(backlog), "sent_bytes", count(t->sent_bytes),
        "resent_bytes", count(t->resent_bytes), "loss",
        b ? share_of(t->packets_lost - b->totals.packets_lost,
                     t->packets_sent - b->totals.packets_sent)
          : json_null(),
        "units", units);
}

/* ---- sources ---- */

static json_t *encoder(const struct control_view *v, const struct live_stats *l,
                       const struct live_stats *before)
{
    json_t *rates = json_array();
    for (size_t i = 0; i < SVC_SPATIAL_MAX; i++)
        if (l->bytes[i])
            json_array_append_new(rates, rate(v, &l->bytes[i], before ? &before->bytes[i] : NULL));
    const double span_s = (double)view_span(v) / US_PER_S;
    json_t *fps = before && span_s > 0 ? share((double)(l->pictures - before->pictures) / span_s)
                                       : json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o, "
                     "s:o, s:o, s:o}",
                     "pictures", count(l->pictures), "fps", fps, "left_out_late",
                     count(l->left_out_late), "left_out_pace", count(l->left_out_pace), "keys",
                     count(l->keys), "refreshes", count(l->refreshes), "restarts",
                     count(l->restarts), "errors", count(l->errors), "speed", (int)l->speed,
                     "temporal_layers", (int)l->n_temporal, "spatial_layers", (int)l->n_spatial,
                     "pace_downs", count(l->pace_downs), "pace_ups", count(l->pace_ups), "load",
                     share(l->load), "late_ms", ms(l->late_us), "late_max_ms", ms(l->late_max_us),
                     "took_ms", ms(l->took_us), "layer_bps", rates);
}

json_t *json_source(const struct control_view *v, const struct snapshot_source *s)
{
    const struct snapshot_source *b = view_source(&v->before, s->ns);
    json_t *tracks = json_array();
    for (size_t i = 0; i < s->tracks.n; i++) {
        const struct track *t = &s->tracks.track[i];
        if (t->kind != TRACK_CATALOG)
            json_array_append_new(tracks, json_pack("{s:o, s:o}", "name", json_text(t->name),
                                                    "needed_bps", count(t->needed_bps)));
    }
    return json_pack(
        "{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "namespace",
        json_text(s->ns), "kind", s->kind ? s->kind : "", "state", source_state_name(s->state),
        "why", s->state == SOURCE_FAILED ? json_text(s->why) : json_null(), "viewers",
        count(s->viewers), "objects", count(s->objects), "bytes", count(s->bytes), "output_bps",
        rate(v, &s->bytes, b ? &b->bytes : NULL), "window_s",
        json_real((double)s->window_us / US_PER_S), "recording", s->records, "recorded_bytes",
        count(s->recorded_bytes), "tracks", tracks, "encoder",
        s->has_live ? encoder(v, &s->live, b && b->has_live ? &b->live : NULL) : json_null());
}

json_t *json_sources(const struct control_view *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->now.snapshot->n_sources; i++)
        json_array_append_new(list, json_source(v, &v->now.snapshot->source[i]));
    return list;
}

/* ---- sessions ---- */

static uint64_t least_rtt(const struct snapshot_session *s)
{
    uint64_t least = 0;
    for (size_t i = 0; i < s->n_paths; i++)
        if (s->path[i].state == TVL_PATH_UP && s->path[i].srtt &&
            (!least || s->path[i].srtt < least))
            least = s->path[i].srtt;
    return least;
}

static json_t *path_loss(const struct tvl_path_stats *p, const struct tvl_path_stats *before)
{
    return before ? share_of(p->packets_lost - before->packets_lost,
                             p->packets_sent - before->packets_sent)
                  : json_null();
}

static json_t *path_brief(const struct control_view *v, const struct tvl_path_stats *p,
                          const struct tvl_path_stats *before)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o}", "id", (json_int_t)p->id, "state",
                     path_state_name(p->state), "cc", p->cc ? p->cc : "", "sending_bps",
                     rate(v, &p->bytes_sent, before ? &before->bytes_sent : NULL), "rtt_ms",
                     ms_or_null(p->srtt), "loss", path_loss(p, before));
}

static json_t *path(const struct control_view *v, const struct tvl_path_stats *p,
                    const struct tvl_path_stats *before)
{
    char remote[ADDRESS_TEXT_MAX], local[ADDRESS_TEXT_MAX];
    address_text(&p->remote, remote);
    address_text(&p->local, local);
    const uint64_t capacity_bps = p->srtt ? p->cwnd * 8 * 1000000 / p->srtt : 0;
    json_t *out = path_brief(v, p, before);
    json_t *more = json_pack(
        "{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:I, s:b, s:o, s:o, s:o}",
        "remote", remote, "local", local, "backup", p->backup, "receiving_bps",
        rate(v, &p->bytes_received, before ? &before->bytes_received : NULL), "capacity_bps",
        count(capacity_bps), "pacing_bps", count(p->pacing_bps), "delivery_bps",
        count(p->delivery_bps), "rtt_min_ms", ms_or_null(p->rtt_min), "rtt_var_ms",
        ms_or_null(p->rttvar), "loss_total", share_of(p->packets_lost, p->packets_sent),
        "packets_sent", count(p->packets_sent), "packets_lost", count(p->packets_lost),
        "sent_bytes", count(p->bytes_sent), "received_bytes", count(p->bytes_received),
        "cwnd_bytes", count(p->cwnd), "in_flight_bytes", count(p->in_flight), "cc_chosen",
        count(p->cc_chosen), "mtu", (json_int_t)p->mtu, "ecn", p->ecn, "bottleneck",
        p->bottleneck ? count(p->bottleneck) : json_null(), "rebindings", count(p->rebindings),
        "evacuations", count(p->evacuations));
    json_object_update(out, more);
    json_decref(more);
    return out;
}

static json_t *track(const struct control_view *v, const struct snapshot_track *t,
                     const struct snapshot_track *before, const struct snapshot_source *source)
{
    const struct track *what =
        source && t->track < source->tracks.n ? &source->tracks.track[t->track] : NULL;
    char number[32];
    snprintf(number, sizeof number, "track %u", t->track);
    json_t *spatial = json_null(), *temporal = json_null();
    if (what && what->kind == TRACK_LAYER) {
        spatial = count(what->layer.spatial);
        temporal = count(what->layer.temporal);
    }
    json_t *recent = json_null();
    if (before && t->sent > before->sent) {
        const uint64_t sent = t->sent - before->sent, expired = t->expired - before->expired;
        recent = share_of(sent - (expired < sent ? expired : sent), sent);
    }
    return json_pack(
        "{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o}",
        "name", json_text(what ? what->name : number), "spatial", spatial, "temporal", temporal,
        "taken", t->takes, "needed_bps", what ? count(what->needed_bps) : json_null(),
        "sending_bps", rate(v, &t->bytes, before ? &before->bytes : NULL), "offered",
        count(t->offered), "sent", count(t->sent), "bytes", count(t->bytes), "dropped_broken",
        count(t->dropped_broken), "dropped_rate", count(t->dropped_rate), "dropped_queue",
        count(t->dropped_queue), "dropped_full", count(t->dropped_full), "expired",
        count(t->expired), "in_time",
        share_of(t->sent - (t->expired < t->sent ? t->expired : t->sent), t->sent),
        "in_time_recent", recent, "delay_ms", ms_or_null(t->delay_us));
}

static json_t *session(const struct control_view *v, const struct snapshot_session *s,
                       const struct snapshot_session *before)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        count(s->id), "remote", json_text(s->remote), "implementation",
        json_text(s->implementation), "subject", json_text(s->subject), "namespace",
        json_text(s->ns), "role",
        s->publishes ? "publishes"
        : s->ns[0]   ? "watches"
                     : "none",
        "worker", count(s->worker), "age_s", json_real(round((double)s->age_us / 1e3) / 1e3),
        "sending_bps", rate(v, &s->sent_bytes, before ? &before->sent_bytes : NULL), "capacity_bps",
        count(s->rate_bps), "sent_bytes", count(s->sent_bytes), "resent_bytes",
        count(s->resent_bytes), "backlog_bytes", count(s->backlog_bytes), "loss", share(s->loss),
        "rtt_ms", ms_or_null(least_rtt(s)), "top_layer", s->top < 0 ? json_null() : count(s->top));
}

json_t *json_session_brief(const struct control_view *v, const struct snapshot_session *s)
{
    const struct snapshot_session *before = view_session(&v->before, s->id);
    json_t *out = session(v, s, before), *paths = json_array();
    for (size_t i = 0; i < s->n_paths; i++)
        json_array_append_new(paths, path_brief(v, &s->path[i], view_path(before, s->path[i].id)));
    json_object_set_new(out, "paths", paths);
    return out;
}

json_t *json_session(const struct control_view *v, const struct snapshot_session *s)
{
    const struct snapshot_session *before = view_session(&v->before, s->id);
    const struct snapshot_source *source = view_source(&v->now, s->ns);
    json_t *out = session(v, s, before), *paths = json_array(), *tracks = json_array();
    for (size_t i = 0; i < s->n_paths; i++)
        json_array_append_new(paths, path(v, &s->path[i], view_path(before, s->path[i].id)));
    for (size_t i = 0; i < s->n_tracks; i++) {
        const uint8_t n = s->track[i].track;
        if (!source || n >= source->tracks.n || source->tracks.track[n].kind != TRACK_CATALOG)
            json_array_append_new(tracks, track(v, &s->track[i], view_track(before, n), source));
    }
    json_object_set_new(out, "paths", paths);
    json_object_set_new(out, "tracks", tracks);
    return out;
}

json_t *json_limits(const struct control_limits *l)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "viewers_max", (json_int_t)l->viewers_max,
                     "per_address", (json_int_t)l->per_address, "per_token",
                     (json_int_t)l->per_token, "rate_per_address", (json_int_t)l->rate_per_address);
}
