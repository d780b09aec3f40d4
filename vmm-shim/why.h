/* why.h - the one line that says what went wrong, as functions with `why` give it back. */
#ifndef VMM_WHY_H
#define VMM_WHY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Puts the line into `why`, cut to `why_size` bytes with NUL. Always -1, to be returned at once. */
__attribute__((format(printf, 3, 4))) static inline int vmm_why(char *why, size_t why_size,
                                                                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, why_size, format, args);
    va_end(args);
    return -1;
}

#endif
