/* trace_file.h - a trace from a file. */
#ifndef VLINK_TRACE_FILE_H
#define VLINK_TRACE_FILE_H

#include "trace.h"

/* 0, or -1 with one line in `why`: the file and what is wrong. vlink_trace_fini() it. */
int vlink_trace_read(struct vlink_trace *out, const char *path, char *why, size_t why_size);

#endif
