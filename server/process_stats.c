/* process_stats.c - see process_stats.h. */
#include "process_stats.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t entries(const char *folder, unsigned without)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    uint64_t n = 0;
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n > without ? n - without : 0;
}

void process_stats_get(struct process_stats *out)
{
    *out = (struct process_stats){ 0 };
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    unsigned long long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        if (fscanf(statm, "%llu %llu", &size, &resident) == 2) {
            const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
            out->virtual_bytes = size * page;
            out->resident_bytes = resident * page;
        }
        fclose(statm);
    }
    out->fds = entries("/proc/self/fd", 1); /* the folder's own */
    out->threads = entries("/proc/self/task", 0);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        out->fds_max = limit.rlim_cur;
}
