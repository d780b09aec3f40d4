/* nic.c - see nic.h. */
#include "nic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURE_MAC (UINT64_C(1) << 5)
#define HEADER 12u /* struct virtio_net_hdr: all zero without offloads */
#define BUFFER 1536u
#define IN_DEPTH 256u /* frames that wait while the program is busy */
#define OUT_DEPTH 128u

enum { QUEUE_IN, QUEUE_OUT };

static int start(struct nic *n)
{
    uint8_t *in = aligned_alloc(16, (size_t)IN_DEPTH * BUFFER);
    uint8_t *out = aligned_alloc(16, (size_t)OUT_DEPTH * BUFFER);

    n->in = aligned_alloc(64, (sizeof *n->in + 63) & ~(size_t)63);
    n->out = aligned_alloc(64, (sizeof *n->out + 63) & ~(size_t)63);
    n->free = malloc(OUT_DEPTH * sizeof *n->free);
    if (!in || !out || !n->in || !n->out || !n->free)
        return -1;
    if (virtio_queue(&n->device, n->in, QUEUE_IN, VIRTIO_FROM_DEVICE, in, BUFFER, IN_DEPTH) != 0 ||
        virtio_queue(&n->device, n->out, QUEUE_OUT, VIRTIO_TO_DEVICE, out, BUFFER, OUT_DEPTH) != 0)
        return -1;
    for (unsigned i = 0; i < OUT_DEPTH; i++) {
        memset(out + (size_t)i * BUFFER, 0, HEADER);
        n->free[n->n_free++] = (uint16_t)i;
    }
    return 0;
}

int nic_open(struct nic *n, size_t nth)
{
    memset(n, 0, sizeof *n);
    if (!virtio_find(&n->device, VIRTIO_NET, nth))
        return 0;
    if (!(virtio_begin(&n->device, FEATURE_MAC) & FEATURE_MAC) || start(n) != 0) {
        printf("metal: network card %zu cannot be used\n", nth);
        return -1;
    }
    for (unsigned i = 0; i < 6; i++)
        n->mac[i] = virtio_config8(&n->device, i);
    virtio_ready(&n->device);
    virtio_tell(n->in);
    return 1;
}

uint8_t *nic_receive(struct nic *n, size_t *length, unsigned *number)
{
    uint32_t bytes;
    int at;

    while ((at = virtio_take(n->in, &bytes)) >= 0) {
        n->received++;
        *number = (unsigned)at;
        if (bytes > HEADER) {
            *length = bytes - HEADER;
            return virtio_buffer(n->in, *number) + HEADER;
        }
        nic_done(n, *number);
    }
    return NULL;
}

void nic_done(struct nic *n, unsigned number)
{
    virtio_give(n->in, number, BUFFER);
}

void nic_send(struct nic *n, const uint8_t *frame, size_t length)
{
    uint32_t unused;
    int at;

    while (n->n_free < OUT_DEPTH && (at = virtio_take(n->out, &unused)) >= 0)
        n->free[n->n_free++] = (uint16_t)at;
    if (n->n_free == 0 || length > NIC_FRAME_MAX) {
        n->dropped++;
        return;
    }
    const unsigned number = n->free[--n->n_free];
    memcpy(virtio_buffer(n->out, number) + HEADER, frame, length);
    virtio_give(n->out, number, (uint32_t)(HEADER + length));
    n->sent++;
}

void nic_flush(struct nic *n)
{
    virtio_tell(n->out);
    virtio_tell(n->in);
}
