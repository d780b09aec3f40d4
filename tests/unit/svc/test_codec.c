/*
 * test_codec.c - encoder to decoder, with libaom's decoder as the judge: every picture that is
 * given out is bit for bit what the reference makes of the complete stream, whatever was left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "clip.h"

#define PICTURES 44

static struct svc_encoder_config small(uint8_t n_spatial, uint8_t n_temporal)
{
    struct svc_encoder_config cfg;
    svc_encoder_config_init(&cfg);
    cfg.width = 256;
    cfg.height = 144;
    cfg.structure.n_spatial = n_spatial;
    cfg.structure.n_temporal = n_temporal;
    cfg.key_interval = 15;
    cfg.isolated = false; /* where nothing else is tested, for speed */
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        cfg.bitrate_bps[s] = 0;
    return cfg;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct filter {
    unsigned spatial_max, temporal_max;
    unsigned loss_percent;
    uint32_t seed;
};

static bool passes(const struct svc_unit *u, struct filter *f)
{
    if (u->layer.spatial > f->spatial_max || u->layer.temporal > f->temporal_max)
        return false;
    return f->loss_percent == 0 || next_random(&f->seed) % 100 >= f->loss_percent;
}

/* Number of pictures shown. */
static unsigned play(const struct kept *k, struct filter f)
{
    struct svc_decoder *d = NULL;
    unsigned shown = 0;
    assert_int_equal(svc_decoder_new(&d, "av1", 2), 0);
    for (unsigned i = 0; i < k->n; i++) {
        struct svc_unit in[SVC_SPATIAL_MAX];
        struct svc_picture pic;
        size_t n = 0;
        for (unsigned s = 0; s < k->n_spatial; s++)
            if (passes(&k->unit[i][s], &f))
                in[n++] = k->unit[i][s];
        int got = svc_decoder_decode(d, in, n, &pic);
        assert_true(got == 0 || got == 1);
        if (got == 0)
            continue;
        assert_int_equal(pic.picture, i);
        const struct svc_layer_info *info = &k->info.layers[pic.layer.spatial];
        assert_int_equal(pic.image.width, info->width);
        assert_int_equal(pic.image.height, info->height);
        assert_int_equal(svc_image_crc(&pic.image), k->crc[i][pic.layer.spatial]);
        if (f.loss_percent == 0)
            assert_int_equal(pic.layer.spatial,
                             f.spatial_max < k->n_spatial ? f.spatial_max : k->n_spatial - 1u);
        svc_picture_release(d, &pic);
        shown++;
    }
    svc_decoder_free(d);
    return shown;
}

/* Every subset of the layers of `cfg`, against the reference's decode of all of them. */
static void check_subsets(const struct svc_encoder_config *cfg)
{
    const struct svc_structure *st = &cfg->structure;
    struct kept *k = kept_new(cfg, 20);

    for (unsigned s = 0; s < st->n_spatial; s++) {
        assert_int_equal(play(k, (struct filter){ s, 9, 0, 0 }), k->n);
        for (unsigned t = 0; t + 1 < st->n_temporal; t++)
            assert_true(play(k, (struct filter){ s, t, 0, 0 }) < k->n);
    }
    for (unsigned i = 0; i < k->n; i++)
        assert_int_equal(k->unit[i][0].key, i % cfg->key_interval == 0);
    kept_free(k);
}

static void all_structures_decode_bit_exactly(void **state)
{
    static const char *const names[] = { "L1T1", "L1T2",     "L1T3",     "L2T1",     "L2T2",
                                         "L2T3", "L3T1",     "L3T2",     "L3T3",     "L4T1",
                                         "L4T2", "L2T2_KEY", "L3T2_KEY", "L3T3_KEY", NULL };
    (void)state;
    for (size_t i = 0; names[i]; i++) {
        struct svc_encoder_config cfg = small(1, 1);

        assert_int_equal(svc_structure_parse(&cfg.structure, names[i]), 0);
        check_subsets(&cfg);
    }
}

