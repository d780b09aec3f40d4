/* config_rules.h - what a configuration must hold together, and what of it is on the disk. */
#ifndef SERVER_CONFIG_RULES_H
#define SERVER_CONFIG_RULES_H

#include "config.h"
#include "problems.h"

/* Pure: namespaces are unique, each kind has what it needs ... */
void config_rules(const struct config *c, struct problems *to);
/* --check: certificates and keys load and match, sources can be opened, folders written to. Opens
 * much, changes nothing. */
void config_check(const struct config *c, struct problems *to);

#endif
