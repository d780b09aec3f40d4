/* test_broadcast.c - one source and the workers that follow it, with a feed of the test's and
 * letters that are kept: who gets what, and from when; a worker that does not run; the ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broadcast.h"
#include "feed_source.h"
#include "log.h"
#include "recorder.h"
#include "window.h"

#define WORKERS 3

/* ---- what it stands on ---- */

static struct {
    struct feed feed;
    struct feed_sink sink;
    struct svc_stream_info info;
    bool fails, slow, opened, started;
    unsigned opens, frees;
} source;

static unsigned warnings; /* lines of the log */

void log_line(enum log_level level, const char *format, ...)
{
    (void)format;
    warnings += level <= LOG_WARN;
}

static const struct svc_stream_info *info_of(const struct feed *f)
{
    (void)f;
    return source.opened ? &source.info : NULL;
}

static void start_it(struct feed *f, uint64_t delay_us)
{
    (void)f;
    (void)delay_us;
    source.started = true;
}

static void stop_it(struct feed *f)
{
    (void)f;
    source.started = false;
}

static void free_it(struct feed *f)
{
    (void)f;
    source.frees++;
}

int feed_source_open(struct feed **out, const struct feed_sink *sink,
                     const struct config_source *cfg, char *why, size_t why_size)
{
    static const struct feed_ops ops = {
        .info = info_of, .start = start_it, .stop = stop_it, .free = free_it
    };
    (void)cfg;
    source.opens += !source.fails;
    snprintf(why, why_size, "there is none");
    source.feed.ops = &ops;
    source.sink = *sink;
    source.opened = !source.slow;
    *out = &source.feed;
    return source.fails ? -1 : 0;
}

bool feed_source_may_return(const struct config_source *cfg)
{
    return cfg->kind == CONFIG_LIVE;
}

const char *feed_source_kind(enum config_source_kind kind)
{
    return kind == CONFIG_FILE ? "file" : "live";
}

/* Nothing is recorded or kept here. */
int recorder_new(struct recorder **out, const char *path, const struct svc_stream_info *info,
                 char *why, size_t why_size)
{
    (void)out;
    (void)path;
    (void)info;
    (void)why;
    (void)why_size;
    return -1;
}

void recorder_put(struct recorder *r, struct media *m)
{
    (void)r;
    (void)m;
}

void recorder_get_stats(struct recorder *r, struct recorder_stats *out)
{
    (void)r;
    *out = (struct recorder_stats){ .bytes = 0 };
}

void recorder_free(struct recorder *r)
{
    (void)r;
}

struct relay_note;
void relay_note_free(struct relay_note *n);
void relay_note_free(struct relay_note *n)
{
    (void)n;
}

/* ---- the host ---- */

static struct {
    struct letter *last; /* the newest of each worker, and all before it */
    size_t n, media, waiting;
} box[WORKERS];
static unsigned overs;

static void post(void *user, unsigned worker, struct letter *l)
{
    (void)user;
    box[worker].n++;
    box[worker].media += l->kind == LETTER_MEDIA;
    l->next = box[worker].last;
    box[worker].last = l;
}

static void flush(void *user)
{
    (void)user;
}

static size_t waiting(void *user, unsigned worker)
{
    (void)user;
    return box[worker].waiting;
}

static void over(void *user, struct broadcast *b, enum feed_end end)
{
    (void)user;
    (void)b;
    (void)end;
    overs++;
}

static struct broadcast_host host = {
    .workers = WORKERS, .post = post, .flush = flush, .waiting = waiting, .over = over
};

static struct config_source film = { .ns = "film", .kind = CONFIG_FILE, .latency_ms = 400 };

static struct broadcast *set_up(const struct config_source *cfg)
{
    memset(&source, 0, sizeof source);
    source.info = (struct svc_stream_info){ .n_spatial = 1, .n_temporal = 1, .n_layers = 1 };
    snprintf(source.info.codec, sizeof source.info.codec, "av01");
    source.info.layers[0] =
        (struct svc_layer_info){ .width = 320, .height = 180, .bitrate_bps = 300000 };
    host.loop = ev_loop_new(0);
    warnings = overs = 0;
    return broadcast_new(&host, cfg);
}

