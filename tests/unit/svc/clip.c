/* clip.c - see clip.h. */
#include "clip.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void clip_init(struct clip *c, uint16_t width, uint16_t height)
{
    c->width = width;
    c->height = height;
    c->bytes = malloc((size_t)width * height * 3 / 2);
    assert_non_null(c->bytes);
}

struct svc_image clip_draw(struct clip *c, unsigned n)
{
    size_t w = c->width, h = c->height;
    uint8_t *u = c->bytes + w * h, *v = u + w * h / 4;
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            size_t px = x + 2 * n, py = y + n;
            unsigned luma = (unsigned)(px * py / 64 + (px & 16) * 3 + (py & 8) * 5) & 127;
            bool ball = (x - 4 * n % w) * (x - 4 * n % w) + (y - h / 2) * (y - h / 2) < 400;
            c->bytes[y * w + x] = (uint8_t)(ball ? 220 : 48 + luma);
        }
    }
    for (size_t y = 0; y < h / 2; y++) {
        for (size_t x = 0; x < w / 2; x++) {
            u[y * w / 2 + x] = (uint8_t)(96 + ((x + n) & 63));
            v[y * w / 2 + x] = (uint8_t)(160 - ((y + n) & 63));
        }
    }
    return (struct svc_image){ .width = c->width,
                               .height = c->height,
                               .plane = { c->bytes, u, v },
                               .stride = { c->width, c->width / 2, c->width / 2 } };
}

void clip_fini(struct clip *c)
{
    free(c->bytes);
}

/* ---- the judges ---- */

struct judge *clip_judge(const char *codec)
{
    struct judge *j = NULL;

    assert_int_equal(judge_new(&j, codec), 0);
    return j;
}

uint32_t clip_judged(struct judge *j, const struct svc_unit *unit)
{
    struct svc_image img;

    assert_int_equal(judge_decode(j, unit, &img), 0);
    return svc_image_crc(&img);
}

/* ---- kept clips ---- */

struct kept *kept_new(const struct svc_encoder_config *cfg, unsigned n)
{
    struct kept *k = calloc(1, sizeof(*k));
    struct svc_encoder *e = NULL;
    struct judge *j = clip_judge(cfg->codec);
    struct clip clip;
    assert_non_null(k);
    k->unit = calloc(n, sizeof(*k->unit));
    k->crc = calloc(n, sizeof(*k->crc));
    assert_true(k->unit && k->crc);
    k->codec = cfg->codec;
    assert_int_equal(svc_encoder_new(&e, cfg), 0);
    clip_init(&clip, cfg->width, cfg->height);
    k->n = n;
    k->n_spatial = cfg->structure.n_spatial;
    k->info = *svc_encoder_info(e);
    for (unsigned i = 0; i < n; i++) {
        struct svc_image img = clip_draw(&clip, i);
        int64_t pts = (int64_t)i * 1000000 * cfg->fps_den / cfg->fps_num;
        assert_int_equal(svc_encoder_encode(e, &img, pts, false, k->unit[i]),
                         cfg->structure.n_spatial);
        for (unsigned s = 0; s < cfg->structure.n_spatial; s++) {
            struct svc_unit *u = &k->unit[i][s];
            uint8_t *copy = malloc(u->len);
            assert_non_null(copy);
            u->bytes = memcpy(copy, u->bytes, u->len);
            k->crc[i][s] = clip_judged(j, u);
        }
    }
    clip_fini(&clip);
    judge_free(j);
    svc_encoder_free(e);
    return k;
}

void kept_free(struct kept *k)
{
    for (unsigned i = 0; i < k->n; i++)
        for (unsigned s = 0; s < k->n_spatial; s++)
            free((void *)(uintptr_t)k->unit[i][s].bytes);
    free(k->unit);
    free(k->crc);
    free(k);
}

/* ---- trials ---- */

#define LATE_MAX 4 /* pictures */

struct mail { /* what comes with a later picture */
    const struct svc_unit *unit[LATE_MAX * SVC_SPATIAL_MAX];
    size_t n;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void give(const struct kept *k, struct svc_decoder *d, const struct svc_unit *units,
                 size_t n, struct outcome *out)
{
    struct svc_picture pic;
    const int got = svc_decoder_decode(d, units, n, &pic);

    out->errors += got < 0;
    if (got != 1)
        return;
    const struct svc_layer_info *info = &k->info.layers[pic.layer.spatial];

    out->shown++;
    out->wrong += pic.picture != units[0].picture || pic.image.width != info->width ||
                  pic.image.height != info->height ||
                  svc_image_crc(&pic.image) != k->crc[pic.picture][pic.layer.spatial];
    svc_picture_release(d, &pic);
}

void kept_try(const struct kept *k, const struct trial *trial, struct outcome *out)
{
    struct svc_decoder *d = NULL;
    struct mail mail[LATE_MAX + 1] = { 0 };
    uint32_t rng = trial->seed;

    assert_int_equal(svc_decoder_new(&d, k->info.codec, 1 + trial->seed % 2), 0);
    for (unsigned i = 0; i < k->n; i++) {
        struct mail *now = &mail[i % (LATE_MAX + 1)];
        struct svc_unit in[SVC_SPATIAL_MAX];
        size_t n = 0;

        for (unsigned s = 0; s < k->n_spatial; s++) {
            out->units++;
            if (next_random(&rng) % 100 < trial->loss_percent) {
                out->lost++;
            } else if (next_random(&rng) % 100 < trial->late_percent) {
                struct mail *m = &mail[(i + 1 + next_random(&rng) % LATE_MAX) % (LATE_MAX + 1)];

                m->unit[m->n++] = &k->unit[i][s];
                out->late++;
            } else {
                in[n++] = k->unit[i][s];
            }
        }
        if (n > 0)
            give(k, d, in, n, out);
        for (size_t j = 0; j < now->n; j++) {
            const uint64_t shown = out->shown;

            give(k, d, now->unit[j], 1, out);
            out->late_taken += out->shown - shown;
        }
        now->n = 0;
    }
    svc_decoder_free(d);
}
