/* test_spec.c - what people write about links, as a table: good texts and their meaning, bad texts
 * and the key that the error names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "rng.h"
#include "schedule.h"
#include "spec.h"

#define MS 1000000ull
#define ENDS "name=a,listen=127.0.0.1:1,to=127.0.0.1:2"

static const struct setting_row {
    const char *key, *value;
    size_t offset, size; /* the field it sets; size 0: refused */
    uint64_t expected;
} settings[] = {
#define FIELD(f) offsetof(struct vlink_config, f), sizeof(((struct vlink_config *)0)->f)
    { "rate", "3mbit", FIELD(rate_bps), 3000000 },
    { "rate", "1.5Mbit", FIELD(rate_bps), 1500000 },
    { "rate", "64kbit", FIELD(rate_bps), 64000 },
    { "rate", "800", FIELD(rate_bps), 800 },
    { "rate", "unlimited", FIELD(rate_bps), 0 },
    { "rate", "0", 0, 0, 0 },
    { "rate", "3mb", 0, 0, 0 },
    { "rate", "-1mbit", 0, 0, 0 },
    { "rate", "1e9", 0, 0, 0 },
    { "rate", "0x10", 0, 0, 0 },
    { "rate", "nan", 0, 0, 0 },
    { "rate", "1.2.3mbit", 0, 0, 0 },
    { "rate", "101gbit", 0, 0, 0 },
    { "rate", "", 0, 0, 0 },
    { "delay", "40ms", FIELD(delay_ns), 40 * MS },
    { "delay", "0", FIELD(delay_ns), 0 },
    { "delay", "0.5s", FIELD(delay_ns), 500 * MS },
    { "delay", "250us", FIELD(delay_ns), 250000 },
    { "delay", "40", 0, 0, 0 },
    { "delay", "forever", 0, 0, 0 },
    { "jitter", "5ms", FIELD(jitter_ns), 5 * MS },
    { "loss", "0.5%", FIELD(loss_ppm), 5000 },
    { "loss", "0.01", FIELD(loss_ppm), 10000 },
    { "loss", "100%", FIELD(loss_ppm), 1000000 },
    { "loss", "0", FIELD(loss_ppm), 0 },
    { "loss", "101%", 0, 0, 0 },
    { "loss", "5", 0, 0, 0 },
    { "ge", "1%:20%:0%:50%", FIELD(ge_r_ppm), 200000 },
    { "ge", "1%:20%:0%:50%", FIELD(ge), 1 },
    { "ge", "off", FIELD(ge), 0 },
    { "ge", "1%:20%:0%", 0, 0, 0 },
    { "ge", "1%:20%:0%:50%:1%", 0, 0, 0 },
    { "ge", "::::", 0, 0, 0 },
    { "queue", "100ms", FIELD(queue_ns), 100 * MS },
    { "queue", "64kB", FIELD(queue_bytes), 64000 },
    { "queue", "64kB", FIELD(queue_ns), 0 },
    { "queue", "64KiB", FIELD(queue_bytes), 65536 },
    { "queue", "3000b", FIELD(queue_bytes), 3000 },
    { "queue", "unlimited", FIELD(queue_ns), 0 },
    { "queue", "0", 0, 0, 0 },
    { "queue", "200", 0, 0, 0 },
    { "reorder", "1%", FIELD(reorder_ppm), 10000 },
    { "reorder", "1%:7ms", FIELD(reorder_ns), 7 * MS },
    { "reorder", "1%:", 0, 0, 0 },
    { "duplicate", "2%", FIELD(duplicate_ppm), 20000 },
    { "overhead", "0", FIELD(overhead_bytes), 0 },
    { "overhead", "48", FIELD(overhead_bytes), 48 },
    { "overhead", "2000", 0, 0, 0 },
    { "down", "", FIELD(down), 1 },
    { "up", "", FIELD(down), 0 },
    { "down", "yes", 0, 0, 0 },
    { "speed", "3mbit", 0, 0, 0 },
    { "", "", 0, 0, 0 },
};

static uint64_t read_field(const struct vlink_config *c, const struct setting_row *r)
{
    const uint8_t *at = (const uint8_t *)c + r->offset;
    uint64_t wide;
    uint32_t narrow;
    bool flag;
    switch (r->size) {
    case sizeof wide:
        memcpy(&wide, at, sizeof wide);
        return wide;
    case sizeof narrow:
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    default:
        memcpy(&flag, at, sizeof flag);
        return flag;
    }
}