static void forget_letters(void)
{
    for (int i = 0; i < WORKERS; i++) {
        while (box[i].last) {
            struct letter *l = box[i].last;
            box[i].last = l->next;
            letter_free(l);
        }
        box[i].n = box[i].media = 0;
    }
}

static void take_down(struct broadcast *b)
{
    broadcast_free(b);
    forget_letters();
    memset(box, 0, sizeof box);
    ev_loop_destroy(host.loop);
    assert_int_equal(source.frees, source.opens);
}

static void tell(struct broadcast *b, enum letter_kind kind, unsigned worker, uint64_t id)
{
    struct letter *l = letter_new(kind);
    l->worker = worker;
    l->id = id;
    snprintf(l->ns, sizeof l->ns, "film");
    broadcast_read(b, l);
    letter_free(l);
}

static void give(bool key)
{
    static const uint8_t bytes[] = { 1 };
    static uint64_t picture;
    const struct svc_packet pkt = {
        .kind = SVC_VIDEO,
        .unit = { .bytes = bytes, .len = 1, .picture = picture++, .key = key },
    };
    source.sink.on_packet(source.sink.user, &pkt);
}

/* ---- tests ---- */

static void who_asks_is_shown_and_gets_all_from_then_on(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    assert_int_equal(broadcast_start(b), 0);
    assert_true(source.started);
    give(true);
    tell(b, LETTER_WANTED, 1, 0);
    assert_int_equal(box[1].last->kind, LETTER_SHOWN);
    assert_string_equal(box[1].last->view->ns, "film");
    assert_true(box[1].last->has_largest[1]);
    const uint64_t run = box[1].last->view->id;
    give(false);
    tell(b, LETTER_WANTED, 2, 0);
    give(false);
    assert_int_equal(box[0].n, 0);
    assert_int_equal(box[1].media, 2);
    assert_int_equal(box[2].media, 1);
    assert_ptr_equal(box[1].last->media, box[2].last->media); /* made once */
    tell(b, LETTER_LEFT, 1, run + 1);                         /* of another run: nothing */
    give(false);
    tell(b, LETTER_LEFT, 1, run);
    give(false);
    assert_int_equal(box[1].media, 3);
    assert_int_equal(box[2].media, 3);
    take_down(b);
}

static void a_worker_that_does_not_run_loses_whole_groups(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 0, 0);
    tell(b, LETTER_WANTED, 1, 0);
    give(true);
    box[1].waiting = BROADCAST_QUEUE_MAX;
    for (int i = 0; i < 50; i++)
        give(i % 10 == 9);
    assert_int_equal(box[0].media, 51); /* the other one has all */
    assert_int_equal(box[1].media, 1);
    assert_int_equal(warnings, 1); /* one line */
    box[1].waiting = BROADCAST_QUEUE_MAX / 2 - 1;
    give(false); /* nothing that leans on what it lacks */
    assert_int_equal(box[1].media, 1);
    give(true);
    give(false);
    assert_int_equal(box[1].media, 3);
    assert_int_equal(warnings, 1);
    take_down(b);
}

static void what_a_stopping_server_ends_goes_on(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 0, 0);
    broadcast_halt(b);
    source.sink.on_end(source.sink.user, FEED_END);
    assert_int_equal(box[0].last->kind, LETTER_OVER);
    assert_int_equal(box[0].last->code, MOQ_DONE_GOING_AWAY);
    take_down(b);
}

static void an_end_is_told_and_the_next_is_refused(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 0, 0);
    source.sink.on_end(source.sink.user, FEED_END);
    assert_int_equal(box[0].last->kind, LETTER_OVER);
    assert_int_equal(box[0].last->code, MOQ_DONE_TRACK_ENDED);
    assert_int_equal(broadcast_state(b), SOURCE_ENDED);
    assert_int_equal(overs, 1);
    assert_int_equal(source.frees, 0); /* the feed has called */
    ev_run(host.loop, EVRUN_ONCE);
    assert_int_equal(source.frees, 1);
    tell(b, LETTER_WANTED, 2, 0);
    assert_int_equal(box[2].last->kind, LETTER_REFUSED);
    assert_int_equal(box[2].last->code, MOQ_REQ_DOES_NOT_EXIST);
    assert_int_equal(warnings, 0);
    assert_int_equal(broadcast_start(b), 0); /* by order */
    assert_int_equal(broadcast_state(b), SOURCE_RUNNING);
    take_down(b);
}

