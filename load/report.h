/* report.h - what came of it, for people and for programs. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdio.h>

#include "args.h"
#include "proc.h"
#include "tally.h"

struct report {
    const struct args *args;
    const struct tally *tally;       /* of all threads */
    double counted_s;                /* seconds that were counted */
    double watching;                 /* subscribers that watched, mean over that time */
    double own_cpu_s;                /* of this program in that time */
    uint64_t udp_overflows;          /* in that time, of the machine */
    struct proc_look idle, from, to; /* of the server before all; at both ends of that time */
    bool has_server;
};

void report_print(const struct report *r, FILE *to);
/* 0, or -1: the file cannot be written. */
int report_write(const struct report *r, FILE *to);
/* 0: all were served in time; 1: some were not; 2: nobody was. */
int report_verdict(const struct report *r);

#endif
