/*
 * exec.c - {"do":"exec","node":,"argv":[..],"env":[..],"input":bool}: a program in a node, its
 * input, output and end.
 *
 *     client ──{"id":N,"in":..}──► keeper ──► agent          who asks goes: the program is ended
 *            ◄──{"id":N,"out":..}──        ◄──
 *
 * Neither side gets ahead: "taken" says how much of its input a program has read, and the client
 * sends no more than a window before that; a program whose output waits in the client's queue is
 * held by the agent, as by a full pipe. What is said while the guest moves is said after it.
 */
#include "guest/guest.h"
#include "process/process.h"
#include "slice/confined.h"
#include "slice/inside.h"
#include "slice/member.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_S 5.0 /* for an agent that only has to note something */
#define NOT_RUN 127  /* exit code of what cannot be run */

struct exec {
    struct vmm_keeper *keeper;
    struct vmm_member *member;
    struct vmm_call *call;
    json_t *args; /* what was asked */
    uint64_t id;  /* of the agent; 0: not told yet */
    char name[32];
    bool gone, held, wants_held;
    struct exec *next;
    json_t *unsaid; /* array: what the agent is to be told when it answers again */
};

/* NULL: it does not answer now. */
static struct vmm_agent *agent_of(const struct vmm_member *m)
{
    struct vmm_agent *a = m->guest && !m->moving ? vmm_guest_agent(m->guest) : NULL;
    return a && vmm_agent_is_ready(a) ? a : NULL;
}

static void end(struct exec *e)
{
    struct exec **p = &e->keeper->execs;
    while (*p && *p != e)
        p = &(*p)->next;
    if (*p)
        *p = e->next;
    vmm_keeper_on_flow(e->keeper, e->call, NULL, NULL);
    json_decref(e->unsaid);
    json_decref(e->args);
    free(e);
}

/* Takes `line`. */
static void tell(struct exec *e, json_t *line)
{
    struct vmm_agent *agent = agent_of(e->member);
    if (agent && e->id && json_array_size(e->unsaid) == 0)
        vmm_agent_tell(agent, e->id, line);
    else
        json_array_append_new(e->unsaid, line); /* bounded by the client's window */
}

static void say_unsaid(struct exec *e)
{
    size_t i;
    json_t *line;
    json_array_foreach(e->unsaid, i, line)
        vmm_agent_tell(agent_of(e->member), e->id, json_incref(line));
    json_array_clear(e->unsaid);
}

/* While its guest moves it stays as it was: vmm_exec_resume(). */
static void hold(struct exec *e, bool held)
{
    struct vmm_agent *agent = agent_of(e->member);
    e->wants_held = held;
    if (!agent || e->held == held)
        return;
    e->held = held;
    vmm_agent_ask(agent, json_pack("{s:s, s:s}", "do", held ? "hold" : "go-on", "name", e->name),
                  ANSWER_S, vmm_lines_ignore, NULL);
}

