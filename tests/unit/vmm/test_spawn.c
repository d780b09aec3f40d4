/*
 * test_spawn.c - what a program gets that is started confined, as the kernel has it: no descriptors
 * but those given, another user, no new privileges, limits, no network, an end with its parent.
 */
#include "guest/landlock.h"
#include "guest/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a shell with `s`; what it says, and its exit code. */
static int shell(struct vmm_spawn s, const char *script, char *out, size_t size)
{
    char *const argv[] = { "sh", "-c", (char *)(uintptr_t)script, NULL };
    char why[300];
    int fd[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(fd), 0); /* not closed on exec: must not be seen there */
    s.argv = argv;
    s.out = fd[1];
    s.err = -1;
    if (vmm_spawn(&pid, &s, why, sizeof why) != 0)
        fail_msg("%s", why);
    close(fd[1]);
    while ((got = read(fd[0], out + n, size - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = 0;
    close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void test_descriptors(void **state)
{
    char out[1000];
    const int secret = open("/etc/passwd", O_RDONLY), given = open("/etc/hostname", O_RDONLY);
    const struct vmm_spawn s = { .fd = &given, .n_fds = 1 };

    (void)state;
    assert_true(secret > 2);
    /* In the shell's own place, and no folder is read: neither opens anything meanwhile. */
    shell(s, "d=/proc/$$/fd; exec ls -l $d/0 $d/1 $d/2 $d/3 $d/4 $d/5 $d/6 $d/7", out, sizeof out);
    assert_non_null(strstr(out, "/0 -> /dev/null"));
    assert_non_null(strstr(out, "/2 -> /dev/null"));
    assert_non_null(strstr(out, "/3 -> /etc/hostname"));
    assert_null(strstr(out, "passwd"));
    for (const char *other = "4567"; *other; other++)
        assert_null(strstr(out, (char[]){ '/', *other, ' ', '-', '>', '\0' }));
    close(secret);
    close(given);
}

static void test_status(void **state)
{
    char out[4000];
    const struct vmm_spawn s = { .user = "nobody", .netns = "", .files_max = 77 };

    (void)state;
    shell(s, "cat /proc/$$/status; ulimit -n; ulimit -c; ps -o sid= -p $$ | tr -d ' ' ; echo $$",
          out, sizeof out);
    assert_non_null(strstr(out, "NoNewPrivs:\t1"));
    assert_non_null(strstr(out, "\n77\n0\n"));
    if (geteuid() != 0)
        return;
    assert_non_null(strstr(out, "Uid:\t65534\t65534\t65534\t65534"));
    assert_non_null(strstr(out, "Groups:\t \n"));
    assert_non_null(strstr(out, "CapEff:\t0000000000000000"));
    assert_non_null(strstr(out, "CapPrm:\t0000000000000000"));
}

/* What an intruder would try. */
static void test_escape(void **state)
{
    static const char *const attempts[] = {
        "cat /etc/shadow",
        "echo x >/etc/passwd",
        "kill -0 1",
        "mount -t tmpfs none /mnt",
        "echo 1 >/proc/sys/kernel/panic",
        "nice -n -5 true; test $(nice -n -5 nice) -lt 0",
        "su -c true",
        "grep -q : /proc/net/dev && grep -qE 'eth|ens|wlan' /proc/net/dev",
        "cat /proc/$PPID/environ",
    };
    const struct vmm_spawn s = { .user = "nobody", .netns = "" };
    char out[4000];

    (void)state;
    if (geteuid() != 0) {
        print_message("not root: the user is not changed\n");
        skip();
    }
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (shell(s, attempts[i], out, sizeof out) == 0)
            fail_msg("confined, and yet: %s", attempts[i]);
    assert_int_equal(shell(s, "true", out, sizeof out), 0); /* it could have succeeded */
}

/* With a folder of its own: others' files are not there, though its user may read them. */
static void test_own_files(void **state)
{
    char dir[] = "/tmp/vmm-spawn-XXXXXX", other[] = "/tmp/vmm-other-XXXXXX", script[300], out[1000];
    const char *const only[] = { dir, NULL };
    struct vmm_spawn s = { .user = "nobody", .only = only };
    char why[300];
    int fd;

    (void)state;
    if (!vmm_landlock_is_here()) {
        print_message("no Landlock in this kernel\n");
        skip();
    }
    assert_non_null(mkdtemp(dir));
    assert_int_equal(vmm_spawn_folder(dir, "nobody", why, sizeof why), 0);
    fd = mkstemp(other);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(write(fd, "secret", 6), 6);
    snprintf(script, sizeof script, "echo a >%s/own && cat %s/own", dir, dir);
    assert_int_equal(shell(s, script, out, sizeof out), 0);
    assert_string_equal(out, "a\n");
    snprintf(script, sizeof script, "cat %s", other);
    assert_int_not_equal(shell(s, script, out, sizeof out), 0);
    snprintf(script, sizeof script, "echo x >%s", other);
    assert_int_not_equal(shell(s, script, out, sizeof out), 0);
    assert_int_not_equal(shell(s, "echo x >/tmp/vmm-spawn-escaped", out, sizeof out), 0);
    s.fd = &fd; /* given, it is there */
    s.n_fds = 1;
    assert_int_equal(shell(s, "cat /proc/self/fd/3", out, sizeof out), 0);
    assert_string_equal(out, "secret");
    snprintf(script, sizeof script, "%s/own", dir);
    unlink(script);
    rmdir(dir);
    close(fd);
    unlink(other);
}

/* A parent that dies takes its child along. */
static void test_parent(void **state)
{
    char *const argv[] = { "sleep", "60", NULL };
    const struct vmm_spawn s = { .argv = argv, .user = "nobody", .out = -1, .err = -1 };
    pid_t parent, child = 0;
    char why[300];
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    parent = fork();
    if (parent == 0) {
        if (vmm_spawn(&child, &s, why, sizeof why) != 0)
            child = -1;
        (void)!write(fd[1], &child, sizeof child);
        pause();
        _exit(0);
    }
    assert_int_equal(read(fd[0], &child, sizeof child), sizeof child);
    assert_true(child > 0);
    assert_int_equal(kill(child, 0), 0);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    for (int i = 0; i < 200; i++) {
        char path[64], line[300] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
        f = fopen(path, "r");
        if (!f || !fgets(line, sizeof line, f) || strstr(line, ") Z")) {
            if (f)
                fclose(f);
            close(fd[0]);
            close(fd[1]);
            return;
        }
        fclose(f);
        usleep(10000);
    }
    kill(child, SIGKILL);
    fail_msg("the child outlives its parent");
}

static void test_errors(void **state)
{
    char *const argv[] = { "/no/such/program", NULL }, *const sh[] = { "true", NULL };
    struct vmm_spawn s = { .argv = argv, .out = -1, .err = -1 };
    char why[300];
    pid_t pid;

    (void)state;
    assert_int_equal(vmm_spawn(&pid, &s, why, sizeof why), -1);
    assert_non_null(strstr(why, "cannot start /no/such/program: "));
    assert_int_equal(pid, 0);
    s.argv = sh;
    s.netns = "no-such-namespace";
    assert_int_equal(vmm_spawn(&pid, &s, why, sizeof why), -1);
    assert_non_null(strstr(why, "network namespace"));
    s.netns = NULL;
    s.folder = "/no/such/folder";
    assert_int_equal(vmm_spawn(&pid, &s, why, sizeof why), -1);
    if (geteuid() == 0) {
        s.user = "no-such-user";
        assert_int_equal(vmm_spawn(&pid, &s, why, sizeof why), -1);
        assert_non_null(strstr(why, "there is no user \"no-such-user\""));
    }
}

static void test_folder(void **state)
{
    char dir[] = "/tmp/vmm-spawn-XXXXXX", path[64], why[300];
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/n", dir);
    assert_int_equal(vmm_spawn_folder(path, "nobody", why, sizeof why), 0);
    assert_int_equal(vmm_spawn_folder(path, "nobody", why, sizeof why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, geteuid() == 0 ? 65534 : geteuid());
    rmdir(path);
    assert_int_equal(symlink("/etc", path), 0); /* must not be followed */
    assert_int_equal(vmm_spawn_folder(path, "nobody", why, sizeof why), -1);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_status),
        cmocka_unit_test(test_escape),      cmocka_unit_test(test_own_files),
        cmocka_unit_test(test_parent),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
