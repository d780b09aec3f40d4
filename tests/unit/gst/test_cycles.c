/*
 * test_cycles.c - elements and pipelines are started and stopped over and over, and nothing is
 * left.
 *
 * usage: test_gst_cycles [CYCLES [SCENE...]]     [10, all scenes at the same time]
 *
 * Left would be: an element of the pipelines (weak references), a descriptor, an object of
 * GStreamer's (its tracer `leaks`, which warns at gst_deinit()), and, where this was built with
 * AddressSanitizer, any block of memory: LeakSanitizer speaks at the exit. Warnings are fatal.
 * Prints a JSON line. ./run bench-gst leaks has it make a hundred cycles.
 */
#include "elements.h"
#include "test_pki.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <gst/gst.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 30
#define CYCLES 10
#define WARM 2 /* cycles before descriptors are counted: what is made once */
#define LIVE                                                                                  \
    "videotestsrc is-live=true ! video/x-raw,width=128,height=64,framerate=30/1 ! svcav1enc " \
    "layers=L2T2 speed=10 threads=1 pace=never ! "
#define OUT "appsink name=out sync=false max-buffers=2 drop=true"

static struct test_pki pki;
static gint alive; /* elements of all pipelines */
static gint next_port;

/* ---- a pipeline ---- */

static void on_gone(gpointer data, GObject *where)
{
    (void)data;
    (void)where;
    g_atomic_int_add(&alive, -1);
}

static void watch(const GValue *item, gpointer data)
{
    (void)data;
    g_atomic_int_inc(&alive);
    g_object_weak_ref(g_value_get_object(item), on_gone, NULL);
}

static GstElement *pipeline(const gchar *line)
{
    GError *why = NULL;
    GstElement *p = gst_parse_launch(line, &why);
    if (why)
        g_error("%s: %s", line, why->message);
    if (!GST_IS_BIN(p)) { /* an element alone */
        GstElement *around = gst_pipeline_new(NULL);
        gst_bin_add(GST_BIN(around), p);
        p = around;
    }
    GstIterator *all = gst_bin_iterate_elements(GST_BIN(p));
    gst_iterator_foreach(all, watch, NULL);
    gst_iterator_free(all);
    gst_element_set_state(p, GST_STATE_PLAYING);
    return p;
}

static void stop(GstElement *p)
{
    GstBus *bus = gst_element_get_bus(p);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    if (m)
        g_error("%s", gst_structure_to_string(gst_message_get_structure(m)));
    gst_object_unref(bus);
    gst_element_set_state(p, GST_STATE_NULL);
    gst_object_unref(p);
}

/* A picture, or whatever `out` gets, has come. */
static void something_comes(GstElement *p)
{
    GstSample *sample = NULL;
    GstElement *out = gst_bin_get_by_name(GST_BIN(p), "out");
    g_signal_emit_by_name(out, "try-pull-sample", (guint64)(PATIENCE_S * GST_SECOND), &sample);
    if (!sample)
        g_error("nothing came within %d s", PATIENCE_S);
    gst_sample_unref(sample);
    gst_object_unref(out);
}

/* ---- scenes: one cycle each ---- */

static void encoder(guint n, const gchar *rest)
{
    GstElement *p = pipeline(rest);
    something_comes(p);
    if (n % 2)
        gst_element_set_state(p, GST_STATE_PAUSED);
    stop(p);
}

/* A socket to which whoever calls gets no answer. Result: its port, below those that the system
 * gives away, and to none before; the descriptor in *fd. */
static guint deaf_socket(int *fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    guint port;
    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    do {
        port = 30000 + (guint)g_atomic_int_add(&next_port, 1) % 2000;
        at.sin_port = htons((guint16)port);
    } while (bind(*fd, (struct sockaddr *)&at, sizeof at) != 0);
    return port;
}

static guint free_port(void)
{
    int fd;
    const guint port = deaf_socket(&fd);
    close(fd);
    return port;
}

/* Stopped in the middle of its handshake: its first datagram is here. */
static void unanswered(guint n, const gchar *line)
{
    char datagram[2048];
    int fd;
    gchar **part = g_strsplit(line, "PORT", 2);
    gchar *whole = g_strdup_printf("%s%u%s", part[0], deaf_socket(&fd), part[1]);
    GstElement *p = pipeline(whole);
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    (void)n;
    if (poll(&readable, 1, PATIENCE_S * 1000) != 1 || recv(fd, datagram, sizeof datagram, 0) <= 0)
        g_error("nobody called within %d s", PATIENCE_S);
    stop(p);
    close(fd);
    g_strfreev(part);
    g_free(whole);
}

/* Where nobody listens at all. */
static void alone(guint n, const gchar *line)
{
    GstElement *p = pipeline(line);
    (void)n;
    g_usleep(20000);
    stop(p);
}

