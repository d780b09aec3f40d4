/* hand_state.c - see hand_state.h. */
#include "hand_state.h"

#include <jansson.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

static json_t *layer_json(struct svc_layer l)
{
    char text[8];

    snprintf(text, sizeof text, "s%ut%u", l.spatial % 10u, l.temporal % 10u);
    return json_string(text);
}

static json_t *paths_json(const struct hand_state *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_paths; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:b,s:b}", "name", s->path[i].name, "off",
                                        (int)s->path[i].off, "backup", (int)s->path[i].backup));
    return list;
}

json_t *hand_state_json(const struct hand_state *s)
{
    json_t *layers = json_pack("{s:o}", "asked", layer_json(s->asked));
    json_t *root = json_pack(
        "{s:i,s:s,s:{s:I,s:I,s:b},s:{s:i,s:i,s:b},s:{s:f,s:b,s:b},s:i,s:o,s:o}", "version",
        HAND_STATE_VERSION, "uri", s->uri, "place", "pts_us", (json_int_t)s->pts_us, "at_us",
        (json_int_t)s->at_us, "paused", (int)s->paused, "latency", "min_ms", (int)s->latency_ms,
        "max_ms", (int)s->latency_max_ms, "low", (int)s->latency_low, "sound", "volume", s->volume,
        "muted", (int)s->muted, "wanted", (int)s->sound, "statistics", (int)s->page, "layers",
        layers, "paths", paths_json(s));

    if (root && s->limited)
        json_object_set_new(json_object_get(root, "layers"), "limit", layer_json(s->limit));
    if (root && s->token[0])
        json_object_set_new(root, "token", json_string(s->token));
    return root;
}

/* ---- reading ---- */

struct reading {
    char *why;
    size_t why_size;
};

/* Always -1. */
static int wrong(const struct reading *r, const char *member, const char *what)
{
    snprintf(r->why, r->why_size, "%s: %s", member, what);
    return -1;
}

/* The object's member of that name, which must be there. */
static int take_object(const struct reading *r, const json_t *from, const char *name,
                       const json_t **out)
{
    *out = json_object_get(from, name);
    return json_is_object(*out) ? 0 : wrong(r, name, "is missing, or no object");
}

static int take_integer(const struct reading *r, const json_t *from, const char *name, int64_t most,
                        int64_t *out)
{
    const json_t *v = json_object_get(from, name);

    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > most)
        return wrong(r, name, "is missing, or out of bounds");
    *out = json_integer_value(v);
    return 0;
}

static int take_switch(const struct reading *r, const json_t *from, const char *name, bool *out)
{
    const json_t *v = json_object_get(from, name);

    if (!json_is_boolean(v))
        return wrong(r, name, "is missing, or neither true nor false");
    *out = json_is_true(v);
    return 0;
}

/* A text of printable ASCII and of a byte at least. */
static int take_text(const struct reading *r, const json_t *from, const char *name, char *out,
                     size_t cap)
{
    const char *text = json_string_value(json_object_get(from, name));
    const size_t len = text ? strlen(text) : 0;

    if (len == 0 || len >= cap)
        return wrong(r, name, len ? "is too long" : "is missing, or no text");
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return wrong(r, name, "has characters that do not belong there");
    memcpy(out, text, len + 1);
    return 0;
}

/* "s1t2" */
static int take_layer(const struct reading *r, const json_t *from, const char *name,
                      struct svc_layer *out)
{
    const char *t = json_string_value(json_object_get(from, name));

    if (!t || strlen(t) != 4 || t[0] != 's' || t[1] < '0' || t[1] >= '0' + SVC_SPATIAL_MAX ||
        t[2] != 't' || t[3] < '0' || t[3] >= '0' + SVC_TEMPORAL_MAX)
        return wrong(r, name, "is not of the form s1t2");
    *out = (struct svc_layer){ (uint8_t)(t[1] - '0'), (uint8_t)(t[3] - '0') };
    return 0;
}

