/* test_delivery.c - delivery logs: what is a line, and what a receiver can decode of what came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "delivery.h"

static void lines_are_read_or_refused(void **state)
{
    static const struct {
        const char *text;
        int result;
    } rows[] = {
        { "{\"picture\":12,\"spatial\":1,\"at_us\":433120}", 1 },
        { "  {\"at_us\": 0, \"spatial\": 3, \"picture\": 0, \"link\": \"lte\"}", 1 },
        { "", 0 },
        { " \t\r", 0 },
        { "12,1,433120", SVC_ERR_FORMAT },
        { "{\"picture\":12,\"spatial\":1}", SVC_ERR_FORMAT },
        { "{\"picture\":12,\"spatial\":4,\"at_us\":1}", SVC_ERR_FORMAT },
        { "{\"picture\":-1,\"spatial\":1,\"at_us\":1}", SVC_ERR_FORMAT },
        { "{\"picture\":1.5,\"spatial\":1,\"at_us\":1}", SVC_ERR_FORMAT },
        { "{\"picture\":1,\"spatial\":1,\"at_us\":1} x", SVC_ERR_FORMAT },
        { "[1,2,3]", SVC_ERR_FORMAT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct delivery_line l = { 0 };

        assert_int_equal(delivery_parse_line(&l, rows[i].text, strlen(rows[i].text)),
                         rows[i].result);
        if (i == 0)
            assert_true(l.picture == 12 && l.spatial == 1 && l.at_us == 433120);
    }
}

#define PERIOD_US 100000

/* L1T2: T0 0 <- T1 1, T0 0 <- T0 2 <- T1 3 ...; slot 0 holds the last T0 */
static void make(struct delivery_unit *units, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct svc_unit *u = &units[i].unit;

        *u = (struct svc_unit){
            .picture = i, .pts = (int64_t)i * PERIOD_US, .layer.temporal = i % 2, .key = i == 0
        };
        u->deps.refreshes = i == 0 ? 0xff : i % 2 ? 0 : 1;
        if (i > 0) {
            u->deps.n_reads = 1;
            u->deps.reads[0].picture = i % 2 ? i - 1 : i - 2;
        }
    }
}

static void replay_does_as_the_player(void **state)
{
    static const struct {
        int64_t at_ms[7]; /* beyond the picture's own time; -1: never */
        const char *fates;
        const char *in_order; /* of a codec that heals nothing; NULL: the same */
    } rows[] = {
        /* Kept, Late, Undecodable, Absent; due 200 ms after their time */
        { { 0, 0, 0, 0, 0, 0, 0 }, "KKKKKKK", NULL },
        { { 0, 190, 190, 0, 0, 0, 0 }, "KKKKKKK", NULL },
        { { 0, -1, 0, 0, 0, 0, 0 }, "KAKKKKK", NULL },
        { { 0, 0, -1, 0, 0, 0, 0 }, "KKAUUUU", NULL },
        { { 0, 0, 350, 0, 0, 0, 0 },
          "KKLUKKK",
          "KKUUUUU" }, /* there before 4's turn: slot 0 healed */
        { { 0, 0, 450, 0, 0, 0, 0 },
          "KKLULKK",
          "KKUUUUU" }, /* after it: 4 is decoded behind its turn */
        { { 0, 350, 0, 0, 0, 0, 0 },
          "KUKKKKK",
          NULL }, /* nobody reads it, no use in decoding it late */
        { { -1, 0, 0, 0, 0, 0, 0 }, "AUUUUUU", NULL },
    };
    static const char names[] = "AKLU";

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const bool in_order = i % 2;
        const char *want = rows[i / 2].fates;
        struct delivery_unit units[7];
        char got[8] = "";

        make(units, 7);
        for (size_t n = 0; n < 7; n++)
            units[n].at_us = rows[i / 2].at_ms[n] < 0
                                 ? DELIVERY_NEVER
                                 : units[n].unit.pts + rows[i / 2].at_ms[n] * 1000 + 5000000;
        delivery_replay(units, 7, in_order ? "avc3.42C01E" : "vp9", 200000);
        for (size_t n = 0; n < 7; n++)
            got[n] = names[units[n].fate];
        want = in_order && rows[i / 2].in_order ? rows[i / 2].in_order : want;
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_or_refused),
        cmocka_unit_test(replay_does_as_the_player),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
