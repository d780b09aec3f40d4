/* test_sender.c - what the sender says of itself: read as far as it makes sense, in words, and
 * never believed blindly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sender_view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t id[8] = { 0, 1, 2, 0xab, 0xcd, 0xef, 7, 8 };
#define HEAD "{\"version\":1,\"connection\":\"000102abcdef0708\""

static const char good[] =
    HEAD ",\"namespace\":\"live\",\"span_ms\":1000,\"rate_bps\":2000000,\"sure_bps\":1900000,"
         "\"loss\":0.01,\"queue_ms\":12.5,\"top\":1,\"paths\":["
         "{\"id\":0,\"state\":\"up\",\"client\":\"192.0.2.7:4000\",\"rate_bps\":1500000,"
         "\"sending_bps\":900000,\"delivery_bps\":880000,\"rtt_ms\":23.4,\"rtt_min_ms\":20,"
         "\"loss\":0.02,\"cwnd_bytes\":40000,\"in_flight_bytes\":12000,\"cc\":\"bbr\","
         "\"cc_from\":\"copa\",\"cc_reason\":\"random losses\",\"cc_ago_s\":12.3},"
         "{\"id\":3,\"cc\":\"copa\",\"cc_from\":null,\"cc_reason\":\"configured\","
         "\"cc_ago_s\":null,\"rtt_ms\":null}],"
         "\"layers\":[{\"spatial\":0,\"temporal\":0,\"why\":\"sent\",\"needed_bps\":300000,"
         "\"sending_bps\":290000,\"offered\":15,\"sent\":15},"
         "{\"spatial\":2,\"temporal\":0,\"why\":\"rate\",\"needed_bps\":2400000,\"offered\":15,"
         "\"dropped_rate\":1,\"dropped_broken\":14},"
         "{\"spatial\":1,\"temporal\":1,\"why\":\"queue\",\"offered\":10,\"dropped_queue\":1},"
         "{\"spatial\":1,\"temporal\":0,\"why\":\"retry\",\"retry_ms\":2100}],"
         "\"encoder\":{\"speed\":-2,\"load\":0.6,\"fps\":30,\"spatial_layers\":3,"
         "\"temporal_layers\":2,\"layer_bps\":[300000,null]}}";

static int take(struct sender_view *v, const char *json)
{
    return sender_view_read(v, json, strlen(json), id, sizeof id);
}

static void test_good(void **state)
{
    struct sender_view v;
    (void)state;
    assert_int_equal(take(&v, good), 0);
    assert_true(v.known);
    assert_int_equal(v.top, 1);
    assert_int_equal(v.n_paths, 2);
    const struct sender_path *p = sender_view_path(&v, 0);
    assert_non_null(p);
    assert_string_equal(p->cc, "bbr");
    assert_string_equal(p->client, "192.0.2.7:4000");
    assert_true(p->rtt_ms > 23.3 && p->rtt_ms < 23.5);
    p = sender_view_path(&v, 3);
    assert_non_null(p);
    assert_true(p->rtt_ms < 0 && p->loss < 0 && p->cc_ago_s < 0); /* not said */
    assert_null(sender_view_path(&v, 1));
    assert_int_equal(v.layer[2][0].why, SENDER_WHY_RATE);
    assert_true(v.layer[2][0].left_out == 1);
    assert_false(v.layer[2][1].known);
    assert_int_equal(v.encoder.speed, -2);
    assert_true(v.encoder.layer_bps[0] == 300000 && v.encoder.layer_bps[1] < 0);
}

static void test_words(void **state)
{
    static const struct {
        struct svc_layer l;
        const char *text, *brief;
    } rows[] = {
        { { 0, 0 }, "sent, 0.29 Mbit/s", "sent, 0.29" },
        { { 2, 0 }, "no room: needs 2.4 Mbit/s of 1.9", "needs 2.4 of 1.9" },
        { { 1, 1 }, "10 % left out: would be late", "10 % too late" },
        { { 1, 0 }, "went badly; tried again in 3 s", "went badly" },
    };
    struct sender_view v;
    char text[SENDER_TEXT_MAX];
    (void)state;
    assert_int_equal(take(&v, good), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(sender_layer_text(&v, rows[i].l, text, sizeof text), rows[i].text);
        assert_string_equal(sender_layer_brief(&v, rows[i].l, text, sizeof text), rows[i].brief);
    }
    for (int why = SENDER_WHY_OTHER; why <= SENDER_WHY_EXPIRED; why++) { /* each has its words */
        v.layer[0][0].why = (enum sender_why)why;
        assert_true(*sender_layer_text(&v, (struct svc_layer){ 0, 0 }, text, sizeof text));
        assert_true(*sender_layer_brief(&v, (struct svc_layer){ 0, 0 }, text, sizeof text));
        assert_true(strlen(text) < 20);
        assert_true(*sender_why_word((enum sender_why)why));
    }
    assert_string_equal(sender_controller_text(&v.path[0], text, sizeof text),
                        "bbr instead of copa, 12 s ago: random losses");
    assert_string_equal(sender_controller_text(&v.path[1], text, sizeof text), "copa: configured");
}

