/*
 * recorder.h - writes what is served to layered files that play and serve again. Its own thread
 * writes, so that a slow disk holds nobody up; what does not fit its queue is left out up to the
 * next key picture. A full or broken disk ends the file, which plays up to there; a new one is
 * tried at a key picture every RECORDER_RETRY_US. Each of these is one line in the log.
 */
#ifndef SERVER_RECORDER_H
#define SERVER_RECORDER_H

#include "media.h"

#define RECORDER_QUEUE_BYTES_MAX (32u << 20)
#define RECORDER_RETRY_US 30000000
#define RECORDER_PATH_MAX 4096

struct recorder_stats {
    bool writes;       /* a file is open */
    uint64_t bytes;    /* of media, all files */
    uint64_t left_out; /* packets: disk too slow or broken */
    uint64_t files, failures;
    char path[RECORDER_PATH_MAX]; /* of the present or last file */
};

struct recorder;
/*
 * `path` may have conversions of strftime(3), filled in when a file is begun; where such a file is
 * there already "-2", "-3" ... goes before its ending: nothing is written over. Its ending says the
 * kind, see svc_writer_open. 0, or -1 with one line in `why`: such a file cannot carry the stream,
 * or the folder cannot be written to. The first file is begun with the first key picture.
 */
int recorder_new(struct recorder **out, const char *path, const struct svc_stream_info *info,
                 char *why, size_t why_size);
/* Never waits; takes a reference of its own. */
void recorder_put(struct recorder *r, struct media *m);
void recorder_get_stats(struct recorder *r, struct recorder_stats *out);
/* Writes what is queued, finishes the file. */
void recorder_free(struct recorder *r);

#endif
