/* nic.h - a virtio network card: Ethernet frames in and out, without offloads. Specification:
 * Virtual I/O Device version 1.1, 5.1. */
#ifndef METAL_NIC_H
#define METAL_NIC_H

#include "board/virtio.h"

#define NIC_FRAME_MAX 1514u /* bytes, without checksum */

struct nic {
    struct virtio device;
    uint8_t mac[6];
    struct virtio_queue *in, *out;
    uint16_t *free; /* buffers of `out` that are ours, a stack */
    size_t n_free;
    uint64_t received, sent, dropped; /* frames; dropped: the queue was full, or too long */
};

/* The `nth` network card. 1: it works; 0: there is none; -1: it does not work, and is said. The
 * struct stays where it is from then on. */
int nic_open(struct nic *n, size_t nth);
/* The next frame that came, or NULL. Borrowed until nic_done, which takes its number. */
uint8_t *nic_receive(struct nic *n, size_t *length, unsigned *number);
void nic_done(struct nic *n, unsigned number);
/* Copied; lost where there is no room. Leaves with the next nic_flush at the latest. */
void nic_send(struct nic *n, const uint8_t *frame, size_t length);
/* Tell the device what it has to send, and which buffers it may fill again. */
void nic_flush(struct nic *n);

#endif
