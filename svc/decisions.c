/* decisions.c - see svc/decisions.h. Numbers go as signed 64-bit integers, so nothing is rounded.
 */
#include "svc/decisions.h"
#include "svc/svc.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const size_t size_of[] = {
    [DECISION_BOOL] = sizeof(bool),    [DECISION_U8] = 1,
    [DECISION_U32] = sizeof(uint32_t), [DECISION_I32] = sizeof(int32_t),
    [DECISION_U64] = sizeof(uint64_t), [DECISION_I64] = sizeof(int64_t),
};

static size_t count(const struct decision_field *f)
{
    return f->bytes / size_of[f->type];
}

static int64_t get(const struct decision_field *f, const void *of, size_t i)
{
    const char *at = (const char *)of + f->offset + i * size_of[f->type];
    union {
        bool flag;
        uint8_t u8;
        uint32_t u32;
        int32_t i32;
        int64_t i64; /* DECISION_U64 too: its bits */
    } v;

    memcpy(&v, at, size_of[f->type]);
    switch (f->type) {
    case DECISION_BOOL:
        return v.flag;
    case DECISION_U8:
        return v.u8;
    case DECISION_U32:
        return v.u32;
    case DECISION_I32:
        return v.i32;
    default:
        return v.i64;
    }
}

/* False: outside the type's range. */
static bool put(const struct decision_field *f, void *of, size_t i, int64_t v)
{
    char *at = (char *)of + f->offset + i * size_of[f->type];
    const bool flag = v != 0;
    const uint8_t u8 = (uint8_t)v;
    const uint32_t u32 = (uint32_t)v;
    const int32_t i32 = (int32_t)v;

    switch (f->type) {
    case DECISION_BOOL:
        memcpy(at, &flag, sizeof flag);
        return v == 0 || v == 1;
    case DECISION_U8:
        memcpy(at, &u8, sizeof u8);
        return u8 == v;
    case DECISION_U32:
        memcpy(at, &u32, sizeof u32);
        return u32 == v;
    case DECISION_I32:
        memcpy(at, &i32, sizeof i32);
        return i32 == v;
    default:
        memcpy(at, &v, sizeof v);
        return true;
    }
}

/* ---- writing ---- */

static void write_struct(FILE *log, const struct decision_field *f, const void *of)
{
    for (; f->name; f++) {
        const size_t n = count(f);

        fprintf(log, "\"%s\":%s", f->name, n > 1 ? "[" : "");
        for (size_t i = 0; i < n; i++)
            fprintf(log, "%s%lld", i ? "," : "", (long long)get(f, of, i));
        fprintf(log, "%s%s", n > 1 ? "]" : "", f[1].name ? "," : "");
    }
}

void decision_make(FILE *log, const struct decision *d, uint64_t who, void *state, const void *in,
                   void *out)
{
    memset(out, 0, d->out_size);
    d->decide(state, in, out);
    if (!log)
        return;
    flockfile(log); /* one line at a time, whoever else writes */
    fprintf(log, "{\"who\":%llu,\"decision\":\"%s\",\"in\":{", (unsigned long long)who, d->name);
    write_struct(log, d->in, in);
    fputs("},\"out\":{", log);
    write_struct(log, d->out, out);
    fputs("}}\n", log);
    funlockfile(log);
}

/* ---- reading ---- */

static bool read_element(const struct decision_field *f, void *of, size_t i, const json_t *v)
{
    return json_is_integer(v) && put(f, of, i, json_integer_value(v));
}

static bool read_struct(const struct decision_field *f, void *of, const json_t *from)
{
    for (; f->name; f++) {
        const json_t *v = json_object_get(from, f->name);
        const size_t n = count(f);

        if (n == 1 ? !read_element(f, of, 0, v) : json_array_size(v) != n)
            return false;
        for (size_t i = 0; n > 1 && i < n; i++)
            if (!read_element(f, of, i, json_array_get(v, i)))
                return false;
    }
    return true;
}

/* ---- replay ---- */

struct replay {
    const struct decision_policy *policy;
    struct decision_verdict *verdict;
    struct state {
        uint64_t who;
        void *at;
    } * states;
    size_t n, cap;
};

