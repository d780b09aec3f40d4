/* delivery.c - see delivery.h. */
#include "delivery.h"

#include <jansson.h>

#define HEAL_WINDOW 64 /* pictures that a late unit may be behind */

static bool get(const json_t *o, const char *key, json_int_t most, json_int_t *out)
{
    const json_t *v = json_object_get(o, key);

    *out = json_integer_value(v);
    return json_is_integer(v) && *out >= 0 && *out <= most;
}

int delivery_parse_line(struct delivery_line *out, const char *text, size_t len)
{
    json_int_t picture, spatial, at;
    json_error_t error;
    size_t blank = 0;

    while (blank < len && (text[blank] == ' ' || text[blank] == '\t' || text[blank] == '\r'))
        blank++;
    if (blank == len)
        return 0;
    json_t *o = len <= DELIVERY_LINE_MAX ? json_loadb(text, len, 0, &error) : NULL;
    const bool ok = json_is_object(o) && get(o, "picture", UINT32_MAX, &picture) &&
                    get(o, "spatial", SVC_SPATIAL_MAX - 1, &spatial) &&
                    get(o, "at_us", DELIVERY_TIME_MAX, &at);

    if (ok)
        *out = (struct delivery_line){ (uint64_t)picture, (uint8_t)spatial, at };
    json_decref(o);
    return ok ? 1 : SVC_ERR_FORMAT;
}

/* ---- replay ---- */

struct replay {
    struct delivery_unit *units;
    size_t n;
    int64_t latency_us, base_us; /* due: pts + base */
    struct svc_tracker tracker;
    bool started;
};

static void decode(struct replay *r, struct delivery_unit *u, enum delivery_fate fate)
{
    if (!(r->started || u->unit.key) || !svc_tracker_decodable(&r->tracker, &u->unit))
        return;
    svc_tracker_decoded(&r->tracker, &u->unit);
    r->started = true;
    u->fate = fate;
}

static int64_t due(const struct replay *r, const struct delivery_unit *u)
{
    return r->latency_us < 0 ? INT64_MAX - 1 : u->unit.pts + r->base_us;
}

/* What came by `now` of pictures whose turn is over. */
static void heal(struct replay *r, size_t end, int64_t now)
{
    const uint64_t last = r->units[end - 1].unit.picture;
    size_t from = end;

    while (from > 0 && last - r->units[from - 1].unit.picture < HEAL_WINDOW)
        from--;
    for (; from < end; from++) {
        struct delivery_unit *u = &r->units[from];

        if (u->fate == DELIVERY_UNDECODABLE && u->at_us <= now && u->unit.deps.refreshes &&
            svc_tracker_harmless(&r->tracker, &u->unit))
            decode(r, u, DELIVERY_LATE);
    }
}

static void find_base(struct replay *r)
{
    int64_t first = DELIVERY_NEVER;

    for (size_t i = 0; i < r->n; i++)
        if (r->units[i].at_us < first) {
            first = r->units[i].at_us;
            r->base_us = first + r->latency_us - r->units[i].unit.pts;
        }
}

void delivery_replay(struct delivery_unit *units, size_t n, const char *codec, int64_t latency_us)
{
    struct replay r = { .units = units, .n = n, .latency_us = latency_us };

    if (latency_us >= 0)
        find_base(&r);
    for (size_t i = 0; i < n; i++)
        units[i].fate = units[i].at_us == DELIVERY_NEVER ? DELIVERY_ABSENT : DELIVERY_UNDECODABLE;
    for (size_t i = 0; i < n;) {
        const uint64_t picture = units[i].unit.picture;
        const int64_t now = due(&r, &units[i]);

        if (latency_us >= 0 && i > 0 && !svc_codec_in_order(codec))
            heal(&r, i, now);
        for (; i < n && units[i].unit.picture == picture; i++)
            if (units[i].fate != DELIVERY_ABSENT && units[i].at_us <= now)
                decode(&r, &units[i], DELIVERY_KEPT);
    }
}