static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting_row *r = &settings[i];
        struct vlink_config c, before;
        char why[VLINK_WHY_MAX] = "";
        memset(&c, 0, sizeof c);
        vlink_config_init(&c);
        before = c;
        int result = vlink_config_set(&c, r->key, r->value, why, sizeof why);
        if (result != (r->size ? 0 : -1))
            fail_msg("%s=%s gave %d", r->key, r->value, result);
        if (r->size) {
            if (read_field(&c, r) != r->expected)
                fail_msg("%s=%s set %llu", r->key, r->value, (unsigned long long)read_field(&c, r));
        } else {
            assert_memory_equal(&c, &before, sizeof c);
            assert_non_null(strstr(why, r->key));
        }
    }
}

static const struct spec_row {
    const char *text;
    const char *why; /* NULL: good */
} specs[] = {
    { ENDS, NULL },
    { ENDS ",rate=3mbit,delay=40ms,loss=0.5%,queue=200ms,jitter=5ms", NULL },
    { ENDS ",up.trace=x.up,down.rate=1mbit", NULL },
    { ENDS ",down", NULL },
    { "name=lte,listen=[::1]:5001,to=localhost:4433", NULL },
    { "", "empty" },
    { ENDS ",", "empty" },
    { ENDS ",,rate=1mbit", "empty" },
    { "listen=a:1,to=b:1", "name= is missing" },
    { "name=a,to=b:1", "listen= is missing" },
    { "name=a,listen=b:1", "to= is missing" },
    { "name=a.b,listen=a:1,to=b:1", "name does not take" },
    { "name=,listen=a:1,to=b:1", "name does not take" },
    { "name=a0123456789012345678901234567890123,listen=a:1,to=b:1", "name does not take" },
    { ENDS ",speed=3", "unknown key \"speed\"" },
    { ENDS ",up.speed=3", "unknown key \"speed\"" },
    { ENDS ",rate", "rate takes" },
    { ENDS ",rate=fast", "rate takes" },
    { ENDS ",trace=", "trace does not take" },
    { ENDS ",trace=x,rate=1mbit", "exclude" },
    { ENDS ",trace=x,up.rate=1mbit", "exclude" },
};

static void test_specs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct vlink_spec s;
        char why[VLINK_WHY_MAX] = "";
        int result = vlink_spec_parse(&s, specs[i].text, why, sizeof why);
        if (result != (specs[i].why ? -1 : 0))
            fail_msg("\"%s\" gave %d %s", specs[i].text, result, why);
        if (specs[i].why && !strstr(why, specs[i].why))
            fail_msg("\"%s\" said \"%s\"", specs[i].text, why);
    }
}

static void test_ways(void **state)
{
    (void)state;
    struct vlink_spec s;
    char why[VLINK_WHY_MAX];
    assert_int_equal(vlink_spec_parse(&s,
                                      "name=lte,listen=127.0.0.1:5001,to=127.0.0.1:4433,"
                                      "rate=3mbit,up.rate=1mbit,down.loss=1%,up.trace=,delay=1ms",
                                      why, sizeof why),
                     -1);
    assert_int_equal(vlink_spec_parse(&s,
                                      "name=lte,listen=127.0.0.1:5001,to=127.0.0.1:4433,"
                                      "rate=3mbit,up.rate=1mbit,down.loss=1%,delay=1ms",
                                      why, sizeof why),
                     0);
    assert_string_equal(s.name, "lte");
    assert_string_equal(s.listen, "127.0.0.1:5001");
    assert_string_equal(s.to, "127.0.0.1:4433");
    assert_int_equal(s.config[VLINK_UP].rate_bps, 1000000);
    assert_int_equal(s.config[VLINK_DOWN].rate_bps, 3000000);
    assert_int_equal(s.config[VLINK_UP].loss_ppm, 0);
    assert_int_equal(s.config[VLINK_DOWN].loss_ppm, 10000);
    assert_int_equal(s.config[VLINK_UP].delay_ns, MS);
    assert_int_equal(s.config[VLINK_DOWN].delay_ns, MS);
    assert_int_equal(s.config[VLINK_DOWN].overhead_bytes, 28);
}

#define UP_ONLY (1u << VLINK_UP)
#define DOWN_ONLY (1u << VLINK_DOWN)

