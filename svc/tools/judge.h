/*
 * judge.h - per codec a decoder that is not the player's, to say what a stream means: libaom's for
 * AV1, libavcodec's own for VP9, OpenH264's.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "svc/svc.h"

struct judge;
/* `codec` as in svc_decoder_new. 0, SVC_ERR_ARG: unknown, SVC_ERR_NOMEM, SVC_ERR_CODEC. */
int judge_new(struct judge **out, const char *codec);
/* What it decodes with, for display. */
const char *judge_name(const struct judge *j);
/* One layer unit; what it reads was given before. 0: *out is its picture, borrowed until the next
 * call. SVC_ERR_CODEC: refused, or no picture came of it. */
int judge_decode(struct judge *j, const struct svc_unit *unit, struct svc_image *out);
void judge_free(struct judge *j);

#endif
