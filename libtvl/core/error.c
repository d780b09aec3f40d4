/* error.c - names of the library's own errors. */
#include <tvl/tvl.h>

const char *tvl_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
    case TVL_ERR_ARG:
        return "argument out of range";
    case TVL_ERR_NOMEM:
        return "out of memory";
    case TVL_ERR_STATE:
        return "not possible in this state";
    case TVL_ERR_FULL:
        return "a limit is reached";
    case TVL_ERR_PACKET:
        return "not a packet of ours";
    case TVL_ERR_PEER:
        return "the peer broke the protocol";
    case TVL_ERR_TLS:
        return "TLS failed";
    case TVL_ERR_FILE:
        return "a file cannot be read";
    case TVL_ERR_SYS:
        return "a system call failed";
    default:
        return "unknown error";
    }
}
