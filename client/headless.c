/*
 * headless.c - in place of screen.c, sound_card.c and what they need: a player for where nobody
 * looks or listens, small enough for a guest's initramfs. It decodes, keeps time and reports as the
 * other; what has to be seen is refused with the reason.
 */
#include "frames.h"
#include "quiet.h"
#include "screen.h"
#include "sound_card.h"
#include "sound_stretch.h"

#include <stdio.h>

int screen_new(struct screen **out, const struct screen_config *cfg, char *why, size_t why_size)
{
    *out = NULL; /* nobody looks */
    if (!cfg->saves)
        return 0;
    snprintf(why, why_size, "this svc-player is built without a screen: no screenshots");
    return -1;
}

int frames_new(struct frames **out, const char *dir, char *why, size_t why_size)
{
    *out = NULL;
    snprintf(why, why_size, "this svc-player is built without pictures: nothing goes to %s", dir);
    return -1;
}

int frames_add(struct frames *f, uint64_t picture, const struct svc_image *img, char *why,
               size_t why_size)
{
    (void)f;
    (void)picture;
    (void)img;
    snprintf(why, why_size, "no pictures");
    return -1;
}

int frames_free(struct frames *f)
{
    (void)f;
    return 0;
}

struct sound_card *sound_card_open(uint32_t rate, uint8_t channels, size_t *period,
                                   sound_card_fn *fill, void *user)
{
    (void)rate;
    (void)channels;
    (void)period;
    (void)fill;
    (void)user;
    return NULL; /* the clock plays */
}

void sound_card_start(struct sound_card *c)
{
    (void)c;
}

void sound_card_close(struct sound_card *c)
{
    (void)c;
}

void sound_card_lock(struct sound_card *c)
{
    (void)c;
}

void sound_card_unlock(struct sound_card *c)
{
    (void)c;
}

struct sound_stretch *sound_stretch_new(uint32_t rate, uint8_t channels)
{
    (void)rate;
    (void)channels;
    return NULL;
}

void sound_stretch_free(struct sound_stretch *s)
{
    (void)s;
}

int sound_stretch_run(struct sound_stretch *s, const int16_t *in, int frames, int more,
                      int16_t *out, int most)
{
    (void)s;
    (void)in;
    (void)frames;
    (void)more;
    (void)out;
    (void)most;
    return -1;
}

int64_t sound_stretch_delay(const struct sound_stretch *s)
{
    (void)s;
    return 0;
}

void quiet_libraries(void)
{
}

/* Nobody has a screen, so nobody calls these. */
void screen_free(struct screen *s)
{
    (void)s;
}

void screen_size(const struct screen *s, uint32_t *width, uint32_t *height)
{
    (void)s;
    *width = *height = 0;
}

bool screen_clipboard(const struct screen *s, char *out, size_t cap)
{
    (void)s;
    (void)out;
    (void)cap;
    return false;
}

int screen_show(struct screen *s, const struct svc_image *img)
{
    (void)s;
    (void)img;
    return -1;
}

void screen_overlay(struct screen *s, const struct osd_view *view)
{
    (void)s;
    (void)view;
}

void screen_render(struct screen *s)
{
    (void)s;
}

size_t screen_commands(struct screen *s, struct command *out, size_t cap)
{
    (void)s;
    (void)out;
    (void)cap;
    return 0;
}

bool screen_is_fullscreen(const struct screen *s)
{
    (void)s;
    return false;
}

void screen_set_fullscreen(struct screen *s, bool on)
{
    (void)s;
    (void)on;
}

void screen_say(struct screen *s, const char *text)
{
    (void)s;
    (void)text;
}

void screen_say_volume(struct screen *s, double percent, bool muted)
{
    (void)s;
    (void)percent;
    (void)muted;
}

bool screen_wants_drawing(struct screen *s)
{
    (void)s;
    return false;
}

int screen_read_number(struct screen *s)
{
    (void)s;
    return -1;
}

int screen_save(struct screen *s, const char *file, char *why, size_t why_size)
{
    (void)s;
    snprintf(why, why_size, "this svc-player is built without a screen: %s is not saved", file);
    return -1;
}

int screen_finish_saving(struct screen *s)
{
    (void)s;
    return 0;
}
