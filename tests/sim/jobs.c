/* jobs.c - processes that share the seeds out among them. Contract in jobs.h. */
#include "jobs.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_EVERY 5.0 /* s */

struct message { /* worker to parent, before and after each seed */
    uint64_t seed;
    bool ended;
    struct swarm_result result;
};

struct worker {
    pid_t pid;
    int fd; /* -1: it has finished */
    uint64_t seed, next;
    bool busy;
    size_t have;
    struct message m;
};

struct total {
    uint64_t run, violations, datagrams, bytes, steps, conns, seen[SWARM_SEEN];
    uint64_t drawn[SWARM_FAULTS];
    size_t memory_peak;
    double began;
};

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one seed ---- */

static void run_seed(const struct jobs_config *c, uint64_t seed, const struct test_pki *pki,
                     struct swarm_result *r)
{
    FILE *log = c->log ? fopen(c->log, "w") : NULL;

    struct swarm_order order = {
        .seed = seed, .without = c->without, .pki = pki, .log = log, .stop_at = c->stop_at
    };

    swarm_run(&order, r);
    if (log)
        fclose(log);
    if (r->ok && c->twice) {
        struct swarm_result again;

        order.log = NULL;
        swarm_run(&order, &again);
        if (again.hash != r->hash) {
            r->ok = false;
            (void)snprintf(r->why, sizeof r->why, "a second run differs");
        }
    }
}

static void print_drawn(uint64_t drawn)
{
    for (int f = 0; f < SWARM_FAULTS; f++)
        if (drawn >> f & 1)
            printf(" %s", swarm_fault_name[f]);
    printf("\n");
}

static void print_failure(const struct jobs_config *c, uint64_t seed, const struct swarm_result *r)
{
    printf("FAIL seed %" PRIu64 ": %s\n     replay: tvl-sim --swarm --seed %" PRIu64, seed, r->why,
           seed);
    for (int f = 0; f < SWARM_FAULTS; f++)
        if (c->without >> f & 1)
            printf(" --without %s", swarm_fault_name[f]);
    printf(" --log sim.log\n     drawn:");
    print_drawn(r->drawn);
    (void)fflush(stdout);
}

static void count(const struct jobs_config *c, struct total *t, uint64_t seed,
                  const struct swarm_result *r)
{
    t->run++;
    t->datagrams += r->datagrams;
    t->bytes += r->bytes;
    t->steps += r->steps;
    t->conns += r->conns;
    for (int i = 0; i < SWARM_SEEN; i++)
        t->seen[i] += r->seen[i];
    if (r->memory_peak > t->memory_peak)
        t->memory_peak = r->memory_peak;
    for (int f = 0; f < SWARM_FAULTS; f++)
        t->drawn[f] += r->drawn >> f & 1;
    if (!r->ok && t->violations++ < JOBS_SHOWN_MAX)
        print_failure(c, seed, r);
}

/* ---- workers ---- */

static void say(int fd, const struct message *m)
{
    const char *p = (const char *)m;
    size_t left = sizeof *m;

    while (left > 0) {
        const ssize_t n = write(fd, p, left);

        if (n <= 0)
            _exit(1);
        p += n;
        left -= (size_t)n;
    }
}

static void work(const struct jobs_config *c, uint64_t from, int fd, const struct test_pki *pki)
{
    for (uint64_t seed = from; seed < c->first + c->count; seed += c->jobs) {
        struct message m;

        memset(&m, 0, sizeof m);
        m.seed = seed;
        say(fd, &m);
        (void)alarm(JOBS_SEED_SECONDS);
        run_seed(c, seed, pki, &m.result);
        (void)alarm(0);
        m.ended = true;
        say(fd, &m);
    }
    _exit(0);
}

static void start(const struct jobs_config *c, struct worker *w, const struct test_pki *pki)
{
    int fds[2];

    w->fd = -1;
    w->busy = false;
    w->have = 0;
    if (w->next >= c->first + c->count)
        return;
    (void)fflush(stdout);
    if (pipe(fds) != 0 || (w->pid = fork()) < 0) {
        perror("tvl-sim");
        exit(1);
    }
    if (w->pid == 0) {
        close(fds[0]);
        work(c, w->next, fds[1], pki);
    }
    close(fds[1]);
    w->fd = fds[0];
}

