/* confine.c - see confine.h: who the process is, and its limits. */
#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

#define USER_DEFAULT "svc-server" /* made by the package */
#define DESCRIPTORS 1024 /* beside one for each viewer (qlog): sources, control, libraries */
#define PORTS_FREE 1024  /* from here on anybody may listen */

/* A port below 1024 is ours to open, and to open again. */
static bool needs_port(const char *listen)
{
    const char *colon = listen ? strrchr(listen, ':') : NULL;
    const int port = colon ? atoi(colon + 1) : 0;
    return port > 0 && port < PORTS_FREE;
}

/* Who to become; NULL: stay. 0 or -1: there is no such user. */
static int find_user(const char *name, const struct passwd **out, char *why, size_t why_size)
{
    *out = NULL;
    if (geteuid() != 0)
        return 0;
    *out = getpwnam(name ? name : USER_DEFAULT);
    if (*out && (*out)->pw_uid == 0)
        *out = NULL;
    else if (!*out && name) {
        snprintf(why, why_size, "confine.user: there is no user %.64s", name);
        return -1;
    }
    return 0;
}

/* More capabilities than the one to open a port? Under the service manager's filter those that are
 * not held cannot be given up. */
static bool holds_more(bool port)
{
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (capng_have_capability(CAPNG_PERMITTED, cap) && !(port && cap == CAP_NET_BIND_SERVICE))
            return true;
    return false;
}

static int drop_rights(const struct config *c, char *why, size_t why_size)
{
    const struct passwd *user;
    if (find_user(c->confine.user, &user, why, why_size) < 0)
        return -1;
    const bool port = (needs_port(c->listen) || needs_port(c->control.listen)) &&
                      capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
    const bool root = geteuid() == 0;
    const bool held = holds_more(port);
    capng_clear(CAPNG_SELECT_BOTH);
    if (port)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
    int result = 0;
    if (root && !user)
        (void)capng_apply(CAPNG_SELECT_BOUNDS); /* needs a right that a container may lack */
    if (user)
        result = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
                                 CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    else if (held)
        result = capng_apply(CAPNG_SELECT_CAPS);
    if (result != 0) {
        snprintf(why, why_size, "confinement: cannot become %.64s: %s",
                 user ? user->pw_name : "less than it is", strerror(errno));
        return -1;
    }
    if (user)
        log_line(LOG_INFO, "runs as user %s", user->pw_name);
    else if (root)
        log_line(LOG_INFO, "runs as root, which it need not: confine.user");
    return 0;
}

static void set_limits(uint32_t viewers_max)
{
    const struct rlimit none = { 0, 0 };
    struct rlimit files;
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    const rlim_t wanted = (rlim_t)viewers_max + DESCRIPTORS;
    if (files.rlim_cur < wanted) {
        files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur < wanted)
        log_line(LOG_INFO, "only %llu descriptors may be open, %llu may be needed",
                 (unsigned long long)files.rlim_cur, (unsigned long long)wanted);
}

static int part(int result, const char *lacks, const char *what, char *why, size_t why_size)
{
    if (result > 0)
        log_line(LOG_WARN, "confinement: the kernel has no %s: %s", lacks, what);
    if (result < 0)
        snprintf(why, why_size, "confinement: %s: %s", lacks, strerror(errno));
    return result < 0 ? -1 : 0;
}

int confine_enter(const struct config *c, const char *file, char *why, size_t why_size)
{
    set_limits(c->viewers_max);
    if (c->confine.mode == CONFINE_OFF)
        return 0;
    (void)setenv("GST_REGISTRY_FORK", "no", 1); /* GStreamer looks for plug-ins by a program */
    if (drop_rights(c, why, why_size) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        snprintf(why, why_size, "confinement: PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
        return -1;
    }
    return part(confine_files(c, file), "Landlock", "files are not confined", why, why_size) < 0 ||
                   part(confine_calls((enum config_confine_mode)c->confine.mode), "seccomp",
                        "system calls are not confined", why, why_size) < 0
               ? -1
               : 0;
}
