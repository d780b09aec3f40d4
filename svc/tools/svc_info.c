/*
 * svc_info.c - svc-info: what a layered file consists of, as a table or JSON: container, codec,
 * structure, layers with their rates, key pictures, sound, and on demand each unit's dependencies.
 */
#include "options.h"
#include "svc/svc.h"

#include <jansson.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: svc-info [options] FILE\n"
    "Say what the layered file FILE (MKV, WebM, MP4, IVF or OBU) consists of.\n"
    "\n"
    "      --json     one JSON object instead of a table\n"
    "      --units    also each layer unit: size, slots refreshed, and what it reads\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_JSON = 256, OPT_UNITS };

static const struct option long_options[] = {
    { "json", no_argument, NULL, OPT_JSON },
    { "units", no_argument, NULL, OPT_UNITS },
    OPTIONS_HELP_AND_VERSION,
};

struct options {
    const char *path;
    bool json, units;
};

#define LAYERS_MAX (SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX)

struct tally {
    uint64_t units[SVC_TEMPORAL_MAX][SVC_SPATIAL_MAX];
    uint64_t bytes[SVC_TEMPORAL_MAX][SVC_SPATIAL_MAX];
    uint64_t bytes_all, keys, last_key, key_longest;
    uint64_t undecodable;  /* the file is not whole */
    bool reads_below, own; /* of pictures that are not key: some read both, some only their own */
    bool long_term;
    struct svc_tracker tracker;
    uint8_t temporal[SVC_SLOTS]; /* of what each slot holds */
    /* Units of a layer that read one of another: [own][read][0: of an earlier, 1: of its picture]
     */
    uint64_t reads[LAYERS_MAX][LAYERS_MAX][2];
};

static bool take(void *user, int c, const char *arg)
{
    struct options *o = user;

    (void)arg;
    o->json |= c == OPT_JSON;
    o->units |= c == OPT_UNITS;
    return true;
}

/* ---- counting ---- */

static unsigned place(unsigned spatial, unsigned temporal)
{
    return temporal * SVC_SPATIAL_MAX + spatial;
}

static void count_reads(struct tally *t, const struct svc_unit *u)
{
    for (size_t i = 0; i < u->deps.n_reads; i++) {
        const struct svc_read *r = &u->deps.reads[i];

        t->reads[place(u->layer.spatial, u->layer.temporal)]
                [place(r->spatial, t->temporal[r->slot])][r->picture == u->picture]++;
    }
    for (int s = 0; s < SVC_SLOTS; s++)
        if (u->deps.refreshes >> s & 1)
            t->temporal[s] = u->layer.temporal;
}

static void count_unit(struct tally *t, const struct svc_unit *u)
{
    bool below = false, own = false;
    unsigned kept = 0;

    t->units[u->layer.temporal][u->layer.spatial]++;
    t->bytes[u->layer.temporal][u->layer.spatial] += u->len;
    t->bytes_all += u->len;
    for (size_t i = 0; i < u->deps.n_reads; i++) {
        below |= u->deps.reads[i].picture == u->picture;
        own |= u->deps.reads[i].picture != u->picture;
    }
    for (int s = 0; s < SVC_SLOTS; s++)
        kept += u->deps.refreshes >> s & 1;
    if (u->layer.spatial > 0) {
        t->reads_below |= below && own;
        t->own |= own && !below;
    }
    t->long_term |= !u->key && kept > 1;
    if (u->key) {
        const uint64_t since = u->picture - t->last_key;

        t->key_longest = t->keys && since > t->key_longest ? since : t->key_longest;
        t->last_key = u->picture;
        t->keys++;
    }
    if (!svc_tracker_decodable(&t->tracker, u)) {
        t->undecodable++;
        return;
    }
    count_reads(t, u);
    svc_tracker_decoded(&t->tracker, u);
}

static void structure_name(const struct svc_stream_info *i, const struct tally *t,
                           char out[SVC_STRUCTURE_NAME_MAX])
{
    const struct svc_structure st = { .n_spatial = i->n_spatial,
                                      .n_temporal = i->n_temporal,
                                      .key_only = t->own && !t->reads_below };

    svc_structure_name(&st, out);
}

/* ---- as JSON ---- */

