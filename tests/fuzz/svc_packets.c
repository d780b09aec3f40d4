/*
 * svc_packets.c - packets of files into the parsers of AV1, VP9 and H.264: superframes, headers,
 * NAL units, parameter sets, dependencies. The units lie inside the parser's bytes; hiding a VP9
 * frame and showing it again is the identity; what was split goes together again.
 *
 * Input: codec (1 byte), length of the container's head (1), the head, then packets behind two
 * bytes of length each.
 */
#include "parse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKETS_MAX 64

static int turn(const uint8_t *in, int len, const struct svc_vp9_size *sizes, bool shown,
                uint8_t *out)
{
    return len < 0 ? len : svc_vp9_show(in, (size_t)len, sizes, shown, out);
}

/* From the second time on; the first makes trailing bits zero. */
static void hide_and_show(const uint8_t *data, size_t size, const struct svc_vp9_size *sizes)
{
    uint8_t *hidden = malloc(size + 4), *shown = malloc(size + 4), *again = malloc(size + 4);

    if (hidden && shown && again) {
        int n = turn(data, (int)size, sizes, false, hidden);
        const int first = n = turn(hidden, n, sizes, true, shown);

        n = turn(shown, n, sizes, false, hidden);
        n = turn(hidden, n, sizes, true, again);
        assert(n == first && (n < 0 || memcmp(shown, again, (size_t)n) == 0));
    }
    free(hidden);
    free(shown);
    free(again);
}

static void vp9(const uint8_t *data, size_t size, const struct svc_vp9_size *sizes)
{
    struct svc_span frames[SVC_VP9_FRAMES_MAX], same[SVC_VP9_FRAMES_MAX];
    size_t lens[SVC_VP9_FRAMES_MAX], at = 0;
    const int n = svc_vp9_split(data, size, frames);
    uint8_t *joined = malloc(size + SVC_VP9_INDEX_MAX);

    for (int i = 0; i < n; i++)
        hide_and_show(frames[i].bytes, frames[i].len, sizes);
    for (int i = 0; joined && i < n; i++) {
        memcpy(joined + at, frames[i].bytes, frames[i].len);
        at += lens[i] = frames[i].len;
    }
    if (joined && n > 0) {
        const int index = svc_vp9_index(lens, (size_t)n, joined + at);

        assert(index > 0 && svc_vp9_split(joined, at + (size_t)index, same) == n);
        for (int i = 0; i < n; i++)
            assert(same[i].len == frames[i].len);
    }
    free(joined);
}

static void h264(const uint8_t *data, size_t size)
{
    const uint8_t *at = data;
    struct svc_nal nal;

    while (svc_nal_next(&at, data + size, &nal) == 1) {
        struct svc_unit unit = { .picture = 1 << 20 }, same = unit;
        uint8_t sei[SVC_SEI_MAX_BYTES];
        const uint8_t *begin = sei;
        struct svc_sps sps;

        assert(nal.body + nal.body_len <= data + size && at <= data + size);
        if (svc_sps_parse(&sps, nal.body, nal.body_len) == 0)
            assert(sps.width > 0 && sps.height > 0);
        if (!svc_sei_read(&nal, unit.picture, &unit.layer, &unit.deps))
            continue;
        const int n = svc_sei_write(&unit, sei, sizeof(sei));

        assert(n > 0 && svc_nal_next(&begin, sei + n, &nal) == 1);
        assert(svc_sei_read(&nal, unit.picture, &same.layer, &same.deps));
        assert(same.layer.temporal == unit.layer.temporal);
        assert(same.deps.n_reads == unit.deps.n_reads);
    }
}

static void packet(struct svc_parser *p, const uint8_t *bytes, size_t len, uint64_t picture)
{
    struct svc_parsed parts[SVC_SPATIAL_MAX];
    const int n = svc_parse(p, bytes, len, picture, parts);

    for (int i = 0; i < n; i++) {
        assert(parts[i].at + parts[i].len <= p->cap);
        assert(parts[i].layer.spatial < SVC_SPATIAL_MAX);
        assert(parts[i].deps.n_reads <= SVC_SLOTS);
        for (int r = 0; r < parts[i].deps.n_reads; r++)
            assert(parts[i].deps.reads[r].picture <= picture);
    }
    if (p->ops == &svc_parser_vp9)
        vp9(bytes, len, p->sizes);
    if (p->ops == &svc_parser_h264)
        h264(bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum AVCodecID ids[] = { AV_CODEC_ID_AV1, AV_CODEC_ID_VP9, AV_CODEC_ID_H264 };
    struct svc_parser p;
    struct svc_stream_info info = { .fps_num = 30, .fps_den = 1 };

    if (size < 2 || data[1] > size - 2)
        return 0;
    const uint8_t *at = data + 2 + data[1], *end = data + size;

    if (svc_parser_init(&p, ids[data[0] % 3], data + 2, data[1]) == 0) {
        for (uint64_t i = 0; i < PACKETS_MAX && end - at >= 2; i++) {
            const size_t wish = (size_t)at[0] << 8 | at[1], left = (size_t)(end - at) - 2;
            const size_t len = wish < left ? wish : left;

            packet(&p, at + 2, len, i);
            at += 2 + len;
        }
        svc_parser_settle_pattern(&p);
        p.ops->codec(&p, &info, info.codec, sizeof(info.codec));
    }
    svc_parser_fini(&p);
    return 0;
}
