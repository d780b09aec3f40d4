/*
 * up.c - `vmm-shim up FILE`: a slice out of a topology file.
 *
 *     read, resolve ─► lock ─► launch (folders, images, certificates) ─► fork: keeper
 *                                                                       └─► "start", and wait
 */
#include "cmd/command.h"
#include "slice/client.h"
#include "slice/launch.h"
#include "slice/leftover.h"
#include "slice/place.h"
#include "slice/run_keeper.h"
#include "systems/match.h"
#include "topology/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLES_MAX 64

struct up {
    const char *file, *name;
    struct vmm_variable variable[VARIABLES_MAX];
    size_t n_variables;
    bool detach, once, json, quiet, check;
    enum vmm_accel accel;
    struct vmm_topology *topology;
    struct vmm_launch *launch;
    char folder[VMM_PATH_MAX], root[VMM_PATH_MAX], why[VMM_WHY_MAX];
    int lock;
    pid_t keeper;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = number;
}

static void say(void *user, const char *line)
{
    const struct up *u = user;
    if (!u->quiet)
        fprintf(stderr, "%s\n", line);
}

static int rename_slice(struct up *u)
{
    char path[VMM_PATH_MAX];
    if (!u->name)
        return 0;
    if (vmm_place_slice(u->name, path, sizeof path, u->why, sizeof u->why) < 0)
        return -1;
    snprintf(u->topology->name, sizeof u->topology->name, "%s", u->name);
    return 0;
}

static int read_topology(struct up *u)
{
    if (vmm_topology_read(&u->topology, u->file, u->variable, u->n_variables, u->why,
                          sizeof u->why) < 0 ||
        rename_slice(u) < 0 || vmm_topology_resolve(u->topology, u->why, sizeof u->why) < 0)
        return -1;
    const struct vmm_topology *t = u->topology;
    if (!u->check && t->parent[0] && !vmm_place_alive(t->parent, NULL)) {
        snprintf(u->why, sizeof u->why,
                 "the parent slice %s does not run; start it first (vmm-shim up)", t->parent);
        return -1;
    }
    return 0;
}

/* --check: the file, all that it names, and a system for each guest; nothing is made. */
static int check(struct up *u)
{
    const struct vmm_topology *t = u->topology;
    struct vmm_systems *systems;
    if (vmm_systems_read(&systems, NULL, u->why, sizeof u->why) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < t->n_nodes && result == 0; i++)
        if (t->node[i].kind == VMM_GUEST &&
            vmm_match_node(systems, t, i, NULL, u->why, sizeof u->why) < 0)
            result = -1;
    free(systems);
    if (result == 0)
        printf("ok: slice %s, %zu nodes, %zu links\n", t->name, t->n_nodes, t->n_links);
    return result;
}

static int prepare(struct up *u)
{
    const char *slice = u->topology->name;
    pid_t holder;
    if (vmm_place_root(u->root, sizeof u->root, u->why, sizeof u->why) < 0 ||
        vmm_place_slice(slice, u->folder, sizeof u->folder, u->why, sizeof u->why) < 0)
        return -1;
    u->lock = vmm_place_lock(slice, &holder, u->why, sizeof u->why);
    if (u->lock < 0) {
        snprintf(u->why + strlen(u->why), sizeof u->why - strlen(u->why),
                 "; vmm-shim down %s ends it, --name gives this one another", slice);
        return -1;
    }
    const struct vmm_launch_request request = { .topology = u->topology,
                                                .folder = u->folder,
                                                .root = u->root,
                                                .accel = u->accel,
                                                .say = say,
                                                .user = u };
    if (vmm_leftover_clear_locked(slice, u->why, sizeof u->why) < 0)
        return -1;
    int result = vmm_launch_prepare(&u->launch, &request, u->why, sizeof u->why);
    if (interrupted) {
        snprintf(u->why, sizeof u->why, "interrupted");
        result = -1;
    }
    if (result < 0) {
        char ignored[VMM_WHY_MAX];
        vmm_place_clear(slice, ignored, sizeof ignored);
    }
    return result;
}

/* From here on a signal waits until play() has its watchers. */
static void hold_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(how, &set, NULL);
}

