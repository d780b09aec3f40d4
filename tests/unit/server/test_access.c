/* test_access.c - who may do what: grants, tokens in SETUP and in requests, limits, reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <time.h>

#include "access.h"
#include "grant.h"
#include "keys.h"
#include "token.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define HOUR 3600

static struct keys keys;
static char secret_path[KEYS_PATH_MAX], other_path[KEYS_PATH_MAX];

static const struct config_access by_token = { .token_key = secret_path,
                                               .token_algorithm = "HS256" };

static struct access *new_access(const struct config_access *cfg)
{
    struct access *a = NULL;
    char why[256] = "";
    if (access_new(&a, cfg, why, sizeof why) < 0)
        fail_msg("%s", why);
    return a;
}

static struct access_session *join_as(struct access *a, const char *address, const char *subject)
{
    struct sockaddr_storage remote = { .ss_family = AF_INET };
    struct access_verdict v;
    inet_pton(AF_INET, address, &((struct sockaddr_in *)(void *)&remote)->sin_addr);
    const struct access_peer peer = { .id = 1, .remote = &remote, .subject = subject };
    return access_join(a, &peer, 0, &v);
}

static struct access_session *join(struct access *a)
{
    struct access_session *s = join_as(a, "192.0.2.1", NULL);
    assert_non_null(s);
    return s;
}

/* A token of the secret in `path`, good from now - 1 h to now + `ttl_s`. */
static char *token(const char *path, const char *subscribe, const char *publish, long ttl_s,
                   uint32_t max_sessions)
{
    struct token_key *key;
    char why[256];
    const struct token_order o = { .subscribe = &subscribe,
                                   .n_subscribe = subscribe ? 1 : 0,
                                   .publish = &publish,
                                   .n_publish = publish ? 1 : 0,
                                   .subject = "viewer",
                                   .expires_s = (uint64_t)(time(NULL) + ttl_s),
                                   .max_sessions = max_sessions };
    assert_int_equal(token_key_read(&key, path, "HS256", TOKEN_KEY_SIGN, why, sizeof why), 0);
    char *text = token_make(key, &o);
    token_key_free(key);
    assert_non_null(text);
    return text;
}

static struct moq_token show(const char *text)
{
    return (struct moq_token){ .value = { (const uint8_t *)text, strlen(text) } };
}

static struct access_verdict request(struct access_session *s, enum access_action action,
                                     const char *ns, const char *text)
{
    struct access_verdict v;
    struct moq_name name;
    const struct moq_token t = text ? show(text) : (struct moq_token){ .type = 0 };
    assert_int_equal(moq_name_from_text(&name, ns, "video"), 0);
    access_request(s, action, &name, &t, text ? 1 : 0, &v);
    assert_true(v.allowed || v.reason[0]);
    return v;
}

static bool may(struct access_session *s, enum access_action action, const char *ns)
{
    return request(s, action, ns, NULL).allowed;
}

static struct access_verdict setup(struct access_session *s, const char *text)
{
    struct access_verdict v;
    const struct moq_token t = show(text);
    access_setup(s, &t, 1, &v);
    return v;
}

static void leave(struct access_session *s)
{
    access_leave(s, 0, 0, "test", 0);
}

/* ---- prefixes ---- */

