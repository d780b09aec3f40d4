/* test_metal_parts.c - the bare-metal guest's pure parts: archive, configuration, command line,
 * ticks as time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "board.h"
#include "config.h"
#include "cpio.h"
#include "tsc.h"

struct board board; /* of command.c */

/* ---- archives ---- */

static size_t add(uint8_t *out, size_t at, const char *name, unsigned mode, const char *text)
{
    char header[128];
    const size_t n = strlen(name) + 1, size = strlen(text);

    snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
             1u, mode, 0u, 0u, 1u, 0u, size, 0u, 0u, 0u, 0u, n, 0u);
    memcpy(out + at, header, 110);
    memcpy(out + at + 110, name, n);
    at += 110 + n;
    while (at % 4)
        out[at++] = 0;
    memcpy(out + at, text, size);
    at += size;
    while (at % 4)
        out[at++] = 0;
    return at;
}

static size_t archive(uint8_t *out)
{
    size_t at = add(out, 0, "etc", 040755, "");

    at = add(out, at, "etc/a", 0100644, "first");
    at = add(out, at, "TRAILER!!!", 0, "");
    memset(out + at, 0, 512); /* as cpio pads */
    at += 512;
    at = add(out, at, "./etc/a", 0100600, "the second one");
    at = add(out, at, "link", 0120777, "etc/a");
    return add(out, at, "TRAILER!!!", 0, "");
}

static void the_last_of_a_name_counts(void **state)
{
    static uint8_t bytes[4096];
    const size_t n = archive(bytes);
    struct cpio_file f;

    (void)state;
    assert_int_equal(cpio_find(bytes, n, "/etc/a", &f), 0);
    assert_int_equal(f.size, 14);
    assert_memory_equal(f.bytes, "the second one", 14);
    assert_int_equal(f.mode, 0100600);
    assert_int_equal(cpio_find(bytes, n, "/etc", &f), -1); /* a folder */
    assert_int_equal(cpio_find(bytes, n, "link", &f), -1); /* a link */
    assert_int_equal(cpio_find(bytes, n, "etc/", &f), -1);
    assert_int_equal(cpio_find(bytes, n, "etc/ab", &f), -1);
}

/* Whatever is cut off or changed: no read beyond the end (ASan sees), and an end. */
static void damage_is_survived(void **state)
{
    static uint8_t bytes[4096], copy[4096];
    const size_t n = archive(bytes);

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        struct cpio_file f;
        uint8_t *end = copy + sizeof copy - cut;
        size_t at = 0, entries = 0;
        int r;

        memcpy(end, bytes, cut);
        while ((r = cpio_next(end, cut, &at, &f)) == 1) {
            assert_true(f.bytes >= end && f.bytes + f.size <= end + cut);
            assert_true(++entries < 8);
        }
    }
    for (size_t at = 0; at < n; at++) {
        struct cpio_file f;
        size_t pos = 0, entries = 0;

        memcpy(copy, bytes, n);
        copy[at] ^= 0x11;
        while (cpio_next(copy, n, &pos, &f) == 1) {
            assert_true(f.bytes >= copy && f.bytes + f.size <= copy + n);
            assert_true(++entries < 16);
        }
    }
}

/* ---- guest.json ---- */

