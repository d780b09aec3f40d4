/* config_live.c - what the input of a source is, from its text: see config.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "live.h"
#include "options.h"
#include "source.h"

#define TEXT_MAX 64
#define LONG_SOUND_LATENCY_MS 400 /* from there on 60 ms of sound go together */

static const char test[] = "test";

static bool is_test(const char *input)
{
    const char end = strncmp(input, test, sizeof test - 1) == 0 ? input[sizeof test - 1] : 'x';
    return !end || end == ':' || end == '@';
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

const char *config_input_file(const struct config_source *s)
{
    if (!s->input || s->kind == CONFIG_UPSTREAM || s->kind == CONFIG_PUBLISH)
        return NULL;
    if (s->kind == CONFIG_FILE)
        return s->input;
    const bool other = is_test(s->input) || strcmp(s->input, "-") == 0 ||
                       in_its_own_time(s->input) || strchr(s->input, ':');
    return other ? NULL : s->input;
}

/* Sound is little, and a packet of it costs as much as a picture's; but what it waits for company
 * it is late. */
static uint32_t sound_packet_us(const struct config_source *s)
{
    static const uint32_t us[] = { [CONFIG_SOUND_10] = 10000,
                                   [CONFIG_SOUND_20] = 20000,
                                   [CONFIG_SOUND_40] = 40000,
                                   [CONFIG_SOUND_60] = 60000 };
    enum config_sound_packet is = s->encoder.sound_packet;
    if (is == CONFIG_SOUND_AUTO && s->encoder.low_latency)
        is = CONFIG_SOUND_10;
    else if (is == CONFIG_SOUND_AUTO)
        is = s->latency_ms >= LONG_SOUND_LATENCY_MS ? CONFIG_SOUND_60 : CONFIG_SOUND_20;
    return us[is];
}

int config_live(struct live_config *out, const struct config_source *s, char *why, size_t why_size)
{
    const struct config_encoder *e = &s->encoder;
    const char *layers = e->layers;
    *out = (struct live_config){ .key_interval_s = e->key_interval_s,
                                 .sound_packet_us = sound_packet_us(s) };
    svc_encoder_config_init(&out->encoder);
    struct live_input_config *in = &out->input;
    if (!s->input || !s->input[0] ||
        (is_test(s->input) && !set_test(in, s->input + sizeof test - 1))) {
        snprintf(why, why_size,
                 "input takes test[:WxH][@FPS], a file, address or device that FFmpeg reads, or "
                 "gst:PIPELINE, not \"%.64s\"",
                 s->input ? s->input : "");
        return -1;
    }
    if (in->kind == LIVE_NONE) {
        in->kind = in_its_own_time(s->input) ? LIVE_CAPTURE : LIVE_FILE;
        in->path = s->input;
    }
    in->sound = s->sound;
    if (s->sound && (in->kind != LIVE_CAPTURE || !in_its_own_time(s->sound))) {
        snprintf(why, why_size,
                 "sound takes alsa:DEVICE, pulse:SOURCE, gst:PIPELINE or an address, with pictures "
                 "that come in their own time, not \"%.64s\"",
                 s->sound);
        return -1;
    }
    if (e->width) {
        in->width = e->width;
        in->height = e->height;
    }
    if (e->fps_num) {
        in->fps_num = e->fps_num;
        in->fps_den = e->fps_den;
    }
    in->repeat = s->loop;
    out->encoder.codec = svc_codec_name(e->codec);
    if (!layers) /* h264 has no spatial layers */
        layers = strcmp(e->codec, "h264") == 0 ? "L1T2" : "L3T2";
    if (svc_structure_parse(&out->encoder.structure, layers) < 0 ||
        (strcmp(e->codec, "h264") == 0 && out->encoder.structure.n_spatial > 1)) {
        snprintf(why, why_size, "layers: h264 has temporal layers only, L1T1 to L1T3");
        return -1;
    }
    memcpy(out->encoder.bitrate_bps, e->bitrate_bps, sizeof out->encoder.bitrate_bps);
    out->encoder.speed = e->speed;
    out->encoder.threads = e->threads;
    return 0;
}
