/* program.c - where our own programs for guests are: see vmm_image_program in image.h. */
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Folders relative to that of this program: installed, build tree, a build tree's tests. */
static const char *const below[] = { "../libexec/vmm-shim",
                                     "libexec",
                                     "../libexec",
                                     "../vmm-shim/libexec",
                                     "../../vmm-shim/libexec",
                                     "../../../vmm-shim/libexec" };

static int look(const char *folder, const char *name, const char *arch, char out[VMM_PATH_MAX])
{
    const int n = snprintf(out, VMM_PATH_MAX, "%s/%s/%s", folder, arch, name);

    return n < VMM_PATH_MAX && access(out, R_OK) == 0 ? 0 : -1;
}

int vmm_image_program(const char *name, const char *arch, char out[VMM_PATH_MAX], char *why,
                      size_t why_size)
{
    char self[VMM_PATH_MAX], folder[VMM_PATH_MAX + 64];
    const char *named = getenv("VMM_SHIM_LIBEXEC");

    if (strchr(name, '/')) {
        snprintf(why, why_size, "%s is a path, not the name of a program", name);
        return -1;
    }
    if (named && *named && look(named, name, arch, out) == 0)
        return 0;
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
            snprintf(folder, sizeof(folder), "%s/%s", self, below[i]);
            if (look(folder, name, arch, out) == 0)
                return 0;
        }
    }
    snprintf(why, why_size, "%s for %s guests is not installed%s", name, arch,
             strcmp(arch, "amd64") == 0 ? "" : "; it is built where the cross compiler is");
    return -1;
}
