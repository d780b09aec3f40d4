/*
 * client.h - a command's side of the keeper's control socket: one request, answers as they come.
 *
 * Blocking, for programs that do nothing else.
 *
 *     json_t *ok = vmm_ask("lab", json_pack("{s:s, s:s}", "do", "suspend", "node", "player"),
 *                          NULL, NULL, why, sizeof why);
 */
#ifndef VMM_CLIENT_H
#define VMM_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/* An answer on the way: {"id":N,"out":...}, {"id":N,"err":...}. Borrowed.
 */
typedef void vmm_ask_out(void *ctx, json_t *line);

/*
 * Sends `request` (taken; "do" names it, "id" is added) to the keeper of `slice` and waits for its
 * end. Returns the value of "ok" (to be given back with json_decref), or NULL and `why`. `slice`
 * NULL or "": the only slice that runs. `out` NULL: "out" and "err" go to
 * standard output and error.
 */
json_t *vmm_ask(const char *slice, json_t *request, vmm_ask_out *out, void *ctx, char *why,
                size_t why_size);

/* The slice that is meant when none is named: the only one that runs. 0, or -1 and `why`. */
int vmm_ask_only(char *slice, size_t size, char *why, size_t why_size);

#endif
