/* sound_stretch.c - see sound_stretch.h: libswresample. */
#include "sound_stretch.h"

#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include <stdlib.h>

struct sound_stretch {
    struct SwrContext *swr;
};

struct sound_stretch *sound_stretch_new(uint32_t rate, uint8_t channels)
{
    struct sound_stretch *s = calloc(1, sizeof *s);
    AVChannelLayout layout;
    if (!s)
        return NULL;
    av_channel_layout_default(&layout, channels);
    if (swr_alloc_set_opts2(&s->swr, &layout, AV_SAMPLE_FMT_S16, (int)rate, &layout,
                            AV_SAMPLE_FMT_S16, (int)rate, 0, NULL) >= 0) {
        av_opt_set_int(s->swr, "flags", SWR_FLAG_RESAMPLE, 0);
        if (swr_init(s->swr) >= 0)
            return s;
    }
    sound_stretch_free(s);
    return NULL;
}

void sound_stretch_free(struct sound_stretch *s)
{
    if (s)
        swr_free(&s->swr);
    free(s);
}

int sound_stretch_run(struct sound_stretch *s, const int16_t *in, int frames, int more,
                      int16_t *out, int most)
{
    const uint8_t *from = (const uint8_t *)in;
    uint8_t *to = (uint8_t *)out;
    if (swr_set_compensation(s->swr, more, frames + more) < 0)
        return -1;
    const int got = swr_convert(s->swr, &to, most, &from, frames);
    return got > 0 ? got : 0;
}

int64_t sound_stretch_delay(const struct sound_stretch *s)
{
    return swr_get_delay(s->swr, 1000000);
}
