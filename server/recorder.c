/* recorder.c - see recorder.h. */
#include "recorder.h"

#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "clock.h"
#include "log.h"

#define NAMES_MAX 10000 /* of one path that are there already */

struct item {
    struct media *media; /* a reference */
    struct item *next;
};

struct recorder {
    char *path;
    struct svc_stream_info info;
    pthread_t thread;
    bool runs;
    bool skipping; /* the putter's: until the next key picture */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t moved;
    struct item *queue;
    size_t queued; /* bytes */
    bool stopping;
    struct recorder_stats stats;

    struct svc_writer *writer; /* from here on the thread's */
    int64_t zero;              /* media time of the file's beginning */
    uint64_t retry_at;
    struct item *picture; /* units of one that is not whole yet */
    size_t n_picture;
};

/* ---- names ---- */

/* A name that is free: 0, or -1. */
static int make_name(const char *pattern, char out[RECORDER_PATH_MAX])
{
    char name[RECORDER_PATH_MAX - 16];
    const time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    if (strftime(name, sizeof name, pattern, &tm) == 0)
        return -1;
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    const int stem = dot && (!slash || dot > slash) ? (int)(dot - name) : (int)strlen(name);
    snprintf(out, RECORDER_PATH_MAX, "%s", name);
    for (int n = 2; access(out, F_OK) == 0 && n < NAMES_MAX; n++)
        snprintf(out, RECORDER_PATH_MAX, "%.*s-%d%s", stem, name, n, name + stem);
    return access(out, F_OK) == 0 ? -1 : 0;
}

static size_t length(const struct media *m)
{
    return m->object.moq.payload.len;
}

/* NULL: no memory. */
static struct item *make_item(struct media *m)
{
    struct item *item = malloc(sizeof *item);

    if (item)
        *item = (struct item){ .media = media_ref(m) };
    return item;
}

static void free_item(struct item *item)
{
    media_unref(item->media);
    free(item);
}

/* ---- the thread ---- */

static void end_file(struct recorder *r)
{
    if (!r->writer)
        return;
    const int err = svc_writer_close(r->writer);
    svc_writer_free(r->writer);
    r->writer = NULL;
    pthread_mutex_lock(&r->lock);
    r->stats.writes = false;
    pthread_mutex_unlock(&r->lock);
    if (err < 0)
        log_line(LOG_ERROR, "recording %s: its end cannot be written", r->stats.path);
}

static void fail(struct recorder *r, const char *what)
{
    log_line(LOG_ERROR, "recording %s: %s; it ends here, again in %d s", r->stats.path, what,
             RECORDER_RETRY_US / 1000000);
    svc_writer_free(r->writer); /* what is on the disk plays */
    r->writer = NULL;
    r->retry_at = clock_now_us() + RECORDER_RETRY_US;
    pthread_mutex_lock(&r->lock);
    r->stats.writes = false;
    r->stats.failures++;
    pthread_mutex_unlock(&r->lock);
}

static void begin_file(struct recorder *r, int64_t pts)
{
    char path[RECORDER_PATH_MAX], why[RECORDER_PATH_MAX + 100] = "no free name";

    if (make_name(r->path, path) < 0 ||
        svc_writer_open(&r->writer, path, &r->info, why, sizeof why) < 0) {
        log_line(LOG_ERROR, "recording: %s; again in %d s", why, RECORDER_RETRY_US / 1000000);
        r->writer = NULL;
        r->retry_at = clock_now_us() + RECORDER_RETRY_US;
        pthread_mutex_lock(&r->lock);
        r->stats.failures++;
        pthread_mutex_unlock(&r->lock);
        return;
    }
    r->zero = pts;
    pthread_mutex_lock(&r->lock);
    memcpy(r->stats.path, path, sizeof path);
    r->stats.writes = true;
    r->stats.files++;
    pthread_mutex_unlock(&r->lock);
    log_line(LOG_INFO, "recording %s", path);
}

static void forget_picture(struct recorder *r)
{
    struct item *item, *next;

    LL_FOREACH_SAFE(r->picture, item, next)
    free_item(item);
    r->picture = NULL;
    r->n_picture = 0;
}

