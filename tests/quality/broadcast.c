/* broadcast.c - see broadcast.h. */
#include "broadcast.h"
#include "loop.h"

#include "../../server/config.h"
#include "../../server/live.h"
#include "../../server/log.h"
#include "../../server/server.h"

#include <tvl/tvl.h>

#include <stdbool.h>
#include <stdio.h>

#define KIND_SHIFT 62u /* moq/rank.c: kind, subscriber's and publisher's priority, ... */
#define KIND_OBJECT 2u
#define SUBSCRIBER_SHIFT 54u
#define PUBLISHER_SHIFT 46u
#define PRIORITY_MASK UINT64_C(0xff)
#define BASE_PRIORITY 2u /* peer/tracks.c: PRIORITY_VIDEO, layers from there up */
#define LAST_PRIORITY UINT64_C(0xfe)

void __real_feed_start(struct feed *f, uint64_t delay_us);
void __wrap_feed_start(struct feed *f, uint64_t delay_us);
int __real_tvl_stream_send(struct tvl_conn *conn, const struct tvl_stream_order *order,
                           const struct tvl_part *part, size_t n, uint64_t *id);
int __wrap_tvl_stream_send(struct tvl_conn *conn, const struct tvl_stream_order *order,
                           const struct tvl_part *part, size_t n, uint64_t *id);
int __real_tvl_stream_set_rank(struct tvl_conn *conn, uint64_t id, uint64_t rank);
int __wrap_tvl_stream_set_rank(struct tvl_conn *conn, uint64_t id, uint64_t rank);
int __real_tvl_stream_set_deadline(struct tvl_conn *conn, uint64_t id, tvl_time at, uint64_t code);
int __wrap_tvl_stream_set_deadline(struct tvl_conn *conn, uint64_t id, tvl_time at, uint64_t code);

static struct {
    struct broadcast_plan plan;
    int64_t zero;
} now_on;

void __wrap_feed_start(struct feed *f, uint64_t delay_us)
{
    if (now_on.zero == 0)
        now_on.zero = loop_now() + (int64_t)delay_us;
    __real_feed_start(f, delay_us);
}

/* Nothing is encoded here: virtual time stands still meanwhile. */
int live_open(struct feed **out, const struct feed_sink *sink, const struct live_config *cfg,
              char *why, size_t why_size)
{
    (void)out;
    (void)sink;
    (void)cfg;
    snprintf(why, why_size, "no live encoder in the laboratory");
    return -1;
}

int64_t broadcast_zero(void)
{
    return now_on.zero;
}

static uint64_t harmed(uint64_t rank)
{
    const uint64_t priorities = PRIORITY_MASK << SUBSCRIBER_SHIFT | PRIORITY_MASK
                                                                        << PUBLISHER_SHIFT;

    if (rank >> KIND_SHIFT != KIND_OBJECT)
        return rank;
    if (now_on.plan.harm == BROADCAST_NO_RANKS)
        return rank & ~priorities;
    if ((rank >> PUBLISHER_SHIFT & PRIORITY_MASK) != BASE_PRIORITY)
        return rank;
    return (rank & ~priorities) | LAST_PRIORITY << SUBSCRIBER_SHIFT |
           LAST_PRIORITY << PUBLISHER_SHIFT;
}

static uint64_t rank_as_planned(uint64_t rank)
{
    return now_on.plan.harm == BROADCAST_WHOLE ? rank : harmed(rank);
}

static tvl_time deadline_as_planned(tvl_time at)
{
    const tvl_time latest = (tvl_time)loop_now() + now_on.plan.latency_ms * UINT64_C(1000);
    const bool early =
        now_on.plan.harm == BROADCAST_BASE_UNPROTECTED && at != TVL_TIME_NEVER && at > latest;

    return early ? latest : at;
}

int __wrap_tvl_stream_send(struct tvl_conn *conn, const struct tvl_stream_order *order,
                           const struct tvl_part *part, size_t n, uint64_t *id)
{
    struct tvl_stream_order planned = *order;

    planned.rank = rank_as_planned(order->rank);
    planned.deadline = deadline_as_planned(order->deadline);
    return __real_tvl_stream_send(conn, &planned, part, n, id);
}

int __wrap_tvl_stream_set_rank(struct tvl_conn *conn, uint64_t id, uint64_t rank)
{
    return __real_tvl_stream_set_rank(conn, id, rank_as_planned(rank));
}

int __wrap_tvl_stream_set_deadline(struct tvl_conn *conn, uint64_t id, tvl_time at, uint64_t code)
{
    return __real_tvl_stream_set_deadline(conn, id, deadline_as_planned(at), code);
}

int broadcast_run(const struct broadcast_plan *plan, char *why, size_t why_size)
{
    struct config_source source = { .ns = "live",
                                    .kind = CONFIG_FILE,
                                    .input = plan->file,
                                    .latency_ms = plan->latency_ms,
                                    .loop = true,
                                    .start_on_viewer = true };
    struct config cfg = { .listen = "10.9.9.9:4433",
                          .workers = 1,
                          .viewers_max = 1,
                          .cert = plan->cert,
                          .key = plan->key,
                          .source = &source,
                          .n_sources = 1,
                          .ends_with_source = true,
                          .transport = { .cc = plan->cc, .sched = plan->sched },
                          .json = plan->json };

    now_on.plan = *plan;
    return server_run(&cfg, NULL, why, why_size);
}
