/*
 * process.c - the keeper's side of a confined process, and init's life inside.
 */
#include "process/process.h"
#include "process/confine.h"
#include "process/root.h"
#include "rt/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENV_MAX 64
#define NO_COMMAND 127
#define NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)

/* In the order in which they are entered: the user namespace gives the right to the others. */
static const char *const namespaces[] = { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup" };
#define N_NAMESPACES (sizeof namespaces / sizeof namespaces[0])

struct vmm_process {
    pid_t init;
    int ns[N_NAMESPACES]; /* init's; of "user" only where own_user */
    int pidfd;            /* of init: its number may be another's once somebody has waited for it */
    struct vmm_identity who;
    bool own_user; /* a user namespace: the keeper is not root */
    int control;   /* to init: readiness or an error comes, `go` is sent */
    int out, err;  /* read ends */
    char **env;    /* of all commands in it */
    char *word[ENV_MAX];
};

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes all descriptors of the keeper's but these. */
static void keep_only(int *fd, size_t n)
{
    unsigned from = 0;
    qsort(fd, n, sizeof *fd, by_number);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned)fd[i] > from)
            close_range(from, (unsigned)fd[i] - 1, 0);
        from = (unsigned)fd[i] + 1;
    }
    close_range(from, ~0u, 0);
}

/* What init needs of the keeper's memory, which it has a copy of. */
struct inside {
    const struct vmm_process_spec *spec;
    struct vmm_process *p;
    char root[VMM_PATH_MAX];
    int control, out, err;
};

static const int passed_on[] = { SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
                                 SIGUSR1, SIGUSR2, SIGWINCH, VMM_PROCESS_END_ALL };
static volatile sig_atomic_t command_pid; /* of the only command of this process (init or exec's) */

/* To its group, which it has when it has come as far as become(). */
static void pass_on(int signal)
{
    int number = signal == VMM_PROCESS_END_ALL ? SIGKILL : signal;
    if (command_pid > 0 && kill(-command_pid, number) < 0)
        kill(command_pid, number);
}

/* The keeper's handlers and masks are not the command's; signals to come are passed on. */
static void take_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct sigaction a = { .sa_handler = pass_on };
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaction(passed_on[i], &a, NULL);
}

/* The command itself: nothing but its three descriptors. */
static void become(char *const *argv, char *const *env, int in, int out, int err)
{
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        signal(passed_on[i], SIG_DFL);
    if (in < 0)
        in = open("/dev/null", O_RDONLY);
    setsid();
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 ||
        close_range(3, ~0u, 0) < 0)
        _exit(NO_COMMAND);
    execvpe(argv[0], argv, env);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(NO_COMMAND);
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Until the command has ended. Init also reaps what others left. */
static int wait_for_command(void)
{
    int status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == command_pid)
            return code_of(status);
        if (pid < 0 && errno != EINTR)
            return NO_COMMAND;
    }
}

static int lo_up(void)
{
    struct ifreq r = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        goto out;
    r.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &r) == 0) {
        close(fd);
        return 0;
    }
out:
    if (fd >= 0)
        close(fd);
    return -1;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    if (fd >= 0)
        close(fd);
    return n < 0 ? -1 : 0;
}

/* In a user namespace of our own: we are who we were. */
static int map_user(const struct vmm_identity *who)
{
    char uids[64], gids[64];
    snprintf(uids, sizeof uids, "%u %u 1", (unsigned)who->uid, (unsigned)who->uid);
    snprintf(gids, sizeof gids, "%u %u 1", (unsigned)who->gid, (unsigned)who->gid);
    return write_file("/proc/self/setgroups", "deny") < 0 ||
                   write_file("/proc/self/uid_map", uids) < 0 ||
                   write_file("/proc/self/gid_map", gids) < 0
               ? -1
               : 0;
}

static int build(const struct inside *in, char *why, size_t why_size)
{
    const struct vmm_process_spec *s = in->spec;
    const struct vmm_root root = { .at = in->root,
                                   .hosts = s->hosts,
                                   .who = in->p->who,
                                   .file = s->node->file,
                                   .n_files = s->node->n_files,
                                   .extra = s->extra,
                                   .n_extra = s->n_extra };
    if (in->p->own_user && map_user(&in->p->who) < 0) {
        snprintf(why, why_size, "user namespace: %s", strerror(errno));
        return -1;
    }
    if (sethostname(s->node->name, strlen(s->node->name)) < 0 || lo_up() < 0) {
        snprintf(why, why_size, "namespaces: %s", strerror(errno));
        return -1;
    }
    return vmm_root_enter(&root, why, why_size) < 0 ? -1 : vmm_confine(&in->p->who, why, why_size);
}

