/* test_way.c - what one connection gets of a broadcast's layers: what leans on something lost stays
 * away, the layer is said to be missed until it is taken up anew, and what is held is known by
 * acknowledgements alone. Stands in for the connection. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "way.h"

#define BUDGET_US 300000
#define PICTURE_US 33333

static uint64_t opened, flows_set;
static enum tvl_flow_protection flow_of_sound;
static double loss;

static int send_stream(void *ctx, const struct moq_quic_message *m, uint64_t *id)
{
    (void)ctx;
    (void)m;
    *id = 4 * ++opened + 3;
    return 0;
}

void moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out)
{
    *t = (struct moq_tvl){ .conn = conn };
    *out = (struct moq_quic){ .ctx = t, .send = send_stream };
}

void tvl_conn_get_stats(const struct tvl_conn *conn, struct tvl_conn_stats *stats)
{
    (void)conn;
    *stats = (struct tvl_conn_stats){ .rate_bps = 8000000, .sure_bps = 8000000, .loss = loss };
}

uint64_t tvl_backlog(const struct tvl_conn *conn, uint64_t rank)
{
    (void)conn;
    (void)rank;
    return 0;
}

int tvl_flow_set(struct tvl_conn *conn, uint32_t flow, const struct tvl_flow_config *cfg)
{
    (void)conn;
    flows_set++;
    if (flow == 5)
        flow_of_sound = cfg->protection;
    return 0;
}

struct bench {
    struct way way;
    struct moq_quic quic;
    struct tracks tracks;
};

static void set_up(struct bench *b)
{
    struct svc_stream_info info = { .n_spatial = 2, .n_temporal = 1 };
    for (unsigned s = 0; s < 2; s++)
        info.layers[s].bitrate_bps = 500000;
    tracks_init(&b->tracks, &info, false);
    way_init(&b->way, NULL, &b->quic);
    b->way.wire.tvl.now = 1000000;
    opened = flows_set = 0;
    loss = 0;
}

/* The spatial layer's unit of a picture: each reads its own layer's last one, in slot `spatial`,
 * and the upper one the lower's of the same picture; `sync`: that alone. */
static struct svc_unit unit_of(uint64_t picture, uint8_t spatial, bool sync)
{
    struct svc_unit u = { .picture = picture, .layer.spatial = spatial, .len = 1000 };
    u.key = sync && spatial == 0;
    if (!sync)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ .slot = spatial, .spatial = spatial, .picture = picture - 1 };
    if (spatial > 0)
        u.deps.reads[u.deps.n_reads++] =
            (struct svc_read){ .slot = 0, .spatial = 0, .picture = picture };
    u.deps.refreshes = (uint8_t)(u.key ? 0xff : 1u << spatial);
    return u;
}

/* The stream that it went on; 0: it stayed away. */
static uint64_t offer(struct bench *b, const struct svc_unit *u)
{
    const int track = tracks_of_layer(&b->tracks, u->layer);
    const struct moq_quic_message m = { .rank = u->layer.spatial + 1u };
    uint64_t id;
    const struct way_unit unit = { .tracks = &b->tracks, .track = (size_t)track, .unit = u };
    const struct policy_order order = way_judge(&b->way, &unit, BUDGET_US);
    if (order.verdict != POLICY_SEND)
        return 0;
    way_aim(&b->way, b->tracks.track[track].flow, order.protection);
    assert_int_equal(b->quic.send(b->quic.ctx, &m, &id), 0);
    way_sent(&b->way, 0, u);
    return id;
}

static void end(struct bench *b, uint64_t stream, bool arrived)
{
    const struct tvl_event ev = { .type =
                                      arrived ? TVL_EVENT_STREAM_ACKED : TVL_EVENT_STREAM_EXPIRED,
                                  .stream.id = stream };
    way_event(&b->way, &ev, b->way.wire.tvl.now);
}