static void what_is_on_demand_waits_for_somebody(void **state)
{
    struct config_source cfg = film;
    cfg.on_demand = true;
    struct broadcast *b = set_up(&cfg);

    (void)state;
    assert_int_equal(source.opens, 0);
    tell(b, LETTER_WANTED, 0, 0);
    assert_int_equal(source.opens, 1);
    assert_int_equal(box[0].last->kind, LETTER_SHOWN);
    assert_false(source.started); /* the catalog alone needs no picture */
    tell(b, LETTER_WATCHED, 0, box[0].last->view->id);
    assert_true(source.started);
    source.sink.on_end(source.sink.user, FEED_END);
    tell(b, LETTER_WANTED, 1, 0); /* it begins again */
    assert_int_equal(source.opens, 2);
    assert_int_equal(box[1].last->kind, LETTER_SHOWN);
    take_down(b);
}

static void a_failure_is_one_line_and_an_answer(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    source.fails = true;
    assert_int_equal(broadcast_start(b), -1);
    assert_string_equal(broadcast_why(b), "there is none");
    assert_int_equal(warnings, 1);
    tell(b, LETTER_WANTED, 0, 0);
    assert_int_equal(box[0].last->kind, LETTER_REFUSED);
    source.fails = false;
    tell(b, LETTER_WANTED, 1, 0); /* a file does not come back */
    assert_int_equal(box[1].last->kind, LETTER_REFUSED);
    assert_int_equal(source.opens, 0);
    take_down(b);
}

static void what_may_return_is_waited_for(void **state)
{
    struct config_source cfg = film;
    cfg.kind = CONFIG_LIVE;
    struct broadcast *b = set_up(&cfg);

    (void)state;
    source.fails = true;
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 0, 0);
    assert_int_equal(box[0].n, 0); /* it waits */
    source.fails = false;
    ev_run(host.loop, EVRUN_ONCE); /* BROADCAST_RETRY_MIN_S */
    assert_int_equal(source.opens, 1);
    assert_int_equal(box[0].last->kind, LETTER_SHOWN);
    take_down(b);
}

static void a_slow_source_answers_when_it_is_open(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    source.slow = true;
    assert_int_equal(broadcast_start(b), 0);
    assert_int_equal(broadcast_state(b), SOURCE_STARTING);
    tell(b, LETTER_WANTED, 0, 0);
    assert_int_equal(broadcast_start(b), 0); /* once is enough */
    assert_int_equal(source.opens, 1);
    assert_int_equal(box[0].n, 0);
    source.opened = true;
    source.sink.on_open(source.sink.user, NULL);
    assert_int_equal(box[0].last->kind, LETTER_SHOWN);
    assert_true(source.started);
    take_down(b);
}

static void a_slow_source_may_fail_or_be_stopped(void **state)
{
    struct broadcast *b = set_up(&film);

    (void)state;
    source.slow = true;
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 0, 0);
    source.sink.on_open(source.sink.user, "no such device");
    assert_int_equal(box[0].last->kind, LETTER_REFUSED);
    assert_string_equal(broadcast_why(b), "no such device");
    (void)broadcast_start(b);
    tell(b, LETTER_WANTED, 1, 0);
    broadcast_stop(b, "by order");
    assert_int_equal(box[1].last->kind, LETTER_REFUSED);
    assert_true(broadcast_is_stopped(b));
    tell(b, LETTER_WANTED, 2, 0); /* no viewer starts it */
    assert_int_equal(box[2].last->kind, LETTER_REFUSED);
    assert_int_equal(source.opens, 2);
    take_down(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_is_shown_and_gets_all_from_then_on),
        cmocka_unit_test(a_worker_that_does_not_run_loses_whole_groups),
        cmocka_unit_test(what_a_stopping_server_ends_goes_on),
        cmocka_unit_test(an_end_is_told_and_the_next_is_refused),
        cmocka_unit_test(what_is_on_demand_waits_for_somebody),
        cmocka_unit_test(a_failure_is_one_line_and_an_answer),
        cmocka_unit_test(what_may_return_is_waited_for),
        cmocka_unit_test(a_slow_source_answers_when_it_is_open),
        cmocka_unit_test(a_slow_source_may_fail_or_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
