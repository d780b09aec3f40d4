/*
 * reader.c - layered files back into units and sound; what is in a packet is parse.c's business.
 *
 * Opening reads the file once from end to end: rates need it, and a damaged or shortened file is
 * refused there and not in the middle of a transmission.
 */
#include "demux.h"
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND_US 1000000
#define PTS_MAX_US (INT64_C(1) << 50) /* 35 years; what damaged files say beyond it is cut */
#define AUDIO_LEAD_MAX_US 200000
#define OBU_FPS 30 /* of files that say nothing */
#define FPS_MAX 1000
#define RATIO_MAX 100000 /* of a measured rate's terms */
#define HEAD_BYTES 64
#define AGAIN 1
#define WINDOW_PARTS 10 /* the largest rate is that over a second which slides by a tenth */

struct svc_reader {
    char *path;
    enum svc_container container;
    uint64_t n_promised; /* packets that an IVF header announces, 0: not said */
    struct svc_demux *demux;
    struct svc_demux_packet pkt;
    struct svc_stream_info info;
    struct svc_parser parser;
    bool parsing; /* the parser is initialised */

    struct svc_parsed parts[SVC_SPATIAL_MAX]; /* of the temporal unit that is given out */
    int n_parts, next_part;
    int64_t part_pts;

    uint64_t picture;       /* number of the next temporal unit */
    uint64_t picture_first; /* of this pass over the file */
    int64_t pts_offset;     /* of this pass over the file */
    int64_t pts_base;       /* the file's time of its first picture, taken off */
    bool has_base;
    int64_t audio_lead; /* what sound starts before 0: the codec's delay, taken off again */
};

static void explain(const struct svc_reader *r, const char *what, char *why, size_t size)
{
    if (why && size)
        snprintf(why, size, "%s: %s", r->path, what);
}

static int open_streams(struct svc_reader *r)
{
    svc_demux_close(r->demux);
    const int err = svc_demux_open(&r->demux, r->path, r->container);

    if (err < 0 || r->parsing)
        return err;
    const struct svc_demux_info *info = svc_demux_info(r->demux);

    r->parsing = true;
    return svc_parser_init(&r->parser, info->codec, info->extradata, info->extradata_len);
}

__extension__ typedef __int128 wide;

/* a * b / c to the nearest, halves away from 0. c > 0. */
static int64_t scale(int64_t a, int64_t b, int64_t c)
{
    const wide product = (wide)a * b, half = c / 2;

    return (int64_t)((product < 0 ? product - half : product + half) / c);
}

/* MKV counts in ms; the pictures lie on the grid of the frame rate. */
static int64_t snap(const struct svc_reader *r, int64_t pts)
{
    if (!r->info.fps_num)
        return pts;
    int64_t n = scale(pts, r->info.fps_num, (int64_t)r->info.fps_den * SECOND_US);
    int64_t grid = scale(n, (int64_t)r->info.fps_den * SECOND_US, r->info.fps_num);
    return llabs(grid - pts) <= 1000 ? grid : pts;
}

static uint32_t rate_num(const struct svc_reader *r)
{
    return r->parser.fps_num ? r->parser.fps_num : OBU_FPS;
}

static uint32_t rate_den(const struct svc_reader *r)
{
    return r->parser.fps_num ? r->parser.fps_den : 1;
}

static int64_t packet_pts(const struct svc_reader *r)
{
    if (r->container == SVC_OBU_FILE && r->pkt.video) /* it has no clock */
        return scale((int64_t)(r->picture - 1 - r->picture_first), (int64_t)rate_den(r) * SECOND_US,
                     rate_num(r));
    if (!r->pkt.has_pts)
        return 0;
    int64_t pts = r->pkt.pts - r->pts_base;
    return pts < -PTS_MAX_US ? -PTS_MAX_US : pts > PTS_MAX_US ? PTS_MAX_US : pts;
}

static int take_video(struct svc_reader *r)
{
    const uint64_t number = r->picture++; /* a damaged one keeps its number */

    r->n_parts = r->next_part = 0;
    if (r->pkt.len < 1 || r->pkt.corrupt)
        return SVC_ERR_FORMAT;
    const int n = svc_parse(&r->parser, r->pkt.bytes, r->pkt.len, number, r->parts);

    if (n < 0)
        return n;
    r->n_parts = n;
    if (!r->has_base) {
        r->pts_base = packet_pts(r);
        r->has_base = true;
    }
    r->part_pts = snap(r, packet_pts(r)) + r->pts_offset;
    return 0;
}

