/*
 * tvl_stored.c - libFuzzer entry: bytes that were stored elsewhere and come back: address tokens,
 * exported sessions; and connection IDs for a balancer under any configuration. Seals are those of
 * null_crypto.h, so that what is inside a token is reached too.
 */
#include <string.h>

#include "input.h"
#include "lb.h"
#include "session.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct sockaddr_storage address(uint8_t family)
{
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof ss);
    ss.ss_family = family & 1 ? AF_INET6 : family & 2 ? AF_INET : AF_UNSPEC;
    return ss;
}

static void open_token(struct input *in)
{
    const struct sockaddr_storage remote = address(input_u8(in));
    const struct tvl_cid dcid = { .len = 8 };
    const bool seal = input_u8(in) & 1;
    uint8_t bytes[256];
    size_t len = input_u8(in);
    const uint8_t *given = input_bytes(in, &len);
    struct tvl_keys k = { .suite = 0 };
    const uint8_t secret[32] = { 1 };
    struct tvl_token t;

    must(tvl_token_keys(&k, secret) == 0);
    if (len)
        memcpy(bytes, given, len);
    if (seal && len > 13 && len + TVL_TAG_SIZE <= sizeof bytes) {
        struct tvl_rd rd = tvl_rd_over(bytes + 1, 12);
        const uint32_t high = tvl_rd_u32(&rd);

        must(tvl_seal(&k, high, tvl_rd_u64(&rd), bytes, 0, bytes + 13, len - 13) > 0);
        len += TVL_TAG_SIZE;
    }
    const struct tvl_token_claim claim = {
        .bytes = bytes, .len = len, .remote = &remote, .dcid = &dcid, .now = 50000000
    };
    if (tvl_token_open(&k, &claim, &t) == TVL_TOKEN_PROOF)
        must(seal && t.original_dcid.len <= TVL_CID_MAX);
    tvl_keys_fini(&k);
}

static void import_session(struct input *in)
{
    struct tvl_sessions s;
    size_t len = input_u16(in);
    const uint8_t *bytes = input_bytes(in, &len);
    static uint8_t out[TVL_SESSION_MAX];

    tvl_sessions_init(&s);
    if (tvl_sessions_import(&s, "name", bytes, len) == 0) {
        const size_t n = tvl_sessions_export(&s, "name", out, sizeof out);
        must(n == 0 || tvl_sessions_import(&s, "other", out, n) == 0);
        (void)tvl_sessions_take(&s, "name", TVL_SESSION_TICKET, out, sizeof out);
        (void)tvl_sessions_take(&s, "name", TVL_SESSION_TOKEN, out, input_u8(in));
    }
    tvl_sessions_fini(&s);
}

static void encode_cid(struct input *in)
{
    struct tvl_lb_config lb = { .config_id = input_u8(in),
                                .server_id_len = input_u8(in),
                                .nonce_len = input_u8(in),
                                .encrypted = input_u8(in) & 1 };
    uint8_t nonce[TVL_LB_NONCE_MAX] = { input_u8(in), input_u8(in) };
    struct tvl_cid cid;

    if (!tvl_lb_valid(&lb) || lb.server_id_len == 0)
        return;
    must(tvl_lb_encode(&lb, input_u8(in) & 31, nonce, &cid) == 0);
    must(cid.len == tvl_lb_cid_len(&lb) && cid.len <= TVL_CID_MAX);
}

static void read_varints(struct input *in)
{
    struct tvl_rd rd = tvl_rd_over(in->p, (size_t)(in->end - in->p));

    while (tvl_rd_left(&rd) > 0 && !rd.bad) {
        uint8_t again[8];
        struct tvl_wr w = tvl_wr_over(again, sizeof again);
        const uint64_t v = tvl_rd_varint(&rd);

        tvl_wr_varint(&w, v);
        struct tvl_rd back = tvl_rd_over(again, (size_t)(w.p - again));
        must(rd.bad || (tvl_rd_varint(&back) == v && !back.bad && tvl_rd_left(&back) == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };

    switch (input_u8(&in) & 3) {
    case 0:
        open_token(&in);
        break;
    case 1:
        import_session(&in);
        break;
    case 2:
        encode_cid(&in);
        break;
    default:
        read_varints(&in);
        break;
    }
    return 0;
}