static json_t *unit_json(const struct svc_unit *u, bool decodable)
{
    json_t *reads = json_array();

    for (size_t i = 0; i < u->deps.n_reads; i++) {
        const struct svc_read *r = &u->deps.reads[i];

        json_array_append_new(reads, json_pack("{s:i,s:i,s:I}", "slot", r->slot, "spatial",
                                               r->spatial, "picture", (json_int_t)r->picture));
    }
    return json_pack("{s:I,s:I,s:i,s:i,s:I,s:b,s:i,s:o,s:b}", "picture", (json_int_t)u->picture,
                     "pts_us", (json_int_t)u->pts, "spatial", u->layer.spatial, "temporal",
                     u->layer.temporal, "bytes", (json_int_t)u->len, "key", u->key, "refreshes",
                     u->deps.refreshes, "reads", reads, "decodable", decodable);
}

static double share(const struct tally *t, struct svc_layer l)
{
    return t->bytes_all ? (double)t->bytes[l.temporal][l.spatial] / (double)t->bytes_all : 0;
}

static json_t *reads_json(const struct tally *t, struct svc_layer l)
{
    json_t *reads = json_array();

    for (unsigned n = 0; n < LAYERS_MAX * 2; n++) {
        const uint64_t units = t->reads[place(l.spatial, l.temporal)][n / 2][n % 2];

        if (units)
            json_array_append_new(reads,
                                  json_pack("{s:i,s:i,s:b,s:I}", "spatial", n / 2 % SVC_SPATIAL_MAX,
                                            "temporal", n / 2 / SVC_SPATIAL_MAX, "same_picture",
                                            (int)(n % 2), "units", (json_int_t)units));
    }
    return reads;
}

static json_t *layers_json(const struct svc_stream_info *i, const struct tally *t)
{
    json_t *layers = json_array();

    for (size_t n = 0; n < i->n_layers; n++) {
        const struct svc_layer_info *l = &i->layers[n];

        json_array_append_new(
            layers, json_pack("{s:i,s:i,s:i,s:i,s:I,s:I,s:f,s:I,s:o}", "spatial", l->layer.spatial,
                              "temporal", l->layer.temporal, "width", l->width, "height", l->height,
                              "bitrate_bps", (json_int_t)l->bitrate_bps, "bitrate_max_bps",
                              (json_int_t)l->bitrate_max_bps, "share", share(t, l->layer), "units",
                              (json_int_t)t->units[l->layer.temporal][l->layer.spatial], "reads",
                              reads_json(t, l->layer)));
    }
    return layers;
}

static int put_json(const struct options *o, const struct svc_stream_info *i, const struct tally *t,
                    json_t *units)
{
    char name[SVC_STRUCTURE_NAME_MAX];

    structure_name(i, t, name);
    json_t *sound = i->has_audio
                        ? json_pack("{s:s,s:I,s:i,s:I}", "codec", "opus", "rate",
                                    (json_int_t)i->audio_rate, "channels", i->audio_channels,
                                    "bitrate_bps", (json_int_t)i->audio_bitrate_bps)
                        : json_null();
    json_t *all = json_pack(
        "{s:s,s:s,s:s,s:s,s:b,s:b,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "file", o->path,
        "container", i->container, "codec", i->codec, "structure", name, "long_term", t->long_term,
        "unfinished", i->unfinished, "width", i->width, "height", i->height, "fps_num",
        (json_int_t)i->fps_num, "fps_den", (json_int_t)i->fps_den, "pictures",
        (json_int_t)i->n_pictures, "duration_us", (json_int_t)i->duration, "key_pictures",
        (json_int_t)t->keys, "key_interval", (json_int_t)t->key_longest, "undecodable_units",
        (json_int_t)t->undecodable, "layers", layers_json(i, t), "sound", sound);

    if (!all) /* a name that is not UTF-8 */
        return SVC_ERR_NOMEM;
    if (units)
        json_object_set(all, "units", units);
    const int err = json_dumpf(all, stdout, JSON_INDENT(1));

    puts("");
    json_decref(all);
    return err ? SVC_ERR_FILE : 0;
}

/* ---- as a table ---- */

static void put_unit(const struct svc_unit *u, bool decodable)
{
    printf("%6llu %10.3f  S%uT%u %8zu ", (unsigned long long)u->picture, (double)u->pts / 1e6,
           u->layer.spatial, u->layer.temporal, u->len);
    for (int s = 0; s < SVC_SLOTS; s++)
        putchar(u->deps.refreshes >> s & 1 ? '0' + s : '.');
    printf(" %s", u->key ? " key" : "");
    for (size_t i = 0; i < u->deps.n_reads; i++) {
        const struct svc_read *r = &u->deps.reads[i];

        printf(" %u:S%u@%llu", r->slot, r->spatial, (unsigned long long)r->picture);
    }
    puts(decodable ? "" : "  NOT DECODABLE");
}

