/*
 * small.c - in place of codecs.c, the encoders and writer.c: what a guest needs of this library is
 * to decode AV1 and to read files (demux_ivf.c), by dav1d alone. What it cannot do is refused with
 * the reason.
 */
#include "av1.h"

#include <stdio.h>

static int no_encoder(void **state, const struct svc_encoder_config *cfg,
                      struct svc_stream_info *info)
{
    (void)cfg;
    (void)info;
    *state = NULL;
    return SVC_ERR_CODEC;
}

static int encode_nothing(void *state, const struct svc_image *img, uint64_t picture,
                          struct svc_coding *coding, size_t n)
{
    (void)state;
    (void)img;
    (void)picture;
    (void)coding;
    (void)n;
    return SVC_ERR_CODEC;
}

static void close_nothing(void *state)
{
    (void)state;
}

const struct svc_codec svc_codec_av1 = {
    .name = "av1",
    .rfc6381 = "av01",
    .n_spatial_max = 4,
    .n_temporal_max = 3,
    .long_term = true,
    .encoder_open = no_encoder,
    .encode = encode_nothing,
    .encoder_close = close_nothing,
    .decoder_open = svc_av1_decoder_open,
    .decode = svc_av1_decode,
    .release = svc_av1_release,
    .flush = svc_av1_flush,
    .decoder_close = svc_av1_decoder_close,
};

const struct svc_codec *const svc_codec_all[] = { &svc_codec_av1, NULL };
const char *const svc_codecs[] = { "av1", NULL };

int svc_writer_open(struct svc_writer **out, const char *path, const struct svc_stream_info *info,
                    char *why, size_t why_size)
{
    *out = NULL;
    return svc_writer_check(path, info, why, why_size);
}

int svc_writer_check(const char *path, const struct svc_stream_info *info, char *why,
                     size_t why_size)
{
    (void)info;
    if (why && why_size)
        snprintf(why, why_size, "%s: this build writes no files", path);
    return SVC_ERR_ARG;
}

bool svc_writer_has_sound(const char *path)
{
    (void)path;
    return false;
}

int svc_writer_picture(struct svc_writer *w, const struct svc_unit *units, size_t n)
{
    (void)w;
    (void)units;
    (void)n;
    return SVC_ERR_FILE;
}

int svc_writer_audio(struct svc_writer *w, const uint8_t *opus, size_t len, int64_t pts)
{
    (void)w;
    (void)opus;
    (void)len;
    (void)pts;
    return SVC_ERR_FILE;
}

int svc_writer_close(struct svc_writer *w)
{
    (void)w;
    return SVC_ERR_FILE;
}

void svc_writer_free(struct svc_writer *w)
{
    (void)w;
}
