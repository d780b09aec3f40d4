/* media.c - see media.h. */
#include "media.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* After `to` and moved there: `from`. */
static uint8_t *put(uint8_t *to, struct moq_bytes *from)
{
    if (from->len > 0)
        memcpy(to, from->bytes, from->len);
    from->bytes = to;
    return to + from->len;
}

struct media *media_new(uint64_t of, const struct object *object, const struct svc_packet *pkt)
{
    const struct moq_object *o = &object->moq;
    struct media *m = malloc(sizeof *m + o->properties.len + o->payload.len);
    if (!m)
        return NULL;
    atomic_init(&m->refs, 1);
    m->of = of;
    m->at = clock_now_us();
    m->object = *object;
    m->has_unit = pkt && pkt->kind == SVC_VIDEO;
    m->unit = m->has_unit ? pkt->unit : (struct svc_unit){ 0 };
    m->pts = pkt ? pkt->pts : 0;
    m->end_of_picture = m->has_unit && pkt->end_of_picture;
    (void)put(put(m->bytes, &m->object.moq.properties), &m->object.moq.payload);
    if (m->has_unit)
        m->unit.bytes = m->object.moq.payload.bytes;
    return m;
}

struct svc_packet media_packet(const struct media *m)
{
    struct svc_packet pkt = { .kind = m->has_unit ? SVC_VIDEO : SVC_AUDIO,
                              .unit = m->unit,
                              .pts = m->pts,
                              .end_of_picture = m->end_of_picture };
    if (!m->has_unit) {
        pkt.audio = m->object.moq.payload.bytes;
        pkt.audio_len = m->object.moq.payload.len;
    }
    return pkt;
}

struct media *media_ref(struct media *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void media_unref(struct media *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        free(m);
}
