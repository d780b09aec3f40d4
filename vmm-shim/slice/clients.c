/*
 * clients.c - the keeper's control socket: who connects, what they ask, what they add to it.
 */
#include "door.h"
#include "cmd/command.h"
#include "slice/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CROWDED_BYTES (256u << 10) /* that wait for a client to read */

struct vmm_client {
    struct vmm_keeper *keeper;
    struct vmm_lines *lines;
    size_t slot;
};

struct vmm_input {
    struct vmm_input *next;
    struct vmm_client *client;
    json_int_t id;
    struct vmm_call *call;
    const struct vmm_flow *flow;
    void *user;
};

static void drop_inputs(struct vmm_keeper *k, const struct vmm_client *c,
                        const struct vmm_call *call)
{
    struct vmm_input **p = &k->inputs;
    while (*p) {
        struct vmm_input *i = *p;
        if ((c && i->client == c) || (call && i->call == call)) {
            *p = i->next;
            free(i);
        } else {
            p = &i->next;
        }
    }
}

bool vmm_flow_is_crowded(const struct vmm_call *call)
{
    const struct vmm_lines *l = vmm_call_channel(call);
    return l && vmm_lines_queued(l) > CROWDED_BYTES;
}

void vmm_keeper_on_flow(struct vmm_keeper *k, struct vmm_call *call, const struct vmm_flow *flow,
                        void *user)
{
    if (!flow) {
        drop_inputs(k, NULL, call);
        return;
    }
    struct vmm_input *i = malloc(sizeof *i);
    if (!i)
        return;
    *i = (struct vmm_input){ k->inputs, k->now, k->now_id, call, flow, user };
    k->inputs = i;
}

static void on_call(void *user, struct vmm_call *call, json_t *m)
{
    struct vmm_client *c = user;
    struct vmm_keeper *k = c->keeper;
    const char *what = json_string_value(json_object_get(m, "do"));
    for (size_t i = 0; vmm_request_kinds[i]; i++) {
        if (!what || strcmp(vmm_request_kinds[i]->name, what) != 0)
            continue;
        k->now = c;
        k->now_id = json_integer_value(json_object_get(m, "id"));
        vmm_request_kinds[i]->begin(k, call, m);
        return;
    }
    vmm_call_error(call, "this keeper knows no request '%s'", what ? what : "");
}

static void on_message(void *user, json_t *m)
{
    struct vmm_client *c = user;
    json_t *id = json_object_get(m, "id");
    for (struct vmm_input *i = c->keeper->inputs; i && json_is_integer(id); i = i->next) {
        if (i->client == c && i->id == json_integer_value(id)) {
            i->flow->input(i->user, m);
            return;
        }
    }
}

static void on_drained(void *user)
{
    struct vmm_client *c = user;
    for (struct vmm_input *i = c->keeper->inputs, *next; i; i = next) {
        next = i->next;
        if (i->client == c)
            i->flow->drained(i->user);
    }
}

static void on_closed(void *user, const char *why)
{
    struct vmm_client *c = user;
    (void)why;
    drop_inputs(c->keeper, c, NULL);
    c->keeper->client[c->slot] = NULL;
    vmm_lines_free(c->lines);
    free(c);
}

static const struct vmm_lines_handler handler = {
    .on_call = on_call, .on_message = on_message, .on_closed = on_closed, .on_drained = on_drained
};

static void on_guest(void *user, int fd)
{
    struct vmm_keeper *k = user;
    char why[VMM_WHY_MAX];
    size_t slot = 0;
    while (slot < VMM_CLIENTS_MAX && k->client[slot])
        slot++;
    struct vmm_client *c = slot < VMM_CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    c->keeper = k;
    c->slot = slot;
    if (vmm_lines_new(&c->lines, k->loop, fd, &handler, c, why, sizeof why) < 0)
        free(c);
    else
        k->client[slot] = c;
}

int vmm_clients_open(struct vmm_keeper *k, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/control", k->folder) >= (int)sizeof path) {
        snprintf(why, why_size, "%s/control is too long a path", k->folder);
        return -1;
    }
    return vmm_door_new(&k->door, k->loop, path, on_guest, k, why, why_size);
}

void vmm_clients_finish(struct vmm_keeper *k)
{
    vmm_door_free(k->door);
    k->door = NULL;
    for (size_t i = 0; i < VMM_CLIENTS_MAX; i++)
        if (k->client[i])
            vmm_lines_finish(k->client[i]->lines);
}

void vmm_clients_close(struct vmm_keeper *k)
{
    vmm_door_free(k->door);
    k->door = NULL;
    for (size_t i = 0; i < VMM_CLIENTS_MAX; i++) {
        if (!k->client[i])
            continue;
        vmm_lines_free(k->client[i]->lines);
        free(k->client[i]);
        k->client[i] = NULL;
    }
    while (k->inputs) {
        struct vmm_input *i = k->inputs;
        k->inputs = i->next;
        free(i);
    }
}

void vmm_keeper_not_there(struct vmm_call *call, const char *format, ...)
{
    char text[VMM_WHY_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vmm_call_end(call, json_pack("{s:s, s:i}", "error", text, "exit", VMM_EXIT_NOTHING));
}