/* The part as it came, but for the agent's id. */
static void pass_on(struct exec *e, json_t *m)
{
    static const char *const key[] = { "out", "err", "out64", "err64", "taken" };
    json_t *part = json_object();
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++)
        if (json_object_get(m, key[i]))
            json_object_set(part, key[i], json_object_get(m, key[i]));
    vmm_call_part(e->call, part);
    if (vmm_flow_is_crowded(e->call))
        hold(e, true);
}

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct exec *e = user;
    if (kind == VMM_PART) {
        if (!e->gone)
            pass_on(e, m);
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

static void send_signal(struct exec *e, int number)
{
    struct vmm_agent *agent = agent_of(e->member);
    if (agent)
        vmm_agent_ask(agent,
                      json_pack("{s:s, s:s, s:i}", "do", "kill", "name", e->name, "signal", number),
                      ANSWER_S, vmm_lines_ignore, NULL);
}

static void on_gone(void *user)
{
    struct exec *e = user;
    e->gone = true;
    if (e->id == 0) {
        vmm_call_error(e->call, "nobody waits for it");
        end(e);
        return;
    }
    hold(e, false);
    send_signal(e, SIGKILL);
}

static void on_input(void *user, json_t *line)
{
    struct exec *e = user;
    json_t *number = json_object_get(line, "signal");
    if (json_is_integer(number)) {
        send_signal(e, (int)json_integer_value(number));
    } else {
        json_t *copy = json_copy(line);
        json_object_del(copy, "id");
        tell(e, copy);
    }
}

static void on_drained(void *user)
{
    hold(user, false);
}

static const struct vmm_flow flow = { .input = on_input, .drained = on_drained };

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

/* `args` as C has it, borrowed. */
struct asked {
    const char *argv[VMM_ARGS_MAX + 1], *env[VMM_ARGS_MAX + 1];
    bool input;
};

static int read_args(struct asked *a, json_t *args, char *why, size_t why_size)
{
    a->input = json_is_true(json_object_get(args, "input"));
    if (words(json_object_get(args, "argv"), a->argv, VMM_ARGS_MAX + 1) > 0 &&
        words(json_object_get(args, "env"), a->env, VMM_ARGS_MAX + 1) >= 0)
        return 0;
    snprintf(why, why_size, "exec: a command of 1 to %d words is wanted", VMM_ARGS_MAX);
    return -1;
}

/* Sends it to the agent; 0, or -1: `why`. */
static int start(struct exec *e, char *why, size_t why_size)
{
    struct asked a;
    if (read_args(&a, e->args, why, why_size) < 0)
        return -1;
    const struct vmm_agent_exec exec = {
        .argv = a.argv, .env = a.env[0] ? a.env : NULL, .name = e->name, .stdin_ = a.input
    };
    e->id = vmm_agent_exec(agent_of(e->member), &exec, on_answer, e);
    snprintf(why, why_size, "%s does not take the command: its agent is busy",
             e->member->node->name);
    return e->id ? 0 : -1;
}

void vmm_exec_resume(struct vmm_keeper *k, struct vmm_member *m)
{
    char why[VMM_WHY_MAX];
    if (m->exec_id)
        vmm_member_settle(m);
    for (struct exec *e = k->execs, *next; e && agent_of(m); e = next) {
        next = e->next;
        if (e->member != m)
            continue;
        if (e->id == 0 && start(e, why, sizeof why) < 0) {
            vmm_call_error(e->call, "%s", why);
            end(e);
        } else {
            say_unsaid(e);
            hold(e, e->wants_held);
            if (e->gone)
                send_signal(e, SIGKILL);
        }
    }
}

static void begin_in_guest(struct vmm_keeper *k, struct vmm_call *call, struct vmm_member *m,
                           json_t *args)
{
    char why[VMM_WHY_MAX] = "out of memory";
    struct exec *e = calloc(1, sizeof *e);
    if (!e) {
        vmm_call_error(call, "%s", why);
        return;
    }
    *e = (struct exec){ .keeper = k,
                        .member = m,
                        .call = call,
                        .args = json_incref(args),
                        .unsaid = json_array(),
                        .next = k->execs };
    k->execs = e;
    snprintf(e->name, sizeof e->name, "exec-%u", ++k->exec_count);
    vmm_keeper_on_flow(k, call, &flow, e);
    vmm_call_on_gone(call, on_gone, e);
    if (!m->moving && start(e, why, sizeof why) < 0) {
        vmm_call_error(call, "%s", why);
        end(e);
    }
}

static void begin_in_process(struct vmm_call *call, struct vmm_member *m, json_t *args)
{
    char why[VMM_WHY_MAX];
    struct asked a;
    if (read_args(&a, args, why, sizeof why) < 0)
        vmm_call_error(call, "%s", why);
    else
        vmm_confined_exec(
            m, call, &(struct vmm_process_exec){ .argv = a.argv, .env = a.env, .input = a.input });
}

static void begin_exec(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    struct vmm_member *m = vmm_keeper_asked(k, call, args);
    if (!m)
        return;
    if (m->process)
        begin_in_process(call, m, args);
    else if (m->moving || agent_of(m))
        begin_in_guest(k, call, m, args);
    else
        vmm_call_error(call, "%s does not answer now (%s%s%s)", m->node->name,
                       m->node->kind == VMM_NAMESPACE ? "a namespace of the host; ip netns exec"
                                                      : vmm_member_state_name(m->state),
                       m->why[0] ? ": " : "", m->why);
}

const struct vmm_request_kind vmm_request_exec = { "exec", begin_exec };
