/* container.c - see container.h. */
#include "container.h"

#include <string.h>
#include <strings.h>

static const struct kind {
    const char *name, *ending, *demuxer, *muxer;
    const char *codecs[4]; /* beginnings of RFC 6381 strings */
    bool sound;
} kinds[] = {
    [SVC_MKV] = { "mkv", ".mkv", "matroska", "matroska", { "av01", "vp09", "avc" }, true },
    [SVC_WEBM] = { "webm", ".webm", "matroska", "webm", { "av01", "vp09" }, true },
    [SVC_MP4] = { "mp4", ".mp4", "mov", "mp4", { "av01", "vp09", "avc" }, true },
    [SVC_IVF] = { "ivf", ".ivf", "ivf", "ivf", { "av01", "vp09" }, false },
    [SVC_OBU_FILE] = { "obu", ".obu", "obu", "obu", { "av01" }, false },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum svc_container svc_container_of_head(const uint8_t *head, size_t len)
{
    if (len >= 4 && memcmp(head, "\x1a\x45\xdf\xa3", 4) == 0)
        return memmem(head, len < 64 ? len : 64, "webm", 4) ? SVC_WEBM : SVC_MKV;
    if (len >= 8 && memcmp(head + 4, "ftyp", 4) == 0)
        return SVC_MP4;
    if (len >= 4 && memcmp(head, "DKIF", 4) == 0)
        return SVC_IVF;
    if (len >= 2 && head[0] == 0x12 && head[1] == 0)
        return SVC_OBU_FILE;
    return SVC_NO_CONTAINER;
}

enum svc_container svc_container_of_path(const char *path)
{
    const size_t len = strlen(path);

    for (size_t i = SVC_MKV; i < N_KINDS; i++) {
        const size_t n = strlen(kinds[i].ending);

        if (len > n && strcasecmp(path + len - n, kinds[i].ending) == 0)
            return (enum svc_container)i;
    }
    return SVC_MKV;
}

bool svc_container_has_sound(enum svc_container c)
{
    return kinds[c].sound;
}

const char *svc_container_name(enum svc_container c)
{
    return c != SVC_NO_CONTAINER ? kinds[c].name : "";
}

const char *svc_container_demuxer(enum svc_container c)
{
    return kinds[c].demuxer;
}

const char *svc_container_muxer(enum svc_container c)
{
    return kinds[c].muxer;
}

const char *svc_container_lacks(enum svc_container c, const char *codec, bool sound)
{
    const struct kind *k = &kinds[c];
    bool held = false;

    for (size_t i = 0; i < sizeof(k->codecs) / sizeof(k->codecs[0]) && k->codecs[i]; i++)
        held |= strncmp(codec, k->codecs[i], strlen(k->codecs[i])) == 0;
    if (!held)
        return "such a file does not carry this codec";
    return sound && !svc_container_has_sound(c) ? "such a file carries no sound" : NULL;
}
