/*
 * place.h - where the packets of a path go: two addresses, and the connection ID the peer gets to
 * see there (RFC 9000 9.5: another one for every address). Validation (8.2) and migration (9).
 *
 * A path has up to three places:
 *
 *     at     its packets go here
 *     was    the last validated one, kept and asked while `at` is not validated: a forged source
 *            address must not take a path away (9.3.3), and one that fails gives it back (9.3.2)
 *     aside  asked about, or asked from, but not gone to: a preferred address, a peer that probes
 *
 *              packet from elsewhere, tvl_path_migrate()            challenge answered
 *     at = A ------------------------------------------> at = B ----------------------> at = B
 *                                                        was = A
 *                                                           | no answer, or newer packets from A
 *                                                           +--------------------------> at = A
 */
#ifndef TVL_CORE_PLACE_H
#define TVL_CORE_PLACE_H

#include <tvl/tvl.h>

#include "cid.h"

#define TVL_CHALLENGE_SIZE 8
#define TVL_CHALLENGES_KEPT 4          /* tries of one challenge whose answers count */
#define TVL_RESPONSES_MAX 4            /* PATH_CHALLENGEs answered per place and packet */
#define TVL_CHALLENGE_TRIES_MAX 12     /* then an opening path is given up */
#define TVL_CHALLENGE_TRIES_MOVED 4    /* then a moved path goes back, about 3 PTO: 8.2.4 */
#define TVL_CHALLENGE_GAP_MAX 1000000u /* us: bound of the growing interval between tries */
#define TVL_AMPLIFICATION 3            /* RFC 9000 8.1 */

struct tvl_challenge {
    uint8_t data[TVL_CHALLENGES_KEPT][TVL_CHALLENGE_SIZE]; /* ring by try; each try has its own */
    bool wanted;                                           /* to be written now */
    bool outstanding;                                      /* not answered */
    bool small;       /* it did not fill 1200 bytes: the answer proves the address, not the size */
    tvl_time next_at; /* of the next try */
    tvl_time gap;     /* before the one after it */
    unsigned tries;
};

struct tvl_place {
    bool set;
    struct sockaddr_storage local, remote;
    uint64_t tag;
    struct tvl_cid cid; /* the peer's, of sequence number cid_seq */
    uint64_t cid_seq;
    bool has_cid;
    bool validated;                     /* the peer is where it says: no amplification limit */
    uint64_t unproved_in, unproved_out; /* bytes, while not validated */
    struct tvl_challenge challenge;
    uint8_t response[TVL_RESPONSES_MAX][TVL_CHALLENGE_SIZE];
    size_t n_responses;
};

bool tvl_place_same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
bool tvl_place_same_remote(const struct tvl_place *a, const struct tvl_place *b);
/* The datagram came over this place, as far as the peer decides that. */
bool tvl_place_is(const struct tvl_place *at, const struct tvl_datagram *dgram, bool server);

struct tvl_rng;
/* Ask the peer there for a sign, in about `pto` us again. */
void tvl_challenge_start(struct tvl_challenge *c, struct tvl_rng *rng, tvl_time pto, tvl_time now);
/* The gap has passed: ask again. */
void tvl_challenge_retry(struct tvl_challenge *c, struct tvl_rng *rng, tvl_time now);
void tvl_challenge_stop(struct tvl_challenge *c);
/* What to write now. */
const uint8_t *tvl_challenge_data(const struct tvl_challenge *c);
bool tvl_challenge_matches(const struct tvl_challenge *c, const uint8_t *data);

#endif
