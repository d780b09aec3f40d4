/* request.c - see request.h. */
#include "agent/request.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NICE_LEAST (-20)
#define NICE_MOST 19
#define FIFO_MOST 99

struct report {
    char *why;
    size_t size;
};

static int bad(const struct report *w, const char *what)
{
    snprintf(w->why, w->size, "%s", what);
    return -1;
}

static int read_argv(struct request *r, const struct report *w)
{
    const json_t *argv = json_object_get(r->json, "argv");
    const size_t n = json_array_size(argv);

    if (n < 1 || n > REQUEST_ARGS_MAX)
        return bad(w, "exec: argv has 1 to 128 words");
    for (size_t i = 0; i < n; i++)
        if (!(r->argv[i] = json_string_value(json_array_get(argv, i))))
            return bad(w, "exec: every word of argv is a string");
    r->argv[n] = NULL;
    return r->argv[0][0] ? 0 : bad(w, "exec: argv[0] is empty");
}

static int read_env(struct request *r, const struct report *w)
{
    json_t *env = json_object_get(r->json, "env"), *value;
    const char *name;

    if (env && !json_is_object(env))
        return bad(w, "exec: env is an object of strings");
    json_object_foreach(env, name, value)
    {
        if (r->n_env == REQUEST_ENV_MAX)
            return bad(w, "exec: env has at most 128 names");
        if (!json_is_string(value) || !*name || strchr(name, '='))
            return bad(w, "exec: env is an object of strings, without '=' in a name");
        r->env_name[r->n_env] = name;
        r->env_value[r->n_env++] = json_string_value(value);
    }
    return 0;
}

static uint64_t number(const json_t *object, const char *key)
{
    const json_int_t n = json_integer_value(json_object_get(object, key));

    return n > 0 ? (uint64_t)n : 0;
}

static int read_sched(struct request *r, const struct report *w)
{
    static const char *const names[] = { "", "fifo", "rr", "nice", "deadline" };
    const json_t *sched = json_object_get(r->json, "sched");
    const json_int_t priority = json_integer_value(json_object_get(r->json, "priority"));
    size_t i = 0;

    r->budget_ns = number(r->json, "budget_ns");
    r->period_ns = number(r->json, "period_ns");
    if (!sched || json_is_null(sched))
        return 0;
    for (i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_is_string(sched) && strcmp(json_string_value(sched), names[i]) == 0)
            break;
    if (i == sizeof(names) / sizeof(names[0]))
        return bad(w, "exec: sched is fifo, rr, nice or deadline");
    r->sched = (enum request_sched)i;
    if (r->sched == SCHED_AS_DEADLINE)
        return r->budget_ns && r->budget_ns <= r->period_ns
                   ? 0
                   : bad(w, "exec: deadline needs budget_ns, at most period_ns");
    const bool nice = r->sched == SCHED_AS_NICE;
    if (priority < (nice ? NICE_LEAST : 1) || priority > (nice ? NICE_MOST : FIFO_MOST))
        return bad(w, nice ? "exec: priority of nice is -20 to 19"
                           : "exec: priority of fifo and rr is 1 to 99");
    r->priority = (int)priority;
    return 0;
}

static int read_name(struct request *r, const struct report *w)
{
    const json_t *name = json_object_get(r->json, "name");

    if (!name || json_is_null(name))
        return 0;
    r->name = json_string_value(name);
    return r->name && r->name[0] && strlen(r->name) < REQUEST_NAME_MAX
               ? 0
               : bad(w, "name is a string of 1 to 31 bytes");
}

static int read_exec(struct request *r, const struct report *w)
{
    r->takes_input = json_is_true(json_object_get(r->json, "stdin"));
    r->detach = json_is_true(json_object_get(r->json, "detach"));
    if (r->takes_input && r->detach)
        return bad(w, "exec: a detached command has no stdin");
    return read_argv(r, w) < 0 || read_env(r, w) < 0 || read_name(r, w) < 0 || read_sched(r, w) < 0
               ? -1
               : 0;
}

static int read_whom(struct request *r, const struct report *w)
{
    const json_t *of = json_object_get(r->json, "of");

    if (read_name(r, w) < 0)
        return -1;
    r->of = json_is_integer(of) ? json_integer_value(of) : -1;
    if (!r->name && r->of < 0)
        return bad(w, "it needs the name of a command, or the id of its exec as 'of'");
    return 0;
}

