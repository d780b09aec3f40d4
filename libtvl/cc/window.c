/* window.c - see window.h. */
#include "window.h"

/* HyStart++, RFC 9406 4.3 */
#define RTT_THRESH_MIN 4000u  /* us */
#define RTT_THRESH_MAX 16000u /* us */
#define RTT_DIVISOR 8
#define RTT_SAMPLES 8
#define CSS_DIVISOR 4
#define CSS_ROUNDS 5

static uint64_t least(const struct tvl_window *w)
{
    return (uint64_t)TVL_WINDOW_MIN * w->datagram;
}

void tvl_window_init(void *cc, uint32_t datagram_bytes, tvl_time now)
{
    *(struct tvl_window *)cc = (struct tvl_window){
        .cwnd = (uint64_t)TVL_WINDOW_FIRST * datagram_bytes,
        .ssthresh = UINT64_MAX,
        .round_from = now,
        .datagram = datagram_bytes,
    };
}

/* ---- slow start ---- */

static void forget_rounds(struct tvl_window *w)
{
    w->css_rtt = w->round_rtt = w->before_rtt = 0;
    w->samples = 0;
}

static void next_round(struct tvl_window *w, tvl_time now)
{
    w->round_from = now;
    w->before_rtt = w->round_rtt;
    w->round_rtt = 0;
    w->samples = 0;
    if (w->css_rtt && ++w->css_rounds >= CSS_ROUNDS)
        w->ssthresh = w->cwnd;
}

static void watch_delay(struct tvl_window *w, tvl_time rtt)
{
    tvl_time thresh = w->before_rtt / RTT_DIVISOR;

    if (rtt == 0)
        return;
    w->samples++;
    if (w->round_rtt == 0 || rtt < w->round_rtt)
        w->round_rtt = rtt;
    if (w->samples < RTT_SAMPLES || w->before_rtt == 0)
        return;
    thresh = thresh < RTT_THRESH_MIN ? RTT_THRESH_MIN : thresh;
    thresh = thresh > RTT_THRESH_MAX ? RTT_THRESH_MAX : thresh;
    if (w->css_rtt == 0 && w->round_rtt >= w->before_rtt + thresh) {
        w->css_rtt = w->round_rtt;
        w->css_rounds = 0;
    } else if (w->css_rtt && w->round_rtt < w->css_rtt) {
        w->css_rtt = 0; /* a false alarm */
    }
}

bool tvl_window_on_ack(struct tvl_window *w, const struct tvl_cc_ack *ack, double boost)
{
    if (ack->app_limited || (w->recovery_from && ack->sent_at <= w->recovery_from))
        return false;
    if (w->cwnd >= w->ssthresh)
        return true;
    if (ack->sent_at >= w->round_from)
        next_round(w, ack->now);
    watch_delay(w, ack->rtt);
    tvl_window_grow(w, (w->css_rtt ? 1.0 / CSS_DIVISOR : boost) * (double)ack->bytes);
    return false;
}

void tvl_window_grow(struct tvl_window *w, double bytes)
{
    w->owed += bytes;
    const uint64_t whole = (uint64_t)w->owed;

    w->owed -= (double)whole;
    w->cwnd += whole;
}

void tvl_window_add(struct tvl_window *w, const struct tvl_cc_ack *ack, double factor)
{
    tvl_window_grow(w, factor * ack->growth * w->datagram * (double)ack->bytes / (double)w->cwnd);
}

/* ---- loss ---- */

bool tvl_window_on_loss(struct tvl_window *w, const struct tvl_cc_loss *loss, double keep)
{
    if (loss->persistent && w->collapsed_from && loss->sent_at <= w->collapsed_from)
        return false; /* left over from what the window has been given up for */
    if (loss->persistent) {
        const uint64_t kept = (uint64_t)(keep * (double)w->cwnd);

        /* not a second time before it was reached again, as RFC 5681 3.1 for repeated timeouts */
        if (w->collapsed_from == 0 || w->cwnd >= w->ssthresh) {
            w->ssthresh = kept > least(w) ? kept : least(w);
            w->w_max = w->cwnd;
        }
        w->cwnd = least(w);
        w->collapsed_from = w->recovery_from = loss->sent_at;
        w->owed = 0;
        forget_rounds(w);
        return false;
    }
    w->harsher = loss->harsher;
    return w->recovery_from == 0 || loss->sent_at > w->recovery_from;
}

void tvl_window_shrink(struct tvl_window *w, double bytes, tvl_time now)
{
    w->w_max = w->cwnd;
    if (bytes < (double)w->cwnd)
        bytes -= w->harsher * ((double)w->cwnd - bytes);
    w->harsher = 0;
    w->cwnd = bytes > (double)least(w) ? (uint64_t)bytes : least(w);
    w->ssthresh = w->cwnd;
    w->recovery_from = now;
    w->owed = 0;
    w->css_rtt = 0;
}

/* ---- for struct tvl_cc_ops ---- */

void tvl_window_on_mtu(void *cc, uint32_t datagram_bytes)
{
    struct tvl_window *w = cc;

    w->datagram = datagram_bytes;
    if (w->cwnd < least(w))
        w->cwnd = least(w);
}

struct tvl_cc_limit tvl_window_limit(const void *w)
{
    return (struct tvl_cc_limit){ .cwnd = ((const struct tvl_window *)w)->cwnd };
}

void tvl_window_save(const void *cc, struct tvl_cc_learnt *out)
{
    const struct tvl_window *w = cc;

    out->cwnd = w->cwnd;
    out->ssthresh = w->ssthresh;
    out->w_max = w->w_max;
    out->recovery_from = w->recovery_from;
}

void tvl_window_load(void *cc, const struct tvl_cc_learnt *from)
{
    struct tvl_window *w = cc;

    w->cwnd = from->cwnd > least(w) ? from->cwnd : least(w);
    w->ssthresh = from->ssthresh;
    w->w_max = from->w_max;
    w->recovery_from = from->recovery_from;
    w->round_from = from->now;
}

const char *tvl_window_state(const void *cc)
{
    const struct tvl_window *w = cc;

    if (w->cwnd < w->ssthresh)
        return w->css_rtt ? "conservative_slow_start" : "slow_start";
    return "congestion_avoidance";
}
