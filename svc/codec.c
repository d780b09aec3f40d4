/* codec.c - finding a backend; which there are is codecs.c's business. */
#include "codec.h"

#include <string.h>

#define PAR_NEAR_PERCENT 2

const char *svc_codec_name(const char *codec)
{
    const struct svc_codec *c = svc_codec_find(codec);

    return c ? c->name : NULL;
}

bool svc_codec_in_order(const char *codec)
{
    const struct svc_codec *c = svc_codec_find(codec);

    return c && c->in_order;
}

const struct svc_codec *svc_codec_find(const char *name)
{
    for (const struct svc_codec *const *c = svc_codec_all; name && *c; c++)
        if (strcmp((*c)->name, name) == 0 ||
            strncmp(name, (*c)->rfc6381, strlen((*c)->rfc6381)) == 0)
            return *c;
    return NULL;
}

void svc_image_set_par(struct svc_image *img, uint32_t num, uint32_t den)
{
    img->par_num = img->par_den = 0;
    /* sizes of layers are rounded: that is no shape */
    const bool wider = (uint64_t)num * 100 > (uint64_t)den * (100 + PAR_NEAR_PERCENT);
    const bool taller = (uint64_t)den * 100 > (uint64_t)num * (100 + PAR_NEAR_PERCENT);
    if (num == 0 || den == 0 || (!wider && !taller))
        return;
    while (num > UINT16_MAX || den > UINT16_MAX) {
        num /= 2;
        den /= 2;
    }
    img->par_num = (uint16_t)num;
    img->par_den = (uint16_t)den;
}
