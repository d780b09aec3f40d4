/*
 * likeness.c - see likeness.h. CACHE.planes, little-endian as the machine is:
 *
 *     struct head | crc[pictures][spatial] | temporal[pictures], padded to 4096
 *     for each picture: source, layer 0, layer 1 ...: width * height bytes of luma each
 */
#include "likeness.h"
#include "paper.h"

#include "source.h"
#include "ssim.h"

#include <libswscale/swscale.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x314c5153u /* "SQL1" */
#define ALIGN 4096u
#define PICTURES_MAX 100000u
#define PATH_MAX_BYTES 4096

struct head {
    uint32_t magic, width, height, pictures, spatial, fps_num, fps_den, from;
};

struct pair { /* of CACHE.pairs */
    uint32_t wanted, shown, spatial;
    struct likeness_pair like;
};

struct likeness {
    char cache[PATH_MAX_BYTES];
    const uint8_t *map;
    size_t size, planes_at;
    const struct head *head;
    const uint32_t *crc;
    const uint8_t *temporal;
    struct pair *table; /* open addressing; psnr 0: free */
    size_t room, n, stored;
    struct pair *fresh;
    size_t n_fresh, fresh_room;
};

/* ---- making the planes ---- */

struct maker {
    const struct likeness_config *cfg;
    struct head head;
    struct svc_reader *reader;
    struct source *source;
    struct svc_decoder *decoder;
    struct SwsContext *enlarge[SVC_SPATIAL_MAX];
    FILE *out;
    uint32_t *crc;
    uint8_t *temporal, *plane;
    char *why;
    size_t why_size;
};

