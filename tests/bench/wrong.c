/*
 * wrong.c - ./run bench-svc, part wrong_frames: every codec and structure through losses of 1 to 5
 * % of the units and 10 to 30 % late ones. Counted are pictures shown that another decoder makes
 * something else of, and errors of the decoder; there must be none.
 *
 * usage: wrong [--pictures N] [--seeds N] [--check]: one JSON line a stream, and one for all
 */
#include "clip.h"

#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *codec, *structure;
} streams[] = {
    { "av1", "L1T1" },  { "av1", "L1T2" },  { "av1", "L1T3" },     { "av1", "L2T1" },
    { "av1", "L2T2" },  { "av1", "L2T3" },  { "av1", "L3T1" },     { "av1", "L3T2" },
    { "av1", "L3T3" },  { "av1", "L4T2" },  { "av1", "L3T2_KEY" }, { "av1", "L3T3_KEY" },
    { "vp9", "L1T1" },  { "vp9", "L1T3" },  { "vp9", "L2T2" },     { "vp9", "L3T1" },
    { "vp9", "L3T2" },  { "vp9", "L3T3" },  { "vp9", "L4T2" },     { "vp9", "L3T3_KEY" },
    { "h264", "L1T1" }, { "h264", "L1T2" }, { "h264", "L1T3" },
};

static void put(const char *codec, const char *structure, const struct outcome *o)
{
    printf("{\"codec\":\"%s\",\"structure\":\"%s\",\"units\":%llu,\"lost\":%llu,\"late\":%llu,"
           "\"late_taken\":%llu,\"shown\":%llu,\"wrong_frames\":%llu,\"decoder_errors\":%llu}\n",
           codec, structure, (unsigned long long)o->units, (unsigned long long)o->lost,
           (unsigned long long)o->late, (unsigned long long)o->late_taken,
           (unsigned long long)o->shown, (unsigned long long)o->wrong,
           (unsigned long long)o->errors);
    fflush(stdout);
}

static struct outcome try_stream(const char *codec, const char *structure, unsigned pictures,
                                 unsigned seeds)
{
    struct svc_encoder_config cfg;
    struct outcome o = { 0 };

    svc_encoder_config_init(&cfg);
    cfg.codec = codec;
    cfg.width = 256;
    cfg.height = 144;
    cfg.key_interval = 30;
    cfg.isolated = false;
    cfg.threads = 1;
    memset(cfg.bitrate_bps, 0, sizeof(cfg.bitrate_bps));
    if (svc_structure_parse(&cfg.structure, structure) < 0)
        abort();
    struct kept *k = kept_new(&cfg, pictures);

    for (unsigned seed = 1; seed <= seeds; seed++) {
        const struct trial t = { 1 + seed % 5, 10 + seed * 20 / seeds, seed };

        kept_try(k, &t, &o);
    }
    kept_free(k);
    return o;
}

static void add(struct outcome *all, const struct outcome *o)
{
    all->units += o->units;
    all->lost += o->lost;
    all->late += o->late;
    all->late_taken += o->late_taken;
    all->shown += o->shown;
    all->wrong += o->wrong;
    all->errors += o->errors;
}

int main(int argc, char **argv)
{
    unsigned pictures = 1000, seeds = 20;
    bool check = false;
    struct outcome all = { 0 };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0)
            check = true;
        else if (strcmp(argv[i], "--pictures") == 0 && i + 1 < argc)
            pictures = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = (unsigned)atoi(argv[++i]);
        else
            return fprintf(stderr, "usage: wrong [--pictures N] [--seeds N] [--check]\n"), 64;
    }
    if (pictures < 1 || seeds < 1)
        return 64;
    av_log_set_level(AV_LOG_QUIET);
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        const struct outcome o =
            try_stream(streams[i].codec, streams[i].structure, pictures, seeds);

        put(streams[i].codec, streams[i].structure, &o);
        add(&all, &o);
    }
    put("all", "all", &all);
    return check && (all.wrong || all.errors || !all.shown || !all.late_taken) ? 1 : 0;
}
