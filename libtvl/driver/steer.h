/* steer.h - which worker a datagram is for: the rule, and the same rule as a program for the
 * kernel. The low five bits of the first octet of the connection ID, modulo how many there are. */
#ifndef TVL_DRIVER_STEER_H
#define TVL_DRIVER_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `len` > 0 bytes of one datagram. */
unsigned tvl_steer(const uint8_t *bytes, size_t len, unsigned workers);

/* Have the kernel choose so among the sockets that share the port of `fd`, in the order they were
 * bound. false: it does not. */
bool tvl_steer_in_kernel(int fd, unsigned workers);

#endif
