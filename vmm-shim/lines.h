/*
 * lines.h - JSON lines over a descriptor, on libev: what keeper, commands, QEMU, agents and vlink
 * speak. One object a line; either side may ask.
 *
 *     vmm_lines_ask(l, {"do": "exec", ...}) ──► {"id": 7, "do": "exec", ...}
 *     VMM_PART, as often as it comes        ◄── {"id": 7, "out": "text"}
 *     VMM_DONE or VMM_FAILED, once          ◄── {"id": 7, "ok": {...}}  or  {"id": 7, "error":
 * "why"}
 *
 * Of a line that comes: with "do" it is a request of the other side (on_call); else with the "id"
 * of an open request of ours it is an answer, which ends the request unless it has "out", "err",
 * "out64", "err64" or "taken" (a part), and fails it when it has "error" (a text, or QMP's {"desc":
 * text}); everything else is a message (on_message): greetings, events, answers to what was given
 * up. All in the thread of the loop. Any function may be called from any callback, vmm_lines_free()
 * too.
 */
#ifndef VMM_LINES_H
#define VMM_LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_LINE_MAX (1u << 20) /* bytes of a line that comes in; a longer one ends the channel */
#define VMM_LINES_QUEUE_MAX (4u << 20) /* bytes that wait for the other side to read */
#define VMM_LINES_ASKS_MAX 256         /* open requests of ours */
#define VMM_LINES_CALLS_MAX 64         /* open requests of theirs; more are refused */

struct ev_loop;
struct vmm_lines;
struct vmm_call;

enum vmm_answer { VMM_PART, VMM_DONE, VMM_FAILED };

/*
 * What comes to a request. `m`: the whole line, borrowed; NULL when VMM_FAILED without an answer
 * (no answer in time, channel closed). `why`: of VMM_FAILED, one line; else "". After VMM_DONE or
 * VMM_FAILED nothing more comes; one of them always comes, also when the channel is freed, unless
 * vmm_lines_forget() was called.
 */
typedef void vmm_answer_fn(void *user, enum vmm_answer kind, json_t *m, const char *why);

/* For requests whose answer nobody waits for. */
vmm_answer_fn vmm_lines_ignore;

/* Each may be NULL. `m` is borrowed. */
struct vmm_lines_handler {
    /* The other side asks `m`. `call` is ours until it is ended (vmm_call_ok(), vmm_call_error()),
     * now or later. NULL: every request is refused. */
    void (*on_call)(void *user, struct vmm_call *call, json_t *m);
    void (*on_message)(void *user, json_t *m);
    /* A line that is no JSON object. NULL: the other side is told {"error": why}. */
    void (*on_bad)(void *user, const char *why);
    /* Once, when the other side has closed or the channel has failed; all requests have been ended
     * before. Free the channel here or later. Not called by vmm_lines_free(). */
    void (*on_closed)(void *user, const char *why);
    /* All that was queued has been written. */
    void (*on_drained)(void *user);
};

/* Takes `fd` (stream socket, character device, pipe), also on failure. `handler` and `user` are
 * borrowed for the channel's life. 0, or -1 with one line. */
int vmm_lines_new(struct vmm_lines **out, struct ev_loop *loop, int fd,
                  const struct vmm_lines_handler *handler, void *user, char *why, size_t why_size);
/* Closes; what is queued is lost, open requests of ours fail with "closed". NULL allowed. */
void vmm_lines_free(struct vmm_lines *l);
/* Nothing more is sent or read; when what is queued is written, closes and calls on_closed. */
void vmm_lines_finish(struct vmm_lines *l);

/* Sends an object as it is; takes it. 0, or -1: closed, or the queue is full (nothing is sent). */
int vmm_lines_send(struct vmm_lines *l, json_t *m);
/* Sends an object with an "id" of ours; takes it. `timeout_s`: at most this long to the first part,
 * between parts, and to the end; 0: for ever. The id, or 0: nothing was sent, `fn` is not called.
 */
uint64_t vmm_lines_ask(struct vmm_lines *l, json_t *m, double timeout_s, vmm_answer_fn *fn,
                       void *user);
/* A copy of `fd` goes along with the next bytes (SCM_RIGHTS; QMP's getfd). 0 or -1. */
int vmm_lines_carry(struct vmm_lines *l, int fd);
/* `fn` of this request is not called any more. An unknown id is allowed. */
void vmm_lines_forget(struct vmm_lines *l, uint64_t id);

/*
 * The other side has moved here: what is open on `from`, and the line that has half come there, go
 * on here; what is still to be read there is read first. Ids given here afterwards are above those
 * of `from`; call it before anything has been asked or read here (vmm_lines_pause()).
 */
void vmm_lines_adopt(struct vmm_lines *l, struct vmm_lines *from);
/* Ids that are given from now on are above `id`: those may be in use with the other side. */
void vmm_lines_number_from(struct vmm_lines *l, uint64_t id);
/* Answers to `id`, which was asked by somebody before us, go to `fn`. 0, or -1: too many. */
int vmm_lines_expect(struct vmm_lines *l, uint64_t id, vmm_answer_fn *fn, void *user);

/* Bytes that wait to be written. */
size_t vmm_lines_queued(const struct vmm_lines *l);
/* Stop and go on reading: who passes things on to a slower one. Closing is noticed when reading. */
void vmm_lines_pause(struct vmm_lines *l);
void vmm_lines_resume(struct vmm_lines *l);

/*
 * Answers to a request of the other side. A call outlives its channel: then nothing is sent, but it
 * must be ended all the same. A client that does not read (queue full) is closed.
 */
/* Adds "id" to `m`, an object with what makes it a part; takes it. 0, or -1: nobody
 * listens any more. */
int vmm_call_part(struct vmm_call *call, json_t *m);
/* {"id":, "ok": value}; takes `value`, NULL: {}. Ends the call. */
void vmm_call_ok(struct vmm_call *call, json_t *value);
/* {"id":, "error": text}. Ends the call. */
void vmm_call_error(struct vmm_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds "id" to `m` and sends it as the last line; takes it. For ends with other names ("exit"). */
void vmm_call_end(struct vmm_call *call, json_t *m);
/* `fn` is called once when the other side has gone before the end; the call is still to be ended,
 * within `fn` or later. */
void vmm_call_on_gone(struct vmm_call *call, void (*fn)(void *user), void *user);
/* The channel it came by; NULL: gone. Bytes queued there: vmm_lines_queued(). */
struct vmm_lines *vmm_call_channel(const struct vmm_call *call);

/* Connects to the unix stream socket `path`. A descriptor, or -1 with one line. */
int vmm_lines_dial(const char *path, char *why, size_t why_size);

#endif
