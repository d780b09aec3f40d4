/* packets.c - what a reader makes of a file, a line a packet, so that two builds can be compared:
 * packets FILE, or the reason and exit code 1. */
#include <inttypes.h>
#include <stdio.h>
#include <svc/svc.h>

static uint32_t sum(const uint8_t *bytes, size_t len)
{
    uint32_t s = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        s = (s ^ bytes[i]) * 16777619u;
    return s;
}

int main(int argc, char **argv)
{
    struct svc_reader *r = NULL;
    struct svc_packet p;
    char why[256] = "";
    int got = -1;
    if (argc != 2 || svc_reader_open(&r, argv[1], why, sizeof why) < 0) {
        puts(why);
        return 1;
    }
    const struct svc_stream_info *i = svc_reader_info(r);
    printf("%s %s %ux%u %" PRIu32 "/%" PRIu32 " %" PRId64 " us %zu layers\n", i->container,
           i->codec, i->width, i->height, i->fps_num, i->fps_den, i->duration, i->n_layers);
    for (int pass = 0; pass < 2; pass++) {
        while ((got = svc_reader_next(r, &p)) == 1)
            printf("%" PRIu64 " %" PRId64 " %u.%u %d %zu %08" PRIx32 "\n", p.unit.picture, p.pts,
                   p.unit.layer.spatial, p.unit.layer.temporal, p.unit.key, p.unit.len,
                   sum(p.unit.bytes, p.unit.len));
        if (got < 0 || svc_reader_loop(r) < 0)
            puts("damaged");
    }
    svc_reader_free(r);
    return 0;
}
