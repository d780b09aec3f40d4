/* virtio.c - see virtio.h. */
#include "virtio.h"

#include "board.h"

#define MAGIC 0x74726976u
#define PLACES_FROM 0xfeb00000u /* QEMU's microvm, hw/i386/microvm.c */
#define PLACE_BYTES 0x200u
#define FLAG_WRITE 2u /* of a descriptor: the device writes */
#define NO_NOTIFY 1u  /* of the used ring */

enum reg { /* in words */
           REG_MAGIC = 0x00 / 4,
           REG_VERSION = 0x04 / 4,
           REG_KIND = 0x08 / 4,
           REG_DEVICE_FEATURES = 0x10 / 4,
           REG_DEVICE_FEATURES_WORD = 0x14 / 4,
           REG_DRIVER_FEATURES = 0x20 / 4,
           REG_DRIVER_FEATURES_WORD = 0x24 / 4,
           REG_QUEUE = 0x30 / 4,
           REG_QUEUE_MAX = 0x34 / 4,
           REG_QUEUE_SIZE = 0x38 / 4,
           REG_QUEUE_READY = 0x44 / 4,
           REG_NOTIFY = 0x50 / 4,
           REG_INTERRUPTS = 0x60 / 4,
           REG_ACKNOWLEDGE = 0x64 / 4,
           REG_STATUS = 0x70 / 4,
           REG_DESCRIPTORS = 0x80 / 4,
           REG_AVAILABLE = 0x90 / 4,
           REG_USED = 0xa0 / 4,
};

enum status { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };

/* A machine that describes itself by ACPI names no devices on the command line. There the second
 * I/O APIC, if any, is all virtio's; else eight pins of the first are. */
static bool usual_place(size_t i, struct virtio *out)
{
    const bool second = board_interrupt_pins() > 24;

    if (i >= (second ? 24 : 8))
        return false;
    out->registers = (volatile uint32_t *)(PLACES_FROM + i * PLACE_BYTES);
    out->irq = (second ? 24 : 16) + (unsigned)i;
    return true;
}

/* Place number `i`: of the command line if it names any, else of the machine's usual ones. */
static bool place(size_t i, struct virtio *out)
{
    const char *text = board_option_text(board.command, "virtio_mmio.device", i);
    uintptr_t at;

    if (!text)
        return !board_option_text(board.command, "virtio_mmio.device", 0) && usual_place(i, out);
    while (*text && *text != '@' && *text != ' ')
        text++;
    if (text[0] != '@' || text[1] != '0' || text[2] != 'x')
        return false;
    text += 3;
    at = board_number(&text, 16);
    if (*text != ':')
        return false;
    text++;
    out->registers = (volatile uint32_t *)at;
    out->irq = (unsigned)board_number(&text, 10);
    return true;
}

bool virtio_find(struct virtio *out, enum virtio_kind kind, size_t nth)
{
    /* QEMU fills its places from the last one and names them in that order; devices given first
     * come last. Whoever cares goes by MAC address. */
    for (size_t i = 0; place(i, out); i++) {
        const volatile uint32_t *r = out->registers;

        if (r[REG_MAGIC] != MAGIC || r[REG_KIND] != kind || nth-- > 0)
            continue;
        if (r[REG_VERSION] == 2)
            return true;
        board_say("metal: a virtio device of version 1: -global virtio-mmio.force-legacy=false\n");
        return false;
    }
    return false;
}

static void acknowledge(void *device)
{
    volatile uint32_t *r = ((struct virtio *)device)->registers;

    r[REG_ACKNOWLEDGE] = r[REG_INTERRUPTS];
}

