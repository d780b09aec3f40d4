/* test_link.c - the thread that a connection lives on: what is posted runs in order and goes once,
 * whoever stops it waits for nobody; and the queue of packets to it is bounded. */
#include "link.h"
#include "publish.h"

#include <gst/gst.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define N 1000
#define LONG_US (20 * G_TIME_SPAN_SECOND)

/* ---- a gate, that somebody stands at until it opens ---- */

struct gate {
    GMutex lock;
    GCond cond;
    gboolean reached, open;
};

static void gate_wait(struct gate *g)
{
    g_mutex_lock(&g->lock);
    g->reached = TRUE;
    g_cond_broadcast(&g->cond);
    while (!g->open)
        g_cond_wait(&g->cond, &g->lock);
    g_mutex_unlock(&g->lock);
}

static void gate_is_reached(struct gate *g)
{
    const gint64 until = g_get_monotonic_time() + LONG_US;
    g_mutex_lock(&g->lock);
    while (!g->reached)
        assert_true(g_cond_wait_until(&g->cond, &g->lock, until));
    g_mutex_unlock(&g->lock);
}

static void gate_open(struct gate *g)
{
    g_mutex_lock(&g->lock);
    g->open = TRUE;
    g_cond_broadcast(&g->cond);
    g_mutex_unlock(&g->lock);
}

static gboolean becomes(const gint *value, gint wanted)
{
    const gint64 until = g_get_monotonic_time() + LONG_US;
    while (g_atomic_int_get(value) != wanted && g_get_monotonic_time() < until)
        g_usleep(1000);
    return g_atomic_int_get(value) == wanted;
}

/* ---- the link ---- */

struct owner {
    struct tvl_link *link;
    gboolean posts_at_stop;
    gint started, stopped, freed, ran, gone; /* atomic */
    gint last[2];                            /* of each poster; on the link's thread */
};

struct item {
    struct owner *owner;
    gint poster, number;
    struct gate *gate;
};

static void on_gone(gpointer data)
{
    struct item *i = data;
    g_atomic_int_inc(&i->owner->gone);
    g_free(i);
}

static void on_work(void *user, void *data)
{
    struct owner *o = user;
    struct item *i = data;
    g_assert_cmpint(1, ==, g_atomic_int_get(&o->started)); /* cmocka's are for its own thread */
    g_assert_cmpint(0, ==, g_atomic_int_get(&o->stopped));
    g_assert_cmpint(o->last[i->poster] + 1, ==, i->number);
    o->last[i->poster] = i->number;
    g_atomic_int_inc(&o->ran);
    if (i->gate)
        gate_wait(i->gate);
}

static void post(struct owner *o, gint poster, gint number, struct gate *gate)
{
    struct item *i = g_new(struct item, 1);
    *i = (struct item){ o, poster, number, gate };
    tvl_link_post(o->link, on_work, i, on_gone);
}

static void on_start(void *user, struct ev_loop *loop)
{
    (void)loop;
    g_atomic_int_inc(&((struct owner *)user)->started);
}

static void on_stop(void *user)
{
    struct owner *o = user;
    g_atomic_int_inc(&o->stopped);
    if (o->posts_at_stop)
        post(o, 0, 1, NULL);
}

static void on_free(void *user)
{
    g_atomic_int_inc(&((struct owner *)user)->freed);
}

static const struct tvl_link_ops ops = { on_start, on_stop, on_free };

static gpointer post_many(gpointer data)
{
    for (gint n = 1; n <= N; n++)
        post(data, 1, n, NULL);
    return NULL;
}

static void what_is_posted_runs_in_order(void **state)
{
    struct owner o = { .link = NULL };
    (void)state;
    o.link = tvl_link_new("test", &ops, &o);
    assert_non_null(o.link);
    GThread *other = g_thread_new("poster", post_many, &o);
    for (gint n = 1; n <= N; n++)
        post(&o, 0, n, NULL);
    g_thread_join(other);
    assert_true(becomes(&o.gone, 2 * N));
    assert_int_equal(2 * N, g_atomic_int_get(&o.ran));
    tvl_link_stop(o.link);
    assert_int_equal(1, g_atomic_int_get(&o.stopped));
    assert_int_equal(1, g_atomic_int_get(&o.freed));
}

/* As a resolver that does not answer. */
static void who_stops_it_waits_for_nobody(void **state)
{
    struct owner o = { .link = NULL };
    struct gate gate = { .open = FALSE };
    (void)state;
    o.link = tvl_link_new("test", &ops, &o);
    post(&o, 0, 1, &gate);
    gate_is_reached(&gate);
    for (gint n = 2; n <= N; n++)
        post(&o, 0, n, NULL);
    const gint64 began = g_get_monotonic_time();
    tvl_link_stop(o.link);
    const gint64 took = g_get_monotonic_time() - began;
    assert_true(took >= LINK_STOP_MS * 1000);
    assert_true(took < (LINK_STOP_MS + 1000) * 1000);
    assert_int_equal(0, g_atomic_int_get(&o.freed)); /* it is still in use */
    gate_open(&gate);
    assert_true(becomes(&o.gone, N));              /* each once ... */
    assert_int_equal(1, g_atomic_int_get(&o.ran)); /* ... and none run */
    assert_int_equal(1, g_atomic_int_get(&o.stopped));
    assert_int_equal(1, g_atomic_int_get(&o.freed));
}

