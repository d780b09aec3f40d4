/*
 * keeper.c - the life of a slice: NEW, STARTING, READY, RESULT, STOPPING, GONE; who waits for what.
 *
 *     "start" ─► network ─► members ─► all ready ─► commands ─► result
 *     "down", SIGTERM, a failure ─► all ended ─► cleared away
 */
#include "slice/keeper.h"
#include "rt/rt.h"
#include "slice/inside.h"
#include "slice/network.h"
#include "slice/place.h"
#include "slice/run_keeper.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY_STARTS_S 10.0 /* `up` has died between its fork and "start" */
#define LAST_WORDS_S 2.0     /* for clients to read the last answers */

struct ev_loop *vmm_keeper_loop(struct vmm_keeper *k)
{
    return k->loop;
}

const struct vmm_topology *vmm_keeper_topology(const struct vmm_keeper *k)
{
    return k->topology;
}

const char *vmm_keeper_folder(const struct vmm_keeper *k)
{
    return k->folder;
}

struct vmm_lines *vmm_keeper_network(struct vmm_keeper *k)
{
    return k->network ? vmm_network_lines(k->network) : NULL;
}

struct vmm_rt *vmm_keeper_rt(struct vmm_keeper *k)
{
    return k->rt;
}

/* In keeper.log, which standard error is. */
static void note(const char *line)
{
    char when[32];
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(when, sizeof when, "%H:%M:%S", localtime_r(&now.tv_sec, &local));
    fprintf(stderr, "%s.%03ld %s\n", when, now.tv_nsec / 1000000, line);
}

void vmm_keeper_say(struct vmm_keeper *k, const char *format, ...)
{
    char line[VMM_WHY_MAX + 128];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    note(line);
    strcat(line, "\n");
    for (size_t i = 0; i < k->n_waiters; i++)
        if (!k->waiter[i].quiet)
            vmm_call_part(k->waiter[i].call, json_pack("{s:s}", "err", line));
}

void vmm_keeper_show(struct vmm_keeper *k, json_t *part)
{
    for (size_t i = 0; i < k->n_waiters; i++)
        if (k->waiter[i].until == VMM_PHASE_RESULT)
            vmm_call_part(k->waiter[i].call, json_deep_copy(part));
}

bool vmm_keeper_is_crowded(const struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->n_waiters; i++)
        if (vmm_flow_is_crowded(k->waiter[i].call))
            return true;
    return false;
}

/* The answer when a phase is reached: what ended, or that all is ready. */
static json_t *phase_answer(struct vmm_keeper *k)
{
    for (size_t i = 0; i < k->topology->n_nodes; i++)
        if (k->topology->node[i].result && k->phase == VMM_PHASE_RESULT)
            return json_pack("{s:s, s:i}", "node", k->topology->node[i].name, "exit",
                             k->member[i].exit_code);
    return json_object();
}

/* Those whose phase is reached are told and forgotten. */
static void answer_waiters(struct vmm_keeper *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->n_waiters; i++) {
        struct vmm_waiter w = k->waiter[i];
        if (w.until > k->phase) {
            k->waiter[kept++] = w;
            continue;
        }
        vmm_keeper_on_flow(k, w.call, NULL, NULL);
        if (k->why[0] && w.until < VMM_PHASE_STOPPING && k->phase == VMM_PHASE_GONE)
            vmm_call_error(w.call, "%s", k->why);
        else if (w.until < VMM_PHASE_STOPPING && k->phase == VMM_PHASE_GONE)
            vmm_call_error(w.call, "the slice was taken down");
        else
            vmm_call_ok(w.call, phase_answer(k));
    }
    k->n_waiters = kept;
    vmm_members_go_on(k);
}

void vmm_keeper_fail_waiters(struct vmm_keeper *k, const char *why)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->n_waiters; i++)
        if (k->waiter[i].until == VMM_PHASE_GONE) {
            k->waiter[kept++] = k->waiter[i];
        } else {
            vmm_keeper_on_flow(k, k->waiter[i].call, NULL, NULL);
            vmm_call_error(k->waiter[i].call, "%s", why);
        }
    k->n_waiters = kept;
}

static bool has_result(const struct vmm_topology *t)
{
    for (size_t i = 0; i < t->n_nodes; i++)
        if (t->node[i].result && t->node[i].n_run)
            return true;
    return false;
}

void vmm_keeper_wait(struct vmm_keeper *k, struct vmm_call *call, enum vmm_phase until, bool quiet)
{
    if (until == VMM_PHASE_RESULT && !has_result(k->topology))
        until = VMM_PHASE_READY; /* nothing else will come */
    if (k->n_waiters == VMM_WAITERS_MAX) {
        vmm_call_error(call, "too many wait for this slice");
        return;
    }
    k->waiter[k->n_waiters++] = (struct vmm_waiter){ call, until, quiet };
    if (k->phase != VMM_PHASE_STOPPING)
        answer_waiters(k);
}

