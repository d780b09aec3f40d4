/*
 * crew.c - <tvl/workers.h> on virtual time: one worker, whose thread is the only one there is. What
 * it is asked to run it runs at once.
 */
#include <tvl/workers.h>

#include <ev.h>
#include <stdlib.h>

struct tvl_workers {
    struct tvl_ev *driver;
    void (*on_event)(void *user, unsigned worker, const struct tvl_event *ev);
    void *user;
};

static void on_event(void *user, const struct tvl_event *ev)
{
    const struct tvl_workers *w = user;

    w->on_event(w->user, 0, ev);
}

int tvl_workers_new(struct tvl_workers **out, const struct tvl_workers_config *cfg, char *why,
                    size_t why_size)
{
    struct tvl_workers *w = calloc(1, sizeof *w);

    if (!w)
        return TVL_ERR_NOMEM;
    *w = (struct tvl_workers){ .on_event = cfg->on_event, .user = cfg->user };
    const struct tvl_ev_config ec = { .loop = ev_loop_new(0),
                                      .tvl = cfg->tvl,
                                      .listen = cfg->listen,
                                      .on_event = on_event,
                                      .user = w };
    const int result = tvl_ev_new(&w->driver, &ec, why, why_size);
    if (result == 0)
        *out = w;
    else
        free(w);
    return result;
}

void tvl_workers_free(struct tvl_workers *w)
{
    if (!w)
        return;
    tvl_ev_free(w->driver);
    free(w);
}

uint16_t tvl_workers_port(const struct tvl_workers *w)
{
    return tvl_ev_port(w->driver);
}

int tvl_workers_run(struct tvl_workers *w, unsigned worker,
                    void (*job)(void *arg, unsigned worker, struct tvl_ev *driver), void *arg)
{
    job(arg, worker, w->driver);
    tvl_ev_kick(w->driver);
    return 0;
}