static void give_part(struct svc_reader *r, struct svc_packet *out)
{
    const struct svc_parsed *part = &r->parts[r->next_part++];
    *out = (struct svc_packet){ .kind = SVC_VIDEO,
                                .pts = r->part_pts,
                                .end_of_picture = r->next_part == r->n_parts };
    out->unit = (struct svc_unit){ .bytes = r->parser.bytes + part->at,
                                   .len = part->len,
                                   .picture = r->picture - 1,
                                   .pts = r->part_pts,
                                   .layer = part->layer,
                                   .key = part->key,
                                   .deps = part->deps };
}

static int next_packet(struct svc_reader *r, struct svc_packet *out)
{
    if (r->next_part < r->n_parts) {
        give_part(r, out);
        return 1;
    }
    if (!r->demux)
        return SVC_ERR_FORMAT; /* it could not be opened again */
    const int got = svc_demux_next(r->demux, &r->pkt);

    if (got <= 0)
        return got;
    if (r->pkt.video) {
        const int err = take_video(r);
        if (err < 0)
            return err;
        give_part(r, out);
        return 1;
    }
    *out = (struct svc_packet){ .kind = SVC_AUDIO,
                                .audio = r->pkt.bytes,
                                .audio_len = r->pkt.len,
                                .pts = packet_pts(r) + r->audio_lead + r->pts_offset };
    return 1;
}

/* What nobody finished ends where it can no longer be read. */
int svc_reader_next(struct svc_reader *r, struct svc_packet *out)
{
    const int got = next_packet(r, out);

    return got < 0 && r->info.unfinished ? 0 : got;
}

/* ---- opening: one pass over the file ---- */

struct scan {
    uint64_t bytes[SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX]; /* [temporal * SVC_SPATIAL_MAX + spatial] */
    uint64_t window[SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX][WINDOW_PARTS]; /* the last second */
    uint64_t window_max[SVC_SPATIAL_MAX * SVC_TEMPORAL_MAX];
    uint16_t width[SVC_SPATIAL_MAX], height[SVC_SPATIAL_MAX];
    int64_t part; /* the window's newest, counted from 0 */
    uint64_t audio_bytes, pictures;
    int64_t first_audio, last_pts;
    uint8_t spatial_max, temporal_max;
    bool key_first, any, in_order;
};

/* The window slides to `part`. */
static void slide_window(struct scan *s, int64_t part)
{
    int64_t steps = part - s->part;
    if (steps == 0)
        return;
    for (size_t i = 0; i < sizeof(s->bytes) / sizeof(s->bytes[0]); i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < WINDOW_PARTS; j++)
            sum += s->window[i][j];
        if (sum > s->window_max[i])
            s->window_max[i] = sum;
        for (int64_t j = 1; j <= steps && j <= WINDOW_PARTS; j++)
            s->window[i][(s->part + j) % WINDOW_PARTS] = 0;
    }
    s->part = part;
}

static void scan_unit(struct svc_reader *r, struct scan *s, const struct svc_packet *p)
{
    const struct svc_unit *u = &p->unit;
    size_t i = (size_t)u->layer.temporal * SVC_SPATIAL_MAX + u->layer.spatial;
    if (!s->any) {
        s->key_first = u->key;
        s->any = true;
    }
    int64_t part = p->pts * WINDOW_PARTS / SECOND_US;
    if (part > s->part)
        slide_window(s, part);
    s->bytes[i] += u->len;
    s->window[i][s->part % WINDOW_PARTS] += u->len;
    if (u->layer.spatial > s->spatial_max)
        s->spatial_max = u->layer.spatial;
    if (u->layer.temporal > s->temporal_max)
        s->temporal_max = u->layer.temporal;
    s->width[u->layer.spatial] = r->parts[r->next_part - 1].width;
    s->height[u->layer.spatial] = r->parts[r->next_part - 1].height;
    s->in_order &= p->pts >= s->last_pts;
    if (p->pts > s->last_pts)
        s->last_pts = p->pts;
    s->pictures += p->end_of_picture;
}

static void scan_sound(const struct svc_reader *r, struct scan *s, const struct svc_packet *p)
{
    if (s->audio_bytes == 0) /* may come before the base is known */
        s->first_audio = p->pts + r->pts_base;
    s->audio_bytes += p->audio_len;
}

static uint32_t bps(uint64_t bytes, int64_t us)
{
    return us > 0 ? (uint32_t)((double)bytes * 8 * SECOND_US / (double)us) : 0;
}

