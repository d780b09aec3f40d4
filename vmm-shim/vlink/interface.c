/* interface.c - see interface.h. */
#include "interface.h"

#include <stdio.h>

int vlink_interface_open(enum vlink_port_kind kind, const struct vlink_interface_place *place,
                         char *why, size_t why_size)
{
    snprintf(why, why_size, "%s %s: not here yet", vlink_port_kind_names[kind], place->interface);
    return -1;
}