/* The child is the keeper; it says by `told` that it listens. */
static int start_keeper(struct up *u)
{
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0) {
        snprintf(u->why, sizeof u->why, "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    fflush(NULL);
    hold_signals(SIG_BLOCK);
    pid_t pid = fork();
    if (pid == 0) {
        const struct vmm_keeper_config config = { u->topology, u->launch, u->folder, u->root,
                                                  u->lock };
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        hold_signals(SIG_UNBLOCK);
        close(told[0]);
        exit(vmm_keeper_run(&config, told[1])); /* no _exit(): leaks are looked for on the way */
    }
    u->keeper = pid;
    close(told[1]);
    ssize_t n = -1;
    while (pid > 0 && (n = read(told[0], u->why, sizeof u->why - 1)) < 0 && errno == EINTR)
        continue;
    close(told[0]);
    if (n > 0 && u->why[0] == '\0')
        return 0;
    if (n > 0)
        u->why[n] = '\0';
    else
        snprintf(u->why, sizeof u->why, "the keeper did not start");
    char ignored[VMM_WHY_MAX];
    vmm_place_clear(u->topology->name, ignored, sizeof ignored);
    return -1;
}

static json_t *on_signal(int number)
{
    (void)number;
    return json_pack("{s:s}", "do", "down");
}

static void print_ps(struct up *u)
{
    json_t *ok = vmm_ask(u->topology->name, json_pack("{s:s}", "do", "ps"), u->why, sizeof u->why);
    if (ok)
        json_dumpf(ok, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(ok);
}

static int play(struct up *u)
{
    const char *slice = u->topology->name;
    struct vmm_ask_more more = { .signals = true, .on_signal = on_signal };
    json_t *request = json_pack("{s:s, s:s, s:b, s:b}", "do", "start", "until",
                                u->detach ? "ready" : "result", "once", u->once, "quiet", u->quiet);
    json_t *ok = vmm_ask_with(slice, request, &more, u->why, sizeof u->why);
    if (!ok && !vmm_place_alive(slice, NULL)) /* it has only to exit */
        waitpid(u->keeper, NULL, 0);
    if (!ok && more.signal)
        return vmm_complain(128 + more.signal, "%s: taken down", slice);
    if (!ok)
        return vmm_complain(VMM_EXIT_SHIM, "%s", u->why);
    json_t *code = json_object_get(ok, "exit");
    int result = code && !u->detach ? (int)json_integer_value(code) : VMM_EXIT_OK;
    json_decref(ok);
    if (u->once) {
        vmm_ask_down(slice, u->why, sizeof u->why);
        waitpid(u->keeper, NULL, 0);
        return result;
    }
    if (!u->quiet)
        fprintf(stderr, "slice %s is up; vmm-shim down %s ends it\n", slice, slice);
    if (u->json)
        print_ps(u);
    return result;
}

static int add_variable(struct up *u, const char *word)
{
    char *copy = word ? strdup(word) : NULL; /* lives as long as we */
    char *equals = copy ? strchr(copy, '=') : NULL;
    if (!equals || equals == copy || u->n_variables == VARIABLES_MAX) {
        free(copy);
        return -1;
    }
    *equals = '\0';
    u->variable[u->n_variables++] = (struct vmm_variable){ copy, equals + 1 };
    return 0;
}

static int parse(struct up *u, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = NULL, *word = argv[i];
        if (vmm_option_flag(word, "--detach") || vmm_option_flag(word, "-d"))
            u->detach = true;
        else if (vmm_option_flag(word, "--check"))
            u->check = true;
        else if (vmm_option_flag(word, "--once"))
            u->once = true;
        else if (vmm_option_flag(word, "--json"))
            u->json = true;
        else if (vmm_option_flag(word, "--quiet") || vmm_option_flag(word, "-q"))
            u->quiet = true;
        else if (vmm_option_value(argc, argv, &i, "--name", &u->name) && u->name)
            continue;
        else if (vmm_option_value(argc, argv, &i, "--accel", &value)) {
            if (!value || vmm_accel_parse(value, &u->accel) < 0)
                return vmm_complain(VMM_EXIT_USAGE, "up: --accel takes auto, kvm or tcg, not %s",
                                    value ? value : "nothing");
        } else if (vmm_option_value(argc, argv, &i, "--set", &value)) {
            if (add_variable(u, value) < 0)
                return vmm_complain(VMM_EXIT_USAGE, "up: --set wants NAME=VALUE");
        } else if (word[0] != '-' && !u->file)
            u->file = word;
        else
            return vmm_complain(VMM_EXIT_USAGE, "up: '%s' is not understood; --help", word);
    }
    if (!u->file)
        return vmm_complain(VMM_EXIT_USAGE, "up: a topology file is wanted, see vmm-topology(5)");
    if (u->detach && u->once)
        return vmm_complain(VMM_EXIT_USAGE, "up: --detach leaves the slice, --once takes it down");
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    static struct up u = { .lock = -1 };
    int code = parse(&u, argc, argv);
    if (code != VMM_EXIT_OK)
        return code;
    if (u.check) {
        if (read_topology(&u) < 0 || check(&u) < 0)
            code = vmm_complain(VMM_EXIT_FAILED, "%s", u.why);
        vmm_topology_free(u.topology);
        return code;
    }
    const struct sigaction caught = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &caught, NULL);
    sigaction(SIGTERM, &caught, NULL);
    if (read_topology(&u) < 0 || prepare(&u) < 0 || start_keeper(&u) < 0)
        code = vmm_complain(interrupted ? 128 + (int)interrupted : VMM_EXIT_SHIM, "%s", u.why);
    if (code != VMM_EXIT_OK)
        vmm_place_unlock(u.topology ? u.topology->name : "", u.lock);
    else if (u.lock >= 0)
        close(u.lock);                        /* the keeper holds it */
    if (code == VMM_EXIT_OK && interrupted) { /* just before signals were held */
        vmm_ask_down(u.topology->name, u.why, sizeof u.why);
        code = vmm_complain(128 + (int)interrupted, "%s: taken down", u.topology->name);
    }
    if (code == VMM_EXIT_OK)
        code = play(&u);
    vmm_topology_free(u.topology);
    free(u.launch);
    return code;
}

const struct vmm_command vmm_command_up = {
    .name = "up",
    .usage = "FILE [--detach | --once | --check] [--name NAME] [--set NAME=VALUE]...",
    .summary = "makes a slice out of a topology file and plays it",
    .help =
        "  -d, --detach          returns when all nodes answer and their commands run\n"
        "      --check           only reads the file and looks for all that it names\n"
        "      --once            takes the slice down when the result is there\n"
        "      --name NAME       of the slice, not the file's\n"
        "      --set NAME=VALUE  for ${NAME} in the file; may be said again\n"
        "      --accel WHICH     auto, kvm or tcg [auto]\n"
        "      --json            what ps says, when it is up\n"
        "  -q, --quiet           no progress\n"
        "Prints what the `result` node's command prints and exits as it does; Ctrl-C takes the\n"
        "slice down. It stays up after that until vmm-shim down.\n",
    .run = run,
};
