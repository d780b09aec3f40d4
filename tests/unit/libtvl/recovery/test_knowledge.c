/* test_knowledge.c - the text of a knowledge file, and what the nearest paths say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/cc.h>
#include <tvl/select.h>

#define TWO                                                        \
    "knowledge 1 # a comment\n"                                    \
    "\n"                                                           \
    "path cubic 10000000 20000 1000 0 0 0 100000 2000 0 0\n"       \
    "cc cubic 9000000 50000\n"                                     \
    "cc bbr 9500000 2000\n"                                        \
    "path cubic 10000000 20000 1000 20000 1000 0 10000 2000 0 0\n" \
    "cc cubic 2000000 0\n"                                         \
    "cc bbr 30000000 1000\n"

static struct tvl_knowledge *taken(const char *text)
{
    struct tvl_knowledge *k = NULL;
    char why[128] = "";

    if (tvl_knowledge_new(&k, text, strlen(text), why, sizeof why) != 0)
        fail_msg("%s", why);
    return k;
}

static void bad_text(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "line 0: it is empty" },
        { "# only a comment\n", "line 1: it is empty" },
        { "knowledge 2\n", "line 1: the first record is not 'knowledge 1'" },
        { "path\n", "line 1: the first record is not 'knowledge 1'" },
        { "knowledge 1\nroad x\n", "line 2: a record is 'path' or 'cc'" },
        { "knowledge 1\ncc cubic 1 1\n", "line 2: a controller before the first path" },
        { "knowledge 1\npath cubic 1 1 1 1 1 1 1 1 1\n", "line 2: a path has ten whole numbers" },
        { "knowledge 1\npath cubic 1 1 1 1 1 1 1 1 1 1 1\n",
          "line 2: a path has ten whole numbers" },
        { "knowledge 1\npath cubic 1 1 1 -1 1 1 1 1 1 1\n",
          "line 2: a path has ten whole numbers" },
        { "knowledge 1\npath cubic 1 1 1 1e3 1 1 1 1 1 1\n",
          "line 2: a path has ten whole numbers" },
        { "knowledge 1\npath cubic 0 1 1 1 1 1 1 1 1 1\n",
          "line 2: capacity and rtt_min are at least 1, shares at most a million" },
        { "knowledge 1\npath cubic 1 1 1 1000001 1 1 1 1 1 1\n",
          "line 2: capacity and rtt_min are at least 1, shares at most a million" },
        { "knowledge 1\npath cubic 1 1 1 1 1 1 1 1 1 1\ncc cubic 1\n",
          "line 3: a controller has two whole numbers, or ten" },
        { "knowledge 1\npath cubic 1 1 1 1 1 1 1 1 1 1\ncc cubic 1 1 1 1\n",
          "line 3: a controller has two whole numbers, or ten" },
        { "knowledge 1\npath cubic 1 1 1 1 1 1 1 1 1 1\ncc cubic 1 1 9 8 9 9 9 9 9 9\n",
          "line 3: what waited is in thousandths that do not fall" },
        { "knowledge 1\npath aVeryLongNameForAControllerIndeed 1 1 1 1 1 1 1 1 1 1\n",
          "line 2: too many controllers, or a name is missing or too long" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tvl_knowledge *k = NULL;
        char why[128] = "";

        assert_int_equal(tvl_knowledge_new(&k, rows[i].text, strlen(rows[i].text), why, sizeof why),
                         TVL_ERR_ARG);
        assert_string_equal(why, rows[i].why);
        assert_null(k);
    }
}

static void the_nearest_speak(void **state)
{
    struct tvl_knowledge *k = taken(TWO);
    struct tvl_path_model m = {
        .capacity_bps = 10000000, .rtt_min = 20000, .jitter = 1000, .buffer = 100000
    };
    struct tvl_prediction p;
    double far, exact;

    (void)state;
    assert_int_equal(tvl_knowledge_predict(k, "cubic", "cubic", &m, &p, &exact), 0);
    assert_true(exact < 0.01);
    assert_in_range(p.rate_bps, 8900000, 9050000);
    assert_in_range(p.queue, 48000, 50100);

    m.loss = 0.02; /* and now it is the other one */
    m.buffer = 10000;
    assert_int_equal(tvl_knowledge_predict(k, "bbr", "cubic", &m, &p, &exact), 0);
    assert_true(exact < 0.01);
    assert_in_range(p.rate_bps, 29000000, 30100000);

    m.rtt_min = 40000; /* nearly an octave away, of which 0.4 counts */
    assert_int_equal(tvl_knowledge_predict(k, "bbr", "cubic", &m, &p, &far), 0);
    assert_true(far > 0.3 && far < 0.4);

    m.capacity_bps = 20000000; /* rates go over as shares of what was seen */
    m.rtt_min = 20000;
    assert_int_equal(tvl_knowledge_predict(k, "cubic", NULL, &m, &p, NULL), 0);
    assert_in_range(p.rate_bps, 3900000, 4700000);
    tvl_knowledge_free(k);
}

