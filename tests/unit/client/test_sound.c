/*
 * test_sound.c - real Opus packets through the sound's buffer, decoder, resampler and queue, on a
 * clock that the test turns: what is heard keeps its place, and gets to another one unheard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sound.h"
#include "sound_out.h"

#include <opus/opus.h>

#include <math.h>
#include <stdlib.h>

#define MS 1000
#define RATE 48000
#define FRAME 960
#define FRAME_US (20 * MS)
#define TICK_US (10 * MS)

struct stage {
    struct sound *sound;
    OpusEncoder *opus;
    int64_t now, sent, offset; /* sent: media time of the next packet; due = media + offset */
    unsigned n;
};

static void open_stage(struct stage *st, bool low)
{
    const struct sound_config cfg = { .rate = RATE, .channels = 2, .low = low };
    char why[200];
    int error;
    *st = (struct stage){ .now = 1000000000, .offset = 1000000000 + 100 * MS };
    assert_int_equal(sound_new(&st->sound, &cfg, why, sizeof why), 0);
    st->opus = opus_encoder_create(RATE, 2, OPUS_APPLICATION_AUDIO, &error);
    assert_non_null(st->opus);
}

static void close_stage(struct stage *st)
{
    opus_encoder_destroy(st->opus);
    sound_free(st->sound);
}

static void send_packet(struct stage *st, bool lost)
{
    int16_t samples[FRAME * 2];
    uint8_t bytes[1500];
    for (int i = 0; i < FRAME; i++)
        samples[2 * i] = samples[2 * i + 1] =
            (int16_t)(8000 * sin((double)(st->n * FRAME + (unsigned)i) * 440 * 6.2832 / RATE));
    const int len = opus_encode(st->opus, samples, FRAME, bytes, sizeof bytes);
    assert_true(len > 0);
    if (!lost)
        sound_put(st->sound, bytes, (size_t)len, st->sent);
    st->sent += FRAME_US;
    st->n++;
}

/* Time goes on by `us`; packets come when their sound has been said, each `lose`th (0: none) does
 * not. Result: the most that what is heard was off its place, after the first second. */
static int64_t go_on(struct stage *st, int64_t us, unsigned lose)
{
    const int64_t end = st->now + us, settled = st->now + 1000 * MS;
    int64_t worst = 0, heard;
    for (; st->now < end; st->now += TICK_US) {
        while (st->sent + FRAME_US <= st->now - 1000000000)
            send_packet(st, lose && st->n % lose == lose - 1);
        sound_run(st->sound, st->now - st->offset, st->now);
        if (st->now >= settled && sound_heard(st->sound, st->now, &heard)) {
            const int64_t off = llabs(heard - (st->now - st->offset));
            worst = off > worst ? off : worst;
        }
    }
    return worst;
}

static void test_keeps_its_place(void **state)
{
    (void)state;
    for (int low = 0; low < 2; low++) {
        struct stage st;
        open_stage(&st, low);
        assert_true(go_on(&st, 60000 * MS, 0) < 2 * MS);
        const struct sound_counts c = sound_get_counts(st.sound);
        assert_true(c.packets > 2980 && c.lost == 0 && c.refused == 0);
        close_stage(&st);
    }
}

/* Its place moves: it gets there by speed alone, with nothing left out and nothing put in. */
static void test_gets_to_another_place(void **state)
{
    (void)state;
    static const int64_t moves[] = { -60 * MS, 30 * MS, -20 * MS, 8 * MS };
    struct stage st;
    open_stage(&st, false);
    st.offset += 200 * MS;
    go_on(&st, 2000 * MS, 0);
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        st.offset += moves[i];
        go_on(&st, 20000 * MS, 0);
        assert_true(go_on(&st, 5000 * MS, 0) < 2 * MS);
    }
    assert_int_equal(sound_get_counts(st.sound).lost, 0);
    close_stage(&st);
}

/* Far behind its place: not made up for by speed, but cut, and then in its place. */
static void test_far_behind(void **state)
{
    (void)state;
    struct stage st;
    open_stage(&st, false);
    st.offset += 600 * MS;
    go_on(&st, 2000 * MS, 0);
    st.offset -= 500 * MS;
    go_on(&st, 10000 * MS, 0);
    assert_true(go_on(&st, 5000 * MS, 0) < 5 * MS);
    assert_true(sound_get_counts(st.sound).lost >= 15);
    close_stage(&st);
}

static void test_losses(void **state)
{
    (void)state;
    struct stage st;
    open_stage(&st, false);
    assert_true(go_on(&st, 20000 * MS, 10) < 5 * MS);
    const struct sound_counts c = sound_get_counts(st.sound);
    assert_in_range(c.lost, 95, 105);
    close_stage(&st);
}

/* What is written now is heard when what is before it has been: two buffers and the queue. */
static void test_out(void **state)
{
    (void)state;
    const struct sound_out_config cfg = { .rate = RATE, .channels = 1, .extra_us = 70 * MS };
    static int16_t silence[RATE];
    struct sound_out *o = sound_out_new(&cfg);
    int64_t now = 5000000;
    assert_non_null(o);
    const int64_t card = sound_out_delay(o, now);
    assert_in_range(card, 70 * MS + 20 * MS, 70 * MS + 22 * MS);
    sound_out_write(o, silence, RATE / 10, now);
    assert_in_range(sound_out_delay(o, now), card + 99 * MS, card + 101 * MS);
    for (int i = 0; i < 10; i++, now += 5 * MS) /* it goes down as time goes on, and not in steps */
        assert_in_range(sound_out_delay(o, now), card + 100 * MS - i * 5 * MS - MS,
                        card + 100 * MS - i * 5 * MS + MS);
    sound_out_write(o, silence, 2 * RATE, now); /* too much: it is bounded */
    assert_true(sound_out_delay(o, now) <= card + SOUND_OUT_QUEUE_US);
    sound_out_clear(o);
    assert_true(sound_out_delay(o, now) <= card);
    sound_out_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_its_place),
        cmocka_unit_test(test_gets_to_another_place),
        cmocka_unit_test(test_far_behind),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