static void *state_of(struct replay *r, uint64_t who)
{
    for (size_t i = r->n; i-- > 0;)
        if (r->states[i].who == who)
            return r->states[i].at;
    if (r->n == DECISION_WHO_MAX)
        return NULL;
    if (r->n == r->cap) {
        const size_t cap = r->cap ? r->cap * 2 : 16;
        struct state *more = realloc(r->states, cap * sizeof *more);

        if (!more)
            return NULL;
        r->states = more;
        r->cap = cap;
    }
    void *fresh = calloc(1, r->policy->state_size);

    if (fresh)
        r->states[r->n++] = (struct state){ who, fresh };
    return fresh;
}

static const struct decision *find(const struct decision *d, const char *name)
{
    while (d->name && strcmp(d->name, name) != 0)
        d++;
    return d->name ? d : NULL;
}

static void compare(struct replay *r, unsigned long line, const struct decision *d,
                    const void *then, const void *now)
{
    for (const struct decision_field *f = d->out; f->name; f++)
        for (size_t i = 0; i < count(f); i++) {
            if (get(f, then, i) == get(f, now, i))
                continue;
            if (r->verdict->differed++ == 0) {
                r->verdict->line = line;
                snprintf(r->verdict->what, sizeof r->verdict->what, "%s: %s was %lld, is %lld",
                         d->name, f->name, (long long)get(f, then, i), (long long)get(f, now, i));
            }
            return;
        }
}

static int replay_line(struct replay *r, unsigned long line, const json_t *o)
{
    _Alignas(max_align_t) char in[DECISION_SIZE_MAX] = { 0 };
    _Alignas(max_align_t) char then[DECISION_SIZE_MAX] = { 0 };
    _Alignas(max_align_t) char now[DECISION_SIZE_MAX] = { 0 };
    const char *name = json_string_value(json_object_get(o, "decision"));
    const json_t *who = json_object_get(o, "who");
    const struct decision *d = name ? find(r->policy->table, name) : NULL;

    if (!d || !json_is_integer(who) || !read_struct(d->in, in, json_object_get(o, "in")) ||
        !read_struct(d->out, then, json_object_get(o, "out")))
        return SVC_ERR_FORMAT;
    void *state = state_of(r, (uint64_t)json_integer_value(who));

    if (!state)
        return SVC_ERR_NOMEM;
    decision_make(NULL, d, 0, state, in, now);
    r->verdict->made++;
    compare(r, line, d, then, now);
    return 0;
}

int decision_replay(FILE *log, const struct decision_policy *policy, struct decision_verdict *out)
{
    struct replay r = { .policy = policy, .verdict = out };
    char text[DECISION_LINE_MAX];
    unsigned long line = 0;
    int err = 0;

    *out = (struct decision_verdict){ 0 };
    while (err == 0 && fgets(text, sizeof text, log)) {
        json_t *o = json_loads(text, 0, NULL);

        err = replay_line(&r, ++line, o);
        json_decref(o);
    }
    if (err != 0) {
        out->line = line;
        snprintf(out->what, sizeof out->what, "%s",
                 err == SVC_ERR_FORMAT ? "is no decision of this policy" : svc_strerror(err));
    }
    for (size_t i = 0; i < r.n; i++)
        free(r.states[i].at);
    free(r.states);
    return err;
}

int decision_replay_file(const char *file, const struct decision_policy *policy, char *say,
                         size_t say_size)
{
    struct decision_verdict v;
    FILE *log = fopen(file, "r");

    if (!log) {
        snprintf(say, say_size, "cannot read %s: %s", file, strerror(errno));
        return -1;
    }
    const int err = decision_replay(log, policy, &v);

    fclose(log);
    if (err == 0 && v.differed == 0) {
        snprintf(say, say_size, "%s: %llu decisions, all the same", file,
                 (unsigned long long)v.made);
        return 0;
    }
    snprintf(say, say_size, "%s: line %lu: %s (%llu of %llu decisions differ)", file, v.line,
             v.what, (unsigned long long)v.differed, (unsigned long long)v.made);
    return err != 0 ? -1 : 1;
}