/* Nothing of it is taken over. */
static void test_refused(void **state)
{
    static const struct {
        const char *json;
        int result;
    } rows[] = {
        { "", SENDER_WRONG },
        { "[]", SENDER_WRONG },
        { "{", SENDER_WRONG },
        { "{}", SENDER_WRONG },
        { "{\"version\":2}", SENDER_WRONG },
        { "{\"version\":\"1\"}", SENDER_WRONG },
        { "{\"version\":1}", SENDER_OTHERS },
        { "{\"version\":1,\"connection\":\"000102abcdef0709\"}", SENDER_OTHERS },
        { "{\"version\":1,\"connection\":[]}", SENDER_OTHERS },
        { HEAD "} x", SENDER_WRONG },
        { HEAD ",\"x\":\"\xff\"}", SENDER_WRONG },
    };
    struct sender_view v, before;
    (void)state;
    memset(&v, 0x5a, sizeof v);
    before = v;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(take(&v, rows[i].json), rows[i].result);
        assert_memory_equal(&v, &before, sizeof v);
    }
    char *large = malloc(SENDER_BYTES_MAX + 1);
    memset(large, ' ', SENDER_BYTES_MAX + 1);
    memcpy(large, HEAD "}", strlen(HEAD "}"));
    assert_int_equal(sender_view_read(&v, large, SENDER_BYTES_MAX + 1, id, sizeof id),
                     SENDER_WRONG);
    assert_int_equal(sender_view_read(&v, large, SENDER_BYTES_MAX, id, sizeof id), 0);
    memset(large, '[', SENDER_BYTES_MAX);
    assert_int_equal(sender_view_read(&v, large, SENDER_BYTES_MAX, id, sizeof id), SENDER_WRONG);
    free(large);
}

/* What makes no sense is not there; the rest is. */
static void test_bounds(void **state)
{
    struct sender_view v;
    (void)state;
    assert_int_equal(
        take(&v, HEAD ",\"rate_bps\":-1,\"sure_bps\":1e300,\"queue_ms\":\"x\",\"top\":9,"
                      "\"paths\":[7,null,{\"id\":-1},{\"id\":1e18},{\"id\":1,\"loss\":7,"
                      "\"cc\":\"0123456789012345678901234567890\","
                      "\"cc_reason\":\"a\\u001b[31mb\\u0085\"},{\"id\":2},{\"id\":3},{\"id\":4},"
                      "{\"id\":5},{\"id\":6},{\"id\":7},{\"id\":8},{\"id\":9}],"
                      "\"layers\":[{\"spatial\":4,\"temporal\":0},{\"spatial\":-1,\"temporal\":0},"
                      "{\"spatial\":0,\"temporal\":1e9},{\"spatial\":1,\"temporal\":1,"
                      "\"why\":\"moonphase\",\"offered\":1,\"expired\":1e9}],"
                      "\"encoder\":{\"speed\":99999999999,\"load\":-3,\"spatial_layers\":77,"
                      "\"layer_bps\":[1,2,3,4,5,6,7]}}"),
        0);
    assert_true(v.rate_bps < 0 && v.sure_bps < 0 && v.queue_ms < 0);
    assert_int_equal(v.top, -1);
    assert_int_equal(v.n_paths, TVL_PATHS_MAX);
    assert_int_equal(v.path[0].id, 1);
    assert_true(v.path[0].loss == 1);
    assert_string_equal(v.path[0].cc, "012345678901234");
    assert_string_equal(v.path[0].cc_reason, "a?[31mb??");
    assert_int_equal(v.layer[1][1].why, SENDER_WHY_OTHER);
    assert_true(v.layer[1][1].left_out == 1);
    assert_int_equal(v.encoder.speed, 0);
    assert_int_equal(v.encoder.n_spatial, 0);
    assert_true(v.encoder.load < 0);
}

/* Each beginning of it, and it with each byte changed. */
static void test_damaged(void **state)
{
    char *text = malloc(sizeof good);
    struct sender_view v;
    (void)state;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        memcpy(text, good, n);
        assert_int_equal(sender_view_read(&v, text, n, id, sizeof id), SENDER_WRONG);
    }
    for (size_t i = 0; i < sizeof good - 1; i++) {
        static const char to[] = "\"{}[]:,0e-\\\x80";
        for (size_t k = 0; k < sizeof to; k++) {
            memcpy(text, good, sizeof good);
            text[i] = to[k];
            if (sender_view_read(&v, text, sizeof good - 1, id, sizeof id) == 0) {
                json_t *told = sender_view_json(&v);
                assert_true(json_is_object(told));
                json_decref(told);
            }
        }
    }
    free(text);
}

static void test_json(void **state)
{
    struct sender_view v = { .known = false };
    (void)state;
    json_t *o = sender_view_json(&v);
    assert_true(json_is_null(o));
    json_decref(o);
    assert_int_equal(take(&v, good), 0);
    o = sender_view_json(&v);
    assert_int_equal(json_array_size(json_object_get(o, "layers")), 4);
    assert_int_equal(json_integer_value(json_object_get(o, "sure_bps")), 1900000);
    assert_true(json_is_object(json_object_get(o, "encoder")));
    json_decref(o);
    o = sender_path_json(&v.path[0]);
    assert_string_equal(json_string_value(json_object_get(o, "cc")), "bbr");
    assert_string_equal(json_string_value(json_object_get(o, "cc_from")), "copa");
    assert_int_equal(json_integer_value(json_object_get(o, "rate_bps")), 1500000);
    json_decref(o);
    o = sender_path_json(&v.path[1]);
    assert_true(json_is_null(json_object_get(o, "rtt_ms")));
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_words),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