static int read_kill(struct request *r, const struct report *w)
{
    const json_t *s = json_object_get(r->json, "signal");
    const json_int_t signal = s ? json_integer_value(s) : SIGTERM;

    if (read_whom(r, w) < 0)
        return -1;
    if (signal < 0 || signal >= NSIG)
        return bad(w, "kill: there is no such signal");
    r->signal = (int)signal;
    return 0;
}

static int read_time(struct request *r, const struct report *w)
{
    r->ns = number(r->json, "ns");
    return r->ns ? 0 : bad(w, "time: needs ns since 1970");
}

static int read_address(struct request *r, const struct report *w)
{
    const char *mac = json_string_value(json_object_get(r->json, "mac"));
    const char *address = json_string_value(json_object_get(r->json, "address"));
    char end;

    if (!mac || sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &r->mac[0], &r->mac[1],
                       &r->mac[2], &r->mac[3], &r->mac[4], &r->mac[5], &end) != 6)
        return bad(w, "address: needs the mac of a NIC");
    if (!address || inet_pton(AF_INET, address, &r->ip) != 1)
        return bad(w, "address: needs an IPv4 address");
    return 0;
}

static int read_nothing(struct request *r, const struct report *w)
{
    (void)r;
    (void)w;
    return 0;
}

static int read_input(struct request *r, const struct report *w)
{
    const json_t *in = json_object_get(r->json, "in"), *in64 = json_object_get(r->json, "in64");

    r->kind = REQUEST_INPUT;
    r->eof = json_is_true(json_object_get(r->json, "eof"));
    if (json_is_string(in)) {
        r->in = (const uint8_t *)json_string_value(in);
        r->in_len = json_string_length(in);
    } else if (json_is_string(in64)) {
        const size_t len = json_string_length(in64);
        r->decoded = malloc(len + 1);
        const long n = r->decoded ? base64_decode(json_string_value(in64), len, r->decoded) : -1;
        if (n < 0)
            return bad(w, "in64 is not base64");
        r->in = r->decoded;
        r->in_len = (size_t)n;
    } else if (!r->eof)
        return bad(w, "a request has 'do', or 'in', 'in64' or 'eof'");
    return r->in_len <= REQUEST_IN_MAX ? 0 : bad(w, "input comes in pieces of at most 65536 bytes");
}

static const struct verb {
    const char *name;
    enum request_kind kind;
    int (*read)(struct request *r, const struct report *w);
} verbs[] = {
    { "exec", REQUEST_EXEC, read_exec },
    { "kill", REQUEST_KILL, read_kill },
    { "hold", REQUEST_HOLD, read_whom },
    { "go-on", REQUEST_GO_ON, read_whom },
    { "ping", REQUEST_PING, read_nothing },
    { "time", REQUEST_TIME, read_time },
    { "announce", REQUEST_ANNOUNCE, read_nothing },
    { "address", REQUEST_ADDRESS, read_address },
    { "poweroff", REQUEST_POWEROFF, read_nothing },
    { "stats", REQUEST_STATS, read_nothing },
};

static int read_do(struct request *r, const char *what, const struct report *w)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, what) == 0) {
            r->kind = verbs[i].kind;
            return verbs[i].read(r, w);
        }
    return bad(w,
               "do is exec, kill, hold, go-on, ping, time, announce, address, poweroff or stats");
}

int request_read(struct request *r, const char *line, size_t len, int64_t *id, char *why,
                 size_t why_size)
{
    const struct report w = { why, why_size };
    json_error_t error;

    *r = (struct request){ .of = -1 };
    *id = -1;
    r->json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(r->json)) {
        snprintf(why, why_size, "no JSON object: %s", r->json ? "another value" : error.text);
        return -1;
    }
    const json_t *number_of = json_object_get(r->json, "id"),
                 *what = json_object_get(r->json, "do");
    if (!json_is_integer(number_of) || json_integer_value(number_of) < 0)
        return bad(&w, "a request has an id, 0 or more");
    *id = r->id = json_integer_value(number_of);
    if (what)
        return json_is_string(what) ? read_do(r, json_string_value(what), &w)
                                    : bad(&w, "do is a string");
    return read_input(r, &w);
}

void request_fini(struct request *r)
{
    json_decref(r->json);
    free(r->decoded);
    *r = (struct request){ .of = -1 };
}
