/* window.c - see window.h. Each track has an index of its objects, a ring that grows; bytes lie in
 * the file at their offset modulo its size, in one piece. */
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct entry {
    struct moq_location at;
    uint64_t subgroup;
    uint64_t offset; /* of its bytes since the beginning: properties, then payload */
    uint32_t payload;
    uint16_t properties;
    uint8_t priority, status;
    int64_t pts;
    uint64_t now_us, wall_ms;
};

struct index { /* entry[(head + i) & (cap - 1)], i in [0, n) */
    struct entry *entry;
    size_t head, n, cap;
};

struct window {
    atomic_uint refs;
    struct window_config cfg;
    int fd;
    pthread_rwlock_t lock; /* of all below */
    uint64_t end;          /* offset that comes next */
    struct index track[TRACKS_MAX];
};

int window_new(struct window **out, const struct window_config *cfg, char *why, size_t why_size)
{
    struct window *w = calloc(1, sizeof *w);

    snprintf(why, why_size, "out of memory");
    if (!w)
        return -1;
    w->cfg = *cfg;
    w->cfg.folder = NULL; /* the caller's */
    w->fd = cfg->folder ? open(cfg->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                        : memfd_create("window", MFD_CLOEXEC);
    /* In memory room is taken as it is used. */
    int err = w->fd < 0 ? errno : 0;
    if (!err && cfg->folder)
        err = posix_fallocate(w->fd, 0, (off_t)cfg->bytes_max);
    else if (!err && ftruncate(w->fd, (off_t)cfg->bytes_max) < 0)
        err = errno;
    if (err) {
        snprintf(why, why_size, "%s: no room for a window of %llu MiB: %s",
                 cfg->folder ? cfg->folder : "memory", (unsigned long long)(cfg->bytes_max >> 20),
                 strerror(err));
        if (w->fd >= 0)
            close(w->fd);
        free(w);
        return -1;
    }
    pthread_rwlock_init(&w->lock, NULL);
    w->refs = 1;
    *out = w;
    return 0;
}

struct window *window_ref(struct window *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void window_unref(struct window *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t t = 0; t < TRACKS_MAX; t++)
        free(w->track[t].entry);
    pthread_rwlock_destroy(&w->lock);
    close(w->fd);
    free(w);
}

void window_folder(const char *path, char out[WINDOW_FOLDER_MAX])
{
    const char *slash = strrchr(path, '/');

    snprintf(out, WINDOW_FOLDER_MAX, "%.*s", slash > path ? (int)(slash - path) : 1,
             slash ? path : ".");
}

/* ---- the index ---- */

static struct entry *at(const struct index *x, size_t i)
{
    return &x->entry[(x->head + i) & (x->cap - 1)];
}

static int grow(struct index *x)
{
    if (x->n < x->cap)
        return 0;
    const size_t cap = x->cap ? x->cap * 2 : 64;
    struct entry *entry = malloc(cap * sizeof *entry);
    if (!entry)
        return -1;
    for (size_t i = 0; i < x->n; i++)
        entry[i] = *at(x, i);
    free(x->entry);
    *x = (struct index){ .entry = entry, .n = x->n, .cap = cap };
    return 0;
}

static void forget(const struct window *w, struct index *x, uint64_t now_us)
{
    while (x->n > 0 && (w->end - at(x, 0)->offset > w->cfg.bytes_max ||
                        now_us - at(x, 0)->now_us > w->cfg.span_us)) {
        x->head = (x->head + 1) & (x->cap - 1);
        x->n--;
    }
}

static bool before(struct moq_location a, struct moq_location b)
{
    return a.group != b.group ? a.group < b.group : a.object < b.object;
}

/* Of the first entry at `from` or after it; n: none. */
static size_t find(const struct index *x, struct moq_location from)
{
    size_t low = 0, high = x->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (before(at(x, middle)->at, from))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- bytes ---- */

static int write_at(int fd, const uint8_t *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        const ssize_t n = pwrite(fd, bytes, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int read_at(int fd, uint8_t *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        const ssize_t n = pread(fd, bytes, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int put(struct window *w, struct index *x, const struct moq_object *obj, int64_t pts,
               uint64_t now_us, uint64_t wall_ms)
{
    const uint64_t size = w->cfg.bytes_max, len = obj->properties.len + obj->payload.len;

    if (len > size || obj->properties.len > MOQ_PROPERTIES_MAX ||
        obj->payload.len > MOQ_OBJECT_MAX) {
        errno = EFBIG;
        return -1;
    }
    if (w->end % size + len > size) /* in one piece: the rest of the round is left out */
        w->end += size - w->end % size;
    const uint64_t offset = w->end;
    w->end += len;
    for (size_t t = 0; t < TRACKS_MAX; t++)
        forget(w, &w->track[t], now_us);
    if (grow(x) < 0 ||
        write_at(w->fd, obj->properties.bytes, obj->properties.len, offset % size) < 0 ||
        write_at(w->fd, obj->payload.bytes, obj->payload.len, offset % size + obj->properties.len) <
            0)
        return -1;
    x->n++;
    *at(x, x->n - 1) = (struct entry){ .at = { obj->group, obj->object },
                                       .subgroup = obj->subgroup,
                                       .offset = offset,
                                       .payload = (uint32_t)obj->payload.len,
                                       .properties = (uint16_t)obj->properties.len,
                                       .priority = obj->priority,
                                       .status = obj->status,
                                       .pts = pts,
                                       .now_us = now_us,
                                       .wall_ms = wall_ms };
    return 0;
}

int window_put(struct window *w, size_t track, const struct moq_object *obj, int64_t pts,
               uint64_t now_us, uint64_t wall_ms)
{
    struct index *x = &w->track[track];
    int result = -1;

    pthread_rwlock_wrlock(&w->lock);
    if (x->n > 0 && !before(at(x, x->n - 1)->at, (struct moq_location){ obj->group, obj->object }))
        errno = EINVAL;
    else
        result = put(w, x, obj, pts, now_us, wall_ms);
    pthread_rwlock_unlock(&w->lock);
    return result;
}

/* ---- reading ---- */

/* The first entry that begins a group; n: none. */
static size_t first_whole(const struct index *x)
{
    size_t i = 0;

    while (i < x->n && at(x, i)->at.object != 0)
        i++;
    return i;
}

bool window_range(struct window *w, size_t track, struct moq_location *first,
                  struct moq_location *last)
{
    const struct index *x = &w->track[track];

    pthread_rwlock_rdlock(&w->lock);
    const size_t i = first_whole(x);
    const bool some = i < x->n;
    if (some) {
        *first = at(x, i)->at;
        *last = at(x, x->n - 1)->at;
    }
    pthread_rwlock_unlock(&w->lock);
    return some;
}

static int give(struct window *w, const struct entry *e, struct window_object *out)
{
    const size_t len = (size_t)e->properties + e->payload;

    if (len > out->cap) {
        uint8_t *bytes = realloc(out->bytes, len);
        if (!bytes)
            return -1;
        out->bytes = bytes;
        out->cap = len;
    }
    if (read_at(w->fd, out->bytes, len, e->offset % w->cfg.bytes_max) < 0)
        return -1;
    out->pts = e->pts;
    out->moq = (struct moq_object){ .group = e->at.group,
                                    .object = e->at.object,
                                    .subgroup = e->subgroup,
                                    .priority = e->priority,
                                    .status = e->status,
                                    .properties = { out->bytes, e->properties },
                                    .payload = { out->bytes + e->properties, e->payload } };
    return 1;
}

int window_read(struct window *w, size_t track, struct moq_location from, struct window_object *out)
{
    const struct index *x = &w->track[track];

    pthread_rwlock_rdlock(&w->lock);
    const size_t i = find(x, from);
    const int result = i < x->n ? give(w, at(x, i), out) : 0;
    pthread_rwlock_unlock(&w->lock);
    return result;
}

bool window_group_below(struct window *w, size_t track, uint64_t group, struct moq_location *out)
{
    const struct index *x = &w->track[track];
    bool found = false;

    pthread_rwlock_rdlock(&w->lock);
    const size_t low = first_whole(x);
    size_t i = find(x, (struct moq_location){ group, 0 });
    if (i > low) {
        *out = (struct moq_location){ at(x, i - 1)->at.group, 0 };
        found = true;
    }
    pthread_rwlock_unlock(&w->lock);
    return found;
}

void window_object_fini(struct window_object *o)
{
    free(o->bytes);
    *o = (struct window_object){ 0 };
}

size_t window_groups(struct window *w, size_t track, struct window_time *out, size_t cap)
{
    const struct index *x = &w->track[track];
    size_t n = 0, skip = 0;

    pthread_rwlock_rdlock(&w->lock);
    for (size_t i = 0; i < x->n; i++)
        skip += at(x, i)->at.object == 0;
    skip = skip > cap ? skip - cap : 0;
    for (size_t i = 0; i < x->n && n < cap; i++) {
        const struct entry *e = at(x, i);
        if (e->at.object != 0 || (skip > 0 && skip--))
            continue;
        out[n++] = (struct window_time){ e->at.group, e->pts, e->wall_ms };
    }
    pthread_rwlock_unlock(&w->lock);
    return n;
}

uint64_t window_span_us(struct window *w)
{
    uint64_t oldest = UINT64_MAX, newest = 0;

    pthread_rwlock_rdlock(&w->lock);
    for (size_t t = 0; t < TRACKS_MAX; t++) {
        const struct index *x = &w->track[t];
        if (x->n == 0)
            continue;
        oldest = at(x, 0)->now_us < oldest ? at(x, 0)->now_us : oldest;
        newest = at(x, x->n - 1)->now_us > newest ? at(x, x->n - 1)->now_us : newest;
    }
    pthread_rwlock_unlock(&w->lock);
    return newest > oldest ? newest - oldest : 0;
}
