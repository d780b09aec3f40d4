/*
 * board_faults.c - a program for the bare board that does one wrong thing, by do= of the command
 * line; metal.py boots it and reads what the board says of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

static volatile char sink;

/* Deeper than any stack. */
static int deep(int n)
{
    volatile char room[1000];

    room[n % 1000] = (char)n;
    sink = room[0];
    return n < 0 ? 0 : deep(n + 1) + room[5];
}

int main(void)
{
    const char *what = board_option_text(board.command, "do", 0);
    static char code[16] = { (char)0xc3 }; /* ret */

    setvbuf(stdout, NULL, _IONBF, 0);
    printf("begins\n");
    switch (what ? *what : 0) {
    case 'n': /* NULL */
        *(volatile char *)0 = 1;
        break;
    case 't': /* its own text */
        *(volatile char *)(uintptr_t)main = 1;
        break;
    case 'x': /* data as code */
        ((void (*)(void))(uintptr_t)code)();
        break;
    case 's':
        return deep(0);
    case 'a':
        abort();
    case 'm': { /* more than there is: refused, not a fault */
        void *p = malloc((size_t)1 << 30);

        printf("%s\n", p ? "given" : "refused");
        free(p);
        break;
    }
    default:
        break;
    }
    printf("ends\n");
    return 0;
}
