/* serial.c - COM1 as a place for text, and the way out. */
#include "board.h"
#include "cpu.h"
#include "inside.h"

#define COM1 0x3f8
#define DEBUG_EXIT 0xf4     /* isa-debug-exit, where QEMU has it */
#define TRANSMIT_EMPTY 0x20 /* of the line status */
#define PATIENCE 100000     /* looks at the line status before a byte is sent anyway */

void board_serial_start(void)
{
    cpu_out8(COM1 + 1, 0);    /* no interrupts */
    cpu_out8(COM1 + 3, 0x80); /* 115200 baud, 8N1, FIFO: for real lines; QEMU does not mind */
    cpu_out8(COM1 + 0, 1);
    cpu_out8(COM1 + 1, 0);
    cpu_out8(COM1 + 3, 3);
    cpu_out8(COM1 + 2, 7);
}

void board_write(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < PATIENCE && !(cpu_in8(COM1 + 5) & TRANSMIT_EMPTY); k++)
            ;
        cpu_out8(COM1, (uint8_t)bytes[i]);
    }
}

void board_say(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    board_write(text, n);
}

void board_say_number(uint64_t value, unsigned base)
{
    char digits[64];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    board_write(digits + at, sizeof digits - at);
}

/* A machine with no interrupt table that meets an exception resets; -no-reboot makes QEMU end. */
void board_off(int status)
{
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };

    cpu_out8(DEBUG_EXIT, (uint8_t)status);
    __asm__ volatile("lidt %0; int3" : : "m"(none));
    for (;;)
        __asm__ volatile("cli; hlt");
}

void board_panic(const char *why)
{
    board_say("metal: ");
    board_say(why);
    board_say("; the machine stops\n");
    board_off(1);
}
