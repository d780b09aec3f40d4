/*
 * network.h - the network of a slice: one `vlink --frames`, its links and ports, and what it is
 * asked.
 *
 * Runs on the keeper's loop; nothing waits. The process dies with the keeper. What comes in on its
 * control socket: vlink(1).
 */
#ifndef VMM_NETWORK_H
#define VMM_NETWORK_H

#include "lines.h"
#include "topology/topology.h"

#include <stdio.h>
#include <sys/types.h>

struct ev_loop;
struct vmm_network;

/* Borrowed for the network's life. */
struct vmm_network_config {
    const struct vmm_topology *topology;
    const char *folder; /* of the slice */
    int log;            /* descriptor of what vlink complains into */
    /* All links are there. */
    void (*on_ready)(void *user);
    /* The process has ended, or the network could not be made: "why". Once, and the last thing;
     * also after vmm_network_stop(), then with "". */
    void (*on_ended)(void *user, const char *why);
    void *user;
};

int vmm_network_new(struct vmm_network **out, struct ev_loop *loop,
                    const struct vmm_network_config *config, char *why, size_t why_size);
pid_t vmm_network_pid(const struct vmm_network *n); /* 0: has ended */
/* Asks vlink (takes `request`); `fn` gets its one answer. 0, or -1: it is not there (no answer). */
int vmm_network_ask(struct vmm_network *n, json_t *request, vmm_answer_fn *fn, void *user);

struct vmm_lines *vmm_network_lines(struct vmm_network *n); /* NULL: not there */

/* The request that gives guest `node` its port on link `link`. */
json_t *vmm_network_port(const struct vmm_topology *t, const char *folder, size_t link,
                         size_t node);
/* The one that makes `interface` in the network namespace of another node (name or path; "": the
 * host's own) its port: a tap or a veth, with address. */
json_t *vmm_network_interface(const struct vmm_topology *t, size_t link, size_t port,
                              const char *namespace, const char *interface);
/* Text of /etc/hosts of node `node`: who shares a link with it. */
void vmm_network_hosts(const struct vmm_topology *t, size_t node, char *text, size_t size);
/* {"rate":"3mbit",...} */
json_t *vmm_network_settings(const struct vmm_setting *s, size_t n);

void vmm_network_stop(struct vmm_network *n); /* SIGTERM, and SIGKILL after a second */
void vmm_network_free(struct vmm_network *n); /* only when it has ended. NULL allowed */

#endif
