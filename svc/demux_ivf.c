/*
 * demux_ivf.c - see demux.h: IVF, read by ourselves. A header of 32 bytes ("DKIF", version, header
 * length, codec, width, height, rate), then pictures, each with its length and time
 * (wiki.multimedia.cx/index.php/IVF).
 */
#include "demux.h"
#include "svc/svc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 32
#define PICTURE_HEADER 12
#define SECOND_US 1000000

struct svc_demux {
    FILE *file;
    struct svc_demux_info info;
    uint8_t *bytes;
    size_t cap;
};

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int read_header(struct svc_demux *d)
{
    static const struct {
        char fourcc[5];
        enum AVCodecID id;
    } codecs[] = { { "AV01", AV_CODEC_ID_AV1 }, { "VP90", AV_CODEC_ID_VP9 } };
    uint8_t h[HEADER];

    if (fread(h, 1, sizeof(h), d->file) != sizeof(h) || memcmp(h, "DKIF", 4) != 0 ||
        (h[6] | h[7] << 8) != HEADER)
        return SVC_ERR_FORMAT;
    d->info.codec = AV_CODEC_ID_NONE;
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (memcmp(h + 8, codecs[i].fourcc, 4) == 0)
            d->info.codec = codecs[i].id;
    d->info.fps_num = le32(h + 16);
    d->info.fps_den = le32(h + 20);
    return d->info.codec != AV_CODEC_ID_NONE && d->info.fps_num && d->info.fps_den ? 0
                                                                                   : SVC_ERR_FORMAT;
}

int svc_demux_open(struct svc_demux **out, const char *path, enum svc_container container)
{
    struct svc_demux *d = calloc(1, sizeof(*d));
    int err = SVC_ERR_NOMEM;

    *out = NULL;
    if (!d)
        return err;
    d->file = container == SVC_IVF ? fopen(path, "rbe") : NULL;
    if (d->file)
        err = read_header(d);
    else
        err = container == SVC_IVF ? SVC_ERR_FILE : SVC_ERR_FORMAT;
    if (err < 0) {
        svc_demux_close(d);
        return err;
    }
    *out = d;
    return 0;
}

const struct svc_demux_info *svc_demux_info(const struct svc_demux *d)
{
    return &d->info;
}

int svc_demux_next(struct svc_demux *d, struct svc_demux_packet *out)
{
    uint8_t h[PICTURE_HEADER];
    const size_t got = fread(h, 1, sizeof(h), d->file);

    if (got == 0 && feof(d->file))
        return 0;
    const size_t len = got == sizeof(h) ? le32(h) : 0;
    if (len == 0 || len > SVC_SPATIAL_MAX * SVC_UNIT_MAX)
        return SVC_ERR_FORMAT;
    if (len > d->cap) {
        uint8_t *more = realloc(d->bytes, len);
        if (!more)
            return SVC_ERR_NOMEM;
        d->bytes = more;
        d->cap = len;
    }
    if (fread(d->bytes, 1, len, d->file) != len)
        return SVC_ERR_FORMAT;
    const double at = (double)(le32(h + 4) | (uint64_t)le32(h + 8) << 32) * SECOND_US *
                      d->info.fps_den / d->info.fps_num;

    *out = (struct svc_demux_packet){ .video = true,
                                      .bytes = d->bytes,
                                      .len = len,
                                      .has_pts = true,
                                      .pts = at < 9e15 ? (int64_t)(at + 0.5) : INT64_MAX / 2 };
    return 1;
}

void svc_demux_close(struct svc_demux *d)
{
    if (!d)
        return;
    if (d->file)
        fclose(d->file);
    free(d->bytes);
    free(d);
}
