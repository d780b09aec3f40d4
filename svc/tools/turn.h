/* turn.h - pictures that a file wants turned, as telephones write them: turned before anything else
 * sees them. */
#ifndef TURN_H
#define TURN_H

#include <libavformat/avformat.h>

/* Quarter turns clockwise that the stream asks for [0, 3]; others than by quarters are left out. */
unsigned turn_of(const AVStream *st);

struct turn;                              /* zero quarters never need one */
struct turn *turn_new(unsigned quarters); /* NULL: no memory */
void turn_free(struct turn *t);           /* NULL allowed */
/* `f` becomes what it shows, turned, as 8-bit 4:2:0. 0, or -1: it cannot be, and is as it was. */
int turn_frame(struct turn *t, AVFrame *f);

#endif