/* Pid 1. Says "" or what is wrong, waits for `go`, runs the command. */
static void live(const struct inside *in)
{
    char why[VMM_WHY_MAX] = "", go;
    int kept[] = { in->control, in->out, in->err };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "node-init");
    keep_only(kept, sizeof kept / sizeof kept[0]);
    take_signals();
    bool built = build(in, why, sizeof why) == 0;
    if (write(in->control, why, strlen(why) + 1) < 0 || !built)
        _exit(NO_COMMAND);
    ssize_t n;
    while ((n = read(in->control, &go, 1)) < 0 && errno == EINTR)
        continue;
    if (n != 1 ||
        prctl(PR_SET_DUMPABLE, 0) < 0) /* the keeper has gone; its memory is not to be read */
        _exit(NO_COMMAND);
    if (in->spec->node->n_run == 0) {
        close(in->out);
        close(in->err);
        for (;;)
            pause();
    }
    pid_t command = fork();
    if (command == 0)
        become(in->spec->node->run, in->p->env, -1, in->out, in->err);
    command_pid = command;
    close_range(0, ~0u, 0); /* the pipes end with the command */
    _exit(command < 0 ? NO_COMMAND : wait_for_command());
}

static int identity(const char *user, struct vmm_identity *who, char *why, size_t why_size)
{
    if (geteuid() != 0) {
        *who = (struct vmm_identity){ getuid(), getgid() };
        return 0;
    }
    const char *name = user && user[0] ? user : "nobody";
    const struct passwd *entry = getpwnam(name);
    if (!entry) {
        snprintf(why, why_size, "user %s: there is none of this name", name);
        return -1;
    }
    *who = (struct vmm_identity){ entry->pw_uid, entry->pw_gid };
    return 0;
}

