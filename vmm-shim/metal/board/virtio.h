/*
 * virtio.h - devices behind virtio-mmio, version 2 (modern), and their queues.
 *
 *     virtio_find() ─► virtio_begin() ─► virtio_queue() ... ─► virtio_ready()
 *
 * Where they are: "virtio_mmio.device=512@0xfeb00000:5" of the command line, which QEMU's microvm
 * adds for each when it has no ACPI; without any, its usual places are looked at. A queue has a
 * buffer of its own behind each descriptor, so a descriptor is a buffer's number. Everything here
 * may be called in system calls. Specification: Virtual I/O Device version 1.1, 2.6 and 4.2.
 */
#ifndef METAL_VIRTIO_H
#define METAL_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_QUEUE_MAX 256u /* descriptors of a queue */

enum virtio_kind { VIRTIO_NET = 1, VIRTIO_CONSOLE = 3, VIRTIO_ENTROPY = 4 };
#define VIRTIO_VERSION_1 (UINT64_C(1) << 32)

struct virtio {
    volatile uint32_t *registers;
    unsigned irq;
};

struct virtio_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct virtio_available {
    uint16_t flags, index, ring[VIRTIO_QUEUE_MAX];
};

struct virtio_used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[VIRTIO_QUEUE_MAX];
};

struct virtio_queue {
    struct virtio_descriptor descriptor[VIRTIO_QUEUE_MAX] __attribute__((aligned(16)));
    struct virtio_available available;
    struct virtio_used used __attribute__((aligned(16)));
    struct virtio *device;
    uint8_t *buffers; /* `size` of `buffer_size` bytes */
    size_t buffer_size;
    uint16_t index, size; /* of the queue; descriptors */
    uint16_t seen;        /* of the used ring */
    bool told;            /* the device knows of all that is available */
};

enum virtio_way { VIRTIO_TO_DEVICE, VIRTIO_FROM_DEVICE };

/* The `nth` device of a kind, from 0. false: there is none. A device of version 1 is not taken, and
 * said on the serial line. */
bool virtio_find(struct virtio *out, enum virtio_kind kind, size_t nth);
/* Reset and agree on features: those of `wanted` that the device has, VERSION_1 always. 0: it
 * cannot be used. */
uint64_t virtio_begin(struct virtio *v, uint64_t wanted);
/* `buffers`: room for `size` of `buffer_size` bytes, owned by the caller, as is *q; both stay where
 * they are. A queue from the device gets all its buffers. 0, or -1: it has no such queue. */
int virtio_queue(struct virtio *v, struct virtio_queue *q, uint16_t index, enum virtio_way way,
                 uint8_t *buffers, size_t buffer_size, uint16_t size);
void virtio_ready(struct virtio *v);
static inline uint8_t virtio_config8(const struct virtio *v, unsigned at)
{
    return ((const volatile uint8_t *)v->registers)[0x100 + at];
}

/* A buffer that the device is done with: its number, and how much it wrote; -1: none. */
int virtio_take(struct virtio_queue *q, uint32_t *length);
static inline uint8_t *virtio_buffer(const struct virtio_queue *q, unsigned number)
{
    return q->buffers + (size_t)number * q->buffer_size;
}
/* Hand a buffer over, `length` bytes of it; virtio_tell() once after several. */
void virtio_give(struct virtio_queue *q, unsigned number, uint32_t length);
void virtio_tell(struct virtio_queue *q);

#endif
