/*
 * links.c - what vlink's "stats" say of links, for people. See links.h.
 */
#include "cmd/links.h"

#include <stdio.h>
#include <string.h>

static const char *text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static json_int_t number(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void print_way(const char *link, const char *way, json_t *d)
{
    char rate[32] = "-", delay[32];
    if (number(d, "rate_bps"))
        snprintf(rate, sizeof rate, "%.2f Mbit/s", (double)number(d, "rate_bps") / 1e6);
    snprintf(delay, sizeof delay, "%.1f ms", json_number_value(json_object_get(d, "delay_ms")));
    printf("%-16s %-5s %-5s %14s %10s %10lld %12lld %8lld %8lld %9.1f\n", link, way,
           json_is_true(json_object_get(d, "down")) ? "down" : "up", rate, delay,
           (long long)number(d, "packets_out"), (long long)number(d, "bytes_out"),
           (long long)number(d, "drop_queue"),
           (long long)(number(d, "drop_loss") + number(d, "drop_program")),
           json_number_value(json_object_get(d, "queue_ms")));
}

int vmm_links_print(json_t *stats, const char *only)
{
    size_t i;
    json_t *link;
    int n = 0;
    json_array_foreach(json_object_get(stats, "links"), i, link)
    {
        const char *name = text(link, "name");
        if (only && strcmp(only, name) != 0)
            continue;
        if (n++ == 0)
            printf("%-16s %-5s %-5s %14s %10s %10s %12s %8s %8s %9s\n", "LINK", "WAY", "STATE",
                   "RATE", "DELAY", "FRAMES", "BYTES", "QUEUE-", "LOST", "QUEUE MS");
        print_way(name, "up", json_object_get(link, "up"));
        print_way("", "down", json_object_get(link, "down"));
    }
    return n;
}

int vmm_links_json(json_t *stats, const char *only)
{
    size_t i;
    json_t *link, *found = NULL, *all = json_object_get(stats, "links");
    json_array_foreach(all, i, link)
    {
        if (only && strcmp(only, text(link, "name")) == 0)
            found = link;
    }
    if (only && !found)
        return 0;
    json_dumpf(only ? found : all, stdout, JSON_INDENT(2));
    putchar('\n');
    return 1;
}
