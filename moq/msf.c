/* msf.c - the MSF catalog in JSON, see <moq/msf.h>. One row per JSON field of a track, so that
 * writing and reading cannot disagree. */
#include <moq/msf.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <moq/moq.h>

#define VERSION_OLD "1" /* what peers of MSF -00 send */

enum kind { KIND_TEXT, KIND_NOTE, KIND_U8, KIND_U16, KIND_U32, KIND_U64, KIND_REAL };

struct field {
    const char *key;
    enum kind kind;
    size_t offset, size; /* in struct msf_track; of texts with the NUL */
    bool required;
    size_t has; /* offset of a bool that says it is there; 0: a value of 0 is absent */
};

#define AT(member) offsetof(struct msf_track, member), sizeof(((struct msf_track *)0)->member)
#define HAS(member) offsetof(struct msf_track, member)

static const struct field fields[] = {
    { "name", KIND_TEXT, AT(name), true, 0 },
    { "packaging", KIND_TEXT, AT(packaging), true, 0 },
    { "role", KIND_TEXT, AT(role), false, 0 },
    { "codec", KIND_TEXT, AT(codec), false, 0 },
    { "label", KIND_NOTE, AT(label), false, 0 },
    { "lang", KIND_NOTE, AT(lang), false, 0 },
    { "gstCaps", KIND_NOTE, AT(caps), false, 0 },
    { "renderGroup", KIND_U32, AT(render_group), false, 0 },
    { "bitrate", KIND_U32, AT(bitrate), false, 0 },
    { "width", KIND_U16, AT(width), false, 0 },
    { "height", KIND_U16, AT(height), false, 0 },
    { "framerate", KIND_REAL, AT(framerate), false, 0 },
    { "samplerate", KIND_U32, AT(samplerate), false, 0 },
    { "channelConfig", KIND_TEXT, AT(channel_config), false, 0 },
    { "targetLatency", KIND_U32, AT(target_latency_ms), false, 0 },
    { "timescale", KIND_U64, AT(timescale), false, 0 },
    { "spatialId", KIND_U8, AT(spatial_id), false, HAS(has_spatial_id) },
    { "temporalId", KIND_U8, AT(temporal_id), false, HAS(has_temporal_id) },
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

struct why {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct why *why, const char *format,
                                                        ...)
{
    va_list args;
    va_start(args, format);
    if (why->text && why->size > 0)
        vsnprintf(why->text, why->size, format, args);
    va_end(args);
    /* Names come from outside: keep it one line. */
    for (char *at = why->size > 0 ? why->text : NULL; at && *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return MOQ_ERR_WIRE;
}

/* ---- numbers of any width ---- */

static uint64_t load_number(const struct msf_track *t, const struct field *f)
{
    const void *at = (const char *)t + f->offset;
    switch (f->kind) {
    case KIND_U8:
        return *(const uint8_t *)at;
    case KIND_U16:
        return *(const uint16_t *)at;
    case KIND_U32:
        return *(const uint32_t *)at;
    case KIND_U64:
        return *(const uint64_t *)at;
    case KIND_TEXT:
    case KIND_NOTE:
    case KIND_REAL:
        break;
    }
    return 0;
}

static bool store_number(struct msf_track *t, const struct field *f, json_int_t v)
{
    void *at = (char *)t + f->offset;
    uint64_t most = f->kind == KIND_U8    ? UINT8_MAX
                    : f->kind == KIND_U16 ? UINT16_MAX
                    : f->kind == KIND_U32 ? UINT32_MAX
                                          : INT64_MAX;
    if (v < 0 || (uint64_t)v > most)
        return false;
    if (f->kind == KIND_U8)
        *(uint8_t *)at = (uint8_t)v;
    else if (f->kind == KIND_U16)
        *(uint16_t *)at = (uint16_t)v;
    else if (f->kind == KIND_U32)
        *(uint32_t *)at = (uint32_t)v;
    else
        *(uint64_t *)at = (uint64_t)v;
    return true;
}

/* ---- writing ---- */

static bool field_present(const struct msf_track *t, const struct field *f)
{
    const char *at = (const char *)t + f->offset;
    if (f->has != 0)
        return *(const bool *)((const char *)t + f->has);
    if (f->kind == KIND_TEXT || f->kind == KIND_NOTE)
        return at[0] != '\0';
    if (f->kind == KIND_REAL)
        return *(const double *)(const void *)at > 0;
    return load_number(t, f) != 0;
}

static json_t *field_to_json(const struct msf_track *t, const struct field *f)
{
    const void *at = (const char *)t + f->offset;
    if (f->kind == KIND_TEXT || f->kind == KIND_NOTE)
        return json_string(at);
    if (f->kind != KIND_REAL)
        return json_integer((json_int_t)load_number(t, f));
    double v = *(const double *)at;
    /* A whole rate as a whole number, as every example of the draft has it. */
    return v == (double)(json_int_t)v ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *track_to_json(const struct msf_track *t)
{
    json_t *o = json_object();
    int bad = 0;
    for (size_t i = 0; i < N_FIELDS; i++)
        if (field_present(t, &fields[i]))
            bad |= json_object_set_new(o, fields[i].key, field_to_json(t, &fields[i]));
    bad |= json_object_set_new(o, "isLive", json_boolean(t->is_live));
    if (t->n_depends > 0) {
        json_t *depends = json_array();
        for (size_t i = 0; i < t->n_depends; i++)
            bad |= json_array_append_new(depends, json_string(t->depends[i]));
        bad |= json_object_set_new(o, "depends", depends);
    }
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

int msf_catalog_write(const struct msf_catalog *c, char *out, size_t cap)
{
    if (c->n_tracks > MSF_TRACKS_MAX)
        return MOQ_ERR_ARG;
    json_t *root = json_object(), *tracks = json_array();
    int bad = json_object_set_new(root, "version", json_string(MSF_VERSION));
    if (c->generated_at_ms != 0)
        bad |=
            json_object_set_new(root, "generatedAt", json_integer((json_int_t)c->generated_at_ms));
    if (c->is_complete)
        bad |= json_object_set_new(root, "isComplete", json_true());
    for (size_t i = 0; i < c->n_tracks; i++)
        bad |= json_array_append_new(tracks, track_to_json(&c->tracks[i]));
    bad |= json_object_set_new(root, "tracks", tracks);
    size_t len = bad ? 0 : json_dumpb(root, out, cap, JSON_COMPACT);
    json_decref(root);
    if (len == 0 || len >= cap || len > MSF_CATALOG_MAX)
        return MOQ_ERR_ARG;
    out[len] = '\0';
    return (int)len;
}

/* ---- reading ---- */

static bool take_text(char *out, size_t size, const json_t *v)
{
    if (!json_is_string(v) || json_string_length(v) >= size ||
        strlen(json_string_value(v)) != json_string_length(v))
        return false;
    memcpy(out, json_string_value(v), json_string_length(v) + 1);
    return true;
}

static bool take_real(double *out, const json_t *v)
{
    if (!json_is_number(v) || json_number_value(v) < 0)
        return false;
    *out = json_number_value(v);
    return true;
}

static bool take_field(struct msf_track *t, const struct field *f, const json_t *v)
{
    void *at = (char *)t + f->offset;
    if (f->kind == KIND_TEXT)
        return take_text(at, f->size, v);
    if (f->kind == KIND_NOTE) { /* nothing depends on it: what does not fit is left out */
        (void)take_text(at, f->size, v);
        return true;
    }
    if (f->kind == KIND_REAL)
        return take_real(at, v);
    return json_is_integer(v) && store_number(t, f, json_integer_value(v));
}

static int read_depends(struct msf_track *t, const json_t *list, const struct why *why)
{
    if (!json_is_array(list) || json_array_size(list) > MSF_DEPENDS_MAX)
        return refuse(why, "track %s: depends is no list of at most %d names", t->name,
                      MSF_DEPENDS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!take_text(t->depends[i], MSF_NAME_MAX, json_array_get(list, i)))
            return refuse(why, "track %s: depends[%zu] is no track name", t->name, i);
    t->n_depends = json_array_size(list);
    return 0;
}

static int read_track(struct msf_track *t, const json_t *o, const struct why *why)
{
    if (!json_is_object(o))
        return refuse(why, "a track is no object");
    for (size_t i = 0; i < N_FIELDS; i++) {
        const struct field *f = &fields[i];
        const json_t *v = json_object_get(o, f->key);
        if (!v && f->required)
            return refuse(why, "track %s: no %s", t->name, f->key);
        if (v && !take_field(t, f, v))
            return refuse(why, "track %s: bad %s", t->name, f->key);
        if (v && f->has != 0)
            *(bool *)((char *)t + f->has) = true;
    }
    if (t->name[0] == '\0')
        return refuse(why, "a track has an empty name");
    const json_t *is_live = json_object_get(o, "isLive");
    if (!json_is_boolean(is_live))
        return refuse(why, "track %s: isLive is not true or false", t->name);
    t->is_live = json_is_true(is_live);
    const json_t *depends = json_object_get(o, "depends");
    return depends ? read_depends(t, depends, why) : 0;
}

/* Names are unique and known, and no track depends on itself through others. */
static int check_tracks(const struct msf_catalog *c, const struct why *why)
{
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        if (msf_track_find(c, t->name) != (int)i)
            return refuse(why, "two tracks are called %s", t->name);
        for (size_t d = 0; d < t->n_depends; d++)
            if (msf_track_find(c, t->depends[d]) < 0)
                return refuse(why, "track %s depends on %s, which is not there", t->name,
                              t->depends[d]);
    }
    for (size_t i = 0; i < c->n_tracks; i++) {
        const struct msf_track *t = &c->tracks[i];
        for (size_t d = 0; d < t->n_depends; d++) {
            size_t on = (size_t)msf_track_find(c, t->depends[d]);
            if ((msf_track_closure(c, on) & (UINT64_C(1) << i)) != 0)
                return refuse(why, "track %s depends on itself", t->name);
        }
    }
    return 0;
}

static int read_root(struct msf_catalog *c, const json_t *root, const struct why *why)
{
    if (!json_is_object(root))
        return refuse(why, "the catalog is no JSON object");
    const char *version = json_string_value(json_object_get(root, "version"));
    if (!version || (strcmp(version, MSF_VERSION) != 0 && strcmp(version, VERSION_OLD) != 0))
        return refuse(why, "version %s of the catalog is not known", version ? version : "(none)");
    const json_t *generated = json_object_get(root, "generatedAt");
    if (generated && (!json_is_integer(generated) || json_integer_value(generated) < 0))
        return refuse(why, "generatedAt is no time in ms");
    c->generated_at_ms = generated ? (uint64_t)json_integer_value(generated) : 0;
    c->is_complete = json_is_true(json_object_get(root, "isComplete"));
    const json_t *tracks = json_object_get(root, "tracks");
    if (!json_is_array(tracks) || json_array_size(tracks) > MSF_TRACKS_MAX)
        return refuse(why, "tracks is no list of at most %d", MSF_TRACKS_MAX);
    for (size_t i = 0; i < json_array_size(tracks); i++) {
        int rc = read_track(&c->tracks[i], json_array_get(tracks, i), why);
        if (rc < 0)
            return rc;
    }
    c->n_tracks = json_array_size(tracks);
    return check_tracks(c, why);
}

int msf_catalog_read(struct msf_catalog *c, const char *json, size_t len, char *why_text,
                     size_t why_size)
{
    struct why why = { .text = why_text, .size = why_size };
    memset(c, 0, sizeof *c);
    if (len > MSF_CATALOG_MAX)
        return refuse(&why, "the catalog is longer than %d bytes", MSF_CATALOG_MAX);
    json_error_t error;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return refuse(&why, "line %d: %s", error.line, error.text);
    int rc = read_root(c, root, &why);
    json_decref(root);
    return rc;
}

int msf_track_find(const struct msf_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_tracks; i++)
        if (strcmp(c->tracks[i].name, name) == 0)
            return (int)i;
    return -1;
}

static uint64_t direct_dependencies(const struct msf_catalog *c, const struct msf_track *t)
{
    uint64_t mask = 0;
    for (size_t d = 0; d < t->n_depends; d++) {
        int on = msf_track_find(c, t->depends[d]);
        if (on >= 0)
            mask |= UINT64_C(1) << on;
    }
    return mask;
}

uint64_t msf_track_closure(const struct msf_catalog *c, size_t track)
{
    uint64_t closed = UINT64_C(1) << track, before = 0;
    while (closed != before) { /* grows by at least one track a turn */
        before = closed;
        for (size_t i = 0; i < c->n_tracks; i++)
            if ((before & (UINT64_C(1) << i)) != 0)
                closed |= direct_dependencies(c, &c->tracks[i]);
    }
    return closed;
}
