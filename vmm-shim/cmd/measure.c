/*
 * measure.c - see measure.h.
 *
 *     x (the system)   run: tvl-echo wake    every 10 ms, how late? under fifo where we are root
 *                      exec: tvl-echo serve
 *     peer (metal)     exec: tvl-echo send   a ping each millisecond: x is busy, and the round trip
 *
 * Boot and memory are what `ps` says of x.
 */
#include "cmd/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "slice/client.h"

#define WAKE_UPS 600
#define PERIOD "10ms"
#define PINGS "4000"
#define PINGS_LIMIT "5s"
#define POLL_NS 100000000
#define POLLS_MAX 200 /* for the end of x's command: 20 s more than it takes */
#define WORDS_MAX 20
#define OUTPUT_MAX 65536
#define FILE_TEMPLATE "/tmp/vmm-measure-XXXXXX.yaml"

extern char **environ;

/* One run: its slice, and what was found out. */
struct run {
    const struct vmm_system *system;
    char slice[VMM_NAME_MAX], file[sizeof FILE_TEMPLATE];
    char accel[16];
    struct vmm_figures figures;
    char *why;
    size_t why_size;
};

/* ---- vmm-shim's own commands ---- */

/* Starts `vmm-shim WORDS...`, its output into `out` (a descriptor) or away. The child, or -1. */
static pid_t start(int out, const char *const *words)
{
    char *argv[WORDS_MAX + 2] = { (char *)"vmm-shim" };
    posix_spawn_file_actions_t actions;
    pid_t child;
    for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
        argv[i + 1] = (char *)words[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 1);
    else
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int failed = posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? -1 : child;
}

static int wait_for(pid_t child)
{
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its output as text, to be freed, NULL where there is no memory; *code is its exit code. */
static char *command(int *code, const char *const *words)
{
    int ends[2];
    size_t len = 0;
    char *text = calloc(1, OUTPUT_MAX + 1);
    *code = -1;
    if (!text || pipe2(ends, O_CLOEXEC) < 0)
        return text;
    pid_t child = start(ends[1], words);
    close(ends[1]);
    for (;;) {
        ssize_t n = read(ends[0], text + len, OUTPUT_MAX - len);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    close(ends[0]);
    *code = wait_for(child);
    return text;
}

/* The last line of `text` that is JSON, or NULL. */
static json_t *last_json(const char *text)
{
    json_t *found = NULL;
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        json_t *line = *text == '{' ? json_loadb(text, len, 0, NULL) : NULL;
        if (line) {
            json_decref(found);
            found = line;
        }
        text += len + (text[len] == '\n');
    }
    return found;
}

/* ---- one slice ---- */

static int write_file(struct run *r)
{
    bool root = geteuid() == 0;
    strcpy(r->file, FILE_TEMPLATE);
    int fd = mkstemps(r->file, 5);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f) {
        snprintf(r->why, r->why_size, "%s: %s", r->file, strerror(errno));
        return -1;
    }
    fprintf(f,
            "name: %s\n"
            "nodes:\n"
            "  x:\n"
            "    system: %s\n"
            "    memory: %s\n"
            "    run: program:tvl-echo wake --period " PERIOD " --count %d --json\n",
            r->slice, r->system->name, r->system->files ? "128M" : "32M", WAKE_UPS);
    if (root)
        fputs("    real_time: {policy: fifo, priority: 50, guest: true}\n", f);
    fputs("  peer: {system: metal, memory: 32M}\n"
          "links:\n"
          "  lan: {between: [x, peer]}\n",
          f);
    fclose(f);
    strcpy(r->figures.policy, root ? "fifo" : "");
    return 0;
}

/* Without the "vmm-shim: " that it may begin with. */
static const char *last_line(char *text)
{
    static const char own[] = "vmm-shim: ";
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = 0;
    const char *newline = strrchr(text, '\n');
    const char *line = newline ? newline + 1 : text;
    return strncmp(line, own, sizeof own - 1) == 0 ? line + sizeof own - 1 : line;
}

static int bring_up(struct run *r)
{
    int code;
    char *text =
        command(&code, (const char *const[]){ "up", r->file, "--detach", "--quiet", NULL });
    if (code != 0)
        snprintf(r->why, r->why_size, "%s: %s", r->system->name,
                 text && *text ? last_line(text) : "its slice did not come up");
    free(text);
    return code == 0 ? 0 : -1;
}

/* What ps says of x, a new reference, or NULL. */
static json_t *ask_x(struct run *r)
{
    json_t *said = vmm_ask(r->slice, json_pack("{s:s}", "do", "ps"), r->why, r->why_size);
    json_t *node, *x = NULL;
    size_t i;
    json_array_foreach(json_object_get(said, "nodes"), i,
                       node) if (strcmp(json_string_value(json_object_get(node, "node")), "x") == 0)
        x = json_incref(node);
    json_decref(said);
    return x;
}

