/* test_request.c - lines of the control socket: what is taken, and what is refused with which
 * words. And the messages between child and parent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "request.h"
#include "wire.h"

static struct vlink_request r;
static char why[VLINK_WHY_MAX];

static int parse(const char *line)
{
    return vlink_request_parse(&r, line, strlen(line), why, sizeof why);
}

static void test_good(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"id\":7,\"do\":\"add\",\"link\":\"lan\",\"both\":{\"rate\":\"3mbit\","
                           "\"down\":true},\"up\":{\"delay\":\"20ms\",\"loss\":0.01},"
                           "\"down\":{\"trace\":\"/t\"},\"weight\":3,\"tenants\":\"/d\","
                           "\"parent\":{\"socket\":\"/p\",\"slice\":\"kid\"},"
                           "\"program\":\"/x.so\",\"argument\":\"5\"}"),
                     0);
    assert_true(r.has_id && r.id == 7 && r.what == VLINK_DO_ADD_LINK);
    assert_string_equal(r.link, "lan");
    assert_int_equal(r.n_settings, 5);
    assert_string_equal(r.setting[1].key, "down");
    assert_string_equal(r.setting[1].value, "");
    assert_int_equal(r.setting[2].ways, 1u << VLINK_UP);
    assert_int_equal(r.setting[4].ways, 1u << VLINK_DOWN);
    assert_int_equal(r.parent.weight, 1);
    assert_true(r.weight == 3 && r.has_program);
    assert_int_equal(parse("{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"side\":\"down\","
                           "\"unix\":{\"local\":\"/a\",\"remote\":\"/b\",\"user\":\"nobody\"}}"),
                     0);
    assert_true(!r.has_id && r.what == VLINK_DO_ADD_PORT && r.kind == VLINK_PORT_UNIX);
    assert_true(r.has_side && r.side == VLINK_DOWN);
    assert_int_equal(
        parse("{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"veth\":{\"namespace\":"
              "\"ns\",\"interface\":\"eth0\",\"mac\":\"52:54:00:0a:Fb:00\",\"mtu\":9000"
              ",\"address\":\"fd00::1/64\"}}"),
        0);
    assert_memory_equal(r.interface.mac, "\x52\x54\x00\x0a\xfb\x00", 6);
    assert_int_equal(parse("{\"do\":\"down\",\"link\":\"l\",\"way\":\"up\"}"), 0);
    assert_int_equal(r.ways, 1u << VLINK_UP);
    assert_int_equal(parse("{\"do\":\"set\",\"link\":\"l\",\"up\":{\"rate\":\"inherit\"}}"), 0);
    assert_int_equal(parse("{\"do\":\"stats\"}"), 0);
    assert_int_equal(parse("{\"do\":\"program\",\"link\":\"l\",\"path\":null}"), 0);
    assert_true(r.has_program && !r.program[0]);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "", "JSON" },
        { "[1]", "object" },
        { "{\"do\":\"dance\",\"link\":\"l\"}", "add, remove" },
        { "{\"do\":\"set\"}", "link" },
        { "{\"id\":\"x\",\"do\":\"stats\"}", "id" },
        { "{\"do\":\"stats\",\"lnk\":\"l\"}", "lnk" },
        { "{\"do\":\"set\",\"link\":\"a b\"}", "name" },
        { "{\"do\":\"set\",\"link\":\"../../etc/passwd\"}", "name" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":{\"rate\":\"fast\"}}", "rate" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":{\"speed\":\"1\"}}", "speed" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":{\"queue\":\"inherit\"}}", "queue" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":[]}", "settings" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":{\"rate\":null}}", "rate" },
        { "{\"do\":\"set\",\"link\":\"l\",\"weight\":0}", "1 to 1000" },
        { "{\"do\":\"set\",\"link\":\"l\",\"weight\":1001}", "1 to 1000" },
        { "{\"do\":\"set\",\"link\":\"l\",\"both\":{},\"both\":{}}", "JSON" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\"}", "unix" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"tap\":{}}", "interface" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"tap\":{\"interface\":\"..\"}}",
          "interface" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"tap\":{\"interface\":\"e\",\"mac\":"
          "\"01:00:00:00:00:00\"}}",
          "mac" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"tap\":{\"interface\":\"e\",\"mtu\":"
          "10000}}",
          "mtu" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"unix\":{\"local\":\"/a\"}}", "remote" },
        { "{\"do\":\"add\",\"link\":\"l\",\"port\":\"a\",\"unix\":{\"local\":\"/a\",\"remote\":\"/"
          "b\"},"
          "\"tap\":{\"interface\":\"e\"}}",
          "one of" },
        { "{\"do\":\"add\",\"link\":\"l\",\"tenants\":\"/a\\u0000b\"}", "JSON" },
        { "{\"do\":\"attach\",\"link\":\"l\"}", "parent" },
        { "{\"do\":\"attach\",\"link\":\"l\",\"parent\":{\"socket\":\"/a\"}}", "slice" },
        { "{\"do\":\"program\",\"link\":\"l\"}", "path" },
        { "{\"do\":\"remove\",\"link\":\"l\",\"port\":\"a\",\"tenant\":\"b\"}", "not both" },
        { "{\"do\":\"up\",\"link\":\"l\",\"way\":\"left\"}", "way" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse(rows[i].line), -1);
        if (!strstr(why, rows[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].line, why, rows[i].says);
        for (const char *c = why; *c; c++)
            assert_true(*c >= 0x20 && *c < 0x7f);
    }
}

static void test_wire(void **state)
{
    (void)state;
    uint8_t message[VLINK_WIRE_NEWS_MAX];
    struct vlink_wire m = { .kind = VLINK_WIRE_HELLO,
                            .version = 1,
                            .weight = 3,
                            .slice = "kid",
                            .link = "wan" },
                      back;
    size_t len = vlink_wire_write(&m, message);
    assert_int_equal(vlink_wire_read(&back, message, len), 0);
    assert_true(back.weight == 3 && strcmp(back.link, "wan") == 0);
    for (size_t short_by = 1; short_by <= len; short_by++)
        assert_int_equal(vlink_wire_read(&back, message, len - short_by), -1);
    memset(message + 9, 'x', VLINK_NAME_MAX); /* a name that does not end */
    assert_int_equal(vlink_wire_read(&back, message, len), -1);
    m = (struct vlink_wire){ .kind = VLINK_WIRE_OFFER,
                             .version = 1,
                             .depth = 2,
                             .limit = { { .rate_bps = 5, .loss_ppm = 6 },
                                        { .down = true, .delay_ns = 7 } } };
    len = vlink_wire_write(&m, message);
    assert_int_equal(vlink_wire_read(&back, message, len), 0);
    assert_true(back.depth == 2 && back.limit[0].rate_bps == 5 && back.limit[1].delay_ns == 7);
    assert_true(!back.limit[0].down && back.limit[1].down);
    m = (struct vlink_wire){ .kind = VLINK_WIRE_CREDIT, .way = VLINK_DOWN, .credit = 1ull << 40 };
    len = vlink_wire_write(&m, message);
    assert_int_equal(vlink_wire_read(&back, message, len), 0);
    assert_true(back.way == VLINK_DOWN && back.credit == 1ull << 40);
    static const uint8_t bytes[20] = "dstdstsrcsrctthello";
    struct vlink_frame *f = vlink_frame_new(bytes, sizeof bytes);
    f->way = VLINK_DOWN;
    assert_int_equal(vlink_frame_push_origin(f), 0);
    uint8_t whole[VLINK_WIRE_FRAME_HEAD + sizeof bytes];
    len = vlink_wire_frame_head(f, whole);
    memcpy(whole + len, f->bytes, f->len);
    assert_int_equal(vlink_wire_read(&back, whole, len + f->len), 0);
    assert_true(back.kind == VLINK_WIRE_FRAME && back.way == VLINK_DOWN);
    assert_int_equal(back.head_len, f->head_len);
    assert_int_equal(back.len, sizeof bytes);
    assert_memory_equal(back.bytes, bytes, sizeof bytes);
    assert_int_equal(vlink_wire_read(&back, whole, len + 13), -1); /* no whole Ethernet header */
    for (unsigned i = 1; i < VLINK_DEPTH_MAX; i++)
        assert_int_equal(vlink_frame_push_origin(f), 0);
    assert_int_equal(vlink_frame_push_origin(f), -1);
    vlink_frame_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