static void fill_info(struct svc_reader *r, const struct scan *s)
{
    struct svc_stream_info *i = &r->info;
    i->n_spatial = s->spatial_max + 1;
    i->n_temporal = s->temporal_max + 1;
    i->n_layers = (size_t)i->n_spatial * i->n_temporal;
    i->width = s->width[s->spatial_max];
    i->height = s->height[s->spatial_max];
    i->n_pictures = s->pictures;
    i->duration = s->last_pts + scale(SECOND_US, i->fps_den, i->fps_num);
    r->parser.ops->codec(&r->parser, i, i->codec, sizeof(i->codec));
    snprintf(i->container, sizeof(i->container), "%s", svc_container_name(r->container));
    for (uint8_t t = 0; t < i->n_temporal; t++) {
        for (uint8_t l = 0; l < i->n_spatial; l++) {
            size_t from = (size_t)t * SVC_SPATIAL_MAX + l;
            uint32_t mean = bps(s->bytes[from], i->duration);
            uint32_t most = bps(s->window_max[from], SECOND_US);
            i->layers[t * i->n_spatial + l] = (struct svc_layer_info){
                .layer = { .spatial = l, .temporal = t },
                .width = s->width[l],
                .height = s->height[l],
                .bitrate_bps = mean,
                .bitrate_max_bps = most > mean ? most : mean, /* less than a second in all */
            };
        }
    }
    const struct svc_demux_info *told = svc_demux_info(r->demux);

    if (told->has_sound) {
        int64_t lead = r->pts_base - s->first_audio;
        r->audio_lead = lead > 0 && lead < AUDIO_LEAD_MAX_US ? lead : 0;
        i->has_audio = true;
        i->audio_rate = SVC_OPUS_RATE;
        i->audio_channels = told->sound_channels;
        i->audio_bitrate_bps = bps(s->audio_bytes, i->duration);
    }
}

static bool set_rate(struct svc_reader *r, uint32_t num, uint32_t den)
{
    if (num == 0 || den == 0 || num > (uint64_t)den * FPS_MAX)
        return false;
    r->info.fps_num = num;
    r->info.fps_den = den;
    return true;
}

/* The last convergent of num / den whose terms are at most RATIO_MAX (Knuth, 4.5.3). */
static void nearest_ratio(uint64_t num, uint64_t den, uint32_t *out_num, uint32_t *out_den)
{
    uint64_t before[2] = { 0, 1 }, now[2] = { 1, 0 };

    while (den) {
        const uint64_t whole = num / den, rest = num % den;
        if (whole > RATIO_MAX)
            break;
        const uint64_t next[2] = { whole * now[0] + before[0], whole * now[1] + before[1] };
        if (next[0] > RATIO_MAX || next[1] > RATIO_MAX)
            break;
        before[0] = now[0];
        before[1] = now[1];
        now[0] = next[0];
        now[1] = next[1];
        num = den;
        den = rest;
    }
    *out_num = (uint32_t)now[0];
    *out_den = (uint32_t)now[1];
}

/* From the pictures seen. */
static int measure_rate(struct svc_reader *r, const struct scan *s)
{
    uint32_t num = rate_num(r), den = rate_den(r);

    if (r->info.fps_num)
        return 0;
    if (r->container != SVC_OBU_FILE) {
        if (s->pictures < 2 || s->last_pts <= 0)
            return SVC_ERR_FORMAT;
        nearest_ratio((s->pictures - 1) * SECOND_US, (uint64_t)s->last_pts, &num, &den);
    }
    return set_rate(r, num, den) ? 0 : SVC_ERR_FORMAT;
}

static int scan_file(struct svc_reader *r, const char **what)
{
    struct scan s = { .in_order = true };
    struct svc_packet p;
    int got;
    while ((got = svc_reader_next(r, &p)) == 1) {
        if (p.kind == SVC_VIDEO)
            scan_unit(r, &s, &p);
        else
            scan_sound(r, &s, &p);
    }
    slide_window(&s, s.part + 1);
    if (got < 0) {
        *what = "damaged: a temporal unit cannot be read";
        return got;
    }
    if (!s.any || !s.key_first) {
        *what = s.any ? "does not start with a key picture" : "contains no pictures";
        return SVC_ERR_FORMAT;
    }
    if (!s.in_order) {
        *what = "not layered: pictures are shown in another order than decoded";
        return SVC_ERR_FORMAT;
    }
    if (r->n_promised > s.pictures) {
        *what = "cut short";
        return SVC_ERR_FORMAT;
    }
    *what = "no frame rate in it";
    if (measure_rate(r, &s) < 0)
        return SVC_ERR_FORMAT;
    const bool told = r->parser.pattern.n_temporal > 0;

    svc_parser_settle_pattern(&r->parser);
    if (!told && r->parser.pattern.n_temporal > 1)
        return AGAIN; /* now the layers can be told apart */
    fill_info(r, &s);
    if (!r->info.width || !r->info.height) {
        *what = "damaged: no picture size";
        return SVC_ERR_FORMAT;
    }
    return 0;
}

