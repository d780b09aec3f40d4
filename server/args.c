/* args.c - see args.h. */
#include "args.h"

#include <stdio.h>

int args_of(struct args *out, const struct config *c, char *why, size_t why_size)
{
    const struct config_source *s = &c->source[0];
    *out = (struct args){ .listen = c->listen,
                          .ns = s->ns,
                          .cert = c->cert,
                          .key = c->key,
                          .cc = c->transport.cc,
                          .sched = c->transport.sched,
                          .objective = c->transport.objective,
                          .knowledge = c->transport.knowledge,
                          .keylog = c->keylog,
                          .json = c->json,
                          .qlog = c->qlog,
                          .policy_log = c->policy_log,
                          .latency_ms = s->latency_ms,
                          .max_viewers = c->viewers_max,
                          .loop = s->loop,
                          .start_on_viewer = s->start_on_viewer };
    if (s->kind == CONFIG_FILE)
        out->file = s->input;
    else if (s->kind == CONFIG_LIVE)
        return config_live(&out->live.config, s, why, why_size);
    else {
        snprintf(why, why_size, "source %s: only files and live sources so far", s->ns);
        return -1;
    }
    return 0;
}
