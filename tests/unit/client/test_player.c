/*
 * test_player.c - the player with the real encoder and decoder: units of a small clip are delivered
 * in time, late, out of order and not at all, and what is shown is compared with what a decoder
 * makes of the same layers. Runs on the event loop's real clock, with a latency that forgives a
 * busy machine; no assertion depends on how busy it is unless the text says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../shares.h"
#include "player.h"

#include <ev.h>
#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#define WIDTH 320
#define HEIGHT 192
#define PICTURES 24
#define LAYERS 3
#define FRAME_US 50000 /* 20 per second */

struct sent {
    struct svc_unit unit;
    double at_s; /* of delivery; negative: lost */
};

struct clip {
    struct sent unit[PICTURES][LAYERS];
    uint32_t crc[PICTURES][LAYERS]; /* of the reference decoder, by best layer; all below there */
};

struct stage {
    struct ev_loop *loop;
    struct player *player;
    struct report *report;
    FILE *decisions;
    struct args args;
    ev_timer post;
    struct clip *clip;
    size_t order[PICTURES * LAYERS], next;
    bool judged;
};

/* A place that is taken over; to be due so long after the start, us, 0: a still one. */
struct taken {
    int64_t pts, in_us;
};

static void draw(uint8_t *luma, unsigned n)
{
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = 0; x < WIDTH; x++)
            luma[y * WIDTH + x] = (uint8_t)(((x + 3 * n) ^ (y + n)) & 0x7f);
}

static void encode(struct clip *c)
{
    struct svc_encoder_config cfg;
    struct svc_encoder *e;
    static uint8_t luma[WIDTH * HEIGHT], chroma[WIDTH * HEIGHT / 4];
    svc_encoder_config_init(&cfg);
    cfg.width = WIDTH;
    cfg.height = HEIGHT;
    cfg.fps_num = 20;
    cfg.fps_den = 1;
    cfg.key_interval = 0;
    cfg.threads = 1;
    for (int s = 0; s < LAYERS; s++)
        cfg.quantizer[s] = 45;
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    memset(chroma, 128, sizeof chroma);
    for (unsigned n = 0; n < PICTURES; n++) {
        struct svc_image img = {
            .width = WIDTH,
            .height = HEIGHT,
            .plane = { luma, chroma, chroma },
            .stride = { WIDTH, WIDTH / 2, WIDTH / 2 },
        };
        struct svc_unit units[SVC_SPATIAL_MAX];
        draw(luma, n);
        assert_int_equal(svc_encoder_encode(e, &img, (int64_t)n * FRAME_US, false, units), LAYERS);
        for (int s = 0; s < LAYERS; s++) {
            uint8_t *copy = malloc(units[s].len);
            memcpy(copy, units[s].bytes, units[s].len);
            c->unit[n][s] = (struct sent){ units[s], n * FRAME_US / 1e6 };
            c->unit[n][s].unit.bytes = copy;
        }
    }
    svc_encoder_free(e);
}

/* What each picture looks like when layers 0..s of every picture are there. */
static void make_reference(struct clip *c, int top)
{
    struct svc_decoder *d;
    assert_int_equal(svc_decoder_new(&d, "av1", 1), 0);
    for (unsigned n = 0; n < PICTURES; n++) {
        struct svc_unit units[LAYERS];
        struct svc_picture pic;
        for (int s = 0; s <= top; s++)
            units[s] = c->unit[n][s].unit;
        assert_int_equal(svc_decoder_decode(d, units, (size_t)top + 1, &pic), 1);
        assert_int_equal(pic.layer.spatial, top);
        c->crc[n][top] = svc_image_crc(&pic.image);
        svc_picture_release(d, &pic);
    }
    svc_decoder_free(d);
}

static int setup(void **state)
{
    struct clip *c = calloc(1, sizeof *c);
    encode(c);
    for (int top = 0; top < LAYERS; top++)
        make_reference(c, top);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct clip *c = *state;
    for (unsigned n = 0; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++)
            free((void *)(uintptr_t)c->unit[n][s].unit.bytes);
    free(c);
    return 0;
}

static void all_in_time(struct clip *c)
{
    for (unsigned n = 0; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++)
            c->unit[n][s].at_s = n * FRAME_US / 1e6;
}

static const struct sent *nth(const struct stage *st, size_t i)
{
    return &st->clip->unit[st->order[i] / LAYERS][st->order[i] % LAYERS];
}

