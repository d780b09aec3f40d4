/*
 * vmm_topology.c - outside bytes as a topology file. Besides not crashing: what is refused is
 * refused with a line that names the file, and what is read keeps within the bounds of topology.h.
 */
#include "topology/topology.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vmm_topology *t)
{
    assert(t->n_nodes <= VMM_NODES_MAX && t->n_links <= VMM_LINKS_MAX);
    assert(t->name[0] && memchr(t->name, 0, sizeof t->name));
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct vmm_node *n = &t->node[i];
        assert(vmm_topology_node(t, n->name) == (int)i);
        assert(n->n_files <= VMM_FILES_MAX && n->n_run <= VMM_ARGS_MAX && !n->run[n->n_run]);
        for (size_t j = 0; j < n->n_files; j++)
            assert(n->file[j].from[0] && n->file[j].to[0] == '/' && !strstr(n->file[j].to, "/../"));
    }
    for (size_t i = 0; i < t->n_links; i++) {
        const struct vmm_link *l = &t->link[i];
        assert(vmm_topology_link(t, l->name) == (int)i);
        assert(l->n_ports != 1 && l->n_ports <= VMM_PORTS_MAX);
        assert(l->n_up <= VMM_KEYS_MAX && l->n_down <= VMM_KEYS_MAX);
        for (size_t j = 0; j < l->n_ports; j++)
            assert(l->port[j] < t->n_nodes && vmm_topology_port(t, i, l->port[j]) == (int)j);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vmm_variable vars[] = { { "A", "a value" } };
    static int fd = -1;
    static char path[64];
    struct vmm_topology *t;
    char why[VMM_WHY_MAX] = "";
    if (fd < 0) { /* a file in memory, the same all the time */
        fd = memfd_create("topology.yaml", 0);
        assert(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    assert(ftruncate(fd, 0) == 0);
    assert(pwrite(fd, data, size, 0) == (ssize_t)size);
    if (vmm_topology_read(&t, path, vars, 1, why, sizeof why) < 0) {
        assert(!t && strncmp(why, path, strlen(path)) == 0 && why[strlen(path)] == ':');
        return 0;
    }
    check(t);
    vmm_topology_free(t);
    return 0;
}
