/*
 * test_process.c - what a confined process can and cannot do. It runs this program inside
 * (`probe`), which tries and says what it got, and shell scripts.
 */
#include "rt.h"
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX_BYTES 16384
#define PROBE "/opt/probe"

static char folder[] = "/tmp/vmm-process-XXXXXX";
static char self_path[VMM_PATH_MAX], why[VMM_WHY_MAX];
static char out_text[TEXT_MAX_BYTES], err_text[TEXT_MAX_BYTES];
static struct vmm_node *node;

/* Inside: one line for each thing tried. */
static void probe(int port, int host_pid)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    printf("connect %s\n", connect(s, (struct sockaddr *)&a, sizeof a) == 0 ? "yes" : "no");
    close(s);
    printf("packet %s\n", socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? "yes" : "no");
    printf("raw %s\n", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 ? "yes" : "no");
    printf("vsock %s\n", socket(40, SOCK_STREAM, 0) >= 0 ? "yes" : "no");
    printf("root %s\n", setuid(0) == 0 ? "yes" : "no");
    printf("kill %s\n", kill(host_pid, 0) == 0 ? "yes" : "no");
    printf("trace %s\n", ptrace(PTRACE_ATTACH, 1, 0, 0) == 0 ? "yes" : "no");
    printf("user namespace %s\n", unshare(CLONE_NEWUSER) == 0 ? "yes" : "no");
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    printf("clone namespace %s\n", child > 0 ? "yes" : "no");
    printf("device %s\n", mknod("/tmp/d", S_IFCHR | 0600, 0) == 0 ? "yes" : "no");
    printf("keys %s\n", syscall(SYS_keyctl, 0, -3, 0, 0, 0) >= 0 ? "yes" : "no");
    int more = 0;
    for (int fd = 3; fd < 1024; fd++)
        more += fcntl(fd, F_GETFD) >= 0;
    printf("descriptors %d\n", more);
    fflush(stdout);
    _exit(0); /* a leak checker at exit would want to trace */
}

static int new_node(void **state)
{
    (void)state;
    node = calloc(1, sizeof *node);
    if (!node)
        return -1;
    strcpy(node->name, "inside");
    node->kind = VMM_PROCESS;
    strcpy(folder, "/tmp/vmm-process-XXXXXX");
    return mkdtemp(folder) && chmod(folder, 0711) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int free_node(void **state)
{
    (void)state;
    free(node);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void add_file(const char *from, const char *to)
{
    struct vmm_file *f = &node->file[node->n_files++];
    snprintf(f->from, sizeof f->from, "%s", from);
    snprintf(f->to, sizeof f->to, "%s", to);
}

static void shell(char *script)
{
    node->run[0] = (char *)"/bin/sh";
    node->run[1] = (char *)"-c";
    node->run[2] = script;
    node->n_run = 3;
}

static struct vmm_process *must_start(void)
{
    struct vmm_process *p;
    struct vmm_process_spec s = { .node = node,
                                  .folder = folder,
                                  .hosts = "127.0.0.1 localhost\n10.77.0.1 server\n" };
    if (vmm_process_start(&p, &s, why, sizeof why) < 0)
        fail_msg("%s", why);
    return p;
}

static void read_all(int fd, char *text)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 20000) != 1)
            fail_msg("no end of output");
        ssize_t got = read(fd, text + n, TEXT_MAX_BYTES - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    text[n] = 0;
}

static int code(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Runs the node; its exit code. */
static int run(void)
{
    struct vmm_process *p = must_start();
    if (vmm_process_go(p, why, sizeof why) < 0)
        fail_msg("%s", why);
    read_all(vmm_process_out(p), out_text);
    read_all(vmm_process_err(p), err_text);
    int c = code(vmm_process_pid(p));
    vmm_process_free(p);
    return c;
}

static int listen_on_loopback(int *fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(*fd, 1), 0);
    getsockname(*fd, (struct sockaddr *)&a, &size);
    return ntohs(a.sin_port);
}

