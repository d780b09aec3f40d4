/* codec.c - the backends there are. */
#include "codec.h"

#include <string.h>

static const struct svc_codec *const all[] = { &svc_codec_av1, &svc_codec_vp9, &svc_codec_h264 };
const char *const svc_codecs[] = { "av1", "vp9", "h264", NULL };

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
    for (size_t i = 0; name && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0 ||
            strncmp(name, all[i]->rfc6381, strlen(all[i]->rfc6381)) == 0)
            return all[i];
    return NULL;
}