static void prefixes(void **state)
{
    static const struct {
        const char *prefix, *ns;
        bool covers;
    } rows[] = {
        { "", "live", true },        { "live", "live", true },       { "live/", "live", true },
        { "live", "live/a", true },  { "live/", "live/a", true },    { "live", "lively", false },
        { "live/a", "live", false }, { "live/a", "live/ab", false }, { "live/a", "live/a/b", true },
        { "/live", "live", false },  { "/", "live", false },         { "live//", "live", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct moq_name name;
        assert_int_equal(moq_name_from_text(&name, rows[i].ns, "x"), 0);
        print_message("%s: %s\n", rows[i].prefix, rows[i].ns);
        assert_int_equal(grant_covers(rows[i].prefix, &name), rows[i].covers);
    }
    /* One field that looks like two is not two. */
    const struct moq_name odd = { .ns = { { (const uint8_t *)"live/a", 6 } }, .n_ns = 1 };
    char text[64];
    assert_false(grant_covers("live", &odd));
    grant_name_text(&odd, text, sizeof text);
    assert_string_equal(text, "live\\x2fa");
}

/* ---- without tokens ---- */

static void without_configuration(void **state)
{
    const struct config_access cfg = { .log = NULL };
    struct access *a = new_access(&cfg);
    struct access_session *s = join(a);
    (void)state;
    assert_true(may(s, ACCESS_SUBSCRIBE, "live"));
    assert_false(may(s, ACCESS_PUBLISH, "live"));
    /* A token that nobody asks for is not held against its bearer. */
    assert_true(setup(s, "what.ever.it").allowed);
    leave(s);
    access_free(a);
}

static void anonymous_grants(void **state)
{
    struct config_grant grants[] = {
        { .ns = "open", .subscribe = true },
        { .ns = "wall", .publish = true },
        { .ns = "cam1", .subject = "CN=cam1,O=Studio", .publish = true },
    };
    const struct config_access cfg = { .anonymous = grants, .n_anonymous = 3 };
    struct access *a = new_access(&cfg);
    struct access_session *s = join(a), *cam = join_as(a, "192.0.2.1", "CN=cam1,O=Studio"),
                          *thief = join_as(a, "192.0.2.1", "CN=cam1");
    (void)state;
    assert_true(may(s, ACCESS_SUBSCRIBE, "open/a"));
    assert_false(may(s, ACCESS_PUBLISH, "open/a"));
    assert_true(may(s, ACCESS_PUBLISH, "wall"));
    assert_false(may(s, ACCESS_SUBSCRIBE, "wall"));
    assert_false(may(s, ACCESS_SUBSCRIBE, "live"));
    assert_false(may(s, ACCESS_PUBLISH, "cam1"));
    assert_true(may(cam, ACCESS_PUBLISH, "cam1"));
    assert_false(may(cam, ACCESS_SUBSCRIBE, "cam1"));
    assert_true(may(cam, ACCESS_SUBSCRIBE, "open"));
    assert_false(may(thief, ACCESS_PUBLISH, "cam1"));
    assert_string_equal(access_subject(cam), "CN=cam1,O=Studio");
    assert_string_equal(access_subject(s), "");
    leave(s);
    leave(cam);
    leave(thief);
    access_free(a);
}

/* ---- tokens ---- */

static void token_in_setup(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    char *t = token(secret_path, "live/", "cam1/", HOUR, 0);
    (void)state;
    assert_true(setup(s, t).allowed);
    assert_string_equal(access_subject(s), "viewer");
    const struct access_verdict v = request(s, ACCESS_SUBSCRIBE, "live/a", NULL);
    assert_true(v.allowed);
    assert_in_range(v.until_ms, access_now_ms() + (HOUR - 10) * 1000u,
                    access_now_ms() + (HOUR + 60) * 1000u);
    assert_true(may(s, ACCESS_PUBLISH, "cam1"));
    assert_false(may(s, ACCESS_PUBLISH, "live/a"));
    const struct access_verdict no = request(s, ACCESS_SUBSCRIBE, "secret", NULL);
    assert_false(no.allowed || no.close);
    assert_int_equal(no.request_code, MOQ_REQ_UNAUTHORIZED);
    leave(s);
    free(t);
    access_free(a);
}

static void token_in_a_request(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    char *t = token(secret_path, "live", NULL, HOUR, 0);
    (void)state;
    assert_true(request(s, ACCESS_SUBSCRIBE, "live", t).allowed);
    assert_false(request(s, ACCESS_SUBSCRIBE, "live", NULL).allowed); /* for that request */
    assert_false(request(s, ACCESS_SUBSCRIBE, "other", t).allowed);
    leave(s);
    free(t);
    access_free(a);
}

static void bad_tokens_have_their_codes(void **state)
{
    char *rows[] = { token(secret_path, "live", NULL, -HOUR, 0),
                     token(other_path, "live", NULL, HOUR, 0), strdup("no.token.this"),
                     malloc(ACCESS_TOKEN_MAX + 2) };
    static const struct {
        uint64_t close_code, request_code;
    } codes[] = {
        { MOQ_EXPIRED_AUTH_TOKEN, MOQ_REQ_EXPIRED_AUTH_TOKEN },
        { MOQ_MALFORMED_AUTH_TOKEN, MOQ_REQ_MALFORMED_AUTH_TOKEN },
        { MOQ_MALFORMED_AUTH_TOKEN, MOQ_REQ_MALFORMED_AUTH_TOKEN },
        { MOQ_MALFORMED_AUTH_TOKEN, MOQ_REQ_MALFORMED_AUTH_TOKEN },
    };
    struct access *a = new_access(&by_token);
    (void)state;
    memset(rows[3], 'a', ACCESS_TOKEN_MAX + 1);
    rows[3][ACCESS_TOKEN_MAX + 1] = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct access_session *s = join(a);
        const struct access_verdict v = setup(s, rows[i]),
                                    r = request(s, ACCESS_SUBSCRIBE, "live", rows[i]);
        assert_false(v.allowed);
        assert_true(v.close);
        assert_int_equal(v.close_code, codes[i].close_code);
        assert_false(r.allowed || r.close);
        assert_int_equal(r.request_code, codes[i].request_code);
        leave(s);
        free(rows[i]);
    }
    assert_int_equal(access_refused(a), 2 * COUNT(rows));
    access_free(a);
}

