/*
 * guest.c - a guest that runs (guest.h): files opened, QEMU started, watched, ended.
 *
 * QEMU's user may not be able to walk to the files, so they are opened here and given as
 * descriptors; the RAM is one too: nothing of it is left when the last who holds it has gone.
 */
#include "guest/guest.h"

#include "guest/spawn.h"
#include <userfault_module.h> /* made by embed.py */

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(VMM_FD_USERFAULT == 7 && VMM_FD_MODULE == 8, "meson.build and `preload` say so");

#define LOG_TAIL 300 /* bytes of QEMU's last words in an error */

struct vmm_guest {
    struct ev_loop *loop;
    struct vmm_guest_config config;
    const struct vmm_guest_handler *handler;
    void *user;
    char root[VMM_PATH_MAX]; /* "": no second try */
    enum vmm_guest_state state;
    int fd[VMM_GUEST_FDS_MAX]; /* in the order of enum vmm_guest_fd */
    pid_t pid;
    struct vmm_qmp *qmp;
    struct vmm_agent *agent;
    ev_child child;
    ev_timer patience; /* the agent answers before it ends */
    ev_timer killer;
    ev_tstamp started;
    double boot_s;
    pid_t *vcpus;
    size_t n_vcpus;
    bool told_to_end;
};

static int launch(struct vmm_guest *g, char *why, size_t why_size);

/* ---- files ---- */

/* A file that QEMU reads. The node's own (mode 0600) become its user's. */
static int open_file(const char *path, const char *user, char *why, size_t why_size)
{
    const int fd = open(*path ? path : "/dev/null", O_RDONLY | O_CLOEXEC);
    struct stat st;
    uid_t uid;
    gid_t gid;

    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (S_ISREG(st.st_mode) && !(st.st_mode & S_IROTH) && st.st_uid == geteuid() &&
        vmm_spawn_user(user, &uid, &gid, why, why_size) == 0 && uid != st.st_uid)
        (void)!fchown(fd, uid, gid); /* QEMU says so if that was not enough */
    return fd;
}

static int make_ram(const struct vmm_guest_config *c, char *why, size_t why_size)
{
    const int fd = memfd_create("guest RAM", MFD_CLOEXEC);
    uid_t uid;
    gid_t gid;

    if (fd >= 0 && ftruncate(fd, (off_t)c->memory_bytes) == 0 &&
        vmm_spawn_user(c->user, &uid, &gid, why, why_size) == 0 && fchown(fd, uid, gid) == 0)
        return fd;
    snprintf(why, why_size, "no memory for the guest: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void close_files(struct vmm_guest *g)
{
    for (int i = 0; i < VMM_GUEST_FDS_MAX; i++) {
        if (g->fd[i] >= 0)
            close(g->fd[i]);
        g->fd[i] = -1;
    }
}

/* Postcopy: what QEMU's user has no right to, and the library that gives it to QEMU. Without, QEMU
 * asks itself, which the host may allow it. */
static void open_userfault(struct vmm_guest *g)
{
    int *const fd = &g->fd[VMM_FD_USERFAULT - VMM_FD_RAM];

    fd[0] = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    fd[1] = fd[0] >= 0 ? memfd_create("userfault module", MFD_CLOEXEC) : -1;
    if (fd[1] < 0 || write(fd[1], userfault_module, sizeof userfault_module) !=
                         (ssize_t)sizeof userfault_module) {
        for (int i = 0; i < 2; i++) {
            if (fd[i] >= 0)
                close(fd[i]);
            fd[i] = -1;
        }
    }
}

static int open_files(struct vmm_guest *g, int ram, char *why, size_t why_size)
{
    const struct vmm_guest_config *c = &g->config;
    const char *const path[] = { c->kernel, c->initrd, c->disk };

    g->fd[0] = ram >= 0 ? fcntl(ram, F_DUPFD_CLOEXEC, 0) : make_ram(c, why, why_size);
    if (g->fd[0] < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        g->fd[i + 1] = open_file(path[i], c->user, why, why_size);
        if (g->fd[i + 1] < 0)
            return -1;
    }
    if (c->postcopy)
        open_userfault(g);
    return 0;
}

static void remove_sockets(const struct vmm_guest *g)
{
    static const char *const names[] = { "qmp", "agent" };
    char path[VMM_SOCKET_MAX];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (vmm_guest_path(&g->config, names[i], path) == 0)
            unlink(path);
    for (size_t i = 0; i < g->config.n_nics; i++)
        unlink(g->config.nic[i].local);
}

/* QEMU's last line of its log, for an error. */
static void last_words(const struct vmm_guest *g, char *out, size_t size)
{
    char path[VMM_SOCKET_MAX], tail[LOG_TAIL + 1];
    ssize_t n = 0;
    char *line;
    int fd;

    *out = 0;
    if (vmm_guest_path(&g->config, "qemu.log", path) != 0)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (lseek(fd, -LOG_TAIL, SEEK_END) < 0)
        lseek(fd, 0, SEEK_SET);
    n = read(fd, tail, LOG_TAIL);
    close(fd);
    while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == ' '))
        n--;
    tail[n > 0 ? n : 0] = 0;
    line = strrchr(tail, '\n');
    snprintf(out, size, "%s", line ? line + 1 : tail);
}

