/* resolve.c - the addresses that a server's name has, in the order in which they are to be tried.
 */
#include "udp.h"

#include <tvl/ev.h>

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FOUND_MAX 16

static bool write_text(char out[TVL_EV_ADDRESS_MAX], const struct sockaddr_storage *a)
{
    char host[NI_MAXHOST], port[8];

    if (getnameinfo((const struct sockaddr *)a, tvl_udp_len(a), host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    const char *form = a->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    return (size_t)snprintf(out, TVL_EV_ADDRESS_MAX, form, host, port) < TVL_EV_ADDRESS_MAX;
}

/* Of those that were not taken the first of another family than `last`, else the first. */
static size_t next_of(const struct sockaddr_storage *found, const bool *taken, size_t n,
                      sa_family_t last)
{
    size_t first = n;

    for (size_t i = n; i-- > 0;)
        if (!taken[i] &&
            (first == n || found[i].ss_family != last || found[first].ss_family == last))
            first = i;
    return first;
}

int tvl_ev_resolve(const char *server, char (*out)[TVL_EV_ADDRESS_MAX], size_t cap)
{
    struct sockaddr_storage found[FOUND_MAX];
    bool taken[FOUND_MAX] = { false };
    sa_family_t last = AF_UNSPEC;
    const int n = tvl_udp_parse_all(found, FOUND_MAX, server);
    size_t written = 0;

    for (int i = 0; i < n && written < cap; i++) {
        const size_t at = next_of(found, taken, (size_t)n, last);

        taken[at] = true;
        last = found[at].ss_family;
        if (write_text(out[written], &found[at]))
            written++;
    }
    return written > 0 ? (int)written : TVL_ERR_ARG;
}
