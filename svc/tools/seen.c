/* seen.c - see seen.h. */
#include "seen.h"

#include <math.h>
#include <stdlib.h>

#define DB_MAX 100.0

static void add(struct likeness *sum, struct likeness l)
{
    sum->ssim += l.ssim;
    sum->psnr += l.psnr;
}

static struct likeness mean(struct likeness sum, uint64_t n)
{
    return n ? (struct likeness){ sum.ssim / (double)n, sum.psnr / (double)n }
             : (struct likeness){ 0 };
}

static int push(struct seen *s, struct likeness l)
{
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 256;
        struct likeness *more = realloc(s->each, cap * sizeof(*more));

        if (!more)
            return SVC_ERR_NOMEM;
        s->each = more;
        s->cap = cap;
    }
    s->each[s->n++] = l;
    return 0;
}

void seen_layer(struct seen *s, unsigned spatial, size_t bytes, struct likeness l)
{
    s->layer[spatial]++;
    s->layer_bytes[spatial] += bytes;
    add(&s->layer_sum[spatial], l);
}

int seen_shown(struct seen *s, struct svc_layer best, struct likeness l)
{
    s->shown[best.spatial][best.temporal]++;
    add(&s->shown_sum[best.spatial], l);
    return push(s, l);
}

int seen_frozen(struct seen *s, struct likeness l)
{
    s->frozen++;
    return push(s, l);
}

void seen_fini(struct seen *s)
{
    free(s->each);
}

static int by_ssim(const void *a, const void *b)
{
    const struct likeness *x = a, *y = b;

    return (x->ssim > y->ssim) - (x->ssim < y->ssim);
}

static int by_psnr(const void *a, const void *b)
{
    const struct likeness *x = a, *y = b;

    return (x->psnr > y->psnr) - (x->psnr < y->psnr);
}

struct seen_summary seen_summary(const struct seen *s)
{
    struct seen_summary out = { 0 };

    if (s->n == 0)
        return out;
    for (size_t i = 0; i < s->n; i++)
        add(&out.mean, s->each[i]);
    out.mean = mean(out.mean, s->n);
    /* the order is nobody's business any more */
    qsort(s->each, s->n, sizeof(*s->each), by_ssim);
    out.p5.ssim = s->each[s->n / 20].ssim;
    qsort(s->each, s->n, sizeof(*s->each), by_psnr);
    out.p5.psnr = s->each[s->n / 20].psnr;
    return out;
}

uint64_t seen_by_spatial(const struct seen *s, unsigned spatial, struct likeness *out)
{
    uint64_t n = 0;

    for (unsigned t = 0; t < SVC_TEMPORAL_MAX; t++)
        n += s->shown[spatial][t];
    *out = mean(s->shown_sum[spatial], n);
    return n;
}

struct likeness seen_layer_mean(const struct seen *s, unsigned spatial)
{
    return mean(s->layer_sum[spatial], s->layer[spatial]);
}

double seen_db(double ssim)
{
    const double db = ssim < 1 ? -10 * log10(1 - ssim) : DB_MAX;

    return db < 0 ? 0 : db > DB_MAX ? DB_MAX : db;
}