static int take_place(const struct reading *r, const json_t *root, struct hand_state *s)
{
    const json_t *place;

    return take_object(r, root, "place", &place) != 0 ||
                   take_integer(r, place, "pts_us", HAND_TIME_MAX_US, &s->pts_us) != 0 ||
                   take_integer(r, place, "at_us", HAND_TIME_MAX_US, &s->at_us) != 0 ||
                   take_switch(r, place, "paused", &s->paused) != 0
               ? -1
               : 0;
}

static int take_layers(const struct reading *r, const json_t *root, struct hand_state *s)
{
    const json_t *layers;

    if (take_object(r, root, "layers", &layers) != 0 ||
        take_layer(r, layers, "asked", &s->asked) != 0)
        return -1;
    s->limited = json_object_get(layers, "limit") != NULL;
    return s->limited ? take_layer(r, layers, "limit", &s->limit) : 0;
}

static int take_latency(const struct reading *r, const json_t *root, struct hand_state *s)
{
    const json_t *latency;
    int64_t least, most;

    if (take_object(r, root, "latency", &latency) != 0 ||
        take_integer(r, latency, "min_ms", ARGS_LATENCY_MAX_MS, &least) != 0 ||
        take_integer(r, latency, "max_ms", ARGS_LATENCY_MAX_MS, &most) != 0 ||
        take_switch(r, latency, "low", &s->latency_low) != 0)
        return -1;
    if (most != 0 && most < least)
        return wrong(r, "max_ms", "is less than min_ms");
    s->latency_ms = (uint32_t)least;
    s->latency_max_ms = (uint32_t)most;
    return 0;
}

static int take_sound(const struct reading *r, const json_t *root, struct hand_state *s)
{
    const json_t *sound, *volume;

    if (take_object(r, root, "sound", &sound) != 0 ||
        take_switch(r, sound, "muted", &s->muted) != 0 ||
        take_switch(r, sound, "wanted", &s->sound) != 0)
        return -1;
    volume = json_object_get(sound, "volume");
    s->volume = json_number_value(volume);
    if (!json_is_number(volume) || !(s->volume >= 0 && s->volume <= HAND_VOLUME_MAX))
        return wrong(r, "volume", "is missing, or out of bounds");
    return 0;
}

static int take_paths(const struct reading *r, const json_t *root, struct hand_state *s)
{
    const json_t *list = json_object_get(root, "paths");

    if (!json_is_array(list) || json_array_size(list) > HAND_PATHS_MAX)
        return wrong(r, "paths", "is missing, no array, or too long");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *path = json_array_get(list, i);
        struct hand_path *out = &s->path[s->n_paths++];

        if (take_text(r, path, "name", out->name, sizeof out->name) != 0 ||
            take_switch(r, path, "off", &out->off) != 0 ||
            take_switch(r, path, "backup", &out->backup) != 0)
            return -1;
    }
    return 0;
}

int hand_state_read(struct hand_state *out, const json_t *from, char *why, size_t why_size)
{
    const struct reading r = { why, why_size };
    struct hand_state s = { 0 };
    struct uri uri;
    int64_t page;

    if (json_integer_value(json_object_get(from, "version")) != HAND_STATE_VERSION)
        return wrong(&r, "version", "the other player's is none that this one knows");
    if (take_text(&r, from, "uri", s.uri, sizeof s.uri) != 0 ||
        uri_parse(&uri, s.uri, why, why_size) != 0 || take_place(&r, from, &s) != 0 ||
        take_layers(&r, from, &s) != 0 || take_latency(&r, from, &s) != 0 ||
        take_sound(&r, from, &s) != 0 || take_paths(&r, from, &s) != 0 ||
        take_integer(&r, from, "statistics", ARGS_PAGES, &page) != 0)
        return -1;
    s.page = (unsigned)page;
    if (json_object_get(from, "token") &&
        take_text(&r, from, "token", s.token, sizeof s.token) != 0)
        return -1;
    *out = s;
    return 0;
}

/* ---- messages ---- */

