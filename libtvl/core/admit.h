/*
 * admit.h - whom a server lets in: how many connections at once, of them how many still shaking
 * hands, how many from one host; and who must prove its address first (RFC 9000 8.1.2).
 *
 * Counts only. Nothing is kept for a client that is not let in; for those that are, one entry per
 * host, and only where tvl_config.conns_per_host asks for it.
 */
#ifndef TVL_CORE_ADMIT_H
#define TVL_CORE_ADMIT_H

#include <tvl/tvl.h>

struct tvl_host; /* private: an address with connections */

struct tvl_guest { /* within a connection; zeroed at first */
    struct tvl_host *host;
    bool inside, shaking; /* counted at all, counted among the handshakes */
};

struct tvl_admission {
    struct tvl_host *hosts; /* by address */
    uint32_t conns, handshakes;
    bool closed; /* tvl_endpoint_refuse */
};

enum tvl_admit {
    TVL_ADMIT,
    TVL_ADMIT_PROVE, /* after a Retry */
    TVL_REFUSE_DRAINING,
    TVL_REFUSE_CONNS,
    TVL_REFUSE_HANDSHAKES,
    TVL_REFUSE_HOST,
    TVL_REFUSE_KNOCK, /* the application will not have it */
};

/* May a client from `remote` begin? `proved`: a token has shown that it is there. */
enum tvl_admit tvl_admission_judge(const struct tvl_admission *a, const struct tvl_config *cfg,
                                   const struct sockaddr_storage *remote, bool proved,
                                   tvl_time now);

/* It has begun. 0 or TVL_ERR_NOMEM: then it is not counted. */
int tvl_admission_enter(struct tvl_admission *a, const struct tvl_config *cfg,
                        const struct sockaddr_storage *remote, struct tvl_guest *g);
/* Its handshake is over, well or badly. Again: no-op. */
void tvl_admission_shaken(struct tvl_admission *a, struct tvl_guest *g);
/* It is gone. No-op for one that is not inside. */
void tvl_admission_leave(struct tvl_admission *a, struct tvl_guest *g);

#endif
