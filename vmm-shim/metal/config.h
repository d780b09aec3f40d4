/* config.h - what the guest is: /etc/slice/guest.json of the initrd, as all guests have it. */
#ifndef METAL_CONFIG_H
#define METAL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "net/stack.h"

#define CONFIG_HOSTS_MAX 64u
#define CONFIG_NAME_MAX 64u
#define CONFIG_ARGS_MAX 64u
#define CONFIG_WHY_MAX 160u

struct config {
    char node[CONFIG_NAME_MAX];
    struct net_interface nic[NET_INTERFACES_MAX];
    size_t n_nics;
    uint32_t gateway; /* 0: none */
    struct {
        char name[CONFIG_NAME_MAX];
        uint32_t address; /* host order */
    } host[CONFIG_HOSTS_MAX];
    size_t n_hosts;
    char *run[CONFIG_ARGS_MAX +
              1]; /* program and its words, NULL-ended; owned. Run where no agent is */
    int n_run;
};

/* {"node", "nics": [{"mac", "address", "prefix", "mtu"}], "gateway", "hosts": {NAME: ADDRESS},
 * "run": [WORD]}; other keys are not looked at. 0, or -1 and one line. */
int config_read(struct config *out, const char *json, size_t size, char *why, size_t why_size);
void config_fini(struct config *c);

/* "HOST:PORT" with an address or a name of `hosts`. 0 or -1. */
int config_resolve(const struct config *c, const char *text, uint32_t *address, uint16_t *port);
/* Dotted decimal, host order. 0 or -1. */
int config_address(const char *text, uint32_t *out);

#endif
