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

#include "log.h"

#define NAMES_MAX 10000 /* of one path that are there already */

struct item {
    struct svc_packet pkt; /* bytes follow the item */
    size_t len;
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

static uint64_t clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

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
    r->retry_at = clock_us() + RECORDER_RETRY_US;
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
        r->retry_at = clock_us() + RECORDER_RETRY_US;
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
    free(item);
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
    units[n++] = item->pkt.unit;
    if (!r->writer && units[0].key && clock_us() >= r->retry_at)
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
    if (item->pkt.kind == SVC_VIDEO) {
        if (r->n_picture > 0 && r->picture->pkt.unit.picture != item->pkt.unit.picture)
            write_picture(r); /* its end did not come */
        LL_APPEND(r->picture, item);
        if (++r->n_picture == SVC_SPATIAL_MAX || item->pkt.end_of_picture)
            write_picture(r);
        return;
    }
    errno = 0;
    if (r->writer && item->pkt.pts >= r->zero &&
        svc_writer_audio(r->writer, item->pkt.audio, item->len, item->pkt.pts - r->zero) < 0)
        fail(r, errno ? strerror(errno) : "it cannot be written");
    free(item);
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
            r->queued -= item->len;
            r->stats.bytes += r->stats.writes ? item->len : 0;
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

static struct item *copy(const struct svc_packet *pkt)
{
    const bool video = pkt->kind == SVC_VIDEO;
    const size_t len = video ? pkt->unit.len : pkt->audio_len;
    struct item *item = malloc(sizeof *item + len);

    if (!item)
        return NULL;
    *item = (struct item){ .pkt = *pkt, .len = len };
    uint8_t *bytes = (uint8_t *)(item + 1);
    memcpy(bytes, video ? pkt->unit.bytes : pkt->audio, len);
    if (video)
        item->pkt.unit.bytes = bytes;
    else
        item->pkt.audio = bytes;
    return item;
}

void recorder_put(struct recorder *r, const struct svc_packet *pkt)
{
    const size_t len = pkt->kind == SVC_VIDEO ? pkt->unit.len : pkt->audio_len;

    pthread_mutex_lock(&r->lock);
    const bool full = r->queued + len > RECORDER_QUEUE_BYTES_MAX;
    pthread_mutex_unlock(&r->lock);
    if (full && !r->skipping)
        log_line(LOG_WARN, "recording %s: the disk is too slow; going on at a key picture",
                 r->path);
    if (full)
        r->skipping = true;
    else if (pkt->kind == SVC_VIDEO && pkt->unit.key && pkt->unit.layer.spatial == 0)
        r->skipping = false;
    struct item *item = r->skipping ? NULL : copy(pkt);
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
