/* test_controls.c - what keys and mouse ask for, in windows of several sizes and densities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "controls.h"

#include <math.h>

static SDL_Event key(SDL_Keycode sym, uint16_t mod)
{
    return (SDL_Event){ .key = { .type = SDL_KEYDOWN, .keysym = { .sym = sym, .mod = mod } } };
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        SDL_Keycode sym;
        uint16_t mod;
        enum command_kind kind;
        enum command_how how;
        double value;
    } rows[] = {
        { SDLK_SPACE, 0, COMMAND_PAUSE, COMMAND_TOGGLE, 0 },
        { SDLK_LEFT, 0, COMMAND_SEEK, COMMAND_ADD, -10 },
        { SDLK_END, 0, COMMAND_LIVE, COMMAND_SET, 0 },
        { SDLK_UP, 0, COMMAND_VOLUME, COMMAND_ADD, 5 },
        { SDLK_m, 0, COMMAND_MUTE, COMMAND_TOGGLE, 0 },
        { SDLK_f, 0, COMMAND_FULLSCREEN, COMMAND_TOGGLE, 0 },
        { SDLK_s, 0, COMMAND_SCREENSHOT, COMMAND_SET, 0 },
        { SDLK_i, 0, COMMAND_STATISTICS, COMMAND_TOGGLE, 0 },
        { SDLK_i, KMOD_LSHIFT, COMMAND_STATISTICS_PAGE, COMMAND_ADD, 1 },
        { SDLK_3, 0, COMMAND_PATH, COMMAND_TOGGLE, 3 },
        { SDLK_SLASH, KMOD_RSHIFT, COMMAND_HELP, COMMAND_TOGGLE, 0 },
        { SDLK_ESCAPE, 0, COMMAND_QUIT, COMMAND_SET, 0 },
    };
    struct controls c;
    struct command out;
    controls_init(&c);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const SDL_Event e = key(rows[i].sym, rows[i].mod);
        assert_int_equal(controls_take(&c, &e, 0, &out), 1);
        assert_true(out.kind == rows[i].kind && out.how == rows[i].how &&
                    out.value == rows[i].value);
    }
    SDL_Event held = key(SDLK_SPACE, 0);
    held.key.repeat = 1;
    assert_int_equal(controls_take(&c, &held, 0, &out), 0); /* held down it is one pause ... */
    held = key(SDLK_UP, 0);
    held.key.repeat = 1;
    assert_int_equal(controls_take(&c, &held, 0, &out), 1); /* ... and a lot of volume */
    const SDL_Event other[] = { key(SDLK_q, KMOD_LCTRL), key(SDLK_F5, 0) };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(controls_take(&c, &other[i], 0, &out), 0);
}

static SDL_Event press(struct box b, double across, int density, uint8_t clicks)
{
    return (SDL_Event){ .button = { .type = SDL_MOUSEBUTTONDOWN,
                                    .button = SDL_BUTTON_LEFT,
                                    .clicks = clicks,
                                    .x = (int)((b.x + b.w * (float)across) / (float)density),
                                    .y = (int)((b.y + b.h / 2) / (float)density) } };
}

static SDL_Event motion(int x, int y)
{
    return (SDL_Event){ .motion = { .type = SDL_MOUSEMOTION, .x = x, .y = y } };
}

/* The bar's parts do what they show, at each size and density; half an hour of window, ten minutes
 * behind. */
static void test_bar(void **state)
{
    (void)state;
    static const int sizes[][3] = {
        { 640, 360, 1 }, { 1280, 720, 1 }, { 1920, 1080, 1 }, { 2560, 1440, 2 }
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int w = sizes[i][0], h = sizes[i][1], density = sizes[i][2];
        const struct osd_bar bar = {
            .volume = 100, .has_window = true, .window_s = 1800, .behind_s = 600
        };
        struct osd_bar_layout at;
        struct controls c;
        struct command out;
        osd_bar_layout(&at, w, h);
        controls_init(&c);
        controls_know(&c, &bar);
        controls_size(&c, w, h, w / density, h / density);
        SDL_Event e = press(at.play, .5, density, 1);
        assert_int_equal(controls_take(&c, &e, 1000, &out), 0); /* it only brings the bar */
        assert_true(controls_bar_out(&c, 1000));
        assert_int_equal(controls_take(&c, &e, 1100, &out), 1);
        assert_int_equal(out.kind, COMMAND_PAUSE);
        const struct {
            struct box box;
            double across;
            enum command_kind kind;
            double value;
        } rows[] = {
            { at.full, .5, COMMAND_FULLSCREEN, 0 },   { at.note, .5, COMMAND_MUTE, 0 },
            { at.live, .5, COMMAND_LIVE, 0 },         { at.volume, .5, COMMAND_VOLUME, 65 },
            { at.timeline, .25, COMMAND_SEEK, -750 }, { at.timeline, .75, COMMAND_SEEK, 150 },
        };
        for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
            e = press(rows[n].box, rows[n].across, density, 1);
            assert_int_equal(controls_take(&c, &e, 1200, &out), 1);
            assert_int_equal(out.kind, rows[n].kind);
            assert_true(fabs(out.value - rows[n].value) <= (out.kind == COMMAND_SEEK ? 10 : 2));
        }
        e = press((struct box){ 0, 0, (float)w, (float)h / 2 }, .5, density, 2);
        assert_int_equal(controls_take(&c, &e, 1300, &out), 1);
        assert_int_equal(out.kind, COMMAND_FULLSCREEN); /* a double click beside it */
    }
}

static void test_drag_and_hide(void **state)
{
    (void)state;
    struct osd_bar_layout at;
    struct controls c;
    struct command out;
    osd_bar_layout(&at, 1280, 720);
    controls_init(&c);
    controls_size(&c, 1280, 720, 1280, 720);
    assert_false(controls_bar_out(&c, 0));
    SDL_Event e = motion(300, 300);
    assert_int_equal(controls_take(&c, &e, 1000, &out), 0);
    assert_true(controls_bar_out(&c, 1000 + CONTROLS_BAR_MS - 1));
    assert_false(controls_bar_out(&c, 1000 + CONTROLS_BAR_MS));
    e = press(at.volume, .5, 1, 1);
    assert_int_equal(controls_take(&c, &e, 5000, &out), 0);
    assert_int_equal(controls_take(&c, &e, 5001, &out), 1);
    e = motion((int)(at.volume.x + at.volume.w) + 40, 10); /* the mouse need not stay on it */
    assert_int_equal(controls_take(&c, &e, 5002, &out), 1);
    assert_true(out.kind == COMMAND_VOLUME && out.value == 130);
    e = (SDL_Event){ .button = { .type = SDL_MOUSEBUTTONUP, .button = SDL_BUTTON_LEFT } };
    assert_int_equal(controls_take(&c, &e, 5003, &out), 0);
    e = motion((int)at.play.x + 3, (int)at.play.y + 3);
    assert_int_equal(controls_take(&c, &e, 5004, &out), 0);
    assert_true(controls_bar_out(&c, 60000)); /* as long as the mouse rests on it */
    e = (SDL_Event){ .wheel = { .type = SDL_MOUSEWHEEL, .y = -1 } };
    assert_int_equal(controls_take(&c, &e, 60001, &out), 1);
    assert_true(out.kind == COMMAND_VOLUME && out.how == COMMAND_ADD && out.value < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_drag_and_hide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
