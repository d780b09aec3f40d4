/* report.c - see report.h. */
#include "report.h"

#include <jansson.h>
#include <string.h>

static const char *const kind_names[] = { "interval", "ended", "final" };
static const char *const state_names[] = {
    [TVL_PATH_OPENING] = "opening",
    [TVL_PATH_UP] = "up",
    [TVL_PATH_SUSPECT] = "suspect",
    [TVL_PATH_ABANDONED] = "abandoned",
};

static json_t *path_json(const struct tvl_path_stats *p)
{
    char remote[ADDRESS_TEXT_MAX];
    address_text(&p->remote, remote);
    double share = p->packets_sent ? (double)p->packets_lost / (double)p->packets_sent : 0;
    uint64_t rate_bps = p->srtt ? p->cwnd * 8 * 1000000 / p->srtt : 0;
    return json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I}", "id",
                     (int)p->id, "state", state_names[p->state], "remote", remote, "cc",
                     p->cc ? p->cc : "", "cc_chosen", (json_int_t)p->cc_chosen, "bytes",
                     (json_int_t)p->bytes_sent, "bytes_received", (json_int_t)p->bytes_received,
                     "rate_bps", (json_int_t)rate_bps, "delivery_bps", (json_int_t)p->delivery_bps,
                     "srtt_ms", (double)p->srtt / 1000, "rtt_min_ms", (double)p->rtt_min / 1000,
                     "loss", share, "packets_lost", (json_int_t)p->packets_lost, "in_flight",
                     (json_int_t)p->in_flight);
}

static json_t *track_json(const struct snapshot_track *t, const char *name)
{
    return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "name",
                     name, "subscribed", t->subscribed, "offered", (json_int_t)t->offered, "sent",
                     (json_int_t)t->sent, "bytes", (json_int_t)t->bytes, "dropped_by_policy",
                     (json_int_t)(t->dropped_broken + t->dropped_rate + t->dropped_queue),
                     "dropped_broken", (json_int_t)t->dropped_broken, "dropped_rate",
                     (json_int_t)t->dropped_rate, "dropped_queue", (json_int_t)t->dropped_queue,
                     "dropped_full", (json_int_t)t->dropped_full, "expired", (json_int_t)t->expired,
                     "margin_min_ms", (double)t->margin_min_us / 1000, "margin_p10_ms",
                     (double)t->margin_p10_us / 1000);
}

/* `tracks` NULL: it watches nothing that is known. */
static json_t *session_json(const struct snapshot_session *v, const struct tracks *tracks)
{
    json_t *layers = json_array(), *paths = json_array();
    for (size_t i = 0; i < v->n_paths; i++)
        json_array_append_new(paths, path_json(&v->path[i]));
    for (size_t i = 0; tracks && i < v->n_tracks; i++) {
        const struct snapshot_track *t = &v->track[i];
        if (t->track < tracks->n && tracks->track[t->track].kind != TRACK_CATALOG)
            json_array_append_new(layers, track_json(t, tracks->track[t->track].name));
    }
    return json_pack("{s:I, s:i, s:s, s:f, s:b, s:I, s:I, s:I, s:I, s:i, s:o, s:o}", "id",
                     (json_int_t)v->id, "worker", (int)v->worker, "namespace", v->ns, "age_ms",
                     (double)v->age_us / 1000, "multipath", v->multipath, "rate_bps",
                     (json_int_t)v->rate_bps, "bytes", (json_int_t)v->sent_bytes, "resent",
                     (json_int_t)v->resent_bytes, "backlog", (json_int_t)v->backlog_bytes,
                     "top_spatial", v->top, "paths", paths, "tracks", layers);
}

static json_t *told_json(const struct snapshot_source *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_told; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:I, s:I}", "bps", (json_int_t)s->told[i].now_bps,
                                        "min_bps", (json_int_t)s->told[i].min_bps, "mean_bps",
                                        (json_int_t)s->told[i].mean_bps));
    return list;
}

static json_t *capture_json(const struct capture_stats *c)
{
    return json_pack("{s:b, s:I, s:I, s:f, s:f}", "signal", c->signal, "losses",
                     (json_int_t)c->losses, "left_out", (json_int_t)c->left_out, "delay_ms",
                     (double)c->delay_us / 1000, "sound_skew_ms", (double)c->sound_skew_us / 1000);
}

static json_t *encoder_json(const struct snapshot_source *s)
{
    const struct live_stats *l = &s->live;
    json_t *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:I, s:I, s:f, s:f, "
        "s:f, s:f, s:o}",
        "pictures", (json_int_t)l->pictures, "left_out_late", (json_int_t)l->left_out_late,
        "left_out_pace", (json_int_t)l->left_out_pace, "keys", (json_int_t)l->keys, "refreshes",
        (json_int_t)l->refreshes, "copies", (json_int_t)l->copies, "restarts",
        (json_int_t)l->restarts, "errors", (json_int_t)l->errors, "speed", (int)l->speed,
        "temporal_layers", (int)l->n_temporal, "spatial_layers", (int)l->n_spatial, "pace_downs",
        (json_int_t)l->pace_downs, "pace_ups", (json_int_t)l->pace_ups, "load", l->load, "late_ms",
        (double)l->late_us / 1000, "late_max_ms", (double)l->late_max_us / 1000, "took_ms",
        (double)l->took_us / 1000, "told", told_json(s));
    if (l->captures)
        json_object_set_new(out, "capture", capture_json(&l->capture));
    return out;
}

static json_t *source_json(const struct snapshot_source *s)
{
    static const char *const states[] = { [SOURCE_IDLE] = "idle",
                                          [SOURCE_STARTING] = "starting",
                                          [SOURCE_RUNNING] = "running",
                                          [SOURCE_ENDED] = "ended",
                                          [SOURCE_FAILED] = "failed" };
    json_t *out = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "namespace", s->ns, "kind", s->kind,
                            "state", states[s->state], "viewers", (json_int_t)s->viewers, "objects",
                            (json_int_t)s->objects, "bytes", (json_int_t)s->bytes);
    if (s->has_live)
        json_object_set_new(out, "encoder", encoder_json(s));
    return out;
}

static const struct tracks *tracks_named(const struct snapshot *s, const char *ns)
{
    for (size_t i = 0; i < s->n_sources; i++)
        if (strcmp(s->source[i].ns, ns) == 0)
            return &s->source[i].tracks;
    return NULL;
}

int report_write(FILE *file, enum report_kind kind, const struct snapshot *s, const char *reason)
{
    json_t *viewers = json_array(), *sources = json_array();
    for (size_t i = 0; i < s->n_sessions; i++)
        json_array_append_new(viewers,
                              session_json(&s->session[i], tracks_named(s, s->session[i].ns)));
    for (size_t i = 0; i < s->n_sources; i++)
        json_array_append_new(sources, source_json(&s->source[i]));
    json_t *line = json_pack("{s:s, s:f, s:I, s:o, s:o}", "kind", kind_names[kind], "t_ms",
                             (double)s->up_us / 1000, "viewers_total",
                             (json_int_t)s->sessions_total, "viewers", viewers, "sources", sources);
    if (!line)
        return -1;
    if (s->n_sources == 1 && s->source[0].has_live)
        json_object_set_new(line, "encoder", encoder_json(&s->source[0]));
    if (reason)
        json_object_set_new(line, "reason", json_string(reason));
    const int result = json_dumpf(line, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(line);
    return result < 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? -1 : 0;
}
