/* controls.c - see controls.h. */
#include "controls.h"

#include "keys.h"

#include <SDL_keyboard.h>

#define VOLUME_MAX 130

void controls_init(struct controls *c)
{
    *c = (struct controls){ .scale_x = 1, .scale_y = 1, .bar = { .volume = 100 } };
}

void controls_know(struct controls *c, const struct osd_bar *bar)
{
    c->bar = *bar;
}

void controls_size(struct controls *c, int w, int h, int window_w, int window_h)
{
    c->w = w;
    c->h = h;
    c->scale_x = window_w > 0 ? (double)w / window_w : 1;
    c->scale_y = window_h > 0 ? (double)h / window_h : 1;
}

bool controls_bar_out(const struct controls *c, uint64_t now_ms)
{
    return c->moved_ms && (c->over || c->dragging || now_ms < c->moved_ms + CONTROLS_BAR_MS);
}

static bool is_in(struct box b, float x, float y)
{
    return x >= b.x && x < b.x + b.w && y >= b.y && y < b.y + b.h;
}

static double share(struct box b, float x)
{
    const double at = (double)((x - b.x) / b.w);
    return at < 0 ? 0 : at > 1 ? 1 : at;
}

static struct command volume_at(const struct osd_bar_layout *at, float x)
{
    return (struct command){ COMMAND_VOLUME, COMMAND_SET, share(at->volume, x) * VOLUME_MAX, "" };
}

/* A press on the bar. */
static size_t press(struct controls *c, const struct osd_bar_layout *at, float x, float y,
                    struct command *out)
{
    *out = (struct command){ COMMAND_NONE, COMMAND_TOGGLE, 0, "" };
    if (is_in(at->play, x, y))
        out->kind = COMMAND_PAUSE;
    else if (is_in(at->full, x, y))
        out->kind = COMMAND_FULLSCREEN;
    else if (is_in(at->note, x, y))
        out->kind = COMMAND_MUTE;
    else if (is_in(at->live, x, y))
        *out = (struct command){ COMMAND_LIVE, COMMAND_SET, 0, "" };
    if (is_in(at->volume, x, y)) {
        c->dragging = true;
        *out = volume_at(at, x);
    }
    if (is_in(at->timeline, x, y) && c->bar.has_window && c->bar.window_s > 0)
        *out = (struct command){ COMMAND_SEEK, COMMAND_ADD,
                                 c->bar.behind_s - (1 - share(at->timeline, x)) * c->bar.window_s,
                                 "" };
    return out->kind != COMMAND_NONE;
}

static size_t take_press(struct controls *c, const SDL_MouseButtonEvent *e, uint64_t now_ms,
                         struct command *out)
{
    struct osd_bar_layout at;
    const float x = (float)(e->x * c->scale_x), y = (float)(e->y * c->scale_y);
    const bool was_out = controls_bar_out(c, now_ms);
    osd_bar_layout(&at, c->w, c->h);
    c->moved_ms = now_ms;
    if (e->button != SDL_BUTTON_LEFT)
        return 0;
    if (was_out && is_in(at.bar, x, y))
        return press(c, &at, x, y, out);
    if (e->clicks < 2 || e->clicks % 2 != 0)
        return 0;
    *out = (struct command){ COMMAND_FULLSCREEN, COMMAND_TOGGLE, 0, "" };
    return 1;
}

static size_t take_motion(struct controls *c, const SDL_MouseMotionEvent *e, uint64_t now_ms,
                          struct command *out)
{
    struct osd_bar_layout at;
    const float x = (float)(e->x * c->scale_x), y = (float)(e->y * c->scale_y);
    osd_bar_layout(&at, c->w, c->h);
    c->moved_ms = now_ms;
    c->over = is_in(at.bar, x, y);
    if (!c->dragging)
        return 0;
    *out = volume_at(&at, x);
    return 1;
}

static size_t take_key(const SDL_KeyboardEvent *e, struct command *out)
{
    const struct key *k =
        keys_find(SDL_GetKeyName(e->keysym.sym), (e->keysym.mod & KMOD_SHIFT) != 0);
    const bool other = (e->keysym.mod & (KMOD_CTRL | KMOD_ALT | KMOD_GUI)) != 0;
    const bool again =
        e->repeat && !(k && (k->command == COMMAND_SEEK || k->command == COMMAND_VOLUME));
    if (!k || other || again)
        return 0;
    *out = (struct command){ k->command, k->how, k->value, "" };
    return 1;
}

size_t controls_take(struct controls *c, const SDL_Event *e, uint64_t now_ms, struct command *out)
{
    switch (e->type) {
    case SDL_QUIT:
        *out = (struct command){ COMMAND_QUIT, COMMAND_SET, 0, "" };
        return 1;
    case SDL_KEYDOWN:
        return take_key(&e->key, out);
    case SDL_MOUSEBUTTONDOWN:
        return take_press(c, &e->button, now_ms, out);
    case SDL_MOUSEBUTTONUP:
        c->dragging = false;
        return 0;
    case SDL_MOUSEMOTION:
        return take_motion(c, &e->motion, now_ms, out);
    case SDL_MOUSEWHEEL:
        *out = (struct command){ COMMAND_VOLUME, COMMAND_ADD,
                                 e->wheel.y > 0 ? CONTROLS_WHEEL : -CONTROLS_WHEEL, "" };
        return e->wheel.y != 0;
    case SDL_WINDOWEVENT:
        if (e->window.event == SDL_WINDOWEVENT_LEAVE)
            c->over = false;
        return 0;
    default:
        return 0;
    }
}
