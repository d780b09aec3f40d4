/*
 * spawn.c - starts a program with as little as it needs (spawn.h).
 *
 * The order in the child matters: limits and namespaces take rights that the change of user gives
 * away; the change of user forgets who is to die with whom (prctl(2), PR_SET_PDEATHSIG).
 */
#include "guest/spawn.h"

#include "guest/landlock.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define HIGH_FD 200 /* descriptors wait here while the low ones are filled */

/* What went wrong in the child, through a pipe. */
struct complaint {
    int error;
    char step[60];
};

struct child {
    const struct vmm_spawn *s;
    int pipe; /* for the complaint */
    uid_t uid;
    gid_t gid;
    pid_t parent;
};

static void complain(const struct child *c, const char *step)
{
    struct complaint said = { .error = errno };

    snprintf(said.step, sizeof said.step, "%s", step);
    (void)!write(c->pipe, &said, sizeof said);
    _exit(127);
}

static void limit(const struct child *c, int resource, uint64_t value, const char *step)
{
    struct rlimit l;

    if (getrlimit(resource, &l) != 0)
        complain(c, step);
    if (l.rlim_max == RLIM_INFINITY || l.rlim_max > value)
        l.rlim_max = value;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(resource, &l) != 0)
        complain(c, step);
}

static void set_limits(const struct child *c)
{
    const struct vmm_spawn *s = c->s;

    limit(c, RLIMIT_CORE, 0, "limit of core files");
    limit(c, RLIMIT_NOFILE, s->files_max ? s->files_max : 1024, "limit of open files");
    limit(c, RLIMIT_FSIZE, s->file_bytes_max ? s->file_bytes_max : 1ull << 30,
          "limit of file size");
    if (c->uid != geteuid()) /* counts all processes of that user */
        limit(c, RLIMIT_NPROC, s->threads_max ? s->threads_max : 4096, "limit of threads");
}

static void enter_network(const struct child *c)
{
    const char *name = c->s->netns;
    char path[PATH_MAX];
    int fd;

    if (!name)
        return;
    if (!*name) {
        if (geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0)
            complain(c, "network namespace of its own");
        return;
    }
    snprintf(path, sizeof path, "%s%s", *name == '/' ? "" : "/run/netns/", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        complain(c, "network namespace");
    close(fd);
}

/* After the change of user: of what was kept, the right to lock memory stays, through exec() too.
 */
static void keep_memory_lock(const struct child *c)
{
    capng_clear(CAPNG_SELECT_CAPS);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, CAP_IPC_LOCK);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_IPC_LOCK, 0, 0) != 0)
        complain(c, "the right to lock memory");
}

static bool needs_memory_lock(const struct child *c)
{
    struct rlimit l;

    return c->s->locks_memory && geteuid() == 0 && c->uid != 0 &&
           getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_cur != RLIM_INFINITY;
}

static void change_user(const struct child *c)
{
    bool lock = needs_memory_lock(c);

    if (lock && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        complain(c, "the right to lock memory");
    if (geteuid() == 0 && c->uid != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(c->gid, c->gid, c->gid) != 0 ||
         setresuid(c->uid, c->uid, c->uid) != 0))
        complain(c, "change of user");
    if (lock)
        keep_memory_lock(c);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        complain(c, "no new privileges");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != c->parent)
        complain(c, "an end with its parent");
}

/* 0, 1, 2 and the given ones from 3 on; the complaint's pipe above them; no others. */
static void arrange_descriptors(struct child *c)
{
    const struct vmm_spawn *s = c->s;
    const int top = FIRST_FD + (int)s->n_fds;
    int given[VMM_SPAWN_FDS_MAX + 3], null;

    c->pipe = fcntl(c->pipe, F_DUPFD_CLOEXEC, HIGH_FD);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < s->n_fds; i++) {
        given[i] = fcntl(s->fd[i], F_DUPFD_CLOEXEC, HIGH_FD);
        if (given[i] < 0)
            complain(c, "a descriptor");
    }
    given[s->n_fds] = fcntl(s->out >= 0 ? s->out : null, F_DUPFD_CLOEXEC, HIGH_FD);
    given[s->n_fds + 1] = fcntl(s->err >= 0 ? s->err : null, F_DUPFD_CLOEXEC, HIGH_FD);
    given[s->n_fds + 2] = fcntl(s->in > 0 ? s->in : null, F_DUPFD_CLOEXEC, HIGH_FD);
    if (dup2(given[s->n_fds + 2], 0) < 0 || dup2(given[s->n_fds], 1) < 0 ||
        dup2(given[s->n_fds + 1], 2) < 0)
        complain(c, "standard descriptors");
    for (size_t i = 0; i < s->n_fds; i++)
        if (dup2(given[i], FIRST_FD + (int)i) < 0)
            complain(c, "a descriptor");
    if (dup3(c->pipe, top, O_CLOEXEC) < 0)
        complain(c, "a descriptor");
    c->pipe = top;
    if (close_range((unsigned)top + 1, ~0u, 0) != 0)
        complain(c, "closing of descriptors");
}

