/* problems.c - see problems.h. */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct problems *p, char *text, size_t size)
{
    *p = (struct problems){ .text = text, .size = size };
    text[0] = '\0';
}

void problems_add(struct problems *p, const char *format, ...)
{
    va_list args;
    if (p->n++ && p->at + 1 < p->size)
        p->text[p->at++] = '\n';
    va_start(args, format);
    const int n = vsnprintf(p->text + p->at, p->size - p->at, format, args);
    va_end(args);
    if (n > 0)
        p->at = p->at + (size_t)n < p->size ? p->at + (size_t)n : p->size - 1;
}
