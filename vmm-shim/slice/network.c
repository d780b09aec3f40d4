/*
 * network.c - the network of a slice. See network.h.
 *
 *     spawn ─► "vlink: ready" on its output ─► dial net.control ─► add links ─► add ports ─► ready
 *
 * All "add"s are sent at once (vlink answers in order), and the answers are counted.
 */
#include "slice/network.h"
#include "guest/spawn.h"
#include "slice/place.h"
#include "topology/find.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_S                                                                                \
    10.0             /* vlink answers at once; a user's program or a namespace may take a while \
                      */
#define READY_S 20.0 /* until it listens, on a busy machine */
#define KILL_AFTER_S 1.0

struct vmm_network {
    struct ev_loop *loop;
    struct vmm_network_config config;
    pid_t pid;
    struct vmm_lines *lines;
    int output; /* vlink's, until it is ready */
    ev_io ready;
    ev_child child;
    ev_timer kill, limit;
    unsigned unanswered;
    bool is_ready, stopping, failed, closed;
    char why[VMM_WHY_MAX];
};

static void end_with(struct vmm_network *n, const char *why)
{
    if (!n->failed && !n->stopping)
        snprintf(n->why, sizeof n->why, "%s", why);
    n->failed = true;
    if (n->pid)
        kill(n->pid, SIGTERM); /* on_ended follows when it has gone */
}

static void on_added(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_network *n = user;
    (void)m;
    if (kind == VMM_PART)
        return;
    if (kind == VMM_FAILED && !n->failed && !n->stopping)
        end_with(n, why);
    if (--n->unanswered == 0 && !n->failed && !n->stopping) {
        n->is_ready = true;
        n->config.on_ready(n->config.user);
    }
}

static void send_add(struct vmm_network *n, json_t *request)
{
    if (!n->failed && vmm_lines_ask(n->lines, request, ANSWER_S, on_added, n))
        n->unanswered++;
    else
        end_with(n, "the network process cannot be asked");
}

json_t *vmm_network_settings(const struct vmm_setting *s, size_t n)
{
    json_t *all = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(all, s[i].key, json_string(s[i].value));
    return all;
}

static int add_parent(json_t *request, const struct vmm_topology *t, const struct vmm_link *l,
                      char *why, size_t why_size)
{
    char path[VMM_PATH_MAX], what[64];
    snprintf(what, sizeof what, "net/%s.tenant", l->inherits);
    if (vmm_place_in(t->parent, what, path, sizeof path, why, why_size) < 0)
        return -1;
    json_object_set_new(request, "parent",
                        json_pack("{s:s, s:s, s:I}", "socket", path, "slice", t->name, "weight",
                                  (json_int_t)l->weight));
    return 0;
}

static void add_link(struct vmm_network *n, const struct vmm_link *l)
{
    const struct vmm_topology *t = n->config.topology;
    char tenants[VMM_PATH_MAX], why[VMM_WHY_MAX];
    snprintf(tenants, sizeof tenants, "%s/net/%s.tenant", n->config.folder, l->name);
    json_t *request = json_pack("{s:s, s:s, s:o, s:o, s:s}", "do", "add", "link", l->name, "up",
                                vmm_network_settings(l->up, l->n_up), "down",
                                vmm_network_settings(l->down, l->n_down), "tenants", tenants);
    if (l->program[0])
        json_object_set_new(request, "program", json_string(l->program));
    if (l->argument[0])
        json_object_set_new(request, "argument", json_string(l->argument));
    if (l->inherits[0] && add_parent(request, t, l, why, sizeof why) < 0) {
        json_decref(request);
        end_with(n, why);
        return;
    }
    send_add(n, request);
}

json_t *vmm_network_port(const struct vmm_topology *t, const char *folder, size_t link, size_t node)
{
    char local[VMM_PATH_MAX], remote[VMM_PATH_MAX];
    const char *l = t->link[link].name, *d = t->node[node].name;
    if (snprintf(local, sizeof local, "%s/net/%s.%s.shim", folder, l, d) >= (int)sizeof local ||
        snprintf(remote, sizeof remote, "%s/net/%s.%s.nic", folder, l, d) >= (int)sizeof remote)
        return NULL;
    json_t *socket = json_pack("{s:s, s:s}", "local", local, "remote", remote);
    if (geteuid() == 0)
        json_object_set_new(socket, "user", json_string(t->user));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "do", "add", "link", l, "port", d, "side",
                     vmm_topology_port(t, link, node) == 0 ? "up" : "down", "unix", socket);
}

