/* live_input.c - see live_input.h. */
#include "live_input.h"

#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source.h"
#include "testclip_draw.h"

#define TEST_WIDTH 960
#define TEST_HEIGHT 540
#define TEST_FPS 30
#define TEST_SEED 1
#define DECODE_THREADS 2 /* they work ahead while the encoder codes */
_Static_assert(LIVE_RATE == SOURCE_RATE && LIVE_RATE == TESTCLIP_RATE, "one rate for all");

struct live_input {
    struct live_input_config cfg;
    struct live_input_info info;
    struct testclip *clip;
    struct source *source;
    struct capture *capture;
    struct svc_image_buffer to; /* what the source was told last */
    uint64_t number;            /* LIVE_TEST: the next picture's */
    uint64_t heard;             /* LIVE_TEST: frames of sound */
    const int16_t *rest;        /* LIVE_FILE: of the last piece, the source's */
    size_t n_rest;
    bool some; /* a picture has come since the beginning */
};

static int open_test(struct live_input *in)
{
    const struct live_input_config *c = &in->cfg;

    in->info = (struct live_input_info){ .width = c->width ? c->width : TEST_WIDTH,
                                         .height = c->height ? c->height : TEST_HEIGHT,
                                         .fps_num = c->fps_num ? c->fps_num : TEST_FPS,
                                         .fps_den = c->fps_num ? c->fps_den : 1,
                                         .channels = 1 };
    in->clip = testclip_new(in->info.width, in->info.height, TEST_SEED);
    return in->clip ? 0 : SVC_ERR_NOMEM;
}

static int open_file(struct live_input *in, char *why, size_t why_size)
{
    const struct live_input_config *c = &in->cfg;
    const struct source_config cfg = { .path = c->path,
                                       .width = c->width,
                                       .height = c->height,
                                       .fps_num = c->fps_num,
                                       .fps_den = c->fps_den,
                                       .threads = DECODE_THREADS,
                                       .quick = true,
                                       .stop = c->stop,
                                       .stop_user = c->stop_user };
    av_log_set_level(AV_LOG_QUIET);
    int err = source_open(&in->source, &cfg, why, why_size);
    if (err < 0)
        return err;
    const struct source_info *i = source_info(in->source);
    in->info = (struct live_input_info){ .width = i->width,
                                         .height = i->height,
                                         .fps_num = i->fps_num,
                                         .fps_den = i->fps_den,
                                         .channels = i->channels };
    return 0;
}

static int open_capture(struct live_input *in, char *why, size_t why_size)
{
    const struct live_input_config *c = &in->cfg;
    const struct capture_config cfg = { .input = c->path,
                                        .sound = c->sound,
                                        .width = c->width,
                                        .height = c->height,
                                        .fps_num = c->fps_num,
                                        .fps_den = c->fps_den,
                                        .stop = c->stop,
                                        .stop_user = c->stop_user };
    if (capture_open(&in->capture, &cfg, why, why_size) < 0)
        return SVC_ERR_FILE;
    const struct capture_info *i = capture_info(in->capture);
    in->info = (struct live_input_info){ .width = i->width,
                                         .height = i->height,
                                         .fps_num = i->fps_num,
                                         .fps_den = i->fps_den,
                                         .channels = i->channels };
    return 0;
}

static int open_kind(struct live_input *in, char *why, size_t why_size)
{
    switch (in->cfg.kind) {
    case LIVE_TEST:
        return open_test(in);
    case LIVE_CAPTURE:
        return open_capture(in, why, why_size);
    default:
        return open_file(in, why, why_size);
    }
}

int live_input_open(struct live_input **out, const struct live_input_config *cfg, char *why,
                    size_t why_size)
{
    struct live_input *in = calloc(1, sizeof *in);
    int err = SVC_ERR_NOMEM;

    why[0] = 0;
    if (in) {
        in->cfg = *cfg;
        err = open_kind(in, why, why_size);
    }
    if (err < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s: %s", cfg->path ? cfg->path : "test", svc_strerror(err));
        live_input_free(in);
        return -1;
    }
    *out = in;
    return 0;
}

const struct live_input_info *live_input_info(const struct live_input *in)
{
    return &in->info;
}

/* The file's next picture; NULL: it is not wanted. At the end again from the beginning, if there
 * was anything in it. */
static int file_picture(struct live_input *in, struct source_item *item)
{
    int got = item ? source_next_picture(in->source, item) : source_skip_picture(in->source);

    if (got == 0 && in->cfg.repeat && in->some && source_rewind(in->source) == 0) {
        in->some = false;
        in->n_rest = 0;
        got = item ? source_next_picture(in->source, item) : source_skip_picture(in->source);
    }
    in->some = in->some || got == 1;
    return got < 0 ? -1 : got;
}

void live_input_await(struct live_input *in, uint64_t until_us)
{
    if (in->capture)
        capture_await(in->capture, until_us);
}

int live_input_picture(struct live_input *in, const struct svc_image_buffer *to)
{
    struct source_item item;

    if (in->clip) {
        const double seconds = (double)in->number * in->info.fps_den / in->info.fps_num;

        testclip_draw_to(in->clip, to, (unsigned)in->number++, seconds);
        return 1;
    }
    if (in->capture) {
        capture_picture(in->capture, to);
        return 1;
    }
    if (memcmp(in->to.plane, to->plane, sizeof in->to.plane) != 0) {
        source_write_to(in->source, to);
        in->to = *to;
    }
    return file_picture(in, &item);
}

int live_input_skip(struct live_input *in)
{
    if (in->clip) {
        in->number++;
        return 1;
    }
    return in->capture ? 1 : file_picture(in, NULL);
}

static size_t test_sound(struct live_input *in, int16_t *out, size_t n)
{
    testclip_sound(in->heard, out, n);
    in->heard += n;
    return n;
}

size_t live_input_sound(struct live_input *in, uint64_t at_us, int16_t *out, size_t n)
{
    const size_t channels = in->info.channels;
    size_t done = 0;

    if (in->clip)
        return test_sound(in, out, n);
    if (in->capture) {
        capture_sound(in->capture, at_us, out, n);
        return n;
    }
    while (done < n) {
        struct source_item item;

        if (in->n_rest == 0) {
            if (source_next_sound(in->source, &item) != 1)
                break;
            in->rest = item.samples;
            in->n_rest = item.n_frames;
        }
        const size_t part = in->n_rest < n - done ? in->n_rest : n - done;

        memcpy(out + done * channels, in->rest, part * channels * sizeof *out);
        in->rest += part * channels;
        in->n_rest -= part;
        done += part;
    }
    return done;
}

bool live_input_capture_stats(const struct live_input *in, struct capture_stats *out)
{
    if (!in->capture)
        return false;
    if (out)
        capture_get_stats(in->capture, out);
    return true;
}

void live_input_free(struct live_input *in)
{
    if (!in)
        return;
    testclip_free(in->clip);
    source_free(in->source);
    capture_free(in->capture);
    free(in);
}
