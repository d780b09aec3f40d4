/* source.c - see source.h. */
#include "source.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct source {
    struct source_config cfg;
    struct svc_reader *reader;
    ev_timer timer;
    struct svc_packet next; /* read ahead; its bytes are the reader's */
    bool started;
    int64_t zero; /* clock, us, of pts 0 */
};

static int64_t clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* 1: s->next is there. 0: the end. -1: damaged beyond hope. */
static int read_ahead(struct source *s)
{
    unsigned damaged = 0, ends = 0;
    while (damaged < SOURCE_DAMAGED_MAX && ends < 2) {
        int result = svc_reader_next(s->reader, &s->next);
        if (result == 1)
            return 1;
        if (result == 0 && !s->cfg.repeat)
            return 0;
        if (result == 0) {
            ends++; /* two in a row: there is nothing in it */
            result = svc_reader_loop(s->reader);
        }
        damaged += result < 0;
    }
    return -1;
}

static void arm(struct source *s)
{
    int64_t wait = s->zero + s->next.pts - clock_us();
    ev_now_update(s->cfg.loop);
    ev_timer_set(&s->timer, wait > 0 ? (double)wait / 1e6 : 0., 0.);
    ev_timer_start(s->cfg.loop, &s->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct source *s = timer->data;
    int left = 1;
    (void)loop;
    (void)events;
    int64_t now = clock_us();
    if (s->zero + s->next.pts + SOURCE_LATE_MAX_US < now)
        s->zero = now - s->next.pts;
    for (int i = 0; i < SOURCE_BURST_MAX && s->zero + s->next.pts <= now; i++) {
        s->cfg.on_packet(s->cfg.user, &s->next);
        left = read_ahead(s);
        if (left != 1)
            break;
    }
    s->cfg.on_burst(s->cfg.user);
    if (left == 1 && s->started)
        arm(s);
    else if (left != 1)
        s->cfg.on_end(s->cfg.user, left == 0 ? SOURCE_FILE_END : SOURCE_FILE_DAMAGED);
}

int source_open(struct source **out, const struct source_config *cfg, char *why, size_t why_size)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, why_size, "%s: out of memory", cfg->path);
        return -1;
    }
    s->cfg = *cfg;
    ev_timer_init(&s->timer, on_timer, 0., 0.);
    s->timer.data = s;
    why[0] = 0;
    int result = svc_reader_open(&s->reader, cfg->path, why, why_size);
    if (result < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s: %s", cfg->path, svc_strerror(result));
        goto free_source;
    }
    if (read_ahead(s) != 1) {
        snprintf(why, why_size, "%s: there is nothing to play in it", cfg->path);
        goto free_source;
    }
    *out = s;
    return 0;
free_source:
    source_free(s);
    return -1;
}

const struct svc_stream_info *source_info(const struct source *s)
{
    return svc_reader_info(s->reader);
}

void source_start(struct source *s, uint64_t delay_us)
{
    if (s->started)
        return;
    s->started = true;
    s->zero = clock_us() + (int64_t)delay_us - s->next.pts;
    arm(s);
}

void source_stop(struct source *s)
{
    s->started = false;
    ev_timer_stop(s->cfg.loop, &s->timer);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    ev_timer_stop(s->cfg.loop, &s->timer);
    svc_reader_free(s->reader);
    free(s);
}
