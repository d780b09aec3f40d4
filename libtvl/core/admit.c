/* admit.c - see admit.h. */
#include "admit.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>

#define HOST_KEY 9 /* family and as much of the address as one host has to itself */

struct tvl_host {
    uint8_t key[HOST_KEY];
    uint32_t conns;
    bool lost; /* set by uthash when it had no memory */
    UT_hash_handle hh;
};

static void key_of(const struct sockaddr_storage *remote, uint8_t key[HOST_KEY])
{
    memset(key, 0, HOST_KEY);
    if (remote->ss_family == AF_INET) {
        key[0] = 4;
        memcpy(key + 1, &((const struct sockaddr_in *)(const void *)remote)->sin_addr, 4);
    } else if (remote->ss_family == AF_INET6) { /* a host has a /64 */
        key[0] = 6;
        memcpy(key + 1, &((const struct sockaddr_in6 *)(const void *)remote)->sin6_addr, 8);
    }
}

static struct tvl_host *find(const struct tvl_admission *a, const struct sockaddr_storage *remote)
{
    uint8_t key[HOST_KEY];
    struct tvl_host *h = NULL;

    key_of(remote, key);
    HASH_FIND(hh, a->hosts, key, HOST_KEY, h);
    return h;
}

static bool wants_proof(const struct tvl_admission *a, const struct tvl_config *cfg)
{
    switch (cfg->retry) {
    case TVL_RETRY_ALWAYS:
        return true;
    case TVL_RETRY_NEVER:
        return false;
    default:
        return UINT64_C(2) * a->handshakes >= cfg->handshakes_max;
    }
}

static enum tvl_admit ask_application(const struct tvl_config *cfg,
                                      const struct sockaddr_storage *remote, bool proved,
                                      tvl_time now)
{
    if (!cfg->on_knock)
        return TVL_ADMIT;
    switch (cfg->on_knock(cfg->knock_user, remote, proved, now)) {
    case TVL_KNOCK_ADMIT:
        return TVL_ADMIT;
    case TVL_KNOCK_PROVE:
        return proved ? TVL_REFUSE_KNOCK : TVL_ADMIT_PROVE;
    default:
        return TVL_REFUSE_KNOCK;
    }
}

enum tvl_admit tvl_admission_judge(const struct tvl_admission *a, const struct tvl_config *cfg,
                                   const struct sockaddr_storage *remote, bool proved, tvl_time now)
{
    const struct tvl_host *h;

    if (a->closed)
        return TVL_REFUSE_DRAINING;
    if (a->conns >= cfg->conns_max)
        return TVL_REFUSE_CONNS;
    if (!proved && wants_proof(a, cfg))
        return TVL_ADMIT_PROVE;
    if (a->handshakes >= cfg->handshakes_max)
        return TVL_REFUSE_HANDSHAKES;
    h = cfg->conns_per_host ? find(a, remote) : NULL;
    if (h && h->conns >= cfg->conns_per_host)
        return TVL_REFUSE_HOST;
    return ask_application(cfg, remote, proved, now);
}

static int count_host(struct tvl_admission *a, const struct sockaddr_storage *remote,
                      struct tvl_guest *g)
{
    struct tvl_host *h = find(a, remote);

    if (!h) {
        h = calloc(1, sizeof *h);
        if (!h)
            return TVL_ERR_NOMEM;
        key_of(remote, h->key);
        HASH_ADD(hh, a->hosts, key, HOST_KEY, h);
        if (h->lost) {
            free(h);
            return TVL_ERR_NOMEM;
        }
    }
    h->conns++;
    g->host = h;
    return 0;
}

int tvl_admission_enter(struct tvl_admission *a, const struct tvl_config *cfg,
                        const struct sockaddr_storage *remote, struct tvl_guest *g)
{
    const int r = cfg->conns_per_host ? count_host(a, remote, g) : 0;

    if (r != 0)
        return r;
    g->inside = g->shaking = true;
    a->conns++;
    a->handshakes++;
    return 0;
}

void tvl_admission_shaken(struct tvl_admission *a, struct tvl_guest *g)
{
    if (!g->shaking)
        return;
    g->shaking = false;
    a->handshakes--;
}

void tvl_admission_leave(struct tvl_admission *a, struct tvl_guest *g)
{
    if (!g->inside)
        return;
    tvl_admission_shaken(a, g);
    g->inside = false;
    a->conns--;
    if (g->host && --g->host->conns == 0) {
        HASH_DEL(a->hosts, g->host);
        free(g->host);
    }
    g->host = NULL;
}
