/*
 * board.h - the bare machine under the program: what Linux would be elsewhere, and nothing more.
 *
 *     boot.S, boot.c   PVH, long mode, page tables, a stack such as Linux gives a program
 *     calls.c          the handful of Linux system calls that the C library makes
 *     files.c          what the initrd brought (newc), to be opened and read
 *     command.c        options of the command line
 *     fault.c          exceptions: registers on the serial line, then off
 *     interrupt.c      local APIC and its timer, I/O APIC; sleep until something happens
 *     clock.c, tsc.h   time from the time-stamp counter
 *     random.c         RDRAND or virtio-rng
 *     serial.c         COM1
 *
 * One processor, one thread, one address space, ring 0, no preemption: interrupts are taken only
 * while board_sleep() waits, so the program and its libraries need not know of them. The board is
 * compiled without vector registers and calls nothing of the C library, because it runs before that
 * is set up and inside its system calls.
 */
#ifndef METAL_BOARD_H
#define METAL_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_COMMAND_MAX 2048 /* bytes of the command line with NUL; more is cut */

struct board {
    char command[BOARD_COMMAND_MAX]; /* -append, and what QEMU adds */
    const uint8_t *initrd;           /* first module; NULL: none */
    size_t initrd_size;
    uintptr_t heap, heap_end; /* memory that nothing else uses */
};

/* What the boot found. Constant once main() runs. */
extern struct board board;

/* The value of KEY= in the command line, a decimal number; `otherwise` if it is not there. */
uint64_t board_option(const char *key, uint64_t otherwise);
/* What follows KEY= the `skip`th time, up to a blank; NULL: it is not there so often. */
const char *board_option_text(const char *command, const char *key, size_t skip);
/* The digits at *text (lower case above 9), which moves behind them; modulo 2^64. */
uint64_t board_number(const char **text, unsigned base);

/* ---- time: us since the start, never back; and since 1970 ---- */
void board_clock_start(void);
uint64_t board_now(void);
uint64_t board_wall_us(void);            /* by the command line's epoch_ns= or the CMOS clock */
void board_set_wall_us(uint64_t now_us); /* from now on */

/* ---- waiting ---- */
void board_interrupts_start(void);
unsigned board_interrupt_pins(void); /* of all I/O APICs */
/* Run `acknowledge` (no vector registers, no C library) at each interrupt of pin `irq`. 0, or -1:
 * too many, or no such pin. */
int board_on_interrupt(unsigned irq, void (*acknowledge)(void *device), void *device);
/* Sleep until `until` (us, UINT64_MAX: no end) or an interrupt since the last call. */
void board_sleep(uint64_t until);

/* ---- the rest ---- */
void board_write(const char *bytes, size_t n); /* serial line */
void board_say(const char *text);
void board_say_number(uint64_t value, unsigned base);
_Noreturn void board_off(int status);      /* QEMU ends; status only where it has isa-debug-exit */
bool board_random(uint8_t *out, size_t n); /* false: this machine has no source */

#endif
