/* session_place.c - where in the broadcast a session is: pause, going on, seeking; and its status.
 */
#include "session_internal.h"

#include <stdio.h>

#define SHIFT_LEAST_US 2000000 /* nearer to what is live it is live */

/* ---- pause and places ---- */

static void restart(struct session *s)
{
    if (s->cfg.handler->on_restart)
        s->cfg.handler->on_restart(s->cfg.user);
}

int session_pause(struct session *s)
{
    if (s->paused)
        return 0;
    s->paused = true;
    if (s->broadcast)
        broadcast_pause(s->broadcast, true);
    tvl_ev_kick(s->driver);
    return 0;
}

bool session_is_live(const struct session *s)
{
    return broadcast_is_live(s->broadcast);
}

/* How far behind live we are, us; 0: live, or not known. */
static int64_t behind_us(const struct session *s)
{
    int64_t oldest, live;
    if (!s->placed || !broadcast_reach(s->broadcast, &oldest, &live) || live <= s->position)
        return 0;
    return live - s->position;
}

static int go_to(struct session *s, int64_t pts_us)
{
    s->paused = false;
    restart(s);
    if (!s->broadcast)
        return 0;
    int result = broadcast_seek(s->broadcast, pts_us);
    broadcast_pause(s->broadcast, false);
    tvl_ev_kick(s->driver);
    return result;
}

int session_resume(struct session *s)
{
    if (!s->paused)
        return 0;
    if (broadcast_has_window(s->broadcast) && behind_us(s) > SHIFT_LEAST_US)
        return go_to(s, s->position);
    return session_live(s);
}

int session_seek(struct session *s, double by_s, char *why, size_t why_size)
{
    int64_t oldest, live, wish = s->position + (int64_t)(by_s * 1e6);
    if (!broadcast_has_window(s->broadcast)) {
        snprintf(why, why_size, "the server keeps nothing of this broadcast to go back to");
        return -1;
    }
    if (!s->placed || !broadcast_reach(s->broadcast, &oldest, &live)) {
        snprintf(why, why_size, "it is not known yet how far back the server goes");
        return -1;
    }
    if (wish >= live - SHIFT_LEAST_US)
        return session_live(s);
    return go_to(s, wish > oldest ? wish : oldest);
}

int session_live(struct session *s)
{
    s->paused = false;
    restart(s);
    if (s->broadcast) {
        broadcast_live(s->broadcast);
        broadcast_pause(s->broadcast, false);
    }
    tvl_ev_kick(s->driver);
    return 0;
}

void session_set_position(struct session *s, int64_t pts_us)
{
    s->position = pts_us;
    s->placed = true;
    if (s->broadcast)
        broadcast_set_position(s->broadcast, pts_us);
}

/* ---- status ---- */

void session_get_status(const struct session *s, struct session_status *out)
{
    double now = session_now(s), since = s->connected ? s->outage_began : s->began;
    bool limited = s->cfg.reconnect_s > 0 && s->state != SESSION_PLAYING && since > 0;
    *out = (struct session_status){ .state = s->state,
                                    .resuming = s->played,
                                    .attempt = s->tries + !s->trying,
                                    .since_s = now - s->state_since,
                                    .paused = s->paused,
                                    .give_up_in_s =
                                        limited ? s->cfg.reconnect_s - (now - since) : -1 };
    if (s->state == SESSION_WAITING && s->retry_at > now)
        out->retry_in_s = s->retry_at - now;
    int64_t oldest, live;
    out->has_window = broadcast_has_window(s->broadcast);
    if (broadcast_reach(s->broadcast, &oldest, &live)) {
        out->window_s = (double)(live - oldest) / 1e6;
        out->behind_s = behind_us(s) > SHIFT_LEAST_US ? (double)behind_us(s) / 1e6 : 0;
    }
    snprintf(out->reason, sizeof out->reason, "%s", s->reason);
    session_path_names(s, out->paths, sizeof out->paths);
}
