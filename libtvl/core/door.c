/* door.c - see door.h. */
#include "door.h"

#include <string.h>

#include "conn.h"

#define FIRST_DCID_MIN 8 /* bytes, RFC 9000 7.2 */

int tvl_door_init(struct tvl_door *d, const struct tvl_config *cfg, const uint8_t secret[32],
                  struct tvl_ids *ids, struct tvl_rng *rng)
{
    d->cfg = cfg;
    d->ids = ids;
    d->rng = rng;
    return tvl_token_keys(&d->token_keys, secret);
}

void tvl_door_fini(struct tvl_door *d)
{
    tvl_keys_fini(&d->token_keys);
}

void tvl_first_fini(struct tvl_first *first)
{
    tvl_keys_fini(&first->client);
    tvl_keys_fini(&first->server);
}

/* ---- tokens ---- */

static size_t make_token(struct tvl_door *d, struct tvl_token *t, tvl_time now,
                         uint8_t out[TVL_TOKEN_SIZE_MAX])
{
    uint8_t nonce[TVL_TOKEN_NONCE_SIZE];

    t->issued_at = now + d->cfg->wall_offset;
    tvl_rng_bytes(d->rng, nonce, sizeof nonce);
    return tvl_token_seal(&d->token_keys, t, nonce, out);
}

size_t tvl_door_token(struct tvl_door *d, const struct sockaddr_storage *remote, tvl_time now,
                      uint8_t out[TVL_TOKEN_SIZE_MAX])
{
    struct tvl_token t = { .kind = TVL_TOKEN_ADDRESS, .remote = *remote };

    return make_token(d, &t, now, out);
}

static enum tvl_token_verdict read_token(struct tvl_door *d, const struct tvl_question *q,
                                         struct tvl_first *first)
{
    const struct tvl_token_claim claim = {
        .bytes = q->packet->token,
        .len = q->packet->token_len,
        .remote = &q->dgram->remote,
        .dcid = &q->packet->dcid,
        .now = q->now + d->cfg->wall_offset,
    };
    struct tvl_token t;
    const enum tvl_token_verdict v = tvl_token_open(&d->token_keys, &claim, &t);

    first->original_dcid = q->packet->dcid;
    first->proved = v == TVL_TOKEN_PROOF;
    first->retried = first->proved && t.kind == TVL_TOKEN_RETRY;
    if (first->retried)
        first->original_dcid = t.original_dcid;
    return v;
}

/* ---- answers ---- */

static bool ask_for_proof(struct tvl_door *d, const struct tvl_question *q)
{
    struct tvl_token t = { .kind = TVL_TOKEN_RETRY,
                           .remote = q->dgram->remote,
                           .original_dcid = q->packet->dcid };
    uint8_t bytes[TVL_TOKEN_SIZE_MAX];

    tvl_ids_make(d->ids, &t.retry_scid);
    const size_t len = make_token(d, &t, q->now, bytes);
    return tvl_stateless_retry(&d->answers, q, &t.retry_scid, bytes, len);
}

static bool reset(struct tvl_door *d, const struct tvl_question *q)
{
    uint8_t token[TVL_RESET_TOKEN_SIZE];

    return tvl_ids_may_be_ours(d->ids, &q->packet->dcid) &&
           tvl_ids_token(d->ids, &q->packet->dcid, token) == 0 &&
           tvl_stateless_reset(&d->answers, q, token);
}

static bool offer_versions(struct tvl_door *d, const struct tvl_question *q)
{
    /* 0x?a?a?a?a is reserved: nobody may be surprised by one he does not know (RFC 9000 6.3) */
    const uint32_t reserved = ((uint32_t)tvl_rng_u64(d->rng) & 0xf0f0f0f0u) | 0x0a0a0a0au;
    const uint32_t versions[] = { TVL_VERSION_1, reserved };
    const size_t n = d->cfg->no_grease || reserved == q->packet->version ? 1 : 2;

    return q->dgram->len >= TVL_INITIAL_DATAGRAM_MIN &&
           tvl_stateless_versions(&d->answers, q, versions, n);
}