/* Two lines of one path: what follows belongs to both, each by its own capacity. */
static void one_path_of_many_eyes(void **state)
{
    struct tvl_knowledge *k = taken("knowledge 1\n"
                                    "path cubic 5000000 20000 1000 20000 1000 0 10000 2000 0 0\n"
                                    "path bbr 20000000 20000 1000 20000 1000 0 10000 2000 0 0\n"
                                    "cc cubic 4000000 0\n"
                                    "cc bbr 19000000 1000\n");
    struct tvl_path_model m = {
        .capacity_bps = 5000000, .rtt_min = 20000, .jitter = 1000, .loss = 0.02, .buffer = 10000
    };
    struct tvl_prediction p;

    (void)state;
    assert_int_equal(tvl_knowledge_predict(k, "bbr", "cubic", &m, &p, NULL), 0);
    assert_in_range(p.rate_bps, 18900000, 19100000);
    m.capacity_bps = 20000000;
    assert_int_equal(tvl_knowledge_predict(k, "bbr", "bbr", &m, &p, NULL), 0);
    assert_in_range(p.rate_bps, 18900000, 19100000);
    assert_int_equal(tvl_knowledge_predict(k, "cubic", "bbr", &m, &p, NULL), 0);
    assert_in_range(p.rate_bps, 3950000, 4050000);
    tvl_knowledge_free(k);
}

static int place(const char *cc)
{
    for (int i = 0; tvl_cc_all[i]; i++)
        if (strcmp(tvl_cc_all[i]->name, cc) == 0)
            return i;
    return -1;
}

/* The same measurements, ranked for each objective; on average while nothing is known. */
static void towards_an_objective(void **state)
{
    struct tvl_knowledge *k =
        taken("knowledge 1\n"
              "path cubic 10000000 20000 1000 0 0 0 100000 2000 0 0\n"
              "cc cubic 10000000 60000 0 0 0 500 1000 1000 1000 1000\n"
              "cc copa 9000000 1000 1000 1000 1000 1000 1000 1000 1000 1000\n");
    const struct tvl_path_model m = {
        .capacity_bps = 10000000, .rtt_min = 20000, .jitter = 1000, .buffer = 100000
    };
    const int cubic = place("cubic"), copa = place("copa"), bbr = place("bbr");
    struct tvl_knowledge_rank r;

    (void)state;
    assert_int_equal(tvl_knowledge_rank(k, &m, "cubic", TVL_OBJECTIVE_THROUGHPUT, 0, &r), 0);
    assert_float_equal(r.share[cubic], 1, 1e-6);
    assert_float_equal(r.share[copa], 0.9, 1e-6);
    assert_true(r.share[bbr] < 0);
    assert_float_equal(r.level, 1, 1e-6);
    assert_int_equal(tvl_knowledge_rank(k, NULL, NULL, TVL_OBJECTIVE_DELAY, 0, &r), 0);
    assert_float_equal(r.share[copa], 1, 1e-6);
    assert_float_equal(r.share[cubic], 0.56927f, 1e-4); /* sqrt(20 / 80) over 0.9 sqrt(20 / 21) */
    /* 50 ms there: 40 ms to wait, and half of CUBIC's packets waited that long at most */
    assert_int_equal(tvl_knowledge_rank(k, &m, "cubic", TVL_OBJECTIVE_VIDEO, 50000, &r), 0);
    assert_float_equal(r.share[cubic], 0.55556f, 1e-4);
    assert_int_equal(tvl_knowledge_rank(k, &m, "cubic", TVL_OBJECTIVE_VIDEO, 5000, &r),
                     TVL_ERR_ARG); /* less than the bare way: none is of use */
    tvl_knowledge_free(k);
}

static void what_it_does_not_know(void **state)
{
    struct tvl_knowledge *k = taken(TWO);
    struct tvl_path_model m = { .capacity_bps = 10000000, .rtt_min = 20000 };
    struct tvl_prediction p;

    (void)state;
    assert_int_equal(tvl_knowledge_predict(k, "copa", "cubic", &m, &p, NULL), TVL_ERR_ARG);
    m.rtt_min = 0;
    assert_int_equal(tvl_knowledge_predict(k, "cubic", "cubic", &m, &p, NULL), TVL_ERR_STATE);
    tvl_knowledge_free(k);
    tvl_knowledge_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_text),
        cmocka_unit_test(the_nearest_speak),
        cmocka_unit_test(one_path_of_many_eyes),
        cmocka_unit_test(towards_an_objective),
        cmocka_unit_test(what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
