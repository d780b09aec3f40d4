/* proc.h - what the kernel says of a process and of the machine's UDP (proc(5)). */
#ifndef LOAD_PROC_H
#define LOAD_PROC_H

#include <stdint.h>

struct proc_look {
    double cpu_s;         /* user and system, all threads, since its start */
    uint64_t private_kib; /* resident and not shared with another process */
    uint64_t threads;
};

/* 0, or -1: there is no such process, or it may not be looked at. */
int proc_look(struct proc_look *out, uint32_t pid);
/* Datagrams that this machine's sockets had no room for, IPv4 and IPv6, since it started. */
uint64_t proc_udp_overflows(void);

#endif