json_t *vmm_network_interface(const struct vmm_topology *t, size_t link, size_t port,
                              const char *namespace, const char *interface)
{
    const struct vmm_node *node = &t->node[t->link[link].port[port]];
    char mac[18], address[24];
    uint8_t m[6];
    uint32_t ip = vmm_topology_address(t, link, port);
    vmm_topology_mac(t, link, port, m);
    snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    snprintf(address, sizeof address, "%u.%u.%u.%u/24", ip >> 24, (ip >> 16) & 255, (ip >> 8) & 255,
             ip & 255);
    json_t *end =
        json_pack("{s:s, s:s, s:s}", "interface", interface, "mac", mac, "address", address);
    if (namespace[0])
        json_object_set_new(end, "namespace", json_string(namespace));
    bool veth = node->veth || (node->kind == VMM_PROCESS && geteuid() != 0);
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "do", "add", "link", t->link[link].name, "port",
                     node->name, "side", port == 0 ? "up" : "down", veth ? "veth" : "tap", end);
}

void vmm_network_hosts(const struct vmm_topology *t, size_t node, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "127.0.0.1 localhost\n");
    for (size_t other = 0; other < t->n_nodes; other++)
        for (size_t l = 0; l < t->n_links && used < size; l++) {
            int port = vmm_topology_port(t, l, other);
            if (port < 0 || vmm_topology_port(t, l, node) < 0)
                continue;
            uint32_t a = vmm_topology_address(t, l, (size_t)port);
            used += (size_t)snprintf(text + used, size - used, "%u.%u.%u.%u %s\n", a >> 24,
                                     (a >> 16) & 255, (a >> 8) & 255, a & 255, t->node[other].name);
            break; /* the first link that both share */
        }
}

static void add_links(struct vmm_network *n)
{
    const struct vmm_topology *t = n->config.topology;
    n->unanswered = 1; /* ours: ready only when all have been sent */
    for (size_t l = 0; l < t->n_links && !n->failed; l++) {
        add_link(n, &t->link[l]);
        for (size_t p = 0; p < t->link[l].n_ports && !n->failed; p++) {
            size_t node = t->link[l].port[p];
            if (t->node[node].kind == VMM_GUEST)
                send_add(n, vmm_network_port(t, n->config.folder, l, node));
            else if (t->node[node].kind == VMM_NAMESPACE)
                send_add(n,
                         vmm_network_interface(t, l, p, t->node[node].namespace_, t->link[l].name));
        }
    }
    on_added(n, VMM_DONE, NULL, "");
}

static void on_lines_closed(void *user, const char *why)
{
    struct vmm_network *n = user;
    char text[VMM_WHY_MAX];
    snprintf(text, sizeof text, "the network process has closed its socket: %s", why);
    n->closed = !n->failed;
    /* else why it was ended is known */ /* as a rule since it ends: on_child() knows how */
    end_with(n, text);
}

static const struct vmm_lines_handler handler = { .on_closed = on_lines_closed };

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_network *n = w->data;
    (void)loop;
    (void)events;
    end_with(n, "the network process does not answer");
}

static void connect_control(struct vmm_network *n)
{
    char path[VMM_PATH_MAX], why[VMM_WHY_MAX];
    snprintf(path, sizeof path, "%s/net.control", n->config.folder);
    int fd = vmm_lines_dial(path, why, sizeof why);
    if (fd < 0 || vmm_lines_new(&n->lines, n->loop, fd, &handler, n, why, sizeof why) < 0)
        end_with(n, why);
    else
        add_links(n);
}

