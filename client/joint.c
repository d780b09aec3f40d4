/* joint.c - see joint.h. */
#include "joint.h"

void joint_measure(struct session *s, struct player *p, uint32_t width, uint32_t height)
{
    struct session_path path[TVL_PATHS_MAX];
    struct svc_layer top;

    player_measure(p, path, session_paths(s, path, TVL_PATHS_MAX));
    if (player_demand(p, width, height, &top))
        session_ask(s, top);
}
