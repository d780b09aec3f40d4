/* access_log.c - see access_log.h. */
#include "access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "log.h"

#define RETRY_S 5 /* a disk that was full is tried again */

struct access_log {
    atomic_uint refs;
    char *path;
    int fd; /* the thread's; -1: could not be opened */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    char *queue; /* lines, each with its newline */
    size_t len;
    uint64_t lost; /* lines that met a full queue */
    bool reopen, stop;

    /* The thread's own. */
    bool broken; /* said so */
    bool torn;   /* a line was cut off in its middle */
    uint64_t missing;
    time_t again; /* while broken: not before */
};

/* ---- one line ---- */

static void put(json_t *o, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(o, key, json_string(text));
}

static void put_count(json_t *o, const char *key, int64_t n)
{
    if (n >= 0)
        json_object_set_new(o, key, json_integer(n));
}

static void put_time(json_t *o)
{
    struct timespec ts;
    struct tm tm;
    char date[32], text[64];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%03ldZ", date, ts.tv_nsec / 1000000);
    json_object_set_new(o, "time", json_string(text));
}

static char *line_of(const struct access_entry *e)
{
    json_t *o = json_object();
    if (!o)
        return NULL;
    put_time(o);
    if (e->has_session)
        json_object_set_new(o, "session", json_integer((json_int_t)e->session));
    put(o, "address", e->address);
    put(o, "subject", e->subject);
    put(o, "action", e->action);
    put(o, "namespace", e->ns);
    if (e->allowed >= 0)
        json_object_set_new(o, "verdict", json_string(e->allowed ? "allowed" : "refused"));
    put_count(o, "count", e->count);
    put_count(o, "bytes", e->bytes);
    put_count(o, "bytes_received", e->bytes_received);
    if (e->duration_us >= 0)
        json_object_set_new(o, "duration", json_real((double)(e->duration_us / 1000) / 1000.));
    put(o, "reason", e->reason);
    char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
    json_decref(o);
    return text;
}

void access_log_write(struct access_log *log, const struct access_entry *e)
{
    if (!log)
        return;
    char *text = line_of(e);
    const size_t len = text ? strlen(text) : 0;
    pthread_mutex_lock(&log->lock);
    if (!text || len > ACCESS_LOG_LINE_MAX || log->len + len + 1 > ACCESS_LOG_QUEUE_MAX) {
        log->lost++;
    } else {
        memcpy(log->queue + log->len, text, len);
        log->queue[log->len + len] = '\n';
        log->len += len + 1;
        pthread_cond_signal(&log->wake);
    }
    pthread_mutex_unlock(&log->lock);
    free(text);
}

/* ---- the writing thread ---- */

static uint64_t count_lines(const char *text, size_t len)
{
    uint64_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static time_t monotonic_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static bool is_stdout(const struct access_log *log)
{
    return strcmp(log->path, "-") == 0;
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

/* Its last line was cut off, as by a disk that was full. */
static bool ends_torn(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char last = '\n';
    if (fd < 0)
        return false;
    const off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        last = '\n';
    close(fd);
    return last != '\n';
}

static void fail(struct access_log *log, uint64_t lines, int error)
{
    if (!log->broken)
        log_line(LOG_ERROR, "access log %s: %s; serving goes on, lines are lost", log->path,
                 strerror(error));
    log->broken = true;
    log->missing += lines;
    log->again = monotonic_s() + RETRY_S;
}

static void reopen(struct access_log *log)
{
    if (is_stdout(log))
        return;
    const int fd = open_file(log->path);
    if (fd < 0) { /* the one that is open is better than none */
        log_line(LOG_ERROR, "access log %s: %s", log->path, strerror(errno));
        return;
    }
    close(log->fd);
    log->fd = fd;
    log->torn = ends_torn(log->path);
    log->again = 0;
}

/* Bytes of whole lines that got out. */
static size_t write_all(struct access_log *log, const char *text, size_t len, int *error)
{
    size_t done = 0;
    *error = 0;
    if (log->torn && write(log->fd, "\n", 1) != 1) {
        *error = errno;
        return 0;
    }
    log->torn = false;
    while (done < len) {
        const ssize_t n = write(log->fd, text + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *error = n < 0 ? errno : EIO;
            break;
        }
        done += (size_t)n;
    }
    log->torn = done > 0 && text[done - 1] != '\n';
    return done;
}

static void write_batch(struct access_log *log, const char *text, size_t len)
{
    int error;
    if (log->broken && monotonic_s() < log->again) {
        log->missing += count_lines(text, len);
        return;
    }
    const size_t done = write_all(log, text, len, &error);
    if (error) {
        fail(log, count_lines(text + done, len - done), error);
        return;
    }
    if (log->broken)
        log_line(LOG_WARN, "access log %s: written again; %llu lines were lost", log->path,
                 (unsigned long long)log->missing);
    log->broken = false;
    log->missing = 0;
}

static void *run(void *arg)
{
    struct access_log *log = arg;
    char *batch = malloc(ACCESS_LOG_QUEUE_MAX);
    bool stop = false;
    while (batch && !stop) {
        pthread_mutex_lock(&log->lock);
        while (log->len == 0 && !log->reopen && !log->stop)
            pthread_cond_wait(&log->wake, &log->lock);
        const bool again = log->reopen;
        const size_t len = log->len;
        const uint64_t lost = log->lost;
        stop = log->stop;
        memcpy(batch, log->queue, len);
        log->len = log->lost = 0;
        log->reopen = false;
        pthread_mutex_unlock(&log->lock);
        if (len > 0 && !again)
            write_batch(log, batch, len);
        if (again) {
            reopen(log); /* what waited was said after the file was renamed, or about then */
            if (len > 0)
                write_batch(log, batch, len);
        }
        if (lost > 0)
            log_line(LOG_WARN, "access log %s: %llu lines were lost, it cannot be written so fast",
                     log->path, (unsigned long long)lost);
    }
    free(batch);
    return NULL;
}

/* ---- life ---- */

static int start_thread(struct access_log *log)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&log->thread, NULL, run, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int access_log_open(struct access_log **out, const char *path, char *why, size_t why_size)
{
    struct access_log *log = calloc(1, sizeof *log);
    int error = ENOMEM;
    if (!log)
        goto no_log;
    atomic_init(&log->refs, 1);
    log->path = strdup(path);
    log->queue = malloc(ACCESS_LOG_QUEUE_MAX);
    if (!log->path || !log->queue)
        goto free_log;
    log->fd = is_stdout(log) ? STDOUT_FILENO : open_file(path);
    if (log->fd < 0) {
        error = errno;
        goto free_log;
    }
    log->torn = !is_stdout(log) && ends_torn(path);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    error = start_thread(log);
    if (error == 0) {
        *out = log;
        return 0;
    }
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    if (!is_stdout(log))
        close(log->fd);
free_log:
    free(log->queue);
    free(log->path);
    free(log);
no_log:
    snprintf(why, why_size, "%s: %s", path, strerror(error));
    return -1;
}

struct access_log *access_log_ref(struct access_log *log)
{
    if (log)
        atomic_fetch_add(&log->refs, 1);
    return log;
}

void access_log_free(struct access_log *log)
{
    if (!log || atomic_fetch_sub(&log->refs, 1) != 1)
        return;
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    if (!is_stdout(log))
        close(log->fd);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log->queue);
    free(log->path);
    free(log);
}

void access_log_reopen(struct access_log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->reopen = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

const char *access_log_path(const struct access_log *log)
{
    return log->path;
}
