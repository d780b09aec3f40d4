/* path_spec.h - one --path option, taken apart; and where a path leads, in words. Pure. */
#ifndef PEER_PATH_SPEC_H
#define PEER_PATH_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PATH_SPEC_NAME_MAX 16    /* bytes with NUL; an interface name fits */
#define PATH_SPEC_ADDRESS_MAX 64 /* bytes with NUL: "[v6]:port" fits */

struct path_spec { /* empty strings: not given */
    char interface[PATH_SPEC_NAME_MAX];
    char local[PATH_SPEC_ADDRESS_MAX];  /* address literal */
    char remote[PATH_SPEC_ADDRESS_MAX]; /* "address:port" */
    char name[PATH_SPEC_NAME_MAX];      /* for people; never empty after parsing */
    bool backup;
};

/*
 * "wlan0", "10.0.0.2" or "dev=wlan0,local=10.0.0.2,to=192.0.2.1:4433,name=wifi,backup" in any
 * order, each at most once. Whether the interface exists is not asked. 0, or -1 with one line.
 */
int path_spec_parse(struct path_spec *out, const char *text, char *why, size_t why_size);

/* "192.0.2.1:5000", "[2001:db8::1]:5000"; "?": of no such family. */
void path_spec_address(const struct sockaddr_storage *at, char out[PATH_SPEC_ADDRESS_MAX]);

#endif
