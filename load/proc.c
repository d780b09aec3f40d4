/* proc.c - see proc.h. */
#include "proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int look_at_times(struct proc_look *out, uint32_t pid)
{
    char name[64], line[1024];
    uint64_t user, system, threads;

    snprintf(name, sizeof name, "/proc/%" PRIu32 "/stat", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return -1;
    const char *got = fgets(line, sizeof line, file);
    fclose(file);
    const char *after = got ? strrchr(line, ')') : NULL; /* the name may hold anything */
    if (!after || sscanf(after + 1,
                         " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                         " %*d %*d %*d %*d %" SCNu64,
                         &user, &system, &threads) != 3)
        return -1;
    out->cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    out->threads = threads;
    return 0;
}

static int look_at_memory(struct proc_look *out, uint32_t pid)
{
    char name[64], line[256];
    uint64_t kib;

    snprintf(name, sizeof name, "/proc/%" PRIu32 "/smaps_rollup", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return -1;
    out->private_kib = 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Clean: %" SCNu64, &kib) == 1 ||
            sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1)
            out->private_kib += kib;
    fclose(file);
    return 0;
}

int proc_look(struct proc_look *out, uint32_t pid)
{
    return look_at_times(out, pid) == 0 && look_at_memory(out, pid) == 0 ? 0 : -1;
}

/* Two lines begin with "Udp:": names, then numbers. */
static uint64_t overflows4(void)
{
    char line[1024];
    uint64_t n = 0;
    FILE *file = fopen("/proc/net/snmp", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Udp: %*u %*u %*u %*u %" SCNu64, &n) == 1)
            break;
    if (file)
        fclose(file);
    return n;
}

static uint64_t overflows6(void)
{
    char line[256];
    uint64_t n = 0;
    FILE *file = fopen("/proc/net/snmp6", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Udp6RcvbufErrors %" SCNu64, &n) == 1)
            break;
    if (file)
        fclose(file);
    return n;
}

uint64_t proc_udp_overflows(void)
{
    return overflows4() + overflows6();
}
