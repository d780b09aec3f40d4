/*
 * relay.h - the UDP side of one emulated link: sockets around two struct vlink_dir.
 *
 *     clients <──> listen socket ──> up ──> one connected socket a client <──> target
 *                                <── down <──
 *
 * All clients of a link share its two directions, as hosts share a cable. The caller's epoll loop
 * calls `ready` of the source whose descriptor is readable, and vlink_relay_send whenever
 * vlink_relay_next has come. One thread.
 */
#ifndef VLINK_RELAY_H
#define VLINK_RELAY_H

#include "dir.h"
#include "waited.h"
#include "spec.h"

#define VLINK_CLIENTS_MAX 64     /* clients of one link; then the longest silent one gives way */
#define VLINK_DATAGRAM_MAX 9216u /* bytes of UDP payload; larger ones are dropped and counted */
#define VLINK_BATCH 32           /* datagrams a system call */
#define VLINK_BATCHES_MAX 8      /* system calls a wake-up and socket, so that all get their turn */
#define VLINK_SOCKET_BUFFER (8 << 20) /* bytes wished of the kernel */

struct vlink_io; /* the receive buffers, shared by all relays of a loop */
struct vlink_io *vlink_io_new(int epoll_fd);
void vlink_io_free(struct vlink_io *io);
bool vlink_io_traffic(const struct vlink_io *io); /* a datagram has come on any relay */

struct vlink_relay_counts {
    uint64_t oversize;      /* larger than VLINK_DATAGRAM_MAX */
    uint64_t no_client;     /* no memory or descriptor for a new client, or it has gone */
    uint64_t send_failures; /* the kernel would not take it */
};

struct vlink_relay;

/*
 * Bind and be ready. `traces` are borrowed for the relay's life, NULL where there is none. 0, or -1
 * with one line in `why`.
 */
int vlink_relay_new(struct vlink_relay **out, struct vlink_io *io, const struct vlink_spec *spec,
                    const struct vlink_trace *const traces[VLINK_WAYS], uint64_t seed, char *why,
                    size_t why_size);
void vlink_relay_free(struct vlink_relay *r);

/* When vlink_relay_send has something to do; VLINK_NEVER: not before a datagram comes. */
vlink_time vlink_relay_next(const struct vlink_relay *r);
/* Send what has come out of the link until `now`. */
void vlink_relay_send(struct vlink_relay *r, vlink_time now);
/* Apply a parsed change at `now`; 0, or -1 with a line (a rate for a link with a trace). */
int vlink_relay_change(struct vlink_relay *r, const struct vlink_change *c, vlink_time now,
                       char *why, size_t why_size);

const char *vlink_relay_name(const struct vlink_relay *r);
const struct vlink_dir *vlink_relay_dir(const struct vlink_relay *r, enum vlink_way way);
const struct vlink_relay_counts *vlink_relay_counts(const struct vlink_relay *r);
size_t vlink_relay_clients(const struct vlink_relay *r);
/* "ADDRESS:PORT" it is bound to, into `text`. */
void vlink_relay_address(const struct vlink_relay *r, char *text, size_t size);

#endif