/* Not let in. Counted by its reason, answered as far as answers go. */
static void turn_away(struct tvl_door *d, const struct tvl_question *q, enum tvl_admit why)
{
    struct tvl_endpoint_stats *s = &d->stats;

    if (why == TVL_ADMIT_PROVE) {
        s->retries_sent += ask_for_proof(d, q);
        return;
    }
    if (why == TVL_REFUSE_DRAINING)
        s->refused_draining++;
    else if (why == TVL_REFUSE_CONNS)
        s->refused_conns_max++;
    else if (why == TVL_REFUSE_HANDSHAKES)
        s->refused_handshakes_max++;
    else if (why == TVL_REFUSE_HOST)
        s->refused_host++;
    else
        s->refused_knock++;
    (void)tvl_stateless_refuse(&d->answers, q, TVL_WIRE_CONNECTION_REFUSED);
}

/* ---- at the door ---- */

/* Chosen by the client, and hard to guess; or ours, out of a Retry, which a balancer may want
 * shorter. */
static bool first_dcid_is_long_enough(const struct tvl_door *d, const struct tvl_packet *p)
{
    return p->dcid.len >= FIRST_DCID_MIN || (p->token_len > 0 && p->dcid.len == d->ids->len);
}

/* The keys the packet asks for, if it was sealed with them; false: none are left behind. */
static bool open_first(struct tvl_door *d, struct tvl_first *first, const uint8_t *bytes)
{
    const struct tvl_cid *dcid = &first->packet->dcid;

    if (tvl_keys_initial(&first->client, &first->server, dcid->b, dcid->len) != 0)
        return false;
    if (tvl_initial_is_genuine(&first->client, first->packet, bytes))
        return true;
    tvl_first_fini(first);
    d->stats.datagrams_unroutable++;
    return false;
}

/* A client's first Initial, RFC 9000 14.1 and 7.2: a full datagram and an unpredictable ID. */
static bool knock_initial(struct tvl_door *d, const struct tvl_question *q, const uint8_t *bytes,
                          struct tvl_first *first)
{
    const struct tvl_packet *p = q->packet;

    *first = (struct tvl_first){ .dgram = q->dgram, .packet = p };
    if (q->dgram->len < TVL_INITIAL_DATAGRAM_MIN || !first_dcid_is_long_enough(d, p) ||
        (!tvl_packet_fixed(p->first) && d->cfg->no_grease)) {
        d->stats.datagrams_unroutable++;
        return false;
    }
    const enum tvl_token_verdict v = read_token(d, q, first);
    d->stats.tokens_bad += p->token_len > 0 && v != TVL_TOKEN_PROOF;
    if (v == TVL_TOKEN_BAD) { /* unless it broke on the way: that must not end the handshake */
        if (open_first(d, first, bytes))
            (void)tvl_stateless_refuse(&d->answers, q, TVL_WIRE_INVALID_TOKEN);
        tvl_first_fini(first);
        return false;
    }
    const enum tvl_admit a =
        tvl_admission_judge(&d->admission, d->cfg, &q->dgram->remote, first->proved, q->now);
    if (a != TVL_ADMIT) {
        turn_away(d, q, a);
        return false;
    }
    return open_first(d, first, bytes);
}

bool tvl_door_knock(struct tvl_door *d, const struct tvl_question *q, const uint8_t *bytes,
                    struct tvl_first *first)
{
    switch (q->packet->type) {
    case TVL_PACKET_INITIAL:
        return knock_initial(d, q, bytes, first);
    case TVL_PACKET_UNKNOWN_VERSION:
        if (offer_versions(d, q))
            d->stats.versions_sent++;
        else
            d->stats.datagrams_unroutable++;
        return false;
    case TVL_PACKET_ONE_RTT:
        if (reset(d, q))
            d->stats.resets_sent++;
        else
            d->stats.datagrams_unroutable++;
        return false;
    default:
        d->stats.datagrams_unroutable++;
        return false;
    }
}
