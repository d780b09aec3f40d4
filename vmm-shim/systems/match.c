/* match.c - see match.h. */
#include "systems/match.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "topology/units.h"

#define MISS_WHOLE 100.0 /* of what a system has not at all: more than any figure can miss by */
#define SHOWN_MAX 32     /* bytes of a figure as text */

/* What is found out about one system while its parts are gone through. */
struct judgement {
    struct vmm_candidate *candidate;
    char good[VMM_REASON_MAX], bad[VMM_REASON_MAX]; /* parts that are satisfied, and that are not */
    double miss; /* how far it is from satisfying: sum of the logarithms of what is too much */
};

__attribute__((format(printf, 4, 5))) static void note(struct judgement *j, bool fits, double miss,
                                                       const char *format, ...)
{
    char *list = fits ? j->good : j->bad;
    size_t at = strlen(list);
    va_list args;
    if (at)
        at += (size_t)snprintf(list + at, VMM_REASON_MAX - at, ", ");
    va_start(args, format);
    if (at < VMM_REASON_MAX)
        vsnprintf(list + at, VMM_REASON_MAX - at, format, args);
    va_end(args);
    j->miss += fits ? 0 : miss;
}

typedef const char *show_fn(uint64_t value, char *out, size_t size);

/* A figure that may be at most so much. */
static void judge_figure(struct judgement *j, const char *what, uint64_t figure, uint64_t most,
                         show_fn *show)
{
    char is[SHOWN_MAX], may[SHOWN_MAX];
    if (!most)
        return;
    show(most, may, sizeof may);
    if (!figure)
        note(j, false, MISS_WHOLE, "%s not measured", what);
    else
        note(j, figure <= most, log((double)figure / (double)most), "%s %s %s %s", what,
             show(figure, is, sizeof is), figure <= most ? "<=" : ">", may);
}

/* "program:NAME", a path, or a name. */
static const char *base_name(const char *path)
{
    static const char own[] = "program:";
    const char *slash = strrchr(path, '/');
    return slash                                     ? slash + 1
           : strncmp(path, own, sizeof own - 1) == 0 ? path + sizeof own - 1
                                                     : path;
}

static double judge(struct vmm_candidate *c, const struct vmm_system *s,
                    const struct vmm_need *need, const char *program)
{
    const struct vmm_figures *f = &s->figures;
    struct judgement j = { .candidate = c };
    char what[VMM_LABEL_MAX + 32];
    snprintf(what, sizeof what, "wake p99%s%s", f->policy[0] ? " under " : "", f->policy);
    if (need->arch[0])
        note(&j, strcmp(need->arch, s->arch) == 0, MISS_WHOLE, "arch %s", s->arch);
    if (need->files)
        note(&j, s->files, MISS_WHOLE, s->files ? "has files" : "has no files");
    judge_figure(&j, what, f->wake_p99_ns, need->wake_latency_ns, vmm_show_time);
    judge_figure(&j, "boot", f->boot_ns, need->boot_ns, vmm_show_time);
    judge_figure(&j, "memory", f->memory_bytes, need->memory_bytes, vmm_show_bytes);
    if (program && s->only[0])
        note(&j, strcmp(base_name(program), s->only) == 0, MISS_WHOLE, "runs only %s", s->only);
    c->fits = !j.bad[0];
    snprintf(c->reason, sizeof c->reason, "%s",
             j.bad[0]    ? j.bad
             : j.good[0] ? j.good
                         : "nothing is asked for");
    return j.miss;
}

/* ---- which of those that fit ---- */

static bool at_home(const struct vmm_systems *s, const struct vmm_system *a)
{
    return strcmp(a->arch, s->host_arch) == 0 && !a->only[0];
}

/* Unknown is most. */
static uint64_t known(uint64_t figure)
{
    return figure ? figure : UINT64_MAX;
}

/* What decides between a and b, in words; NULL: they are equal. *better: a wins. */
static const char *compare(const struct vmm_systems *s, const struct vmm_system *a,
                           const struct vmm_system *b, bool *better)
{
    bool home_a = at_home(s, a), home_b = at_home(s, b);
    uint64_t memory_a = known(a->figures.memory_bytes), memory_b = known(b->figures.memory_bytes);
    uint64_t boot_a = known(a->figures.boot_ns), boot_b = known(b->figures.boot_ns);
    if (home_a != home_b) {
        *better = home_a;
        return "runs this host's programs";
    }
    if (memory_a != memory_b) {
        *better = memory_a < memory_b;
        return "takes less memory";
    }
    *better = boot_a < boot_b;
    return boot_a != boot_b ? "boots faster" : NULL;
}