static void token_types(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    char *t = token(secret_path, "live", NULL, HOUR, 0);
    struct moq_token both[2] = { show("grease"), show(t) };
    struct access_verdict v;
    (void)state;
    both[0].type = 0x9d + 3 * 0x7f;
    access_setup(s, both, 2, &v);
    assert_true(v.allowed);
    assert_true(may(s, ACCESS_SUBSCRIBE, "live"));
    both[0].type = 1; /* none that we know */
    access_setup(s, both, 2, &v);
    assert_int_equal(v.close_code, MOQ_MALFORMED_AUTH_TOKEN);
    leave(s);
    free(t);
    access_free(a);
}

static void strikes(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    (void)state;
    for (int i = 1; i <= ACCESS_STRIKES_MAX; i++) {
        const struct access_verdict v = request(s, ACCESS_SUBSCRIBE, "live", "bad");
        assert_int_equal(v.close, i == ACCESS_STRIKES_MAX);
    }
    leave(s);
    access_free(a);
}

static void sessions_of_a_token(void **state)
{
    struct config_access cfg = by_token;
    cfg.per_token = 2;
    struct access *a = new_access(&cfg);
    char *general = token(secret_path, "live", NULL, HOUR, 0),
         *own = token(secret_path, "live", NULL, HOUR, 1);
    char *const rows[] = { general, own };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct access_session *s[3];
        const size_t most = 2 - i;
        for (size_t j = 0; j <= most; j++) {
            s[j] = join(a);
            assert_true(setup(s[j], rows[i]).allowed);
            const struct access_verdict v = request(s[j], ACCESS_SUBSCRIBE, "live", NULL);
            assert_int_equal(v.allowed, j < most);
            if (j == most) {
                assert_int_equal(v.request_code, MOQ_REQ_EXCESSIVE_LOAD);
                assert_true(v.retry_ms > 0);
            }
        }
        leave(s[0]); /* makes room, also for one that waits */
        assert_true(may(s[most], ACCESS_SUBSCRIBE, "live"));
        for (size_t j = 1; j <= most; j++)
            leave(s[j]);
    }
    free(general);
    free(own);
    access_free(a);
}