static const struct change_row {
    const char *text;
    uint64_t at_ns;
    unsigned ways; /* 0: refused */
    const char *key, *value;
} changes[] = {
    { "10s:lte.down", 10000ull * MS, UP_ONLY | DOWN_ONLY, "down", "" },
    { "20s:lte.up", 20000ull * MS, UP_ONLY | DOWN_ONLY, "up", "" },
    { "12s:lte.rate=1mbit", 12000ull * MS, UP_ONLY | DOWN_ONLY, "rate", "1mbit" },
    { "0:lte.up.loss=1%", 0, UP_ONLY, "loss", "1%" },
    { "1.5s:lte.down.delay=3ms", 1500 * MS, DOWN_ONLY, "delay", "3ms" },
    { "1s:lte.down.down", 1000 * MS, DOWN_ONLY, "down", "" },
    { "1s:lte.ge=1%:2%:3%:4%", 1000 * MS, UP_ONLY | DOWN_ONLY, "ge", "1%:2%:3%:4%" },
    { "10:lte.down", 0, 0, NULL, NULL },
    { "lte.down", 0, 0, NULL, NULL },
    { "10s:lte", 0, 0, NULL, NULL },
    { "10s:.down", 0, 0, NULL, NULL },
    { "10s:lte.", 0, 0, NULL, NULL },
    { "10s:lte.rate=", 0, 0, NULL, NULL },
    { "10s:lte.down=1", 0, 0, NULL, NULL },
    { "10s:lte.trace=x", 0, 0, NULL, NULL },
    { "10s:lte.explode", 0, 0, NULL, NULL },
    { "", 0, 0, NULL, NULL },
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change_row *r = &changes[i];
        struct vlink_change c;
        char why[VLINK_WHY_MAX] = "";
        int result = vlink_change_parse_timed(&c, r->text, why, sizeof why);
        if (result != (r->ways ? 0 : -1))
            fail_msg("\"%s\" gave %d %s", r->text, result, why);
        if (result < 0) {
            assert_true(why[0] != 0);
            continue;
        }
        assert_int_equal(c.at_ns, r->at_ns);
        assert_string_equal(c.link, "lte");
        assert_int_equal(c.ways, r->ways);
        assert_string_equal(c.key, r->key);
        assert_string_equal(c.value, r->value);
    }
}

static void test_schedule_order(void **state)
{
    (void)state;
    static struct vlink_schedule s; /* large */
    static const char *const texts[] = { "3s:a.up", "1s:b.down", "3s:a.down", "2s:c.up" };
    static const char *const order[] = { "b", "c", "a", "a" };
    char why[VLINK_WHY_MAX];
    for (size_t i = 0; i < 4; i++) {
        struct vlink_change c;
        assert_int_equal(vlink_change_parse_timed(&c, texts[i], why, sizeof why), 0);
        assert_int_equal(vlink_schedule_add(&s, &c), 0);
    }
    assert_int_equal(vlink_schedule_next(&s), 1000 * MS);
    assert_null(vlink_schedule_take(&s, 1000 * MS - 1));
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(vlink_schedule_take(&s, 3000ull * MS)->link, order[i]);
    assert_string_equal(s.change[2].key, "up"); /* equal times keep the order of writing */
    assert_null(vlink_schedule_take(&s, VLINK_NEVER - 1));
    assert_int_equal(vlink_schedule_next(&s), VLINK_NEVER);
    struct vlink_change last = s.change[3];
    while (s.n < VLINK_CHANGES_MAX)
        assert_int_equal(vlink_schedule_add(&s, &last), 0);
    assert_int_equal(vlink_schedule_add(&s, &last), -1);
}

static void test_mutated_texts(void **state)
{
    (void)state;
    static const char text[] = ENDS ",rate=3mbit,up.delay=40ms,ge=1%:20%:0%:50%,queue=64kB";
    struct vlink_rng rng;
    vlink_rng_init(&rng, 5, 0);
    for (int round = 0; round < 30000; round++) {
        char mutant[sizeof text];
        memcpy(mutant, text, sizeof text);
        for (uint64_t k = vlink_rng_below(&rng, 4) + 1; k > 0; k--)
            mutant[vlink_rng_below(&rng, sizeof text - 1)] = (char)vlink_rng_next(&rng);
        struct vlink_spec s;
        struct vlink_change c;
        char why[VLINK_WHY_MAX];
        if (vlink_spec_parse(&s, mutant, why, sizeof why) == 0)
            assert_true(s.name[0] && s.config[0].loss_ppm <= 1000000);
        vlink_change_parse_timed(&c, mutant, why, sizeof why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),       cmocka_unit_test(test_specs),
        cmocka_unit_test(test_ways),           cmocka_unit_test(test_changes),
        cmocka_unit_test(test_schedule_order), cmocka_unit_test(test_mutated_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
