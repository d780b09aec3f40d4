/*
 * test_confine.c - a confined process tries what it must not do. Each case is a child that confines
 * itself; its exit code is what errno the attempt gave.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "confine.h"

static char allowed[64], forbidden[64], recorded[64]; /* folders */
static char inside[96], outside[96];                  /* files in them that exist */

static int of(int result)
{
    return result < 0 ? errno : 0;
}

static int open_for(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC, 0600);
    const int result = of(fd);
    if (fd >= 0)
        close(fd);
    return result;
}

static int make(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/new.%ld", folder, (long)getpid());
    const int result = open_for(path, O_WRONLY | O_CREAT | O_EXCL);
    return result ? result : of(unlink(path));
}

static int make_inside(void)
{
    return make(allowed);
}

static int make_outside(void)
{
    return make(forbidden);
}

static int write_outside(void)
{
    return open_for(outside, O_WRONLY);
}

static int truncate_outside(void)
{
    return of(truncate(outside, 0));
}

static int remove_outside(void)
{
    return of(unlink(outside));
}

static int read_outside(void)
{
    return open_for(outside, O_RDONLY);
}

static int move_out(void)
{
    char to[128];
    snprintf(to, sizeof to, "%s/moved", forbidden);
    return of(rename(inside, to));
}

/* Beside a recording that is named by the time. */
static int make_recorded(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/new.mkv", recorded);
    const int result = open_for(path, O_WRONLY | O_CREAT | O_EXCL);
    return result ? result : of(unlink(path));
}

static int write_null(void)
{
    return open_for("/dev/null", O_WRONLY);
}

static int read_root(void)
{
    return open_for("/root", O_RDONLY | O_DIRECTORY);
}

static int run_program(void)
{
    char *argv[] = { (char *)(uintptr_t) "true", NULL };
    return of(execv("/bin/true", argv));
}