/* Pings x while its timer runs; what came of it. */
static void ping(struct run *r)
{
    int code;
    char to[] = "x:4433";
    char *text =
        command(&code, (const char *const[]){ "exec", "--slice", r->slice, "--no-input", "peer",
                                              "--", "tvl-echo", "send", to, "--ca",
                                              "/etc/slice/ca.pem", "--pings", PINGS, "--interval",
                                              "1ms", "--limit", PINGS_LIMIT, "--json", NULL });
    json_t *said = last_json(text);
    double ms = json_number_value(json_object_get(said, "round_trip_ms_p50"));
    r->figures.round_trip_ns = ms > 0 ? (uint64_t)(ms * 1e6) : 0;
    json_decref(said);
    free(text);
}

/* Waits for the end of x's command, and reads what `ps` and it say. */
static int read_x(struct run *r)
{
    json_t *x = NULL;
    const char *state = "";
    for (int i = 0; i < POLLS_MAX && strcmp(state, "done") != 0; i++) {
        json_decref(x);
        x = ask_x(r);
        if (!x)
            return -1;
        state = json_string_value(json_object_get(x, "state"));
        if (strcmp(state, "done") != 0)
            nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
    }
    int code;
    char *text = command(&code, (const char *const[]){ "logs", "--slice", r->slice, "x", NULL });
    json_t *said = last_json(text);
    double late_us = json_number_value(json_object_get(said, "late_us_p99"));
    double boot_s = json_number_value(json_object_get(x, "boot_s"));
    const char *accel = json_string_value(json_object_get(x, "accel"));
    snprintf(r->accel, sizeof r->accel, "%s", accel ? accel : "");
    r->figures.wake_p99_ns = late_us > 0 ? (uint64_t)(late_us * 1e3) : 0;
    r->figures.boot_ns = boot_s > 0 ? (uint64_t)(boot_s * 1e9) : 0;
    r->figures.memory_bytes = (uint64_t)json_integer_value(json_object_get(x, "resident_bytes"));
    if (late_us <= 0)
        snprintf(r->why, r->why_size, "%s: its timer was not measured: %.160s", r->system->name,
                 text ? last_line(text) : state);
    json_decref(said);
    json_decref(x);
    free(text);
    return late_us > 0 ? 0 : -1;
}

static int measure_once(struct run *r)
{
    char ignored[VMM_WHY_MAX];
    if (write_file(r) < 0)
        return -1;
    int done = bring_up(r);
    if (done == 0) {
        pid_t server =
            start(-1, (const char *const[]){ "exec", "--slice", r->slice, "--no-input", "x", "--",
                                             "tvl-echo", "serve", "--cert", "/etc/slice/cert.pem",
                                             "--key", "/etc/slice/key.pem", NULL });
        ping(r);
        done = read_x(r);
        vmm_ask_down(r->slice, ignored, sizeof ignored);
        wait_for(server);
    }
    unlink(r->file);
    return done;
}

/* ---- several runs ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static uint64_t median(const struct vmm_figures *runs, size_t n, size_t offset)
{
    uint64_t value[VMM_MEASURE_RUNS_MAX];
    for (size_t i = 0; i < n; i++)
        memcpy(&value[i], (const char *)&runs[i] + offset, sizeof value[i]);
    qsort(value, n, sizeof *value, compare);
    return value[n / 2];
}

int vmm_measure(const struct vmm_system *s, size_t n, struct vmm_figures *out, char *why,
                size_t why_size)
{
    struct vmm_figures runs[VMM_MEASURE_RUNS_MAX] = { 0 };
    struct run r = { .system = s, .why = why, .why_size = why_size };
    char date[16];
    time_t now = time(NULL);
    struct tm tm;
    snprintf(r.slice, sizeof r.slice, "m%d", (int)getpid());
    for (size_t i = 0; i < n; i++) {
        r.figures = (struct vmm_figures){ 0 };
        if (measure_once(&r) < 0)
            return -1;
        runs[i] = r.figures;
    }
    *out = runs[0];
    out->boot_ns = median(runs, n, offsetof(struct vmm_figures, boot_ns));
    out->wake_p99_ns = median(runs, n, offsetof(struct vmm_figures, wake_p99_ns));
    out->round_trip_ns = median(runs, n, offsetof(struct vmm_figures, round_trip_ns));
    out->memory_bytes = median(runs, n, offsetof(struct vmm_figures, memory_bytes));
    strftime(date, sizeof date, "%F", localtime_r(&now, &tm));
    snprintf(out->source, sizeof out->source, "this host, %s, %s", r.accel, date);
    return 0;
}