static void free_ratios_decode_bit_exactly(void **state)
{
    static const struct svc_ratio ratios[][3] = {
        { { 4, 9 }, { 2, 3 }, { 1, 1 } }, /* 3:2 */
        { { 1, 1 }, { 1, 1 }, { 1, 1 } }, /* layers of quality */
        { { 1, 3 }, { 3, 4 }, { 1, 1 } },
        { { 1, 2 }, { 1, 2 }, { 1, 1 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
        struct svc_encoder_config cfg = small(3, 2);

        memcpy(cfg.ratio, ratios[i], sizeof(ratios[i]));
        cfg.quantizer[0] = 50;
        cfg.quantizer[1] = 44;
        check_subsets(&cfg);
    }
}

/* ---- recovery: what the encoder does about losses it is told of ---- */

#define DELAY 3 /* pictures until the encoder knows */

struct loop { /* an encoder, a lossy way, a decoder, and the feedback */
    struct svc_encoder *e;
    struct svc_decoder *d;
    struct judge *r;
    struct svc_tracker held[DELAY + 1]; /* the decoder's, by picture modulo */
    bool lost[DELAY + 1][SVC_SPATIAL_MAX];
    uint64_t bytes;
    unsigned shown[SVC_SPATIAL_MAX], keys;
};

static void tell(struct loop *l, unsigned now)
{
    const unsigned then = (now - DELAY) % (DELAY + 1);

    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        if (l->lost[then][s]) {
            assert_int_equal(svc_encoder_recover(l->e, s, &l->held[then]), 0);
            return;
        }
}

/* Picture `i` through it; bit s of `lost`: that layer does not arrive. */
static void step(struct loop *l, const struct svc_image *img, unsigned i, unsigned lost)
{
    struct svc_unit units[SVC_SPATIAL_MAX], in[SVC_SPATIAL_MAX];
    struct svc_picture pic;
    uint32_t crc[SVC_SPATIAL_MAX];
    size_t arrived = 0;

    if (i >= DELAY)
        tell(l, i);
    const int n = svc_encoder_encode(l->e, img, i * 33333, false, units);
    assert_true(n >= 1);
    for (int s = 0; s < n; s++) {
        l->bytes += units[s].len;
        l->keys += units[s].key;
        crc[s] = clip_judged(l->r, &units[s]);
        l->lost[i % (DELAY + 1)][s] = lost >> s & 1;
        if (!(lost >> s & 1))
            in[arrived++] = units[s];
    }
    const int got = svc_decoder_decode(l->d, in, arrived, &pic);
    assert_true(got >= 0);
    if (got == 1) {
        assert_int_equal(svc_image_crc(&pic.image), crc[pic.layer.spatial]);
        l->shown[pic.layer.spatial]++;
        svc_picture_release(l->d, &pic);
    }
    l->held[i % (DELAY + 1)] = *svc_decoder_tracker(l->d);
}

static void begin(struct loop *l, const struct svc_encoder_config *cfg)
{
    *l = (struct loop){ .r = clip_judge("av1") };
    assert_int_equal(svc_encoder_new(&l->e, cfg), 0);
    assert_int_equal(svc_decoder_new(&l->d, "av1", 1), 0);
}

static void end(struct loop *l)
{
    judge_free(l->r);
    svc_encoder_free(l->e);
    svc_decoder_free(l->d);
}

/* A lost layer is back after the feedback and one T0 picture, and no key frame was needed. */
static void a_lost_layer_recovers(void **state)
{
    static const struct {
        const char *name;
        unsigned lost, keys;
    } cases[] = { { "L3T2", 4, 1 }, { "L3T2", 6, 1 }, { "L3T2", 7, 1 },     { "L3T1", 2, 1 },
                  { "L2T3", 2, 1 }, { "L3T3", 4, 1 }, { "L3T3_KEY", 2, 1 }, { "L3T3", 1, 2 } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct svc_encoder_config cfg = small(1, 1);
        struct loop l;
        struct clip clip;

        cfg.key_interval = 0;
        assert_int_equal(svc_structure_parse(&cfg.structure, cases[i].name), 0);
        begin(&l, &cfg);
        clip_init(&clip, cfg.width, cfg.height);
        for (unsigned k = 0; k < 24; k++) {
            const struct svc_image img = clip_draw(&clip, k);

            if (k == 12 + DELAY + 4)
                memset(l.shown, 0, sizeof(l.shown));
            step(&l, &img, k, k == 12 ? cases[i].lost : 0);
        }
        assert_int_equal(l.keys, cases[i].keys);
        assert_int_equal(l.shown[cfg.structure.n_spatial - 1], 24 - 12 - DELAY - 4);
        clip_fini(&clip);
        end(&l);
    }
}

/* From a long-term reference it costs less than from nothing. */
static void long_term_references_are_cheaper(void **state)
{
    uint64_t bytes[2];

    (void)state;
    for (int with = 0; with < 2; with++) {
        struct svc_encoder_config cfg = small(3, 2);
        struct loop l;
        struct clip clip;

        cfg.key_interval = 0;
        cfg.structure.long_term = with;
        begin(&l, &cfg);
        clip_init(&clip, cfg.width, cfg.height);
        for (unsigned k = 0; k < 60; k++) {
            const struct svc_image img = clip_draw(&clip, k / 4); /* much stays as it is */

            step(&l, &img, k, k % 12 == 10 ? 4 : 0);
        }
        bytes[with] = l.bytes;
        clip_fini(&clip);
        end(&l);
    }
    if (bytes[1] * 100 > bytes[0] * 95)
        fail_msg("with long-term references %llu bytes, without %llu", (unsigned long long)bytes[1],
                 (unsigned long long)bytes[0]);
}

/* The only child of this process. */
static pid_t child(void)
{
    char name[64];
    int pid = 0;

    (void)snprintf(name, sizeof(name), "/proc/self/task/%d/children", (int)getpid());
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

/* The encoder's process dies between two pictures and under one; the stream goes on with a key. */
static void a_dead_encoder_is_replaced(void **state)
{
    struct svc_encoder_config cfg = small(3, 2);
    struct svc_image_buffer b;
    struct loop l;
    struct clip clip;

    (void)state;
    cfg.key_interval = 0;
    cfg.isolated = true;
    begin(&l, &cfg);
    clip_init(&clip, cfg.width, cfg.height);
    for (unsigned k = 0; k < 12; k++) {
        const struct svc_image img = clip_draw(&clip, k);

        if (k == 5)
            assert_int_equal(kill(child(), SIGSTOP) | kill(child(), SIGKILL), 0);
        if (k == 8) /* it has not been waited for when the picture comes */
            assert_int_equal(kill(child(), SIGABRT), 0);
        step(&l, &img, k, 0);
    }
    assert_int_equal(l.shown[2], 12);
    assert_int_equal(l.keys, 3);
    assert_int_equal(svc_encoder_restarts(l.e), 2);
    assert_true(svc_encoder_image(l.e, &b));
    assert_int_equal(b.width, cfg.width);
    assert_int_equal(svc_encoder_copies(l.e), 12); /* a new process finds the picture there */
    clip_fini(&clip);
    end(&l);
}

/* Isolated or not, and written in place or copied: the same bits. */
static void isolation_changes_no_bit(void **state)
{
    uint32_t crc[3] = { 0 };

    (void)state;
    for (int how = 0; how < 3; how++) {
        struct svc_encoder_config cfg = small(3, 2);
        struct svc_encoder *e = NULL;
        struct svc_image_buffer b;
        struct clip clip;

        cfg.isolated = how > 0;
        assert_int_equal(svc_encoder_new(&e, &cfg), 0);
        assert_int_equal(svc_encoder_image(e, &b), how > 0);
        clip_init(&clip, cfg.width, cfg.height);
        for (unsigned k = 0; k < 8; k++) {
            struct svc_image img = clip_draw(&clip, k);
            struct svc_unit units[SVC_SPATIAL_MAX];

            for (int p = 0; how == 2 && p < 3; p++) {
                for (int y = 0; y < (p ? img.height / 2 : img.height); y++)
                    memcpy(b.plane[p] + y * b.stride[p], img.plane[p] + y * img.stride[p],
                           p ? img.width / 2u : img.width);
                img.plane[p] = b.plane[p];
                img.stride[p] = b.stride[p];
            }
            assert_int_equal(svc_encoder_encode(e, &img, 0, false, units), 3);
            for (int s = 0; s < 3; s++)
                for (size_t i = 0; i < units[s].len; i++)
                    crc[how] = crc[how] * 31 + units[s].bytes[i];
        }
        assert_int_equal(svc_encoder_copies(e), how == 1 ? 8 : 0);
        clip_fini(&clip);
        svc_encoder_free(e);
    }
    assert_int_equal(crc[0], crc[1]);
    assert_int_equal(crc[0], crc[2]);
}

/* Layers that are left out go at once and return at a T0 picture, without a key frame. */
static void layers_go_and_return(void **state)
{
    struct svc_encoder_config cfg = small(3, 2);
    struct loop l;
    struct clip clip;

    (void)state;
    cfg.key_interval = 0;
    begin(&l, &cfg);
    clip_init(&clip, cfg.width, cfg.height);
    for (unsigned k = 0; k < 31; k++) {
        const struct svc_image img = clip_draw(&clip, k);

        if (k == 9)
            assert_int_equal(svc_encoder_set_top(l.e, 1), 0);
        if (k == 19)
            assert_int_equal(svc_encoder_set_top(l.e, 3), 0);
        step(&l, &img, k, 0);
    }
    assert_int_equal(l.keys, 1);
    assert_int_equal(l.shown[0], 11); /* the first to return is picture 20 */
    assert_int_equal(l.shown[2], 20);
    assert_int_equal(svc_encoder_set_top(l.e, 0), SVC_ERR_ARG);
    assert_int_equal(svc_encoder_set_top(l.e, 4), SVC_ERR_ARG);
    assert_int_equal(svc_encoder_recover(l.e, 3, NULL), SVC_ERR_ARG);
    clip_fini(&clip);
    end(&l);
}

/* A temporal layer that is left out gives no units, takes no picture number, and returns at a T0
 * picture. The speed may change on the way. */
static void temporal_layers_go_and_return(void **state)
{
    static const char *const names[] = { "L3T2", "L3T3", "L1T3" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct svc_encoder_config cfg = small(1, 1);
        struct loop l;
        struct clip clip;
        unsigned coded = 0;

        cfg.key_interval = 24;
        assert_int_equal(svc_structure_parse(&cfg.structure, names[i]), 0);
        begin(&l, &cfg);
        clip_init(&clip, cfg.width, cfg.height);
        for (unsigned k = 0; k < 48; k++) {
            const struct svc_image img = clip_draw(&clip, k);

            if (k == 9 || k == 18) {
                assert_int_equal(svc_encoder_set_temporal(l.e, k == 9 ? 1 : 2), 0);
                assert_int_equal(svc_encoder_set_speed(l.e, k == 9 ? 10 : 7), 0);
            }
            if (!svc_encoder_skips(l.e)) {
                step(&l, &img, coded++, 0);
                continue;
            }
            struct svc_unit units[SVC_SPATIAL_MAX];
            assert_true(k >= 9 && k % 4 != 0);
            assert_int_equal(svc_encoder_encode(l.e, NULL, k, false, units), 0);
        }
        assert_int_equal(l.keys, 2); /* of pictures 0 and 24, counted in time */
        assert_int_equal(l.shown[cfg.structure.n_spatial - 1], coded);
        /* Two temporal layers: five of 9 to 17. Three: nine of 9 to 19, then every T2 picture. */
        assert_int_equal(coded, cfg.structure.n_temporal == 2 ? 48 - 5 : 48 - 9 - 14);
        assert_int_equal(svc_encoder_set_temporal(l.e, 0), SVC_ERR_ARG);
        assert_int_equal(svc_encoder_set_temporal(l.e, 4), SVC_ERR_ARG);
        assert_int_equal(svc_encoder_set_speed(l.e, 6), SVC_ERR_ARG);
        assert_int_equal(svc_encoder_set_speed(l.e, 11), SVC_ERR_ARG);
        clip_fini(&clip);
        end(&l);
    }
}

/* Also with more threads wished for than libaom bears. */
static void awkward_sizes_decode(void **state)
{
    (void)state;
    static const uint16_t sizes[][2] = { { 64, 64 },   { 128, 128 }, { 130, 134 },
                                         { 426, 240 }, { 854, 480 }, { 1920, 1080 } };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct svc_encoder_config cfg = small(3, 2);
        cfg.width = sizes[i][0];
        cfg.height = sizes[i][1];
        cfg.threads = 16;
        struct kept *k = kept_new(&cfg, 5);
        for (unsigned s = 0; s < 3; s++)
            assert_int_equal(play(k, (struct filter){ s, 9, 0, 0 }), k->n);
        kept_free(k);
    }
}

static void any_subset_of_layers_decodes(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(3, 2);
    struct kept *k = kept_new(&cfg, PICTURES);
    unsigned t0 = 0;
    for (unsigned i = 0; i < k->n; i++)
        t0 += k->unit[i][0].layer.temporal == 0;
    assert_int_equal(play(k, (struct filter){ 2, 1, 0, 0 }), PICTURES);
    assert_int_equal(play(k, (struct filter){ 1, 1, 0, 0 }), PICTURES);
    assert_int_equal(play(k, (struct filter){ 0, 1, 0, 0 }), PICTURES);
    assert_int_equal(play(k, (struct filter){ 2, 0, 0, 0 }), t0);
    assert_int_equal(play(k, (struct filter){ 0, 0, 0, 0 }), t0);
    assert_in_range(t0, PICTURES / 2, PICTURES / 2 + 3);
    kept_free(k);
}

static void random_losses_never_show_a_wrong_picture(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(3, 2);
    struct kept *k = kept_new(&cfg, PICTURES);
    unsigned shown = 0;
    for (uint32_t seed = 1; seed <= 30; seed++)
        shown += play(k, (struct filter){ 2, 1, 2 + seed, seed });
    assert_in_range(shown, 30 * PICTURES / 4, 30 * PICTURES - 1);
    kept_free(k);
}

/* Units that come late, after units of later pictures, are taken as long as the slots still fit. */
static void late_units_decode_bit_exactly(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(3, 2);
    struct kept *k = kept_new(&cfg, PICTURES);
    struct svc_decoder *d = NULL;
    uint32_t rng = 7;
    unsigned late_taken = 0;
    assert_int_equal(svc_decoder_new(&d, "av1", 1), 0);
    const struct svc_unit *waiting[4] = { 0 };
    for (unsigned i = 0; i < k->n; i++) {
        for (unsigned s = 0; s < k->n_spatial; s++) {
            const struct svc_unit *now[2] = { &k->unit[i][s], waiting[s] };
            waiting[s] = NULL;
            if (s > 0 && next_random(&rng) % 4 == 0) {
                waiting[s] = now[0];
                now[0] = NULL;
            }
            for (int j = 0; j < 2; j++) {
                struct svc_picture pic;
                if (!now[j] || svc_decoder_decode(d, now[j], 1, &pic) != 1)
                    continue;
                assert_int_equal(svc_image_crc(&pic.image), k->crc[now[j]->picture][s]);
                late_taken += j == 1;
                svc_picture_release(d, &pic);
            }
        }
    }
    assert_true(late_taken > 0);
    svc_decoder_free(d);
    kept_free(k);
}

static void damaged_bits_wait_for_the_next_key(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(2, 1);
    struct kept *k = kept_new(&cfg, 34);
    struct svc_decoder *d = NULL;
    struct svc_picture pic;
    assert_int_equal(svc_decoder_new(&d, "av1", 1), 0);
    assert_int_equal(svc_decoder_decode(d, k->unit[0], 2, &pic), 1);
    svc_picture_release(d, &pic);
    static const uint8_t junk[] = { 0x32, 0x05, 0x10, 0xff, 0xff, 0xff, 0xff };
    struct svc_unit bad = k->unit[1][0];
    bad.bytes = junk;
    bad.len = sizeof(junk);
    assert_int_equal(svc_decoder_decode(d, &bad, 1, &pic), SVC_ERR_CODEC);
    assert_int_equal(svc_decoder_decode(d, k->unit[2], 2, &pic), 0);
    assert_int_equal(svc_decoder_decode(d, k->unit[15], 2, &pic), 1);
    assert_int_equal(svc_image_crc(&pic.image), k->crc[15][1]);
    svc_picture_release(d, &pic);
    svc_decoder_free(d);
    kept_free(k);
}

static void rates_are_met(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(3, 2);
    cfg.width = 320;
    cfg.height = 192;
    cfg.key_interval = 60;
    cfg.bitrate_bps[0] = 60000;
    cfg.bitrate_bps[1] = 150000;
    cfg.bitrate_bps[2] = 400000;
    struct svc_encoder *e = NULL;
    struct clip clip;
    uint64_t bytes[SVC_SPATIAL_MAX] = { 0 };
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    clip_init(&clip, cfg.width, cfg.height);
    for (unsigned i = 0; i < 300; i++) {
        struct svc_unit units[SVC_SPATIAL_MAX];
        struct svc_image img = clip_draw(&clip, i);
        assert_int_equal(svc_encoder_encode(e, &img, i * 33333, false, units), 3);
        for (int s = 0; s < 3; s++)
            bytes[s] += units[s].len;
    }
    for (int s = 0; s < 3; s++)
        assert_in_range(bytes[s] * 8 / 10, cfg.bitrate_bps[s] * 85 / 100,
                        cfg.bitrate_bps[s] * 115 / 100);
    clip_fini(&clip);
    svc_encoder_free(e);
}

static void forced_keys_and_bad_arguments(void **state)
{
    (void)state;
    struct svc_encoder_config cfg = small(3, 2);
    struct svc_encoder *e = NULL;
    struct clip clip;
    struct svc_unit units[SVC_SPATIAL_MAX];
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    clip_init(&clip, cfg.width, cfg.height);
    for (unsigned i = 0; i < 6; i++) {
        struct svc_image img = clip_draw(&clip, i);
        assert_int_equal(svc_encoder_encode(e, &img, 0, i == 3, units), 3);
        assert_int_equal(units[0].key, i == 0 || i == 3);
        assert_int_equal(units[0].layer.temporal, i < 3 ? i % 2 : (i - 3) % 2);
    }
    struct svc_image wrong = clip_draw(&clip, 0);
    wrong.width = 128;
    assert_int_equal(svc_encoder_encode(e, &wrong, 0, false, units), SVC_ERR_ARG);
    svc_encoder_free(e);
    clip_fini(&clip);
    const struct svc_encoder_config bad[] = { { 0 }, small(0, 1), small(5, 1), small(4, 3) };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(svc_encoder_new(&e, &bad[i]), SVC_ERR_ARG);
    struct svc_decoder *d = NULL;
    assert_int_equal(svc_decoder_new(&d, "av1", 0), SVC_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_structures_decode_bit_exactly),
        cmocka_unit_test(free_ratios_decode_bit_exactly),
        cmocka_unit_test(a_lost_layer_recovers),
        cmocka_unit_test(long_term_references_are_cheaper),
        cmocka_unit_test(a_dead_encoder_is_replaced),
        cmocka_unit_test(isolation_changes_no_bit),
        cmocka_unit_test(layers_go_and_return),
        cmocka_unit_test(temporal_layers_go_and_return),
        cmocka_unit_test(awkward_sizes_decode),
        cmocka_unit_test(any_subset_of_layers_decodes),
        cmocka_unit_test(random_losses_never_show_a_wrong_picture),
        cmocka_unit_test(late_units_decode_bit_exactly),
        cmocka_unit_test(damaged_bits_wait_for_the_next_key),
        cmocka_unit_test(rates_are_met),
        cmocka_unit_test(forced_keys_and_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