void vmm_keeper_enter(struct vmm_keeper *k, enum vmm_phase phase)
{
    if (phase <= k->phase)
        return;
    k->phase = phase;
    if (phase == VMM_PHASE_READY) {
        vmm_keeper_say(k, "all nodes answer");
        vmm_members_run(k);
    }
    if (phase != VMM_PHASE_STOPPING)
        answer_waiters(k);
    if (phase == VMM_PHASE_RESULT && k->once)
        vmm_keeper_stop(k, "%s", "");
}

void vmm_keeper_stop(struct vmm_keeper *k, const char *format, ...)
{
    va_list args;
    if (k->phase >= VMM_PHASE_STOPPING)
        return;
    va_start(args, format);
    vsnprintf(k->why, sizeof k->why, format, args);
    va_end(args);
    k->keep_logs = k->why[0] && k->phase >= VMM_PHASE_READY && !k->once;
    note("taken down"); /* who waits is answered with why */
    if (k->why[0])
        note(k->why);
    vmm_keeper_enter(k, VMM_PHASE_STOPPING);
    ev_timer_stop(k->loop, &k->limit);
    ev_timer_stop(k->loop, &k->rt_tick);
    ev_timer_stop(k->loop, &k->others_limit);
    vmm_members_go_on(k); /* to the ends of their pipes */
    vmm_members_stop(k);
    vmm_keeper_check_end(k);
}

static void clear_away(struct vmm_keeper *k)
{
    char why[VMM_WHY_MAX];
    vmm_members_free(k);
    vmm_network_free(k->network);
    k->network = NULL;
    vmm_rt_close(k->rt);
    k->rt = NULL;
    if ((!k->keep_logs || vmm_place_keep_logs(k->topology->name, k->why) < 0) &&
        vmm_place_clear(k->topology->name, why, sizeof why) < 0)
        vmm_keeper_say(k, "%s", why);
    vmm_place_unlock(k->topology->name, k->lock);
    k->lock = -1;
}

/* The network goes last: what guests say while they end still finds its socket. */
void vmm_keeper_check_end(struct vmm_keeper *k)
{
    if (k->phase != VMM_PHASE_STOPPING || !vmm_members_all_gone(k))
        return;
    if (k->network && !k->network_gone) {
        vmm_network_stop(k->network);
        return;
    }
    clear_away(k);
    vmm_keeper_enter(k, VMM_PHASE_GONE);
    vmm_clients_finish(k);
    ev_timer_set(&k->limit, LAST_WORDS_S, 0);
    ev_timer_start(k->loop, &k->limit);
}

static void on_network_ready(void *user)
{
    struct vmm_keeper *k = user;
    char why[VMM_WHY_MAX];
    if (k->phase >= VMM_PHASE_STOPPING)
        return;
    if (vmm_rt_started(k->rt, VMM_RT_NETWORK, vmm_network_pid(k->network), why, sizeof why) < 0 ||
        vmm_rt_apply(k->rt, VMM_RT_NETWORK, NULL, 0, why, sizeof why) < 0)
        vmm_keeper_stop(k, "network: %s", why);
    else
        vmm_members_start(k);
}

static void on_network_ended(void *user, const char *why)
{
    struct vmm_keeper *k = user;
    k->network_gone = true;
    vmm_rt_stopped(k->rt, VMM_RT_NETWORK);
    if (k->phase < VMM_PHASE_STOPPING)
        vmm_keeper_stop(k, "%s", why);
    else
        vmm_keeper_check_end(k);
}

static void start(struct vmm_keeper *k)
{
    char why[VMM_WHY_MAX];
    const struct vmm_network_config config = { .topology = k->topology,
                                               .folder = k->folder,
                                               .log = STDERR_FILENO,
                                               .on_ready = on_network_ready,
                                               .on_ended = on_network_ended,
                                               .user = k };
    ev_timer_stop(k->loop, &k->limit);
    vmm_keeper_enter(k, VMM_PHASE_STARTING);
    if (vmm_rt_open(&k->rt, k->topology, k->root, why, sizeof why) < 0) {
        vmm_keeper_stop(k, "%s", why);
        return;
    }
    if (vmm_rt_note(k->rt)[0]) /* what it cannot do here, and nobody asks for */
        note(vmm_rt_note(k->rt));
    ev_timer_start(k->loop, &k->rt_tick);
    if (vmm_network_new(&k->network, k->loop, &config, why, sizeof why) < 0)
        vmm_keeper_stop(k, "%s", why);
    else
        vmm_keeper_say(k, "network: %u link%s", (unsigned)k->topology->n_links,
                       k->topology->n_links == 1 ? "" : "s");
}

/* `up` was killed, or has nobody to print for: with --once the slice goes with it. */
static void on_starter_gone(void *user)
{
    struct vmm_keeper *k = user;
    if (k->once)
        vmm_keeper_stop(k, "%s", "");
    else
        vmm_members_go_on(k);
}

static void on_starter_line(void *user, json_t *line)
{
    (void)user;
    (void)line;
}

static void on_starter_drained(void *user)
{
    vmm_members_go_on(user);
}

