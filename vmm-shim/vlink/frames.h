/* frames.h - vlink --frames: Ethernet links told over a control socket, until SIGTERM or SIGINT. */
#ifndef VLINK_FRAMES_H
#define VLINK_FRAMES_H

#include "options.h"

/* 0, or -1 with one line in `why`. */
int vlink_frames_run(const struct vlink_options *o, char *why, size_t why_size);

#endif
