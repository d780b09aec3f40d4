/*
 * substitute.h - ${NAME} and ${NAME:-default} in a text. "$$" is a dollar; any other dollar stays.
 */
#ifndef VMM_SUBSTITUTE_H
#define VMM_SUBSTITUTE_H

#include "topology/yaml_tree.h"

/* 0 and the text in out[size]; -1 and what is wrong in `why`: a variable that is not set, no
 * closing brace, a name that is none, or a result that does not fit. */
int vmm_substitute(const char *text, const struct vmm_yaml_lookup *lookup, char *out, size_t size,
                   char *why, size_t why_size);

#endif
