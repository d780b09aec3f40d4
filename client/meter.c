/* meter.c - differences of counters over 200 ms and over the last second. */
#include "meter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct meter_path *find(struct meter *m, const char *name)
{
    for (size_t i = 0; i < m->n_paths; i++)
        if (strcmp(m->path[i].name, name) == 0)
            return &m->path[i];
    if (m->n_paths == TVL_PATHS_MAX)
        return NULL;
    struct meter_path *p = &m->path[m->n_paths++];
    memcpy(p->name, name, sizeof p->name);
    p->last.id = UINT32_MAX;
    return p;
}

static void add(struct tvl_path_stats *sum, const struct tvl_path_stats *s)
{
    sum->bytes_sent += s->bytes_sent;
    sum->bytes_received += s->bytes_received;
    sum->packets_sent += s->packets_sent;
    sum->packets_received += s->packets_received;
    sum->packets_lost += s->packets_lost;
}

/* Takes the newest counters; the result is the rate since the last ones. */
static float take_path(struct meter_path *p, const struct tvl_path_stats *now, int64_t elapsed_us)
{
    uint64_t before = p->last.bytes_received;
    if (p->last.id != now->id || now->bytes_received < before) {
        /* opened anew, in this connection or in another: its counters began at zero */
        if (p->last.id != UINT32_MAX)
            add(&p->before, &p->last);
        before = 0;
    }
    uint64_t bytes = now->bytes_received >= before ? now->bytes_received - before : 0;
    p->last = *now;
    return elapsed_us > 0 ? (float)((double)bytes * 8e6 / (double)elapsed_us) : 0;
}

static void push(float *history, float value)
{
    memmove(history, history + 1, (OSD_HISTORY - 1) * sizeof history[0]);
    history[OSD_HISTORY - 1] = value;
}

/* Share of what was sent in the last second that was lost; of two figures that move together. */
static float recent_loss(struct meter_path *p)
{
    memmove(p->lost + 1, p->lost, METER_SECOND * sizeof p->lost[0]);
    memmove(p->sent + 1, p->sent, METER_SECOND * sizeof p->sent[0]);
    p->lost[0] = p->last.packets_lost + p->before.packets_lost;
    p->sent[0] = p->last.packets_sent + p->before.packets_sent;
    const uint64_t sent = p->sent[0] - p->sent[METER_SECOND];
    const uint64_t lost = p->lost[0] - p->lost[METER_SECOND];
    return sent && lost <= sent ? (float)lost / (float)sent : 0;
}

/* What the sender says is of the path as it is now: its ID is not that of another life. */
static void take_sender(struct meter_path *p, const struct sender_view *v)
{
    const bool lives = !p->off && p->last.state != TVL_PATH_ABANDONED;
    const struct sender_path *said = v && lives ? sender_view_path(v, p->last.id) : NULL;
    p->sender = said ? *said : (struct sender_path){ .known = false };
    push(p->sender_bps, said ? fmaxf(0, (float)said->rate_bps) : 0);
    push(p->sender_rtt_ms, said ? fmaxf(0, (float)said->rtt_ms) : 0);
    push(p->sender_loss, said ? fmaxf(0, (float)said->loss) : 0);
}

static void shift_history(struct meter_path *p, float rate)
{
    push(p->history_bps, rate);
    push(p->history_rtt_ms, (float)p->last.srtt / 1e3f);
    push(p->history_loss, recent_loss(p));
    float sum = 0;
    for (int i = 0; i < METER_SECOND; i++)
        sum += p->history_bps[OSD_HISTORY - 1 - i];
    p->rate_bps = (uint64_t)(sum / METER_SECOND);
}

static void sample_paths(struct meter *m, const struct meter_input *in, struct report_sample *row)
{
    float rate[TVL_PATHS_MAX] = { 0 };
    int64_t elapsed = in->now_us - m->last_us;
    for (size_t i = 0; i < in->n_paths; i++) {
        struct meter_path *p = find(m, in->path[i].name);
        if (p)
            rate[p - m->path] = take_path(p, &in->path[i].stats, elapsed);
        if (p)
            p->off = in->path[i].off;
    }
    row->n_paths = m->n_paths;
    row->rate_bps = 0;
    for (size_t i = 0; i < m->n_paths; i++) {
        const struct tvl_path_stats *s = &m->path[i].last;
        shift_history(&m->path[i], rate[i]);
        take_sender(&m->path[i], in->sender);
        row->path[i] = (struct report_path_sample){ s->id, (uint64_t)rate[i], s->state,
                                                    (double)s->srtt / 1e3 };
        row->rate_bps += row->path[i].rate_bps;
    }
}

