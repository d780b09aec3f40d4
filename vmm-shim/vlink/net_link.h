/* net_link.h - a link with its sockets, as net.c and view.c see it. */
#ifndef VLINK_NET_LINK_H
#define VLINK_NET_LINK_H

#include "link.h"
#include "port.h"
#include "program.h"
#include "tenants.h"
#include "upstream.h"

struct net_link {
    struct vlink_link *link;
    struct vlink_port *port[VLINK_PORTS_MAX]; /* by its place in the link */
    char trace[VLINK_WAYS][VLINK_VALUE_MAX];  /* file of the trace in use, "": none */
    struct vlink_tenants *tenants;            /* NULL: nobody can attach */
    struct vlink_upstream *upstream;          /* NULL: of no parent */
    struct vlink_program *program;            /* NULL: none */
};

#endif
