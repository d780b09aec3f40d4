/* confine_files.c - what of the file system there is, by Landlock (landlock(7)). */
#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define TRUNCATE (1ull << 14) /* LANDLOCK_ACCESS_FS_TRUNCATE, since Linux 6.2 */

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
#define WRITE                                                                             \
    (READ | WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
/* Never allowed anywhere: to start programs, to make devices, sockets, links. */
#define NEVER                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | WRITE_FILE) /* the rest is of folders */

struct rules {
    int fd;
    uint64_t handled; /* what this kernel knows */
};

/* What does not exist needs no rule. */
static void allow(const struct rules *r, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = access & r->handled };
    struct stat st;
    rule.parent_fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_FILES;
    (void)syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

/* A file and the folder that it is in, as it may be made anew there; of a name with conversions of
 * strftime(3) the folder in front of them. */
static void allow_named(const struct rules *r, const char *path, uint64_t access)
{
    char folder[PATH_SIZE];
    if (!path || strcmp(path, "-") == 0)
        return;
    allow(r, path, access);
    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ||
        snprintf(folder, sizeof folder, "%.*s", (int)strcspn(path, "%"), path) >= PATH_SIZE)
        return;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    allow(r, slash ? folder : ".", access);
}

static void allow_in_home(const struct rules *r, const char *name, uint64_t access)
{
    char path[PATH_SIZE];
    const char *home = getenv("HOME");
    if (home && home[0] == '/' && snprintf(path, sizeof path, "%s/%s", home, name) < PATH_SIZE)
        allow(r, path, access);
}

/* All of the system, but homes. */
static void allow_reading(const struct rules *r)
{
    static const char *const but[] = { ".", "..", "home", "root", "boot", "lost+found", NULL };
    char path[PATH_SIZE];
    DIR *top = opendir("/");
    for (const struct dirent *e = top ? readdir(top) : NULL; e; e = readdir(top)) {
        size_t i = 0;
        while (but[i] && strcmp(but[i], e->d_name) != 0)
            i++;
        if (!but[i] && snprintf(path, sizeof path, "/%s", e->d_name) < PATH_SIZE)
            allow(r, path, READ);
    }
    if (top)
        closedir(top);
}

static void allow_devices(const struct rules *r, const struct config_source *s)
{
    static const char *const pipeline[] = { "/dev/snd", "/dev/dri", "/dev/shm", NULL };
    char path[PATH_SIZE];
    const char *in = s->kind == CONFIG_LIVE && s->input ? s->input : "";
    if (strncmp(in, "v4l2:", 5) == 0) {
        snprintf(path, sizeof path, "%.*s", (int)strcspn(in + 5, "#"), in + 5);
        allow(r, path, OF_FILES);
    }
    if (strncmp(in, "gst:", 4) == 0 || strncmp(in, "x11:", 4) == 0 || s->sound) {
        for (size_t i = 0; pipeline[i]; i++)
            allow(r, pipeline[i], WRITE);
        for (int i = 0; i < 16; i++) {
            snprintf(path, sizeof path, "/dev/video%d", i);
            allow(r, path, OF_FILES);
        }
        allow(r, getenv("XAUTHORITY"), READ);
        allow_in_home(r, ".Xauthority", READ);
        allow_in_home(r, ".asoundrc", READ);
        allow_in_home(r, ".config/pulse", READ);
        allow_in_home(r, ".cache/gstreamer-1.0", WRITE);
    }
}

static void allow_sources(const struct rules *r, const struct config *c)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        const struct config_source *s = &c->source[i];
        allow_named(r, config_input_file(s), READ);
        allow_named(r, s->ca, READ);
        allow_named(r, s->token, READ);
        allow_named(r, s->record, WRITE);
        allow_devices(r, s);
    }
    for (size_t i = 0; i < c->n_pushes; i++) {
        allow_named(r, c->push[i].ca, READ);
        allow_named(r, c->push[i].token, READ);
    }
}

static void allow_configured(const struct rules *r, const struct config *c, const char *file)
{
    const char *const read[] = { file,
                                 c->cert,
                                 c->key,
                                 c->access.client_ca,
                                 c->access.token_key,
                                 c->control.token,
                                 c->transport.knowledge,
                                 c->transport.lb_key,
                                 getenv("TVL_KNOWLEDGE"),
                                 getenv("SSL_CERT_FILE"),
                                 getenv("SSL_CERT_DIR") };
    const char *const written[] = { c->json, c->keylog, c->policy_log, c->access.log };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        allow_named(r, read[i], READ);
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        allow_named(r, written[i], WRITE);
    if (c->qlog)
        (void)mkdir(c->qlog, 0777); /* what is not there could not be allowed */
    allow(r, c->qlog, WRITE);
    for (size_t i = 0; i < c->confine.n_writable; i++)
        allow(r, c->confine.writable[i], WRITE);
    for (size_t i = 0; i < c->confine.n_readable; i++)
        allow(r, c->confine.readable[i], READ);
}

int confine_files(const struct config *c, const char *file)
{
    struct landlock_ruleset_attr attr = { .handled_access_fs = WRITE | NEVER };
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 1 : -1;
    if (abi < 3)
        attr.handled_access_fs &= ~TRUNCATE;
    if (abi < 2)
        attr.handled_access_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    struct rules r = { .handled = attr.handled_access_fs };
    r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (r.fd < 0)
        return -1;
    allow_reading(&r);
    allow(&r, "/dev/null", OF_FILES);
    allow_sources(&r, c);
    allow_configured(&r, c, file);
    const long result = syscall(SYS_landlock_restrict_self, r.fd, 0);
    close(r.fd);
    return result == 0 ? 0 : -1;
}