static const char *const kinds[] = {
    [HAND_TIME] = "time",       [HAND_STATE] = "state",     [HAND_ACCEPTED] = "accepted",
    [HAND_REFUSED] = "refused", [HAND_SHOWING] = "showing", [HAND_YOURS] = "yours",
    [HAND_MINE] = "mine",       [HAND_STOPPED] = "stopped",
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static json_t *body_json(const struct hand_message *m)
{
    switch (m->kind) {
    case HAND_TIME:
        return m->here_us ? json_pack("{s:I,s:I}", "sent_us", (json_int_t)m->sent_us, "here_us",
                                      (json_int_t)m->here_us)
                          : json_pack("{s:I}", "sent_us", (json_int_t)m->sent_us);
    case HAND_STATE:
        return hand_state_json(&m->state);
    case HAND_REFUSED:
        return json_string(m->reason);
    case HAND_SHOWING:
        return json_pack("{s:I,s:I,s:I}", "picture", (json_int_t)m->moment.picture, "pts_us",
                         (json_int_t)m->moment.pts_us, "at_us", (json_int_t)m->moment.at_us);
    case HAND_STOPPED:
        return json_pack("{s:I,s:I,s:I,s:I}", "picture", (json_int_t)m->moment.picture, "pts_us",
                         (json_int_t)m->moment.pts_us, "at_us", (json_int_t)m->moment.at_us,
                         "until_us", (json_int_t)m->moment.until_us);
    case HAND_ACCEPTED:
    case HAND_YOURS:
    case HAND_MINE:
        break;
    }
    return json_true();
}

char *hand_message_write(const struct hand_message *m)
{
    json_t *root = json_pack("{s:o}", kinds[m->kind], body_json(m));
    char *line = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    return line;
}

/* What the other says, as it may be shown. */
static int take_reason(const struct reading *r, const json_t *from, char *out, size_t cap)
{
    const char *text = json_string_value(from);
    size_t n = 0;

    if (!text)
        return wrong(r, "refused", "is no text");
    for (; *text && n + 1 < cap; text++)
        out[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
    out[n] = '\0';
    return 0;
}

static int take_body(const struct reading *r, const json_t *body, struct hand_message *m)
{
    int64_t picture;

    switch (m->kind) {
    case HAND_TIME:
        if (take_integer(r, body, "sent_us", HAND_TIME_MAX_US, &m->sent_us) != 0)
            return -1;
        return json_object_get(body, "here_us")
                   ? take_integer(r, body, "here_us", HAND_TIME_MAX_US, &m->here_us)
                   : 0;
    case HAND_STATE:
        return hand_state_read(&m->state, body, r->why, r->why_size);
    case HAND_REFUSED:
        return take_reason(r, body, m->reason, sizeof m->reason);
    case HAND_SHOWING:
    case HAND_STOPPED:
        if (take_integer(r, body, "picture", HAND_TIME_MAX_US, &picture) != 0 ||
            take_integer(r, body, "pts_us", HAND_TIME_MAX_US, &m->moment.pts_us) != 0 ||
            take_integer(r, body, "at_us", HAND_TIME_MAX_US, &m->moment.at_us) != 0)
            return -1;
        m->moment.picture = (uint64_t)picture;
        return m->kind == HAND_STOPPED
                   ? take_integer(r, body, "until_us", HAND_TIME_MAX_US, &m->moment.until_us)
                   : 0;
    case HAND_ACCEPTED:
    case HAND_YOURS:
    case HAND_MINE:
        break;
    }
    return json_is_true(body) ? 0 : wrong(r, kinds[m->kind], "is not true");
}

int hand_message_read(struct hand_message *out, const char *line, size_t len, char *why,
                      size_t why_size)
{
    const struct reading r = { why, why_size };
    json_error_t error;
    json_t *root =
        len <= HAND_LINE_MAX ? json_loadb(line, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    int result = -1;

    *out = (struct hand_message){ 0 };
    if (json_is_object(root))
        (void)wrong(&r, "message", "none that this player knows");
    else
        (void)wrong(&r, "message", "not a JSON object in one line, or too long");
    for (size_t i = 0; i < KINDS && json_is_object(root); i++) {
        const json_t *body = json_object_get(root, kinds[i]);

        if (!body)
            continue;
        out->kind = (enum hand_kind)i;
        result = take_body(&r, body, out);
        break;
    }
    json_decref(root);
    return result;
}