/* Both layers of a picture, which arrive. */
static void through(struct bench *b, uint64_t picture, bool sync)
{
    for (uint8_t s = 0; s < 2; s++) {
        const struct svc_unit u = unit_of(picture, s, sync);
        const uint64_t stream = offer(b, &u);
        assert_int_not_equal(stream, 0);
        end(b, stream, true);
    }
    b->way.wire.tvl.now += PICTURE_US;
}

static void what_was_lost_is_missed_until_taken_up(void **state)
{
    struct bench b;
    (void)state;
    set_up(&b);
    through(&b, 1, true);
    assert_int_equal(way_missed(&b.way, 0), SVC_SPATIAL_MAX);
    struct svc_unit u = unit_of(2, 0, false);
    end(&b, offer(&b, &u), true);
    u = unit_of(2, 1, false);
    end(&b, offer(&b, &u), false);
    assert_int_equal(way_missed(&b.way, 0), 1);
    u = unit_of(3, 0, false); /* the base leans on nothing that was lost */
    assert_int_not_equal(offer(&b, &u), 0);
    u = unit_of(3, 1, false);
    assert_int_equal(offer(&b, &u), 0);
    assert_int_equal(way_missed(&b.way, 0), 1);
    u = unit_of(4, 0, false);
    (void)offer(&b, &u);
    u = unit_of(4, 1, true);
    assert_int_not_equal(offer(&b, &u), 0);
    assert_int_equal(way_missed(&b.way, 0), SVC_SPATIAL_MAX);
    way_fini(&b.way);
}

static void of_the_base_everything_is_missed(void **state)
{
    struct bench b;
    (void)state;
    set_up(&b);
    through(&b, 1, true);
    struct svc_unit u = unit_of(2, 0, false);
    end(&b, offer(&b, &u), false);
    assert_int_equal(way_missed(&b.way, 0), 0);
    b.way.wire.tvl.now += PICTURE_US;
    through(&b, 3, true); /* a key picture mends it */
    assert_int_equal(way_missed(&b.way, 0), SVC_SPATIAL_MAX);
    way_fini(&b.way);
}

static void held_is_what_was_acknowledged(void **state)
{
    struct bench b;
    (void)state;
    set_up(&b);
    through(&b, 1, true);
    struct svc_unit u = unit_of(2, 0, false);
    const uint64_t base = offer(&b, &u);
    u = unit_of(2, 1, false);
    const uint64_t upper = offer(&b, &u);
    assert_int_equal(b.way.video[0].held.known.slot[0].picture, 1);
    end(&b, upper, false);
    end(&b, base, true);
    assert_int_equal(b.way.video[0].held.known.slot[0].picture, 2);
    assert_int_equal(b.way.video[0].held.known.slot[1].picture, 1);
    end(&b, 4 * 1000 + 3, true); /* none of ours */
    way_fini(&b.way);
}

/* Whoever comes in the middle has nothing that upper layers could lean on. */
static void upper_layers_wait_for_the_base(void **state)
{
    struct bench b;
    (void)state;
    set_up(&b);
    struct svc_unit u = unit_of(7, 1, true);
    assert_int_equal(offer(&b, &u), 0);
    assert_int_equal(way_missed(&b.way, 0), SVC_SPATIAL_MAX);
    way_fini(&b.way);
}

static void flows_are_protected_as_needed(void **state)
{
    struct bench b;
    (void)state;
    set_up(&b);
    through(&b, 1, true);
    assert_int_equal(flows_set, 1); /* the upper layer's: the base's is the scheduler's unasked */
    through(&b, 2, false);
    assert_int_equal(flows_set, 1);
    loss = 0.05;
    through(&b, 3, false);
    assert_int_equal(flows_set, 2);
    assert_int_equal(b.way.protection[0], POLICY_REPAIR);
    way_aim(&b.way, 5, POLICY_RESCUE);
    assert_int_equal(flow_of_sound, TVL_FLOW_RESCUE);
    way_fini(&b.way);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lost_is_missed_until_taken_up),
        cmocka_unit_test(of_the_base_everything_is_missed),
        cmocka_unit_test(held_is_what_was_acknowledged),
        cmocka_unit_test(upper_layers_wait_for_the_base),
        cmocka_unit_test(flows_are_protected_as_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
