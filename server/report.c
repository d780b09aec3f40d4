/* report.c - see report.h. */
#include "report.h"

#include <arpa/inet.h>
#include <jansson.h>

static const char *const kind_names[] = { "interval", "ended", "final" };
static const char *const state_names[] = {
    [TVL_PATH_OPENING] = "opening",
    [TVL_PATH_UP] = "up",
    [TVL_PATH_SUSPECT] = "suspect",
    [TVL_PATH_ABANDONED] = "abandoned",
};

static void address_text(const struct sockaddr_storage *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else {
        snprintf(out, size, "?");
    }
}

static json_t *path_json(const struct tvl_path_stats *p)
{
    char remote[80];
    address_text(&p->remote, remote, sizeof remote);
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

static json_t *paths_json(const struct viewer *v)
{
    struct tvl_path_stats paths[TVL_PATHS_MAX];
    size_t n = tvl_paths(viewer_conn(v), paths, TVL_PATHS_MAX);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, path_json(&paths[i]));
    return list;
}

static json_t *track_json(const struct viewer *v, const struct track *t, size_t number)
{
    const struct viewer_count *c = viewer_count(v, number);
    struct tvl_flow_stats flow = { 0 };
    tvl_flow_get_stats(viewer_conn(v), t->flow, &flow);
    uint64_t policy =
        c->fate[VIEWER_DROP_BROKEN] + c->fate[VIEWER_DROP_RATE] + c->fate[VIEWER_DROP_QUEUE];
    return json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "name", t->name,
        "subscribed", viewer_wants(v, number), "offered", (json_int_t)c->offered, "sent",
        (json_int_t)c->fate[VIEWER_SENT], "bytes", (json_int_t)c->bytes, "dropped_by_policy",
        (json_int_t)policy, "dropped_broken", (json_int_t)c->fate[VIEWER_DROP_BROKEN],
        "dropped_rate", (json_int_t)c->fate[VIEWER_DROP_RATE], "dropped_queue",
        (json_int_t)c->fate[VIEWER_DROP_QUEUE], "dropped_full",
        (json_int_t)c->fate[VIEWER_DROP_FULL], "expired", (json_int_t)c->fate[VIEWER_EXPIRED],
        "margin_min_ms", (double)flow.margin_min / 1000, "margin_p10_ms",
        (double)flow.margin_p10 / 1000);
}

static json_t *viewer_json(const struct viewer *v, const struct tracks *tracks, tvl_time now)
{
    struct tvl_conn_stats s;
    tvl_conn_get_stats(viewer_conn(v), &s);
    json_t *layers = json_array();
    for (size_t i = 0; i < tracks->n; i++)
        if (tracks->track[i].kind != TRACK_CATALOG)
            json_array_append_new(layers, track_json(v, &tracks->track[i], i));
    return json_pack("{s:I, s:f, s:b, s:I, s:I, s:I, s:I, s:i, s:o, s:o}", "id",
                     (json_int_t)viewer_id(v), "age_ms", (double)(now - viewer_since(v)) / 1000,
                     "multipath", s.multipath, "rate_bps", (json_int_t)s.rate_bps, "bytes",
                     (json_int_t)s.bytes_sent, "resent", (json_int_t)s.stream_bytes_resent,
                     "backlog", (json_int_t)tvl_backlog(viewer_conn(v), UINT64_MAX), "top_spatial",
                     viewer_top(v), "paths", paths_json(v), "tracks", layers);
}

/* By spatial layer: what the encoder is told, the least and the mean of it. */
static json_t *told_json(const struct supplier *s)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < s->info->n_spatial; i++) {
        const struct supplier_told *t = &s->told[i];
        uint64_t mean_bps = t->us ? t->sum / t->us : 0;
        json_array_append_new(list,
                              json_pack("{s:I, s:I, s:I}", "bps", (json_int_t)t->now_bps, "min_bps",
                                        (json_int_t)t->min_bps, "mean_bps", (json_int_t)mean_bps));
    }
    return list;
}

static json_t *capture_json(const struct capture_stats *c)
{
    return json_pack("{s:b, s:I, s:I, s:f, s:f}", "signal", c->signal, "losses",
                     (json_int_t)c->losses, "left_out", (json_int_t)c->left_out, "delay_ms",
                     (double)c->delay_us / 1000, "sound_skew_ms", (double)c->sound_skew_us / 1000);
}

static json_t *encoder_json(const struct live_stats *l, const struct supplier *s)
{
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

int report_write(FILE *file, const struct report_head *head, const struct tracks *tracks,
                 const struct viewer *const *viewers, size_t n, tvl_time now)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, viewer_json(viewers[i], tracks, now));
    json_t *line = json_pack("{s:s, s:f, s:I, s:o}", "kind", kind_names[head->kind], "t_ms",
                             (double)head->elapsed_us / 1000, "viewers_total",
                             (json_int_t)head->viewers_total, "viewers", list);
    if (!line)
        return -1;
    if (head->live)
        json_object_set_new(line, "encoder", encoder_json(head->live, head->supplier));
    if (head->reason)
        json_object_set_new(line, "reason", json_string(head->reason));
    int result = json_dumpf(line, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(line);
    return result < 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? -1 : 0;
}
