/*
 * main.c - svc-load: sets the timetable, starts the crews, looks at them and at the server once a
 * second, and puts their tallies together.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <moq/moq.h>
#include <tvl/tvl.h>

#include "args.h"
#include "crew.h"
#include "report.h"

enum { EXIT_NOT_SERVED = 2, EXIT_USAGE = 64 };

#define LOOK_US 250000u /* from look to look */
#define LINE_LOOKS 4    /* looks from line to line */
#define US_PER_S 1e6

static volatile sig_atomic_t interrupted;

struct looks { /* sums of what was seen while it counted */
    double watching;
    uint64_t n, bytes_before, lines;
};

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void sleep_until(uint64_t at)
{
    const struct timespec ts = { (time_t)(at / 1000000u), (long)(at % 1000000u) * 1000 };

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static double own_cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / US_PER_S;
}

/* ---- while it runs ---- */

static void look(struct looks *l, struct crew *const *crew, const struct args *a, bool counts,
                 double at_s)
{
    size_t here = 0, watching = 0;
    uint64_t bytes = 0, failed = 0;

    for (unsigned i = 0; i < a->threads; i++) {
        const struct crew_look *c = crew_look(crew[i]);

        here += atomic_load(&c->here);
        watching += atomic_load(&c->watching);
        bytes += atomic_load(&c->bytes);
        failed += atomic_load(&c->failed);
    }
    l->n += counts;
    l->watching += counts ? (double)watching : 0;
    if (a->quiet || l->lines++ % LINE_LOOKS != 0)
        return;
    fprintf(stderr, "%5.0f s%s %6zu here %6zu watching %8.1f Mbit/s %4" PRIu64 " failed\n", at_s,
            counts ? " *" : "  ", here, watching,
            (double)(bytes - l->bytes_before) * 8 / (LINE_LOOKS * LOOK_US), failed);
    l->bytes_before = bytes;
}

/* Until the end; `r` gets what is measured at both ends of the time that counts. */
static void watch(struct report *r, struct timetable *when, struct crew *const *crew)
{
    const struct args *a = r->args;
    struct looks l = { 0 };
    uint64_t began = 0, overflows = 0;
    double cpu = 0;

    for (uint64_t at = when->start; at < atomic_load(&when->ends) && !interrupted; at += LOOK_US) {
        sleep_until(at);
        if (began == 0 && timetable_now() >= when->counts_from) {
            began = timetable_now();
            cpu = own_cpu_s();
            overflows = proc_udp_overflows();
            r->has_server = r->has_server && proc_look(&r->from, a->server_pid) == 0;
        }
        look(&l, crew, a, began > 0, (double)(at - when->start) / US_PER_S);
    }
    if (!interrupted)
        sleep_until(atomic_load(&when->ends));
    const uint64_t now = timetable_now();
    if (began > 0) {
        r->has_server = r->has_server && proc_look(&r->to, a->server_pid) == 0;
        r->counted_s = (double)(now - began) / US_PER_S;
        r->own_cpu_s = own_cpu_s() - cpu;
        r->udp_overflows = proc_udp_overflows() - overflows;
    }
    atomic_store(&when->ends, now);
    r->watching = l.n > 0 ? l.watching / (double)l.n : 0;
}

/* ---- set-up ---- */

static void make_timetable(struct timetable *when, const struct args *a)
{
    when->start = timetable_now();
    when->all_begun = when->start + (uint64_t)(a->subscribers / a->rate * US_PER_S);
    when->counts_from = when->all_begun + (uint64_t)(a->settle_s * US_PER_S);
    atomic_init(&when->ends, when->counts_from + (uint64_t)(a->duration_s * US_PER_S));
    atomic_init(&when->origin, 0);
}

static int say(const struct report *r)
{
    FILE *to = stdout;

    if (!r->args->json || strcmp(r->args->json, "-") != 0)
        report_print(r, stdout);
    if (!r->args->json)
        return 0;
    if (strcmp(r->args->json, "-") != 0)
        to = fopen(r->args->json, "w");
    int result = to ? report_write(r, to) : -1;
    if (to && to != stdout && fclose(to) != 0)
        result = -1;
    if (result != 0)
        fprintf(stderr, "svc-load: %s: %s\n", r->args->json, strerror(errno));
    return result;
}

static int run(const struct args *a, struct tvl_tls *tls, struct crew **crew, struct tally *sum)
{
    struct timetable when;
    struct report r = { .args = a, .tally = sum };
    char why[256] = "";
    unsigned n = 0;

    if (a->server_pid > 0) {
        r.has_server = proc_look(&r.idle, a->server_pid) == 0;
        if (!r.has_server)
            fprintf(stderr, "svc-load: process %" PRIu32 " cannot be watched\n", a->server_pid);
    }
    make_timetable(&when, a);
    while (n < a->threads && crew_new(&crew[n], a, tls, &when, n, why, sizeof why) == 0)
        n++;
    if (n == a->threads)
        watch(&r, &when, crew);
    else
        fprintf(stderr, "svc-load: %s\n", why);
    atomic_store(&when.ends, timetable_now());
    for (unsigned i = 0; i < n; i++) {
        tally_merge(sum, crew_join(crew[i]));
        crew_free(crew[i]);
    }
    if (n < a->threads || say(&r) != 0)
        return EXIT_FAILURE;
    return report_verdict(&r);
}

static int load(const struct args *a)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    const struct tvl_tls_config cfg = { .alpn = alpn, .ca_file = a->ca, .no_tickets = true };
    const struct sigaction action = { .sa_handler = on_signal };
    struct crew **crew = calloc(a->threads, sizeof *crew);
    struct tally *sum = malloc(sizeof *sum);
    struct tvl_tls *tls = NULL;
    char why[256] = "";
    int result = EXIT_FAILURE;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!crew || !sum) {
        fprintf(stderr, "svc-load: out of memory\n");
    } else if (tvl_tls_new(&tls, &cfg, why, sizeof why) != 0) {
        fprintf(stderr, "svc-load: %s\n", why);
    } else {
        tally_init(sum);
        result = run(a, tls, crew, sum);
    }
    tvl_tls_free(tls);
    free(sum);
    free(crew);
    return result;
}

int main(int argc, char **argv)
{
    struct args a;
    char why[512];

    switch (args_parse(&a, argc, argv, why, sizeof why)) {
    case ARGS_HELP:
        fputs(args_help, stdout);
        return EXIT_SUCCESS;
    case ARGS_VERSION:
        puts("svc-load " TVL_VERSION);
        return EXIT_SUCCESS;
    case ARGS_WRONG:
        fprintf(stderr, "svc-load: %s\n(svc-load --help lists the options)\n", why);
        return EXIT_USAGE;
    case ARGS_RUN:
        break;
    }
    return load(&a);
}
