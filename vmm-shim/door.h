/*
 * door.h - a unix stream socket in the file system that others connect to, on libev.
 */
#ifndef VMM_DOOR_H
#define VMM_DOOR_H

#include <stddef.h>

struct ev_loop;
struct vmm_door;

/*
 * Listens at `path`, for this user alone (mode 0600); what a dead program left there is taken over,
 * a socket where somebody answers is refused. `on_guest` gets each connection's descriptor and owns
 * it. 0, or -1 with one line.
 */
int vmm_door_new(struct vmm_door **out, struct ev_loop *loop, const char *path,
                 void (*on_guest)(void *user, int fd), void *user, char *why, size_t why_size);
/* Stops and removes the socket. NULL allowed. */
void vmm_door_free(struct vmm_door *d);

#endif
