/* link.c - see link.h. */
#include "link.h"

struct job {
    void (*work)(void *user, void *data);
    void *data;
    GDestroyNotify gone;
};

struct tvl_link { /* two hold it: its thread and its owner */
    gint refs;
    const struct tvl_link_ops *ops;
    void *user;
    struct ev_loop *loop;
    ev_async wake;
    ev_timer goodbye;
    GMutex lock;
    GCond ended_cond;
    GQueue jobs; /* of struct job */
    gboolean stop, stopping, ended;
};

static void job_free(struct job *j)
{
    if (j->gone)
        j->gone(j->data);
    g_free(j);
}

static void link_unref(struct tvl_link *l)
{
    if (!g_atomic_int_dec_and_test(&l->refs))
        return;
    for (struct job *j = g_queue_pop_head(&l->jobs); j; j = g_queue_pop_head(&l->jobs))
        job_free(j);
    ev_loop_destroy(l->loop);
    g_mutex_clear(&l->lock);
    g_cond_clear(&l->ended_cond);
    g_free(l);
}

static void on_goodbye(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static struct job *next_job(struct tvl_link *l, gboolean *stop)
{
    g_mutex_lock(&l->lock);
    *stop = l->stop;
    struct job *j = *stop ? NULL : g_queue_pop_head(&l->jobs);
    g_mutex_unlock(&l->lock);
    return j;
}

static void on_wake(struct ev_loop *loop, ev_async *async, int events)
{
    struct tvl_link *l = async->data;
    gboolean stop;
    (void)events;
    for (struct job *j = next_job(l, &stop); j; j = next_job(l, &stop)) {
        j->work(l->user, j->data);
        job_free(j);
    }
    if (!stop || l->stopping)
        return;
    l->stopping = TRUE;
    l->ops->on_stop(l->user);
    ev_timer_set(&l->goodbye, LINK_GOODBYE_MS / 1e3, 0);
    ev_timer_start(loop, &l->goodbye);
}

static gpointer run(gpointer data)
{
    struct tvl_link *l = data;
    l->ops->on_start(l->user, l->loop);
    ev_run(l->loop, 0);
    ev_async_stop(l->loop, &l->wake);
    ev_timer_stop(l->loop, &l->goodbye);
    l->ops->on_free(l->user);
    g_mutex_lock(&l->lock);
    l->ended = TRUE;
    g_cond_signal(&l->ended_cond);
    g_mutex_unlock(&l->lock);
    link_unref(l);
    return NULL;
}

struct tvl_link *tvl_link_new(const char *name, const struct tvl_link_ops *ops, void *user)
{
    struct tvl_link *l = g_new0(struct tvl_link, 1);
    l->refs = 2;
    l->ops = ops;
    l->user = user;
    l->loop = ev_loop_new(EVFLAG_AUTO);
    if (!l->loop) {
        g_free(l);
        return NULL;
    }
    g_mutex_init(&l->lock);
    g_cond_init(&l->ended_cond);
    g_queue_init(&l->jobs);
    ev_async_init(&l->wake, on_wake);
    l->wake.data = l;
    ev_async_start(l->loop, &l->wake);
    ev_timer_init(&l->goodbye, on_goodbye, 0, 0);
    GThread *thread = g_thread_try_new(name, run, l, NULL);
    if (!thread) {
        l->refs = 1;
        link_unref(l);
        return NULL;
    }
    g_thread_unref(thread); /* it is waited for by `ended`, and not for ever */
    return l;
}

void tvl_link_post(struct tvl_link *l, void (*work)(void *user, void *data), void *data,
                   GDestroyNotify gone)
{
    struct job *j = g_new(struct job, 1);
    *j = (struct job){ work, data, gone };
    g_mutex_lock(&l->lock);
    g_queue_push_tail(&l->jobs, j);
    g_mutex_unlock(&l->lock);
    ev_async_send(l->loop, &l->wake);
}

void tvl_link_stop(struct tvl_link *l)
{
    if (!l)
        return;
    const gint64 until = g_get_monotonic_time() + LINK_STOP_MS * G_TIME_SPAN_MILLISECOND;
    g_mutex_lock(&l->lock);
    l->stop = TRUE;
    ev_async_send(l->loop, &l->wake);
    while (!l->ended && g_cond_wait_until(&l->ended_cond, &l->lock, until))
        ;
    g_mutex_unlock(&l->lock);
    link_unref(l);
}
