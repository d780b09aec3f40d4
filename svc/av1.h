/* av1.h - the halves of the AV1 backend: av1_encoder.c on libaom, av1_decoder.c on dav1d. */
#ifndef SVC_AV1_H
#define SVC_AV1_H

#include "codec.h"

int svc_av1_decoder_open(void **state, unsigned threads);
int svc_av1_decode(void *state, const struct svc_unit *unit, struct svc_picture *out);
void svc_av1_release(void *opaque);
void svc_av1_flush(void *state);
void svc_av1_decoder_close(void *state);

#endif
