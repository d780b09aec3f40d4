/* isolate.c - see isolate.h. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALIGN 64u         /* bytes, of planes */
#define UNIT_SPARE 65536u /* bytes a unit may have beyond its layer's raw size */
#define CHILD_FD_MIN 3
#define CHILD_FD_MAX 1024

struct request {
    uint64_t picture;
    uint32_t n;
    struct svc_coding coding[SVC_SPATIAL_MAX]; /* its pointers mean nothing over there */
};

struct answer {
    int32_t err;
    size_t len[SVC_SPATIAL_MAX];
};

struct svc_isolate {
    const struct svc_codec *codec;
    struct svc_encoder_config cfg;
    struct svc_stream_info info;
    pid_t pid; /* 0: none runs */
    int fd;    /* our end of the socket */
    uint8_t *shared;
    size_t shared_len;
    size_t plane_at[3], stride[3];
    size_t unit_at[SVC_SPATIAL_MAX], unit_cap[SVC_SPATIAL_MAX];
    uint64_t copies;
};

/* ---- shared memory: planes, then the units of each layer ---- */

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static int map_shared(struct svc_isolate *iso)
{
    size_t at = 0;

    for (int p = 0; p < 3; p++) {
        const size_t width = p ? (iso->cfg.width + 1u) / 2 : iso->cfg.width;
        const size_t rows = p ? (iso->cfg.height + 1u) / 2 : iso->cfg.height;

        iso->plane_at[p] = at;
        iso->stride[p] = aligned(width);
        at += iso->stride[p] * rows;
    }
    for (unsigned s = 0; s < iso->info.n_spatial; s++) {
        const struct svc_layer_info *l = &iso->info.layers[s];
        const size_t cap = (size_t)l->width * l->height * 3 / 2 + UNIT_SPARE;

        iso->unit_at[s] = at;
        iso->unit_cap[s] = aligned(cap < SVC_UNIT_MAX ? cap : SVC_UNIT_MAX);
        at += iso->unit_cap[s];
    }
    void *shared = mmap(NULL, at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return SVC_ERR_NOMEM;
    iso->shared = shared;
    iso->shared_len = at;
    return 0;
}

struct svc_image_buffer svc_isolate_image(struct svc_isolate *iso)
{
    struct svc_image_buffer b = { .width = iso->cfg.width, .height = iso->cfg.height };

    for (int p = 0; p < 3; p++) {
        b.plane[p] = iso->shared + iso->plane_at[p];
        b.stride[p] = (ptrdiff_t)iso->stride[p];
    }
    return b;
}

uint64_t svc_isolate_copies(const struct svc_isolate *iso)
{
    return iso->copies;
}

static struct svc_image image_of(struct svc_isolate *iso)
{
    const struct svc_image_buffer b = svc_isolate_image(iso);
    struct svc_image img = { .width = b.width, .height = b.height };

    for (int p = 0; p < 3; p++) {
        img.plane[p] = b.plane[p];
        img.stride[p] = b.stride[p];
    }
    return img;
}

static void copy_in(struct svc_isolate *iso, const struct svc_image *img)
{
    const struct svc_image_buffer to = svc_isolate_image(iso);
    bool copied = false;

    for (int p = 0; p < 3; p++) {
        const size_t width = p ? (img->width + 1u) / 2 : img->width;
        const size_t rows = p ? (img->height + 1u) / 2 : img->height;

        if (img->plane[p] == to.plane[p] && img->stride[p] == to.stride[p])
            continue;
        for (size_t y = 0; y < rows; y++)
            memcpy(to.plane[p] + y * (size_t)to.stride[p],
                   img->plane[p] + (ptrdiff_t)y * img->stride[p], width);
        copied = true;
    }
    iso->copies += copied;
}

/* ---- the child ---- */

static void serve(struct svc_isolate *iso, void *state, int fd)
{
    const struct svc_image img = image_of(iso);
    struct request q;

    while (recv(fd, &q, sizeof q, 0) == (ssize_t)sizeof q && q.n <= SVC_SPATIAL_MAX) {
        struct answer a = { .err = iso->codec->encode(state, &img, q.picture, q.coding, q.n) };

        for (uint32_t i = 0; a.err == 0 && i < q.n; i++) {
            a.len[i] = q.coding[i].len;
            if (a.len[i] > iso->unit_cap[i])
                a.err = SVC_ERR_CODEC;
            else
                memcpy(iso->shared + iso->unit_at[i], q.coding[i].bytes, a.len[i]);
        }
        if (send(fd, &a, sizeof a, MSG_NOSIGNAL) != (ssize_t)sizeof a)
            break;
    }
}

/* Nothing of the program's is kept open: a viewer's socket must close when the program closes it.
 */
static void keep_only(int fd)
{
    for (int i = CHILD_FD_MIN; i < CHILD_FD_MAX; i++)
        if (i != fd)
            close(i);
}

__attribute__((noreturn)) static void be_child(struct svc_isolate *iso, int fd, pid_t parent)
{
    struct svc_stream_info info = iso->info;
    struct answer a = { .err = 0 };
    void *state = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    signal(SIGINT, SIG_IGN); /* a terminal's; the parent decides */
    signal(SIGTERM, SIG_DFL);
    keep_only(fd);
    a.err = iso->codec->encoder_open(&state, &iso->cfg, &info);
    if (send(fd, &a, sizeof a, MSG_NOSIGNAL) == (ssize_t)sizeof a &&
        send(fd, &info, sizeof info, MSG_NOSIGNAL) == (ssize_t)sizeof info && a.err == 0)
        serve(iso, state, fd);
    _exit(0); /* the codec's memory goes with us */
}

/* ---- the parent ---- */

/* Ends it, if it has not ended. */
static void reap(struct svc_isolate *iso)
{
    if (iso->pid > 0) {
        kill(iso->pid, SIGKILL);
        while (waitpid(iso->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        close(iso->fd);
    }
    iso->pid = 0;
    iso->fd = -1;
}

/* A whole message in time; false: it has died, or hangs. */
static bool hear(struct svc_isolate *iso, void *message, size_t len)
{
    struct pollfd p = { .fd = iso->fd, .events = POLLIN };
    int ready;

    do
        ready = poll(&p, 1, SVC_ISOLATE_PATIENCE_MS);
    while (ready < 0 && errno == EINTR);
    return ready == 1 && recv(iso->fd, message, len, 0) == (ssize_t)len;
}

static int start(struct svc_isolate *iso, struct svc_stream_info *info)
{
    const pid_t parent = getpid();
    struct answer a;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return SVC_ERR_NOMEM;
    const pid_t pid = fork();
    if (pid < 0) {
        close(pair[0]);
        close(pair[1]);
        return SVC_ERR_NOMEM;
    }
    if (pid == 0)
        be_child(iso, pair[1], parent);
    close(pair[1]);
    iso->pid = pid;
    iso->fd = pair[0];
    if (!hear(iso, &a, sizeof a) || !hear(iso, info, sizeof *info))
        a.err = SVC_ERR_CODEC;
    if (a.err < 0)
        reap(iso);
    return a.err;
}

int svc_isolate_open(struct svc_isolate **out, const struct svc_codec *codec,
                     const struct svc_encoder_config *cfg, struct svc_stream_info *info)
{
    struct svc_isolate *iso = calloc(1, sizeof *iso);

    if (!iso)
        return SVC_ERR_NOMEM;
    *iso = (struct svc_isolate){ .codec = codec, .cfg = *cfg, .info = *info, .fd = -1 };
    int err = map_shared(iso);
    if (err == 0)
        err = start(iso, info);
    if (err < 0) {
        svc_isolate_close(iso);
        return err;
    }
    *out = iso;
    return 0;
}

int svc_isolate_encode(struct svc_isolate *iso, const struct svc_image *img, uint64_t picture,
                       struct svc_coding *coding, size_t n)
{
    struct request q = { .picture = picture, .n = (uint32_t)n };
    struct svc_stream_info info;
    struct answer a = { .err = 0 };

    if (img)
        copy_in(iso, img);
    if (iso->pid == 0) {
        const int err = start(iso, &info);
        if (err < 0)
            return err;
    }
    memcpy(q.coding, coding, n * sizeof coding[0]);
    if (send(iso->fd, &q, sizeof q, MSG_NOSIGNAL) != (ssize_t)sizeof q ||
        !hear(iso, &a, sizeof a) || a.err < 0) {
        reap(iso);
        return SVC_ERR_CODEC;
    }
    for (size_t i = 0; i < n; i++) {
        coding[i].bytes = iso->shared + iso->unit_at[i];
        coding[i].len = a.len[i];
    }
    return 0;
}

void svc_isolate_close(struct svc_isolate *iso)
{
    if (!iso)
        return;
    reap(iso);
    if (iso->shared)
        munmap(iso->shared, iso->shared_len);
    free(iso);
}
