/* transport.c - see transport.h. */
#include "transport.h"

#include <stdio.h>

static const char *given(const char *text)
{
    return text[0] ? text : NULL;
}

int echo_transport(struct tvl_config *out, const struct echo_args *args, enum echo_side side,
                   char *why, size_t why_size)
{
    const char *const alpn[] = { args->alpn, NULL };
    const bool server = side == ECHO_SERVER;
    const bool shows = server || args->verb == ECHO_SEND; /* a relay's is for those who come */
    const struct tvl_tls_config tls = {
        .alpn = alpn,
        .cert_file = shows ? given(args->cert) : NULL,
        .key_file = shows ? given(args->key) : NULL,
        .ca_file = given(server ? args->client_ca : args->ca),
        .server = server,
        .no_tickets = true, /* each run stands for itself */
    };

    tvl_config_init(out);
    if (args->cc[0])
        out->cc = args->cc;
    if (args->sched[0])
        out->sched = args->sched;
    return tvl_tls_new(&out->tls, &tls, why, why_size) == 0 ? 0 : -1;
}
