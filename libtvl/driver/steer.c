/* steer.c - see steer.h. */
#include "steer.h"

#include <linux/filter.h>
#include <sys/socket.h>

#define LONG_HEADER 0x80u
#define SHORT_AT 1 /* offset of the connection ID in a short header, RFC 8999 5.2 */
#define LONG_AT 6  /* of the destination's in a long one, 5.1 */
#define LOW_BITS 0x1fu

unsigned tvl_steer(const uint8_t *bytes, size_t len, unsigned workers)
{
    const size_t at = bytes[0] & LONG_HEADER ? LONG_AT : SHORT_AT;

    return at < len ? (bytes[at] & LOW_BITS) % workers : 0;
}

bool tvl_steer_in_kernel(int fd, unsigned workers)
{
    /* the data begin with the UDP payload; a load beyond its end returns 0 */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, LONG_HEADER, 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, LONG_AT),
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SHORT_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, LOW_BITS),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
}
