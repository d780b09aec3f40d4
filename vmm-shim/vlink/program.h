/* program.h - loads a packet program (<vmm/program.h>) as the filter of a link. */
#ifndef VLINK_PROGRAM_H
#define VLINK_PROGRAM_H

#include "link.h"

struct vlink_program;

/* 0, or -1 with one line in `why`: no such file, not a program, of another version. */
int vlink_program_load(struct vlink_program **out, const char *path, const char *link,
                       const char *argument, uint64_t seed, char *why, size_t why_size);
void vlink_program_free(struct vlink_program *p);
struct vlink_filter *vlink_program_filter(struct vlink_program *p);
const char *vlink_program_path(const struct vlink_program *p);

#endif
