/* capture_libav.c - see capture_reader.h: devices and streams of the network by FFmpeg. */
#include <libavutil/log.h>
#include <stdio.h>

#include "capture_reader.h"
#include "source.h"

static int libav_open(void **out, const struct capture_reader_config *cfg,
                      struct capture_reader_info *info, char *why, size_t why_size)
{
    const struct source_config c = { .path = cfg->input,
                                     .width = cfg->width,
                                     .height = cfg->height,
                                     .fps_num = cfg->fps_num,
                                     .fps_den = cfg->fps_den,
                                     .threads = 1,
                                     .quick = true,
                                     .realtime = true,
                                     .fit = true,
                                     .sound_only = cfg->sound_only,
                                     .channels = cfg->channels,
                                     .stop = cfg->stop,
                                     .stop_user = cfg->stop_user };
    struct source *s;

    av_log_set_level(AV_LOG_QUIET);
    why[0] = 0;
    const int err = source_open(&s, &c, why, why_size);
    if (err < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s: %s", cfg->input, svc_strerror(err));
        return -1;
    }
    const struct source_info *i = source_info(s);
    *info =
        (struct capture_reader_info){ i->width, i->height, i->fps_num, i->fps_den, i->channels };
    *out = s;
    return 0;
}

static int libav_read(void *reader, struct capture_item *out)
{
    struct source_item item;
    const int got = source_read(reader, &item);

    if (got == 1)
        *out = (struct capture_item){ .picture = item.kind == SOURCE_PICTURE,
                                      .pts = item.pts,
                                      .image = item.image,
                                      .samples = item.samples,
                                      .n_frames = item.n_frames };
    return got < 0 ? -1 : got;
}

static void libav_stretch(void *reader, int frames, int over)
{
    source_stretch_sound(reader, frames, over);
}

static void libav_free(void *reader)
{
    source_free(reader);
}

const struct capture_reader_ops capture_reader_libav = { libav_open, libav_read, libav_stretch,
                                                         libav_free };
