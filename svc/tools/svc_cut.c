/*
 * svc_cut.c - svc-cut: a layered file with fewer units in it: layers left out, random losses, or
 * what a log says of their delivery. What can no longer be decoded is left out too.
 *
 * The file is read twice: first every unit's fate is settled, then those kept are written with
 * their dependencies told in the new file's picture numbers.
 */
#include "delivery.h"
#include "options.h"

#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX (1u << 24)
#define PPM 1000000u

static const char help[] =
    "Usage: svc-cut [options] IN OUT\n"
    "Copy the layered file IN to OUT (MKV, WebM, MP4, IVF or OBU by its ending) with fewer layer\n"
    "units: what is left out on purpose, and what can then no longer be decoded.\n"
    "\n"
    "      --spatial N      leave out spatial layers above N, 0..3\n"
    "      --temporal N     leave out temporal layers above N, 0..3\n"
    "      --drop PERCENT   leave out that share of the units, at random; or by layer, the last "
    "that\n"
    "                       fits: S1=5,S2=20,S2T1=30,T1=2\n"
    "      --seed N         of the random choice [1]\n"
    "      --deliver LOG    keep what arrived: JSON lines {\"picture\":, \"spatial\":, "
    "\"at_us\":};\n"
    "                       \"-\": standard input\n"
    "      --latency MS     of the receiver in --deliver [300]\n"
    "      --quiet          no summary\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Exit: 0 done, 1 failed, 64 usage.\n";

enum { OPT_SPATIAL = 256, OPT_TEMPORAL, OPT_DROP, OPT_SEED, OPT_DELIVER, OPT_LATENCY, OPT_QUIET };

static const struct option long_options[] = {
    { "spatial", required_argument, NULL, OPT_SPATIAL },
    { "temporal", required_argument, NULL, OPT_TEMPORAL },
    { "drop", required_argument, NULL, OPT_DROP },
    { "seed", required_argument, NULL, OPT_SEED },
    { "deliver", required_argument, NULL, OPT_DELIVER },
    { "latency", required_argument, NULL, OPT_LATENCY },
    { "quiet", no_argument, NULL, OPT_QUIET },
    OPTIONS_HELP_AND_VERSION,
};

struct options {
    const char *in, *out, *log;
    uint32_t spatial, temporal, seed, latency_ms;
    uint32_t drop_ppm[SVC_SPATIAL_MAX][SVC_TEMPORAL_MAX];
    bool quiet;
};

struct cut {
    const struct options *opt;
    struct svc_reader *reader;
    struct svc_writer *writer;
    struct delivery_unit *units;
    size_t n, cap;
    bool no_sound;              /* OUT cannot carry it */
    uint64_t pictures;          /* written */
    uint64_t new_of[SVC_SLOTS]; /* picture number in OUT of what each slot holds */
    struct svc_unit picture[SVC_SPATIAL_MAX];
    uint8_t *bytes[SVC_SPATIAL_MAX];
    size_t n_picture;
    char why[300];
};

/* One of `most` digits behind `letter`, or `most` if `letter` is not there. */
static unsigned parse_layer(const char **text, char letter, unsigned most)
{
    if ((**text & ~0x20) != letter || (*text)[1] < '0' || (*text)[1] >= '0' + (int)most)
        return most;
    *text += 2;
    return (unsigned)(*text)[-1] - '0';
}

/* "5" or "S1=5,S2T1=30": percents of all layers, or of those named. */
static bool parse_drop(const char *text, struct options *o)
{
    do {
        const char *at = text;
        const unsigned spatial = parse_layer(&at, 'S', SVC_SPATIAL_MAX);
        const unsigned temporal = parse_layer(&at, 'T', SVC_TEMPORAL_MAX);
        char *end;

        if (at != text && *at++ != '=')
            return false;
        const double v = strtod(at, &end);

        if (end == at || (*end && *end != ',') || !(v >= 0 && v <= 100))
            return false;
        for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
            for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
                if ((spatial == SVC_SPATIAL_MAX || s == spatial) &&
                    (temporal == SVC_TEMPORAL_MAX || t == temporal))
                    o->drop_ppm[s][t] = (uint32_t)(v * (PPM / 100));
        text = *end ? end + 1 : NULL;
    } while (text);
    return true;
}

