/*
 * small.c - in place of live.c and what it captures with: a server for guests, which serves layered
 * files and relays. Without encoders, FFmpeg and GStreamer it fits an initramfs.
 */
#include "live.h"
#include "source.h"

#include <stdio.h>
#include <string.h>

int live_open(struct feed **out, const struct feed_sink *sink, const struct live_config *cfg,
              char *why, size_t why_size)
{
    (void)sink;
    *out = NULL;
    snprintf(why, why_size,
             "%s: this svc-server is built without encoders and serves IVF files only",
             cfg->input.path ? cfg->input.path : "test picture");
    return -1;
}

bool source_is_realtime(const char *path)
{
    return strstr(path, "://") != NULL;
}
