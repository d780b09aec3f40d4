/*
 * port.h - the serial line to the host: JSON lines in and out, bounded, across reconnections.
 *
 *     bytes of the host ──► port_line(): whole lines
 *     port_say() ──► queue ──► as the port takes them
 *
 * The port has a host or it has none (POLLHUP). None: what is said waits; the line that was half
 * sent is sent anew to the next host, and half a line that came is dropped. It is watched by edge
 * (EPOLLET), since a port without a host is "readable" for ever.
 */
#ifndef AGENT_PORT_H
#define AGENT_PORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define PORT_LINE_MAX (256u << 10)   /* of the host; a longer one is skipped, and it is told */
#define PORT_QUEUE_MAX (1024u << 10) /* to the host */
#define PORT_RESERVE (64u << 10)     /* of which answers may use this, and output of commands not */

struct port {
    int fd;
    bool connected;
    char *in; /* PORT_LINE_MAX */
    size_t in_len;
    size_t given;  /* of in: lines already given out */
    bool more;     /* of in was no room for all that is there: work again after the lines */
    bool skipping; /* within a line that is too long */
    char *out;     /* PORT_QUEUE_MAX */
    size_t out_len, sent, line; /* line: where the line begins that `sent` is in */
};

/* Waits until /dev has the port called `name`, up to `wait_ms`. -1: it does not come. */
int port_open(struct port *p, const char *name, int wait_ms);

enum port_news { PORT_SAME, PORT_CAME, PORT_WENT };
/* After an event: reads, writes, and says whether a host came or went. */
enum port_news port_work(struct port *p);
/* The next whole line without its end, or NULL; valid until port_work(). */
char *port_line(struct port *p, size_t *len, bool *too_long);
/* Queues an object and takes it. -1: no room (only output of commands is ever refused). */
int port_say(struct port *p, json_t *j);
/* Room for the output of a command. */
size_t port_room(const struct port *p);

#endif
