/*
 * port.h - the sockets of a link's ports: unix datagrams (QEMU's -netdev dgram), taps, and packet
 * sockets on veths.
 *
 * Frames that the other side has no room for wait here, VLINK_PORT_QUEUE of them, and are tried
 * again; the kernel takes only a few datagrams for a unix socket (net.unix.max_dgram_qlen).
 */
#ifndef VLINK_PORT_H
#define VLINK_PORT_H

#include <sys/types.h>

#include "link.h"
#include "waited.h"

#define VLINK_PORT_QUEUE 512u /* frames that wait for the other side's room */
#define VLINK_PORT_BATCH 32u  /* frames a system call */
#define VLINK_PORT_BATCHES 2u /* system calls a wake-up and port, so that all get a turn */
/* A port that has so many frames of a wake-up lost at once, as to a full queue, is not read for so
 * long: a flood costs no more CPU than it must. */
#define VLINK_PORT_REST_NS 500000u
#define VLINK_PORT_REST_LEAST 8u    /* frames; the kernel holds 11 of a unix socket */
#define VLINK_PORT_BUFFER (4 << 20) /* bytes wished of the kernel, each way */
/* After the other side had no room: at first, doubled up to, and once it has had none for a while.
 */
#define VLINK_RETRY_FIRST_NS 100000u
#define VLINK_RETRY_LAST_NS 500000u
#define VLINK_RETRY_STALLED_NS 10000000u
#define VLINK_STALLED_NS 1000000000u
#define VLINK_SOCKET_PATH_MAX 108 /* bytes of sun_path with NUL */

enum vlink_port_kind { VLINK_PORT_UNIX, VLINK_PORT_TAP, VLINK_PORT_VETH, VLINK_PORT_KINDS };
extern const char *const vlink_port_kind_names[VLINK_PORT_KINDS];

struct vlink_unix_place {
    char local[VLINK_SOCKET_PATH_MAX], remote[VLINK_SOCKET_PATH_MAX];
    char user[VLINK_NAME_MAX]; /* who may send to local; "": we ourselves */
};

/* An interface that is made, in a network namespace. */
struct vlink_interface_place {
    char namespace_[VLINK_TEXT_MAX]; /* name (ip netns) or path; "": our own */
    char interface[16];              /* IFNAMSIZ */
    bool has_mac;
    uint8_t mac[6];
    uint32_t mtu;                      /* [68, VLINK_FRAME_MAX - 18]; 0: the kernel's */
    char address[VLINK_NAME_MAX + 32]; /* "10.77.0.1/24" or IPv6, "": none */
};

struct vlink_port_io; /* receive buffers, shared by all ports of a loop */
struct vlink_port_io *vlink_port_io_new(int epoll_fd);
void vlink_port_io_free(struct vlink_port_io *io);

struct vlink_port_io_counts {
    uint64_t oversize; /* came larger than VLINK_FRAME_MAX */
    uint64_t no_peer;  /* nobody is at the other end */
    uint64_t no_room;  /* VLINK_PORT_QUEUE was full */
    uint64_t failed;   /* the kernel would not take it */
};

struct vlink_port;

/* Opens, and joins `l` as port `name`. 0, or -1 with one line in `why`. */
int vlink_port_open_unix(struct vlink_port **out, struct vlink_port_io *io, struct vlink_link *l,
                         const char *name, enum vlink_way side,
                         const struct vlink_unix_place *place, char *why, size_t why_size);
int vlink_port_open_interface(struct vlink_port **out, struct vlink_port_io *io,
                              struct vlink_link *l, const char *name, enum vlink_way side,
                              enum vlink_port_kind kind, const struct vlink_interface_place *place,
                              char *why, size_t why_size);
/* Leaves the link; the interface or socket file goes with it. */
void vlink_port_close(struct vlink_port *p);

/* Gives the kernel what waits; VLINK_NEVER or when to call again. */
vlink_time vlink_port_run(struct vlink_port *p, vlink_time now);

unsigned vlink_port_place(const struct vlink_port *p); /* in the link */
enum vlink_port_kind vlink_port_kind(const struct vlink_port *p);
const struct vlink_port_io_counts *vlink_port_io_counts(const struct vlink_port *p);
size_t vlink_port_waiting(const struct vlink_port *p);

/* A unix address; -1: too long. */
struct sockaddr_un;
int vlink_unix_address(struct sockaddr_un *out, const char *path, char *why, size_t why_size);
/* Clears the way for a bind: a socket left over from a process that has gone is removed. -1: one
 * that is in use, or something else. */
int vlink_unix_clear(const char *path, char *why, size_t why_size);
/* Mode 0600, and `user` (name or number, "": nobody else) becomes its owner. */
int vlink_unix_own(const char *path, const char *user, char *why, size_t why_size);

#endif
