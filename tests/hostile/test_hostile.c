/*
 * test_hostile.c - runs the rows of rows.h, a group a test; with --list prints docs/negative.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/ssl.h>

#include "error.h"
#include "rows.h"
#include "script.h"
#include "test_pki.h"
#include "tls_internal.h"

static struct test_pki pki;
static struct tvl_tls *tls[2];       /* by enum tvl_side; puppet and victim share them */
static struct tvl_tls *no_params[2]; /* without extension 0x39 */
static struct tvl_tls *other_alpn, *no_alpn;

/* ---- TLS contexts ---- */

/* The linker sends SSL_CTX_add_custom_ext here (--wrap), so that a puppet can keep silent. */
static bool omit_extension;

int __real_SSL_CTX_add_custom_ext(SSL_CTX *ctx, unsigned type, unsigned context,
                                  SSL_custom_ext_add_cb_ex add, SSL_custom_ext_free_cb_ex free_cb,
                                  void *add_arg, SSL_custom_ext_parse_cb_ex parse, void *parse_arg);
int __wrap_SSL_CTX_add_custom_ext(SSL_CTX *ctx, unsigned type, unsigned context,
                                  SSL_custom_ext_add_cb_ex add, SSL_custom_ext_free_cb_ex free_cb,
                                  void *add_arg, SSL_custom_ext_parse_cb_ex parse, void *parse_arg);

static int add_nothing(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
                       size_t *len, X509 *cert, size_t chain_index, int *alert, void *arg)
{
    (void)ssl, (void)type, (void)context, (void)out, (void)len, (void)cert, (void)chain_index;
    (void)alert, (void)arg;
    return 0;
}

int __wrap_SSL_CTX_add_custom_ext(SSL_CTX *ctx, unsigned type, unsigned context,
                                  SSL_custom_ext_add_cb_ex add, SSL_custom_ext_free_cb_ex free_cb,
                                  void *add_arg, SSL_custom_ext_parse_cb_ex parse, void *parse_arg)
{
    return __real_SSL_CTX_add_custom_ext(ctx, type, context, omit_extension ? add_nothing : add,
                                         free_cb, add_arg, parse, parse_arg);
}

/* A server that picks no protocol would be stopped by its own check. */
void __real_SSL_get0_alpn_selected(const SSL *ssl, const unsigned char **name, unsigned *len);
void __wrap_SSL_get0_alpn_selected(const SSL *ssl, const unsigned char **name, unsigned *len);

void __wrap_SSL_get0_alpn_selected(const SSL *ssl, const unsigned char **name, unsigned *len)
{
    __real_SSL_get0_alpn_selected(ssl, name, len);
    if (*len == 0 && no_alpn && SSL_get_SSL_CTX(ssl) == no_alpn->ctx) {
        *name = (const unsigned char *)"test";
        *len = 4;
    }
}

static struct tvl_tls *make_tls(enum tvl_side side, const char *protocol)
{
    const char *const alpn[] = { protocol, NULL };
    struct tvl_tls_config c = { .alpn = alpn, .server = side == TVL_SERVER };
    struct tvl_tls *t = NULL;
    char why[256] = "";

    if (c.server) {
        c.cert_file = pki.server;
        c.key_file = pki.server_key;
    } else {
        c.ca_file = pki.ca;
    }
    if (tvl_tls_new(&t, &c, why, sizeof why) != 0)
        fail_msg("tls: %s", why);
    return t;
}

static int set_up(void **state)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };

    (void)state;
    if (test_pki_init(&pki, &pc) != 0)
        return -1;
    for (int side = 0; side < 2; side++) {
        tls[side] = make_tls((enum tvl_side)side, "test");
        omit_extension = true;
        no_params[side] = make_tls((enum tvl_side)side, "test");
        omit_extension = false;
    }
    other_alpn = make_tls(TVL_CLIENT, "other");
    no_alpn = make_tls(TVL_SERVER, "test");
    SSL_CTX_set_alpn_select_cb(no_alpn->ctx, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        tvl_tls_free(tls[side]);
        tvl_tls_free(no_params[side]);
    }
    tvl_tls_free(other_alpn);
    tvl_tls_free(no_alpn);
    test_pki_fini(&pki);
    return 0;
}

/* ---- one row ---- */

static struct puppet_options options_of(const struct row *row, enum tvl_side victim)
{
    const enum tvl_side plays = victim == TVL_CLIENT ? TVL_SERVER : TVL_CLIENT;
    struct puppet_options o = {
        .plays = plays,
        .own_tls = tls[plays],
        .victim_tls = tls[victim],
        .hold = row->hold,
        .params = row->params,
        .scid_len = row->flags & EMPTY_SCID ? 255 : 0,
        .no_multipath = row->flags & NO_MULTIPATH,
        .victim_multipath = !(row->flags & VICTIM_NO_MULTIPATH),
        .victim_no_grease = row->flags & NO_GREASE,
        .retries = row->flags & PUPPET_RETRIES,
        .mute = row->flags & MUTE,
        .borrowed_keys = row->flags & BORROWED_KEYS,
        .victim_retries = row->flags & RETRY,
        .datagram_max = row->flags & NO_DATAGRAMS      ? 0
                        : row->flags & SMALL_DATAGRAMS ? 1000
                                                       : 1400,
        .repair_span = row->flags & NO_REPAIR ? 0 : 16u << 10,
        .edit = row->edit,
    };