void vmm_guest_last_words(const struct vmm_guest *g, char *out, size_t size)
{
    last_words(g, out, size);
}

/* ---- QEMU's end ---- */

static void watch_no_more(struct vmm_guest *g)
{
    ev_child_stop(g->loop, &g->child);
    ev_timer_stop(g->loop, &g->patience);
    ev_timer_stop(g->loop, &g->killer);
    g->pid = 0;
    remove_sockets(g);
}

static void let_go(struct vmm_guest *g)
{
    watch_no_more(g);
    vmm_qmp_free(g->qmp);
    vmm_agent_free(g->agent);
    g->qmp = NULL;
    g->agent = NULL;
    free(g->vcpus);
    g->vcpus = NULL;
    g->n_vcpus = 0;
}

static void kill_and_wait(struct vmm_guest *g)
{
    if (g->pid <= 0)
        return;
    ev_child_stop(g->loop, &g->child);
    kill(g->pid, SIGKILL);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    g->pid = 0;
}

/* Channels are left to their owner, who may be in a callback of one of them. */
static void end(struct vmm_guest *g, const char *why)
{
    watch_no_more(g);
    close_files(g);
    g->state = VMM_GUEST_ENDED;
    if (g->handler->on_ended)
        g->handler->on_ended(g->user, g, why);
}

/* KVM that fails is given up for this boot, and the guest starts once more. True: it has. */
static bool try_without_kvm(struct vmm_guest *g, const char *what)
{
    char line[VMM_WHY_MAX + 100], why[VMM_WHY_MAX];

    if (g->config.accel != VMM_ACCEL_KVM || !*g->root || g->state != VMM_GUEST_STARTING ||
        g->told_to_end || g->config.incoming)
        return false;
    kill_and_wait(g);
    let_go(g);
    vmm_accel_failed(g->root, what);
    g->config.accel = VMM_ACCEL_TCG;
    snprintf(line, sizeof line, "%s: with KVM %s; from now on guests are translated (TCG)",
             g->config.name, what);
    if (launch(g, why, sizeof why) != 0)
        end(g, why);
    else if (g->handler->on_note)
        g->handler->on_note(g->user, g, line);
    return true;
}

static void on_child(struct ev_loop *loop, ev_child *w, int events)
{
    struct vmm_guest *g = w->data;
    const int status = w->rstatus;
    char words[LOG_TAIL + 1], why[VMM_WHY_MAX];

    (void)events;
    ev_child_stop(loop, w);
    g->pid = 0;
    last_words(g, words, sizeof words);
    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "QEMU died of signal %d%s%s", WTERMSIG(status),
                 *words ? ": " : "", words);
    else
        snprintf(why, sizeof why, "QEMU ended with %d%s%s", WEXITSTATUS(status), *words ? ": " : "",
                 words);
    if (try_without_kvm(g, why))
        return;
    end(g, g->told_to_end || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? "" : why);
}

static void on_impatient(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_guest *g = w->data;
    char why[100];

    (void)events;
    ev_timer_stop(loop, w);
    snprintf(why, sizeof why, "its agent has not answered within %g s",
             g->config.accel == VMM_ACCEL_KVM ? VMM_GUEST_KVM_S : VMM_GUEST_BOOT_S);
    if (try_without_kvm(g, why))
        return;
    kill_and_wait(g);
    end(g, why);
}

static void on_kill(struct ev_loop *loop, ev_timer *w, int events)
{
    struct vmm_guest *g = w->data;

    (void)loop, (void)events;
    if (g->pid > 0)
        kill(g->pid, SIGKILL); /* on_child follows */
}

