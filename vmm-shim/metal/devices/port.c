/* port.c - see port.h. */
#include "port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURE_MULTIPORT (UINT64_C(1) << 1)
#define NUMBER 1u         /* of our port */
#define DEPTH 32u         /* buffers of a data queue */
#define CONTROL_DEPTH 16u /* of a control queue */
#define CONTROL_SIZE 128u

enum { QUEUE_CONTROL_IN = 2, QUEUE_CONTROL_OUT = 3, QUEUE_IN = 4, QUEUE_OUT = 5 };
enum control { DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, PORT_OPEN = 6, PORT_NAME = 7 };

struct message { /* little endian, as this machine is */
    uint32_t port;
    uint16_t event, value;
};

static struct virtio_queue *make(struct port *p, uint16_t index, enum virtio_way way,
                                 size_t buffer_size, uint16_t size)
{
    struct virtio_queue *q = aligned_alloc(64, (sizeof *q + 63) & ~(size_t)63);
    uint8_t *buffers = aligned_alloc(64, buffer_size * size);

    if (!q || !buffers || virtio_queue(&p->device, q, index, way, buffers, buffer_size, size) != 0)
        return NULL;
    return q;
}

/* Messages are few: one for each buffer, and the device reads them at once. */
static void say(struct port *p, uint32_t port, enum control event, uint16_t value)
{
    static unsigned next;
    const struct message m = { port, (uint16_t)event, value };
    uint32_t unused;

    while (virtio_take(p->control_out, &unused) >= 0)
        ;
    const unsigned at = next++ % CONTROL_DEPTH;
    memcpy(virtio_buffer(p->control_out, at), &m, sizeof m);
    virtio_give(p->control_out, at, sizeof m);
    virtio_tell(p->control_out);
}

bool port_open(struct port *p, const char *name)
{
    memset(p, 0, sizeof *p);
    p->name = name;
    p->taken = -1;
    if (!virtio_find(&p->device, VIRTIO_CONSOLE, 0))
        return false;
    if (!(virtio_begin(&p->device, FEATURE_MULTIPORT) & FEATURE_MULTIPORT)) {
        printf("metal: the virtio serial device has no named ports\n");
        return false;
    }
    p->control_in = make(p, QUEUE_CONTROL_IN, VIRTIO_FROM_DEVICE, CONTROL_SIZE, CONTROL_DEPTH);
    p->control_out = make(p, QUEUE_CONTROL_OUT, VIRTIO_TO_DEVICE, CONTROL_SIZE, CONTROL_DEPTH);
    p->in = make(p, QUEUE_IN, VIRTIO_FROM_DEVICE, PORT_CHUNK, DEPTH);
    p->out = make(p, QUEUE_OUT, VIRTIO_TO_DEVICE, PORT_CHUNK, DEPTH);
    p->free = malloc(DEPTH * sizeof *p->free);
    if (!p->control_in || !p->control_out || !p->in || !p->out || !p->free) {
        printf("metal: the virtio serial device cannot be used\n");
        return false;
    }
    p->out->available.flags = 0; /* an interrupt when there is room again */
    for (unsigned i = 0; i < DEPTH; i++)
        p->free[p->n_free++] = (uint16_t)i;
    virtio_ready(&p->device);
    virtio_tell(p->control_in);
    virtio_tell(p->in);
    say(p, 0, DEVICE_READY, 1);
    return true;
}

static void obey(struct port *p, const uint8_t *bytes, uint32_t length)
{
    struct message m;

    if (length < sizeof m)
        return;
    memcpy(&m, bytes, sizeof m);
    if (m.event == PORT_ADD)
        say(p, m.port, PORT_READY, 1);
    if (m.port != NUMBER)
        return;
    if (m.event == PORT_NAME) {
        const size_t n = strnlen((const char *)bytes + sizeof m, length - sizeof m);

        p->named = n == strlen(p->name) && memcmp(bytes + sizeof m, p->name, n) == 0;
        if (p->named)
            say(p, NUMBER, PORT_OPEN, 1);
    } else if (m.event == PORT_OPEN) {
        p->came = p->came || m.value;
        p->opened = m.value;
    }
}

void port_work(struct port *p)
{
    uint32_t length;
    int at;

    while ((at = virtio_take(p->control_in, &length)) >= 0) {
        obey(p, virtio_buffer(p->control_in, (unsigned)at), length);
        virtio_give(p->control_in, (unsigned)at, CONTROL_SIZE);
    }
    virtio_tell(p->control_in);
}

bool port_has_come(struct port *p)
{
    const bool came = p->named && p->came;

    if (came)
        p->came = false;
    return came;
}

const uint8_t *port_read(struct port *p, size_t *n)
{
    uint32_t length;

    if (p->taken >= 0)
        virtio_give(p->in, (unsigned)p->taken, PORT_CHUNK);
    p->taken = virtio_take(p->in, &length);
    if (p->taken < 0)
        return NULL;
    *n = length;
    return virtio_buffer(p->in, (unsigned)p->taken);
}

size_t port_write(struct port *p, const uint8_t *bytes, size_t n)
{
    size_t done = 0;
    uint32_t unused;
    int at;

    while ((at = virtio_take(p->out, &unused)) >= 0)
        p->free[p->n_free++] = (uint16_t)at;
    while (p->opened && done < n && p->n_free > 0) {
        const unsigned number = p->free[--p->n_free];
        const size_t part = n - done < PORT_CHUNK ? n - done : PORT_CHUNK;

        memcpy(virtio_buffer(p->out, number), bytes + done, part);
        virtio_give(p->out, number, (uint32_t)part);
        done += part;
    }
    return done;
}

void port_flush(struct port *p)
{
    virtio_tell(p->in);
    virtio_tell(p->out);
}