static int make_env(struct vmm_process *p, char *const *more)
{
    static const char *const always[] = { "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                                          "HOME=/tmp", "TERM=dumb", "LANG=C.UTF-8" };
    size_t n = 0;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        p->word[n++] = strdup(always[i]);
    for (; more && *more && n < ENV_MAX - 1; more++)
        p->word[n++] = strdup(*more);
    for (size_t i = 0; i < n; i++)
        if (!p->word[i])
            return -1;
    p->env = p->word;
    return 0;
}

static void close_pair(int fd[2])
{
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

/* Our end does not block: 0, that which reads, or 1. */
static int make_pipe(int fd[2], int ours)
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    return fcntl(fd[ours], F_SETFL, O_NONBLOCK);
}

static int open_namespaces(struct vmm_process *p)
{
    char path[64];
    for (size_t i = p->own_user ? 0 : 1; i < N_NAMESPACES; i++) {
        snprintf(path, sizeof path, "/proc/%d/ns/%s", p->init, namespaces[i]);
        p->ns[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (p->ns[i] < 0)
            return -1;
    }
    return 0;
}

static int enter_namespaces(const struct vmm_process *p)
{
    for (size_t i = 0; i < N_NAMESPACES; i++)
        if (p->ns[i] >= 0 && setns(p->ns[i], 0) < 0)
            return -1;
    return 0;
}

/* What init said: "" is good. */
static int read_verdict(int fd, char *why, size_t why_size)
{
    ssize_t n;
    while ((n = read(fd, why, why_size - 1)) < 0 && errno == EINTR)
        continue;
    if (n > 0) {
        why[n] = 0;
        return why[0] ? -1 : 0;
    }
    snprintf(why, why_size, "it ended while it was built");
    return -1;
}

static pid_t clone_init(const struct inside *in)
{
    int flags = NAMESPACES | SIGCHLD | (in->p->own_user ? CLONE_NEWUSER : 0);
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
    if (pid == 0)
        live(in);
    return pid;
}

static void refused(char *why, size_t size)
{
    int error = errno;
    bool rights = error == EPERM || error == ENOSPC || error == EINVAL;
    snprintf(why, size, "namespaces: %s%s", strerror(error),
             rights && geteuid() != 0
                 ? ": this host lets no user make namespaces (kernel.unprivileged_userns_clone, "
                   "user.max_user_namespaces); root, or a guest, would help"
                 : "");
}

int vmm_process_start(struct vmm_process **out, const struct vmm_process_spec *s, char *why,
                      size_t why_size)
{
    *out = NULL;
    char text[VMM_WHY_MAX] = "out of memory";
    int control[2] = { -1, -1 }, o[2] = { -1, -1 }, e[2] = { -1, -1 };
    struct vmm_process *p = calloc(1, sizeof *p);
    struct inside in = { .spec = s, .p = p };
    if (p) {
        p->control = p->out = p->err = p->pidfd = -1;
        memset(p->ns, 0xff, sizeof p->ns); /* -1 */
    }
    if (!p || make_env(p, s->env) < 0)
        goto failed;
    p->own_user = geteuid() != 0;
    if (identity(s->user, &p->who, text, sizeof text) < 0)
        goto failed;
    if (snprintf(in.root, sizeof in.root, "%s/root", s->folder) >= (int)sizeof in.root ||
        (mkdir(in.root, 0755) < 0 && errno != EEXIST) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0 || make_pipe(o, 0) < 0 ||
        make_pipe(e, 0) < 0) {
        snprintf(text, sizeof text, "%.400s: %s", in.root, strerror(errno));
        goto failed;
    }
    in.control = control[1];
    in.out = o[1];
    in.err = e[1];
    p->init = clone_init(&in);
    if (p->init < 0) {
        refused(text, sizeof text);
        goto failed;
    }
    p->pidfd = (int)syscall(SYS_pidfd_open, p->init, 0);
    close(control[1]);
    close(o[1]);
    close(e[1]);
    control[1] = o[1] = e[1] = -1;
    if (read_verdict(control[0], text, sizeof text) < 0)
        goto failed;
    if (p->pidfd < 0 || open_namespaces(p) < 0) {
        snprintf(text, sizeof text, "namespaces: %s", strerror(errno));
        goto failed;
    }
    p->control = control[0];
    p->out = o[0];
    p->err = e[0];
    *out = p;
    return 0;
failed:
    snprintf(why, why_size, "%s", text);
    close_pair(control);
    close_pair(o);
    close_pair(e);
    vmm_process_free(p);
    return -1;
}

pid_t vmm_process_pid(const struct vmm_process *p)
{
    return p->init;
}

int vmm_process_out(const struct vmm_process *p)
{
    return p->out;
}

int vmm_process_err(const struct vmm_process *p)
{
    return p->err;
}

int vmm_process_go(struct vmm_process *p, char *why, size_t why_size)
{
    if (p->control < 0 || send(p->control, "g", 1, MSG_NOSIGNAL) != 1) {
        snprintf(why, why_size, "it has ended before it was run");
        return -1;
    }
    close(p->control);
    p->control = -1;
    return 0;
}

int vmm_process_kill(struct vmm_process *p, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0);
}

static bool has_name(const char *const *env, const char *word)
{
    size_t n = strcspn(word, "=") + 1;
    for (; env && *env; env++)
        if (strncmp(*env, word, n) == 0)
            return true;
    return false;
}

/* `first`, and what of `then` has other names. NULL: out of memory. */
static char *const *join_env(const char *const *first, char *const *then)
{
    size_t n = 0, k = 0;
    while (first && first[n])
        n++;
    while (then[k])
        k++;
    const char **all = calloc(n + k + 1, sizeof *all);
    if (all && n)
        memcpy(all, first, n * sizeof *all);
    for (; all && *then; then++)
        if (!has_name(first, *then))
            all[n++] = *then;
    return (char *const *)(uintptr_t)all;
}

/* In a child of the keeper: into the groups and namespaces of init, without rights, then the
 * command in a child of its own, as only children enter a pid namespace. */
static void exec_inside(const struct vmm_process *p, const struct vmm_process_exec *e,
                        const struct vmm_process_pipes *theirs)
{
    char why[VMM_WHY_MAX] = "";
    char *const *env = join_env(e->env, p->env);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    take_signals();
    vmm_cgroup_follow(p->init);
    if (!env || enter_namespaces(p) < 0) {
        dprintf(theirs->err, "%s: its namespaces: %s\n", e->argv[0], strerror(errno));
        _exit(NO_COMMAND);
    }
    if (chdir("/") < 0 || vmm_confine(&p->who, why, sizeof why) < 0) {
        dprintf(theirs->err, "%s: %s\n", e->argv[0], why);
        _exit(NO_COMMAND);
    }
    pid_t command = fork();
    if (command == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        become((char *const *)(uintptr_t)e->argv, env, theirs->in, theirs->out, theirs->err);
    }
    command_pid = command;
    close_range(0, ~0u, 0);
    _exit(command < 0 ? NO_COMMAND : wait_for_command());
}

pid_t vmm_process_exec(struct vmm_process *p, const struct vmm_process_exec *e,
                       struct vmm_process_pipes *pipes, char *why, size_t why_size)
{
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
    bool made =
        (!e->input || make_pipe(in, 1) == 0) && make_pipe(out, 0) == 0 && make_pipe(err, 0) == 0;
    pid_t child = made ? fork() : -1;
    if (child == 0)
        exec_inside(p, e, &(struct vmm_process_pipes){ in[0], out[1], err[1] });
    if (child < 0) {
        snprintf(why, why_size, "%s: %s", e->argv[0],
                 errno == ESRCH ? "the node has ended" : strerror(errno));
        close_pair(in);
        close_pair(out);
        close_pair(err);
        return -1;
    }
    if (e->input)
        close(in[0]);
    close(out[1]);
    close(err[1]);
    *pipes = (struct vmm_process_pipes){ in[1], out[0], err[0] };
    return child;
}

void vmm_process_free(struct vmm_process *p)
{
    if (!p)
        return;
    if (p->pidfd >= 0) {
        siginfo_t ignored;
        vmm_process_kill(p, SIGKILL);
        waitid((idtype_t)P_PIDFD, (id_t)p->pidfd, &ignored, WEXITED); /* unless somebody has */
    } else if (p->init > 0) {
        kill(p->init, SIGKILL);
        waitpid(p->init, NULL, 0);
    }
    const int fd[] = { p->control, p->out, p->err, p->pidfd };
    for (size_t i = 0; i < sizeof fd / sizeof fd[0]; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    for (size_t i = 0; i < N_NAMESPACES; i++)
        if (p->ns[i] >= 0)
            close(p->ns[i]);
    for (size_t i = 0; i < ENV_MAX; i++)
        free(p->word[i]);
    free(p);
}