static void many_tokens_in_one_session(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    (void)state;
    for (long i = 0; i <= ACCESS_TOKENS_MAX; i++) {
        char *t = token(secret_path, "live", NULL, HOUR + i, 0);
        const struct access_verdict v = request(s, ACCESS_SUBSCRIBE, "live", t);
        assert_int_equal(v.allowed, i < ACCESS_TOKENS_MAX);
        if (!v.allowed)
            assert_int_equal(v.request_code, MOQ_REQ_EXCESSIVE_LOAD);
        free(t);
    }
    leave(s);
    access_free(a);
}

/* A token that runs out while the session is there. */
static void runs_out(void **state)
{
    struct access *a = new_access(&by_token);
    struct access_session *s = join(a);
    char *t = token(secret_path, "live", NULL, 2 - TOKEN_LEEWAY_S, 0);
    struct access_verdict v;
    (void)state;
    assert_true(setup(s, t).allowed);
    const struct access_verdict r = request(s, ACCESS_SUBSCRIBE, "live", NULL);
    assert_true(r.allowed);
    access_check(s, &v);
    assert_true(v.allowed);
    while (access_now_ms() < r.until_ms)
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    access_check(s, &v);
    assert_false(v.allowed);
    assert_true(v.close);
    assert_int_equal(v.close_code, MOQ_EXPIRED_AUTH_TOKEN);
    assert_int_equal(request(s, ACCESS_SUBSCRIBE, "live", NULL).request_code,
                     MOQ_REQ_EXPIRED_AUTH_TOKEN);
    assert_int_equal(request(s, ACCESS_SUBSCRIBE, "live", t).request_code,
                     MOQ_REQ_EXPIRED_AUTH_TOKEN);
    leave(s);
    free(t);
    access_free(a);
}

/* ---- reload ---- */

static void reload(void **state)
{
    struct config_access cfg = by_token;
    struct access *a = new_access(&cfg);
    struct access_session *s = join(a);
    char *t = token(secret_path, "live", NULL, HOUR, 0), why[256] = "";
    (void)state;
    assert_true(setup(s, t).allowed);
    assert_true(may(s, ACCESS_SUBSCRIBE, "live"));
    cfg.token_key = "/nonexistent/key"; /* a broken one changes nothing */
    assert_int_equal(access_reload(a, &cfg, why, sizeof why), -1);
    assert_non_null(strstr(why, "/nonexistent/key"));
    assert_true(may(s, ACCESS_SUBSCRIBE, "live"));
    cfg.token_key = other_path; /* what the old key signed is worth nothing to new requests */
    assert_int_equal(access_reload(a, &cfg, why, sizeof why), 0);
    assert_false(may(s, ACCESS_SUBSCRIBE, "live"));
    cfg.token_key = secret_path;
    cfg.per_address = 1;
    assert_int_equal(access_reload(a, &cfg, why, sizeof why), 0);
    assert_true(may(s, ACCESS_SUBSCRIBE, "live"));
    assert_null(join_as(a, "192.0.2.1", NULL));
    leave(s);
    free(t);
    access_free(a);
}

static void door(void **state)
{
    struct config_access cfg = { .per_address = 1 };
    struct access *a = new_access(&cfg);
    struct access_session *s = join_as(a, "192.0.2.1", NULL);
    struct sockaddr_storage remote = { .ss_family = AF_INET };
    (void)state;
    inet_pton(AF_INET, "192.0.2.1", &((struct sockaddr_in *)(void *)&remote)->sin_addr);
    assert_int_equal(access_knock(a, &remote, false, 0), TVL_KNOCK_PROVE);
    assert_int_equal(access_knock(a, &remote, true, 0), TVL_KNOCK_REFUSE);
    assert_int_equal(access_refused(a), 1);
    assert_null(join_as(a, "192.0.2.1", NULL));
    leave(s);
    assert_int_equal(access_knock(a, &remote, false, 0), TVL_KNOCK_ADMIT);
    access_tick(a, 20000000);
    access_free(a);
}

