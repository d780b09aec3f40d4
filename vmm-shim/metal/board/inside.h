/* inside.h - what the board's own files need of each other. See board.h. */
#ifndef METAL_INSIDE_H
#define METAL_INSIDE_H

#include "board.h"

void board_serial_start(void);
void board_take_faults(void);
_Noreturn void board_panic(const char *why); /* said on the serial line */

/* Vectors of the interrupt table. */
#define BOARD_VECTOR_DEVICE 0x40
#define BOARD_VECTOR_TIMER 0x41
#define BOARD_VECTOR_SPURIOUS 0xff
void board_set_vector(unsigned vector, void (*entry)(void), unsigned stack); /* stack [1, 2] */

/* The C library's memcpy is not there before it is set up, and uses registers that are not ours. */
static inline void board_copy(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void board_zero(void *to, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

#endif