static bool take(void *user, int c, const char *arg)
{
    struct options *o = user;

    switch (c) {
    case OPT_SPATIAL:
        return parse_uint(arg, 0, SVC_SPATIAL_MAX - 1, &o->spatial);
    case OPT_TEMPORAL:
        return parse_uint(arg, 0, SVC_TEMPORAL_MAX - 1, &o->temporal);
    case OPT_DROP:
        return parse_drop(arg, o);
    case OPT_SEED:
        return parse_uint(arg, 0, UINT32_MAX, &o->seed);
    case OPT_LATENCY:
        return parse_uint(arg, 0, 60000, &o->latency_ms);
    case OPT_DELIVER:
        o->log = arg;
        return true;
    default:
        o->quiet = true;
        return true;
    }
}

/* ---- first pass: fates ---- */

static int add_unit(struct cut *c, const struct svc_unit *u)
{
    if (c->n == UNITS_MAX)
        return SVC_ERR_NOMEM;
    if (c->n == c->cap) {
        const size_t cap = c->cap ? c->cap * 2 : 1024;
        struct delivery_unit *more = realloc(c->units, cap * sizeof(*more));

        if (!more)
            return SVC_ERR_NOMEM;
        c->units = more;
        c->cap = cap;
    }
    c->units[c->n] = (struct delivery_unit){ .unit = *u };
    c->units[c->n++].unit.bytes = NULL;
    return 0;
}

static uint32_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = *state;

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* By layer and at random. */
static void choose(struct cut *c)
{
    uint64_t rng = c->opt->seed;

    for (size_t i = 0; i < c->n; i++) {
        struct delivery_unit *u = &c->units[i];
        const struct svc_layer l = u->unit.layer;
        const bool dropped =
            (uint64_t)next_random(&rng) * PPM >> 32 < c->opt->drop_ppm[l.spatial][l.temporal];

        if (l.spatial > c->opt->spatial || l.temporal > c->opt->temporal || dropped)
            u->at_us = DELIVERY_NEVER;
    }
}

static struct delivery_unit *find(struct cut *c, const struct delivery_line *l)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const struct svc_unit *u = &c->units[mid].unit;

        if (u->picture < l->picture || (u->picture == l->picture && u->layer.spatial < l->spatial))
            low = mid + 1;
        else
            high = mid;
    }
    const bool found = low < c->n && c->units[low].unit.picture == l->picture &&
                       c->units[low].unit.layer.spatial == l->spatial;

    return found ? &c->units[low] : NULL;
}

static int read_log(struct cut *c, FILE *in)
{
    char line[DELIVERY_LINE_MAX + 2];
    unsigned long number = 0;
    int64_t *at = malloc((c->n ? c->n : 1) * sizeof(*at));

    if (!at)
        return SVC_ERR_NOMEM;
    for (size_t i = 0; i < c->n; i++)
        at[i] = DELIVERY_NEVER;
    while (fgets(line, sizeof(line), in)) {
        struct delivery_line l;
        const size_t len = strcspn(line, "\n");
        const int got = delivery_parse_line(&l, line, len);

        number++;
        const struct delivery_unit *u = got == 1 ? find(c, &l) : NULL;

        if (got < 0 || (got == 1 && !u)) {
            snprintf(c->why, sizeof(c->why), "%s: line %lu %s", c->opt->log, number,
                     got < 0 ? "is not a delivery" : "names a unit that is not in the file");
            free(at);
            return SVC_ERR_FORMAT;
        }
        if (u && l.at_us < at[u - c->units])
            at[u - c->units] = l.at_us;
    }
    for (size_t i = 0; i < c->n; i++)
        if (c->units[i].at_us != DELIVERY_NEVER)
            c->units[i].at_us = at[i];
    free(at);
    return 0;
}