/* Reaches neither the host's network, processes, devices, nor rights; has no descriptors. */
static void cannot(void **state)
{
    (void)state;
    static const char *const tried[] = {
        "connect",        "packet",          "raw",    "vsock", "root", "kill", "trace",
        "user namespace", "clone namespace", "device", "keys"
    };
    char port[16], pid[16], line[64];
    int fd;
    snprintf(port, sizeof port, "%d", listen_on_loopback(&fd));
    snprintf(pid, sizeof pid, "%d", getpid());
    assert_int_equal(dup2(fd, 200), 200); /* an open descriptor that is not closed on exec */
    add_file(self_path, PROBE);
    char *argv[] = { (char *)PROBE, (char *)"probe", port, pid };
    memcpy(node->run, argv, sizeof argv);
    node->n_run = 4;
    int c = run();
    close(200);
    close(fd);
    if (c != 0)
        fail_msg("%d: %s%s", c, out_text, err_text);
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        snprintf(line, sizeof line, "%s no\n", tried[i]);
        assert_says(out_text, line);
    }
    assert_says(out_text, "descriptors 0\n");
}

/* Only its own file system, processes, network; no capability. */
static void sees(void **state)
{
    (void)state;
    static const struct {
        const char *script, *says;
    } rows[] = {
        { "id -u", "65534\n" },
        { "cat /proc/sys/kernel/hostname", "inside\n" },
        { "cat /etc/hosts", "10.77.0.1 server" },
        { "set -- /proc/[0-9]*; echo $#", "2\n" }, /* init and the shell */
        { "ls /sys/class/net 2>/dev/null || grep -c : /proc/net/dev", "1\n" },
        { "grep -c '00: 0100007F\\|: 0100' /proc/net/tcp || true", "0\n" },
        { "for d in /root /home /var /srv /boot /tmp/vmm-*; do test -e $d && echo $d; done; echo "
          "end",
          "end\n" },
        { "touch /new /usr/new /etc/new 2>&1 | grep -c Read-only", "3\n" },
        { "echo kept > /tmp/a && cat /tmp/a", "kept\n" },
        { "grep -c '^Cap...:.0000000000000000$' /proc/self/status", "5\n" },
        { "grep NoNewPrivs /proc/self/status", "1\n" },
        { "ls /proc/1/fd 2>&1 | grep -c denied", "1\n" },
        { "cat /proc/1/environ 2>&1 | grep -c denied", "1\n" },
        { "ulimit -c", "0\n" },
        { "env | grep -c ^SECRET || true", "0\n" },
    };
    setenv("SECRET", "1", 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        shell((char *)rows[i].script);
        int c = run();
        if (c != 0 || !strstr(out_text, rows[i].says))
            fail_msg("%s: %d, \"%s\" \"%s\"", rows[i].script, c, out_text, err_text);
    }
}

static void files(void **state)
{
    (void)state;
    char secret[VMM_PATH_MAX];
    snprintf(secret, sizeof secret, "%s/key.pem", folder);
    int fd = open(secret, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "key\n", 4), 4);
    close(fd);
    add_file(secret, "/etc/slice/key.pem");
    add_file("/usr/bin", "/opt/programs");
    add_file("/usr/bin/id", "/tmp/below/memory/id");
    shell((char *)"/tmp/below/memory/id -u; cat /etc/slice/key.pem; /opt/programs/id -u; echo x >> "
                  "/etc/slice/key.pem || "
                  "echo ro");
    int c = run();
    if (c != 0)
        fail_msg("%d: %s", c, err_text);
    assert_string_equal(out_text, "65534\nkey\n65534\nro\n");
    add_file("/nowhere/at/all", "/opt/x");
    struct vmm_process *p;
    struct vmm_process_spec s = { .node = node, .folder = folder };
    assert_int_equal(vmm_process_start(&p, &s, why, sizeof why), -1);
    assert_says(why, "/nowhere/at/all");
    snprintf(node->file[3].from, VMM_PATH_MAX, "/etc/hosts");
    snprintf(node->file[3].to, VMM_PATH_MAX, "/usr/x");
    assert_int_equal(vmm_process_start(&p, &s, why, sizeof why), -1);
    assert_says(why, "read-only for a process");
    snprintf(node->file[3].to, VMM_PATH_MAX, "/opt/../../x");
    assert_int_equal(vmm_process_start(&p, &s, why, sizeof why), -1);
    assert_null(p);
    s.user = "nobody-of-this-name";
    assert_int_equal(vmm_process_start(&p, &s, why, sizeof why), -1);
    assert_says(why, "there is none of this name");
}

