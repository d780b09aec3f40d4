/* command.c - see command.h. */
#include "agent/command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/spawn.h"

#define PIECE 4096
#define PIECE_SAID (6 * (PIECE + 4) + 64) /* bytes of a line at most: every byte as \u00XX */
#define TAIL_MAX 3                        /* bytes of a character whose rest has not come */

enum which { OUT, ERR, IN, STREAMS };

struct stream {
    int fd; /* -1: closed */
    bool watched;
    char tail[TAIL_MAX];
    size_t tail_len;
    uint64_t lost;
};

struct command {
    bool used, ended, detached;
    bool held; /* its output is not wanted now */
    int status;
    int64_t id;
    pid_t pid;
    char name[REQUEST_NAME_MAX], program[64];
    struct stream stream[STREAMS];
    uint8_t *input; /* COMMAND_INPUT_MAX, or NULL */
    size_t input_len;
    bool input_ends;
};

struct commands {
    int epoll;
    struct port *port;
    struct command command[COMMANDS_MAX];
};

struct commands *commands_new(int epoll, struct port *port)
{
    struct commands *c = calloc(1, sizeof(*c));

    if (c)
        *c = (struct commands){ .epoll = epoll, .port = port };
    return c;
}

static uint64_t tag(const struct commands *c, const struct command *k, enum which w)
{
    return (uint64_t)(k - c->command) * STREAMS + w;
}

static void watch(struct commands *c, struct command *k, enum which w, bool on)
{
    struct stream *s = &k->stream[w];
    struct epoll_event e = { .events = w == IN ? EPOLLOUT : EPOLLIN, .data.u64 = tag(c, k, w) };

    if (s->fd < 0 || s->watched == on)
        return;
    if (epoll_ctl(c->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->fd, &e) == 0)
        s->watched = on;
}

static void close_stream(struct commands *c, struct command *k, enum which w)
{
    watch(c, k, w, false);
    if (k->stream[w].fd >= 0)
        close(k->stream[w].fd);
    k->stream[w].fd = -1;
}

static void answer(struct commands *c, int64_t id, const char *key, json_t *value)
{
    port_say(c->port, json_pack("{s:I,s:o}", "id", (json_int_t)id, key, value));
}

static struct command *find_id(struct commands *c, int64_t id)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++)
        if (c->command[i].used && c->command[i].id == id)
            return &c->command[i];
    return NULL;
}

static struct command *slot(struct commands *c)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++)
        if (!c->command[i].used)
            return &c->command[i];
    return NULL;
}

void commands_exec(struct commands *c, const struct request *r)
{
    char why[256];
    struct spawned s;
    struct command *k = slot(c);

    if (!k || find_id(c, r->id)) {
        answer(c, r->id, "error",
               json_string(k ? "a command with this id runs" : "64 commands run already"));
        return;
    }
    *k = (struct command){ .id = r->id, .detached = r->detach };
    if (r->takes_input && !(k->input = malloc(COMMAND_INPUT_MAX))) {
        answer(c, r->id, "error", json_string("no memory"));
        return;
    }
    if (spawn(r, &s, why, sizeof(why)) < 0) {
        free(k->input);
        answer(c, r->id, "error", json_string(why));
        return;
    }
    k->used = true;
    k->pid = s.pid;
    k->stream[OUT].fd = s.out;
    k->stream[ERR].fd = s.err;
    k->stream[IN].fd = s.in;
    snprintf(k->name, sizeof(k->name), "%s", r->name ? r->name : "");
    snprintf(k->program, sizeof(k->program), "%.63s", r->argv[0]);
    watch(c, k, OUT, true);
    watch(c, k, ERR, true);
    if (r->detach)
        answer(c, r->id, "ok", json_pack("{s:i}", "pid", (int)s.pid));
}

/* Bytes at the end that begin a UTF-8 character and do not finish it. */
static size_t unfinished(const char *text, size_t len)
{
    for (size_t back = 1; back <= TAIL_MAX && back <= len; back++) {
        const unsigned char b = (unsigned char)text[len - back];
        if ((b & 0xc0) == 0x80)
            continue;
        const size_t whole = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc0 ? 2 : 1;
        return whole > back ? back : 0;
    }
    return 0;
}

static void say_output(struct commands *c, const struct command *k, enum which w, const char *text,
                       size_t len)
{
    json_t *value = memchr(text, '\0', len) ? NULL : json_stringn(text, len);
    char coded[4 * ((PIECE + TAIL_MAX + 2) / 3) + 1];

    if (value) {
        answer(c, k->id, w == OUT ? "out" : "err", value);
        return;
    }
    base64_encode((const uint8_t *)text, len, coded);
    answer(c, k->id, w == OUT ? "out64" : "err64", json_string(coded));
}

static void finish(struct commands *c, struct command *k)
{
    const bool by_signal = WIFSIGNALED(k->status);

    for (enum which w = OUT; w < STREAMS; w++) {
        if (k->stream[w].tail_len)
            say_output(c, k, w, k->stream[w].tail, k->stream[w].tail_len);
        if (k->stream[w].lost)
            answer(c, k->id, w == OUT ? "out_lost" : "err_lost",
                   json_integer((json_int_t)k->stream[w].lost));
        close_stream(c, k, w);
    }
    free(k->input);
    k->input = NULL;
    k->used = false;
    if (!k->detached)
        answer(c, k->id, by_signal ? "signal" : "exit",
               json_integer(by_signal ? WTERMSIG(k->status) : WEXITSTATUS(k->status)));
}

