/* spawn.c - see spawn.h. */
#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FILES_MAX 65536

#define POLICY_DEADLINE 6 /* SCHED_DEADLINE; <sched.h> and <linux/sched.h> do not go together */

/* struct sched_attr of sched_setattr(2), which libc does not have. */
struct policy {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t budget_ns, deadline_ns, period_ns;
};

struct pipes {
    int in[2], out[2], err[2], status[2];
};

/* What the child could not do, through `status`; nothing comes when it has become the program. */
struct failure {
    int error;
    char what[16];
};

static int take_policy(const struct request *r)
{
    struct policy a = { .size = sizeof(a) };

    switch (r->sched) {
    case SCHED_USUAL:
        return 0;
    case SCHED_AS_NICE:
        return setpriority(PRIO_PROCESS, 0, r->priority);
    case SCHED_AS_FIFO:
    case SCHED_AS_RR:
        a.policy = r->sched == SCHED_AS_FIFO ? SCHED_FIFO : SCHED_RR;
        a.priority = (uint32_t)r->priority;
        break;
    case SCHED_AS_DEADLINE:
        a.policy = POLICY_DEADLINE;
        a.budget_ns = r->budget_ns;
        a.deadline_ns = a.period_ns = r->period_ns;
        break;
    }
    return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void environment(const struct request *r)
{
    clearenv();
    setenv("PATH", PATH, 1);
    setenv("HOME", "/root", 1);
    setenv("TMPDIR", "/tmp", 1);
    setenv("LANG", "C.UTF-8", 1);
    for (size_t i = 0; i < r->n_env; i++)
        setenv(r->env_name[i], r->env_value[i], 1);
}

static _Noreturn void fail(int fd, const char *what)
{
    struct failure f = { .error = errno };

    snprintf(f.what, sizeof(f.what), "%s", what);
    if (write(fd, &f, sizeof(f)) < 0)
        _exit(126);
    _exit(127);
}

static _Noreturn void become(const struct request *r, const struct pipes *p)
{
    const struct rlimit files = { FILES_MAX, FILES_MAX };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (r->takes_input)
        dup2(p->in[0], 0);
    else {
        const int null = open("/dev/null", O_RDONLY);
        if (null >= 0)
            dup2(null, 0);
    }
    if (!r->detach) {
        dup2(p->out[1], 1);
        dup2(p->err[1], 2);
    }
    setrlimit(RLIMIT_NOFILE, &files);
    environment(r);
    if (chdir("/") < 0)
        fail(p->status[1], "/");
    if (take_policy(r) < 0)
        fail(p->status[1], "its policy");
    execvp(r->argv[0], (char *const *)(uintptr_t)r->argv);
    fail(p->status[1], "");
}

static void close_pipe(int p[2])
{
    for (int i = 0; i < 2; i++) {
        if (p[i] >= 0)
            close(p[i]);
        p[i] = -1;
    }
}

static int open_pipes(const struct request *r, struct pipes *p)
{
    *p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
    return pipe2(p->status, O_CLOEXEC) < 0 || (r->takes_input && pipe2(p->in, O_CLOEXEC) < 0) ||
                   (!r->detach && (pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->err, O_CLOEXEC) < 0))
               ? -1
               : 0;
}

static int kept(int p[2], int end)
{
    const int fd = p[end];

    p[end] = -1;
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int spawn(const struct request *r, struct spawned *s, char *why, size_t why_size)
{
    struct pipes p;
    struct failure f;
    int result = -1;

    *s = (struct spawned){ .pid = -1, .in = -1, .out = -1, .err = -1 };
    if (open_pipes(r, &p) < 0 || (s->pid = fork()) < 0) {
        snprintf(why, why_size, "%s: %s", r->argv[0], strerror(errno));
        goto done;
    }
    if (s->pid == 0)
        become(r, &p);
    close(p.status[1]);
    p.status[1] = -1;
    if (read(p.status[0], &f, sizeof(f)) == sizeof(f)) {
        waitpid(s->pid, NULL, 0);
        const bool missing = f.error == ENOENT && !f.what[0];
        snprintf(why, why_size, "%s: %s%s%s%s", r->argv[0], f.what, f.what[0] ? ": " : "",
                 strerror(f.error),
                 missing ? "; a guest has the programs that its files bring" : "");
        goto done;
    }
    s->in = kept(p.in, 1);
    s->out = kept(p.out, 0);
    s->err = kept(p.err, 0);
    result = 0;
done:
    close_pipe(p.in);
    close_pipe(p.out);
    close_pipe(p.err);
    close_pipe(p.status);
    return result;
}