static int apply_log(struct cut *c)
{
    const bool piped = strcmp(c->opt->log, "-") == 0;
    FILE *in = piped ? stdin : fopen(c->opt->log, "r");

    if (!in) {
        snprintf(c->why, sizeof(c->why), "%s: cannot be read", c->opt->log);
        return SVC_ERR_FILE;
    }
    const int err = read_log(c, in);

    if (!piped)
        fclose(in);
    return err;
}

static int settle(struct cut *c)
{
    struct svc_packet p;
    int got;

    while ((got = svc_reader_next(c->reader, &p)) == 1) {
        const int err = p.kind == SVC_VIDEO ? add_unit(c, &p.unit) : 0;

        if (err < 0)
            return err;
    }
    if (got < 0)
        return got;
    choose(c);
    if (c->opt->log) {
        const int err = apply_log(c);

        if (err < 0)
            return err;
    }
    delivery_replay(c->units, c->n, svc_reader_info(c->reader)->codec,
                    c->opt->log ? (int64_t)c->opt->latency_ms * 1000 : -1);
    return 0;
}

/* ---- second pass: copy ---- */

static bool is_kept(const struct delivery_unit *u)
{
    return u->fate == DELIVERY_KEPT || u->fate == DELIVERY_LATE;
}

/* The new file's description: layers above what is kept do not exist in it. */
static int open_out(struct cut *c)
{
    struct svc_stream_info info = *svc_reader_info(c->reader);
    uint8_t spatial = 0, temporal = 0;
    const uint8_t n_spatial = info.n_spatial;

    for (size_t i = 0; i < c->n; i++)
        if (is_kept(&c->units[i])) {
            const struct svc_layer l = c->units[i].unit.layer;

            spatial = l.spatial > spatial ? l.spatial : spatial;
            temporal = l.temporal > temporal ? l.temporal : temporal;
        }
    info.n_spatial = spatial + 1;
    info.n_temporal = temporal + 1;
    info.n_layers = (size_t)info.n_spatial * info.n_temporal;
    for (unsigned t = 0; t <= temporal; t++)
        memmove(&info.layers[t * info.n_spatial], &info.layers[t * n_spatial],
                info.n_spatial * sizeof(info.layers[0]));
    info.width = info.layers[spatial].width;
    info.height = info.layers[spatial].height;
    const char *ending = strrchr(c->opt->out, '.');
    const unsigned halvings = svc_reader_info(c->reader)->n_temporal - info.n_temporal;

    if (!ending || strcmp(ending, ".ivf") != 0) /* whose clock must go on counting them all */
        info.fps_den <<= halvings;

    c->no_sound = info.has_audio && !svc_writer_has_sound(c->opt->out);
    info.has_audio &= !c->no_sound;
    return svc_writer_open(&c->writer, c->opt->out, &info, c->why, sizeof(c->why));
}

static void renumber(struct cut *c, struct svc_unit *u)
{
    u->picture = c->pictures;
    for (size_t i = 0; i < u->deps.n_reads; i++)
        u->deps.reads[i].picture = c->new_of[u->deps.reads[i].slot];
    for (int s = 0; s < SVC_SLOTS; s++)
        if (u->deps.refreshes >> s & 1)
            c->new_of[s] = u->picture;
}

static int hold(struct cut *c, const struct svc_unit *u)
{
    uint8_t *bytes = realloc(c->bytes[c->n_picture], u->len);

    if (!bytes)
        return SVC_ERR_NOMEM;
    c->bytes[c->n_picture] = memcpy(bytes, u->bytes, u->len);
    c->picture[c->n_picture] = *u;
    c->picture[c->n_picture].bytes = bytes;
    renumber(c, &c->picture[c->n_picture++]);
    return 0;
}

