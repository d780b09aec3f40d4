/* test_report.c - the report's shape, which other programs rely on, and the meter that feeds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "meter.h"
#include "report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *example(void)
{
    static struct layers layers = { .n_spatial = 3, .n_temporal = 2, .base_lost = 4 };
    struct report_totals t = { .startup_ms = 412.5,
                               .connect_ms = -1,
                               .frames_shown = 1,
                               .stall_ms_max = 133.4567,
                               .n_paths = 1,
                               .layers = &layers };
    struct report *r = report_new();
    struct report_sample s = { .t_s = 0.2, .n_paths = 1, .top_spatial = 2, .rate_bps = 5000 };
    layers.count[2][1] = (struct layers_count){
        .expected = 10, .arrived = 9, .in_time = 8, .shown = 7, .received = 11
    };
    strcpy(t.path[0].name, "wifi");
    t.path[0].stats.state = TVL_PATH_SUSPECT;
    t.path[0].stats.bytes_received = UINT64_C(5000000000);
    s.path[0].state = TVL_PATH_UP;
    s.arrived[2][1] = 3;
    report_add_sample(r, &s);
    report_add_shown(r, &(struct report_shown){ 77, 2566666, { 2, 1 }, 0xdeadbeef, 1.5, 300 });
    report_add_stall(r, 3.5, 133.4567);
    report_add_event(r, 1, "path wifi suspect");
    json_t *root = report_json(r, &t);
    report_free(r);
    return root;
}

static void test_shape(void **state)
{
    (void)state;
    static const char *const numbers[] = { "startup_ms",     "duration_s",    "frames_shown",
                                           "frames_skipped", "stall_ms_max",  "base_layer_lost",
                                           "rebuffers",      "audio_packets", "audio_lost",
                                           "demand_changes" };
    json_t *root = example();
    assert_non_null(root);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_true(json_is_number(json_object_get(root, numbers[i])));
    assert_true(json_is_null(json_object_get(root, "connect_ms"))); /* never connected */
    assert_int_equal(json_integer_value(json_object_get(root, "base_layer_lost")), 4);
    json_t *path = json_array_get(json_object_get(root, "paths"), 0);
    assert_string_equal(json_string_value(json_object_get(path, "name")), "wifi");
    assert_string_equal(json_string_value(json_object_get(path, "state")), "suspect");
    assert_int_equal(json_integer_value(json_object_get(path, "bytes_received")), 5000000000);
    json_t *layers = json_object_get(root, "layers");
    assert_int_equal(json_array_size(layers), 6);
    json_t *top = json_array_get(layers, 5);
    assert_int_equal(json_integer_value(json_object_get(top, "s")), 2);
    assert_int_equal(json_integer_value(json_object_get(top, "in_time")), 8);
    json_t *row = json_array_get(json_object_get(root, "shown"), 0);
    assert_int_equal(json_array_size(row), 7);
    assert_int_equal(json_integer_value(json_array_get(row, 4)), 0xdeadbeef);
    json_t *sample = json_array_get(json_object_get(root, "timeline"), 0);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(sample, "layers"), 5)), 3);
    json_t *stall = json_array_get(json_object_get(root, "stalls"), 0);
    assert_true(json_real_value(json_object_get(stall, "ms")) == 133.457);
    json_t *event = json_array_get(json_object_get(root, "events"), 0);
    assert_string_equal(json_string_value(json_object_get(event, "what")), "path wifi suspect");
    json_decref(root);
}

static void test_many_rows(void **state)
{
    (void)state;
    struct layers layers = { 0 };
    struct report_totals t = { .layers = &layers };
    struct report *r = report_new();
    for (int i = 0; i < 3 * REPORT_EVENTS_MAX; i++)
        report_add_event(r, i, "again");
    json_t *root = report_json(r, &t);
    size_t kept = json_array_size(json_object_get(root, "events"));
    assert_true(kept >= REPORT_EVENTS_MAX && kept < 2 * REPORT_EVENTS_MAX);
    assert_int_equal(json_integer_value(json_object_get(root, "rows_dropped")),
                     3 * REPORT_EVENTS_MAX - kept);
    json_decref(root);
    report_free(r);
}

static void test_write_fails(void **state)
{
    (void)state;
    struct layers layers = { 0 };
    struct report_totals t = { .layers = &layers };
    struct report *r = report_new();
    char why[300] = "";
    assert_int_equal(report_write(r, &t, "/nonexistent/dir/x.json", why, sizeof why), -1);
    assert_true(strstr(why, "/nonexistent/dir/x.json") != NULL);
    report_free(r);
}

/* A path that dies and is opened anew under another ID keeps its place and its sums. */
static void test_meter(void **state)
{
    (void)state;
    struct meter *m = calloc(1, sizeof *m);
    struct osd_view *view = calloc(1, sizeof *view);
    struct layers layers = { .n_spatial = 1, .n_temporal = 1 };
    struct session_path path = { .name = "lte" };
    struct report_sample row = { 0 };
    struct meter_input in = { .path = &path, .n_paths = 1, .layers = &layers };
    for (int i = 0; i < 20; i++) {
        bool second_life = i >= 10;
        path.stats.id = second_life ? 3 : 1;
        path.stats.bytes_received = (uint64_t)(second_life ? i - 9 : i) * 25000; /* 1 Mbit/s */
        in.now_us = i * METER_PERIOD_US;
        in.frames_shown = (uint64_t)i * 6;
        layers.count[0][0].expected = (uint64_t)i * 6;
        layers.count[0][0].in_time = (uint64_t)i * 3;
        layers.count[0][0].received += 5;
        meter_sample(m, &in, view, &row);
        if (i > 0)
            assert_int_equal(row.path[0].rate_bps, 1000000);
        assert_int_equal(row.n_paths, 1);
    }
    assert_int_equal(view->path[0].rate_bps, 1000000);
    assert_true(view->fps == 30 && view->path[0].share == 1);
    assert_true(view->layer[0][0].in_time == 0.5);
    assert_int_equal(row.arrived[0][0], 5);
    struct report_path out[TVL_PATHS_MAX];
    assert_int_equal(meter_paths(m, out), 1);
    assert_int_equal(out[0].stats.bytes_received, 9 * 25000 + 10 * 25000);
    free(view);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_meter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
