/*
 * source.h - a layered file in real time: each packet is handed out when its time has come, on a
 * libev loop, one packet read ahead. Time stands still while nobody has called source_start.
 */
#ifndef SERVER_SOURCE_H
#define SERVER_SOURCE_H

#include <svc/svc.h>

struct ev_loop;
struct source;

#define SOURCE_DAMAGED_MAX 100     /* damaged places in a row before a file is given up */
#define SOURCE_BURST_MAX 256       /* packets handed out in one go, before the loop gets its turn */
#define SOURCE_LATE_MAX_US 1000000 /* the clock is set anew when the process slept for longer */

enum source_end { SOURCE_FILE_END, SOURCE_FILE_DAMAGED };

struct source_config {
    struct ev_loop *loop; /* borrowed for the source's life */
    const char *path;
    bool repeat;
    void (*on_packet)(void *user, const struct svc_packet *pkt); /* borrowed for the call */
    void (*on_burst)(void *user);                    /* all packets that were due have been given */
    void (*on_end)(void *user, enum source_end end); /* nothing comes after it */
    void *user;
};

/* 0, or -1 with one line in `why` that names the file. */
int source_open(struct source **out, const struct source_config *cfg, char *why, size_t why_size);
const struct svc_stream_info *source_info(const struct source *s);
/* Let the first packet be due in `delay_us`; a second call does nothing. */
void source_start(struct source *s, uint64_t delay_us);
void source_stop(struct source *s);
void source_free(struct source *s);

#endif
