/*
 * vmm_lines.c - a stranger at the other end of a channel of JSON lines: whatever comes, in whatever
 * pieces, every request of ours ends once, nothing is read after the end, and the channel may be
 * freed from any callback.
 */
#include "input.h"
#include "lines.h"

#include <assert.h>
#include <ev.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
    struct vmm_lines *l;
    struct vmm_call *held;
    unsigned asked, ended;
    uint8_t what; /* to do in the next callback */
};

/* In callbacks: as the stranger's bytes choose. */
static void disturb(struct end *e)
{
    const uint8_t what = e->what;

    e->what = 0;
    if (!e->l)
        return;
    if (what % 8 == 1)
        vmm_lines_pause(e->l);
    else if (what % 8 == 2)
        vmm_lines_finish(e->l);
    else if (what % 8 == 3) {
        struct vmm_lines *l = e->l;

        e->l = NULL;
        vmm_lines_free(l);
    } else if (what % 8 == 4)
        vmm_lines_send(e->l, json_pack("{s:i}", "n", what));
}

static void on_answer(void *user, enum vmm_answer kind, json_t *m, const char *why)
{
    struct end *e = user;

    assert(kind == VMM_FAILED || m);
    assert(!strchr(why, '\n'));
    e->ended += kind != VMM_PART;
    disturb(e);
}

static void on_call(void *user, struct vmm_call *call, json_t *m)
{
    struct end *e = user;

    assert(json_object_get(m, "do"));
    if (e->held)
        vmm_call_error(e->held, "another came");
    vmm_call_part(call, json_pack("{s:s}", "out", "x"));
    e->held = call;
    disturb(e);
}

static void on_message(void *user, json_t *m)
{
    assert(json_is_object(m));
    disturb(user);
}

static void on_closed(void *user, const char *why)
{
    assert(*why && !strchr(why, '\n'));
    disturb(user);
}

static const struct vmm_lines_handler handler = { .on_call = on_call,
                                                  .on_message = on_message,
                                                  .on_closed = on_closed };

static void ask(struct end *e)
{
    if (e->l && vmm_lines_ask(e->l, json_object(), 0, on_answer, e))
        e->asked++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };
    struct ev_loop *loop = ev_loop_new(EVBACKEND_SELECT);
    struct end e = { 0 };
    char why[200];
    int fd[2];

    must(loop && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
    must(vmm_lines_new(&e.l, loop, fd[0], &handler, &e, why, sizeof why) == 0);
    ask(&e);
    ask(&e);
    while (input_left(&in) && e.l) {
        size_t len = input_u8(&in);
        const uint8_t *bytes;

        e.what = input_u8(&in);
        bytes = input_bytes(&in, &len);
        (void)!send(fd[1], bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int i = 0; i < 3; i++)
            ev_run(loop, EVRUN_NOWAIT);
        if (e.l && e.what % 8 == 1)
            vmm_lines_resume(e.l);
    }
    close(fd[1]);
    for (int i = 0; i < 10; i++)
        ev_run(loop, EVRUN_NOWAIT);
    vmm_lines_free(e.l);
    e.l = NULL;
    if (e.held)
        vmm_call_ok(e.held, NULL);
    assert(e.asked == e.ended);
    ev_loop_destroy(loop);
    return 0;
}
