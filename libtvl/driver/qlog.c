/* qlog.c - one file a connection, records as RFC 7464 frames them. Contract in tvl/qlog.h. */
#include <tvl/qlog.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define HASH_NONFATAL_OOM 1 /* a failed add leaves hh.tbl NULL */
#include <uthash.h>

#include "qlog_events.h"

#define RECORD_MAX 32768u   /* bytes of one event; more than the largest can have */
#define BUFFER_BYTES 65536u /* gathered per file before the kernel is asked */
#define RECORD_SEPARATOR '\x1e'

struct file {
    uint64_t conn_id;
    FILE *out;
    tvl_time zero; /* when the connection began */
    tvl_time last; /* of the newest event: an application may hand in a clock it read before */
    struct qlog_tuples tuples;
    UT_hash_handle hh;
};

struct tvl_qlog {
    char *dir;
    struct file *files;
    uint64_t bytes, failures;
    char record[RECORD_MAX];
};

int tvl_qlog_new(struct tvl_qlog **out, const char *dir)
{
    struct tvl_qlog *q = calloc(1, sizeof *q);

    if (!q)
        return TVL_ERR_NOMEM;
    q->dir = strdup(dir);
    if (!q->dir) {
        free(q);
        return TVL_ERR_NOMEM;
    }
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        free(q->dir);
        free(q);
        return TVL_ERR_FILE;
    }
    *out = q;
    return 0;
}

static void close_file(struct tvl_qlog *q, struct file *f)
{
    if (f->out && fclose(f->out) != 0)
        q->failures++;
    HASH_DEL(q->files, f);
    free(f);
}

void tvl_qlog_free(struct tvl_qlog *q)
{
    struct file *f, *next;

    if (!q)
        return;
    HASH_ITER(hh, q->files, f, next)
    {
        close_file(q, f);
    }
    free(q->dir);
    free(q);
}

uint64_t tvl_qlog_bytes(const struct tvl_qlog *q)
{
    return q->bytes;
}

uint64_t tvl_qlog_failures(const struct tvl_qlog *q)
{
    return q->failures;
}

/* The file is given up; the connection has its place until it is over, so that it is not begun
 * again in the middle. */
static void give_up(struct tvl_qlog *q, struct file *f)
{
    q->failures++;
    (void)fclose(f->out);
    f->out = NULL;
}

static void write_record(struct tvl_qlog *q, struct file *f, const struct qjson *j)
{
    const size_t len = (size_t)(j->at - q->record);

    if (!qjson_ok(j)) {
        q->failures++;
        return;
    }
    if (fputc(RECORD_SEPARATOR, f->out) == EOF || fwrite(q->record, 1, len, f->out) != len ||
        fputc('\n', f->out) == EOF) {
        give_up(q, f);
        return;
    }
    q->bytes += len + 2;
}

static FILE *open_stream(const struct tvl_qlog *q, const struct tvl_trace_event *start)
{
    char odcid[2 * sizeof start->start.odcid + 1] = "";
    char path[4096];
    FILE *out;

    for (size_t i = 0; i < start->start.odcid_len; i++)
        snprintf(odcid + 2 * i, 3, "%02x", start->start.odcid[i]);
    const int n = snprintf(path, sizeof path, "%s/%s_%s.sqlog", q->dir, odcid,
                           start->server ? "server" : "client");
    if (n < 0 || (size_t)n >= sizeof path)
        return NULL;
    out = fopen(path, "we");
    if (out)
        (void)setvbuf(out, NULL, _IOFBF, BUFFER_BYTES);
    return out;
}

static void begin_file(struct tvl_qlog *q, const struct tvl_trace_event *start)
{
    struct file *f = HASH_COUNT(q->files) < TVL_QLOG_FILES_MAX ? calloc(1, sizeof *f) : NULL;
    struct qjson j = qjson_over(q->record, sizeof q->record);
    const time_t now = time(NULL);
    char wall[32] = "";
    struct tm tm;

    if (!f) {
        q->failures++;
        return;
    }
    f->conn_id = start->conn_id;
    f->zero = start->at;
    f->out = open_stream(q, start);
    if (!f->out) {
        q->failures++;
        free(f);
        return;
    }
    HASH_ADD(hh, q->files, conn_id, sizeof f->conn_id, f);
    if (!f->hh.tbl) {
        q->failures++;
        (void)fclose(f->out);
        free(f);
        return;
    }
    if (gmtime_r(&now, &tm))
        strftime(wall, sizeof wall, "%Y-%m-%dT%H:%M:%SZ", &tm);
    qlog_write_header(&j, start, wall);
    write_record(q, f, &j);
}

void tvl_qlog_trace(void *user, const struct tvl_trace_event *ev)
{
    struct tvl_qlog *q = user;
    struct file *f;

    HASH_FIND(hh, q->files, &ev->conn_id, sizeof ev->conn_id, f);
    if (!f && ev->type == TVL_TRACE_CONNECTION_STARTED) {
        begin_file(q, ev);
        HASH_FIND(hh, q->files, &ev->conn_id, sizeof ev->conn_id, f);
    }
    if (!f)
        return;
    if (ev->at > f->last)
        f->last = ev->at;
    for (unsigned part = 0; f->out; part++) {
        struct qjson j = qjson_over(q->record, sizeof q->record);

        if (!qlog_write_event(&j, ev, part, f->last - f->zero, &f->tuples))
            break;
        write_record(q, f, &j);
    }
    if (ev->type == TVL_TRACE_CONNECTION_FREED)
        close_file(q, f);
    else if (ev->type == TVL_TRACE_CONNECTION_CLOSED && f->out && fflush(f->out) != 0)
        give_up(q, f); /* who looks at a trace looks at its end */
}