static void forget_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void keep_to_own_files(const struct child *c)
{
    int fd[VMM_SPAWN_FDS_MAX];

    if (!c->s->only)
        return;
    for (size_t i = 0; i < c->s->n_fds; i++)
        fd[i] = FIRST_FD + (int)i;
    if (vmm_landlock(c->s->only, fd, c->s->n_fds) < 0)
        complain(c, "files of its own only");
}

static void become(struct child *c)
{
    forget_signals();
    setsid();
    umask(077);
    enter_network(c);
    arrange_descriptors(c);
    set_limits(c);
    change_user(c);
    keep_to_own_files(c);
    for (const char *const *e = c->s->env; e && *e; e++)
        putenv((char *)(uintptr_t)*e);
    if (chdir(c->s->folder ? c->s->folder : "/") != 0)
        complain(c, c->s->folder ? c->s->folder : "/");
    execvp(c->s->argv[0], c->s->argv);
    complain(c, c->s->argv[0]);
}

int vmm_spawn(pid_t *pid, const struct vmm_spawn *s, char *why, size_t why_size)
{
    struct child c = { .s = s, .parent = getpid() };
    struct complaint said;
    ssize_t n;
    int fd[2];

    *pid = 0;
    if (s->n_fds > VMM_SPAWN_FDS_MAX) {
        snprintf(why, why_size, "more than %d descriptors", VMM_SPAWN_FDS_MAX);
        return -1;
    }
    if (vmm_spawn_user(s->user, &c.uid, &c.gid, why, why_size) != 0)
        return -1;
    if (pipe2(fd, O_CLOEXEC) != 0) {
        snprintf(why, why_size, "a pipe: %s", strerror(errno));
        return -1;
    }
    c.pipe = fd[1];
    *pid = fork();
    if (*pid == 0)
        become(&c);
    close(fd[1]);
    while ((n = read(fd[0], &said, sizeof said)) < 0 && errno == EINTR)
        ;
    close(fd[0]);
    if (*pid > 0 && n == 0)
        return 0;
    if (*pid < 0)
        snprintf(why, why_size, "cannot start %s: %s", s->argv[0], strerror(errno));
    else {
        waitpid(*pid, NULL, 0);
        snprintf(why, why_size, "cannot start %s: %s: %s", s->argv[0],
                 n == sizeof said ? said.step : "?", strerror(n == sizeof said ? said.error : EIO));
    }
    *pid = 0;
    return -1;
}

int vmm_spawn_user(const char *user, uid_t *uid, gid_t *gid, char *why, size_t why_size)
{
    const struct passwd *who;

    *uid = geteuid();
    *gid = getegid();
    if (geteuid() != 0 || !user || !*user)
        return 0;
    who = getpwnam(user);
    if (!who) {
        snprintf(why, why_size,
                 "there is no user \"%s\" on this host: name another in the topology", user);
        return -1;
    }
    *uid = who->pw_uid;
    *gid = who->pw_gid;
    return 0;
}

int vmm_spawn_folder(const char *path, const char *user, char *why, size_t why_size)
{
    struct stat st;
    uid_t uid;
    gid_t gid;
    int fd;

    if (vmm_spawn_user(user, &uid, &gid, why, why_size) != 0)
        return -1;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 ||
        ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) != 0) ||
        fchmod(fd, 0700) != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    close(fd);
    return 0;
}
