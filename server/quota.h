/*
 * quota.h - how many at once, and how fast: connections of an address, sessions of a token.
 *
 * An address is IPv4's whole, and IPv6's first 64 bits: what one customer has. Only addresses that
 * are proved are counted, so that nobody can use up another's share by forging it. The rate is
 * RFC 2697's idea as GCRA: RATE connections at once after a pause, and RATE in ten seconds in the
 * long run.
 *
 * One lock, held for a look-up: all threads may call at any time.
 */
#ifndef SERVER_QUOTA_H
#define SERVER_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include <tvl/tvl.h>

#define QUOTA_RATE_SPAN_US 10000000u
#define QUOTA_ADDRESSES_MAX 131072 /* with connections, or with some in the last ten seconds */
#define QUOTA_TOKENS_MAX 65536     /* with sessions */
#define QUOTA_TOKEN_ID 32

struct quota;

enum quota_verdict {
    QUOTA_OK,
    QUOTA_MANY, /* at once */
    QUOTA_FAST, /* new ones */
    QUOTA_FULL, /* our own memory of addresses or tokens */
};
const char *quota_text(enum quota_verdict v); /* one line; static */

struct quota *quota_new(void); /* NULL: no memory. No limit at first */
void quota_free(struct quota *l);
/* 0: no limit. Those who are in stay. */
void quota_set(struct quota *l, uint32_t per_address, uint32_t rate_per_address);

/* Would another connection from `remote` be too many? `take`: it is proved and will be let in;
 * count it as a new one already. */
enum quota_verdict quota_judge(struct quota *l, const struct sockaddr_storage *remote, bool take,
                               tvl_time now);
/* A connection of a proved address. QUOTA_OK: counted, until quota_leave. */
enum quota_verdict quota_enter(struct quota *l, const struct sockaddr_storage *remote,
                               tvl_time now);
void quota_leave(struct quota *l, const struct sockaddr_storage *remote, tvl_time now);

/* A session of a token, of at most `most` (0: any number). QUOTA_OK: counted, until it leaves. */
enum quota_verdict quota_token_enter(struct quota *l, const uint8_t id[QUOTA_TOKEN_ID],
                                     uint32_t most);
void quota_token_leave(struct quota *l, const uint8_t id[QUOTA_TOKEN_ID]);

/* Forget addresses that nothing is left of; each second or so. How many are known. */
size_t quota_tick(struct quota *l, tvl_time now);

#endif
