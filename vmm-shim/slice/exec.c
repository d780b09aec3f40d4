/*
 * exec.c - {"do":"exec","node":,"argv":[..],"env":[..],"input":bool}: a program in a node, its
 * input, output and end.
 *
 *     client ──{"id":N,"in":..}──► keeper ──► agent          who asks goes: the program is ended
 *            ◄──{"id":N,"out":..}──        ◄──
 */
#include "guest/guest.h"
#include "slice/confined.h"
#include "slice/inside.h"
#include "slice/member.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_RUN 127         /* exit code of what cannot be run */
#define QUEUE_MAX (1 << 20) /* bytes that wait for a client before its node's agent is not read */
#define LOOK_S 0.02         /* whether it has read them */

struct exec {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_call *call;
    uint64_t id; /* of the agent */
    char name[32];
    bool gone;
    ev_timer look; /* runs while the agent is not read for our sake */
};

/* NULL: it does not answer now. */
static struct vmm_agent *agent_of(const struct vmm_member *m)
{
    struct vmm_agent *a = m->guest ? vmm_guest_agent(m->guest) : NULL;
    return a && vmm_agent_is_ready(a) ? a : NULL;
}

static size_t queued(const struct exec *e)
{
    struct vmm_lines *l = vmm_call_channel(e->call);
    return l ? vmm_lines_queued(l) : 0;
}

static void on_look(struct ev_loop *loop, ev_timer *w, int events)
{
    struct exec *e = w->data;
    (void)events;
    if (queued(e) > QUEUE_MAX / 2)
        return;
    ev_timer_stop(loop, w);
    if (e->member->guest && vmm_guest_agent(e->member->guest))
        vmm_agent_resume(vmm_guest_agent(e->member->guest));
}

/* The client reads more slowly than the program prints: the whole agent waits, as it has one port.
 */
static void hold_back(struct exec *e)
{
    struct vmm_agent *agent = agent_of(e->member);
    if (!agent || ev_is_active(&e->look) || queued(e) < QUEUE_MAX)
        return;
    vmm_agent_pause(agent);
    ev_timer_set(&e->look, LOOK_S, LOOK_S);
    ev_timer_start(e->keeper->loop, &e->look);
}

static void end(struct exec *e)
{
    if (ev_is_active(&e->look)) {
        ev_timer_stop(e->keeper->loop, &e->look);
        if (agent_of(e->member))
            vmm_agent_resume(agent_of(e->member));
    }
    vmm_keeper_on_input(e->keeper, e->call, NULL, NULL);
    free(e);
}

/* The part as it came, but for the agent's id. */
static void pass_on(struct exec *e, json_t *m)
{
    static const char *const key[] = { "out", "err", "out64", "err64" };
    json_t *part = json_object();
    for (size_t i = 0; i < 4; i++)
        if (json_object_get(m, key[i]))
            json_object_set(part, key[i], json_object_get(m, key[i]));
    vmm_call_part(e->call, part);
}

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct exec *e = user;
    if (kind == VMM_PART) {
        if (!e->gone) {
            pass_on(e, m);
            hold_back(e);
        }
        return;
    }
    char text[VMM_WHY_MAX];
    snprintf(text, sizeof text, "%s: %s", e->member->node->name, why);
    if (kind == VMM_FAILED && m) /* the agent could not run it: as a shell says that */
        vmm_call_end(e->call, json_pack("{s:s, s:i}", "error", text, "exit", NOT_RUN));
    else if (kind == VMM_FAILED)
        vmm_call_error(e->call, "%s", text);
    else
        vmm_call_ok(e->call, json_pack("{s:i}", "exit", vmm_member_exit_code(m)));
    end(e);
}

static void ignore_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    (void)user;
    (void)kind;
    (void)m;
    (void)why;
}

static void send_signal(struct exec *e, int number)
{
    struct vmm_agent *agent = agent_of(e->member);
    if (agent)
        vmm_agent_ask(agent,
                      json_pack("{s:s, s:s, s:i}", "do", "kill", "name", e->name, "signal", number),
                      5, ignore_answer, NULL);
}

static void on_gone(void *user)
{
    struct exec *e = user;
    e->gone = true;
    send_signal(e, SIGKILL);
}

static void on_input(void *user, json_t *line)
{
    struct exec *e = user;
    json_t *number = json_object_get(line, "signal");
    if (json_is_integer(number)) {
        send_signal(e, (int)json_integer_value(number));
    } else if (agent_of(e->member)) {
        json_t *copy = json_copy(line);
        json_object_del(copy, "id");
        vmm_agent_tell(agent_of(e->member), e->id, copy);
    }
}

/* An array of texts as C has it, borrowed of `array`. */
static int words(json_t *array, const char **out, size_t max)
{
    size_t n = json_array_size(array);
    if (n >= max)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!(out[i] = json_string_value(json_array_get(array, i))))
            return -1;
    out[n] = NULL;
    return (int)n;
}

static void begin_exec(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    const char *argv[VMM_ARGS_MAX + 1], *env[VMM_ARGS_MAX + 1];
    struct vmm_member *m = vmm_keeper_asked(k, call, args);
    if (!m)
        return;
    if (words(json_object_get(args, "argv"), argv, VMM_ARGS_MAX + 1) < 1 ||
        words(json_object_get(args, "env"), env, VMM_ARGS_MAX + 1) < 0) {
        vmm_call_error(call, "exec: a command of 1 to %d words is wanted", VMM_ARGS_MAX);
        return;
    }
    if (m->process) {
        vmm_confined_exec(m, call, (char *const *)(uintptr_t)argv);
        return;
    }
    if (!agent_of(m)) {
        vmm_call_error(call, "%s does not answer now (%s%s%s)", m->node->name,
                       m->node->kind == VMM_NAMESPACE ? "a namespace of the host; ip netns exec"
                                                      : vmm_member_state_name(m->state),
                       m->why[0] ? ": " : "", m->why);
        return;
    }
    struct exec *e = calloc(1, sizeof *e);
    if (!e) {
        vmm_call_error(call, "out of memory");
        return;
    }
    *e = (struct exec){ .keeper = k, .member = m, .call = call };
    ev_init(&e->look, on_look);
    e->look.data = e;
    snprintf(e->name, sizeof e->name, "exec-%u", ++k->exec_count);
    const struct vmm_agent_exec exec = { .argv = argv,
                                         .env = env[0] ? env : NULL,
                                         .name = e->name,
                                         .stdin_ = json_is_true(json_object_get(args, "input")) };
    e->id = vmm_agent_exec(agent_of(m), &exec, on_answer, e);
    if (!e->id) {
        vmm_call_error(call, "%s does not take the command: its agent is busy", m->node->name);
        free(e);
        return;
    }
    vmm_keeper_on_input(k, call, on_input, e);
    vmm_call_on_gone(call, on_gone, e);
}

const struct vmm_request_kind vmm_request_exec = { "exec", begin_exec };
