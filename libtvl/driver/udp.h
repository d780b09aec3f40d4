/* udp.h - one UDP socket of the driver: opened on an interface or address, read and written in
 * batches with the local address and the ECN bits beside each datagram. No protocol in here. */
#ifndef TVL_DRIVER_UDP_H
#define TVL_DRIVER_UDP_H

#include <tvl/tvl.h>

#define TVL_UDP_BATCH 32               /* datagrams per system call */
#define TVL_UDP_BUFFER_BYTES (4 << 20) /* socket buffer wished for, each direction */

/* Read "ADDRESS:PORT" or "[ADDRESS]:PORT"; a host name is resolved when `resolve` says so. 0 or
 * TVL_ERR_ARG. */
enum tvl_udp_names { TVL_UDP_NUMERIC, TVL_UDP_RESOLVE };
int tvl_udp_parse(struct sockaddr_storage *out, const char *text, enum tvl_udp_names names);

/* Address alone, port 0. */
int tvl_udp_parse_host(struct sockaddr_storage *out, const char *text);

socklen_t tvl_udp_len(const struct sockaddr_storage *addr);

struct tvl_udp_options {
    const char *interface;           /* NULL: any */
    struct sockaddr_storage bind_to; /* family set; port 0: any */
};
/* A non-blocking socket, or TVL_ERR_SYS with errno set and `what` saying which step failed. */
int tvl_udp_open(const struct tvl_udp_options *o, const char **what);

struct tvl_udp_batch {
    struct tvl_datagram dgram[TVL_UDP_BATCH];
    uint8_t bytes[TVL_UDP_BATCH][TVL_DATAGRAM_MAX + 1]; /* + 1: a longer one shows itself */
};
/* How many were read [0, TVL_UDP_BATCH]; 0 when there is none. Oversized datagrams are dropped.
 * `port` is put into the local address. */
size_t tvl_udp_read(int fd, const struct sockaddr_storage *bound, struct tvl_udp_batch *batch);

/* How many of the first `n` were taken by the kernel; a datagram the network refuses counts as
 * taken (it is lost, as the wire could lose it). Fewer than n: the socket is full. */
size_t tvl_udp_write(int fd, struct tvl_udp_batch *batch, size_t first, size_t n);

#endif
