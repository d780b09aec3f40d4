/*
 * testclip.c - svc-testclip: the project's own test clip as a file or on standard output.
 */
#include "clip_file.h"
#include "options.h"
#include "testclip_draw.h"

#include <libavutil/log.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FPS_MAX 120
#define SOUND_MAX (TESTCLIP_RATE / 10)

static const char help[] =
    "Usage: svc-testclip [options] OUT\n"
    "Draw the test clip: a moving landscape, its picture number in digits and as a strip of\n"
    "24 blocks, a beep each second. OUT: x.mkv (nearly lossless, PCM sound), x.y4m, or \"-\" "
    "(Y4M).\n"
    "\n"
    "  -s, --size WxH    [1280x720]\n"
    "  -r, --fps N       whole pictures per second [30]\n"
    "  -d, --duration S  seconds [15]\n"
    "      --seed N      another landscape [1]\n"
    "      --wav FILE    sound beside Y4M\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_SEED = 256, OPT_WAV };

static const struct option long_options[] = {
    { "size", required_argument, NULL, 's' },     { "fps", required_argument, NULL, 'r' },
    { "duration", required_argument, NULL, 'd' }, { "seed", required_argument, NULL, OPT_SEED },
    { "wav", required_argument, NULL, OPT_WAV },  OPTIONS_HELP_AND_VERSION,
};

struct options {
    struct clip_file_config file;
    double duration_s;
    uint32_t seed;
};

static bool take(void *user, int c, const char *arg)
{
    struct options *o = user;

    switch (c) {
    case 's':
        return parse_size(arg, &o->file.width, &o->file.height);
    case 'r':
        return parse_uint(arg, 1, FPS_MAX, &o->file.fps);
    case 'd':
        return parse_seconds(arg, &o->duration_s);
    case OPT_SEED:
        return parse_uint(arg, 0, UINT32_MAX, &o->seed);
    default:
        o->file.wav = arg;
        return true;
    }
}

static int write_clip(const struct options *o, struct testclip *clip, struct clip_file *file)
{
    uint64_t n_pictures = (uint64_t)ceil(o->duration_s * o->file.fps - 1e-6);
    uint64_t heard = 0;
    int err = 0;
    for (uint64_t n = 0; n < n_pictures && err == 0; n++) {
        struct svc_image img = testclip_draw(clip, (unsigned)n, (double)n / o->file.fps);
        err = clip_file_picture(file, &img, n);
        uint64_t until = (n + 1) * TESTCLIP_RATE / o->file.fps;
        while (heard < until && err == 0) {
            int16_t samples[SOUND_MAX];
            size_t part = until - heard < SOUND_MAX ? (size_t)(until - heard) : SOUND_MAX;
            testclip_sound(heard, samples, part);
            err = clip_file_sound(file, samples, part, heard);
            heard += part;
        }
    }
    return err ? err : clip_file_close(file);
}

int main(int argc, char **argv)
{
    struct options o = { .file = { .width = 1280, .height = 720, .fps = 30 },
                         .duration_s = 15,
                         .seed = 1 };
    static const struct tool tool = { "svc-testclip", help, "s:r:d:", long_options,
                                      "one OUT",      1,    take };
    int code = options_parse(&tool, &o, argc, argv);
    if (code != OPTIONS_GO_ON)
        return code;
    o.file.path = argv[optind];
    av_log_set_level(AV_LOG_QUIET);
    struct clip_file *file = NULL;
    struct testclip *clip = testclip_new(o.file.width, o.file.height, o.seed);
    int err = clip ? clip_file_open(&file, &o.file) : SVC_ERR_NOMEM;
    if (err == 0)
        err = write_clip(&o, clip, file);
    if (err < 0)
        fprintf(stderr, "svc-testclip: %s: %s\n", o.file.path, svc_strerror(err));
    clip_file_free(file);
    testclip_free(clip);
    return err < 0 ? 1 : 0;
}
