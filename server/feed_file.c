/* feed_file.c - see feed_file.h. */
#include "feed_file.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"

struct feed_file {
    struct feed feed;
    struct feed_sink sink;
    enum feed_repeat repeat;
    struct svc_reader *reader;
    ev_timer timer;
    struct svc_packet next; /* read ahead; its bytes are the reader's */
    bool started;
    int64_t zero; /* clock, us, of pts 0 */
};

/* 1: s->next is there. 0: the end. -1: damaged beyond hope. */
static int read_ahead(struct feed_file *s)
{
    unsigned damaged = 0, ends = 0;
    while (damaged < FEED_DAMAGED_MAX && ends < 2) {
        int result = svc_reader_next(s->reader, &s->next);
        if (result == 1)
            return 1;
        if (result == 0 && s->repeat == FEED_ONCE)
            return 0;
        if (result == 0) {
            ends++; /* two in a row: there is nothing in it */
            result = svc_reader_loop(s->reader);
        }
        damaged += result < 0;
    }
    return -1;
}

/* To the first key picture at `at_us` or after it. False: there is none. */
static bool skip_to(struct feed_file *s, int64_t at_us)
{
    unsigned damaged = 0;
    while (damaged < FEED_DAMAGED_MAX) {
        if (s->next.kind == SVC_VIDEO && s->next.unit.key && s->next.pts >= at_us)
            return true;
        const int result = svc_reader_next(s->reader, &s->next);
        if (result == 0)
            return false;
        damaged += result < 0;
    }
    return false;
}

static void arm(struct feed_file *s)
{
    int64_t wait = s->zero + s->next.pts - (int64_t)clock_now_us();
    ev_now_update(s->sink.loop);
    ev_timer_set(&s->timer, wait > 0 ? (double)wait / 1e6 : 0., 0.);
    ev_timer_start(s->sink.loop, &s->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct feed_file *s = timer->data;
    int left = 1;
    (void)loop;
    (void)events;
    int64_t now = (int64_t)clock_now_us();
    if (s->zero + s->next.pts + FEED_LATE_MAX_US < now)
        s->zero = now - s->next.pts;
    for (int i = 0; i < FEED_BURST_MAX && s->zero + s->next.pts <= now; i++) {
        s->sink.on_packet(s->sink.user, &s->next);
        left = read_ahead(s);
        if (left != 1)
            break;
    }
    s->sink.on_burst(s->sink.user);
    if (left == 1 && s->started)
        arm(s);
    else if (left != 1)
        s->sink.on_end(s->sink.user, left == 0 ? FEED_END : FEED_DAMAGED);
}

static struct feed_file *of(struct feed *f)
{
    return (struct feed_file *)f;
}

static const struct svc_stream_info *file_info(const struct feed *f)
{
    return svc_reader_info(((const struct feed_file *)f)->reader);
}

static void file_start(struct feed *f, uint64_t delay_us)
{
    struct feed_file *s = of(f);
    if (s->started)
        return;
    s->started = true;
    s->zero = (int64_t)clock_now_us() + (int64_t)delay_us - s->next.pts;
    arm(s);
}

static void file_stop(struct feed *f)
{
    struct feed_file *s = of(f);
    s->started = false;
    ev_timer_stop(s->sink.loop, &s->timer);
}

static void file_free(struct feed *f)
{
    struct feed_file *s = of(f);
    file_stop(f);
    svc_reader_free(s->reader);
    free(s);
}

static const struct feed_ops file_ops = {
    .info = file_info,
    .start = file_start,
    .stop = file_stop,
    .free = file_free,
};

int feed_file_open(struct feed **out, const struct feed_sink *sink, const char *path,
                   enum feed_repeat repeat, double start_s, char *why, size_t why_size)
{
    struct feed_file *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "%s: out of memory", path);
        return -1;
    }
    s->feed.ops = &file_ops;
    s->sink = *sink;
    s->repeat = repeat;
    ev_timer_init(&s->timer, on_timer, 0., 0.);
    s->timer.data = s;
    why[0] = 0;
    int result = svc_reader_open(&s->reader, path, why, why_size);
    if (result < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s: %s", path, svc_strerror(result));
        goto free_feed;
    }
    if (read_ahead(s) != 1) {
        snprintf(why, why_size, "%s: there is nothing to play in it", path);
        goto free_feed;
    }
    if (start_s > 0 && !skip_to(s, (int64_t)(start_s * 1e6))) {
        snprintf(why, why_size, "%s: ends before start_s, %g s", path, start_s);
        goto free_feed;
    }
    *out = &s->feed;
    return 0;
free_feed:
    file_free(&s->feed);
    return -1;
}
