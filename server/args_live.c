/* args_live.c - see args_live.h. */
#include "args_live.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "source.h"

#define KEY_INTERVAL_S 2
#define KBPS_MIN 8
#define KBPS_MAX 100000
#define TEXT_MAX 64

void args_live_init(struct args_live *a)
{
    *a = (struct args_live){ .config = { .key_interval_s = KEY_INTERVAL_S } };
    svc_encoder_config_init(&a->config.encoder);
}

/* What follows "test": nothing, or ":WxH", "@FPS", ":WxH@FPS". */
static bool set_test(struct live_input_config *in, const char *rest)
{
    char size[TEXT_MAX];
    const char *fps = strchr(rest, '@');
    const size_t len = fps ? (size_t)(fps - rest) : strlen(rest);

    if (len >= sizeof size || (len > 0 && rest[0] != ':'))
        return false;
    memcpy(size, rest, len);
    size[len] = '\0';
    in->kind = LIVE_TEST;
    return (len == 0 || parse_size(size + 1, &in->width, &in->height)) &&
           (!fps || parse_rate(fps + 1, &in->fps_num, &in->fps_den));
}

static bool in_its_own_time(const char *text)
{
    return strncmp(text, "gst:", 4) == 0 || source_is_realtime(text);
}

static bool set_source(struct live_input_config *in, const char *text)
{
    static const char test[] = "test";
    const size_t n = sizeof test - 1;

    if (strncmp(text, test, n) == 0 && (!text[n] || text[n] == ':' || text[n] == '@'))
        return set_test(in, text + n);
    in->kind = in_its_own_time(text) ? LIVE_CAPTURE : LIVE_FILE;
    in->path = text;
    return text[0] != '\0';
}

static bool set_bitrate(struct svc_encoder_config *enc, const char *text)
{
    uint32_t v[SVC_SPATIAL_MAX];
    const size_t n = parse_list(text, KBPS_MIN, KBPS_MAX, v, SVC_SPATIAL_MAX);

    for (size_t s = 0; n && s < SVC_SPATIAL_MAX; s++) /* the last one goes on upwards */
        enc->bitrate_bps[s] = v[s < n ? s : n - 1] * 1000;
    return n > 0;
}

static bool set_small(const char *text, uint32_t low, uint32_t high, uint8_t *out)
{
    uint32_t v;

    if (!parse_uint(text, low, high, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

static bool set(struct args_live *a, enum args_live_value value, const char *text)
{
    struct svc_encoder_config *enc = &a->config.encoder;
    struct live_input_config *in = &a->config.input;

    switch (value) {
    case ARGS_LIVE_SOURCE:
        return set_source(in, text);
    case ARGS_LIVE_SOUND:
        a->config.input.sound = text;
        return in_its_own_time(text);
    case ARGS_LIVE_LAYERS:
        a->layers_said = true;
        return svc_structure_parse(&enc->structure, text) == 0;
    case ARGS_LIVE_CODEC:
        enc->codec = svc_codec_name(text);
        return enc->codec != NULL;
    case ARGS_LIVE_BITRATE:
        return set_bitrate(enc, text);
    case ARGS_LIVE_SIZE:
        return parse_size(text, &in->width, &in->height);
    case ARGS_LIVE_FPS:
        return parse_rate(text, &in->fps_num, &in->fps_den);
    case ARGS_LIVE_KEY:
        return parse_seconds(text, &a->config.key_interval_s);
    case ARGS_LIVE_SPEED:
        return set_small(text, 7, 10, &enc->speed);
    case ARGS_LIVE_THREADS:
        return set_small(text, 1, 16, &enc->threads);
    }
    return false;
}

int args_live_set(struct args_live *a, enum args_live_value value, const char *name,
                  const char *text, char *why, size_t why_size)
{
    static const char *const takes[] = {
        [ARGS_LIVE_SOURCE] = "test[:WxH][@FPS], a file, address or device that FFmpeg reads, or "
                             "gst:PIPELINE",
        [ARGS_LIVE_SOUND] = "alsa:DEVICE, pulse:SOURCE, gst:PIPELINE or an address",
        [ARGS_LIVE_LAYERS] = "L1T1 to L3T3, L4T1, L4T2, and those with _KEY",
        [ARGS_LIVE_CODEC] = "av1, vp9 or h264",
        [ARGS_LIVE_BITRATE] = "kbit/s of each spatial layer, 8 to 100000: 300,900,2400",
        [ARGS_LIVE_SIZE] = "WxH with even sides from 64 to 4096",
        [ARGS_LIVE_FPS] = "pictures per second from 1 to 240: 30, 29.97 or 30000/1001",
        [ARGS_LIVE_KEY] = "seconds",
        [ARGS_LIVE_SPEED] = "a number from 7 to 10",
        [ARGS_LIVE_THREADS] = "a number from 1 to 16",
    };

    if (value != ARGS_LIVE_SOURCE)
        a->said = name;
    if (set(a, value, text))
        return 0;
    snprintf(why, why_size, "%s takes %s, not \"%.64s\"", name, takes[value], text);
    return -1;
}

int args_live_check(struct args_live *a, char *why, size_t why_size)
{
    struct svc_encoder_config *enc = &a->config.encoder;
    const struct live_input_config *in = &a->config.input;

    if (a->config.input.kind == LIVE_NONE && a->said) {
        snprintf(why, why_size, "%s is about what --live encodes; there is no --live", a->said);
        return -1;
    }
    if (in->sound && in->kind != LIVE_CAPTURE) {
        snprintf(why, why_size,
                 "--sound goes with pictures that come in their own time: a device, "
                 "a stream of the network or a pipeline");
        return -1;
    }
    if (!a->layers_said && strcmp(enc->codec, "h264") == 0)
        (void)svc_structure_parse(&enc->structure, "L1T2"); /* it has no spatial layers */
    if (strcmp(enc->codec, "h264") == 0 && enc->structure.n_spatial > 1) {
        snprintf(why, why_size, "--layers: h264 has temporal layers only, L1T1 to L1T3");
        return -1;
    }
    return 0;
}