static void what_is_posted_at_the_end_only_goes(void **state)
{
    struct owner o = { .posts_at_stop = TRUE };
    (void)state;
    o.link = tvl_link_new("test", &ops, &o);
    tvl_link_stop(o.link);
    assert_true(becomes(&o.gone, 1));
    assert_int_equal(0, g_atomic_int_get(&o.ran));
    assert_int_equal(1, g_atomic_int_get(&o.freed));
    tvl_link_stop(NULL);
}

/* ---- packets to a publication ---- */

struct publication {
    struct gate gate;
    gint gone;
    GMutex lock;
    guint64 dropped;
};

static void on_text(gpointer user, const gchar *text)
{
    (void)user;
    (void)text;
}

static void on_named(gpointer user, const gchar *text, gboolean is)
{
    (void)user;
    (void)text;
    (void)is;
}

static void on_key_wanted(gpointer user, gsize video)
{
    (void)user;
    (void)video;
}

static void on_stats(gpointer user, GstStructure *stats)
{
    struct publication *p = user;
    g_mutex_lock(&p->lock);
    gst_structure_get_uint64(stats, "objects-dropped", &p->dropped);
    g_mutex_unlock(&p->lock);
    gst_structure_free(stats);
    gate_wait(&p->gate);
}

static void on_publication_gone(gpointer user)
{
    g_atomic_int_inc(&((struct publication *)user)->gone);
}

static const struct publish_handler publish_handler = { .on_failed = on_text,
                                                        .on_interrupted = on_text,
                                                        .on_caller = on_named,
                                                        .on_path = on_named,
                                                        .on_key_wanted = on_key_wanted,
                                                        .on_stats = on_stats };

/* How many it takes until it takes no more. */
static guint fill(struct publish *p, GstBuffer *b)
{
    guint n = 0;
    while (n < 1000 && publish_packet(p, PUBLISH_VIDEO, 0, b, 0))
        n++;
    return n;
}

static gboolean is_alone(GstBuffer *b)
{
    const gint64 until = g_get_monotonic_time() + LONG_US;
    while (GST_MINI_OBJECT_REFCOUNT_VALUE(b) > 1 && g_get_monotonic_time() < until)
        g_usleep(1000);
    return GST_MINI_OBJECT_REFCOUNT_VALUE(b) == 1;
}

/* The thread is busy: as much waits as there is room for, the rest is left out and counted, nobody
 * waits; and all is given back, also by what was stopped meanwhile. */
static void the_queue_of_packets_is_bounded(void **state)
{
    struct publication of = { .gone = 0 };
    struct publish_config cfg = { .handler = &publish_handler,
                                  .user = &of,
                                  .user_gone = on_publication_gone,
                                  .latency_ms = 100 };
    GstBuffer *b = gst_buffer_new_allocate(NULL, 100000, NULL);
    const guint most = PUBLISH_QUEUE_BYTES_MAX / 100000;
    (void)state;
    tvl_settings_init(&cfg.settings);
    cfg.settings.text[SETTINGS_URI] = g_strdup("moqt://127.0.0.1:1/live");
    cfg.settings.text[SETTINGS_PATHS] = g_strdup("127.0.0.1");
    struct publish *p = publish_start(&cfg);
    assert_non_null(p);
    gate_is_reached(&of.gate);
    assert_in_range(fill(p, b), most - 1, most);
    gate_open(&of.gate);
    assert_true(is_alone(b)); /* read, or left out */
    g_mutex_lock(&of.gate.lock);
    of.gate.open = of.gate.reached = FALSE;
    g_mutex_unlock(&of.gate.lock);
    gate_is_reached(&of.gate);
    assert_in_range(fill(p, b), most - 1, most);
    const gint64 began = g_get_monotonic_time();
    publish_stop(p);
    assert_true(g_get_monotonic_time() - began < (LINK_STOP_MS + 1000) * 1000);
    assert_int_equal(0, g_atomic_int_get(&of.gone));
    gate_open(&of.gate);
    assert_true(becomes(&of.gone, 1));
    assert_true(is_alone(b));
    assert_true(of.dropped > 0);
    gst_buffer_unref(b);
}

static int set_up(void **state)
{
    (void)state;
    gst_init(NULL, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_posted_runs_in_order),
        cmocka_unit_test(who_stops_it_waits_for_nobody),
        cmocka_unit_test(what_is_posted_at_the_end_only_goes),
        cmocka_unit_test(the_queue_of_packets_is_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
