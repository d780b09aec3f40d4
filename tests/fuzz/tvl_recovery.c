/*
 * tvl_recovery.c - libFuzzer entry: loss recovery and congestion control of one path, beside the
 * acknowledgements a peer makes of what arrives; the bytes decide what arrives, when, and what lies
 * the peer tells. Every packet is acknowledged or lost at most once each, and what is in flight is
 * the sum of what is.
 */
#include <string.h>

#include <tvl/cc.h>

#include "ack.h"
#include "health.h"
#include "input.h"
#include "recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define STEPS_MAX 1500
#define PACKETS 2048

struct world {
    struct tvl_path_cc cc;
    struct tvl_recovery r;
    struct tvl_ack ack; /* the peer's */
    struct tvl_health health;
    tvl_time now;
    uint64_t sent;
    uint8_t acked[PACKETS], lost[PACKETS];
    uint32_t bytes[PACKETS];
    bool gone[PACKETS];
};

static void on_acked(void *user, const struct tvl_sent_packet *p)
{
    struct world *w = user;

    must(p->pn < w->sent && w->acked[p->pn]++ == 0);
    must(p->lost == (w->lost[p->pn] > 0));
    w->gone[p->pn] = true;
}

static void on_lost(void *user, const struct tvl_sent_packet *p)
{
    struct world *w = user;

    must(p->pn < w->sent && w->lost[p->pn]++ == 0 && w->acked[p->pn] == 0);
    w->gone[p->pn] = true;
}

static const struct tvl_recovery_handler handler = { .acked = on_acked, .lost = on_lost };

static void send_one(struct world *w, uint8_t how)
{
    struct tvl_sent_packet p = { .pn = tvl_recovery_next_pn(&w->r),
                                 .bytes = 40 + (uint32_t)how * 5,
                                 .ack_eliciting = !(how & 1),
                                 .in_flight = !(how & 1) || (how & 2) };

    if (w->sent >= PACKETS - 2 || !tvl_recovery_can_send(&w->r))
        return;
    must(p.pn == w->sent);
    if (how == 0xff) {
        if (tvl_recovery_skip_pn(&w->r, w->now) == 0)
            w->gone[w->sent++] = true;
        return;
    }
    if (tvl_recovery_sent(&w->r, &p, w->now) != 0)
        return;
    w->bytes[w->sent] = p.in_flight ? p.bytes : 0;
    w->sent++;
    if (p.ack_eliciting)
        tvl_health_sent(&w->health, w->now);
}

static void arrive(struct world *w, uint16_t back, uint8_t ecn)
{
    const uint64_t pn = w->sent - 1 - back % (w->sent ? w->sent : 1);
    const struct tvl_ack_packet p = { .pn = pn, .ack_eliciting = true, .ecn = ecn };

    if (w->sent > 0 && !tvl_ack_is_duplicate(&w->ack, pn))
        tvl_ack_received(&w->ack, &p, w->now);
}

static void acknowledge(struct world *w, uint8_t how)
{
    struct tvl_ack_out out;
    struct tvl_recovery_result res;

    if (!tvl_ack_make(&w->ack, &out, w->now))
        return;
    for (size_t i = 1; i < out.n_ranges; i++)
        must(out.range[i].last + 1 < out.range[i - 1].first);
    const struct tvl_recovery_ack a = {
        .range = out.range,
        .n_ranges = how & 1 ? 1 : out.n_ranges,
        .ack_delay = (tvl_time)how << (how >> 3),
        .detour = how & 8,
        .has_ecn = how & 2,
        .ecn = { .ect0 = out.ecn.ect0, .ect1 = out.ecn.ect1, .ce = out.ecn.ce }
    };
    tvl_ack_sent(&w->ack);
    const int r = tvl_recovery_on_ack(&w->r, &a, w->now, &res);
    if (r == 0 && res.any)
        (void)tvl_health_acked(&w->health, res.newest_sent_at, w->r.n_eliciting, w->now);
    if (how & 4)
        tvl_ack_forget(&w->ack, out.largest);
}

/* Numbers never sent must be refused and change nothing. */
static void lie(struct world *w, uint64_t first, uint64_t last)
{
    const struct tvl_pn_range range = { first < last ? first : last, first < last ? last : first };
    const struct tvl_recovery_ack a = { .range = &range, .n_ranges = 1 };

    if (range.last >= w->sent)
        must(tvl_recovery_on_ack(&w->r, &a, w->now, NULL) == TVL_ERR_PEER);
}

static void check(struct world *w)
{
    uint64_t flying = 0;

    for (uint64_t pn = 0; pn < w->sent; pn++)
        flying += w->gone[pn] ? 0 : w->bytes[pn];
    must(w->r.bytes_in_flight == flying && w->cc.in_flight == flying);
    must(tvl_path_cc_cwnd(&w->cc) >= 2 * 1200);
    (void)tvl_path_cc_next_send(&w->cc, w->now);
    (void)tvl_path_cc_pacing_bps(&w->cc);
    (void)tvl_path_cc_rate_bps(&w->cc);
    (void)tvl_recovery_next_time(&w->r);
}

static void step(struct world *w, struct input *in)
{
    const struct tvl_health_env env = { .srtt = tvl_rtt_srtt(&w->cc.rtt),
                                        .rttvar = tvl_rtt_var(&w->cc.rtt),
                                        .max_ack_delay = 25000,
                                        .others_live = true };
    const uint8_t what = input_u8(in), arg = input_u8(in);

    switch (what & 7) {
    case 0:
    case 1:
        for (unsigned i = 0; i <= what >> 4; i++)
            send_one(w, arg);
        break;
    case 2:
        for (unsigned i = 0; i <= what >> 4; i++)
            arrive(w, (uint16_t)(arg + i), what >> 3 & 3);
        break;
    case 3:
        acknowledge(w, arg);
        break;
    case 4:
        w->now += (tvl_time)arg << (what >> 4);
        break;
    case 5:
        (void)tvl_recovery_on_timeout(&w->r, w->now);
        (void)tvl_health_check(&w->health, &env, w->now);
        break;
    case 6:
        lie(w, input_u64(in), input_u64(in));
        break;
    default:
        if (arg < 16)
            (void)tvl_recovery_take_all(&w->r, w->now, "fuzz");
        else if (arg < 32)
            tvl_path_cc_restart(&w->cc, w->now);
        else if (arg < 48)
            tvl_path_cc_set_mtu(&w->cc, 1200 + arg);
        else
            tvl_path_cc_app_limited(&w->cc);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = { bytes, bytes + len };
    struct world *w = calloc(1, sizeof *w);
    unsigned n = 0;

    must(w != NULL);
    while (tvl_cc_all[n])
        n++;
    w->now = 1000000;
    tvl_path_cc_init(&w->cc, tvl_cc_all[input_u8(&in) % n], 1200, w->now);
    tvl_recovery_init(&w->r, &w->cc, &handler, w, w->now);
    w->r.max_ack_delay = 25000;
    tvl_ack_init(&w->ack, TVL_ACK_DELAYED);
    tvl_health_init(&w->health);
    for (unsigned i = 0; i < STEPS_MAX && input_left(&in); i++) {
        step(w, &in);
        check(w);
    }
    tvl_recovery_fini(&w->r);
    free(w);
    return 0;
}
