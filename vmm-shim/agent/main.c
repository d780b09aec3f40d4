/*
 * main.c - vmm-agent, the first process of a guest.
 *
 *     kernel ──► mounts, modules, NICs, names ──► serial port "svc.agent" ──► serve for ever
 *
 * It never ends: a guest whose first process ends is a guest that panics. One thread; every wait is
 * in epoll_wait(). The protocol is in request.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/boot.h"
#include "agent/command.h"
#include "agent/file.h"
#include "agent/network.h"
#include "agent/port.h"
#include "agent/request.h"

#define PORT_NAME "svc.agent"
#define PORT_WAIT_MS 10000
#define CONFIGURATION "/etc/slice/guest.json"
#define CONFIGURATION_MAX (1u << 20)
#define EVENTS_MAX 16
#define ANNOUNCE_TIMES 3 /* a frame may be lost */
#define ANNOUNCE_EVERY_MS 100

/* Tags of epoll that no command has. */
#define OF_PORT UINT64_MAX
#define OF_SIGNALS (UINT64_MAX - 1)
#define OF_TIMER (UINT64_MAX - 2)

struct agent {
    json_t *guest;
    struct network network;
    struct port port;
    struct commands *commands;
    int epoll, signals, timer;
    int announcements; /* to come */
};

static uint64_t uptime_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static json_t *who(const struct agent *a)
{
    struct utsname u;
    const char *node = json_string_value(json_object_get(a->guest, "node"));

    uname(&u);
    return json_pack("{s:s,s:s,s:I}", "node", node ? node : "guest", "kernel", u.release,
                     "uptime_ms", (json_int_t)uptime_ms());
}

static void hello(struct agent *a)
{
    json_t *h = who(a);

    json_object_set_new(h, "hello", json_integer(1));
    port_say(&a->port, h);
}

static json_t *stats(const struct agent *a)
{
    struct sysinfo s;
    char cpu[256] = "";
    json_int_t user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0;

    sysinfo(&s);
    file_line("/proc/stat", cpu, sizeof(cpu));
    sscanf(cpu, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &wait,
           &irq, &softirq, &steal);
    json_t *j = who(a);
    json_t *more = json_pack(
        "{s:f,s:{s:I,s:I},s:{s:I,s:I,s:I,s:I},s:i,s:o,s:o}", "load_1min",
        (double)s.loads[0] / 65536., "memory", "total_bytes", (json_int_t)(s.totalram * s.mem_unit),
        "free_bytes", (json_int_t)(s.freeram * s.mem_unit), "cpu_ticks", "user", user + nice,
        "system", system, "interrupts", irq + softirq, "idle", idle + wait, "processes",
        (int)s.procs, "nics", network_stats(&a->network), "commands", commands_list(a->commands));
    json_object_update_missing(j, more);
    json_decref(more);
    return j;
}

static void ok(struct agent *a, int64_t id, json_t *value)
{
    port_say(&a->port,
             json_pack("{s:I,s:o}", "id", (json_int_t)id, "ok", value ? value : json_object()));
}

static void error(struct agent *a, int64_t id, const char *why)
{
    json_t *j = json_pack("{s:s}", "error", why);

    if (id >= 0)
        json_object_set_new(j, "id", json_integer((json_int_t)id));
    port_say(&a->port, j);
}

static void arm(int timer, int ms)
{
    const struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000L } };

    timerfd_settime(timer, 0, &t, NULL);
}

static void announce(struct agent *a)
{
    network_announce(&a->network);
    if (--a->announcements > 0)
        arm(a->timer, ANNOUNCE_EVERY_MS);
}