/* Both ends; `out` is in the receiver. Either goes first. */
static void both(guint n, const gchar *rest)
{
    const guint port = free_port();
    gchar *from = g_strdup_printf(
        LIVE "s.svc_0 audiotestsrc is-live=true ! audioconvert ! audio/x-raw,rate=48000 ! opusenc "
             "! s.audio_0 tvlsink name=s mode=listener uri=moqt://127.0.0.1:%u/live "
             "tls-certificate=%s tls-key=%s",
        port, pki.server, pki.server_key);
    gchar *to = g_strdup_printf("tvlsrc name=s uri=moqt://127.0.0.1:%u/live paths=127.0.0.1 "
                                "tls-ca=%s latency=100 %s",
                                port, pki.ca, rest);
    GstElement *sender = pipeline(from), *receiver = pipeline(to);
    something_comes(receiver);
    stop(n % 2 ? sender : receiver);
    stop(n % 2 ? receiver : sender);
    g_free(from);
    g_free(to);
}

static const struct scene {
    const char *name;
    void (*cycle)(guint n, const gchar *line);
    const char *line;
    guint at_once; /* cycles: most of the time of some is spent waiting */
} scenes[] = {
    { "svcav1enc", encoder, LIVE OUT, 1 },
    { "svcav1dec", encoder, LIVE "svcav1dec ! " OUT, 1 },
    { "svcav1parse", encoder, LIVE "svcav1parse ! " OUT, 1 },
    { "tvlsink alone", alone, LIVE "tvlsink uri=moqt://127.0.0.1:1/live", 2 },
    { "tvlsrc alone", alone, "tvlsrc uri=moqt://127.0.0.1:1/live", 2 },
    { "tvlsink in its handshake", unanswered, LIVE "tvlsink uri=moqt://127.0.0.1:PORT/live", 2 },
    { "tvlsrc in its handshake", unanswered, "tvlsrc uri=moqt://127.0.0.1:PORT/live", 2 },
    { "pictures", both, "! svcav1dec ! " OUT, 5 },
    { "sound", both, "s.audio_0 ! opusdec ! " OUT, 5 },
    { "decodebin3", both, "! decodebin3 ! video/x-raw ! " OUT, 5 },
};

/* ---- over and over ---- */

struct run {
    const struct scene *scene;
    guint from, to; /* cycles; each at_once-th is this thread's */
    GThread *thread;
};

#define AT_ONCE_MAX 5

static gpointer run(gpointer data)
{
    const struct run *r = data;
    for (guint n = r->from; n < r->to; n += r->scene->at_once)
        r->scene->cycle(n, r->scene->line);
    return NULL;
}

static gboolean is_wanted(const struct scene *s, int argc, char **argv)
{
    gboolean wanted = argc <= 2;
    for (int i = 2; i < argc; i++)
        wanted = wanted || strcmp(argv[i], s->name) == 0;
    return wanted;
}

static void run_all(guint from, guint to, int argc, char **argv)
{
    struct run r[G_N_ELEMENTS(scenes) * AT_ONCE_MAX];
    guint n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(scenes); i++)
        for (guint k = 0; k < scenes[i].at_once && is_wanted(&scenes[i], argc, argv); k++) {
            r[n] = (struct run){ &scenes[i], from + k, to, NULL };
            r[n].thread = g_thread_new(NULL, run, &r[n]);
            n++;
        }
    while (n > 0)
        g_thread_join(r[--n].thread);
}

static guint descriptors(void)
{
    guint n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

/* What is given to a thread of GStreamer's own is done soon. */
static gboolean comes_to(guint (*count)(void), guint most)
{
    for (guint i = 0; i < 300 && count() > most; i++)
        g_usleep(10000);
    return count() <= most;
}

static guint elements_alive(void)
{
    return (guint)g_atomic_int_get(&alive);
}

int main(int argc, char **argv)
{
    const struct test_pki_config cfg = { .kind = TEST_PKI_P256 };
    const guint cycles = argc > 1 ? (guint)atoi(argv[1]) : CYCLES;
    next_port = (gint)(g_get_monotonic_time() % 2000);
    g_setenv("GST_TRACERS", "leaks", FALSE);
    g_setenv("GST_REGISTRY_UPDATE", "no", TRUE);
    gst_init(NULL, NULL);
    g_log_set_always_fatal(
        (GLogLevelFlags)(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK));
    if (!GST_ELEMENT_REGISTER(svcav1enc, NULL) || !GST_ELEMENT_REGISTER(svcav1dec, NULL) ||
        !GST_ELEMENT_REGISTER(svcav1parse, NULL) || !GST_ELEMENT_REGISTER(tvlsink, NULL) ||
        !GST_ELEMENT_REGISTER(tvlsrc, NULL) || test_pki_init(&pki, &cfg) != 0)
        g_error("cannot be set up");
    GstElement *stock = gst_element_factory_make("opusenc", NULL);
    if (!stock) {
        g_print("SKIP: no opusenc (gstreamer1.0-plugins-base)\n");
        return 77;
    }
    gst_object_unref(gst_object_ref_sink(stock));
    run_all(0, WARM, argc, argv);
    const guint files = descriptors();
    run_all(WARM, WARM + cycles, argc, argv);
    const gboolean all_gone = comes_to(elements_alive, 0),
                   all_closed = comes_to(descriptors, files);
    g_print("{\"cycles\": %u, \"elements_alive\": %u, \"descriptors_more\": %d}\n", cycles,
            elements_alive(), (int)descriptors() - (int)files);
    test_pki_fini(&pki);
    gst_deinit(); /* the tracer warns here */
    return all_gone && all_closed ? 0 : 1;
}
