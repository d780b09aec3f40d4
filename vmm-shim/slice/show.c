/*
 * show.c - "ps" and "stats": what a slice is and does, as JSON.
 */
#include "guest/guest.h"
#include "rt/rt.h"
#include "slice/inside.h"
#include "slice/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *phase_name(enum vmm_phase phase)
{
    static const char *const name[] = { "new", "starting", "ready", "result", "stopping", "gone" };
    return name[phase];
}

/* CPU time of a process in seconds, and how long it has run; false: it is not there. */
static bool cpu_time(pid_t pid, double *cpu_s, double *age_s)
{
    char path[64], text[1024];
    unsigned long long user, system, began;
    double up = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    /* proc(5): fields 14, 15, 22; state is the third. */
    if (!rest || sscanf(rest,
                        ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d "
                        "%*d %*d %*d %*d %llu",
                        &user, &system, &began) != 3)
        return false;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    f = fopen("/proc/uptime", "re");
    if (f) {
        if (fscanf(f, "%lf", &up) != 1)
            up = 0;
        fclose(f);
    }
    *cpu_s = (double)(user + system) / ticks;
    *age_s = up - (double)began / ticks;
    return true;
}

static json_int_t resident_bytes(pid_t pid)
{
    char path[64], line[256];
    long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %lld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (json_int_t)kib * 1024;
}

static void add_usage(json_t *to, pid_t pid)
{
    double cpu_s, age_s;
    if (!pid || !cpu_time(pid, &cpu_s, &age_s))
        return;
    json_object_set_new(to, "cpu_s", json_real(cpu_s));
    json_object_set_new(to, "age_s", json_real(age_s));
    json_object_set_new(to, "resident_bytes", json_integer(resident_bytes(pid)));
}

static json_t *addresses(const struct vmm_topology *t, const struct vmm_member *member)
{
    json_t *all = json_array();
    for (size_t l = 0; l < t->n_links; l++) {
        char ip[16], mac[18];
        uint8_t m[6];
        int port = vmm_topology_port(t, l, member->index);
        if (port < 0)
            continue;
        vmm_topology_mac(t, l, (size_t)port, m);
        vmm_member_address(t, l, member->index, member->away, ip);
        snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
                 m[5]);
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:s}", "link", t->link[l].name, "address", ip, "mac", mac));
    }
    return all;
}

static json_t *node_of(struct vmm_keeper *k, struct vmm_member *m)
{
    static const char *const kind[] = { "guest", "process", "namespace" };
    json_t *n = json_pack("{s:s, s:s, s:s, s:i, s:o}", "node", m->node->name, "kind",
                          kind[m->node->kind], "state", vmm_member_state_name(m->state), "pid",
                          (int)m->pid, "addresses", addresses(k->topology, m));
    if (m->node->kind == VMM_GUEST)
        json_object_set_new(n, "system", json_string(k->launch->system[m->index]));
    if (m->guest) {
        json_object_set_new(n, "accel",
                            json_string(vmm_accel_name(vmm_guest_config(m->guest)->accel)));
        json_object_set_new(n, "kernel", json_string(m->kernel));
        json_object_set_new(n, "boot_s", json_real(vmm_guest_boot_s(m->guest)));
    }
    if (m->state == VMM_MEMBER_DONE)
        json_object_set_new(n, "exit", json_integer(m->exit_code));
    if (m->why[0])
        json_object_set_new(n, "why", json_string(m->why));
    add_usage(n, m->pid);
    if (k->rt && m->node->kind != VMM_NAMESPACE)
        json_object_set_new(n, "real_time", vmm_rt_report(k->rt, m->index));
    return n;
}

static void begin_ps(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    json_t *nodes = json_array();
    (void)args;
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        json_array_append_new(nodes, node_of(k, &k->member[i]));
    json_t *network = json_pack(
        "{s:i}", "pid", k->network && !k->network_gone ? (int)vmm_network_pid(k->network) : 0);
    add_usage(network, (pid_t)json_integer_value(json_object_get(network, "pid")));
    if (k->rt)
        json_object_set_new(network, "real_time", vmm_rt_report(k->rt, VMM_RT_NETWORK));
    vmm_call_ok(call,
                json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:o}", "slice", k->topology->name, "file",
                          k->topology->file, "phase", phase_name(k->phase), "keeper", (int)getpid(),
                          "parent", k->topology->parent, "nodes", nodes, "network", network));
}

struct stats {
    struct vmm_keeper *keeper;
    struct vmm_call *call;
};

static void on_links(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct stats *s = user;
    if (kind == VMM_PART)
        return;
    if (kind == VMM_FAILED) {
        vmm_call_error(s->call, "%s%s", m ? "" : "the network process: ", why);
        free(s);
        return;
    }
    json_t *all = json_deep_copy(json_object_get(m, "ok")), *nodes = json_array();
    for (size_t i = 0; i < s->keeper->topology->n_nodes; i++) {
        struct vmm_member *member = &s->keeper->member[i];
        json_t *n = json_pack("{s:s, s:s}", "node", member->node->name, "state",
                              vmm_member_state_name(member->state));
        add_usage(n, member->pid);
        json_array_append_new(nodes, n);
    }
    json_object_set_new(all, "slice", json_string(s->keeper->topology->name));
    json_object_set_new(all, "nodes", nodes);
    vmm_call_ok(s->call, all);
    free(s);
}

static void begin_stats(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    struct stats *s = malloc(sizeof *s);
    (void)args;
    if (!s) {
        vmm_call_error(call, "out of memory");
        return;
    }
    *s = (struct stats){ k, call };
    if (vmm_network_ask(k->network, json_pack("{s:s}", "do", "stats"), on_links, s) < 0) {
        vmm_call_error(call, "the network of the slice does not run yet");
        free(s);
    }
}

const struct vmm_request_kind vmm_request_ps = { "ps", begin_ps };
const struct vmm_request_kind vmm_request_stats = { "stats", begin_stats };