static int other_family(void)
{
    return of(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int raw_packets(void)
{
    return of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int inet(void)
{
    return of(socket(AF_INET, SOCK_DGRAM, 0)) | of(socket(AF_INET6, SOCK_STREAM, 0)) |
           of(socket(AF_UNIX, SOCK_DGRAM, 0)) | of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int trace(void)
{
    return of((int)ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int new_namespace(void)
{
    return of(unshare(CLONE_NEWUSER));
}

static int new_namespace_by_clone(void)
{
    return of((int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static void *nothing(void *arg)
{
    return arg;
}

static int threads(void)
{
    pthread_t t;
    const int result = pthread_create(&t, NULL, nothing, NULL);
    return result ? result : pthread_join(t, NULL);
}

static int child_is_confined(void)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(make_outside());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int become_root_again(void)
{
    return geteuid() != 0 ? of(setuid(0)) : EPERM;
}

static int no_core(void)
{
    struct rlimit r;
    return getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0 ? 0 : EIO;
}

static const struct row {
    const char *name;
    int (*attempt)(void);
    int result; /* errno */
} rows[] = {
    { "a file in a named folder", make_inside, 0 },
    { "a file of a recording", make_recorded, 0 },
    { "a file elsewhere", make_outside, EACCES },
    { "writing a file elsewhere", write_outside, EACCES },
    { "emptying a file elsewhere", truncate_outside, EACCES },
    { "removing a file elsewhere", remove_outside, EACCES },
    { "moving a file out", move_out, EACCES },
    { "reading a file elsewhere", read_outside, 0 },
    { "/dev/null", write_null, 0 },
    { "/root", read_root, EACCES },
    { "another program", run_program, EPERM },
    { "a socket of another family", other_family, EPERM },
    { "raw packets", raw_packets, EPERM },
    { "sockets of the internet", inet, 0 },
    { "ptrace", trace, EPERM },
    { "a namespace", new_namespace, EPERM },
    { "a namespace by clone", new_namespace_by_clone, EPERM },
    { "threads", threads, 0 },
    { "a child", child_is_confined, EACCES },
    { "root again", become_root_again, EPERM },
    { "no core file", no_core, 0 },
};

/* Of a child that is confined and then tries: its wait status. */
static int attempt(enum config_confine_mode mode, int (*what)(void))
{
    int status = 0;
    const char *writable[] = { allowed };
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char why[256] = "", record[96];
        struct config_source source = { .kind = CONFIG_PUBLISH, .record = record };
        snprintf(record, sizeof record, "%s/%%Y/%%H.mkv", recorded);
        const struct config c = {
            .source = &source,
            .n_sources = 1,
            .listen = "127.0.0.1:4433",
            .viewers_max = 8,
            .confine = { .mode = mode, .user = "root", .writable = writable, .n_writable = 1 },
        };
        if (confine_enter(&c, NULL, why, sizeof why) < 0) {
            fprintf(stderr, "%s\n", why);
            _exit(255);
        }
        _exit(what());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* On a kernel without one of them there is nothing to see. */
static bool has_all(void)
{
    const struct config c = { .viewers_max = 1 };
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(confine_files(&c, NULL) != 0 || confine_calls(CONFINE_DENY) != 0);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static void test_rows(void **state)
{
    (void)state;
    if (!has_all())
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int status = attempt(CONFINE_DENY, rows[i].attempt);
        const bool refused_both = rows[i].attempt == move_out && WEXITSTATUS(status) == EXDEV;
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != rows[i].result && !refused_both))
            fail_msg("%s: exit %d, signal %d: %s", rows[i].name, WEXITSTATUS(status),
                     WIFSIGNALED(status) ? WTERMSIG(status) : 0, strerror(WEXITSTATUS(status)));
    }
}

static void test_kill(void **state)
{
    (void)state;
    if (!has_all())
        skip();
    int status = attempt(CONFINE_KILL, other_family);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    status = attempt(CONFINE_KILL, make_inside);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_off(void **state)
{
    (void)state;
    const int status = attempt(CONFINE_OFF, make_outside);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Started as root, it becomes who it is told, for good. */
static void test_user(void **state)
{
    const struct passwd *nobody = getpwnam("nobody");
    int status = 0;
    (void)state;
    if (geteuid() != 0 || !nobody)
        skip();
    const pid_t pid = fork();
    if (pid == 0) {
        char why[256];
        const struct config c = { .viewers_max = 8, .confine.user = "nobody" };
        if (confine_enter(&c, NULL, why, sizeof why) < 0)
            _exit(1);
        _exit(getuid() != nobody->pw_uid || getegid() != nobody->pw_gid ||
              become_root_again() == 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_unknown_user(void **state)
{
    char why[256] = "";
    const struct config c = { .viewers_max = 8, .confine.user = "no-such-user-here" };
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(confine_enter(&c, NULL, why, sizeof why), -1);
    assert_string_equal(why, "confine.user: there is no user no-such-user-here");
}

static int set_up(void **state)
{
    (void)state;
    snprintf(allowed, sizeof allowed, "./confine-in-XXXXXX");
    snprintf(forbidden, sizeof forbidden, "/var/tmp/confine-out-XXXXXX");
    snprintf(recorded, sizeof recorded, "./confine-rec-XXXXXX");
    if (!mkdtemp(allowed) || !mkdtemp(forbidden) || !mkdtemp(recorded))
        return -1;
    snprintf(inside, sizeof inside, "%s/file", allowed);
    snprintf(outside, sizeof outside, "%s/file", forbidden);
    return open_for(inside, O_WRONLY | O_CREAT) | open_for(outside, O_WRONLY | O_CREAT) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(inside);
    unlink(outside);
    return rmdir(allowed) | rmdir(forbidden) | rmdir(recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_user), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_kill),         cmocka_unit_test(test_off),
        cmocka_unit_test(test_user),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