static void begin_start(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    const char *until = json_string_value(json_object_get(args, "until"));
    static const struct vmm_flow flow = { .input = on_starter_line, .drained = on_starter_drained };
    bool first = k->phase == VMM_PHASE_NEW;
    k->once = k->once || json_is_true(json_object_get(args, "once"));
    vmm_call_on_gone(call, on_starter_gone, k);
    vmm_keeper_on_flow(k, call, &flow, k);
    vmm_keeper_wait(k, call,
                    until && strcmp(until, "result") == 0 ? VMM_PHASE_RESULT : VMM_PHASE_READY,
                    json_is_true(json_object_get(args, "quiet")));
    if (first)
        start(k);
}

static void begin_down(struct vmm_keeper *k, struct vmm_call *call, json_t *args)
{
    (void)args;
    k->keep_logs = false;
    vmm_keeper_wait(k, call, VMM_PHASE_GONE, true);
    vmm_keeper_stop(k, "%s", "");
}

const struct vmm_request_kind vmm_request_start = { "start", begin_start };
const struct vmm_request_kind vmm_request_down = { "down", begin_down };

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_keeper *k = w->data;
    (void)events;
    if (k->phase == VMM_PHASE_NEW)
        vmm_keeper_stop(k, "nobody said what to do");
    else if (k->phase == VMM_PHASE_GONE)
        ev_break(loop, EVBREAK_ALL);
}

static void on_rt_tick(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_keeper *k = w->data;
    (void)loop;
    (void)events;
    int moved = vmm_rt_tick(k->rt);
    if (moved > 0)
        vmm_keeper_say(k, "%d nodes moved to other CPUs", moved);
}

static void on_term(struct ev_loop *loop, ev_signal *w, int events)
{
    (void)loop;
    (void)events;
    vmm_keeper_stop(w->data, "%s", "");
}

static void on_idle(struct ev_loop *loop, ev_prepare *w, int events)
{
    struct vmm_keeper *k = w->data;
    (void)events;
    if (k->phase != VMM_PHASE_GONE)
        return;
    for (size_t i = 0; i < VMM_CLIENTS_MAX; i++)
        if (k->client[i])
            return;
    ev_break(loop, EVBREAK_ALL);
}

/* Away from the terminal of `up`; what we and our children complain about goes to keeper.log. */
static int settle(struct vmm_keeper *k, char *why, size_t why_size)
{
    char path[VMM_PATH_MAX];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (snprintf(path, sizeof path, "%s/keeper.log", k->folder) >= (int)sizeof path)
        errno = ENAMETOOLONG;
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0) {
        snprintf(why, why_size, "cannot write the log of the keeper: %s", strerror(errno));
        return -1;
    }
    close(null);
    close(log);
    setsid();
    if (chdir("/") < 0)
        errno = 0; /* where we are does not matter */
    prctl(PR_SET_NAME, "vmm-keeper");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return 0;
}

static void watch(struct vmm_keeper *k, ev_prepare *idle)
{
    ev_timer_init(&k->limit, on_limit, NOBODY_STARTS_S, 0);
    ev_timer_init(&k->rt_tick, on_rt_tick, VMM_RT_TICK_S, VMM_RT_TICK_S);
    ev_signal_init(&k->term, on_term, SIGTERM);
    ev_signal_init(&k->interrupt, on_term, SIGINT);
    ev_prepare_init(idle, on_idle);
    k->limit.data = k->rt_tick.data = k->term.data = k->interrupt.data = idle->data = k;
    ev_timer_start(k->loop, &k->limit);
    ev_signal_start(k->loop, &k->term);
    ev_signal_start(k->loop, &k->interrupt);
    ev_prepare_start(k->loop, idle);
}

static void tell(int fd, const char *text, size_t n)
{
    if (write(fd, text, n) < 0)
        errno = 0; /* `up` has gone: "start" will not come, and the limit ends us */
    close(fd);
}

int vmm_keeper_run(const struct vmm_keeper_config *config, int told)
{
    char why[VMM_WHY_MAX] = "out of memory";
    ev_prepare idle;
    struct vmm_keeper *k = calloc(1, sizeof *k);
    if (!k)
        goto failed;
    k->topology = config->topology;
    k->launch = config->launch;
    k->lock = config->lock;
    snprintf(k->folder, sizeof k->folder, "%s", config->folder);
    snprintf(k->root, sizeof k->root, "%s", config->root);
    if (vmm_place_hold(k->topology->name, k->lock, why, sizeof why) < 0 ||
        settle(k, why, sizeof why) < 0)
        goto failed;
    k->loop = ev_default_loop(0);
    vmm_members_init(k);
    if (vmm_clients_open(k, why, sizeof why) < 0)
        goto failed;
    watch(k, &idle);
    tell(told, "", 1);
    ev_run(k->loop, 0);
    vmm_clients_close(k);
    vmm_topology_free(k->topology);
    free(k->launch);
    free(k);
    return 0;
failed:
    tell(told, why, strlen(why));
    free(k);
    return 1;
}
