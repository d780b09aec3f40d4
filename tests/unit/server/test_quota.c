/* test_quota.c - how many at once and how fast, by address and by token, on a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "quota.h"

#define S 1000000u
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct sockaddr_storage from(const char *text)
{
    struct sockaddr_storage ss = { .ss_family = strchr(text, ':') ? AF_INET6 : AF_INET };
    if (ss.ss_family == AF_INET6)
        inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)(void *)&ss)->sin6_addr);
    else
        inet_pton(AF_INET, text, &((struct sockaddr_in *)(void *)&ss)->sin_addr);
    return ss;
}

static enum quota_verdict judge(struct quota *q, const char *text, bool take, tvl_time now)
{
    const struct sockaddr_storage ss = from(text);
    return quota_judge(q, &ss, take, now);
}

static enum quota_verdict enter(struct quota *q, const char *text, tvl_time now)
{
    const struct sockaddr_storage ss = from(text);
    return quota_enter(q, &ss, now);
}

static void leave(struct quota *q, const char *text, tvl_time now)
{
    const struct sockaddr_storage ss = from(text);
    quota_leave(q, &ss, now);
}

static void at_once(void **state)
{
    static const struct {
        const char *host, *same, *other;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.2" },
        { "2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1" }, /* a customer has a /64 */
        { "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct quota *q = quota_new();
        quota_set(q, 2, 0);
        assert_int_equal(judge(q, rows[i].host, true, 0), QUOTA_OK);
        assert_int_equal(enter(q, rows[i].host, 0), QUOTA_OK);
        assert_int_equal(enter(q, rows[i].same, 0), QUOTA_OK);
        assert_int_equal(judge(q, rows[i].same, false, 0), QUOTA_MANY);
        assert_int_equal(judge(q, rows[i].same, true, 0), QUOTA_MANY);
        assert_int_equal(enter(q, rows[i].host, 0), QUOTA_MANY);
        assert_int_equal(judge(q, rows[i].other, true, 0), QUOTA_OK);
        leave(q, rows[i].same, 0);
        assert_int_equal(judge(q, rows[i].host, true, 0), QUOTA_OK);
        leave(q, rows[i].host, 0);
        assert_int_equal(quota_tick(q, 0), 0);
        quota_free(q);
    }
}

static void rate(void **state)
{
    struct quota *q = quota_new();
    tvl_time now = 100 * S;
    (void)state;
    quota_set(q, 0, 5);
    for (int i = 0; i < 5; i++) { /* after a pause all at once */
        assert_int_equal(judge(q, "192.0.2.1", true, now), QUOTA_OK);
        assert_int_equal(enter(q, "192.0.2.1", now), QUOTA_OK); /* not counted again */
        leave(q, "192.0.2.1", now);
    }
    assert_int_equal(judge(q, "192.0.2.1", false, now), QUOTA_FAST);
    assert_int_equal(judge(q, "192.0.2.1", true, now), QUOTA_FAST);
    assert_int_equal(enter(q, "192.0.2.1", now), QUOTA_FAST);
    assert_int_equal(judge(q, "192.0.2.2", true, now), QUOTA_OK);
    int in = 0; /* then five in ten seconds, however often it asks */
    for (int i = 0; i < 1000; i++, now += 10 * S / 1000)
        in += judge(q, "192.0.2.1", true, now) == QUOTA_OK;
    assert_in_range(in, 4, 5);
    assert_int_equal(quota_tick(q, now), 1);
    assert_int_equal(quota_tick(q, now + 11 * S), 0);
    quota_free(q);
}

/* What was not proved at the door is counted once it is in. */
static void unproved_count_later(void **state)
{
    struct quota *q = quota_new();
    (void)state;
    quota_set(q, 0, 2);
    for (int i = 0; i < 100; i++) /* forged ones take nobody's share */
        assert_int_equal(judge(q, "192.0.2.1", false, S), QUOTA_OK);
    assert_int_equal(quota_tick(q, S), 0);
    assert_int_equal(enter(q, "192.0.2.1", S), QUOTA_OK);
    assert_int_equal(enter(q, "192.0.2.1", S), QUOTA_OK);
    assert_int_equal(enter(q, "192.0.2.1", S), QUOTA_FAST);
    quota_free(q);
}

static void no_limit(void **state)
{
    struct quota *q = quota_new();
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(judge(q, "192.0.2.1", true, S), QUOTA_OK);
        assert_int_equal(enter(q, "192.0.2.1", S), QUOTA_OK);
    }
    quota_set(q, 10, 0); /* those who are in stay */
    assert_int_equal(judge(q, "192.0.2.1", true, S), QUOTA_MANY);
    for (int i = 0; i < 991; i++)
        leave(q, "192.0.2.1", S);
    assert_int_equal(judge(q, "192.0.2.1", true, S), QUOTA_OK);
    quota_free(q);
}

static void memory_is_bounded(void **state)
{
    struct quota *q = quota_new();
    struct sockaddr_storage ss = { .ss_family = AF_INET };
    struct sockaddr_in *in = (void *)&ss;
    (void)state;
    quota_set(q, 0, 1);
    for (uint32_t i = 0; i < QUOTA_ADDRESSES_MAX; i++) {
        in->sin_addr.s_addr = htonl(0x0a000000 + i);
        assert_int_equal(quota_judge(q, &ss, true, S), QUOTA_OK);
    }
    in->sin_addr.s_addr = htonl(0x0a000000 + QUOTA_ADDRESSES_MAX);
    assert_int_equal(quota_judge(q, &ss, true, S), QUOTA_FULL);
    assert_int_equal(quota_enter(q, &ss, S), QUOTA_FULL);
    assert_int_equal(quota_judge(q, &ss, true, 12 * S), QUOTA_OK); /* the others are forgotten */
    assert_int_equal(quota_tick(q, 12 * S), 1);
    quota_free(q);
}

static void tokens(void **state)
{
    struct quota *q = quota_new();
    const uint8_t a[QUOTA_TOKEN_ID] = { 1 }, b[QUOTA_TOKEN_ID] = { 2 };
    (void)state;
    assert_int_equal(quota_token_enter(q, a, 2), QUOTA_OK);
    assert_int_equal(quota_token_enter(q, a, 2), QUOTA_OK);
    assert_int_equal(quota_token_enter(q, a, 2), QUOTA_MANY);
    assert_int_equal(quota_token_enter(q, b, 2), QUOTA_OK);
    assert_int_equal(quota_token_enter(q, a, 0), QUOTA_OK);
    quota_token_leave(q, a);
    quota_token_leave(q, a);
    assert_int_equal(quota_token_enter(q, a, 2), QUOTA_OK);
    quota_token_leave(q, a);
    quota_token_leave(q, a);
    quota_token_leave(q, a); /* once too often: nothing */
    assert_int_equal(quota_token_enter(q, a, 1), QUOTA_OK);
    quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once),
        cmocka_unit_test(rate),
        cmocka_unit_test(unproved_count_later),
        cmocka_unit_test(no_limit),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
