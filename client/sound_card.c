/* sound_card.c - see sound_card.h: SDL2. */
#include "sound_card.h"

#include "log.h"

#include <SDL.h>

#include <stdlib.h>

struct sound_card {
    SDL_AudioDeviceID device;
    uint8_t channels;
    sound_card_fn *fill;
    void *user;
};

static void on_card(void *user, uint8_t *stream, int len)
{
    const struct sound_card *c = user;
    c->fill(c->user, (int16_t *)(void *)stream, (size_t)len / (c->channels * sizeof(int16_t)));
}

struct sound_card *sound_card_open(uint32_t rate, uint8_t channels, size_t *period,
                                   sound_card_fn *fill, void *user)
{
    struct sound_card *c = calloc(1, sizeof *c);
    SDL_AudioSpec got, want = { .freq = (int)rate,
                                .format = AUDIO_S16SYS,
                                .channels = channels,
                                .samples = (uint16_t)*period,
                                .callback = on_card,
                                .userdata = c };
    if (!c)
        return NULL;
    c->channels = channels;
    c->fill = fill;
    c->user = user;
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) == 0)
        c->device = SDL_OpenAudioDevice(NULL, 0, &want, &got, SDL_AUDIO_ALLOW_SAMPLES_CHANGE);
    if (!c->device) {
        log_text(LOG_LEVEL_WARN, "no sound: %s", SDL_GetError());
        free(c);
        return NULL;
    }
    *period = got.samples;
    return c;
}

void sound_card_start(struct sound_card *c)
{
    if (c)
        SDL_PauseAudioDevice(c->device, 0);
}

void sound_card_close(struct sound_card *c)
{
    if (c)
        SDL_CloseAudioDevice(c->device);
    free(c);
}

void sound_card_lock(struct sound_card *c)
{
    if (c)
        SDL_LockAudioDevice(c->device);
}

void sound_card_unlock(struct sound_card *c)
{
    if (c)
        SDL_UnlockAudioDevice(c->device);
}
