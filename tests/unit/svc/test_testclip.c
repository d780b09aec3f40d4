/* test_testclip.c - the picture number is read back from every layer after coding, and only from
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "testclip_draw.h"
#include "testclip_number.h"

static void number_survives_coding_in_every_layer(void **state)
{
    (void)state;
    struct svc_encoder_config cfg;
    struct svc_encoder *e = NULL;
    struct svc_decoder *d = NULL;
    struct testclip *clip = testclip_new(1280, 720, 5);
    svc_encoder_config_init(&cfg);
    assert_non_null(clip);
    assert_int_equal(svc_encoder_new(&e, &cfg), 0);
    assert_int_equal(svc_decoder_new(&d, "av1", 1), 0);
    for (unsigned i = 0; i < 16; i++) {
        struct svc_unit units[SVC_SPATIAL_MAX];
        unsigned number = 65530 + 1021 * i; /* goes round at 65536 */
        struct svc_image img = testclip_draw(clip, number, i / 30.0);
        assert_int_equal(testclip_read_number(&img), number % 65536);
        assert_int_equal(svc_encoder_encode(e, &img, 0, false, units), 3);
        for (unsigned s = 0; s < 3; s++) {
            struct svc_picture pic;
            assert_int_equal(svc_decoder_decode(d, &units[s], 1, &pic), 1);
            assert_int_equal(pic.layer.spatial, s);
            assert_int_equal(testclip_read_number(&pic.image), number % 65536);
            svc_picture_release(d, &pic);
        }
    }
    svc_decoder_free(d);
    svc_encoder_free(e);
    testclip_free(clip);
}

static void other_pictures_have_no_number(void **state)
{
    (void)state;
    static uint8_t bytes[320 * 180];
    struct svc_image img = {
        .width = 320, .height = 180, .plane = { bytes, bytes, bytes }, .stride = { 320, 160, 160 }
    };
    assert_int_equal(testclip_read_number(&img), -1); /* black */
    memset(bytes, 235, sizeof(bytes));
    assert_int_equal(testclip_read_number(&img), -1);
    img.width = 64;
    assert_int_equal(testclip_read_number(&img), -1); /* too small */
}

static void one_wrong_block_is_noticed(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 65536; n += 257) {
        uint32_t bits = testclip_pattern((uint16_t)n);
        assert_int_equal(bits >> 8, n);
        for (int i = 0; i < TESTCLIP_BLOCKS; i++) {
            uint32_t wrong = bits ^ 1u << i;
            assert_int_not_equal(testclip_pattern((uint16_t)(wrong >> 8)), wrong);
        }
    }
}

static void the_clip_is_deterministic(void **state)
{
    (void)state;
    struct testclip *a = testclip_new(320, 192, 9), *b = testclip_new(320, 192, 9);
    struct testclip *other = testclip_new(320, 192, 10);
    assert_true(a && b && other);
    testclip_draw(b, 3, 0.1);
    struct svc_image x = testclip_draw(a, 7, 0.25), y = testclip_draw(b, 7, 0.25);
    struct svc_image z = testclip_draw(other, 7, 0.25);
    assert_int_equal(svc_image_crc(&x), svc_image_crc(&y));
    assert_int_not_equal(svc_image_crc(&x), svc_image_crc(&z));
    testclip_free(a);
    testclip_free(b);
    testclip_free(other);
}

static void the_fingerprint_is_crc32(void **state)
{
    (void)state;
    const uint8_t *digits = (const uint8_t *)"1234";
    struct svc_image img = { .width = 2,
                             .height = 2,
                             .plane = { digits, (const uint8_t *)"5", (const uint8_t *)"6" },
                             .stride = { 2, 1, 1 } };
    assert_int_equal(svc_image_crc(&img), 0x0972d361); /* crc32("123456") */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_survives_coding_in_every_layer),
        cmocka_unit_test(other_pictures_have_no_number),
        cmocka_unit_test(one_wrong_block_is_noticed),
        cmocka_unit_test(the_clip_is_deterministic),
        cmocka_unit_test(the_fingerprint_is_crc32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
