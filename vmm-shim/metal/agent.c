/* agent.c - see agent.h. */
#include "agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board/board.h"

#define PORT_NAME "svc.agent"
#define KERNEL "metal " TVL_METAL_VERSION

/* ---- out ---- */

/* Queue a line; taken. */
static void say(struct agent *a, json_t *o)
{
    const size_t room = AGENT_OUT_MAX - a->n_out;
    const size_t n = o ? json_dumpb(o, a->out + a->n_out, room, JSON_COMPACT) : 0;

    json_decref(o);
    if (n == 0 || n + 1 > room) {
        board_say("metal: the host does not read: a line to it is lost\n");
        return;
    }
    a->out[a->n_out + n] = '\n';
    a->n_out += n + 1;
}

static void refuse(struct agent *a, json_int_t id, const char *why)
{
    say(a, json_pack("{s:I, s:s}", "id", id, "error", why));
}

static void hello(struct agent *a)
{
    say(a, json_pack("{s:i, s:s, s:s, s:I}", "hello", 1, "node", a->config->node, "kernel", KERNEL,
                     "uptime_ms", (json_int_t)(board_now() / 1000)));
}

/* ---- programs ---- */

static void run_write(void *user, bool error, const char *text)
{
    struct agent_run *r = user;

    if (r->detached)
        board_say(text);
    else
        say(r->agent, json_pack("{s:I, s:s}", "id", r->id, error ? "err" : "out", text));
}

static void run_ended(void *user, int code, int signal)
{
    struct agent_run *r = user;

    r->program = NULL;
    if (!r->detached)
        say(r->agent, json_pack("{s:I, s:i}", "id", r->id, signal ? "signal" : "exit",
                                signal ? signal : code));
}

static void do_exec(struct agent *a, json_int_t id, const json_t *o)
{
    const json_t *words = json_object_get(o, "argv");
    const char *name = json_string_value(json_object_get(o, "name"));
    char *argv[CONFIG_ARGS_MAX + 1], why[PROGRAM_WHY_MAX];
    struct agent_run *r = NULL;
    const size_t n = json_array_size(words);

    for (size_t i = 0; i < PROGRAMS_MAX && !r; i++)
        if (!a->run[i].program)
            r = &a->run[i];
    if (!r || n == 0 || n > CONFIG_ARGS_MAX) {
        refuse(a, id, r ? "exec: argv has 1 to 64 words" : "exec: too many programs at once");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        argv[i] = (char *)(uintptr_t)json_string_value(json_array_get(words, i));
        if (!argv[i]) {
            refuse(a, id, "exec: every word of argv is a string");
            return;
        }
    }
    argv[n] = NULL;
    *r = (struct agent_run){
        .agent = a,
        .id = id,
        .detached = json_is_true(json_object_get(o, "detach")),
    };
    snprintf(r->name, sizeof r->name, "%s", name ? name : "");
    const struct program_output out = { run_write, run_ended, r };
    r->program = program_start(a->programs, (int)n, argv, &out, why, sizeof why);
    if (!r->program)
        refuse(a, id, why);
    else if (r->detached)
        say(a, json_pack("{s:I, s:{s:i}}", "id", id, "ok", "pid", 1));
}

static void do_kill(struct agent *a, json_int_t id, const json_t *o)
{
    const char *name = json_string_value(json_object_get(o, "name"));
    const json_t *of = json_object_get(o, "of"), *s = json_object_get(o, "signal");
    bool found = false;

    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        struct agent_run *r = &a->run[i];
        const bool meant = json_is_integer(of) ? r->id == json_integer_value(of)
                                               : name && name[0] && strcmp(name, r->name) == 0;

        if (!r->program || !meant)
            continue;
        found = true;
        program_kill(r->program, s ? (int)json_integer_value(s) : SIGTERM);
    }
    if (found)
        say(a, json_pack("{s:I, s:{}}", "id", id, "ok"));
    else
        refuse(a, id, "kill: there is no such command");
}

/* ---- the machine ---- */

static void do_ping(struct agent *a, json_int_t id, const json_t *o)
{
    (void)o;
    say(a,
        json_pack("{s:I, s:{s:I}}", "id", id, "ok", "uptime_ms", (json_int_t)(board_now() / 1000)));
}

