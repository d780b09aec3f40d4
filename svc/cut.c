/* cut.c - the detector of cut.h. */
#include "cut.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 12.0 /* levels: less is a change of little */
#define TIMES 3.0  /* what is usual: fast motion changes as much all the time */
#define LEARN 0.2  /* weight of the newest picture in what is usual */

static void sample(uint8_t *grid, const struct svc_image *img)
{
    for (unsigned y = 0; y < SVC_CUT_ROWS; y++) {
        const uint8_t *row =
            img->plane[0] + (2 * y + 1) * img->height / (2 * SVC_CUT_ROWS) * img->stride[0];

        for (unsigned x = 0; x < SVC_CUT_COLUMNS; x++)
            *grid++ = row[(2 * x + 1) * img->width / (2 * SVC_CUT_COLUMNS)];
    }
}

bool svc_cut_between(struct svc_cut *c, const struct svc_image *img)
{
    uint8_t now[sizeof c->grid];
    unsigned sum = 0;

    sample(now, img);
    for (size_t i = 0; i < sizeof now; i++)
        sum += (unsigned)abs(now[i] - c->grid[i]);
    const double change = (double)sum / sizeof now;
    const bool cut = c->pictures > 1 && change > LEAST && change > TIMES * c->usual;

    if (c->pictures == 1)
        c->usual = change;
    else if (c->pictures > 1 && !cut)
        c->usual += LEARN * (change - c->usual);
    if (c->pictures < 2)
        c->pictures++;
    memcpy(c->grid, now, sizeof now);
    return cut;
}
