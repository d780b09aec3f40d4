/* test_admit.c - whom a server lets in: limits, who must prove its address, what is counted. */
#include "../wire/unit.h"

#include <arpa/inet.h>

#include "admit.h"

static struct sockaddr_storage from(const char *text)
{
    struct sockaddr_storage ss = { .ss_family = strchr(text, ':') ? AF_INET6 : AF_INET };

    if (ss.ss_family == AF_INET6)
        inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)(void *)&ss)->sin6_addr);
    else
        inet_pton(AF_INET, text, &((struct sockaddr_in *)(void *)&ss)->sin_addr);
    return ss;
}

static enum tvl_admit judge(const struct tvl_admission *a, const struct tvl_config *cfg,
                            const char *text, bool proved)
{
    const struct sockaddr_storage remote = from(text);

    return tvl_admission_judge(a, cfg, &remote, proved, 0);
}

static void enter(struct tvl_admission *a, const struct tvl_config *cfg, const char *text,
                  struct tvl_guest *g)
{
    const struct sockaddr_storage remote = from(text);

    assert_int_equal(tvl_admission_enter(a, cfg, &remote, g), 0);
}

static void limits_hold(void **state)
{
    const struct tvl_config cfg = { .conns_max = 3, .handshakes_max = 2, .retry = TVL_RETRY_NEVER };
    struct tvl_admission a = { .conns = 0 };
    struct tvl_guest g[3] = { { .host = NULL } };

    (void)state;
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT);
    enter(&a, &cfg, "192.0.2.1", &g[0]);
    enter(&a, &cfg, "192.0.2.1", &g[1]);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_REFUSE_HANDSHAKES);
    tvl_admission_shaken(&a, &g[0]);
    tvl_admission_shaken(&a, &g[0]);
    assert_int_equal(a.handshakes, 1);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT);
    enter(&a, &cfg, "192.0.2.1", &g[2]);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_REFUSE_CONNS);
    for (int i = 0; i < 3; i++) {
        tvl_admission_leave(&a, &g[i]);
        tvl_admission_leave(&a, &g[i]);
    }
    assert_int_equal(a.conns, 0);
    assert_int_equal(a.handshakes, 0);
    a.closed = true;
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_REFUSE_DRAINING);
}

static void proof_is_asked_under_load(void **state)
{
    struct tvl_config cfg = { .conns_max = 100, .handshakes_max = 4 };
    struct tvl_admission a = { .conns = 0 };
    struct tvl_guest g[2] = { { .host = NULL } };

    (void)state;
    enter(&a, &cfg, "192.0.2.1", &g[0]);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT);
    enter(&a, &cfg, "192.0.2.1", &g[1]);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT_PROVE);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_ADMIT);
    cfg.retry = TVL_RETRY_NEVER;
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT);
    tvl_admission_leave(&a, &g[0]);
    tvl_admission_leave(&a, &g[1]);
    cfg.retry = TVL_RETRY_ALWAYS;
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), TVL_ADMIT_PROVE);
    assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_ADMIT);
}

static void hosts_are_counted_apart(void **state)
{
    const struct tvl_config cfg = { .conns_max = 100, .handshakes_max = 100, .conns_per_host = 2 };
    static const struct {
        const char *host, *same, *other;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.2" },
        { "2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1" }, /* a /64 is one host */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tvl_admission a = { .conns = 0 };
        struct tvl_guest g[2] = { { .host = NULL } };

        enter(&a, &cfg, rows[i].host, &g[0]);
        assert_int_equal(judge(&a, &cfg, rows[i].same, true), TVL_ADMIT);
        enter(&a, &cfg, rows[i].same, &g[1]);
        assert_int_equal(judge(&a, &cfg, rows[i].host, true), TVL_REFUSE_HOST);
        assert_int_equal(judge(&a, &cfg, rows[i].other, true), TVL_ADMIT);
        tvl_admission_leave(&a, &g[0]);
        assert_int_equal(judge(&a, &cfg, rows[i].host, true), TVL_ADMIT);
        tvl_admission_leave(&a, &g[1]);
        assert_null(a.hosts);
    }
}

struct asked {
    enum tvl_knock answer;
    unsigned times;
    bool proved;
};

static enum tvl_knock on_knock(void *user, const struct sockaddr_storage *remote, bool proved,
                               tvl_time now)
{
    struct asked *a = user;

    (void)remote, (void)now;
    a->times++;
    a->proved = proved;
    return a->answer;
}

static void application_is_asked_last(void **state)
{
    static const struct {
        enum tvl_knock answer;
        enum tvl_admit unproved, proved;
    } rows[] = {
        { TVL_KNOCK_ADMIT, TVL_ADMIT, TVL_ADMIT },
        { TVL_KNOCK_PROVE, TVL_ADMIT_PROVE, TVL_REFUSE_KNOCK },
        { TVL_KNOCK_REFUSE, TVL_REFUSE_KNOCK, TVL_REFUSE_KNOCK },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked asked = { .answer = rows[i].answer };
        const struct tvl_config cfg = {
            .conns_max = 1, .handshakes_max = 8, .on_knock = on_knock, .knock_user = &asked
        };
        struct tvl_admission a = { .conns = 0 };
        struct tvl_guest g = { .host = NULL };

        assert_int_equal(judge(&a, &cfg, "192.0.2.1", false), rows[i].unproved);
        assert_false(asked.proved);
        assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), rows[i].proved);
        assert_true(asked.proved);
        enter(&a, &cfg, "192.0.2.1", &g);
        assert_int_equal(judge(&a, &cfg, "192.0.2.1", true), TVL_REFUSE_CONNS);
        assert_int_equal(asked.times, 2); /* not about one that is refused anyway */
        tvl_admission_leave(&a, &g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(proof_is_asked_under_load),
        cmocka_unit_test(hosts_are_counted_apart),
        cmocka_unit_test(application_is_asked_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
