/*
 * paper.h - the player's decoder on paper: it takes what the real one would take and makes pictures
 * without pixels, as the likeness of every picture by layer is known beforehand (likeness.h). The
 * player is none the wiser: its calls of svc_decoder_* end here (the linker's --wrap).
 */
#ifndef QUALITY_PAPER_H
#define QUALITY_PAPER_H

#include <stdbool.h>
#include <svc/svc.h>

/* Whether decoders made from now on decode. */
void paper_decode(bool really);

/* The real ones. */
int __real_svc_decoder_new(struct svc_decoder **out, const char *codec, unsigned threads);
int __real_svc_decoder_decode(struct svc_decoder *d, const struct svc_unit *units, size_t n,
                              struct svc_picture *out);
void __real_svc_picture_release(struct svc_decoder *d, struct svc_picture *p);
const struct svc_tracker *__real_svc_decoder_tracker(const struct svc_decoder *d);
void __real_svc_decoder_free(struct svc_decoder *d);

#endif
