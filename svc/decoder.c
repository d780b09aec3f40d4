/* decoder.c - svc_decoder: the tracker in front of a codec's own decoder. */
#include "codec.h"

#include <stdlib.h>

#define THREADS_MAX 16

struct svc_decoder {
    const struct svc_codec *codec;
    void *state;
    struct svc_tracker tracker;
    bool started;    /* a key frame has been decoded */
    uint64_t newest; /* picture decoded */
};

int svc_decoder_new(struct svc_decoder **out, const char *codec, unsigned threads)
{
    const struct svc_codec *c = svc_codec_find(codec);

    if (!c || threads < 1 || threads > THREADS_MAX)
        return SVC_ERR_ARG;
    struct svc_decoder *d = calloc(1, sizeof(*d));
    if (!d)
        return SVC_ERR_NOMEM;
    d->codec = c;
    int err = c->decoder_open(&d->state, threads);
    if (err < 0) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

/* After damaged bits nothing that the slots hold can be trusted. */
static void start_over(struct svc_decoder *d)
{
    d->codec->flush(d->state);
    d->tracker = (struct svc_tracker){ 0 };
    d->started = false;
}

static bool usable(const struct svc_decoder *d, const struct svc_unit *unit)
{
    if (d->started && d->codec->in_order && unit->picture <= d->newest)
        return false;
    return (d->started || unit->key) && svc_tracker_decodable(&d->tracker, unit);
}

int svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                       struct svc_picture *out)
{
    if (n > SVC_SPATIAL_MAX)
        return SVC_ERR_ARG;
    struct svc_picture best = { .opaque = NULL };
    for (size_t i = 0; i < n; i++) {
        if (!usable(d, &units[i]))
            continue;
        struct svc_picture pic = { .picture = units[i].picture,
                                   .pts = units[i].pts,
                                   .layer = units[i].layer };
        int err = d->codec->decode(d->state, &units[i], &pic);
        svc_picture_release(d, &best);
        if (err < 0) {
            start_over(d);
            return err;
        }
        best = pic;
        svc_tracker_decoded(&d->tracker, &units[i]);
        d->started = true;
        d->newest = units[i].picture;
    }
    *out = best;
    return best.opaque ? 1 : 0;
}

enum svc_matrix svc_matrix_of_h273(unsigned value)
{
    switch (value) {
    case 1:
        return SVC_MATRIX_BT709;
    case 4: /* FCC */
    case 5: /* BT.470 System B, G */
    case 6: /* BT.601 */
        return SVC_MATRIX_BT601;
    case 7:
        return SVC_MATRIX_SMPTE240;
    case 9:
    case 10:
        return SVC_MATRIX_BT2020;
    default:
        return SVC_MATRIX_UNKNOWN;
    }
}

void svc_picture_release(struct svc_decoder *d, struct svc_picture *p)
{
    if (!p || !p->opaque)
        return;
    d->codec->release(p->opaque);
    p->opaque = NULL;
}

const struct svc_tracker *svc_decoder_tracker(const struct svc_decoder *d)
{
    return &d->tracker;
}

void svc_decoder_free(struct svc_decoder *d)
{
    if (!d)
        return;
    d->codec->decoder_close(d->state);
    free(d);
}
