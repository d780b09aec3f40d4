/* ports.h - UDP ports for the tests: below those that the system gives to clients, above those of
 * the tests of programs, and free when asked for. */
#ifndef TESTS_GST_PORTS_H
#define TESTS_GST_PORTS_H

#include <arpa/inet.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

static inline guint free_udp_port(void)
{
    for (;;) {
        const guint port = 20000 + (g_random_int() + (guint)getpid() * 7919) % 10000;
        const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((guint16)port) };
        const int fd = socket(AF_INET, SOCK_DGRAM, 0);
        const int bound = bind(fd, (const struct sockaddr *)&at, sizeof at);
        close(fd);
        if (bound == 0)
            return port;
    }
}

#endif
