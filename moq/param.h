/* param.h - Message Parameters (draft-18 "Message Parameters"): a count, then ascending types, each
 * with the coding its definition gives. An unknown or misplaced one cannot be skipped. */
#ifndef MOQ_PARAM_H
#define MOQ_PARAM_H

#include "name.h"

/* One bit per parameter: which are present, and which a message may carry. */
enum moq_param_bit {
    MOQ_HAS_OBJECT_TIMEOUT = 1u << 0,
    MOQ_HAS_TOKEN = 1u << 1,
    MOQ_HAS_RENDEZVOUS_TIMEOUT = 1u << 2,
    MOQ_HAS_SUBGROUP_TIMEOUT = 1u << 3,
    MOQ_HAS_EXPIRES = 1u << 4,
    MOQ_HAS_LARGEST = 1u << 5,
    MOQ_HAS_FILL_TIMEOUT = 1u << 6,
    MOQ_HAS_FORWARD = 1u << 7,
    MOQ_HAS_PRIORITY = 1u << 8,
    MOQ_HAS_FILTER = 1u << 9,
    MOQ_HAS_GROUP_ORDER = 1u << 10,
    MOQ_HAS_NEW_GROUP = 1u << 11,
    MOQ_HAS_PREFIX = 1u << 12,
};

struct moq_param_filter {
    enum moq_filter type;
    struct moq_location start; /* absolute types */
    uint64_t end_group;        /* MOQ_FILTER_ABSOLUTE_RANGE, inclusive */
};

struct moq_params {
    uint32_t has; /* enum moq_param_bit, or-ed */
    uint64_t object_timeout_ms, subgroup_timeout_ms, rendezvous_timeout_ms, fill_timeout_ms;
    uint64_t expires_ms, new_group;
    struct moq_location largest;
    uint64_t forward, priority, group_order; /* uint8 on the wire */
    struct moq_param_filter filter;
    struct moq_name prefix;                  /* TRACK_NAMESPACE_PREFIX */
    struct moq_bytes tokens[MOQ_TOKENS_MAX]; /* Token structures as they came, see token.h */
    size_t n_tokens;                         /* written when MOQ_HAS_TOKEN is set */
};

/*
 * Read the block; parameters outside `allowed` are refused. 0 or MOQ_ERR_WIRE with the session's
 * close code in *close_code.
 */
int moq_params_read(struct moq_reader *r, struct moq_params *p, uint32_t allowed,
                    uint64_t *close_code);
bool moq_params_within(const struct moq_params *p, uint32_t allowed);
/* What a subscriber may say of a subscription, in any message but SUBSCRIBE itself. */
#define MOQ_SUBSCRIBER_PARAMS                                                                 \
    (MOQ_HAS_OBJECT_TIMEOUT | MOQ_HAS_SUBGROUP_TIMEOUT | MOQ_HAS_FORWARD | MOQ_HAS_PRIORITY | \
     MOQ_HAS_FILTER | MOQ_HAS_NEW_GROUP)
void moq_params_write(struct moq_writer *w, const struct moq_params *p);

#endif