static void put_reads(const struct svc_stream_info *i, const struct tally *t)
{
    puts("\nlayer reads (=: of its own picture)");
    for (size_t n = 0; n < i->n_layers; n++) {
        const struct svc_layer l = i->layers[n].layer;

        printf("S%uT%u ", l.spatial, l.temporal);
        for (unsigned r = 0; r < LAYERS_MAX * 2; r++)
            if (t->reads[place(l.spatial, l.temporal)][r / 2][r % 2])
                printf("%sS%uT%u", r % 2 ? " =" : " ", r / 2 % SVC_SPATIAL_MAX,
                       r / 2 / SVC_SPATIAL_MAX);
        puts("");
    }
}

static void put_table(const struct options *o, const struct svc_stream_info *i,
                      const struct tally *t)
{
    char name[SVC_STRUCTURE_NAME_MAX];

    structure_name(i, t, name);
    printf("%s: %s, %s, %s%s\n", o->path, i->container, i->codec, name,
           t->long_term ? " with long-term references" : "");
    if (i->unfinished)
        puts("never finished: it plays up to where its writer was ended");
    printf("%ux%u, %.4g pictures/s, %llu pictures, %.3f s, %llu key", i->width, i->height,
           (double)i->fps_num / i->fps_den, (unsigned long long)i->n_pictures,
           (double)i->duration / 1e6, (unsigned long long)t->keys);
    if (t->key_longest)
        printf(" (every %llu)", (unsigned long long)t->key_longest);
    puts("\n\nlayer       size    mean kbit/s  most kbit/s   share    units");
    for (size_t n = 0; n < i->n_layers; n++) {
        const struct svc_layer_info *l = &i->layers[n];

        printf("S%uT%u  %5ux%-5u  %11.1f  %11.1f  %5.1f %%  %7llu\n", l->layer.spatial,
               l->layer.temporal, l->width, l->height, l->bitrate_bps / 1e3,
               l->bitrate_max_bps / 1e3, 100 * share(t, l->layer),
               (unsigned long long)t->units[l->layer.temporal][l->layer.spatial]);
    }
    put_reads(i, t);
    if (i->has_audio)
        printf("\nsound: Opus, %u channel%s, %.1f kbit/s\n", i->audio_channels,
               i->audio_channels == 1 ? "" : "s", i->audio_bitrate_bps / 1e3);
    if (t->undecodable)
        printf("\n%llu units cannot be decoded: what they read is missing\n",
               (unsigned long long)t->undecodable);
}

static int run(const struct options *o, struct svc_reader *r)
{
    struct tally t = { 0 };
    struct svc_packet p;
    json_t *units = o->json && o->units ? json_array() : NULL;
    int got;

    if (o->units && !o->json)
        puts("picture       time  layer   bytes refreshes reads (slot:layer@picture)");
    while ((got = svc_reader_next(r, &p)) == 1) {
        if (p.kind != SVC_VIDEO)
            continue;
        const uint64_t before = t.undecodable;

        count_unit(&t, &p.unit);
        if (units)
            json_array_append_new(units, unit_json(&p.unit, t.undecodable == before));
        else if (o->units)
            put_unit(&p.unit, t.undecodable == before);
    }
    if (o->units && !o->json)
        puts("");
    int err = got;
    if (got == 0 && o->json)
        err = put_json(o, svc_reader_info(r), &t, units);
    else if (got == 0)
        put_table(o, svc_reader_info(r), &t);
    json_decref(units);
    return err == 0 && (fflush(stdout) != 0 || ferror(stdout)) ? SVC_ERR_FILE : err;
}

int main(int argc, char **argv)
{
    struct options opt = { 0 };
    struct svc_reader *r = NULL;
    char why[300] = "";
    static const struct tool tool = { "svc-info", help, "", long_options, "one FILE", 1, take };
    const int code = options_parse(&tool, &opt, argc, argv);

    if (code != OPTIONS_GO_ON)
        return code;
    opt.path = argv[optind];
    av_log_set_level(AV_LOG_QUIET);
    int err = svc_reader_open(&r, opt.path, why, sizeof(why));

    if (err == 0)
        err = run(&opt, r);
    if (err < 0)
        fprintf(stderr, "svc-info: %s\n", why[0] ? why : svc_strerror(err));
    svc_reader_free(r);
    return err < 0 ? 1 : 0;
}