static int copy(struct cut *c)
{
    struct svc_packet p;
    size_t at = 0;
    int got, err = 0;

    while (err == 0 && (got = svc_reader_next(c->reader, &p)) == 1) {
        if (p.kind == SVC_AUDIO) {
            if (!c->no_sound)
                err = svc_writer_audio(c->writer, p.audio, p.audio_len, p.pts);
            continue;
        }
        if (at == c->n)
            return SVC_ERR_FORMAT;
        p.unit.pts = c->units[at].unit.pts;
        if (is_kept(&c->units[at++]))
            err = hold(c, &p.unit);
        if (err < 0 || !p.end_of_picture || c->n_picture == 0)
            continue;
        err = svc_writer_picture(c->writer, c->picture, c->n_picture);
        c->n_picture = 0;
        c->pictures++;
    }
    return err < 0 ? err : got;
}

/* ---- the whole ---- */

static void report(const struct cut *c)
{
    uint64_t fate[4] = { 0 }, undecodable[SVC_SPATIAL_MAX] = { 0 };

    for (size_t i = 0; i < c->n; i++) {
        fate[c->units[i].fate]++;
        undecodable[c->units[i].unit.layer.spatial] += c->units[i].fate == DELIVERY_UNDECODABLE;
    }
    fprintf(
        stderr, "%s: %llu of %llu pictures, %llu of %zu units; left out %llu, not decodable %llu",
        c->opt->out, (unsigned long long)c->pictures,
        (unsigned long long)svc_reader_info(c->reader)->n_pictures,
        (unsigned long long)(fate[DELIVERY_KEPT] + fate[DELIVERY_LATE]), c->n,
        (unsigned long long)fate[DELIVERY_ABSENT], (unsigned long long)fate[DELIVERY_UNDECODABLE]);
    for (int s = 0; fate[DELIVERY_UNDECODABLE] && s < SVC_SPATIAL_MAX; s++)
        if (undecodable[s])
            fprintf(stderr, " S%d %llu", s, (unsigned long long)undecodable[s]);
    if (c->opt->log)
        fprintf(stderr, "; late %llu", (unsigned long long)fate[DELIVERY_LATE]);
    fprintf(stderr, "%s\n", c->no_sound ? "; without sound" : "");
}

static int run(struct cut *c)
{
    int err = svc_reader_open(&c->reader, c->opt->in, c->why, sizeof(c->why));

    if (err == 0)
        err = settle(c);
    if (err == 0)
        err = svc_reader_loop(c->reader);
    size_t first = 0;

    while (err == 0 && first < c->n && !is_kept(&c->units[first]))
        first++;
    if (err == 0 && first == c->n) {
        snprintf(c->why, sizeof(c->why), "%s: nothing is left that can be decoded", c->opt->in);
        return SVC_ERR_MISSING;
    }
    if (err == 0)
        err = open_out(c);
    if (err == 0)
        err = copy(c);
    if (err == 0)
        err = svc_writer_close(c->writer);
    return err;
}

int main(int argc, char **argv)
{
    struct options opt = { .spatial = SVC_SPATIAL_MAX - 1,
                           .temporal = SVC_TEMPORAL_MAX - 1,
                           .seed = 1,
                           .latency_ms = 300 };
    static const struct tool tool = { "svc-cut", help, "", long_options, "IN and OUT", 2, take };
    const int code = options_parse(&tool, &opt, argc, argv);

    if (code != OPTIONS_GO_ON)
        return code;
    opt.in = argv[optind];
    opt.out = argv[optind + 1];
    av_log_set_level(AV_LOG_QUIET);
    struct cut c = { .opt = &opt };
    const int err = run(&c);

    if (err < 0)
        fprintf(stderr, "svc-cut: %s\n", c.why[0] ? c.why : svc_strerror(err));
    else if (!opt.quiet)
        report(&c);
    svc_writer_free(c.writer);
    svc_reader_free(c.reader);
    for (int s = 0; s < SVC_SPATIAL_MAX; s++)
        free(c.bytes[s]);
    free(c.units);
    return err < 0 ? 1 : 0;
}