/* The best that fits, or -1. */
static int choose(const struct vmm_choice *c, const struct vmm_systems *s)
{
    int best = -1;
    for (size_t i = 0; i < s->n; i++) {
        bool better = best < 0;
        if (!c->candidate[i].fits)
            continue;
        if (best >= 0 && !compare(s, &s->system[i], &s->system[best], &better))
            better = false;
        if (better)
            best = (int)i;
    }
    return best;
}

__attribute__((format(printf, 2, 3))) static void say(struct vmm_choice *c, const char *format, ...)
{
    size_t at = strlen(c->sentence);
    va_list args;
    va_start(args, format);
    vsnprintf(c->sentence + at, sizeof c->sentence - at, format, args);
    va_end(args);
}

static void say_chosen(struct vmm_choice *c, const struct vmm_systems *s)
{
    const struct vmm_system *best = &s->system[c->chosen];
    say(c, "%s: %s", best->name, c->candidate[c->chosen].reason);
    for (size_t i = 0; i < s->n; i++) {
        bool better;
        if ((int)i == c->chosen)
            continue;
        if (!c->candidate[i].fits) {
            say(c, "; not %s: %s", s->system[i].name, c->candidate[i].reason);
            continue;
        }
        const char *by = compare(s, best, &s->system[i], &better);
        say(c, "; rather than %s: %s", s->system[i].name, by ? by : "comes first");
    }
}

void vmm_match(struct vmm_choice *out, const struct vmm_systems *s, const struct vmm_need *need,
               const char *program)
{
    double least = INFINITY;
    *out = (struct vmm_choice){ .chosen = -1, .nearest = -1 };
    for (size_t i = 0; i < s->n; i++) {
        double miss = judge(&out->candidate[i], &s->system[i], need, program);
        if (miss < least) {
            least = miss;
            out->nearest = (int)i;
        }
    }
    out->chosen = choose(out, s);
    if (out->chosen >= 0) {
        out->nearest = out->chosen;
        say_chosen(out, s);
    } else if (out->nearest >= 0) {
        say(out, "none satisfies; nearest is %s: %s", s->system[out->nearest].name,
            out->candidate[out->nearest].reason);
    } else {
        say(out, "no system is registered");
    }
}

/* ---- for a node ---- */

static int named(const struct vmm_systems *s, const struct vmm_topology *t,
                 const struct vmm_node *n, char *why, size_t why_size)
{
    const char *names[VMM_SYSTEMS_MAX + 1] = { 0 };
    for (size_t i = 0; i < s->n; i++)
        names[i] = s->system[i].name;
    const char *near = vmm_nearest_name(n->system, names);
    int at = vmm_systems_find(s, n->system);
    const char *only = at >= 0 ? s->system[at].only : "";
    if (at < 0) {
        snprintf(why, why_size, "%s:%d: node %s: no system \"%s\"%s%s%s", t->file, n->line, n->name,
                 n->system, near ? " (did you mean " : "; vmm-shim match lists them",
                 near ? near : "", near ? "?)" : "");
    } else if (*only && n->n_run && strcmp(base_name(n->run[0]), only) != 0) {
        snprintf(why, why_size, "%s:%d: node %s: %s runs only %s, not %.64s", t->file, n->line,
                 n->name, n->system, only, base_name(n->run[0]));
        at = -1;
    }
    return at;
}

int vmm_match_node(const struct vmm_systems *s, const struct vmm_topology *t, size_t node,
                   struct vmm_choice *choice, char *why, size_t why_size)
{
    const struct vmm_node *n = &t->node[node];
    struct vmm_choice own, *c = choice ? choice : &own;
    if (n->system[0]) {
        int at = named(s, t, n, why, why_size);
        *c = (struct vmm_choice){ .chosen = at, .nearest = at };
        if (at >= 0)
            say(c, "%s: the topology says so", n->system);
        return at;
    }
    vmm_match(c, s, &n->need, n->n_run ? n->run[0] : NULL);
    const char *policy = c->chosen < 0 ? "" : s->system[c->chosen].figures.policy;
    if (n->need.wake_latency_ns && policy[0] && n->real_time.policy == VMM_POLICY_NONE)
        say(c, "; that holds with real_time: {policy: %s, guest: true}", policy);
    if (c->chosen < 0)
        snprintf(why, why_size, "%s:%d: node %s: %s", t->file, n->line, n->name, c->sentence);
    return c->chosen;
}
