/* clip_file.h - where svc-testclip writes to: Y4M with WAV beside it, or MKV with both. */
#ifndef CLIP_FILE_H
#define CLIP_FILE_H

#include "svc/svc.h"

struct clip_file_config {
    const char *path; /* "-" or *.y4m: Y4M; else MKV, nearly lossless with PCM sound */
    const char *wav;  /* NULL: none beside Y4M */
    uint16_t width, height;
    uint32_t fps;
};

struct clip_file;
int clip_file_open(struct clip_file **out, const struct clip_file_config *cfg);
int clip_file_picture(struct clip_file *f, const struct svc_image *img, uint64_t number);
int clip_file_sound(struct clip_file *f, const int16_t *samples, size_t n, uint64_t at);
int clip_file_close(struct clip_file *f); /* finishes the file */
void clip_file_free(struct clip_file *f);

#endif
