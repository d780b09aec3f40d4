/* paper.c - see paper.h. */
#include "paper.h"

#include <stdlib.h>

int __wrap_svc_decoder_new(struct svc_decoder **out, const char *codec, unsigned threads);
int __wrap_svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                              struct svc_picture *out);
void __wrap_svc_picture_release(struct svc_decoder *d, struct svc_picture *p);
const struct svc_tracker *__wrap_svc_decoder_tracker(const struct svc_decoder *d);
void __wrap_svc_decoder_free(struct svc_decoder *d);

struct paper {                /* what the player holds as its struct svc_decoder */
    struct svc_decoder *real; /* NULL: on paper */
    struct svc_tracker tracker;
    bool started;
};

static bool decoding;

void paper_decode(bool really)
{
    decoding = really;
}

static struct paper *of(struct svc_decoder *d)
{
    return (struct paper *)(void *)d;
}

int __wrap_svc_decoder_new(struct svc_decoder **out, const char *codec, unsigned threads)
{
    struct paper *p = calloc(1, sizeof *p);

    if (!p)
        return SVC_ERR_NOMEM;
    const int result = decoding ? __real_svc_decoder_new(&p->real, codec, threads) : 0;
    if (result < 0) {
        free(p);
        return result;
    }
    *out = (struct svc_decoder *)(void *)p;
    return 0;
}

int __wrap_svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                              struct svc_picture *out)
{
    struct paper *p = of(d);
    int got = 0;

    if (p->real)
        return __real_svc_decoder_decode(p->real, units, n, out);
    *out = (struct svc_picture){ .opaque = NULL };
    for (size_t i = 0; i < n; i++) {
        const struct svc_unit *u = &units[i];

        if (!(p->started || u->key) || !svc_tracker_decodable(&p->tracker, u))
            continue;
        svc_tracker_decoded(&p->tracker, u);
        p->started = true;
        *out = (struct svc_picture){ .picture = u->picture, .pts = u->pts, .layer = u->layer };
        got = 1;
    }
    return got;
}

void __wrap_svc_picture_release(struct svc_decoder *d, struct svc_picture *picture)
{
    if (d && of(d)->real)
        __real_svc_picture_release(of(d)->real, picture);
}

const struct svc_tracker *__wrap_svc_decoder_tracker(const struct svc_decoder *d)
{
    const struct paper *p = (const struct paper *)(const void *)d;

    return p->real ? __real_svc_decoder_tracker(p->real) : &p->tracker;
}

void __wrap_svc_decoder_free(struct svc_decoder *d)
{
    if (!d)
        return;
    __real_svc_decoder_free(of(d)->real);
    free(d);
}
