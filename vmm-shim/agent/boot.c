/* boot.c - see boot.h. What fails is said on the console, and the guest goes on as far as it can.
 */
#include "agent/boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/file.h"

#define ORDER_MAX 65536
#define COMMAND_LINE_MAX 4096
#define DISK_WAIT_MS 3000

void boot_mounts(void)
{
    static const struct {
        const char *type, *at, *options;
        unsigned long flags;
    } mounts[] = {
        { "devtmpfs", "/dev", "mode=0755", MS_NOSUID },
        { "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
        { "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV },
        { "devpts", "/dev/pts", "mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC },
    };

    umask(022);
    if (chmod("/", 0755) < 0) /* the kernel makes it as wide as /tmp */
        note("/: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        mkdir(mounts[i].at, 0755);
        if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags,
                  mounts[i].options) < 0 &&
            errno != EBUSY) /* devtmpfs may be there by the kernel's own doing */
            note("%s: %s", mounts[i].at, strerror(errno));
    }
    static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
                                            { "/proc/self/fd/0", "/dev/stdin" },
                                            { "/proc/self/fd/1", "/dev/stdout" },
                                            { "/proc/self/fd/2", "/dev/stderr" },
                                            { "/proc/mounts", "/etc/mtab" } };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
            note("%s: %s", links[i][1], strerror(errno));
}

static bool has_pci(void)
{
    DIR *d = opendir("/sys/bus/pci/devices");
    bool found = false;

    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = e->d_name[0] != '.';
    if (d)
        closedir(d);
    return found;
}

/* What the kernel's command line says to a module, "NAME.KEY=VALUE ..." as "KEY=VALUE ...": the
 * kernel gives it to those that are compiled in, modprobe to others, and here there is none. */
static void parameters(const char *name, char *out, size_t size)
{
    static char line[COMMAND_LINE_MAX];
    const size_t len = strlen(name);
    size_t n = 0;
    char *rest = NULL;

    file_line("/proc/cmdline", line, sizeof(line));
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (strncmp(word, name, len) != 0 || word[len] != '.')
            continue;
        const int more = snprintf(out + n, size - n, "%s%s", n ? " " : "", word + len + 1);
        if (more < 0 || (size_t)more >= size - n)
            break;
        n += (size_t)more;
    }
    out[n] = '\0';
}

static void load(const char *name)
{
    char path[128], options[COMMAND_LINE_MAX];

    snprintf(path, sizeof(path), "/lib/modules/%s.ko", name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    parameters(name, options, sizeof(options));
    if (fd < 0 || (syscall(SYS_finit_module, fd, options, 0) < 0 && errno != EEXIST))
        note("module %s: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    unlink(path); /* nobody loads it again: its memory is the guest's */
}

void boot_modules(bool disk)
{
    size_t len = 0;
    char *order = file_text("/lib/modules/order", ORDER_MAX, &len), *rest = NULL;
    const bool pci = has_pci();

    for (char *line = order ? strtok_r(order, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *name = strchr(line, ' ');
        if (!name)
            continue;
        *name++ = '\0';
        if (strcmp(line, "always") == 0 || (disk && strcmp(line, "disk") == 0) ||
            (pci && strcmp(line, "pci") == 0))
            load(name);
    }
    free(order);
}

void boot_disk(void)
{
    const struct timespec pause = { .tv_nsec = 5000000 };

    for (int waited = 0; waited < DISK_WAIT_MS; waited += 5) {
        if (mount("/dev/vda", "/disk", "iso9660", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0)
            return;
        if (errno != ENOENT)
            break;
        nanosleep(&pause, NULL);
    }
    note("the disk cannot be mounted: %s", strerror(errno));
}

_Noreturn void boot_end(void)
{
    sync();
    /* A PC without ACPI cannot be switched off; QEMU runs with -no-reboot, so this ends it too. */
#if defined(__aarch64__)
    reboot(RB_POWER_OFF);
#endif
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