/* ---- what QEMU and the agent say ---- */

static void on_vcpus(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct vmm_guest *g = user;
    json_t *list = kind == VMM_DONE ? vmm_qmp_value(m) : NULL, *cpu;
    size_t i;

    (void)why;
    if (kind != VMM_DONE)
        return;
    free(g->vcpus);
    g->n_vcpus = 0;
    g->vcpus = calloc(json_array_size(list) + 1, sizeof *g->vcpus);
    json_array_foreach(list, i, cpu) if (g->vcpus) g->vcpus[g->n_vcpus++] =
        (pid_t)json_integer_value(json_object_get(cpu, "thread-id"));
    if (g->handler->on_running)
        g->handler->on_running(g->user, g);
}

static void on_qmp_ready(void *user)
{
    struct vmm_guest *g = user;

    vmm_qmp_ask(g->qmp, "query-cpus-fast", NULL, 0, on_vcpus, g);
}

static void on_qmp_event(void *user, const char *event, json_t *data)
{
    struct vmm_guest *g = user;

    if (g->handler->on_event)
        g->handler->on_event(g->user, g, event, data);
}

static const struct vmm_qmp_handler qmp_handler = { .on_ready = on_qmp_ready,
                                                    .on_event = on_qmp_event };

static void on_agent_ready(void *user, const struct vmm_agent_hello *h)
{
    struct vmm_guest *g = user;

    ev_timer_stop(g->loop, &g->patience);
    if (g->state == VMM_GUEST_STARTING) {
        g->state = VMM_GUEST_READY;
        g->boot_s = ev_now(g->loop) - g->started;
    }
    if (g->handler->on_ready)
        g->handler->on_ready(g->user, g, h);
}

static void on_agent_lost(void *user, const char *why)
{
    struct vmm_guest *g = user;

    if (g->handler->on_lost)
        g->handler->on_lost(g->user, g, why);
}

static void on_agent_message(void *user, json_t *m)
{
    struct vmm_guest *g = user;

    if (g->handler->on_message)
        g->handler->on_message(g->user, g, m);
}

static const struct vmm_agent_handler agent_handler = { .on_ready = on_agent_ready,
                                                        .on_lost = on_agent_lost,
                                                        .on_message = on_agent_message };

/* ---- start ---- */

/* Where its NICs' sockets are; its own folder if it has none. */
static const char *folder_of_sockets(const struct vmm_guest *g, char out[VMM_SOCKET_MAX])
{
    char *slash;

    snprintf(out, VMM_SOCKET_MAX, "%s", g->config.n_nics ? g->config.nic[0].local : "");
    slash = strrchr(out, '/');
    if (!slash)
        return g->config.folder;
    *slash = 0;
    return out;
}

static int start_qemu(struct vmm_guest *g, char *why, size_t why_size)
{
    static const char *const preload[] = { "LD_PRELOAD=/proc/self/fd/8", NULL };
    const bool userfault = g->fd[VMM_GUEST_FDS_MAX - 1] >= 0;
    char net[VMM_SOCKET_MAX];
    const char *const only[] = { g->config.folder, folder_of_sockets(g, net), NULL };
    struct vmm_spawn s = { .user = g->config.user,
                           .locks_memory = g->config.lock_memory,
                           .folder = g->config.folder,
                           .out = -1,
                           .fd = g->fd,
                           .n_fds = userfault ? VMM_GUEST_FDS_MAX : VMM_GUEST_FDS,
                           .env = userfault ? preload : NULL,
                           .netns = g->config.netns,
                           .only = only,
                           .file_bytes_max = g->config.memory_bytes + (2ull << 30) };
    struct vmm_words w;
    char path[VMM_SOCKET_MAX];
    int result = -1;

    if (vmm_command_line(&w, &g->config, why, why_size) != 0)
        return -1;
    s.argv = w.word;
    s.err = vmm_guest_path(&g->config, "qemu.log", path) == 0
                ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)
                : -1;
    result = vmm_spawn(&g->pid, &s, why, why_size);
    if (s.err >= 0)
        close(s.err);
    vmm_words_fini(&w);
    return result;
}

static int connect_to(struct vmm_guest *g, char *why, size_t why_size)
{
    char path[VMM_SOCKET_MAX];

    if (vmm_guest_path(&g->config, "qmp", path) != 0 ||
        vmm_qmp_new(&g->qmp, g->loop, path, VMM_GUEST_BOOT_S, &qmp_handler, g, why, why_size) !=
            0 ||
        vmm_guest_path(&g->config, "agent", path) != 0)
        return -1;
    return g->config.incoming
               ? vmm_agent_new_held(&g->agent, g->loop, path, &agent_handler, g, why, why_size)
               : vmm_agent_new(&g->agent, g->loop, path, &agent_handler, g, why, why_size);
}