    if (row->flags & NO_PARAMS)
        o.own_tls = no_params[plays];
    if (row->flags & OTHER_ALPN)
        o.own_tls = other_alpn;
    if (row->flags & NO_ALPN)
        o.own_tls = no_alpn;
    return o;
}

/* The victim opens a stream of each kind, so that rows have something to speak of. */
static void on_event(struct puppet *p, const struct tvl_event *ev)
{
    uint64_t id;

    if (ev->type != TVL_EVENT_CONNECTED || !ev->conn)
        return;
    p->conn = ev->conn;
    if (tvl_stream_open(ev->conn, TVL_BIDI, &id) == 0)
        (void)tvl_stream_write(ev->conn, id, (const uint8_t *)"bid", 3, false);
    if (tvl_stream_open(ev->conn, TVL_UNI, &id) == 0)
        (void)tvl_stream_write(ev->conn, id, (const uint8_t *)"uni", 3, false);
}

static bool code_fits(const struct row *row, const struct puppet_close *c)
{
    return c->seen && !c->app && (c->code == row->code || (row->code2 && c->code == row->code2)) &&
           (row->frame == 0 || c->frame_type == row->frame);
}

/* What the handshake's rows leave must still become a connection. */
static bool goes_on(struct puppet *p)
{
    p->o.hold = PUPPET_HOLD_NOTHING;
    p->mute = false;
    puppet_pump(p);
    puppet_wait(p, 3000000);
    return p->connected && puppet_victim_lives(p);
}

static bool last_is_unacked(const struct puppet *p, uint64_t before)
{
    return before < PUPPET_TRACKED && !p->app[0].acked[before];
}

static const char *judge(const struct row *row, struct puppet *p, uint64_t first_pn)
{
    switch (row->answer) {
    case CLOSES:
        return code_fits(row, &p->close) ? NULL : "another end";
    case IGNORES:
        return goes_on(p) ? NULL : "it does not go on";
    case DROPS:
        if (!goes_on(p))
            return "it does not go on";
        return last_is_unacked(p, first_pn) ? NULL : "acknowledged";
    case SILENT:
        return p->victim_datagrams == 0 ? NULL : "it answered";
    case ENDS:
        return p->closed && !p->close.seen ? NULL : "not over, or not without a word";
    case DRAINS:
        return p->closed && p->victim_datagrams == 0 ? NULL : "not over, or it spoke";
    }
    return "?";
}

static bool run_row(const struct row *row, enum tvl_side victim, const char *group)
{
    const struct puppet_options o = options_of(row, victim);
    struct puppet *p = malloc(sizeof *p);
    const char *why = NULL;

    assert_non_null(p);
    assert_int_equal(puppet_init(p, &o), 0);
    p->on_event = on_event;
    puppet_start(p);
    if (row->hold == STAGE_OPEN)
        puppet_wait(p, 100000);
    puppet_forget(p);
    const uint64_t first_pn = p->app[0].next;
    if (row->script && !script_run(p, row->script))
        why = "the script makes no sense";
    if (!why && row->act && !row->act(p))
        why = "its act failed";
    puppet_pump(p);
    if (row->answer == ENDS || row->answer == DRAINS || row->answer == CLOSES)
        puppet_wait(p, 50000);
    if (!why)
        why = judge(row, p, first_pn);
    if (!why && row->check && !row->check(p))
        why = "its check failed";
    if (why)
        print_error("%s, %s, against a %s: %s\n    %s\n    close: seen %d, code 0x%llx, frame "
                    "0x%llx, level %d, \"%s\"; connected %d, closed %d (%s)\n",
                    group, row->section, victim == TVL_CLIENT ? "client" : "server", why, row->what,
                    p->close.seen, (unsigned long long)p->close.code,
                    (unsigned long long)p->close.frame_type, (int)p->close.level, p->close.reason,
                    p->connected, p->closed, p->closed ? p->closed_event.closed.reason : "");
    puppet_fini(p);
    free(p);
    return why == NULL;
}

/* All rows of a group run, so that one failure does not hide the next. */
static void run_group(const struct row *rows, const char *group)
{
    unsigned failed = 0;

    for (const struct row *r = rows; r->section; r++)
        for (int side = 0; side < 2; side++)
            if (r->victim & (side == TVL_CLIENT ? CLIENT : SERVER))
                failed += !run_row(r, (enum tvl_side)side, group);
    assert_int_equal(failed, 0);
}

#define GROUP(name)                       \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        run_group(rows_##name, #name);    \
    }

