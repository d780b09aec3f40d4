/*
 * client.h - a command's side of the keeper's control socket: one request, answers as they come.
 *
 * Blocking, for programs that do nothing else.
 *
 *     json_t *ok = vmm_ask("lab", json_pack("{s:s, s:s}", "do", "suspend", "node", "player"), why,
 *                          sizeof why);
 */
#ifndef VMM_CLIENT_H
#define VMM_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Sends `request` (taken; "do" names it, "id" is added) to the keeper of `slice` and waits for its
 * end; "out" and "err" that come meanwhile go to standard output and error. Returns the value of
 * "ok" (to be given back with json_decref), or NULL and `why`. `slice` NULL or "": the only slice
 * that runs.
 */
json_t *vmm_ask(const char *slice, json_t *request, char *why, size_t why_size);

/* The same with more to say. Zero: as above. */
struct vmm_ask_more {
    bool input; /* standard input goes along: {"id":N,"in64":...}, at its end {"id":N,"eof":true} */
    bool quiet; /* "out" and "err" are dropped */
    bool signals; /* SIGINT, SIGTERM, SIGHUP are caught: on_signal, the second one ends us */
    /* What the keeper is told then; "do" in it makes it a request, else it goes as {"id":N,...} */
    json_t *(*on_signal)(int signal);
    int exit_code; /* out: of enum vmm_exit, why it failed */
    int signal;    /* out: the first that came, 0: none */
};

json_t *vmm_ask_with(const char *slice, json_t *request, struct vmm_ask_more *more, char *why,
                     size_t why_size);

/* Says "down" and waits until all is cleared away and the keeper has ended. 0, or -1 and `why`. */
int vmm_ask_down(const char *slice, char *why, size_t why_size);

/* The slice that is meant when none is named: the only one that runs. 0, or -1 and `why`. */
int vmm_ask_only(char *slice, size_t size, char *why, size_t why_size);

#endif