/* The worker is gone: in the middle of a seed, or because all is done. */
static void on_end(const struct jobs_config *c, struct worker *w, struct total *t,
                   const struct test_pki *pki)
{
    struct swarm_result r;
    int status = 0;

    close(w->fd);
    (void)waitpid(w->pid, &status, 0);
    if (!w->busy) {
        w->fd = -1;
        return;
    }
    memset(&r, 0, sizeof r);
    (void)snprintf(r.why, sizeof r.why, "%s (%s %d)",
                   WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs" : "crashes",
                   WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    count(c, t, w->seed, &r);
    w->next = w->seed + c->jobs;
    start(c, w, pki);
}

static void on_readable(const struct jobs_config *c, struct worker *w, struct total *t,
                        const struct test_pki *pki)
{
    const ssize_t n = read(w->fd, (char *)&w->m + w->have, sizeof w->m - w->have);

    if (n <= 0) {
        on_end(c, w, t, pki);
        return;
    }
    w->have += (size_t)n;
    if (w->have < sizeof w->m)
        return;
    w->have = 0;
    w->seed = w->m.seed;
    w->busy = !w->m.ended;
    if (w->m.ended)
        count(c, t, w->m.seed, &w->m.result);
}

static void progress(const struct jobs_config *c, const struct total *t, double *last)
{
    const double now = seconds();

    if (!c->progress || now - *last < PROGRESS_EVERY)
        return;
    *last = now;
    printf("%" PRIu64 " of %" PRIu64 " worlds, %" PRIu64 " violations, %.1f a second\n", t->run,
           c->count, t->violations, (double)t->run / (now - t->began));
    (void)fflush(stdout);
}

static void run_workers(const struct jobs_config *c, struct total *t, const struct test_pki *pki)
{
    struct worker worker[JOBS_MAX];
    double last = t->began;

    memset(worker, 0, sizeof worker);
    for (unsigned i = 0; i < c->jobs; i++) {
        worker[i].next = c->first + i;
        start(c, &worker[i], pki);
    }
    for (;;) {
        struct pollfd fd[JOBS_MAX];
        bool any = false;

        for (unsigned i = 0; i < c->jobs; i++) {
            fd[i] = (struct pollfd){ .fd = worker[i].fd, .events = POLLIN };
            any = any || worker[i].fd >= 0;
        }
        if (!any)
            return;
        (void)poll(fd, c->jobs, 1000);
        for (unsigned i = 0; i < c->jobs; i++)
            if (worker[i].fd >= 0 && fd[i].revents)
                on_readable(c, &worker[i], t, pki);
        progress(c, t, &last);
    }
}

/* ---- the report ---- */

static void write_report(const struct jobs_config *c, const struct total *t, double took)
{
    FILE *f = fopen(c->report, "w");

    if (!f) {
        perror(c->report);
        return;
    }
    fprintf(f,
            "{\"worlds_run\": %" PRIu64 ", \"worlds_violations\": %" PRIu64
            ", \"first_seed\": %" PRIu64 ", \"seconds\": %.1f, \"seeds_per_second\": %.1f"
            ", \"processes\": %u, \"connections\": %" PRIu64 ", \"datagrams\": %" PRIu64
            ", \"stream_bytes\": %" PRIu64 ", \"steps\": %" PRIu64
            ", \"memory_peak_bytes\": %zu, \"seen\": {",
            t->run, t->violations, c->first, took, (double)t->run / took, c->jobs, t->conns,
            t->datagrams, t->bytes, t->steps, t->memory_peak);
    for (int i = 0; i < SWARM_SEEN; i++)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", swarm_seen_name[i], t->seen[i]);
    fprintf(f, "}, \"drawn\": {");
    for (int i = 0; i < SWARM_FAULTS; i++)
        fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "", swarm_fault_name[i], t->drawn[i]);
    fprintf(f, "}}\n");
    fclose(f);
}

uint64_t jobs_run(const struct jobs_config *c, const struct test_pki *pki)
{
    struct total t;

    memset(&t, 0, sizeof t);
    t.began = seconds();
    if (c->count == 1) { /* in this process: for a debugger */
        struct swarm_result r;

        run_seed(c, c->first, pki, &r);
        count(c, &t, c->first, &r);
        printf("seed %" PRIu64 ": %.3f s, %" PRIu64 " steps, %" PRIu64 " datagrams, %" PRIu64
               " stream bytes, %" PRIu64 " connections, peak %zu bytes, %016" PRIx64 "\n",
               c->first, (double)r.time / 1e6, r.steps, r.datagrams, r.bytes, r.conns,
               r.memory_peak, r.hash);
    } else {
        run_workers(c, &t, pki);
    }
    const double took = seconds() - t.began;
    if (c->report)
        write_report(c, &t, took);
    printf("%" PRIu64 " worlds, %" PRIu64 " violations, %.1f s\n", t.run, t.violations, took);
    return t.violations;
}
