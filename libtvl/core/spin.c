/* spin.c - see spin.h. */
#include "spin.h"

#include "rng.h"

static void begin(struct tvl_spin *s, struct tvl_rng *rng)
{
    s->value = s->shown ? false : tvl_rng_below(rng, 2) != 0;
}

void tvl_spin_init(struct tvl_spin *s, struct tvl_rng *rng, bool never)
{
    *s = (struct tvl_spin){ .shown = tvl_rng_below(rng, TVL_SPIN_HIDDEN) != 0 && !never };
    begin(s, rng);
}

void tvl_spin_heard(struct tvl_spin *s, bool server, bool bit)
{
    if (s->shown)
        s->value = server ? bit : !bit;
}

bool tvl_spin_next(struct tvl_spin *s, struct tvl_rng *rng, uint64_t cid)
{
    if (cid != s->cid) {
        s->cid = cid;
        begin(s, rng);
    }
    return s->value;
}
