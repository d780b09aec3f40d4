/* clip.c - see clip.h. */
#include "clip.h"

#include <aom/aom_decoder.h>
#include <aom/aomdx.h>
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

struct reference {
    aom_codec_ctx_t aom;
};

struct reference *reference_new(void)
{
    struct reference *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    aom_codec_dec_cfg_t cfg = { .threads = 1, .allow_lowbitdepth = 1 };
    assert_int_equal(aom_codec_dec_init(&r->aom, aom_codec_av1_dx(), &cfg, 0), 0);
    assert_int_equal(aom_codec_control(&r->aom, AV1D_SET_OPERATING_POINT, 0), 0);
    assert_int_equal(aom_codec_control(&r->aom, AV1D_SET_OUTPUT_ALL_LAYERS, 1), 0);
    return r;
}

uint32_t reference_decode(struct reference *r, const struct svc_unit *unit)
{
    assert_int_equal(aom_codec_decode(&r->aom, unit->bytes, unit->len, NULL), 0);
    aom_codec_iter_t iter = NULL;
    const aom_image_t *img;
    uint32_t crc = 0;
    while ((img = aom_codec_get_frame(&r->aom, &iter)))
        crc = svc_image_crc(
            &(struct svc_image){ .width = (uint16_t)img->d_w,
                                 .height = (uint16_t)img->d_h,
                                 .plane = { img->planes[0], img->planes[1], img->planes[2] },
                                 .stride = { img->stride[0], img->stride[1], img->stride[2] } });
    return crc;
}

void reference_free(struct reference *r)
{
    aom_codec_destroy(&r->aom);
    free(r);
}

struct kept *kept_new(const struct svc_encoder_config *cfg, unsigned n)
{
    struct kept *k = calloc(1, sizeof(*k));
    struct svc_encoder *e = NULL;
    struct reference *r = reference_new();
    struct clip clip;
    assert_non_null(k);
    assert_true(n <= KEPT_MAX);
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
            k->crc[i][s] = reference_decode(r, u);
            assert_int_not_equal(k->crc[i][s], 0);
        }
    }
    clip_fini(&clip);
    reference_free(r);
    svc_encoder_free(e);
    return k;
}

void kept_free(struct kept *k)
{
    for (unsigned i = 0; i < k->n; i++)
        for (unsigned s = 0; s < k->n_spatial; s++)
            free((void *)(uintptr_t)k->unit[i][s].bytes);
    free(k);
}