static size_t planes_at(const struct head *h)
{
    const size_t n = sizeof *h + h->pictures * h->spatial * sizeof(uint32_t) + h->pictures;

    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool put(struct maker *m, const uint8_t *at, ptrdiff_t stride)
{
    for (uint32_t y = 0; y < m->head.height; y++)
        if (fwrite(at + (ptrdiff_t)y * stride, 1, m->head.width, m->out) != m->head.width)
            return false;
    return true;
}

static bool put_source(struct maker *m)
{
    struct source_item item;
    int got;

    do
        got = source_next(m->source, &item);
    while (got == 1 && item.kind != SOURCE_PICTURE);
    if (got == 1)
        return put(m, item.image.plane[0], item.image.stride[0]);
    snprintf(m->why, m->why_size, "%s: shorter than %s", m->cfg->source, m->cfg->layered);
    return false;
}

static bool put_enlarged(struct maker *m, const struct svc_image *img, unsigned s)
{
    const struct head *h = &m->head;
    const uint8_t *planes[4] = { img->plane[0] };
    const int strides[4] = { (int)img->stride[0] };
    uint8_t *const out[4] = { m->plane };
    const int out_strides[4] = { (int)h->width };

    if (img->width == h->width && img->height == h->height)
        return put(m, img->plane[0], img->stride[0]);
    m->enlarge[s] = sws_getCachedContext(m->enlarge[s], img->width, img->height, AV_PIX_FMT_GRAY8,
                                         (int)h->width, (int)h->height, AV_PIX_FMT_GRAY8,
                                         SWS_BICUBIC, NULL, NULL, NULL);
    if (!m->enlarge[s])
        return false;
    sws_scale(m->enlarge[s], planes, strides, 0, img->height, out, out_strides);
    return put(m, m->plane, (ptrdiff_t)h->width);
}

static bool put_unit(struct maker *m, const struct svc_unit *u)
{
    struct svc_picture pic;

    if (u->picture >= m->head.pictures || u->layer.spatial >= m->head.spatial)
        return false;
    if (__real_svc_decoder_decode(m->decoder, u, 1, &pic) != 1)
        return false;
    m->crc[u->picture * m->head.spatial + u->layer.spatial] = svc_image_crc(&pic.image);
    m->temporal[u->picture] = u->layer.temporal;
    const bool good = put_enlarged(m, &pic.image, u->layer.spatial);
    __real_svc_picture_release(m->decoder, &pic);
    return good;
}

static bool put_all(struct maker *m)
{
    struct svc_packet p;
    uint64_t units = 0;
    int got;

    while ((got = svc_reader_next(m->reader, &p)) == 1) {
        if (p.kind != SVC_VIDEO)
            continue;
        if ((p.unit.layer.spatial == 0 && !put_source(m)) || !put_unit(m, &p.unit))
            return false;
        units++;
    }
    return got == 0 && units == (uint64_t)m->head.pictures * m->head.spatial;
}

static bool make_open(struct maker *m)
{
    int err = svc_reader_open(&m->reader, m->cfg->layered, m->why, m->why_size);

    if (err < 0)
        return false;
    const struct svc_stream_info *info = svc_reader_info(m->reader);
    m->head = (struct head){ .magic = MAGIC,
                             .width = m->cfg->width ? m->cfg->width : info->width,
                             .height = m->cfg->height ? m->cfg->height : info->height,
                             .pictures = (uint32_t)info->n_pictures,
                             .spatial = info->n_spatial,
                             .fps_num = info->fps_num,
                             .fps_den = info->fps_den };
    const struct source_config src = { .path = m->cfg->source,
                                       .width = (uint16_t)m->head.width,
                                       .height = (uint16_t)m->head.height,
                                       .fps_num = info->fps_num,
                                       .fps_den = info->fps_den,
                                       .threads = 1 };
    if (m->head.pictures == 0 || m->head.pictures > PICTURES_MAX)
        return false;
    m->crc = calloc((size_t)m->head.pictures * m->head.spatial, sizeof *m->crc);
    m->temporal = calloc(m->head.pictures, 1);
    m->plane = malloc((size_t)m->head.width * m->head.height + ALIGN);
    return m->crc && m->temporal && m->plane &&
           __real_svc_decoder_new(&m->decoder, info->codec, 1) == 0 &&
           source_open(&m->source, &src, m->why, m->why_size) == 0;
}

static bool write_head(struct maker *m)
{
    const size_t n = (size_t)m->head.pictures * m->head.spatial;

    rewind(m->out);
    return fwrite(&m->head, sizeof m->head, 1, m->out) == 1 &&
           fwrite(m->crc, sizeof *m->crc, n, m->out) == n &&
           fwrite(m->temporal, 1, m->head.pictures, m->out) == m->head.pictures;
}

static void make_close(struct maker *m)
{
    for (unsigned s = 0; s < SVC_SPATIAL_MAX; s++)
        sws_freeContext(m->enlarge[s]);
    __real_svc_decoder_free(m->decoder);
    source_free(m->source);
    svc_reader_free(m->reader);
    free(m->crc);
    free(m->temporal);
    free(m->plane);
}

static int make(const struct likeness_config *cfg, const char *file, char *why, size_t why_size)
{
    struct maker m = { .cfg = cfg, .why = why, .why_size = why_size };
    char part[PATH_MAX_BYTES + 64];

    snprintf(why, why_size, "%s: cannot be decoded whole", cfg->layered);
    snprintf(part, sizeof part, "%s.%ld", file, (long)getpid());
    bool good = make_open(&m) && (m.out = fopen(part, "wb")) != NULL;
    good = good && fseek(m.out, (long)planes_at(&m.head), SEEK_SET) == 0 && put_all(&m) &&
           write_head(&m);
    make_close(&m);
    if (m.out)
        good = fclose(m.out) == 0 && good;
    if (good && rename(part, file) == 0)
        return 0;
    remove(part);
    return -1;
}

/* ---- looking at them ---- */

static bool map_file(struct likeness *l, const char *file)
{
    struct stat st;
    const int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && (size_t)st.st_size > sizeof *l->head) {
        l->size = (size_t)st.st_size;
        l->map = mmap(NULL, l->size, PROT_READ, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (!l->map || l->map == MAP_FAILED)
        return false;
    l->head = (const struct head *)(const void *)l->map;
    l->planes_at = planes_at(l->head);
    l->crc = (const uint32_t *)(const void *)(l->head + 1);
    l->temporal = (const uint8_t *)(l->crc + (size_t)l->head->pictures * l->head->spatial);
    return l->head->magic == MAGIC &&
           l->size == l->planes_at + (size_t)l->head->pictures * (1 + l->head->spatial) *
                                         l->head->width * l->head->height;
}

static struct plane plane(const struct likeness *l, uint64_t picture, unsigned which)
{
    const size_t bytes = (size_t)l->head->width * l->head->height;

    return (struct plane){ l->map + l->planes_at +
                               (picture * (1 + l->head->spatial) + which) * bytes,
                           (ptrdiff_t)l->head->width };
}

static struct pair *find(const struct likeness *l, uint32_t wanted, uint32_t shown, uint32_t s)
{
    uint64_t h = ((uint64_t)wanted << 32 | shown) * UINT64_C(0x9e3779b97f4a7c15) + s;

    for (size_t i = (h ^ h >> 29) % l->room;; i = (i + 1) % l->room) {
        struct pair *p = &l->table[i];

        if (p->like.psnr == 0 || (p->wanted == wanted && p->shown == shown && p->spatial == s))
            return p;
    }
}

static bool grow(struct likeness *l)
{
    struct pair *old = l->table;
    const size_t room = l->room;

    if (2 * l->n < room)
        return true;
    l->room = room ? 2 * room : 4096;
    l->table = calloc(l->room, sizeof *l->table);
    if (!l->table) {
        l->table = old;
        l->room = room;
        return false;
    }
    for (size_t i = 0; i < room; i++)
        if (old[i].like.psnr != 0)
            *find(l, old[i].wanted, old[i].shown, old[i].spatial) = old[i];
    free(old);
    return true;
}

static void keep(struct likeness *l, const struct pair *p)
{
    if (!grow(l))
        return;
    struct pair *at = find(l, p->wanted, p->shown, p->spatial);

    l->n += at->like.psnr == 0;
    *at = *p;
}

static void read_pairs(struct likeness *l)
{
    char file[PATH_MAX_BYTES + 16];
    struct pair p;

    snprintf(file, sizeof file, "%s.pairs", l->cache);
    FILE *f = fopen(file, "rb");
    while (f && fread(&p, sizeof p, 1, f) == 1)
        if (p.wanted < l->head->pictures && p.shown < l->head->pictures && p.like.psnr > 0)
            keep(l, &p);
    if (f)
        fclose(f);
}

static void write_pairs(const struct likeness *l)
{
    char file[PATH_MAX_BYTES + 16];

    snprintf(file, sizeof file, "%s.pairs", l->cache);
    const int fd = l->n_fresh ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    /* in one call: others may append as well */
    if (fd >= 0 && write(fd, l->fresh, l->n_fresh * sizeof *l->fresh) < 0)
        fprintf(stderr, "likeness: %s: %s\n", file, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void note_fresh(struct likeness *l, const struct pair *p)
{
    if (l->n_fresh == l->fresh_room) {
        const size_t room = l->fresh_room ? 2 * l->fresh_room : 256;
        struct pair *grown = realloc(l->fresh, room * sizeof *grown);

        if (!grown)
            return;
        l->fresh = grown;
        l->fresh_room = room;
    }
    l->fresh[l->n_fresh++] = *p;
}

struct likeness_pair likeness_of(struct likeness *l, uint64_t wanted, uint64_t shown,
                                 unsigned spatial)
{
    struct pair p = { .wanted = (uint32_t)(wanted % l->head->pictures),
                      .shown = (uint32_t)(shown % l->head->pictures),
                      .spatial = spatial };
    const struct pair *known = l->room ? find(l, p.wanted, p.shown, spatial) : NULL;

    if (known && known->like.psnr != 0)
        return known->like;
    const struct plane a = plane(l, p.shown, 1 + spatial), b = plane(l, p.wanted, 0);
    double psnr = psnr_plane(a, b, l->head->width, l->head->height);
    psnr = psnr > LIKENESS_PSNR_MAX ? LIKENESS_PSNR_MAX : psnr;
    p.like.psnr = (float)(psnr < 0.001 ? 0.001 : psnr);
    p.like.ssim = (float)ssim_plane(a, b, l->head->width, l->head->height);
    keep(l, &p);
    note_fresh(l, &p);
    return p.like;
}

int likeness_new(struct likeness **out, const struct likeness_config *cfg, char *why,
                 size_t why_size)
{
    struct likeness *l = calloc(1, sizeof *l);
    char file[PATH_MAX_BYTES + 16];

    if (!l)
        return -1;
    snprintf(l->cache, sizeof l->cache, "%s", cfg->cache);
    snprintf(file, sizeof file, "%s.planes", l->cache);
    if (access(file, R_OK) != 0 && make(cfg, file, why, why_size) != 0) {
        free(l);
        return -1;
    }
    if (!map_file(l, file)) {
        snprintf(why, why_size, "%s: not what it should be; delete it", file);
        likeness_free(l);
        return -1;
    }
    read_pairs(l);
    *out = l;
    return 0;
}

void likeness_free(struct likeness *l)
{
    if (!l)
        return;
    write_pairs(l);
    if (l->map && l->map != MAP_FAILED)
        munmap((void *)(uintptr_t)l->map, l->size);
    free(l->table);
    free(l->fresh);
    free(l);
}

uint64_t likeness_pictures(const struct likeness *l)
{
    return l->head->pictures;
}

double likeness_fps(const struct likeness *l)
{
    return (double)l->head->fps_num / l->head->fps_den;
}

unsigned likeness_spatial(const struct likeness *l)
{
    return l->head->spatial;
}

unsigned likeness_temporal(const struct likeness *l, uint64_t picture)
{
    return l->temporal[picture % l->head->pictures];
}

uint32_t likeness_crc(const struct likeness *l, uint64_t picture, unsigned spatial)
{
    return l->crc[picture % l->head->pictures * l->head->spatial + spatial];
}
