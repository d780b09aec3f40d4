/*
 * landlock.c - takes files away from a program by path (landlock.h, landlock(7)).
 */
#include "guest/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define OPEN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define MAKE \
    (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* Of version 1: what is not in here is not restricted. */
#define ALL                                                                                       \
    (READ | OPEN | MAKE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR |          \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What programs need of a system. */
static const char *const system_folders[] = { "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc",
                                              "/opt", "/nix", "/proc",  "/sys", NULL };

bool vmm_landlock_is_here(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static int allow_fd(int rules, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -1;
    if (!S_ISDIR(st.st_mode)) /* rights of folders mean nothing to files */
        rule.allowed_access &= LANDLOCK_ACCESS_FS_EXECUTE | OPEN;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        return 0;
    return errno == EBADFD ? 0 : -1; /* no path leads there (a memfd): it is not restricted */
}

static int allow(int rules, const char *path, uint64_t access)
{
    const int fd = open(path, O_PATH | O_CLOEXEC);
    int result;

    if (fd < 0)
        return 0; /* what is not there needs no right */
    result = allow_fd(rules, fd, access);
    close(fd);
    return result;
}

static int allow_all(int rules, const char *const *folder, const int *fd, size_t n_fds)
{
    for (const char *const *f = system_folders; *f; f++)
        if (allow(rules, *f, READ) != 0)
            return -1;
    if (allow(rules, "/dev", OPEN) != 0)
        return -1;
    for (; *folder; folder++)
        if (allow(rules, *folder, READ | OPEN | MAKE) != 0)
            return -1;
    for (size_t i = 0; i < n_fds; i++)
        if (allow_fd(rules, fd[i], OPEN | LANDLOCK_ACCESS_FS_EXECUTE) != 0)
            return -1;
    return 0;
}

int vmm_landlock(const char *const *folder, const int *fd, size_t n_fds)
{
    const struct landlock_ruleset_attr attr = { .handled_access_fs = ALL };
    int rules, result = -1;

    if (!vmm_landlock_is_here())
        return 1;
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0)
        return -1;
    if (allow_all(rules, folder, fd, n_fds) == 0)
        result = (int)syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return result;
}