static void on_post(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct stage *st = timer->data;
    (void)events;
    if (st->next == PICTURES * LAYERS && st->judged) {
        player_no_more(st->player);
        return;
    }
    if (st->next == PICTURES * LAYERS) { /* a turn later: what came is judged once */
        struct svc_layer top;
        player_demand(st->player, 0, 0, &top);
        st->judged = true;
        ev_timer_start(loop, timer);
        return;
    }
    const struct sent *s = nth(st, st->next++);
    if (s->at_s >= 0)
        player_unit(st->player, &s->unit);
    double wait = st->next < PICTURES * LAYERS ? nth(st, st->next)->at_s - s->at_s : 0.15;
    ev_timer_set(timer, s->at_s >= 0 && wait > 0 ? wait : 0, 0);
    ev_timer_start(loop, timer);
}

static void on_finished(void *user)
{
    struct stage *st = user;
    ev_break(st->loop, EVBREAK_ALL);
}

/* Delivery order: by time, ties by picture and layer; lost ones first. */
static void sort(struct stage *st)
{
    for (size_t i = 0; i < PICTURES * LAYERS; i++) {
        size_t at = i;
        double t = st->clip->unit[i / LAYERS][i % LAYERS].at_s;
        for (; at > 0 && nth(st, at - 1)->at_s > t; at--)
            st->order[at] = st->order[at - 1];
        st->order[at] = i;
    }
}

/* Units that the player found of no use, of its only demand. */
static json_int_t useless(FILE *decisions)
{
    json_int_t sum = 0;
    char line[DECISION_LINE_MAX];
    rewind(decisions);
    while (fgets(line, sizeof line, decisions)) {
        json_t *d = json_loads(line, 0, NULL), *n;
        size_t i;
        json_array_foreach(json_object_get(json_object_get(d, "in"), "useless"), i, n) sum +=
            json_integer_value(n);
        json_decref(d);
    }
    fclose(decisions);
    return sum;
}

/* Plays the clip as its delivery times say, from a place on (NULL: none); the result is the report,
 * with "useless" units. */
static json_t *play_from(struct clip *c, uint32_t latency_ms, const struct taken *from)
{
    struct stage st = { .clip = c,
                        .decisions = tmpfile(),
                        .args = { .latency_ms = latency_ms, .headless = true } };
    struct msf_catalog catalog = { .n_tracks = 6 };
    struct subscription_plan plan = { .n = 6, .n_spatial = 3, .n_temporal = 2 };
    struct player_config cfg = { .args = &st.args,
                                 .process_began_us = player_clock(),
                                 .on_finished = on_finished,
                                 .user = &st };
    struct report_totals totals = { 0 };
    char why[200];
    for (size_t i = 0; i < 6; i++) {
        strcpy(catalog.tracks[i].role, "video");
        catalog.tracks[i].framerate = 20;
        plan.item[i] =
            (struct subscription_item){ .track = i,
                                        .layer = { (uint8_t)(i / 2), (uint8_t)(i % 2) } };
    }
    cfg.loop = st.loop = ev_loop_new(0);
    cfg.report = st.report = report_new();
    cfg.policy_log = st.decisions;
    assert_non_null(st.decisions);
    assert_int_equal(player_new(&st.player, &cfg, why, sizeof why), 0);
    player_catalog(st.player, &catalog, &plan);
    if (from)
        player_take_place(st.player, from->pts, from->in_us ? player_clock() + from->in_us : 0);
    sort(&st);
    ev_timer_init(&st.post, on_post, 0.001, 0);
    st.post.data = &st;
    ev_timer_start(st.loop, &st.post);
    ev_run(st.loop, 0);
    player_measure(st.player, NULL, 0);
    player_totals(st.player, &totals);
    json_t *report = report_json(st.report, &totals);
    json_object_set_new(report, "useless", json_integer(useless(st.decisions)));
    player_free(st.player);
    report_free(st.report);
    ev_loop_destroy(st.loop);
    return report;
}

static json_t *play(struct clip *c, uint32_t latency_ms)
{
    return play_from(c, latency_ms, NULL);
}