static void a_guest(void **state)
{
    static const char text[] =
        "{\"node\": \"echo\", \"nics\": [{\"mac\": \"52:54:00:aa:0b:01\", \"address\": "
        "\"10.77.0.2\", \"prefix\": 24, \"mtu\": 1400}, {\"mac\": \"52:54:00:00:00:02\", "
        "\"address\": \"10.77.1.2\"}], \"hosts\": {\"server\": \"10.77.0.1\", \"six\": \"::1\"}, "
        "\"run\": [\"tvl-echo\", \"wake\"], \"modules\": [1, 2]}";
    struct config c;
    char why[CONFIG_WHY_MAX];
    uint32_t address;
    uint16_t port;

    (void)state;
    assert_int_equal(config_read(&c, text, sizeof text - 1, why, sizeof why), 0);
    assert_string_equal(c.node, "echo");
    assert_int_equal(c.n_nics, 2);
    assert_int_equal(c.nic[0].mac[3], 0xaa);
    assert_int_equal(c.nic[0].mtu, 1400);
    assert_int_equal(c.nic[1].prefix, 24);
    assert_int_equal(c.n_hosts, 1);
    assert_int_equal(c.n_run, 2);
    assert_null(c.run[2]);
    assert_int_equal(config_resolve(&c, "server:4433", &address, &port), 0);
    assert_int_equal(address, 0x0a4d0001);
    assert_int_equal(port, 4433);
    assert_int_equal(config_resolve(&c, "1.2.3.4:1", &address, &port), 0);
    assert_int_equal(address, 0x01020304);
    assert_int_equal(config_resolve(&c, "six:1", &address, &port), -1);
    assert_int_equal(config_resolve(&c, "server", &address, &port), -1);
    assert_int_equal(config_resolve(&c, "server:65536", &address, &port), -1);
    assert_int_equal(config_resolve(&c, "server:1x", &address, &port), -1);
    config_fini(&c);
    config_fini(&c); /* twice */
}

static void wrong_guests(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "guest.json:" },
        { "[]", "not an object" },
        { "{\"nics\": {}}", "list" },
        { "{\"nics\": [{}]}", "mac" },
        { "{\"nics\": [{\"mac\": \"1:2:3:4:5\"}]}", "mac" },
        { "{\"nics\": [{\"mac\": \"1:2:3:4:5:6\", \"address\": \"x\"}]}", "address" },
        { "{\"nics\": [{\"mac\": \"1:2:3:4:5:6\", \"address\": \"1.2.3.4\", \"prefix\": 33}]}",
          "prefix" },
        { "{\"nics\": [{\"mac\": \"1:2:3:4:5:6\", \"address\": \"1.2.3.4\", \"mtu\": 9000}]}",
          "mtu" },
        { "{\"run\": [1]}", "words" },
        { "{\"run\": \"x\"}", "list" },
        { "{\"hosts\": []}", "object" },
        { "{\"gateway\": \"x\"}", "gateway" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c;
        char why[CONFIG_WHY_MAX] = "";

        assert_int_equal(config_read(&c, rows[i].text, strlen(rows[i].text), why, sizeof why), -1);
        if (!strstr(why, rows[i].why))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].text, why, rows[i].why);
    }
}

/* ---- command line ---- */

static void options(void **state)
{
    static const char line[] =
        " tsc_early_khz=2600000 xkhz=1  virtio_mmio.device=512@0xfeb00000:5 quiet khz "
        "virtio_mmio.device=512@0xfeb00200:6";
    const char *text;

    (void)state;
    strcpy(board.command, line);
    assert_true(board_option("tsc_early_khz", 7) == 2600000);
    assert_true(board_option("khz", 7) == 7); /* neither the end of a word nor without '=' */
    assert_true(board_option("quiet", 7) == 7);
    text = board_option_text(line, "virtio_mmio.device", 1);
    assert_non_null(text);
    assert_true(strncmp(text, "512@0xfeb00200:6", 16) == 0);
    assert_null(board_option_text(line, "virtio_mmio.device", 2));
    text += 6;
    assert_true(board_number(&text, 16) == 0xfeb00200);
    assert_true(*text == ':');
}

/* ---- time ---- */

static void ticks(void **state)
{
    static const uint64_t khz[] = { 1000, 999999, 2596098, 4000000, 10000000 };

    (void)state;
    for (size_t i = 0; i < sizeof khz / sizeof khz[0]; i++) {
        const struct tsc t = tsc_make(1000, khz[i]);

        assert_true(tsc_us(&t, 999) == 0); /* before the origin */
        assert_true(tsc_us(&t, 1000) == 0);
        for (uint64_t hours = 1; hours < 10000; hours *= 10) {
            const uint64_t s = 3600 * hours, us = tsc_us(&t, 1000 + s * khz[i] * 1000);

            assert_true(us <= s * 1000000 && us + 2 + s / 400000 >= s * 1000000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_a_name_counts),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(a_guest),
        cmocka_unit_test(wrong_guests),
        cmocka_unit_test(options),
        cmocka_unit_test(ticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