static void on_output(struct ev_loop *loop, ev_io *w, int events)
{
    struct vmm_network *n = w->data;
    char text[256];
    (void)events;
    ssize_t got = read(w->fd, text, sizeof text);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0 && !n->lines && !n->failed && memchr(text, '\n', (size_t)got)) {
        ev_timer_stop(loop, &n->limit);
        connect_control(n);
    }
    if (got > 0)
        return;
    ev_io_stop(loop, w); /* its end: on_child tells */
}

static void on_child(struct ev_loop *loop, ev_child *w, int events)
{
    struct vmm_network *n = w->data;
    (void)events;
    ev_child_stop(loop, w);
    ev_timer_stop(loop, &n->kill);
    ev_timer_stop(loop, &n->limit);
    ev_io_stop(loop, &n->ready);
    n->pid = 0;
    if ((!n->failed || n->closed) && !n->stopping)
        snprintf(n->why, sizeof n->why,
                 "the network process ended by itself (%s %d); keeper.log "
                 "has what it said",
                 WIFSIGNALED(w->rstatus) ? "signal" : "status",
                 WIFSIGNALED(w->rstatus) ? WTERMSIG(w->rstatus) : WEXITSTATUS(w->rstatus));
    n->failed = true;
    n->config.on_ended(n->config.user, n->stopping ? "" : n->why);
}

static void on_kill(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_network *n = w->data;
    (void)loop;
    (void)events;
    if (n->pid)
        kill(n->pid, SIGKILL);
}

static int spawn(struct vmm_network *n, char *why, size_t why_size)
{
    char program[VMM_PATH_MAX], control[VMM_PATH_MAX], seed[24];
    int ends[2];
    if (vmm_find_program("vlink", program, sizeof program, why, why_size) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        snprintf(why, why_size, "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    snprintf(control, sizeof control, "%s/net.control", n->config.folder);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)n->config.topology->seed);
    char *argv[] = { program, "--frames", "--control-socket", control, "--seed", seed, NULL };
    struct vmm_spawn s = { .argv = argv, .out = ends[1], .err = n->config.log };
    int result = vmm_spawn(&n->pid, &s, why, why_size);
    close(ends[1]);
    if (result < 0)
        close(ends[0]);
    else
        n->output = ends[0];
    return result;
}

int vmm_network_new(struct vmm_network **out, struct ev_loop *loop,
                    const struct vmm_network_config *config, char *why, size_t why_size)
{
    *out = NULL;
    struct vmm_network *n = calloc(1, sizeof *n);
    if (!n) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    n->loop = loop;
    n->config = *config;
    if (spawn(n, why, why_size) < 0) {
        free(n);
        return -1;
    }
    ev_io_init(&n->ready, on_output, n->output, EV_READ);
    n->ready.data = n;
    ev_io_start(loop, &n->ready);
    ev_child_init(&n->child, on_child, n->pid, 0);
    n->child.data = n;
    ev_child_start(loop, &n->child);
    ev_timer_init(&n->kill, on_kill, KILL_AFTER_S, 0);
    ev_timer_init(&n->limit, on_limit, READY_S, 0);
    n->kill.data = n->limit.data = n;
    ev_timer_start(loop, &n->limit);
    *out = n;
    return 0;
}

pid_t vmm_network_pid(const struct vmm_network *n)
{
    return n->pid;
}

int vmm_network_ask(struct vmm_network *n, json_t *request, vmm_answer_fn *fn, void *user)
{
    if (n && n->lines && !n->failed && vmm_lines_ask(n->lines, request, ANSWER_S, fn, user))
        return 0;
    if (!n || !n->lines || n->failed)
        json_decref(request);
    return -1;
}

struct vmm_lines *vmm_network_lines(struct vmm_network *n)
{
    return n->failed ? NULL : n->lines;
}

void vmm_network_stop(struct vmm_network *n)
{
    n->stopping = true;
    if (!n->pid)
        return;
    kill(n->pid, SIGTERM);
    ev_timer_start(n->loop, &n->kill);
}

void vmm_network_free(struct vmm_network *n)
{
    if (!n)
        return;
    ev_timer_stop(n->loop, &n->kill);
    ev_io_stop(n->loop, &n->ready);
    close(n->output);
    vmm_lines_free(n->lines);
    free(n);
}
