/*
 * words.h - "policy=fifo,priority=50": what `vmm-shim rt set` is told, as data. Pure.
 */
#ifndef VMM_RT_WORDS_H
#define VMM_RT_WORDS_H

#include "topology/topology.h"

/* Changes *rt and *share as `words` say; on failure they are as before. 0, or -1 and one line. */
int vmm_rt_words(const char *words, struct vmm_real_time *rt, struct vmm_share *share, char *why,
                 size_t why_size);

#endif
