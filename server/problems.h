/* problems.h - what is wrong with a configuration: a line for each problem. */
#ifndef SERVER_PROBLEMS_H
#define SERVER_PROBLEMS_H

#include <stddef.h>

struct problems {
    char *text;      /* lines with '\n' between them, cut at `size`; the caller's */
    size_t size, at; /* size > 0 */
    size_t n;        /* of all that were said */
};

void problems_init(struct problems *p, char *text, size_t size);
void problems_add(struct problems *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
