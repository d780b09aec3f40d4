/*
 * udp.h - one UDP socket of the driver: opened on an interface or address, read and written in
 * messages with the local address and the ECN bits beside each. No protocol in here.
 *
 * A message is one datagram, or several of one size to one place back to back: the kernel joins
 * those that arrive together (UDP_GRO) and cuts those that leave (UDP_SEGMENT), so that one system
 * call and one walk through its layers move 64 KiB. Where it cannot, messages of one datagram are
 * read and written, many per call.
 */
#ifndef TVL_DRIVER_UDP_H
#define TVL_DRIVER_UDP_H

#include <tvl/tvl.h>

#define TVL_UDP_MESSAGE_MAX 65536u     /* bytes of a message */
#define TVL_UDP_READS 8                /* messages read per system call: half a megabyte */
#define TVL_UDP_WRITES 64              /* messages written per system call */
#define TVL_UDP_BUFFER_BYTES (4 << 20) /* socket buffer wished for, each direction */

/* Read "ADDRESS:PORT" or "[ADDRESS]:PORT"; a host name is resolved when `resolve` says so. 0 or
 * TVL_ERR_ARG. */
enum tvl_udp_names { TVL_UDP_NUMERIC, TVL_UDP_RESOLVE };
int tvl_udp_parse(struct sockaddr_storage *out, const char *text, enum tvl_udp_names names);

/* All addresses of the host, at most `cap`; how many, or TVL_ERR_ARG. */
int tvl_udp_parse_all(struct sockaddr_storage *out, size_t cap, const char *text);

/* Address alone, port 0. */
int tvl_udp_parse_host(struct sockaddr_storage *out, const char *text);

socklen_t tvl_udp_len(const struct sockaddr_storage *addr);

struct tvl_udp_options {
    const char *interface;           /* NULL: any */
    struct sockaddr_storage bind_to; /* family set; port 0: any */
    bool share_port;                 /* with other sockets of ours: SO_REUSEPORT */
};

struct tvl_udp {
    int fd;
    struct sockaddr_storage bound;
    bool joins; /* the kernel cuts messages of several datagrams; found out by trying */
    bool timed; /* the kernel keeps a datagram until its release_at, if its queue is fq or etf */
};

/* A non-blocking socket, or TVL_ERR_SYS with errno set and `what` saying which step failed. */
int tvl_udp_open(struct tvl_udp *out, const struct tvl_udp_options *o, const char **what);

struct tvl_udp_message {
    struct tvl_datagram dgram; /* .segment: bytes of each datagram but the last */
    uint8_t *bytes;
};

/*
 * How many were read [0, TVL_UDP_READS]; 0 when there is none. The caller gives each its `bytes`,
 * of TVL_UDP_MESSAGE_MAX; the port of the socket is put into the local address. A datagram above
 * TVL_DATAGRAM_MAX is none of ours: its dgram.len is 0.
 */
size_t tvl_udp_read(const struct tvl_udp *u, struct tvl_udp_message in[TVL_UDP_READS]);

/*
 * How many of `n` were taken by the kernel; one the network refuses counts as taken (it is lost, as
 * the wire could lose it), and `error` gets the last such errno, else 0. Fewer than n: the socket
 * is full.
 */
size_t tvl_udp_write(struct tvl_udp *u, const struct tvl_udp_message *m, size_t n, int *error);

#endif
