/*
 * port.h - one port of a virtio serial device, found by its name: a stream of bytes to a host that
 * comes and goes. Specification: Virtual I/O Device version 1.1, 5.3, with several ports.
 *
 * It is the device's port number 1, as QEMU numbers the first virtserialport.
 */
#ifndef METAL_PORT_H
#define METAL_PORT_H

#include "board/virtio.h"

#define PORT_CHUNK 4096u /* bytes of one buffer */

struct port {
    struct virtio device;
    struct virtio_queue *in, *out, *control_in, *control_out;
    uint16_t *free; /* buffers of `out` that are ours, a stack */
    size_t n_free;
    const char *name;   /* wanted */
    bool named, opened; /* the port has that name; a host is connected */
    bool came;          /* one has connected since port_has_come was asked */
    int taken;          /* buffer of `in` that is lent; -1: none */
};

/* false: there is no such device. The struct stays where it is; `name` too. */
bool port_open(struct port *p, const char *name);
/* Runs what the host says of the port. Call before the two below. */
void port_work(struct port *p);
/* A host has connected since the last call. */
bool port_has_come(struct port *p);
/* Bytes that came, borrowed until the next call; NULL: none. */
const uint8_t *port_read(struct port *p, size_t *n);
/* How many of the bytes were taken [0, n]; the rest when some of them are read. */
size_t port_write(struct port *p, const uint8_t *bytes, size_t n);
void port_flush(struct port *p);

#endif
