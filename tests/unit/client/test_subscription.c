/* test_subscription.c - which tracks are asked for, as a table over one catalog and its defects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "subscription.h"

#include <stdio.h>
#include <string.h>

#define WISH(spatial, temporal, pixels, sound, all)                                             \
    {                                                                                           \
        .max_spatial = spatial, .max_temporal = temporal, .max_pixels = pixels, .audio = sound, \
        .all_kinds = all                                                                        \
    }

static void depend(struct msf_track *t, unsigned s, unsigned temporal)
{
    snprintf(t->depends[t->n_depends++], MSF_NAME_MAX, "s%ut%u", s, temporal);
}

/* L3T2 with sound last; each layer depends on the one below and the one before. */
static struct msf_catalog full(void)
{
    struct msf_catalog c = { .n_tracks = 7 };
    for (unsigned i = 0; i < 6; i++) {
        struct msf_track *t = &c.tracks[5 - i]; /* the highest first: order must not matter */
        unsigned s = i / 2, temporal = i % 2;
        snprintf(t->name, sizeof t->name, "s%ut%u", s, temporal);
        strcpy(t->packaging, "loc");
        strcpy(t->role, "video");
        strcpy(t->codec, "av01.0.05M.08");
        t->spatial_id = (uint8_t)s;
        t->temporal_id = (uint8_t)temporal;
        t->width = (uint16_t)(320 << s);
        t->height = (uint16_t)(180 << s);
        if (s > 0)
            depend(t, s - 1, temporal);
        if (temporal > 0)
            depend(t, s, 0);
    }
    struct msf_track *a = &c.tracks[6];
    strcpy(a->name, "sound");
    strcpy(a->packaging, "loc");
    strcpy(a->role, "audio");
    strcpy(a->codec, "opus");
    return c;
}

static void names(const struct subscription_plan *p, const struct msf_catalog *c, char *out)
{
    *out = '\0';
    for (size_t i = 0; i < p->n; i++) {
        strcat(out, i ? " " : "");
        strcat(out, c->tracks[p->item[i].track].name);
        if (i > 0)
            assert_true(p->item[i].priority > p->item[i - 1].priority);
    }
}

static void test_wishes(void **state)
{
    (void)state;
    static const struct {
        struct subscription_wish wish;
        const char *plan;
    } rows[] = {
        { WISH(-1, -1, 0, true, false), "sound s0t0 s0t1 s1t0 s1t1 s2t0 s2t1" },
        { WISH(-1, -1, 0, false, false), "s0t0 s0t1 s1t0 s1t1 s2t0 s2t1" },
        { WISH(1, -1, 0, false, false), "s0t0 s0t1 s1t0 s1t1" },
        { WISH(2, 0, 0, false, false), "s0t0 s1t0 s2t0" },
        { WISH(0, 0, 0, true, false), "sound s0t0" },
        { WISH(-1, -1, 640 * 360, false, false), "s0t0 s0t1 s1t0 s1t1" },
    };
    struct msf_catalog c = full();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct subscription_plan p;
        char got[200], why[200];
        assert_int_equal(subscription_decide(&p, &c, &rows[i].wish, why, sizeof why), 0);
        names(&p, &c, got);
        assert_string_equal(got, rows[i].plan);
        assert_int_equal(p.n_spatial, 3);
        assert_int_equal(p.n_temporal, 2);
    }
}

static void test_defects(void **state)
{
    (void)state;
    struct subscription_wish all = WISH(-1, -1, 0, true, false);
    struct subscription_plan p;
    char got[200], why[200];
    struct msf_catalog c = full();
    strcpy(c.tracks[3].codec, "hvc1"); /* s1t0: unknown codec, so nothing above it */
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), 0);
    names(&p, &c, got);
    assert_string_equal(got, "sound s0t0 s0t1");
    assert_string_equal(p.codec, "av1");
    c = full();
    for (size_t i = 0; i < c.n_tracks; i++)
        if (strcmp(c.tracks[i].codec, "opus") != 0)
            strcpy(c.tracks[i].codec, i == 3 ? "av01.0.05M.08" : "vp09.00.31.08");
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), 0);
    names(&p, &c, got);
    assert_string_equal(got, "sound s0t0 s0t1"); /* s1t0 is not of the same video */
    assert_string_equal(p.codec, "vp9");
    c = full();
    strcpy(c.tracks[4].name, "s0t0"); /* two of a name and layer: the first counts */
    c.tracks[4].temporal_id = 0;
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), 0);
    assert_int_equal(p.item[1].layer.spatial + p.item[1].layer.temporal, 0);
    c = full();
    c.tracks[5].spatial_id = 1; /* no base layer */
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), -1);
    assert_true(strstr(why, "base layer") != NULL);
    c = full();
    c.tracks[0].spatial_id = 200; /* out of range: not a layer */
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), 0);
    c.n_tracks = 0;
    assert_int_equal(subscription_decide(&p, &c, &all, why, sizeof why), -1);
}