static void obey(struct agent *a, const struct request *r)
{
    char why[256] = "";
    int result = 0;
    json_t *value = NULL;

    switch (r->kind) {
    case REQUEST_EXEC:
        commands_exec(a->commands, r);
        return;
    case REQUEST_INPUT: /* answered only when it fails */
        if (commands_input(a->commands, r, why, sizeof(why)) < 0)
            port_say(&a->port, json_pack("{s:s,s:I}", "input_error", why, "of", (json_int_t)r->id));
        return;
    case REQUEST_KILL:
        result = commands_kill(a->commands, r, why, sizeof(why));
        break;
    case REQUEST_HOLD:
    case REQUEST_GO_ON:
        result = commands_hold(a->commands, r, r->kind == REQUEST_HOLD, why, sizeof(why));
        break;
    case REQUEST_PING:
        value = who(a);
        break;
    case REQUEST_STATS:
        value = stats(a);
        break;
    case REQUEST_TIME: {
        const struct timespec t = { (time_t)(r->ns / 1000000000), (long)(r->ns % 1000000000) };
        if ((result = clock_settime(CLOCK_REALTIME, &t)) < 0)
            snprintf(why, sizeof(why), "the clock cannot be set: %s", strerror(errno));
        break;
    }
    case REQUEST_ANNOUNCE:
        a->announcements = ANNOUNCE_TIMES;
        announce(a);
        break;
    case REQUEST_ADDRESS:
        if ((result = network_readdress(&a->network, r->mac, r->ip)) < 0)
            snprintf(why, sizeof(why), "no other address: %s", strerror(errno));
        break;
    case REQUEST_POWEROFF:
        ok(a, r->id, NULL);
        boot_end();
    }
    if (result < 0)
        error(a, r->id, why);
    else
        ok(a, r->id, value);
}

static void lines(struct agent *a)
{
    size_t len = 0;
    bool too_long = false;

    for (char *line; (line = port_line(&a->port, &len, &too_long));) {
        struct request r;
        int64_t id = -1;
        char why[256];
        if (too_long)
            error(a, -1, "a line is longer than 262144 bytes");
        else if (request_read(&r, line, len, &id, why, sizeof(why)) < 0)
            error(a, id, why);
        else
            obey(a, &r);
        if (!too_long)
            request_fini(&r);
    }
}

static void port_event(struct agent *a)
{
    do {
        if (port_work(&a->port) == PORT_CAME)
            hello(a); /* and with it goes what has waited for a host */
        lines(a);
    } while (a->port.more);
    commands_resume(a->commands);
}

static void reap(struct agent *a)
{
    struct signalfd_siginfo info;
    int status = 0;

    while (read(a->signals, &info, sizeof(info)) > 0)
        ;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        commands_ended(a->commands, pid, status);
}

static void watch(int epoll, int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event e = { .events = events, .data.u64 = tag };

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        note("epoll: %s", strerror(errno));
}

static void prepare(struct agent *a)
{
    sigset_t child;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    a->signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    a->commands = commands_new(a->epoll, &a->port);
    watch(a->epoll, a->signals, EPOLLIN, OF_SIGNALS);
    watch(a->epoll, a->timer, EPOLLIN, OF_TIMER);
}

static _Noreturn void serve(struct agent *a)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t expired;

    watch(a->epoll, a->port.fd, EPOLLIN | EPOLLOUT | EPOLLET, OF_PORT);
    for (;;) {
        const int n = epoll_wait(a->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            const uint64_t tag = events[i].data.u64;
            if (tag == OF_PORT)
                port_event(a);
            else if (tag == OF_SIGNALS)
                reap(a);
            else if (tag != OF_TIMER)
                commands_work(a->commands, tag);
            else if (read(a->timer, &expired, sizeof(expired)) > 0 && a->announcements > 0)
                announce(a);
        }
    }
}

int main(void)
{
    static struct agent a;
    json_error_t why;

    if (getpid() != 1) {
        fprintf(stderr, "vmm-agent is the first process of a guest; it does nothing else\n");
        return 64;
    }
    boot_mounts();
    a.guest = json_load_file(CONFIGURATION, 0, &why);
    if (!a.guest)
        note(CONFIGURATION ": %s", why.text);
    const bool disk = json_is_true(json_object_get(a.guest, "disk"));
    boot_modules(disk);
    network_names(a.guest);
    network_up(&a.network, a.guest);
    if (disk)
        boot_disk();
    prepare(&a);
    if (port_open(&a.port, PORT_NAME, PORT_WAIT_MS) < 0) {
        note("this machine has no serial port called " PORT_NAME);
        for (;;)
            pause();
    }
    serve(&a);
}
