/*
 * client.c - a command's side of the keeper's control socket. See client.h.
 */
#include "slice/client.h"
#include "cmd/command.h"
#include "lines.h"
#include "slice/place.h"
#include "slice/text.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_BYTES 1024
#define ENDS_MS 5000             /* a keeper that has cleared all away only has to exit */
#define MADE_MS 50               /* between looks at a slice that has no keeper yet */
#define INPUT_BYTES 16384        /* read of standard input at once */
#define WINDOW_BYTES (128 << 10) /* of input that the program has not read, before we read more */

struct asking {
    struct ev_loop *loop;
    struct vmm_lines *lines;
    uint64_t id;
    struct vmm_ask_more *more;
    json_t *ok;
    bool ended;
    char *why;
    size_t why_size;
    ev_io input;
    long ahead; /* bytes of input that were sent and not taken */
    ev_signal signal[3];
};

static void end(struct asking *a)
{
    a->ended = true;
    ev_break(a->loop, EVBREAK_ALL);
}

static void print_part(const json_t *m, const char *key, FILE *to)
{
    size_t n;
    char *bytes = vmm_text_get(m, key, &n);
    if (bytes && n)
        fwrite(bytes, 1, n, to);
    fflush(to);
    free(bytes);
}

/* The program has read so much of its input. */
static void taken(struct asking *a, json_int_t bytes)
{
    a->ahead -= (long)bytes;
    if (a->more->input && a->ahead < WINDOW_BYTES)
        ev_io_start(a->loop, &a->input);
}

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct asking *a = user;
    switch (kind) {
    case VMM_PART:
        taken(a, json_integer_value(json_object_get(m, "taken")));
        if (!a->more->quiet) {
            print_part(m, "out", stdout);
            print_part(m, "err", stderr);
        }
        break;
    case VMM_DONE:
        a->ok = json_incref(json_object_get(m, "ok"));
        if (!a->ok)
            snprintf(a->why, a->why_size, "the keeper's answer is not understood");
        end(a);
        break;
    case VMM_FAILED: {
        json_t *code = json_object_get(m, "exit");
        a->more->exit_code =
            json_is_integer(code) ? (int)json_integer_value(code) : VMM_EXIT_FAILED;
        snprintf(a->why, a->why_size, "%s", m ? why : "the keeper of the slice has ended");
        end(a);
        break;
    }
    }
}