/* One piece; false: nothing more now. */
static bool pass_on(struct commands *c, struct command *k, enum which w)
{
    struct stream *s = &k->stream[w];
    char piece[PIECE + TAIL_MAX];
    const bool room = port_room(c->port) >= PIECE_SAID;

    if (s->fd < 0)
        return false;
    if (k->held || (!room && c->port->connected)) {
        watch(c, k, w, false); /* until commands_resume() or commands_hold() */
        return false;
    }
    memcpy(piece, s->tail, s->tail_len);
    const ssize_t n = read(s->fd, piece + s->tail_len, PIECE);
    if (n == 0)
        close_stream(c, k, w);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    if (!room) {
        s->lost += (uint64_t)n;
        return true;
    }
    const size_t len = s->tail_len + (size_t)n, tail = unfinished(piece, len);
    memcpy(s->tail, piece + len - tail, tail);
    s->tail_len = tail;
    if (len > tail)
        say_output(c, k, w, piece, len - tail);
    return true;
}

/* An ended command is done when all it wrote has been passed on. */
static void finish_if_done(struct commands *c, struct command *k)
{
    if (!k->used || !k->ended)
        return;
    for (enum which w = OUT; w <= ERR; w++) {
        while (pass_on(c, k, w))
            ;
        if (k->stream[w].fd >= 0 && !k->stream[w].watched)
            return; /* held up */
    }
    finish(c, k);
}

static void feed(struct commands *c, struct command *k)
{
    struct stream *s = &k->stream[IN];
    size_t taken = 0;

    while (k->input_len > 0 && s->fd >= 0) {
        const ssize_t n = write(s->fd, k->input, k->input_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* it does not read any more */
            taken += k->input_len;
            k->input_len = 0;
            close_stream(c, k, IN);
            break;
        }
        taken += (size_t)n;
        memmove(k->input, k->input + n, k->input_len - (size_t)n);
        k->input_len -= (size_t)n;
    }
    if (taken)
        answer(c, k->id, "taken", json_integer((json_int_t)taken));
    watch(c, k, IN, k->input_len > 0);
    if (k->input_len == 0 && k->input_ends)
        close_stream(c, k, IN);
}

int commands_input(struct commands *c, const struct request *r, char *why, size_t why_size)
{
    struct command *k = find_id(c, r->id);

    if (k && k->input && !k->input_ends && k->stream[IN].fd < 0) { /* it has closed its input */
        answer(c, k->id, "taken", json_integer((json_int_t)r->in_len));
        return 0;
    }
    if (!k || !k->input || k->input_ends) {
        snprintf(why, why_size, "no command with this id takes input");
        return -1;
    }
    if (r->in_len > COMMAND_INPUT_MAX - k->input_len) {
        snprintf(why, why_size, "the command does not read its input: 262144 bytes wait");
        return -1;
    }
    if (r->in_len)
        memcpy(k->input + k->input_len, r->in, r->in_len);
    k->input_len += r->in_len;
    k->input_ends = r->eof;
    feed(c, k);
    return 0;
}

static bool is_meant(const struct command *k, const struct request *r)
{
    return k->used && (r->name ? strcmp(k->name, r->name) == 0 : k->id == r->of);
}

static int nobody(const struct request *r, char *why, size_t why_size)
{
    if (r->name)
        snprintf(why, why_size, "no command called %s runs", r->name);
    else
        snprintf(why, why_size, "no command with this id runs");
    return -1;
}

int commands_kill(struct commands *c, const struct request *r, char *why, size_t why_size)
{
    int found = 0;

    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        const struct command *k = &c->command[i];
        if (!is_meant(k, r) || k->ended)
            continue;
        found++;
        if (kill(-k->pid, r->signal) < 0)
            kill(k->pid, r->signal);
    }
    return found ? 0 : nobody(r, why, why_size);
}

static void go_on(struct commands *c, struct command *k)
{
    watch(c, k, OUT, true);
    watch(c, k, ERR, true);
    finish_if_done(c, k);
}

int commands_hold(struct commands *c, const struct request *r, bool on, char *why, size_t why_size)
{
    int found = 0;

    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        struct command *k = &c->command[i];
        if (!is_meant(k, r))
            continue;
        found++;
        k->held = on;
        if (!on)
            go_on(c, k);
    }
    return found ? 0 : nobody(r, why, why_size);
}

void commands_work(struct commands *c, uint64_t data)
{
    struct command *k = &c->command[data / STREAMS % COMMANDS_MAX];
    const enum which w = (enum which)(data % STREAMS);

    if (!k->used)
        return;
    if (w == IN)
        feed(c, k);
    else
        pass_on(c, k, w);
    finish_if_done(c, k);
}

void commands_ended(struct commands *c, pid_t pid, int status)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        struct command *k = &c->command[i];
        if (!k->used || k->ended || k->pid != pid)
            continue;
        k->ended = true;
        k->status = status;
        finish_if_done(c, k);
    }
}

void commands_resume(struct commands *c)
{
    const bool room = port_room(c->port) >= PIECE_SAID || !c->port->connected;

    for (size_t i = 0; i < COMMANDS_MAX && room; i++) {
        struct command *k = &c->command[i];
        if (k->used && !k->held)
            go_on(c, k);
    }
}

json_t *commands_list(const struct commands *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        const struct command *k = &c->command[i];
        if (k->used)
            json_array_append_new(all, json_pack("{s:I,s:s,s:i,s:s,s:b}", "id", (json_int_t)k->id,
                                                 "name", k->name, "pid", (int)k->pid, "program",
                                                 k->program, "detached", (int)k->detached));
    }
    return all;
}
