/*
 * cut.h - does another scene begin with this picture? By the luma of a grid of points: how much it
 * changes from picture to picture, against how much it did of late. Pure; 2,304 pixels are read.
 */
#ifndef SVC_CUT_H
#define SVC_CUT_H

#include "svc/svc.h"

#define SVC_CUT_COLUMNS 64
#define SVC_CUT_ROWS 36

struct svc_cut { /* zero: no picture yet */
    uint8_t grid[SVC_CUT_ROWS * SVC_CUT_COLUMNS];
    double usual;     /* mean change of a point, levels [0, 255] */
    uint8_t pictures; /* seen, 2: or more */
};

/* True: a cut lies between the picture before and this one. The first two begin nothing:
 * what is usual is learnt from them. */
bool svc_cut_between(struct svc_cut *c, const struct svc_image *img);

#endif
