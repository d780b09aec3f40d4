/* entropy.c - see entropy.h. Specification: Virtual I/O Device version 1.1, 5.4. */
#include "entropy.h"

#include "board.h"
#include "inside.h"
#include "random.h"
#include "virtio.h"

#define BYTES 64u        /* asked for at a time */
#define PATIENCE 1000000 /* us */

static struct {
    struct virtio device;
    struct virtio_queue queue;
    uint8_t buffer[BYTES];
    uint32_t left; /* at the end of what came, not yet handed out */
    uint32_t came;
} rng;

static bool more(void)
{
    const uint64_t until = board_now() + PATIENCE;
    uint32_t length;

    while (virtio_take(&rng.queue, &length) != 0)
        if (board_now() > until)
            return false;
    rng.came = rng.left = length;
    return length > 0;
}

static bool read_bytes(void *user, uint8_t *out, size_t n)
{
    (void)user;
    while (n > 0) {
        if (rng.left == 0 && !more())
            return false;
        *out++ = rng.buffer[rng.came - rng.left];
        rng.buffer[rng.came - rng.left] = 0; /* what was handed out is not kept */
        n--;
        if (--rng.left == 0) { /* the next are made meanwhile */
            virtio_give(&rng.queue, 0, BYTES);
            virtio_tell(&rng.queue);
        }
    }
    return true;
}

void entropy_start(void)
{
    if (!virtio_find(&rng.device, VIRTIO_ENTROPY, 0) || !virtio_begin(&rng.device, 0) ||
        virtio_queue(&rng.device, &rng.queue, 0, VIRTIO_FROM_DEVICE, rng.buffer, BYTES, 1) != 0)
        return;
    virtio_ready(&rng.device);
    virtio_tell(&rng.queue);
    board_add_random(read_bytes, NULL);
}
