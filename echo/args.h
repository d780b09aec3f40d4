/* args.h - the command line of tvl-echo as data. Prints nothing. Also read by the bare-metal
 * guest, whose only program this is. */
#ifndef ECHO_ARGS_H
#define ECHO_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/path_spec.h"

#define ECHO_PATHS_MAX 8
#define ECHO_TEXT_MAX 256     /* bytes of a file name or address with NUL */
#define ECHO_STREAMS_MAX 64   /* of one sender at a time */
#define ECHO_COUNT_MAX 100000 /* pings, datagrams, wake-ups */
#define ECHO_BYTES_MAX (UINT64_C(1) << 40)
#define ECHO_WHY_MAX 256

enum echo_verb {
    ECHO_SERVE,
    ECHO_SEND,
    ECHO_RELAY,
    ECHO_WAKE,
    ECHO_HELP,
    ECHO_VERSION,
    ECHO_WRONG
};

struct echo_args {
    enum echo_verb verb;
    bool json;
    char cert[ECHO_TEXT_MAX], key[ECHO_TEXT_MAX]; /* "": none */
    char ca[ECHO_TEXT_MAX];                       /* send, relay: of the server; "": the system's */
    char client_ca[ECHO_TEXT_MAX];                /* serve, relay: of clients; "": any may come */
    char alpn[32];                                /* the application's protocol, RFC 7301 */
    char cc[32], sched[32];                       /* "": the transport's default */
    /* serve, relay */
    char listen[ECHO_TEXT_MAX];
    /* send, relay: where to */
    char server[ECHO_TEXT_MAX]; /* HOST:PORT */
    char name[ECHO_TEXT_MAX];   /* that the certificate must carry */
    struct path_spec path[ECHO_PATHS_MAX];
    size_t n_paths;     /* 0: one, the system's choice */
    uint64_t bytes;     /* each way, all streams together */
    uint32_t streams;   /* [1, ECHO_STREAMS_MAX] */
    uint32_t pings;     /* round trips that are measured, one after the other */
    uint32_t datagrams; /* that are sent, and of which those that return are counted */
    uint64_t limit_us;  /* after which a sender gives up */
    /* send: between datagrams and pings; wake: period of the timer */
    uint64_t interval_us;
    uint32_t count; /* wake: how often */
};

/* Never fails but by the verb ECHO_WRONG, with one line in `why`. argv[0] is the program. */
enum echo_verb echo_args_parse(struct echo_args *out, int argc, char *const *argv, char *why,
                               size_t why_size);

extern const char echo_help[];

#endif