struct crowd {
    struct access *access;
    const char *token;
};

/* As a worker: sessions of its own, an access that is everybody's. cmocka's checks are not for
 * threads: how many were let in is the result. */
static void *come_and_go(void *arg)
{
    const struct crowd *c = arg;
    struct sockaddr_storage remote = { .ss_family = AF_INET };
    const struct access_peer peer = { .id = 1, .remote = &remote };
    const struct moq_token t = show(c->token);
    struct access_verdict v;
    struct moq_name name;
    uintptr_t in = 0;
    (void)moq_name_from_text(&name, "live", "video");
    for (int i = 0; i < 200; i++) {
        (void)access_knock(c->access, &remote, true, 0);
        struct access_session *s = access_join(c->access, &peer, 0, &v);
        if (!s)
            continue;
        access_setup(s, &t, 1, &v);
        access_request(s, ACCESS_SUBSCRIBE, &name, NULL, 0, &v);
        in += v.allowed;
        access_done(s, ACCESS_SUBSCRIBE, &name, 1, 1, NULL);
        access_leave(s, 1, 1, "gone", 0);
    }
    return (void *)in;
}

static void from_all_threads(void **state)
{
    char log[KEYS_PATH_MAX], other[KEYS_PATH_MAX], why[256] = "";
    struct config_access cfg = by_token;
    char *t = token(secret_path, "live", NULL, HOUR, 0);
    pthread_t threads[3];
    (void)state;
    cfg.log = keys_path(&keys, "log", log);
    struct access *a = new_access(&cfg);
    struct crowd c = { .access = a, .token = t };
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
    for (int i = 0; i < 40; i++) {
        cfg.log = i % 2 ? log : keys_path(&keys, "other-log", other);
        assert_int_equal(access_reload(a, &cfg, why, sizeof why), 0);
        access_reopen_log(a);
        access_tick(a, (tvl_time)i * 20000000);
    }
    for (int i = 0; i < 3; i++) {
        void *in;
        pthread_join(threads[i], &in);
        assert_int_equal((uintptr_t)in, 200);
    }
    access_free(a);
    free(t);
}

static void bad_configuration(void **state)
{
    const struct config_access rows[] = {
        { .token_key = secret_path },
        { .token_key = secret_path, .token_algorithm = "none" },
        { .token_key = secret_path, .token_algorithm = "RS256" },
        { .log = "/nonexistent/access.log" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct access *a = NULL;
        char why[256] = "";
        assert_int_equal(access_new(&a, &rows[i], why, sizeof why), -1);
        assert_true(why[0] && !strchr(why, '\n'));
    }
}

static int make_keys(void **state)
{
    (void)state;
    keys_init(&keys);
    keys_write(&keys, "secret", "0123456789abcdef0123456789abcdef", 32);
    keys_write(&keys, "other", "0123456789abcdef0123456789abcdeF", 32);
    keys_path(&keys, "secret", secret_path);
    keys_path(&keys, "other", other_path);
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    keys_fini(&keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes),
        cmocka_unit_test(without_configuration),
        cmocka_unit_test(anonymous_grants),
        cmocka_unit_test(token_in_setup),
        cmocka_unit_test(token_in_a_request),
        cmocka_unit_test(bad_tokens_have_their_codes),
        cmocka_unit_test(token_types),
        cmocka_unit_test(strikes),
        cmocka_unit_test(sessions_of_a_token),
        cmocka_unit_test(many_tokens_in_one_session),
        cmocka_unit_test(runs_out),
        cmocka_unit_test(reload),
        cmocka_unit_test(door),
        cmocka_unit_test(from_all_threads),
        cmocka_unit_test(bad_configuration),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
