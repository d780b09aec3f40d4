/*
 * allocs.h - allocations that fail when told to: those of our code (the linker sends malloc, calloc
 * and realloc here) and those of OpenSSL, counted apart.
 */
#ifndef OOM_ALLOCS_H
#define OOM_ALLOCS_H

#include <stdbool.h>
#include <stddef.h>

enum allocs_whose { ALLOCS_OURS, ALLOCS_OPENSSL };
enum allocs_how { ALLOCS_ONE, ALLOCS_ALL_FROM }; /* one fails, or every one from there on */

/* Before OpenSSL allocates anything; false: too late. */
bool allocs_init(void);
/* Allocation number `n` (from 1) of that kind fails. */
void allocs_arm(enum allocs_whose whose, enum allocs_how how, size_t n);
void allocs_pause(void); /* what follows is the test's own */
void allocs_go_on(void);
bool allocs_disarm(void); /* true: one has failed since allocs_arm */
size_t allocs_live(void); /* of ours, not freed */

#endif