static int launch(struct vmm_guest *g, char *why, size_t why_size)
{
    remove_sockets(g);
    if (start_qemu(g, why, why_size) != 0)
        return -1;
    ev_child_init(&g->child, on_child, g->pid, 0);
    g->child.data = g;
    ev_child_start(g->loop, &g->child);
    if (connect_to(g, why, why_size) != 0) {
        kill_and_wait(g);
        let_go(g);
        return -1;
    }
    ev_now_update(g->loop);
    if (!g->config.incoming) {
        ev_timer_set(
            &g->patience,
            g->config.accel == VMM_ACCEL_KVM && *g->root ? VMM_GUEST_KVM_S : VMM_GUEST_BOOT_S, 0);
        ev_timer_start(g->loop, &g->patience);
    }
    return 0;
}

int vmm_guest_start(struct vmm_guest **out, struct ev_loop *loop,
                    const struct vmm_guest_config *config, int ram, const char *root,
                    const struct vmm_guest_handler *handler, void *user, char *why, size_t why_size)
{
    struct vmm_guest *g = calloc(1, sizeof *g);

    *out = NULL;
    if (!g) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    *g = (struct vmm_guest){ .loop = loop,
                             .config = *config,
                             .handler = handler,
                             .user = user,
                             .state = VMM_GUEST_STARTING,
                             .fd = { -1, -1, -1, -1, -1, -1 } };
    if (strcmp(g->config.arch, "amd64") != 0)
        g->config.accel = VMM_ACCEL_TCG; /* KVM runs guests of the host's architecture */
    snprintf(g->root, sizeof g->root, "%s", root ? root : "");
    ev_init(&g->child, on_child);
    ev_init(&g->patience, on_impatient);
    ev_init(&g->killer, on_kill);
    g->patience.data = g->killer.data = g;
    ev_now_update(loop);
    g->started = ev_now(loop);
    if (vmm_spawn_folder(config->folder, config->user, why, why_size) != 0 ||
        open_files(g, ram, why, why_size) != 0 || launch(g, why, why_size) != 0) {
        close_files(g);
        free(g);
        return -1;
    }
    *out = g;
    return 0;
}

void vmm_guest_free(struct vmm_guest *g)
{
    if (!g)
        return;
    kill_and_wait(g);
    let_go(g);
    close_files(g);
    free(g);
}

void vmm_guest_stop(struct vmm_guest *g, double patience_s)
{
    if (g->pid <= 0)
        return;
    g->told_to_end = true;
    if (vmm_agent_is_ready(g->agent))
        vmm_agent_ask(g->agent, json_pack("{s:s}", "do", "poweroff"), 0, vmm_lines_ignore, NULL);
    else if (vmm_qmp_ask(g->qmp, "quit", NULL, 0, vmm_lines_ignore, NULL) == 0)
        patience_s = 0;
    ev_timer_stop(g->loop, &g->killer);
    ev_timer_set(&g->killer, patience_s, 0);
    ev_timer_start(g->loop, &g->killer);
}

void vmm_guest_set_handler(struct vmm_guest *g, const struct vmm_guest_handler *handler, void *user)
{
    g->handler = handler;
    g->user = user;
}

/* ---- what it is ---- */

enum vmm_guest_state vmm_guest_state(const struct vmm_guest *g)
{
    return g->state;
}

pid_t vmm_guest_pid(const struct vmm_guest *g)
{
    return g->pid;
}

const struct vmm_guest_config *vmm_guest_config(const struct vmm_guest *g)
{
    return &g->config;
}

struct vmm_qmp *vmm_guest_qmp(struct vmm_guest *g)
{
    return g->qmp;
}

struct vmm_agent *vmm_guest_agent(struct vmm_guest *g)
{
    return g->agent;
}

int vmm_guest_ram(const struct vmm_guest *g)
{
    return g->fd[0];
}

const pid_t *vmm_guest_vcpus(const struct vmm_guest *g, size_t *n)
{
    *n = g->n_vcpus;
    return g->vcpus;
}

double vmm_guest_boot_s(const struct vmm_guest *g)
{
    return g->boot_s;
}
