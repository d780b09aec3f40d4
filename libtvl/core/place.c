/* place.c - addresses compared, challenges asked and recognised. Contract in place.h. */
#include "place.h"

#include <string.h>

#include "rng.h"

static bool wildcard(const struct sockaddr_storage *a)
{
    static const struct in6_addr any;

    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr == 0;
    if (a->ss_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, &any,
                      sizeof any) == 0;
    return true;
}

bool tvl_place_same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static uint16_t port(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET ? ((const struct sockaddr_in *)(const void *)a)->sin_port
                                   : ((const struct sockaddr_in6 *)(const void *)a)->sin6_port;
}

static bool same_remote(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return tvl_place_same_ip(a, b) && port(a) == port(b);
}

bool tvl_place_same_remote(const struct tvl_place *a, const struct tvl_place *b)
{
    return same_remote(&a->remote, &b->remote);
}

bool tvl_place_is(const struct tvl_place *at, const struct tvl_datagram *dgram, bool server)
{
    if (!at->set || !same_remote(&at->remote, &dgram->remote) || at->tag != dgram->tag)
        return false;
    /* A client knows its own address by the socket; a server may have several on one. */
    return !server || wildcard(&at->local) || wildcard(&dgram->local) ||
           tvl_place_same_ip(&at->local, &dgram->local);
}

/* ---- challenges, RFC 9000 8.2.1 ---- */

static void fresh(struct tvl_challenge *c, struct tvl_rng *rng)
{
    tvl_rng_bytes(rng, c->data[c->tries % TVL_CHALLENGES_KEPT], TVL_CHALLENGE_SIZE);
    c->tries++;
    c->wanted = true;
}

void tvl_challenge_start(struct tvl_challenge *c, struct tvl_rng *rng, tvl_time pto, tvl_time now)
{
    *c = (struct tvl_challenge){ .outstanding = true };
    c->gap = pto < TVL_CHALLENGE_GAP_MAX ? pto : TVL_CHALLENGE_GAP_MAX;
    c->next_at = now + c->gap;
    fresh(c, rng);
}

void tvl_challenge_retry(struct tvl_challenge *c, struct tvl_rng *rng, tvl_time now)
{
    c->gap = 2 * c->gap > TVL_CHALLENGE_GAP_MAX ? TVL_CHALLENGE_GAP_MAX : 2 * c->gap;
    c->next_at = now + c->gap;
    fresh(c, rng);
}

void tvl_challenge_stop(struct tvl_challenge *c)
{
    c->wanted = c->outstanding = false;
}

const uint8_t *tvl_challenge_data(const struct tvl_challenge *c)
{
    return c->data[(c->tries - 1) % TVL_CHALLENGES_KEPT];
}

bool tvl_challenge_matches(const struct tvl_challenge *c, const uint8_t *data)
{
    const unsigned kept = c->tries < TVL_CHALLENGES_KEPT ? c->tries : TVL_CHALLENGES_KEPT;

    for (unsigned i = 0; c->outstanding && i < kept; i++)
        if (memcmp(c->data[i], data, TVL_CHALLENGE_SIZE) == 0)
            return true;
    return false;
}
