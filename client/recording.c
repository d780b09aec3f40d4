/* recording.c - see recording.h. */
#include "recording.h"

#include "log.h"
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US_PER_S 1000000
#define PACKET_BYTES_MAX 1500

struct packet {
    int64_t pts;
    size_t len;
    uint8_t bytes[PACKET_BYTES_MAX];
};

struct recording {
    const char *path;
    struct svc_writer *writer; /* NULL: not begun, or over */
    struct svc_stream_info info;
    bool failed;
    struct picture_window window;
    struct svc_tracker known; /* what a decoder of the file has */
    struct packet *sound;     /* by rising pts */
    size_t n_sound;
    bool begun;        /* a key picture of this stretch is in the file */
    bool any;          /* something is in the file */
    uint64_t shift;    /* added to the stretch's picture numbers (modulo 2^64) ... */
    int64_t shift_pts; /* ... and to its times */
    uint64_t last;     /* in the file */
    int64_t last_pts;
    int64_t sound_from; /* time in the file before which no sound goes there any more */
    uint64_t bytes;
};

static void give_up(struct recording *r, const char *what)
{
    if (!r->failed)
        log_text(LOG_LEVEL_ERROR, "%s: %s; the recording ends here, playing goes on", r->path,
                 what);
    r->failed = true;
    svc_writer_free(r->writer); /* unfinished: it is read up to there */
    r->writer = NULL;
    picture_window_clear(&r->window);
    r->n_sound = 0;
}

/* ---- writing ---- */

static int64_t frame_us(const struct recording *r)
{
    return (int64_t)US_PER_S * r->info.fps_den / r->info.fps_num;
}

/* The first picture of a stretch follows what is there. */
static void begin_stretch(struct recording *r, const struct picture *p)
{
    r->shift = r->any ? r->last + 1 - p->number : 0 - p->number;
    r->shift_pts = (r->any ? r->last_pts + frame_us(r) : 0) - p->pts;
    r->begun = true;
    r->known = (struct svc_tracker){ 0 };
    r->sound_from = p->pts + r->shift_pts;
}

/* Units of the picture that can be decoded from what is in the file, as they go there. */
static size_t gather(struct recording *r, const struct picture *p, struct svc_unit *units)
{
    size_t n = 0;

    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++) {
        const struct svc_unit *u = &p->layer[s].unit;
        if (!u->bytes || !svc_tracker_decodable(&r->known, u))
            continue;
        svc_tracker_decoded(&r->known, u);
        units[n] = *u;
        units[n].picture += r->shift;
        units[n].pts += r->shift_pts;
        for (size_t i = 0; i < u->deps.n_reads; i++)
            units[n].deps.reads[i].picture += r->shift;
        n++;
    }
    return n;
}

static void write_sound(struct recording *r, int64_t until)
{
    size_t n = 0;

    while (n < r->n_sound && r->sound[n].pts + r->shift_pts <= until && r->writer) {
        const struct packet *p = &r->sound[n++];
        const int64_t pts = p->pts + r->shift_pts;
        if (pts < r->sound_from)
            continue; /* of before the stretch, or it came too late */
        r->sound_from = pts + 1;
        const int result = svc_writer_audio(r->writer, p->bytes, p->len, pts);
        if (result < 0) {
            give_up(r, svc_strerror(result));
            return;
        }
        r->bytes += p->len;
    }
    memmove(r->sound, r->sound + n, (r->n_sound - n) * sizeof *r->sound);
    r->n_sound -= n;
}

static void write_picture(struct recording *r, const struct picture *p)
{
    struct svc_unit units[SVC_SPATIAL_MAX];
    size_t n;

    if (!r->begun && !(p->layer[0].unit.bytes && p->layer[0].unit.key))
        return;
    if (!r->begun)
        begin_stretch(r, p);
    n = gather(r, p, units);
    if (n == 0)
        return;
    const int result = svc_writer_picture(r->writer, units, n);
    if (result < 0) {
        give_up(r, svc_strerror(result));
        return;
    }
    for (size_t i = 0; i < n; i++)
        r->bytes += units[i].len;
    r->any = true;
    r->last = units[0].picture;
    r->last_pts = units[0].pts;
    write_sound(r, r->last_pts);
}

/* Pictures up to that one, not included, have waited long enough. */
static void write_before(struct recording *r, uint64_t number)
{
    struct picture *p = picture_window_next(&r->window, r->window.floor);

    while (p && p->number < number && r->writer) {
        const uint64_t done = p->number;
        write_picture(r, p);
        if (!r->writer)
            return; /* given up: the window is empty */
        picture_window_forget_before(&r->window, done + 1);
        p = picture_window_next(&r->window, done + 1);
    }
}

/* ---- what comes ---- */

