/*
 * node_image.c - makes the image of one node of a topology file, for tests that look into it:
 *     node_image FILE NODE SYSTEM INITRD DISK   prints a JSON object, or why not and exits 1.
 */
#include <jansson.h>
#include <stdio.h>

#include "image/image.h"
#include "topology/resolve.h"

static int make(const struct vmm_topology *t, char **argv, char *why)
{
    const int node = vmm_topology_node(t, argv[2]);
    const struct vmm_image_request request = {
        .topology = t, .node = (size_t)node, .system = argv[3], .initrd = argv[4], .disk = argv[5]
    };
    struct vmm_image_node n;

    if (node < 0) {
        snprintf(why, VMM_WHY_MAX, "no node is called %s", argv[2]);
        return -1;
    }
    if (vmm_image_node(&request, &n, why, VMM_WHY_MAX) < 0)
        return -1;
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s}", "kernel", n.kernel.path, "append",
                          n.kernel.append, "initrd", n.initrd, "disk", n.disk, "initrd_bytes",
                          (json_int_t)n.initrd_bytes, "disk_bytes", (json_int_t)n.disk_bytes,
                          "memory_least_bytes", (json_int_t)n.memory_least_bytes, "release",
                          n.kernel.release);
    json_dumpf(j, stdout, 0);
    putchar('\n');
    json_decref(j);
    return 0;
}

int main(int argc, char **argv)
{
    struct vmm_topology *t = NULL;
    char why[VMM_WHY_MAX] = "node_image FILE NODE SYSTEM INITRD DISK";

    const int result = argc == 6 &&
                               vmm_topology_read(&t, argv[1], NULL, 0, why, sizeof(why)) == 0 &&
                               vmm_topology_resolve(t, why, sizeof(why)) == 0
                           ? make(t, argv, why)
                           : -1;
    if (result < 0)
        fprintf(stderr, "%s\n", why);
    vmm_topology_free(t);
    return result < 0;
}
