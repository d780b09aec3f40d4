/* joint.c - see joint.h. */
#include "joint.h"

#include "version.h"

void joint_measure(struct session *s, struct player *p, uint32_t width, uint32_t height)
{
    struct session_path path[TVL_PATHS_MAX];
    struct svc_layer top;

    player_measure(p, path, session_paths(s, path, TVL_PATHS_MAX));
    if (player_demand(p, width, height, &top))
        session_ask(s, top);
}

struct session_to joint_server(const struct args *a)
{
    return (struct session_to){ .uri = a->uri,
                                .token = a->token,
                                .token_text = a->token_text,
                                .ca_file = a->ca_file,
                                .cert_file = a->cert_file,
                                .key_file = a->key_file,
                                .keylog_file = a->keylog_file,
                                .qlog_dir = a->qlog_dir,
                                .cc = a->cc,
                                .sched = a->sched,
                                .implementation = "svc-player " CLIENT_VERSION };
}
