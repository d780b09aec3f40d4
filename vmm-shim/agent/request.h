/*
 * request.h - one line of the host, read and checked.
 *
 *     {"id":7, "do":"exec", "argv":["svc-player",..], "env":{"A":"b"}, "stdin":true,
 * "detach":false, "name":"player", "sched":"fifo"|"rr"|"nice"|"deadline", "priority":50,
 * "budget_ns":.., "period_ns":..}
 *     {"id":7, "in":"text"} | {"id":7, "in64":".."} | {"id":7, "eof":true}      to that command
 *     {"id":8, "do":"kill", "name":"player" | "of":7, "signal":15}
 *     {"id":8, "do":"hold" | "go-on", "name":"player" | "of":7}     its output waits in its pipes
 *     {"id":9, "do":"time", "ns":1700000000000000000}
 *     {"id":9, "do":"address", "mac":"52:54:00:00:02:81", "address":"10.77.0.102"}
 *     {"id":9, "do":"ping" | "announce" | "poweroff" | "stats"}
 *
 * Pure: bytes in, a struct out. The host is trusted to command, not to be free of errors: whatever
 * comes, the answer is a request or one line that says what is wrong.
 */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_ARGS_MAX 128
#define REQUEST_ENV_MAX 128
#define REQUEST_NAME_MAX 32  /* bytes with NUL */
#define REQUEST_IN_MAX 65536 /* bytes of input in one line */

enum request_kind {
    REQUEST_EXEC,
    REQUEST_INPUT,
    REQUEST_KILL,
    REQUEST_HOLD,
    REQUEST_GO_ON,
    REQUEST_PING,
    REQUEST_TIME,
    REQUEST_ANNOUNCE,
    REQUEST_ADDRESS,
    REQUEST_POWEROFF,
    REQUEST_STATS,
};

enum request_sched { SCHED_USUAL, SCHED_AS_FIFO, SCHED_AS_RR, SCHED_AS_NICE, SCHED_AS_DEADLINE };

struct request {
    json_t *json; /* owner of every string below */
    int64_t id;
    enum request_kind kind;
    /* exec */
    const char *argv[REQUEST_ARGS_MAX + 1], *env_name[REQUEST_ENV_MAX], *env_value[REQUEST_ENV_MAX];
    size_t n_env;
    bool takes_input, detach;
    enum request_sched sched;
    int priority;
    uint64_t budget_ns, period_ns;
    /* exec, kill, hold, go-on */
    const char *name; /* NULL: none */
    int64_t of;       /* not exec: id of an exec, -1: by name */
    int signal;
    /* time */
    uint64_t ns;
    /* address */
    uint8_t mac[6];
    uint32_t ip; /* network byte order */
    /* input */
    const uint8_t *in; /* NULL: none */
    size_t in_len;
    bool eof;
    uint8_t *decoded; /* of in64; owned */
};

/* 0, or -1 with `why`; *id is the request's when it had one, else -1. */
int request_read(struct request *r, const char *line, size_t len, int64_t *id, char *why,
                 size_t why_size);
/* Legal after a failed read, and twice. */
void request_fini(struct request *r);

/* Bytes decoded into `out` (room for 3/4 of the text), or -1. */
long base64_decode(const char *text, size_t len, uint8_t *out);
/* Text with NUL into `out` of at least 4 * ((len + 2) / 3) + 1 bytes. */
void base64_encode(const uint8_t *bytes, size_t len, char *out);

#endif
