/* keys_internal.h - setters of the keys that are no plain value, for the tables of keys.c. */
#ifndef VMM_KEYS_INTERNAL_H
#define VMM_KEYS_INTERNAL_H

#include "topology/keys.h"

#define VMM_SETTER(name) \
    int name(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item)

VMM_SETTER(vmm_set_user); /* of struct vmm_topology */
VMM_SETTER(vmm_set_nodes);
VMM_SETTER(vmm_set_links);
VMM_SETTER(vmm_set_interface); /* of struct vmm_node */
VMM_SETTER(vmm_set_namespace);
VMM_SETTER(vmm_set_files);
VMM_SETTER(vmm_set_run);
VMM_SETTER(vmm_set_from); /* of struct vmm_file */
VMM_SETTER(vmm_set_to);
VMM_SETTER(vmm_set_cpus);    /* of struct vmm_share */
VMM_SETTER(vmm_set_between); /* of struct vmm_link */
VMM_SETTER(vmm_set_program);
VMM_SETTER(vmm_set_subnet);
VMM_SETTER(vmm_set_both); /* a setting of a link, both directions */
VMM_SETTER(vmm_set_up);
VMM_SETTER(vmm_set_down);
VMM_SETTER(vmm_set_one); /* of struct vmm_direction */

/* One direction of a link while its keys are read. */
struct vmm_direction {
    struct vmm_setting *setting;
    size_t *n;
};

/* What several keys say together, and what follows of them: rules.c. 0 or -1. `map` is what *n was
 * read from. */
int vmm_check_node(struct vmm_reader *r, struct vmm_node *n, const struct vmm_yaml *map);
int vmm_check_link(struct vmm_reader *r, const struct vmm_link *l);
int vmm_check_real_time(struct vmm_reader *r, struct vmm_real_time *rt, int line);
int vmm_check_topology(struct vmm_reader *r);

#endif