static void on_input(struct ev_loop *loop, ev_io *w, int events)
{
    struct asking *a = w->data;
    char bytes[INPUT_BYTES];
    (void)events;
    ssize_t n = read(w->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    json_t *m = json_pack("{s:I}", "id", (json_int_t)a->id);
    if (n > 0)
        vmm_text_put(m, "in", bytes, (size_t)n);
    else
        json_object_set_new(m, "eof", json_true());
    vmm_lines_send(a->lines, m);
    if (n <= 0)
        a->more->input = false;
    a->ahead += n > 0 ? n : 0;
    if (n <= 0 || a->ahead >= WINDOW_BYTES)
        ev_io_stop(loop, w);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
    struct asking *a = w->data;
    (void)events;
    (void)loop;
    if (a->more->signal) { /* the second one: whoever pressed does not want to wait */
        a->more->exit_code = 128 + w->signum;
        snprintf(a->why, a->why_size, "interrupted; the slice may still run");
        end(a);
        return;
    }
    a->more->signal = w->signum;
    json_t *m = a->more->on_signal(w->signum);
    if (!m)
        return;
    if (json_object_get(m, "do")) {
        vmm_lines_ask(a->lines, m, 0, vmm_lines_ignore, NULL);
    } else {
        json_object_set_new(m, "id", json_integer((json_int_t)a->id));
        vmm_lines_send(a->lines, m);
    }
}

/* Standard input as ev can watch it: a file and /dev/null are always readable, which epoll refuses
 * and libev then sees to. */
static void start_watchers(struct asking *a)
{
    static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
    sigset_t let_through;
    sigemptyset(&let_through);
    ev_io_init(&a->input, on_input, STDIN_FILENO, EV_READ);
    a->input.data = a;
    if (a->more->input)
        ev_io_start(a->loop, &a->input);
    for (size_t i = 0; i < 3 && a->more->signals; i++) {
        ev_signal_init(&a->signal[i], on_signal, caught[i]);
        a->signal[i].data = a;
        ev_signal_start(a->loop, &a->signal[i]);
        sigaddset(&let_through, caught[i]);
    }
    sigprocmask(SIG_UNBLOCK, &let_through, NULL); /* who asks may have held them until now */
}

static void stop_watchers(struct asking *a)
{
    ev_io_stop(a->loop, &a->input);
    for (size_t i = 0; i < 3 && a->more->signals; i++)
        ev_signal_stop(a->loop, &a->signal[i]);
}

int vmm_ask_only(char *slice, size_t size, char *why, size_t why_size)
{
    char **names;
    int n = vmm_place_list(&names, why, why_size), alive = 0;
    for (int i = 0; i < n; i++) {
        if (vmm_place_alive(names[i], NULL) && alive++ == 0)
            snprintf(slice, size, "%s", names[i]);
        free(names[i]);
    }
    free(names);
    if (n < 0 || alive == 1)
        return n < 0 ? -1 : 0;
    snprintf(why, why_size,
             alive ? "several slices run; --slice NAME says which, vmm-shim ps lists them"
                   : "no slice runs; vmm-shim up FILE starts one");
    return -1;
}

static int dial(const char *slice, char *why, size_t why_size)
{
    char path[PATH_BYTES];
    pid_t holder;
    if (vmm_place_in(slice, "control", path, sizeof path, why, why_size) < 0)
        return -1;
    if (!vmm_place_alive(slice, &holder)) {
        struct stat s;
        char ended[256];
        vmm_place_ended(slice, ended, sizeof ended);
        if (vmm_place_slice(slice, path, sizeof path, why, why_size) == 0 && stat(path, &s) == 0)
            snprintf(why, why_size, "slice %s does not run, %s; vmm-shim down %s clears it", slice,
                     ended, slice);
        else
            snprintf(why, why_size, "no slice %s runs; vmm-shim ps lists those that do", slice);
        return -1;
    }
    int fd = vmm_lines_dial(path, why, why_size);
    if (fd < 0 && access(path, F_OK) < 0)
        snprintf(why, why_size, "slice %s is only being made or taken down (process %d)", slice,
                 (int)holder);
    return fd;
}

static const struct vmm_lines_handler handler = { 0 };

json_t *vmm_ask_with(const char *slice, json_t *request, struct vmm_ask_more *more, char *why,
                     size_t why_size)
{
    char only[16];
    struct asking a = { .more = more, .why = why, .why_size = why_size };
    more->exit_code = VMM_EXIT_NOTHING;
    int fd = -1;
    if ((slice && slice[0]) || vmm_ask_only(only, sizeof only, why, why_size) == 0)
        fd = dial(slice && slice[0] ? slice : only, why, why_size);
    if (fd < 0) {
        json_decref(request);
        return NULL;
    }
    more->exit_code = VMM_EXIT_FAILED;
    a.loop = ev_default_loop(0); /* signals are watched there */
    if (vmm_lines_new(&a.lines, a.loop, fd, &handler, &a, why, why_size) < 0) {
        json_decref(request);
        return NULL;
    }
    a.id = vmm_lines_ask(a.lines, request, 0, on_answer, &a);
    if (a.id) {
        start_watchers(&a);
        if (!a.ended)
            ev_run(a.loop, 0);
        stop_watchers(&a);
        vmm_lines_forget(a.lines, a.id);
    } else {
        snprintf(why, why_size, "the request is too long");
    }
    vmm_lines_free(a.lines);
    if (a.ok)
        more->exit_code = VMM_EXIT_OK;
    return a.ok;
}

json_t *vmm_ask(const char *slice, json_t *request, char *why, size_t why_size)
{
    struct vmm_ask_more more = { 0 };
    return vmm_ask_with(slice, request, &more, why, why_size);
}

static bool has_control(const char *slice)
{
    char path[PATH_BYTES], why[256];
    return vmm_place_in(slice, "control", path, sizeof path, why, sizeof why) == 0 &&
           access(path, F_OK) == 0;
}

/* Until process `pid` has ended, at most `ms`. */
static void await_end(pid_t pid, int ms)
{
    struct pollfd ends = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    if (ends.fd < 0)
        return;
    poll(&ends, 1, ms);
    close(ends.fd);
}

int vmm_ask_down(const char *slice, char *why, size_t why_size)
{
    pid_t holder;
    json_t *ok = NULL;
    if (!vmm_place_alive(slice, &holder)) {
        snprintf(why, why_size, "no slice %s runs", slice);
        return -1;
    }
    for (int try = 0; try < ENDS_MS / MADE_MS && !ok && vmm_place_alive(slice, &holder); try++) {
        struct vmm_ask_more more = { .quiet = true };
        bool asked = has_control(slice);
        ok = vmm_ask_with(slice, json_pack("{s:s}", "do", "down"), &more, why, why_size);
        if (ok || (asked && has_control(slice)))
            break;
        if (!asked)
            kill(holder, SIGTERM); /* an `up` that still makes images, and ends between two */
        await_end(holder, MADE_MS);
    }
    /* It may have been going down by itself, and gone before it read our question. */
    if (ok || !vmm_place_alive(slice, NULL))
        await_end(holder, ENDS_MS);
    int result = ok || !vmm_place_alive(slice, NULL) ? 0 : -1;
    json_decref(ok);
    return result;
}