static void ends(void **state)
{
    (void)state;
    shell((char *)"echo out; echo err >&2; exit 3");
    assert_int_equal(run(), 3);
    assert_string_equal(out_text, "out\n");
    assert_string_equal(err_text, "err\n");
    shell((char *)"kill -KILL $$");
    assert_int_equal(run(), 128 + SIGKILL);
    node->run[0] = (char *)"/no/such/program";
    node->n_run = 1;
    node->run[1] = NULL;
    assert_int_equal(run(), 127);
    assert_says(err_text, "/no/such/program: No such file");
    /* A signal reaches the command, not only pid 1. */
    shell((char *)"trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    struct vmm_process *p = must_start();
    assert_int_equal(vmm_process_go(p, why, sizeof why), 0);
    struct pollfd w = { .fd = vmm_process_out(p), .events = POLLIN };
    assert_int_equal(poll(&w, 1, 20000), 1);
    assert_int_equal(vmm_process_kill(p, SIGTERM), 0);
    read_all(vmm_process_out(p), out_text);
    assert_string_equal(out_text, "ready\nasked\n");
    assert_int_equal(code(vmm_process_pid(p)), 5);
    assert_int_equal(vmm_process_go(p, why, sizeof why), -1);
    vmm_process_free(p);
}

/* Before `go` nothing runs; a node without a command idles; `exec` is in the same place. */
static void exec_inside(void **state)
{
    (void)state;
    struct vmm_process *p = must_start();
    struct vmm_process_pipes pipes;
    char net[64], theirs[64], link_[64];
    assert_int_equal(vmm_process_go(p, why, sizeof why), 0);
    const char *first[] = { "sh", "-c", "echo $$ > /tmp/x; exit 7", NULL };
    pid_t pid =
        vmm_process_exec(p, &(struct vmm_process_exec){ .argv = first }, &pipes, why, sizeof why);
    assert_true(pid > 0);
    read_all(pipes.out, out_text);
    close(pipes.out);
    close(pipes.err);
    assert_int_equal(code(pid), 7);
    const char *second[] = { "sh", "-c",
                             "cat /tmp/x; id -u; readlink /proc/self/ns/net; "
                             "grep -c '^CapBnd:.0000000000000000$' /proc/self/status",
                             NULL };
    pid =
        vmm_process_exec(p, &(struct vmm_process_exec){ .argv = second }, &pipes, why, sizeof why);
    read_all(pipes.out, out_text);
    read_all(pipes.err, err_text);
    close(pipes.out);
    close(pipes.err);
    if (code(pid) != 0)
        fail_msg("%s", err_text);
    snprintf(link_, sizeof link_, "/proc/%d/ns/net", vmm_process_pid(p));
    ssize_t n = readlink(link_, theirs, sizeof theirs - 1);
    theirs[n > 0 ? n : 0] = 0;
    n = readlink("/proc/self/ns/net", net, sizeof net - 1);
    net[n > 0 ? n : 0] = 0;
    assert_says(out_text, theirs);
    assert_null(strstr(out_text, net));
    assert_says(out_text, "65534\n");
    assert_says(out_text, "]\n1\n");
    /* Killed with its node. */
    const char *third[] = { "sleep", "60", NULL };
    pid = vmm_process_exec(p, &(struct vmm_process_exec){ .argv = third }, &pipes, why, sizeof why);
    vmm_process_free(p);
    int c = code(pid);
    assert_true(c == 128 + SIGKILL || c == 127 || c == 1000 + SIGKILL);
    close(pipes.out);
    close(pipes.err);
}

/* What `exec` brings along: input, until its end; its environment before the node's. */
static void exec_with_input(void **state)
{
    (void)state;
    struct vmm_process *p = must_start();
    struct vmm_process_pipes pipes;
    const char *argv[] = { "sh", "-c", "cat; echo $HOME $MORE", NULL };
    const char *env[] = { "HOME=/elsewhere", "MORE=1", NULL };
    const struct vmm_process_exec e = { .argv = argv, .env = env, .input = true };
    assert_int_equal(vmm_process_go(p, why, sizeof why), 0);
    pid_t pid = vmm_process_exec(p, &e, &pipes, why, sizeof why);
    assert_true(pid > 0);
    assert_int_equal(write(pipes.in, "given ", 6), 6);
    close(pipes.in);
    read_all(pipes.out, out_text);
    assert_string_equal(out_text, "given /elsewhere 1\n");
    assert_int_equal(code(pid), 0);
    close(pipes.out);
    close(pipes.err);
    /* Who asked has gone: all that the command has started goes. */
    const char *more[] = { "sh", "-c", "sleep 60 & echo started; wait", NULL };
    pid = vmm_process_exec(p, &(struct vmm_process_exec){ .argv = more }, &pipes, why, sizeof why);
    char first;
    while (read(pipes.out, &first, 1) < 0 && errno == EAGAIN)
        usleep(1000);
    kill(pid, VMM_PROCESS_END_ALL);
    read_all(pipes.out, out_text); /* to its end, which sleep would keep off */
    assert_int_equal(code(pid), 128 + SIGKILL);
    close(pipes.out);
    close(pipes.err);
    vmm_process_free(p);
}

/* The keeper is killed: nothing of the node stays. */
static void dies_with_the_keeper(void **state)
{
    (void)state;
    int told[2];
    pid_t init;
    assert_int_equal(pipe(told), 0);
    shell((char *)"trap '' TERM HUP; while :; do sleep 60; done");
    pid_t keeper = fork();
    if (keeper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct vmm_process *p = must_start();
        pid_t pid = vmm_process_pid(p);
        vmm_process_go(p, why, sizeof why);
        if (write(told[1], &pid, sizeof pid) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(told[0], &init, sizeof init), sizeof init);
    close(told[0]);
    close(told[1]);
    int pidfd = (int)syscall(SYS_pidfd_open, init, 0);
    assert_true(pidfd >= 0);
    kill(keeper, SIGKILL);
    waitpid(keeper, NULL, 0);
    struct pollfd gone = { .fd = pidfd, .events = POLLIN };
    assert_int_equal(poll(&gone, 1, 20000), 1);
    close(pidfd);
}

/* The same for a user, in a user namespace. */
static void without_root(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(folder, 65534, 65534), 0);
    shell((char *)"id -u; grep -c '^Cap...:.0000000000000000$' /proc/self/status; "
                  "test -e /root || echo hidden; unshare -U true 2>/dev/null || echo confined; "
                  "cat /proc/1/environ 2>/dev/null || echo closed");
    int status;
    pid_t user = fork();
    if (user == 0) {
        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        prctl(PR_SET_DUMPABLE, 1); /* as a user's own program is */
        struct vmm_process *p;
        struct vmm_process_spec s = { .node = node, .folder = folder };
        if (vmm_process_start(&p, &s, why, sizeof why) < 0) {
            print_message("SKIP: %s\n", why);
            _exit(strstr(why, "namespaces: ") ? 77 : 3);
        }
        vmm_process_go(p, why, sizeof why);
        read_all(vmm_process_out(p), out_text);
        waitpid(vmm_process_pid(p), NULL, 0);
        print_message("%s", out_text);
        _exit(strcmp(out_text, "65534\n5\nhidden\nconfined\nclosed\n") == 0 ? 0 : 4);
    }
    assert_int_equal(waitpid(user, &status, 0), user);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, new_node, free_node)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(cannot),
        CASE(sees),
        CASE(files),
        CASE(ends),
        CASE(exec_inside),
        CASE(exec_with_input),
        CASE(dies_with_the_keeper),
        CASE(without_root),
    };
    if (argc == 4 && strcmp(argv[1], "probe") == 0)
        probe(atoi(argv[2]), atoi(argv[3]));
    if (geteuid() != 0) {
        puts("SKIP: the figures here are those of root's keeper");
        return 77;
    }
    ssize_t n = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    if (n < 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
