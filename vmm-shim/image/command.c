/* command.c - see command.h. */
#include "image/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMPLAINT_BYTES 4096 /* the end of standard error that is kept */

struct output {
    char *text;
    size_t len, max;
    bool keep_end; /* of more than max bytes, keep the last ones; else it is too much */
    bool too_much;
};

static void take(struct output *o, const char *data, size_t n)
{
    if (o->len + n > o->max && !o->keep_end) {
        o->too_much = true;
        n = o->max - o->len;
    }
    if (n > o->max) {
        data += n - o->max;
        n = o->max;
    }
    if (o->len + n > o->max) {
        const size_t over = o->len + n - o->max;
        memmove(o->text, o->text + over, o->len - over);
        o->len -= over;
    }
    memcpy(o->text + o->len, data, n);
    o->len += n;
    o->text[o->len] = '\0';
}

static void read_both(int out_fd, struct output *out, int err_fd, struct output *err)
{
    struct pollfd p[2] = { { .fd = out_fd, .events = POLLIN }, { .fd = err_fd, .events = POLLIN } };
    char piece[16384];

    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            if (p[i].fd < 0 || !p[i].revents)
                continue;
            const ssize_t n = read(p[i].fd, piece, sizeof(piece));
            if (n > 0)
                take(i == 0 ? out : err, piece, (size_t)n);
            else if (n == 0 || errno != EINTR)
                p[i].fd = -1;
        }
    }
}

static _Noreturn void become(const char *const argv[], const char *dir, const int out[2],
                             const int err[2])
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    setenv("LC_ALL", "C", 1);
    if (!dir || chdir(dir) == 0)
        execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s\n", strerror(errno));
    _exit(127);
}

static void complain(const char *program, int status, struct output *err, char *why, size_t size)
{
    while (err->len > 0 && strchr(" \n\r\t", err->text[err->len - 1]))
        err->text[--err->len] = '\0';
    const char *line = strrchr(err->text, '\n'), *first = strstr(err->text, "\nE: ");

    line = line ? line + 1 : err->text;
    const bool at_once = strncmp(err->text, "E: ", 3) == 0;

    if (first || at_once) { /* apt: the cause comes first */
        line = at_once ? err->text : first + 1;
        *strchrnul(line, '\n') = '\0';
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        snprintf(why, size, "%s cannot be run: %s", program, line);
    else if (WIFSIGNALED(status))
        snprintf(why, size, "%s died of signal %d", program, WTERMSIG(status));
    else
        snprintf(why, size, "%s: %s", program, *line ? line : "failed and does not say why");
}

int command_run(const char *const argv[], const char *dir, char **out, char *why, size_t why_size)
{
    int out_pipe[2] = { -1, -1 }, err_pipe[2] = { -1, -1 }, status = 0, result = -1;
    struct output o = { .text = calloc(1, COMMAND_OUT_MAX + 1), .max = COMMAND_OUT_MAX };
    struct output e = { .text = calloc(1, COMPLAINT_BYTES + 1),
                        .max = COMPLAINT_BYTES,
                        .keep_end = true };

    if (!o.text || !e.text || pipe2(out_pipe, O_CLOEXEC) < 0 || pipe2(err_pipe, O_CLOEXEC) < 0) {
        snprintf(why, why_size, "%s: %s", argv[0], strerror(errno));
        goto no_child;
    }
    const pid_t pid = fork();
    if (pid < 0) {
        snprintf(why, why_size, "%s: %s", argv[0], strerror(errno));
        goto no_child;
    }
    if (pid == 0)
        become(argv, dir, out_pipe, err_pipe);
    close(out_pipe[1]);
    close(err_pipe[1]);
    out_pipe[1] = err_pipe[1] = -1;
    read_both(out_pipe[0], &o, err_pipe[0], &e);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        complain(argv[0], status, &e, why, why_size);
    else if (o.too_much)
        snprintf(why, why_size, "%s says more than %u bytes", argv[0], COMMAND_OUT_MAX);
    else
        result = 0;
no_child:
    for (int i = 0; i < 2; i++) {
        if (out_pipe[i] >= 0)
            close(out_pipe[i]);
        if (err_pipe[i] >= 0)
            close(err_pipe[i]);
    }
    if (result == 0 && out) {
        *out = o.text;
        o.text = NULL;
    }
    free(o.text);
    free(e.text);
    return result;
}
