/* model.c - see model.h. */
#include "model.h"

#include <string.h>

#define FLOOR_TIME 60000000u /* us: a full buffer may stand for longer than 10 s */
#define SECOND 1000000u
#define JITTER_GAIN (1.0f / 16) /* RFC 3550 6.4.1 */
#define GAP_GAIN (1.0f / 16)
#define CHANGE_GAIN (1.0f / 4)
#define BUNCH 200u         /* us: acknowledgements closer than this came together */
#define FULL 0.7           /* of the longest queue seen: a loss there is the buffer's */
#define QUEUE_LEAST 1000.0 /* us: shorter queues are the noise of clocks and of jitter: */
#define QUEUE_JITTERS 2.0

static uint32_t narrow(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static struct tvl_model_slot *slot_at(struct tvl_model *m, tvl_time now)
{
    const uint64_t index = now / TVL_MODEL_SLOT_TIME;

    if (index - m->slot_now >= TVL_MODEL_SLOTS) {
        memset(m->slot, 0, sizeof m->slot);
    } else {
        for (uint64_t i = m->slot_now + 1; i <= index; i++)
            m->slot[i % TVL_MODEL_SLOTS] = (struct tvl_model_slot){ .acked = 0 };
    }
    m->slot_now = index;
    return &m->slot[index % TVL_MODEL_SLOTS];
}

/* The slots that are not over, added up. */
static struct tvl_model_slot sum(const struct tvl_model *m, tvl_time now)
{
    const uint64_t index = now / TVL_MODEL_SLOT_TIME;
    struct tvl_model_slot s = { .acked = 0 };

    for (uint64_t i = 0; i < TVL_MODEL_SLOTS; i++) {
        const struct tvl_model_slot *one =
            &m->slot[(m->slot_now + TVL_MODEL_SLOTS - i) % TVL_MODEL_SLOTS];

        if (m->slot_now < i || index - (m->slot_now - i) >= TVL_MODEL_SLOTS)
            continue;
        s.best_bps = one->best_bps > s.best_bps ? one->best_bps : s.best_bps;
        s.rtt_max = one->rtt_max > s.rtt_max ? one->rtt_max : s.rtt_max;
        s.acked += one->acked;
        s.lost += one->lost;
        s.runs += one->runs;
        s.events += one->events;
        s.congestive += one->congestive;
        s.marked += one->marked;
    }
    return s;
}

static uint32_t floor_of(const struct tvl_model *m)
{
    if (m->floor[0] == 0 || m->floor[1] == 0)
        return m->floor[0] ? m->floor[0] : m->floor[1];
    return m->floor[0] < m->floor[1] ? m->floor[0] : m->floor[1];
}

static uint32_t longest_queue(uint32_t rtt_max, uint32_t floor)
{
    return rtt_max > floor ? rtt_max - floor : 0;
}

/* ---- acknowledgements ---- */

static void take_rtt(struct tvl_model *m, struct tvl_model_slot *s, tvl_time sample, tvl_time now)
{
    const uint32_t rtt = narrow(sample);
    const uint64_t minute = now / FLOOR_TIME;

    if (minute != m->minute) {
        m->floor[1] = minute == m->minute + 1 ? m->floor[0] : 0;
        m->floor[0] = 0;
        m->minute = minute;
    }
    if (m->floor[0] == 0 || rtt < m->floor[0])
        m->floor[0] = rtt;
    if (rtt > s->rtt_max)
        s->rtt_max = rtt;
    if (m->rtt_last) {
        const float diff = (float)(rtt > m->rtt_last ? rtt - m->rtt_last : m->rtt_last - rtt);

        m->jitter += JITTER_GAIN * (diff - m->jitter);
    }
    m->rtt_last = rtt;
}

static void watch_bunches(struct tvl_model *m, const struct tvl_cc_ack *ack)
{
    if (m->acked_at && ack->now - m->acked_at > BUNCH) {
        const tvl_time gap = ack->now - m->bunch_at;

        if (gap < ack->srtt) /* longer ones are pauses */
            m->gap += GAP_GAIN * ((float)gap - m->gap);
        m->bunch_at = ack->now;
    }
    m->acked_at = ack->now;
}

static void watch_change(struct tvl_model *m, const struct tvl_cc_ack *ack)
{
    const uint64_t second = ack->now / SECOND;

    if (second != m->second) {
        const double a = (double)m->second_bytes, b = (double)m->before_bytes;

        if (second == m->second + 1 && !m->limited && a > 0 && b > 0) {
            const float change = (float)(a > b ? (a - b) / a : (b - a) / b);

            m->change += CHANGE_GAIN * (change - m->change);
        }
        m->before_bytes = second == m->second + 1 && !m->limited ? m->second_bytes : 0;
        m->second_bytes = 0;
        m->second = second;
        m->limited = false;
    }
    m->second_bytes += ack->bytes;
    m->limited = m->limited || ack->app_limited;
}

void tvl_model_acked(struct tvl_model *m, const struct tvl_cc_ack *ack, uint64_t packets,
                     tvl_time rtt)
{
    struct tvl_model_slot *s = slot_at(m, ack->now);

    s->acked += narrow(packets);
    s->marked += narrow(ack->marked);
    if (ack->delivery_bps > s->best_bps)
        s->best_bps = ack->delivery_bps;
    if (rtt)
        take_rtt(m, s, rtt, ack->now);
    watch_bunches(m, ack);
    watch_change(m, ack);
}

/* ---- losses ---- */

void tvl_model_packet_lost(struct tvl_model *m, const struct tvl_cc_packet *p)
{
    struct tvl_model_slot *s = slot_at(m, p->now);

    s->lost++;
    s->runs += s->runs == 0 || p->number != m->lost_number + 1;
    m->lost_number = p->number;
}

void tvl_model_packet_spurious(struct tvl_model *m, const struct tvl_cc_packet *p)
{
    struct tvl_model_slot *s = slot_at(m, p->now);

    if (s->lost > 0)
        s->lost--;
    if (s->runs > s->lost)
        s->runs = s->lost;
}

void tvl_model_lost(struct tvl_model *m, const struct tvl_cc_loss *loss, tvl_time rtt)
{
    struct tvl_model_slot *s = slot_at(m, loss->now);
    const uint32_t floor = floor_of(m);
    const double longest = longest_queue(sum(m, loss->now).rtt_max, floor);
    const double queue = rtt > floor ? (double)(rtt - floor) : 0;

    if (loss->bytes == 0 || loss->sent_at <= m->event_at)
        return;
    m->event_at = loss->now;
    s->events++;
    s->congestive +=
        queue >= FULL * longest && queue > QUEUE_LEAST && queue > QUEUE_JITTERS * (double)m->jitter;
}

/* ---- result ---- */

void tvl_model_get(const struct tvl_model *m, tvl_time now, struct tvl_path_model *out)
{
    const struct tvl_model_slot s = sum(m, now);
    const uint32_t floor = floor_of(m);

    *out = (struct tvl_path_model){ .capacity_bps = s.best_bps,
                                    .rtt_min = floor,
                                    .jitter = (tvl_time)m->jitter,
                                    .buffer = longest_queue(s.rtt_max, floor),
                                    .aggregation = (tvl_time)m->gap,
                                    .change = (double)m->change };
    if (s.acked + s.lost > 0) {
        out->loss = (double)s.lost / ((double)s.acked + s.lost);
        out->marked = s.acked ? (double)s.marked / s.acked : 0;
    }
    if (s.lost > 0 && s.runs > 0)
        out->loss_burst = (double)s.lost / s.runs;
    if (s.events > 0)
        out->loss_congestive = (double)s.congestive / s.events;
}

void tvl_model_get_losses(const struct tvl_model *m, tvl_time now, struct tvl_model_losses *out)
{
    const struct tvl_model_slot s = sum(m, now);

    *out = (struct tvl_model_losses){ .packets = (uint64_t)s.acked + s.lost,
                                      .lost = s.lost,
                                      .runs = s.runs };
}
