/*
 * keep_glib.c - GLib's first table of quarks stays findable for LeakSanitizer.
 *
 * GLib leaves that table behind when there are more than 2048 quarks, on purpose (readers take no
 * lock), and there are where many of GStreamer's plug-ins are installed. What LeakSanitizer tells
 * of it, g_malloc() and no more, could be anybody's, so it cannot be suppressed by name. This keeps
 * a copy of GLib's variables as they are before main(), which point to it. Linked to every test of
 * GStreamer's, and to a sanitized svc-server; without AddressSanitizer it does nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void keep_glib(void);

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#define PARTS_MAX 4
#define PART_MAX (1u << 16) /* words */

static void *kept[PARTS_MAX];

__attribute__((no_sanitize("address"))) static void *copy_of(const uintptr_t *from, size_t words)
{
    uintptr_t *to = calloc(words, sizeof *to);
    for (size_t i = 0; to && i < words; i++)
        to[i] = from[i];
    return to;
}

/* What can be written of GLib in memory, and the nameless piece behind it. */
__attribute__((constructor)) void keep_glib(void)
{
    char line[512], access[8];
    uintptr_t from, to, end = 0;
    size_t n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && n < PARTS_MAX && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3)
            continue;
        const int named = strstr(line, "/libglib-2.0.so") != NULL;
        const int next = end == from && !strchr(line, '/');
        end = named || next ? to : 0;
        if ((named || next) && strcmp(access, "rw-p") == 0 && to - from <= PART_MAX * sizeof from)
            kept[n++] = copy_of((const uintptr_t *)from, (to - from) / sizeof from);
    }
    if (maps)
        fclose(maps);
}
#else
void keep_glib(void)
{
}
#endif
