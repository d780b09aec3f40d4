/* rank.h - sending order of streams as one number, smaller first (draft-18 "Scheduling Algorithm"):
 * the control stream, request streams, then objects by subscriber priority, publisher priority,
 * group in the subscription's order, subgroup. */
#ifndef MOQ_RANK_H
#define MOQ_RANK_H

#include <stdbool.h>
#include <stdint.h>

enum moq_rank_kind { MOQ_RANK_CONTROL = 0, MOQ_RANK_REQUEST = 1, MOQ_RANK_OBJECT = 2 };

struct moq_rank_key {
    enum moq_rank_kind kind;
    uint8_t subscriber_priority, publisher_priority; /* the rest counts for objects only */
    bool descending;                                 /* newer groups first */
    uint64_t group, subgroup;
};

uint64_t moq_rank(const struct moq_rank_key *key);

#endif
