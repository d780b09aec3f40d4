/* transport.c - see transport.h. */
#include "transport.h"

#include <stdio.h>

static const char *given(const char *text)
{
    return text[0] ? text : NULL;
}

int echo_transport(struct tvl_config *out, const struct echo_args *args, char *why, size_t why_size)
{
    static const char *const alpn[] = { "tvl-echo", NULL };
    const struct tvl_tls_config tls = {
        .alpn = alpn,
        .cert_file = given(args->cert),
        .key_file = given(args->key),
        .ca_file = given(args->ca),
        .server = args->verb == ECHO_SERVE,
        .no_tickets = true, /* each run stands for itself */
    };

    tvl_config_init(out);
    if (args->cc[0])
        out->cc = args->cc;
    if (args->sched[0])
        out->sched = args->sched;
    return tvl_tls_new(&out->tls, &tls, why, why_size) == 0 ? 0 : -1;
}
