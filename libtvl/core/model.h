/*
 * model.h - what is known of a path, estimated while it is used: struct tvl_path_model of
 * <tvl/select.h>, from acknowledgements and losses. Pure arithmetic, a few additions per packet.
 *
 * What is said of "the last 10 s" lies in TVL_MODEL_SLOTS slots of two seconds, the newest one
 * under way. Zeroed: nothing is known.
 */
#ifndef TVL_CORE_MODEL_H
#define TVL_CORE_MODEL_H

#include <tvl/cc.h>
#include <tvl/select.h>

#define TVL_MODEL_SLOTS 5
#define TVL_MODEL_SLOT_TIME 2000000u /* us */

struct tvl_model_slot {
    uint64_t best_bps;
    uint32_t rtt_max;     /* us; 0: no sample */
    uint32_t acked, lost; /* packets */
    uint32_t runs;        /* of packets lost in a row */
    uint32_t events, congestive;
    uint32_t marked;
};

struct tvl_model {
    struct tvl_model_slot slot[TVL_MODEL_SLOTS];
    uint64_t slot_now;    /* absolute index of the newest: time / TVL_MODEL_SLOT_TIME */
    uint32_t floor[2];    /* us, shortest round trip of this minute and the one before; 0: none */
    uint64_t minute;      /* absolute index */
    uint32_t rtt_last;    /* us */
    float jitter, gap;    /* us, means */
    tvl_time acked_at;    /* of the last acknowledgement */
    tvl_time bunch_at;    /* first of the bunch it belongs to */
    uint64_t lost_number; /* of the packet lost last */
    tvl_time event_at;    /* losses of packets sent before are the same event */
    uint64_t second;      /* absolute index of the second under way */
    uint64_t second_bytes, before_bytes; /* delivered in it, in the one before; 0: not known */
    float change;                        /* share, mean */
    bool limited;                        /* in this second there was not always enough to send */
};

/* One acknowledgement: what the controller is told, and besides: packets newly acknowledged, and
 * the round trip without the peer's delay (us; 0: no sample). */
void tvl_model_acked(struct tvl_model *m, const struct tvl_cc_ack *ack, uint64_t packets,
                     tvl_time rtt);
/* One packet each, by rising number; then once for all of them with the newest round trip, us. */
void tvl_model_packet_lost(struct tvl_model *m, const struct tvl_cc_packet *p);
void tvl_model_packet_spurious(struct tvl_model *m, const struct tvl_cc_packet *p);
void tvl_model_lost(struct tvl_model *m, const struct tvl_cc_loss *loss, tvl_time rtt);

/* `rtt` (us, smoothed) and `ecn` are the host's to fill in. */
void tvl_model_get(const struct tvl_model *m, tvl_time now, struct tvl_path_model *out);

struct tvl_model_losses { /* packets, of about the last 10 s */
    uint64_t packets, lost;
    uint64_t runs; /* of packets lost in a row */
};
void tvl_model_get_losses(const struct tvl_model *m, tvl_time now, struct tvl_model_losses *out);

#endif