GROUP(streams)
GROUP(frames)
GROUP(cids)
GROUP(packets)
GROUP(handshake)
GROUP(params)
GROUP(multipath)
GROUP(repair)

/* ---- the list ---- */

static const char *code_name(uint64_t code)
{
    static const struct {
        uint64_t code;
        const char *name;
    } names[] = {
        { TVL_WIRE_NO_ERROR, "NO_ERROR" },
        { TVL_WIRE_INTERNAL_ERROR, "INTERNAL_ERROR" },
        { TVL_WIRE_CONNECTION_REFUSED, "CONNECTION_REFUSED" },
        { TVL_WIRE_FLOW_CONTROL_ERROR, "FLOW_CONTROL_ERROR" },
        { TVL_WIRE_STREAM_LIMIT_ERROR, "STREAM_LIMIT_ERROR" },
        { TVL_WIRE_STREAM_STATE_ERROR, "STREAM_STATE_ERROR" },
        { TVL_WIRE_FINAL_SIZE_ERROR, "FINAL_SIZE_ERROR" },
        { TVL_WIRE_FRAME_ENCODING_ERROR, "FRAME_ENCODING_ERROR" },
        { TVL_WIRE_TRANSPORT_PARAMETER_ERROR, "TRANSPORT_PARAMETER_ERROR" },
        { TVL_WIRE_CONNECTION_ID_LIMIT_ERROR, "CONNECTION_ID_LIMIT_ERROR" },
        { TVL_WIRE_PROTOCOL_VIOLATION, "PROTOCOL_VIOLATION" },
        { TVL_WIRE_INVALID_TOKEN, "INVALID_TOKEN" },
        { TVL_WIRE_CRYPTO_BUFFER_EXCEEDED, "CRYPTO_BUFFER_EXCEEDED" },
        { TVL_WIRE_KEY_UPDATE_ERROR, "KEY_UPDATE_ERROR" },
        { TVL_WIRE_NO_VIABLE_PATH, "NO_VIABLE_PATH" },
        { TVL_WIRE_CRYPTO_ERROR + 10, "CRYPTO_ERROR unexpected_message" },
        { TVL_WIRE_CRYPTO_ERROR + 50, "CRYPTO_ERROR decode_error" },
        { TVL_WIRE_CRYPTO_ERROR + 51, "CRYPTO_ERROR decrypt_error" },
        { TVL_WIRE_CRYPTO_ERROR + 70, "CRYPTO_ERROR protocol_version" },
        { TVL_WIRE_CRYPTO_ERROR + 109, "CRYPTO_ERROR missing_extension" },
        { TVL_WIRE_CRYPTO_ERROR + 120, "CRYPTO_ERROR no_application_protocol" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].name;
    return "?";
}

static void print_answer(const struct row *r)
{
    switch (r->answer) {
    case CLOSES:
        printf("%s (0x%llx)", code_name(r->code), (unsigned long long)r->code);
        if (r->code2)
            printf(" or %s", code_name(r->code2));
        break;
    case IGNORES:
        printf("ignored");
        break;
    case DROPS:
        printf("packet dropped");
        break;
    case SILENT:
        printf("no answer");
        break;
    case ENDS:
        printf("over, nothing sent");
        break;
    case DRAINS:
        printf("draining, nothing sent");
        break;
    }
}

static unsigned print_group(const struct row *rows, const char *title)
{
    static const char *const against[] = { "", "client", "server", "both" };
    unsigned n = 0;

    printf("\n## %s\n\n| section | against | what the peer does | answer |\n|---|---|---|---|\n",
           title);
    for (; rows->section; rows++) {
        printf("| %s | %s | %s | ", rows->section, against[rows->victim], rows->what);
        print_answer(rows);
        printf(" |\n");
        n += rows->victim == BOTH ? 2 : 1;
    }
    return n;
}

static int print_list(void)
{
    unsigned n = 0;

    printf(
        "# What a hostile peer gets\n\n"
        "Made from the rows in tests/hostile by `test_hostile --list`; a test compares. Each row\n"
        "is run against a production endpoint by a peer that made a real handshake. \"Both\"\n"
        "counts twice.\n");
    n += print_group(rows_streams, "Streams and flow control");
    n += print_group(rows_frames, "Frames");
    n += print_group(rows_cids, "Connection IDs");
    n += print_group(rows_packets, "Packets, versions, Retry, keys");
    n += print_group(rows_handshake, "Handshake");
    n += print_group(rows_params, "Transport parameters");
    n += print_group(rows_multipath, "Multipath");
    n += print_group(rows_repair, "Repair symbols (docs/decisions/0009)");
    printf("\n%u cases.\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),   cmocka_unit_test(test_frames),
        cmocka_unit_test(test_cids),      cmocka_unit_test(test_packets),
        cmocka_unit_test(test_handshake), cmocka_unit_test(test_params),
        cmocka_unit_test(test_multipath), cmocka_unit_test(test_repair),
    };

    if (argc > 1 && strcmp(argv[1], "--list") == 0)
        return print_list();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
