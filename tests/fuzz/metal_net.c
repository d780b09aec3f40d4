/*
 * metal_net.c - frames of strangers into the bare-metal guest's stack, and archives into its
 * reader: nothing is read beyond its end, what leaves is well formed, tables stay in bounds.
 *
 * Input: first byte even: frames, each a length of two bytes (its high bits: card, and whether time
 * passes) and bytes. Odd: an archive.
 */
#include <stdlib.h>
#include <string.h>

#include "cpio.h"
#include "input.h"
#include "net/bytes.h"
#include "net/stack.h"

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

struct world {
    struct net net;
    size_t sent;
};

static void on_send(void *user, size_t interface, const uint8_t *frame, size_t length)
{
    struct world *w = user;

    w->sent++;
    if (interface > 1 || length < 42 || length > NET_FRAME_MAX || memcmp(frame + 6, mac, 6) != 0)
        abort();
    if (get16(frame + 12) == 0x0800 && fold16(sum16(frame + 14, 20, 0)) != 0)
        abort();
}

static void frames(const uint8_t *bytes, size_t size)
{
    struct world *w = calloc(1, sizeof *w);
    uint64_t now = 0;

    net_init(&w->net, on_send, w);
    for (unsigned i = 0; i < 2; i++) {
        struct net_interface card = { .address = 0x0a4d0002 + (i << 8), .prefix = 24, .mtu = 1500 };

        memcpy(card.mac, mac, 6);
        (void)net_add(&w->net, &card);
    }
    while (size >= 2) {
        const unsigned head = get16(bytes);
        size_t length = head & 0x7ff;
        struct net_datagram d;

        bytes += 2;
        size -= 2;
        if (length > size)
            length = size;
        uint8_t *frame = malloc(length ? length : 1); /* of its own: ASan sees its end */
        memcpy(frame, bytes, length);
        bytes += length;
        size -= length;
        now += head & 0x4000 ? 1000001 : 10;
        w->sent = 0;
        if (net_take(&w->net, head >> 15, frame, length, now, &d)) {
            if (d.payload < frame || d.payload + d.length > frame + length)
                abort();
            struct net_datagram back = d;
            back.from = d.to;
            back.to = d.from;
            (void)net_udp(&w->net, &back, now);
        }
        if (w->sent > 2)
            abort(); /* an answer, and a question: not more than that for a frame */
        if (net_due(&w->net) <= now)
            net_tick(&w->net, now);
        free(frame);
    }
    free(w);
}

static void archive(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct cpio_file f;
    size_t at = 0;

    memcpy(copy, bytes, size);
    while (cpio_next(copy, size, &at, &f) == 1)
        if (f.bytes < copy || f.bytes + f.size > copy + size || at > size)
            abort();
    (void)cpio_find(copy, size, "/etc/slice/guest.json", &f);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        archive(data + 1, size - 1);
    else
        frames(data + 1, size - 1);
    return 0;
}
