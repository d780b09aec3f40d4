/* timing.c - see timing.h. */
#include "timing.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct timing {
    FILE *file;
};

int timing_open(struct timing **out, const char *file, char *why, size_t why_size)
{
    struct timing *t = calloc(1, sizeof *t);

    if (!t || !(t->file = fopen(file, "w"))) {
        snprintf(why, why_size, "cannot write %s: %s", file, t ? strerror(errno) : "no memory");
        free(t);
        return -1;
    }
    if (fseek(t->file, 0, SEEK_CUR) != 0) /* no regular file: somebody reads along */
        setvbuf(t->file, NULL, _IOLBF, 0);
    fputs("picture,pts_us,time_code,captured_us,encode_us,arrived_us,decode_began_us,decoded_us,"
          "due_us,shown_us,spatial,av_skew_ms\n",
          t->file);
    *out = t;
    return 0;
}

void timing_add(struct timing *t, const struct timing_row *row)
{
    const struct delay_stamps *at = &row->at;
    const int64_t wall = row->wall_us;

    fprintf(t->file, "%" PRIu64 ",%" PRId64 ",%d,%" PRId64 ",%" PRIu32, row->picture, row->pts_us,
            row->time_code, at->captured ? at->captured + wall : 0, at->encode_us);
    fprintf(t->file, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%u,",
            at->arrived + wall, at->decode_began + wall, at->decoded + wall, at->due + wall,
            at->shown + wall, row->spatial);
    if (isnan(row->av_skew_ms))
        fputs("\n", t->file);
    else
        fprintf(t->file, "%.1f\n", row->av_skew_ms);
}

int timing_close(struct timing *t)
{
    if (!t)
        return 0;
    const bool failed = ferror(t->file) != 0;
    const bool closed = fclose(t->file) == 0;
    free(t);
    return closed && !failed ? 0 : -1;
}