/* Every shown picture is what the reference decoder makes of its layers, in rising order. */
static void assert_nothing_broken(const struct clip *c, json_t *report)
{
    json_t *rows = json_object_get(report, "shown");
    json_int_t last = -1;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_int_t n = json_integer_value(json_array_get(row, 0));
        json_int_t s = json_integer_value(json_array_get(row, 2));
        assert_true(n > last && n < PICTURES && s < LAYERS);
        assert_int_equal(json_integer_value(json_array_get(row, 4)), c->crc[n][s]);
        last = n;
    }
}

static json_int_t get(json_t *report, const char *key)
{
    return json_integer_value(json_object_get(report, key));
}

static json_int_t shown_spatial(json_t *report, json_int_t picture)
{
    json_t *rows = json_object_get(report, "shown");
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (json_integer_value(json_array_get(json_array_get(rows, i), 0)) == picture)
            return json_integer_value(json_array_get(json_array_get(rows, i), 2));
    return -1;
}

/* The group up to picture 10 comes at once, its upper layers last, the rest in time. */
static void group_at_once(struct clip *c)
{
    for (unsigned n = 0; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++)
            c->unit[n][s].at_s = n <= 10 ? s * 0.002 : (n - 10) * FRAME_US / 1e6;
}

static json_int_t first_shown(json_t *report)
{
    json_t *row = json_array_get(json_object_get(report, "shown"), 0);
    return json_integer_value(json_array_get(row, 0));
}

/* Another player shows picture 10 in a second: so does this one, with every layer, and nothing
 * before. */
static void test_place_taken_over(void **state)
{
    struct clip *c = *state;
    group_at_once(c);
    json_t *r = play_from(c, 300, &(struct taken){ 10 * FRAME_US, 1000000 });
    assert_nothing_broken(c, r);
    assert_true(first_shown(r) >= 10);
    assert_true(json_number_value(json_object_get(r, "wall_zero_ms")) >= 990);
    assert_int_equal(shown_spatial(r, first_shown(r)), 2);
    assert_int_equal(shown_spatial(r, PICTURES - 1), 2);
    assert_int_equal(get(r, "base_layer_lost"), 0);
    json_decref(r);
}

/* It is paused there: that very picture is shown, however long catching up takes. */
static void test_still_place_taken_over(void **state)
{
    struct clip *c = *state;
    group_at_once(c);
    json_t *r = play_from(c, 300, &(struct taken){ 10 * FRAME_US, 0 });
    assert_nothing_broken(c, r);
    assert_int_equal(first_shown(r), 10);
    assert_int_equal(shown_spatial(r, 10), 2);
    json_decref(r);
}

static void test_all_arrives(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    json_t *r = play(c, 500);
    assert_nothing_broken(c, r);
    assert_int_equal(get(r, "base_layer_lost"), 0);
    assert_int_equal(get(r, "frames_shown") + get(r, "frames_skipped"), PICTURES);
    assert_int_equal(shown_spatial(r, PICTURES - 1), 2);
    json_t *layer = json_array_get(json_object_get(r, "layers"), 5);
    assert_int_equal(get(layer, "expected"), PICTURES / 2);
    assert_int_equal(get(layer, "in_time"), PICTURES / 2);
    json_decref(r);
}

/*
 * A live encoder that is short of time leaves pictures out: numbers go on, time steps by more than
 * a period. None is missing, and what follows is in time, though with less latency than the step
 * nobody knew that the next picture would come later.
 */
static void test_pictures_left_out(void **state)
{
    struct clip *c = *state;
    for (unsigned n = 0; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++) {
            const unsigned left_out = n >= 14 ? 5 : n >= 7 ? 2 : 0;
            c->unit[n][s].at_s = (n + left_out) * FRAME_US / 1e6;
            c->unit[n][s].unit.pts = (int64_t)(n + left_out) * FRAME_US;
        }
    json_t *r = play(c, 90);
    for (unsigned n = 0; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++)
            c->unit[n][s].unit.pts = (int64_t)n * FRAME_US;
    assert_nothing_broken(c, r);
    assert_int_equal(get(r, "base_layer_lost"), 0);
    assert_int_equal(get(r, "rebuffers"), 0);
    assert_int_equal(get(r, "units_late_healed"), 0);
    json_decref(r);
}

/* Deliveries within the latency, in a scrambled order, change nothing that is seen. */
static void test_out_of_order(void **state)
{
    struct clip *c = *state;
    uint32_t random = 3;
    all_in_time(c);
    for (unsigned n = 1; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++) {
            random = random * 1664525u + 1013904223u;
            c->unit[n][s].at_s += (random >> 24) / 256.0 * 0.2;
        }
    json_t *r = play(c, 600);
    assert_nothing_broken(c, r);
    assert_int_equal(get(r, "base_layer_lost"), 0);
    assert_int_equal(shown_spatial(r, PICTURES - 1), 2);
    json_decref(r);
}

