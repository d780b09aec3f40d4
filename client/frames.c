/* frames.c - see frames.h. */
#include "frames.h"

#include "convert.h"
#include "shot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_MAX_BYTES 1024

struct frames {
    char dir[PATH_MAX_BYTES - 32];
    struct convert *convert;
    struct shot *writing[FRAMES_WAITING_MAX];
    size_t next;
    bool failed;
};

int frames_new(struct frames **out, const char *dir, char *why, size_t why_size)
{
    struct frames *f = calloc(1, sizeof *f);

    if (!f || !(f->convert = convert_new())) {
        snprintf(why, why_size, "no memory for the frames");
        free(f);
        return -1;
    }
    const int len = snprintf(f->dir, sizeof f->dir, "%s", dir);
    if (len >= (int)sizeof f->dir || (mkdir(dir, 0777) != 0 && errno != EEXIST)) {
        snprintf(why, why_size, "cannot make the folder %.200s: %s", dir,
                 len >= (int)sizeof f->dir ? "its name is too long" : strerror(errno));
        frames_free(f);
        return -1;
    }
    *out = f;
    return 0;
}

int frames_add(struct frames *f, uint64_t picture, const struct svc_image *img, char *why,
               size_t why_size)
{
    char file[PATH_MAX_BYTES];
    struct shot **slot = &f->writing[f->next];
    uint8_t *bgra = malloc((size_t)img->width * img->height * 4);

    f->failed |= shot_end(*slot) != 0;
    *slot = NULL;
    if (!bgra || convert_picture(f->convert, img, bgra, img->width * 4) != 0) {
        snprintf(why, why_size, "picture %" PRIu64 " cannot be written: %s", picture,
                 bgra ? "no way to convert it" : "no memory");
        free(bgra);
        f->failed = true;
        return -1;
    }
    snprintf(file, sizeof file, "%s/%010" PRIu64 ".png", f->dir, picture);
    if (shot_begin(slot, file, bgra, img->width, img->height, SHOT_QUICK, why, why_size) != 0) {
        f->failed = true;
        return -1;
    }
    f->next = (f->next + 1) % FRAMES_WAITING_MAX;
    return 0;
}

int frames_free(struct frames *f)
{
    if (!f)
        return 0;
    for (size_t i = 0; i < FRAMES_WAITING_MAX; i++)
        f->failed |= shot_end(f->writing[i]) != 0;
    const int result = f->failed ? -1 : 0;
    convert_free(f->convert);
    free(f);
    return result;
}
