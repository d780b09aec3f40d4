/* test_source.c - any file as pictures and sound: in place, skipped, each kind for itself, again
 * from the beginning. The clip, two seconds, is argv[1]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libavutil/log.h>

#include "source.h"
#include "testclip_number.h"

#define PICTURES 60
#define WIDTH 192
#define HEIGHT 108

static const char *clip;

struct place {
    uint8_t bytes[WIDTH * HEIGHT * 2];
    struct svc_image_buffer to;
};

static struct source *opened(struct place *p)
{
    const struct source_config cfg = {
        .path = clip, .width = WIDTH, .height = HEIGHT, .threads = 2, .quick = p != NULL
    };
    struct source *s = NULL;
    char why[200] = "";

    if (source_open(&s, &cfg, why, sizeof why) < 0)
        fail_msg("%s", why);
    if (p) {
        p->to = (struct svc_image_buffer){
            .width = WIDTH,
            .height = HEIGHT,
            .plane = { p->bytes, p->bytes + WIDTH * HEIGHT, p->bytes + WIDTH * HEIGHT * 3 / 2 },
            .stride = { WIDTH, WIDTH, WIDTH / 2 },
        };
        source_write_to(s, &p->to);
    }
    return s;
}

static void pictures_are_put_where_they_are_wanted(void **state)
{
    static struct place p;
    struct source *s = opened(&p);
    struct source_item item;

    (void)state;
    for (int n = 0; n < PICTURES; n++) {
        if (n % 3 == 1) {
            assert_int_equal(source_skip_picture(s), 1);
            continue;
        }
        assert_int_equal(source_next_picture(s, &item), 1);
        assert_int_equal(item.number, n);
        assert_ptr_equal(item.image.plane[0], p.bytes);
        assert_ptr_equal(item.image.plane[2], p.to.plane[2]);
        assert_int_equal(testclip_read_number(&item.image), n);
    }
    assert_int_equal(source_next_picture(s, &item), 0);
    assert_int_equal(source_skip_picture(s), 0);
    source_free(s);
}

static void sound_is_pulled_for_itself(void **state)
{
    struct source *s = opened(NULL);
    struct source_item item;
    size_t frames = 0;

    (void)state;
    assert_int_equal(source_info(s)->channels, 1);
    while (source_next_sound(s, &item) == 1) {
        assert_int_equal(item.kind, SOURCE_SOUND);
        frames += item.n_frames;
    }
    assert_in_range(frames, SOURCE_RATE * 2 - 2048, SOURCE_RATE * 2 + 2048);
    for (int n = 0; n < PICTURES; n++) { /* they were kept meanwhile */
        assert_int_equal(source_next_picture(s, &item), 1);
        assert_int_equal(testclip_read_number(&item.image), n);
    }
    assert_int_equal(source_rewind(s), 0);
    assert_int_equal(source_next_picture(s, &item), 1);
    assert_int_equal(item.number, 0);
    assert_int_equal(testclip_read_number(&item.image), 0);
    assert_int_equal(source_next_sound(s, &item), 1);
    source_free(s);
}

static void both_come_by_time(void **state)
{
    struct source *s = opened(NULL);
    struct source_item item;
    size_t frames = 0;
    int pictures = 0, got;

    (void)state;
    while ((got = source_next(s, &item)) == 1) {
        if (item.kind == SOURCE_SOUND) {
            frames += item.n_frames;
            continue;
        }
        assert_int_equal(item.number, pictures);
        assert_true(frames * 30 >= (size_t)pictures * SOURCE_RATE);
        pictures++;
    }
    assert_int_equal(got, 0);
    assert_int_equal(pictures, PICTURES);
    assert_in_range(frames, SOURCE_RATE * 2 - 2048, SOURCE_RATE * 2 + 2048);
    source_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_put_where_they_are_wanted),
        cmocka_unit_test(sound_is_pulled_for_itself),
        cmocka_unit_test(both_come_by_time),
    };
    clip = argc > 1 ? argv[1] : "";
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
