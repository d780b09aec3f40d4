/* configuration.h - /etc/slice/guest.json of a node, as its agent reads it. */
#ifndef VMM_IMAGE_CONFIGURATION_H
#define VMM_IMAGE_CONFIGURATION_H

#include "topology/topology.h"

/*
 * { "node", "slice", "nics": [{"mac", "address", "prefix", "mtu", "link"}], "hosts": {NAME: IP},
 *   "disk": bool, "run": [..] }: text to be freed, or NULL. A name's address is on the first link
 * that both nodes share; nodes that share none are left out.
 */
char *configuration_text(const struct vmm_topology *t, size_t node);

#endif