/* The units of a picture are there. */
static void write_picture(struct recorder *r)
{
    struct svc_unit units[SVC_SPATIAL_MAX] = { 0 };
    size_t n = 0;
    const struct item *item;

    LL_FOREACH(r->picture, item)
    units[n++] = item->media->unit;
    if (!r->writer && units[0].key && clock_now_us() >= r->retry_at)
        begin_file(r, units[0].pts);
    for (size_t i = 0; i < n; i++)
        units[i].pts -= r->zero;
    errno = 0;
    if (r->writer && svc_writer_picture(r->writer, units, n) < 0)
        fail(r, errno ? strerror(errno) : "it cannot be written");
    forget_picture(r);
}

/* Takes the item over. */
static void write_item(struct recorder *r, struct item *item)
{
    const struct svc_packet pkt = media_packet(item->media);

    if (pkt.kind == SVC_VIDEO) {
        if (r->n_picture > 0 && r->picture->media->unit.picture != pkt.unit.picture)
            write_picture(r); /* its end did not come */
        LL_APPEND(r->picture, item);
        if (++r->n_picture == SVC_SPATIAL_MAX || pkt.end_of_picture)
            write_picture(r);
        return;
    }
    errno = 0;
    if (r->writer && pkt.pts >= r->zero &&
        svc_writer_audio(r->writer, pkt.audio, pkt.audio_len, pkt.pts - r->zero) < 0)
        fail(r, errno ? strerror(errno) : "it cannot be written");
    free_item(item);
}

static void *run(void *arg)
{
    struct recorder *r = arg;

    for (;;) {
        pthread_mutex_lock(&r->lock);
        while (!r->queue && !r->stopping)
            pthread_cond_wait(&r->moved, &r->lock);
        struct item *item = r->queue;
        if (item) {
            LL_DELETE(r->queue, item);
            r->queued -= length(item->media);
            r->stats.bytes += r->stats.writes ? length(item->media) : 0;
        }
        pthread_mutex_unlock(&r->lock);
        if (!item)
            break;
        write_item(r, item);
    }
    forget_picture(r);
    end_file(r);
    return NULL;
}

/* ---- the putter ---- */

void recorder_put(struct recorder *r, struct media *m)
{
    const size_t len = length(m);

    pthread_mutex_lock(&r->lock);
    const bool full = r->queued + len > RECORDER_QUEUE_BYTES_MAX;
    pthread_mutex_unlock(&r->lock);
    if (full && !r->skipping)
        log_line(LOG_WARN, "recording %s: the disk is too slow; going on at a key picture",
                 r->path);
    if (full)
        r->skipping = true;
    else if (m->has_unit && m->unit.key && m->unit.layer.spatial == 0)
        r->skipping = false;
    struct item *item = r->skipping ? NULL : make_item(m);
    pthread_mutex_lock(&r->lock);
    if (item) {
        LL_APPEND(r->queue, item);
        r->queued += len;
        pthread_cond_signal(&r->moved);
    } else {
        r->stats.left_out++;
    }
    pthread_mutex_unlock(&r->lock);
}

void recorder_get_stats(struct recorder *r, struct recorder_stats *out)
{
    pthread_mutex_lock(&r->lock);
    *out = r->stats;
    pthread_mutex_unlock(&r->lock);
}

/* ---- life ---- */

static int check_folder(const char *path, char *why, size_t why_size)
{
    char name[RECORDER_PATH_MAX];

    if ((size_t)snprintf(name, sizeof name, "%s", path) >= sizeof name - 16) {
        snprintf(why, why_size, "%.60s...: the name is too long", path);
        return -1;
    }
    const char *folder = dirname(name);
    if (strchr(folder, '%') || access(folder, W_OK | X_OK) == 0)
        return 0;
    snprintf(why, why_size, "%s: %s", folder, strerror(errno));
    return -1;
}

int recorder_new(struct recorder **out, const char *path, const struct svc_stream_info *info,
                 char *why, size_t why_size)
{
    if (check_folder(path, why, why_size) < 0 || svc_writer_check(path, info, why, why_size) < 0)
        return -1;
    struct recorder *r = calloc(1, sizeof *r);
    snprintf(why, why_size, "%s: out of memory", path);
    if (!r)
        return -1;
    r->info = *info;
    r->skipping = true;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    r->path = strdup(path);
    r->runs = r->path && pthread_create(&r->thread, NULL, run, r) == 0;
    if (!r->runs) {
        recorder_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->moved);
    pthread_mutex_unlock(&r->lock);
    if (r->runs)
        pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->moved);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r);
}
