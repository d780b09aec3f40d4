/* h3_common.c - see h3_common.h. */
#include "h3_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/qlog.h>

const char *const h3_alpn[] = { "h3", NULL };

/* ---- logs ---- */

static void on_keylog(void *user, const char *line)
{
    struct h3_logs *logs = user;

    fprintf(logs->keylog, "%s\n", line);
    fflush(logs->keylog);
}

static void on_trace(void *user, const struct tvl_trace_event *ev)
{
    struct h3_logs *logs = user;

    if (ev->type == TVL_TRACE_PACKET_RECEIVED && ev->packet.level == TVL_TRACE_RETRY)
        logs->retries_seen++;
    if (ev->type == TVL_TRACE_PACKET_RECEIVED && ev->packet.level == TVL_TRACE_VERSION_NEGOTIATION)
        logs->negotiations_seen++;
    if (logs->qlog)
        tvl_qlog_trace(logs->qlog, ev);
}

int h3_logs_open(struct h3_logs *logs, struct tvl_tls_config *tls, struct tvl_config *cfg)
{
    cfg->trace = on_trace;
    cfg->trace_user = logs;
    if (getenv("QLOGDIR") && tvl_qlog_new(&logs->qlog, getenv("QLOGDIR")) != 0) {
        fprintf(stderr, "%s: %s\n", getenv("QLOGDIR"), strerror(errno));
        return -1;
    }
    if (!logs->keylog_file)
        return 0;
    logs->keylog = fopen(logs->keylog_file, "a");
    if (!logs->keylog) {
        fprintf(stderr, "%s: %s\n", logs->keylog_file, strerror(errno));
        return -1;
    }
    tls->keylog = on_keylog;
    tls->keylog_user = logs;
    return 0;
}

void h3_logs_close(struct h3_logs *logs)
{
    if (logs->keylog)
        fclose(logs->keylog);
    logs->keylog = NULL;
    tvl_qlog_free(logs->qlog);
    logs->qlog = NULL;
}

/* ---- files ---- */

uint8_t *h3_read_file(const char *folder, const char *name, size_t *len)
{
    char path[2048];
    uint8_t *bytes;
    FILE *f;

    snprintf(path, sizeof path, "%s%s%s", folder ? folder : "", folder ? "/" : "", name);
    f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    bytes = size >= 0 && size <= (long)H3_BODY_MAX ? malloc((size_t)size + 1) : NULL;
    *len = bytes ? fread(bytes, 1, (size_t)size, f) : 0;
    fclose(f);
    return bytes;
}

FILE *h3_create_file(const char *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char file[2048];

    if (!name[0] || name[0] == '.')
        name = "index.html";
    snprintf(file, sizeof file, "%s/%s", folder, name);
    return fopen(file, "wb");
}

/* ---- results ---- */

void h3_print(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static const char *const path_states[] = { "opening", "up", "suspect", "abandoned" };

static json_t *path_stats(const struct tvl_path_stats *p)
{
    return json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "id", (int)p->id, "state",
                     path_states[p->state], "sent", (json_int_t)p->bytes_sent, "received",
                     (json_int_t)p->bytes_received, "lost", (json_int_t)p->packets_lost,
                     "rebindings", (json_int_t)p->rebindings, "evacuations",
                     (json_int_t)p->evacuations, "ecn", p->ecn);
}

void h3_print_path(const struct tvl_event *ev)
{
    h3_print(json_pack("{s:s, s:I, s:i, s:s}", "event", "path", "connection_id",
                       (json_int_t)tvl_conn_id(ev->conn), "id", (int)ev->path.id, "state",
                       path_states[ev->path.state]));
}

json_t *h3_stats(const struct tvl_conn *conn)
{
    struct tvl_path_stats path[TVL_PATHS_MAX];
    struct tvl_conn_stats s;
    char suite[8];
    json_t *paths = json_array();
    const size_t n = tvl_paths(conn, path, TVL_PATHS_MAX);

    tvl_conn_get_stats(conn, &s);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(paths, path_stats(&path[i]));
    snprintf(suite, sizeof suite, "0x%04x", s.suite);
    return json_pack("{s:I, s:s, s:b, s:s, s:b, s:I, s:I, s:I, s:o}", "id",
                     (json_int_t)tvl_conn_id(conn), "alpn", tvl_conn_alpn(conn), "resumed",
                     s.resumed, "suite", suite, "multipath", s.multipath, "key_updates",
                     (json_int_t)s.key_updates, "handshake_us", (json_int_t)s.handshake_time,
                     "dropped", (json_int_t)s.packets_dropped, "paths", paths);
}
