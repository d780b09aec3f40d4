/* view.c - see view.h. Counts are totals since the link or port was added; percentiles of delays
 * are of the last 10 to 20 s. Units are in the names. */
#include "view.h"

#include <string.h>

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static void put(json_t *to, const char *name, uint64_t n)
{
    json_object_set_new(to, name, number(n));
}

static void put_flow(json_t *to, const struct vlink_flow *f)
{
    static const char *const lost[VLINK_LOST_KINDS] = { "drop_queue", "drop_loss", "drop_down",
                                                        "drop_bound", "drop_program" };
    static const struct {
        const char *name;
        double q;
    } percentiles[] = { { "delay_p50_ms", 0.5 },
                        { "delay_p95_ms", 0.95 },
                        { "delay_p99_ms", 0.99 } };
    put(to, "packets_in", f->frames_in);
    put(to, "bytes_in", f->bytes_in);
    put(to, "packets_out", f->frames_out);
    put(to, "bytes_out", f->bytes_out);
    for (size_t i = 0; i < VLINK_LOST_KINDS; i++)
        put(to, lost[i], f->lost[i]);
    put(to, "marked", f->marked);
    put(to, "duplicated", f->duplicated);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        json_object_set_new(
            to, percentiles[i].name,
            json_real((double)vlink_histogram_at(&f->delay, percentiles[i].q) / 1e6));
}

static json_t *way_of(const struct net_link *n, enum vlink_way way)
{
    struct vlink_way_view v;
    vlink_link_way_view(n->link, way, &v);
    json_t *o = json_object();
    json_object_set_new(o, "down", json_boolean(v.effective.down));
    put(o, "rate_bps", v.effective.rate_bps);
    json_object_set_new(o, "delay_ms", json_real((double)v.effective.delay_ns / 1e6));
    json_object_set_new(o, "loss", json_real(v.effective.loss_ppm / 1e6));
    if (n->trace[way][0])
        json_object_set_new(o, "trace", json_string(n->trace[way]));
    put_flow(o, v.flow);
    put(o, "reordered", v.reordered);
    put(o, "queue_packets", v.queue_frames);
    put(o, "queue_bytes", v.queue_bytes);
    return o;
}

static json_t *port_of(const struct net_link *n, unsigned place)
{
    struct vlink_port_view v;
    const struct vlink_port *p = n->port[place];
    if (!vlink_link_port_view(n->link, place, &v))
        return NULL;
    const struct vlink_port_io_counts *c = vlink_port_io_counts(p);
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(v.name));
    json_object_set_new(o, "kind", json_string(vlink_port_kind_names[vlink_port_kind(p)]));
    json_object_set_new(o, "side", json_string(v.side == VLINK_UP ? "up" : "down"));
    json_object_set_new(o, "down", json_boolean(v.down));
    put(o, "packets_in", v.counts.frames_in);
    put(o, "bytes_in", v.counts.bytes_in);
    put(o, "packets_out", v.counts.frames_out);
    put(o, "bytes_out", v.counts.bytes_out);
    put(o, "oversize", c->oversize);
    put(o, "no_peer", c->no_peer);
    put(o, "no_room", c->no_room);
    put(o, "failed", c->failed);
    put(o, "waiting", vlink_port_waiting(p));
    return o;
}

static json_t *tenant_of(const struct net_link *n, unsigned place)
{
    struct vlink_tenant_view v;
    if (!vlink_link_tenant_view(n->link, place, &v))
        return NULL;
    json_t *o = json_object();
    const char *slash = strchr(v.name, '/');
    size_t len = slash ? (size_t)(slash - v.name) : 0;
    json_object_set_new(o, "slice", slash ? json_stringn(v.name, len) : json_null());
    json_object_set_new(o, "link", slash ? json_string(slash + 1) : json_null());
    put(o, "weight", v.weight);
    for (enum vlink_way way = VLINK_UP; way < VLINK_WAYS; way++) {
        json_t *flow = json_object();
        put_flow(flow, v.flow[way]);
        put(flow, "queue_packets", v.queue_frames[way]);
        put(flow, "queue_bytes", v.queue_bytes[way]);
        json_object_set_new(o, way == VLINK_UP ? "up" : "down", flow);
    }
    return o;
}

static json_t *parent_of(const struct vlink_upstream *u)
{
    const struct vlink_parent *p = vlink_upstream_parent(u);
    return json_pack("{s:s, s:s, s:i, s:b, s:i}", "socket", p->socket, "slice", p->slice, "weight",
                     (int)p->weight, "connected", vlink_upstream_connected(u), "depth",
                     (int)vlink_upstream_depth(u));
}

json_t *vlink_view_link(const struct net_link *n)
{
    json_t *ports = json_array(), *tenants = json_array();
    for (unsigned i = 0; i < VLINK_PORTS_MAX; i++) {
        json_t *port = port_of(n, i);
        if (port)
            json_array_append_new(ports, port);
    }
    for (unsigned i = 0; i < VLINK_TENANTS_MAX; i++) {
        json_t *tenant = tenant_of(n, i);
        if (tenant)
            json_array_append_new(tenants, tenant);
    }
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(vlink_link_name(n->link)));
    json_object_set_new(o, "up", way_of(n, VLINK_UP));
    json_object_set_new(o, "down", way_of(n, VLINK_DOWN));
    json_object_set_new(o, "ports", ports);
    json_object_set_new(o, "tenants", tenants);
    if (n->tenants)
        json_object_set_new(o, "door", json_string(vlink_tenants_path(n->tenants)));
    if (n->upstream)
        json_object_set_new(o, "parent", parent_of(n->upstream));
    if (n->program)
        json_object_set_new(o, "program", json_string(vlink_program_path(n->program)));
    return o;
}