/* The size of an EBML element's length field by its first byte, and the value. */
static int get_vint(const uint8_t *at, size_t len, uint64_t *value)
{
    int n = 1;
    while (n <= 8 && !(at[0] >> (8 - n) & 1))
        n++;
    if (n > 8 || (size_t)n > len)
        return 0;
    uint64_t v = at[0] & (0xffu >> n);
    for (int i = 1; i < n; i++)
        v = v << 8 | at[i];
    *value = v;
    return n;
}

/* MKV's outermost element says how long the file must be (RFC 8794); 0: whole. */
static int check_matroska(struct svc_reader *r, const uint8_t *head, size_t len, uint64_t file,
                          const char **what)
{
    uint64_t ebml, segment;
    int n = len > 16 ? get_vint(head + 4, 8, &ebml) : 0;

    if (n == 0 || ebml > HEAD_BYTES - 24 || 4 + (uint64_t)n + ebml + 12 > len)
        return SVC_ERR_FORMAT;
    const size_t at = 4 + (size_t)n + (size_t)ebml;

    if (memcmp(head + at, "\x18\x53\x80\x67", 4) != 0)
        return SVC_ERR_FORMAT;
    n = get_vint(head + at + 4, 8, &segment);
    *what = "cut short";
    if (n == 0)
        return SVC_ERR_FORMAT;
    r->info.unfinished =
        segment == (UINT64_C(1) << (7 * n)) - 1; /* not known: still to be written */
    if (r->info.unfinished)
        return 0;
    return at + 4 + (uint64_t)n + segment > file ? SVC_ERR_FORMAT : 0;
}

/* What kind of file it is, and whether it is whole as far as its head tells. */
static int check_head(struct svc_reader *r, const char **what)
{
    uint8_t head[HEAD_BYTES];
    struct stat st;

    *what = "cannot be read";
    FILE *f = fopen(r->path, "rb");

    if (!f)
        return SVC_ERR_FILE;
    const size_t len = fread(head, 1, sizeof(head), f);
    const bool statted = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode);

    fclose(f);
    if (!statted)
        return SVC_ERR_FILE;
    *what = "not a layered file (MKV, WebM, MP4, IVF, OBU)";
    r->container = svc_container_of_head(head, len);
    if (r->container == SVC_NO_CONTAINER)
        return SVC_ERR_FORMAT;
    if (r->container == SVC_IVF && len >= 28)
        r->n_promised = head[24] | (uint64_t)head[25] << 8 | (uint64_t)head[26] << 16 |
                        (uint64_t)head[27] << 24;
    if (r->container == SVC_MKV || r->container == SVC_WEBM)
        return check_matroska(r, head, len, (uint64_t)st.st_size, what);
    return 0;
}

static int rewind_pass(struct svc_reader *r)
{
    r->n_parts = r->next_part = 0;
    svc_parser_rewind(&r->parser);
    r->picture_first = r->picture;
    return open_streams(r);
}

int svc_reader_open(struct svc_reader **out, const char *path, char *why, size_t why_size)
{
    struct svc_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return SVC_ERR_NOMEM;
    const char *what = "out of memory";
    int err = SVC_ERR_NOMEM;
    r->path = strdup(path);
    if (!r->path)
        goto refuse;
    err = check_head(r, &what);
    if (err < 0)
        goto refuse;
    what = "no video in it that is AV1, VP9 or H.264, or damaged";
    err = open_streams(r);
    if (err < 0)
        goto refuse;
    const struct svc_demux_info *told = svc_demux_info(r->demux);

    set_rate(r, told->fps_num, told->fps_den); /* else it has to be measured */
    err = scan_file(r, &what);
    if (err == AGAIN) {
        r->picture = 0;
        err = rewind_pass(r);
        if (err == 0)
            err = scan_file(r, &what);
    }
    if (err < 0)
        goto refuse;
    r->picture = 0;
    what = "cannot be read again";
    err = rewind_pass(r);
    if (err < 0)
        goto refuse;
    *out = r;
    return 0;
refuse:
    if (r->path)
        explain(r, what, why, why_size);
    svc_reader_free(r);
    return err;
}

const struct svc_stream_info *svc_reader_info(const struct svc_reader *r)
{
    return &r->info;
}

int svc_reader_loop(struct svc_reader *r)
{
    /* A pass that was left early still counts whole: numbers must not come back. */
    r->picture = r->picture_first + r->info.n_pictures;
    r->pts_offset += r->info.duration;
    return rewind_pass(r);
}

void svc_reader_free(struct svc_reader *r)
{
    if (!r)
        return;
    svc_demux_close(r->demux);
    svc_parser_fini(&r->parser);
    free(r->path);
    free(r);
}
