/* rank.c - see rank.h. Bits from the top: 2 kind, 8 subscriber priority, 8 publisher priority,
 * 30 group, 16 subgroup. Groups are taken modulo 2^30: what is queued at one time lies far nearer
 * together, and a wrong order at the seam lasts for one queue. Subgroups saturate. */
#include "rank.h"

#define GROUP_MASK ((UINT64_C(1) << 30) - 1)
#define SUBGROUP_MAX UINT64_C(0xffff)

uint64_t moq_rank(const struct moq_rank_key *key)
{
    if (key->kind != MOQ_RANK_OBJECT)
        return key->kind;
    uint64_t group = (key->descending ? ~key->group : key->group) & GROUP_MASK;
    uint64_t subgroup = key->subgroup < SUBGROUP_MAX ? key->subgroup : SUBGROUP_MAX;
    return (uint64_t)MOQ_RANK_OBJECT << 62 | (uint64_t)key->subscriber_priority << 54 |
           (uint64_t)key->publisher_priority << 46 | group << 16 | subgroup;
}