/* Opaque tracks come last, and need no video; who wants none is not given any. */
static void test_all_kinds(void **state)
{
    (void)state;
    struct subscription_wish wish = WISH(-1, -1, 0, true, true);
    struct subscription_plan p;
    char got[200], why[200];
    struct msf_catalog c = full();
    for (; c.n_tracks < 9; c.n_tracks++) {
        struct msf_track *t = &c.tracks[c.n_tracks];
        snprintf(t->name, sizeof t->name, "d%zu", c.n_tracks - 7);
        strcpy(t->packaging, "loc");
        strcpy(t->role, "data");
    }
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    names(&p, &c, got);
    assert_string_equal(got, "sound s0t0 s0t1 s1t0 s1t1 s2t0 s2t1 d0 d1");
    assert_int_equal(p.item[8].kind, SUBSCRIPTION_DATA);
    memmove(c.tracks, c.tracks + 6, 3 * sizeof c.tracks[0]);
    c.n_tracks = 3;
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    names(&p, &c, got);
    assert_string_equal(got, "sound d0 d1");
    assert_null(p.codec);
    wish.all_kinds = false;
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), -1);
    wish = (struct subscription_wish)WISH(-1, -1, 0, false, true);
    c.n_tracks = 1;
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), -1);
}

/* Two cameras and two languages: told apart by what leans on what, whatever order they are in and
 * however many layers each has. One of each is the first. */
static void test_several(void **state)
{
    (void)state;
    struct subscription_wish wish = WISH(-1, -1, 0, true, true);
    struct subscription_plan p;
    char why[200];
    struct msf_catalog c = full();
    const struct msf_catalog other = full();
    for (size_t i = 0; i < other.n_tracks; i++) { /* called after the others, without s0t1 */
        struct msf_track *t = &c.tracks[c.n_tracks];
        *t = other.tracks[i];
        if (strcmp(t->name, "s0t1") == 0)
            continue;
        snprintf(t->name, sizeof t->name, "x%s", other.tracks[i].name);
        for (size_t d = 0; d < t->n_depends; d++)
            snprintf(t->depends[d], MSF_NAME_MAX, "x%s", other.tracks[i].depends[d]);
        if (t->temporal_id > 0)
            t->n_depends = 0; /* says nothing: it is of the first of its render group */
        c.n_tracks++;
    }
    assert_int_equal(c.n_tracks, 13);
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    const size_t first = (size_t)msf_track_find(&c, "s0t0"),
                 second = (size_t)msf_track_find(&c, "xs0t0");
    unsigned n[2] = { 0 }, sounds = 0;
    for (size_t i = 0; i < p.n; i++) {
        const struct subscription_item *item = &p.item[i];
        const bool is_second = c.tracks[item->track].name[0] == 'x';
        sounds += item->kind == SUBSCRIPTION_AUDIO;
        if (item->kind != SUBSCRIPTION_VIDEO)
            continue;
        n[item->base == second]++;
        assert_int_equal(item->base, is_second ? second : first);
    }
    assert_int_equal(n[0], 6);
    assert_int_equal(n[1], 3); /* xs0t0, xs1t0, xs2t0 */
    assert_int_equal(sounds, 2);
    wish.all_kinds = false;
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    assert_int_equal(p.n, 7);
    for (size_t i = 0; i < p.n; i++)
        assert_true(c.tracks[p.item[i].track].name[0] != 'x');
    assert_int_equal(p.n_temporal, 2);
    strcpy(c.tracks[6].lang, "en");
    strcpy(c.tracks[12].lang, "de-AT");
    wish.video = 1;
    wish.lang = "DE";
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    assert_int_equal(p.n, 4);
    for (size_t i = 0; i < p.n; i++)
        assert_true(c.tracks[p.item[i].track].name[0] == 'x');
    assert_int_equal(p.n_temporal, 1);
    wish.lang = "d";
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), 0);
    assert_string_equal(c.tracks[p.item[0].track].name, "sound");
    wish.video = 2;
    assert_int_equal(subscription_decide(&p, &c, &wish, why, sizeof why), -1);
    assert_non_null(strstr(why, "number 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_wishes),
                                        cmocka_unit_test(test_defects),
                                        cmocka_unit_test(test_all_kinds),
                                        cmocka_unit_test(test_several) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