static void view_paths(const struct meter *m, struct osd_view *view)
{
    view->rate_bps = 0;
    view->n_paths = m->n_paths;
    for (size_t i = 0; i < m->n_paths; i++)
        view->rate_bps += m->path[i].rate_bps;
    for (size_t i = 0; i < m->n_paths; i++) {
        const struct meter_path *p = &m->path[i];
        struct osd_path *v = &view->path[i];
        memcpy(v->name, p->name, sizeof v->name);
        v->state = p->last.state;
        v->backup = p->last.backup;
        v->rate_bps = p->rate_bps;
        v->rtt_ms = (double)p->last.srtt / 1e3;
        v->loss =
            p->last.packets_sent ? (double)p->last.packets_lost / (double)p->last.packets_sent : 0;
        v->share = view->rate_bps ? (double)p->rate_bps / (double)view->rate_bps : 0;
        v->off = p->off;
        snprintf(v->cc, sizeof v->cc, "%s", p->last.cc ? p->last.cc : "");
        memcpy(v->history_bps, p->history_bps, sizeof v->history_bps);
        memcpy(v->history_rtt_ms, p->history_rtt_ms, sizeof v->history_rtt_ms);
        memcpy(v->history_loss, p->history_loss, sizeof v->history_loss);
        v->sender = p->sender;
        memcpy(v->sender_bps, p->sender_bps, sizeof v->sender_bps);
        memcpy(v->sender_rtt_ms, p->sender_rtt_ms, sizeof v->sender_rtt_ms);
        memcpy(v->sender_loss, p->sender_loss, sizeof v->sender_loss);
    }
}

static void sample_layers(struct meter *m, const struct meter_input *in, struct osd_view *view,
                          struct report_sample *row)
{
    memmove(m->layer + 1, m->layer, METER_SECOND * sizeof m->layer[0]);
    memcpy(m->layer[0], in->layers->count, sizeof m->layer[0]);
    uint64_t best = 0;
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
            best += m->layer[0][s][t].best;
    view->n_spatial = in->layers->n_spatial;
    view->n_temporal = in->layers->n_temporal;
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++) {
            const struct layers_count *now = &m->layer[0][s][t];
            const struct layers_count *old = &m->layer[METER_SECOND][s][t];
            uint64_t expected = now->expected - old->expected;
            uint64_t arrived = now->received - m->layer[1][s][t].received;
            row->arrived[s][t] = (uint16_t)(arrived < UINT16_MAX ? arrived : UINT16_MAX);
            view->layer[s][t] = (struct osd_layer){
                .subscribed = in->layers->subscribed[s][t],
                .expected = expected > 0,
                .in_time = expected ? (double)(now->in_time - old->in_time) / (double)expected : 0,
                .shown = view->playing && s <= view->shown.spatial && t == view->shown.temporal,
                .residency = best ? (double)now->best / (double)best : 0,
            };
        }
}

void meter_sample(struct meter *m, const struct meter_input *in, struct osd_view *view,
                  struct report_sample *row)
{
    if (m->samples++ == 0)
        m->began_us = m->last_us = in->now_us;
    sample_paths(m, in, row);
    view_paths(m, view);
    sample_layers(m, in, view, row);
    memmove(m->shown + 1, m->shown, METER_SECOND * sizeof m->shown[0]);
    m->shown[0] = in->frames_shown;
    view->fps =
        (double)(m->shown[0] - m->shown[METER_SECOND]) * 1e6 / (METER_SECOND * METER_PERIOD_US);
    m->last_us = in->now_us;
}

int64_t meter_least_rtt(const struct meter *m)
{
    int64_t least = 0;
    for (size_t i = 0; i < m->n_paths; i++) {
        const struct tvl_path_stats *s = &m->path[i].last;
        if (s->state == TVL_PATH_UP && s->srtt > 0 && (least == 0 || (int64_t)s->srtt < least))
            least = (int64_t)s->srtt;
    }
    return least;
}

size_t meter_paths_up(const struct meter *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_paths; i++)
        n += m->path[i].last.state == TVL_PATH_UP;
    return n;
}

size_t meter_paths(const struct meter *m, struct report_path *out)
{
    double seconds = (double)(m->last_us - m->began_us) / 1e6;
    for (size_t i = 0; i < m->n_paths; i++) {
        memcpy(out[i].name, m->path[i].name, sizeof out[i].name);
        out[i].stats = m->path[i].last;
        out[i].sender = m->path[i].sender;
        add(&out[i].stats, &m->path[i].before);
        out[i].rate_bps_mean = seconds > 0 ? (double)out[i].stats.bytes_received * 8 / seconds : 0;
    }
    return m->n_paths;
}