static void describe(struct recording *r, const struct msf_catalog *c,
                     const struct subscription_plan *plan)
{
    struct svc_stream_info *info = &r->info;
    double fps = 0;

    *info = (struct svc_stream_info){ 0 };
    for (size_t i = 0; i < plan->n; i++) {
        const struct msf_track *t = &c->tracks[plan->item[i].track];
        const struct svc_layer l = plan->item[i].layer;
        if (plan->item[i].kind == SUBSCRIPTION_AUDIO) {
            info->has_audio = svc_writer_has_sound(r->path);
            info->audio_rate = t->samplerate ? t->samplerate : 48000;
            info->audio_channels = strcmp(t->channel_config, "1") == 0 ? 1 : 2;
            info->audio_bitrate_bps = t->bitrate;
            continue;
        }
        snprintf(info->codec, sizeof info->codec, "%s", t->codec);
        info->n_spatial = l.spatial >= info->n_spatial ? l.spatial + 1 : info->n_spatial;
        info->n_temporal = l.temporal >= info->n_temporal ? l.temporal + 1 : info->n_temporal;
        info->width = t->width > info->width ? t->width : info->width;
        info->height = t->height > info->height ? t->height : info->height;
        fps = t->framerate > fps ? t->framerate : fps;
    }
    for (size_t i = 0; i < plan->n; i++) {
        const struct msf_track *t = &c->tracks[plan->item[i].track];
        const struct svc_layer l = plan->item[i].layer;
        if (plan->item[i].kind == SUBSCRIPTION_VIDEO)
            info->layers[l.temporal * info->n_spatial + l.spatial] = (struct svc_layer_info){
                .layer = l, .width = t->width, .height = t->height, .bitrate_bps = t->bitrate
            };
    }
    info->n_layers = (size_t)info->n_spatial * info->n_temporal;
    info->fps_den = 1000;
    info->fps_num = (uint32_t)((fps >= 1 && fps <= 240 ? fps : 30) * 1000 + 0.5);
}

void recording_catalog(struct recording *r, const struct msf_catalog *c,
                       const struct subscription_plan *plan)
{
    char why[200] = "";

    if (r->failed)
        return;
    if (r->writer) {
        recording_break(r);
        return;
    }
    describe(r, c, plan);
    if (svc_writer_open(&r->writer, r->path, &r->info, why, sizeof why) != 0)
        give_up(r, why);
}

void recording_break(struct recording *r)
{
    write_before(r, UINT64_MAX);
    picture_window_clear(&r->window);
    r->n_sound = 0;
    r->begun = false;
}

void recording_unit(struct recording *r, const struct svc_unit *unit)
{
    if (!r->writer)
        return;
    if (picture_window_put(&r->window, unit, 0) == PICTURE_AHEAD) {
        recording_break(r);
        if (r->writer)
            (void)picture_window_put(&r->window, unit, 0);
    }
    if (r->writer && r->window.newest >= RECORDING_BEHIND)
        write_before(r, r->window.newest - RECORDING_BEHIND);
}

void recording_sound(struct recording *r, const uint8_t *opus, size_t len, int64_t pts)
{
    size_t at = r->n_sound;

    if (!r->writer || !r->info.has_audio || len == 0 || len > PACKET_BYTES_MAX)
        return;
    if (r->n_sound == RECORDING_SOUND_MAX) {
        memmove(r->sound, r->sound + 1, --r->n_sound * sizeof *r->sound);
        at--;
    }
    while (at > 0 && r->sound[at - 1].pts > pts)
        at--;
    memmove(r->sound + at + 1, r->sound + at, (r->n_sound - at) * sizeof *r->sound);
    r->sound[at].pts = pts;
    r->sound[at].len = len;
    memcpy(r->sound[at].bytes, opus, len);
    r->n_sound++;
}

uint64_t recording_bytes(const struct recording *r)
{
    return r->bytes;
}

/* ---- life ---- */

int recording_new(struct recording **out, const char *path, char *why, size_t why_size)
{
    struct recording *r = calloc(1, sizeof *r);
    struct packet *sound = calloc(RECORDING_SOUND_MAX, sizeof *sound);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    if (!r || !sound || fd < 0) {
        snprintf(why, why_size, "--record: %s: %s", path, fd < 0 ? strerror(errno) : "no memory");
        if (fd >= 0)
            close(fd);
        free(sound);
        free(r);
        return -1;
    }
    close(fd);
    r->path = path;
    r->sound = sound;
    *out = r;
    return 0;
}

int recording_end(struct recording *r)
{
    if (!r)
        return 0;
    write_before(r, UINT64_MAX);
    if (r->writer)
        write_sound(r, INT64_MAX);
    const int result = r->writer && r->any ? svc_writer_close(r->writer) : 0;
    svc_writer_free(r->writer);
    r->writer = NULL;
    if (result < 0)
        give_up(r, svc_strerror(result));
    return r->failed ? -1 : 0;
}

void recording_free(struct recording *r)
{
    if (!r)
        return;
    svc_writer_free(r->writer);
    picture_window_clear(&r->window);
    free(r->sound);
    free(r);
}
