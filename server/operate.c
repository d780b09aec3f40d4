/* operate.c - see operate.h. */
#include "operate.h"

#include <ev.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define STATUS_MAX 256
#define US_PER_S 1e6

struct operate {
    struct ev_loop *loop;
    struct operate_hooks hooks;
    ev_signal on_hup;
    ev_timer watchdog; /* not active without a manager that asks for it */
};

static void on_hup(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct operate *o = signal->data;
    struct timespec now;
    (void)loop;
    (void)events;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reads its configuration again",
               (unsigned long long)us);
    o->hooks.on_reload(o->hooks.user);
}

/* The loop turns: that is what the manager wants to know. */
static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    sd_notify(0, "WATCHDOG=1");
}

struct operate *operate_new(struct ev_loop *loop, const struct operate_hooks *hooks)
{
    struct operate *o = calloc(1, sizeof *o);
    uint64_t every_us;
    if (!o)
        return NULL;
    o->loop = loop;
    o->hooks = *hooks;
    ev_signal_init(&o->on_hup, on_hup, SIGHUP);
    o->on_hup.data = o;
    ev_signal_start(loop, &o->on_hup);
    ev_init(&o->watchdog, on_watchdog);
    if (sd_watchdog_enabled(0, &every_us) > 0) {
        ev_timer_set(&o->watchdog, 0., (double)every_us / US_PER_S / 3);
        ev_timer_start(loop, &o->watchdog);
    }
    return o;
}

void operate_ready(struct operate *o)
{
    (void)o;
    sd_notifyf(0, "READY=1\nMAINPID=%ld\nSTATUS=serves", (long)getpid());
}

void operate_reloaded(struct operate *o, const char *status)
{
    (void)o;
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void operate_status(struct operate *o, const char *format, ...)
{
    char text[STATUS_MAX];
    va_list args;
    (void)o;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sd_notifyf(0, "STATUS=%s", text);
}

void operate_stopping(struct operate *o, unsigned patience_s)
{
    (void)o;
    sd_notifyf(0, "STOPPING=1\nSTATUS=waits for its viewers\nEXTEND_TIMEOUT_USEC=%llu",
               (patience_s + 5ull) * 1000000u);
}

void operate_free(struct operate *o)
{
    if (!o)
        return;
    ev_signal_stop(o->loop, &o->on_hup);
    ev_timer_stop(o->loop, &o->watchdog);
    free(o);
}