/* The top layer of one T0 picture is lost for good: the top stays away, nothing is broken. */
static void test_upper_layer_lost(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    c->unit[6][2].at_s = -1;
    json_t *r = play(c, 500);
    assert_nothing_broken(c, r);
    assert_int_equal(get(r, "base_layer_lost"), 0);
    assert_int_equal(shown_spatial(r, 4), 2);
    assert_int_equal(shown_spatial(r, 6), 1);
    assert_int_equal(shown_spatial(r, 8), 1);
    json_decref(r);
}

/*
 * All of a T0 picture comes 300 ms after its time, so that neither it nor those that build on it
 * could be shown: it is still decoded, then they are, and the rest plays with every layer. (Of a
 * picture whose lower layers were there, a late upper unit can seldom heal: it reads the slot of
 * its own lower layer, which the next picture has filled anew.)
 */
static void test_late_picture_heals(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    for (int s = 0; s < LAYERS; s++)
        c->unit[6][s].at_s = 6 * FRAME_US / 1e6 + 0.8;
    json_t *r = play(c, 500);
    assert_nothing_broken(c, r);
    assert_int_equal(shown_spatial(r, 5), 2);
    assert_int_equal(shown_spatial(r, 6), -1);
    assert_int_equal(shown_spatial(r, 8), -1);
    assert_int_equal(shown_spatial(r, PICTURES - 1), 2);
    assert_true(get(r, "units_late_healed") >= 2);
    assert_int_equal(get(r, "useless"), 0); /* it was of use */
    assert_true(json_array_size(json_object_get(r, "stalls")) == 1);
    json_decref(r);
}

/* Late units when what they read has gone, one that nobody would read: they came for nothing. */
static void test_late_for_nothing(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    c->unit[6][2].at_s += 0.8;
    c->unit[9][2].at_s += 0.7;
    json_t *r = play(c, 500);
    assert_nothing_broken(c, r);
    assert_int_equal(shown_spatial(r, 6), 1);
    assert_int_equal(get(r, "useless"), 2);
    json_decref(r);
}

/* Nothing of three pictures, one of them a T0: the base breaks until the end, and is counted. */
static void test_base_lost(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    for (unsigned n = 7; n < 10; n++)
        for (int s = 0; s < LAYERS; s++)
            c->unit[n][s].at_s = -1;
    json_t *r = play(c, 500);
    assert_nothing_broken(c, r);
    assert_int_equal(get(r, "base_layer_lost"), PICTURES - 7);
    assert_int_equal(get(r, "frames_shown"), 7);
    json_decref(r);
}

/*
 * The sender stands still for longer than the latency, without leaving out numbers: those whose
 * time had seemed to pass meanwhile are shown when they come in time after all.
 */
static void test_sender_stands_still(void **state)
{
    struct clip *c = *state;
    all_in_time(c);
    for (unsigned n = 8; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++) {
            c->unit[n][s].at_s += 0.8;
            c->unit[n][s].unit.pts += 800000;
        }
    json_t *r = play(c, 500);
    for (unsigned n = 8; n < PICTURES; n++)
        for (int s = 0; s < LAYERS; s++)
            c->unit[n][s].unit.pts -= 800000;
    assert_nothing_broken(c, r);
    for (json_int_t n = 8; n < PICTURES; n++)
        assert_int_equal(shown_spatial(r, n), 2);
    json_decref(r);
}

#define N(array) (sizeof(array) / sizeof *(array))

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_arrives),
        cmocka_unit_test(test_place_taken_over),
        cmocka_unit_test(test_still_place_taken_over),
        cmocka_unit_test(test_pictures_left_out),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_upper_layer_lost),
        cmocka_unit_test(test_late_picture_heals),
        cmocka_unit_test(test_late_for_nothing),
        cmocka_unit_test(test_base_lost),
        cmocka_unit_test(test_sender_stands_still),
    };
    struct shares s;
    shares_begin(&s, tests, N(tests)); /* they wait for the times of pictures */
    return shares_end(&s, cmocka_run_group_tests(tests, setup, teardown));
}
