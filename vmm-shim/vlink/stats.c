/* stats.c - see stats.h. All counts are totals since the start, so that a lost line loses nothing.
 */
#include "stats.h"

#include <jansson.h>

static json_t *direction(const struct vlink_relay *r, enum vlink_way way, vlink_time now)
{
    const struct vlink_dir *d = vlink_relay_dir(r, way);
    const struct vlink_counts *c = vlink_dir_counts(d);
    const struct vlink_config *cfg = vlink_dir_config(d);
    uint64_t rate_bps = cfg->trace ? vlink_trace_mean_bps(cfg->trace) : cfg->rate_bps;
    return json_pack(
        "{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
        " s:I, s:f, s:f}",
        "link", vlink_relay_name(r), "dir", way == VLINK_UP ? "up" : "down", "down", cfg->down,
        "rate_bps", (json_int_t)rate_bps, "packets_in", (json_int_t)c->packets_in, "bytes_in",
        (json_int_t)c->bytes_in, "packets_out", (json_int_t)c->packets_out, "bytes_out",
        (json_int_t)c->bytes_out, "drop_queue", (json_int_t)c->fate[VLINK_DROP_QUEUE], "drop_loss",
        (json_int_t)c->fate[VLINK_DROP_LOSS], "drop_down", (json_int_t)c->fate[VLINK_DROP_DOWN],
        "drop_bound", (json_int_t)c->fate[VLINK_DROP_BOUND], "duplicated",
        (json_int_t)c->duplicated, "reordered", (json_int_t)c->reordered, "queue_packets",
        (json_int_t)vlink_dir_queue_packets(d), "queue_bytes", (json_int_t)vlink_dir_queue_bytes(d),
        "queue_ms", (double)vlink_dir_wait(d, now) / 1e6, "delay_ms", (double)cfg->delay_ns / 1e6);
}

static int write_line(FILE *file, json_t *line)
{
    int result = json_dumpf(line, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(line);
    return result < 0 || fputc('\n', file) == EOF ? -1 : 0;
}

int vlink_stats_write(FILE *file, const struct vlink_relay *r, vlink_time now,
                      vlink_time elapsed_ns, enum vlink_stats_kind kind)
{
    const struct vlink_relay_counts *c = vlink_relay_counts(r);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        json_t *line = direction(r, way, now);
        if (!line)
            return -1;
        json_object_set_new(line, "t_ms", json_real((double)elapsed_ns / 1e6));
        json_object_set_new(line, "final", json_boolean(kind == VLINK_STATS_FINAL));
        json_object_set_new(line, "clients", json_integer((json_int_t)vlink_relay_clients(r)));
        json_object_set_new(line, "oversize", json_integer((json_int_t)c->oversize));
        json_object_set_new(line, "no_client", json_integer((json_int_t)c->no_client));
        json_object_set_new(line, "send_failures", json_integer((json_int_t)c->send_failures));
        if (write_line(file, line) < 0)
            return -1;
    }
    return fflush(file) == 0 ? 0 : -1;
}
