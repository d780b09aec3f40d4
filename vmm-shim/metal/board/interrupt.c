/*
 * interrupt.c - local APIC with its timer, I/O APICs, and the only place where interrupts are
 * taken: the wait. Intel SDM 3A chapter 11; 82093AA.
 */
#include "cpu.h"
#include "inside.h"

#define DEVICES_MAX 24u
#define PINS 24u /* of an I/O APIC; QEMU's microvm has up to two */
#define CALIBRATE_US 500u

#define APIC ((volatile uint32_t *)0xfee00000u)
enum apic { /* registers, in words */
            APIC_TASK_PRIORITY = 0x80 / 4,
            APIC_END = 0xb0 / 4,
            APIC_SPURIOUS = 0xf0 / 4,
            APIC_TIMER = 0x320 / 4,
            APIC_LINT0 = 0x350 / 4,
            APIC_LINT1 = 0x360 / 4,
            APIC_COUNT = 0x380 / 4,
            APIC_NOW = 0x390 / 4,
            APIC_DIVIDE = 0x3e0 / 4,
};
#define APIC_MASKED 0x10000u
#define APIC_BY_16 3u

static const uintptr_t io_apic[] = { 0xfec00000u, 0xfec10000u };

static struct device {
    void (*acknowledge)(void *device);
    void *device;
} devices[DEVICES_MAX];
static size_t n_devices;
static uint64_t timer_rate; /* ticks per us, 16 bits after the point */

extern void metal_interrupt_entry(void);

void metal_interrupt(void);
void metal_interrupt(void)
{
    for (size_t i = 0; i < n_devices; i++)
        devices[i].acknowledge(devices[i].device);
    APIC[APIC_END] = 0;
}

static void io_apic_write(unsigned irq, unsigned word, uint32_t value)
{
    volatile uint32_t *at = (volatile uint32_t *)io_apic[irq / PINS];

    at[0] = 0x10 + 2 * (irq % PINS) + word;
    at[4] = value;
}

/* The timer's rate, by the time-stamp counter. */
static void calibrate(void)
{
    APIC[APIC_COUNT] = UINT32_MAX;
    const uint64_t from = board_now();
    while (board_now() - from < CALIBRATE_US)
        ;
    const uint64_t ticks = UINT32_MAX - APIC[APIC_NOW];
    timer_rate = (ticks << 16) / (board_now() - from);
    APIC[APIC_COUNT] = 0;
}

void board_interrupts_start(void)
{
    cpu_out8(0x21, 0xff); /* the old controllers stay silent */
    cpu_out8(0xa1, 0xff);
    board_set_vector(BOARD_VECTOR_DEVICE, metal_interrupt_entry, 1);
    board_set_vector(BOARD_VECTOR_TIMER, metal_interrupt_entry, 1);
    APIC[APIC_SPURIOUS] = 0x100 | BOARD_VECTOR_SPURIOUS; /* on */
    APIC[APIC_TASK_PRIORITY] = 0;
    APIC[APIC_LINT0] = APIC[APIC_LINT1] = APIC_MASKED;
    APIC[APIC_DIVIDE] = APIC_BY_16;
    APIC[APIC_TIMER] = APIC_MASKED | BOARD_VECTOR_TIMER;
    calibrate();
    APIC[APIC_TIMER] = BOARD_VECTOR_TIMER; /* once */
    if (timer_rate == 0)
        board_panic("the timer of the local APIC stands still");
}

unsigned board_interrupt_pins(void)
{
    volatile uint32_t *second = (volatile uint32_t *)io_apic[1];

    second[0] = 1; /* version, and number of the last pin */
    return (second[4] >> 16 & 255) == PINS - 1 ? 2 * PINS : PINS;
}

int board_on_interrupt(unsigned irq, void (*acknowledge)(void *device), void *device)
{
    if (n_devices == DEVICES_MAX || irq / PINS >= sizeof io_apic / sizeof io_apic[0])
        return -1;
    devices[n_devices++] = (struct device){ acknowledge, device };
    io_apic_write(irq, 1, 0);                            /* to processor 0 */
    io_apic_write(irq, 0, 0x8000 | BOARD_VECTOR_DEVICE); /* by level */
    return 0;
}

void board_sleep(uint64_t until)
{
    const uint64_t now = board_now();

    if (until <= now)
        return;
    if (until != UINT64_MAX) {
        const uint64_t us = until - now < 60000000 ? until - now : 60000000;
        const uint64_t ticks = (us * timer_rate >> 16) + 1;

        APIC[APIC_COUNT] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
    }
    cpu_sleep();
    APIC[APIC_COUNT] = 0;
}