static void do_time(struct agent *a, json_int_t id, const json_t *o)
{
    const json_int_t ns = json_integer_value(json_object_get(o, "ns"));

    if (ns <= 0) {
        refuse(a, id, "time: needs ns since 1970");
        return;
    }
    board_set_wall_us((uint64_t)ns / 1000);
    say(a, json_pack("{s:I, s:{}}", "id", id, "ok"));
}

static void do_announce(struct agent *a, json_int_t id, const json_t *o)
{
    (void)o;
    net_announce(a->net);
    say(a, json_pack("{s:I, s:{s:I}}", "id", id, "ok", "nics", (json_int_t)a->net->n_interfaces));
}

static void do_stats(struct agent *a, json_int_t id, const json_t *o)
{
    json_t *stats = a->stats ? a->stats(a->user) : json_object();

    (void)o;
    say(a, json_pack("{s:I, s:o}", "id", id, "ok", stats));
}

static void do_poweroff(struct agent *a, json_int_t id, const json_t *o)
{
    const uint64_t until = board_now() + 100000; /* us for the answer to be taken */

    (void)o;
    say(a, json_pack("{s:I, s:{}}", "id", id, "ok"));
    (void)port_write(&a->port, (const uint8_t *)a->out, a->n_out);
    port_flush(&a->port);
    while (board_now() < until)
        board_sleep(until);
    board_off(0);
}

static const struct {
    const char *what;
    void (*run)(struct agent *a, json_int_t id, const json_t *o);
} verbs[] = {
    { "exec", do_exec },         { "kill", do_kill },         { "ping", do_ping },
    { "time", do_time },         { "announce", do_announce }, { "stats", do_stats },
    { "poweroff", do_poweroff },
};

static void obey(struct agent *a, const char *line, size_t n)
{
    json_error_t error;
    json_t *o = json_loadb(line, n, 0, &error);
    const json_t *number = json_object_get(o, "id");
    const char *what = json_string_value(json_object_get(o, "do"));
    const json_int_t id = json_is_integer(number) ? json_integer_value(number) : -1;
    size_t i = 0;

    while (what && i < sizeof verbs / sizeof verbs[0] && strcmp(what, verbs[i].what) != 0)
        i++;
    if (!json_is_object(o) || id < 0)
        refuse(a, -1, "a request is a JSON object with an id, 0 or more");
    else if (what && i < sizeof verbs / sizeof verbs[0])
        verbs[i].run(a, id, o);
    else if (what)
        refuse(a, id, "do is exec, kill, ping, time, announce, stats or poweroff");
    json_decref(o); /* without "do": standard input, which no program reads */
}

/* ---- in ---- */

static void take_bytes(struct agent *a, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            if (!a->skipping)
                obey(a, a->in, a->n_in);
            a->n_in = 0;
            a->skipping = false;
        } else if (a->n_in < AGENT_IN_MAX) {
            a->in[a->n_in++] = (char)bytes[i];
        } else if (!a->skipping) {
            a->skipping = true;
            refuse(a, -1, "a line of more than 65536 bytes");
        }
    }
}

void agent_init(struct agent *a, struct programs *programs, struct net *net,
                const struct config *config)
{
    memset(a, 0, sizeof *a);
    a->programs = programs;
    a->net = net;
    a->config = config;
    a->in = malloc(AGENT_IN_MAX);
    a->out = malloc(AGENT_OUT_MAX);
    a->there = a->in && a->out && port_open(&a->port, PORT_NAME);
}

bool agent_work(struct agent *a)
{
    const uint8_t *bytes;
    bool any = false;
    size_t n, sent;

    if (!a->there)
        return false;
    port_work(&a->port);
    if (port_has_come(&a->port)) { /* what was half said to another is not for this one */
        a->n_in = a->n_out = 0;
        a->skipping = false;
        hello(a);
        any = true;
    }
    while ((bytes = port_read(&a->port, &n)) != NULL) {
        take_bytes(a, bytes, n);
        any = true;
    }
    sent = port_write(&a->port, (const uint8_t *)a->out, a->n_out);
    memmove(a->out, a->out + sent, a->n_out - sent);
    a->n_out -= sent;
    port_flush(&a->port);
    return any || sent > 0;
}