uint64_t virtio_begin(struct virtio *v, uint64_t wanted)
{
    volatile uint32_t *r = v->registers;
    uint64_t features = 0;

    r[REG_STATUS] = 0;
    r[REG_STATUS] = ACKNOWLEDGE;
    r[REG_STATUS] = ACKNOWLEDGE | DRIVER;
    for (unsigned word = 0; word < 2; word++) {
        r[REG_DEVICE_FEATURES_WORD] = word;
        features |= (uint64_t)r[REG_DEVICE_FEATURES] << 32 * word;
    }
    features &= wanted | VIRTIO_VERSION_1;
    for (unsigned word = 0; word < 2; word++) {
        r[REG_DRIVER_FEATURES_WORD] = word;
        r[REG_DRIVER_FEATURES] = (uint32_t)(features >> 32 * word);
    }
    r[REG_STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    return r[REG_STATUS] & FEATURES_OK ? features : 0;
}

static void set_address(volatile uint32_t *low, const void *at)
{
    low[0] = (uint32_t)(uintptr_t)at;
    low[1] = (uint32_t)((uintptr_t)at >> 32);
}

int virtio_queue(struct virtio *v, struct virtio_queue *q, uint16_t index, enum virtio_way way,
                 uint8_t *buffers, size_t buffer_size, uint16_t size)
{
    volatile uint32_t *r = v->registers;

    r[REG_QUEUE] = index;
    if (r[REG_QUEUE_MAX] < size || size > VIRTIO_QUEUE_MAX || r[REG_QUEUE_READY])
        return -1;
    q->device = v;
    q->buffers = buffers;
    q->buffer_size = buffer_size;
    q->index = index;
    q->size = size;
    q->seen = 0;
    q->told = true;
    q->available.flags = 0;
    q->available.index = 0;
    q->used.flags = 0;
    q->used.index = 0;
    for (unsigned i = 0; i < size; i++)
        q->descriptor[i] = (struct virtio_descriptor){
            .address = (uintptr_t)virtio_buffer(q, i),
            .length = (uint32_t)buffer_size,
            .flags = way == VIRTIO_FROM_DEVICE ? FLAG_WRITE : 0,
        };
    r[REG_QUEUE_SIZE] = size;
    set_address(&r[REG_DESCRIPTORS], q->descriptor);
    set_address(&r[REG_AVAILABLE], &q->available);
    set_address(&r[REG_USED], &q->used);
    r[REG_QUEUE_READY] = 1;
    if (way == VIRTIO_FROM_DEVICE)
        for (unsigned i = 0; i < size; i++)
            virtio_give(q, i, (uint32_t)buffer_size);
    else
        q->available.flags = 1; /* no interrupt for what was sent: it is looked at when wanted */
    return 0;
}

void virtio_ready(struct virtio *v)
{
    v->registers[REG_STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    if (board_on_interrupt(v->irq, acknowledge, v) != 0)
        board_say("metal: an interrupt that the machine has no pin for\n");
}

/* What the device writes is read once more, not remembered. x86 keeps loads in order, and stores.
 */
static uint16_t look(const uint16_t *at)
{
    return *(const volatile uint16_t *)at;
}

int virtio_take(struct virtio_queue *q, uint32_t *length)
{
    if (look(&q->used.index) == q->seen)
        return -1;
    __asm__ volatile("" : : : "memory");
    const unsigned at = q->seen++ % q->size;
    const uint32_t id = q->used.ring[at].id;
    if (id >= q->size)
        return -1; /* a broken device: it gets no buffer back */
    *length = q->used.ring[at].length < q->buffer_size ? q->used.ring[at].length
                                                       : (uint32_t)q->buffer_size;
    return (int)id;
}

void virtio_give(struct virtio_queue *q, unsigned number, uint32_t length)
{
    q->descriptor[number].length = length;
    q->available.ring[q->available.index % q->size] = (uint16_t)number;
    __asm__ volatile("" : : : "memory");
    *(volatile uint16_t *)&q->available.index = (uint16_t)(q->available.index + 1);
    q->told = false;
}

void virtio_tell(struct virtio_queue *q)
{
    if (q->told)
        return;
    q->told = true;
    __asm__ volatile("mfence" : : : "memory");
    if (!(look(&q->used.flags) & NO_NOTIFY))
        q->device->registers[REG_NOTIFY] = q->index;
}
