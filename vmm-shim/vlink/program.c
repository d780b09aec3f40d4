/* program.c - see program.h. */
#include "program.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/vmm/program.h"

typedef enum vmm_verdict judge_fn(struct vmm_context *c, const struct vmm_frame *f);

struct vlink_program {
    struct vlink_filter filter; /* first */
    void *object;
    judge_fn *judge;
    uint64_t number[VLINK_WAYS];
    char *path, *link, *argument;
    struct vmm_context context;
};

static enum vlink_verdict judge(struct vlink_filter *filter, const struct vlink_frame *f,
                                const char *tenant, vlink_time now, uint64_t *delay_ns)
{
    struct vlink_program *p = (struct vlink_program *)filter;
    const struct vmm_frame frame = { .bytes = f->bytes,
                                     .len = f->len,
                                     .way = f->way,
                                     .time_ns = now,
                                     .number = p->number[f->way]++,
                                     .tenant = tenant };
    p->context.delay_ns = 0;
    switch (p->judge(&p->context, &frame)) {
    case VMM_DROP:
        return VLINK_LET_DROP;
    case VMM_MARK:
        return VLINK_LET_MARK;
    case VMM_DELAY:
        *delay_ns = p->context.delay_ns < VMM_DELAY_MAX_NS ? p->context.delay_ns : VMM_DELAY_MAX_NS;
        return VLINK_LET_WAIT;
    default:
        return VLINK_LET_PASS;
    }
}

/* The object's function into p->judge. */
static int open_object(struct vlink_program *p, const char *path, char *why, size_t why_size)
{
    if (!strchr(path, '/')) {
        snprintf(why, why_size, "program %.128s: give it as a path, like ./%.128s", path, path);
        return -1;
    }
    p->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!p->object) {
        snprintf(why, why_size, "program %.200s", dlerror());
        return -1;
    }
    const uint32_t *version = dlsym(p->object, "vmm_program_version");
    void *function = dlsym(p->object, "vmm_program");
    if (!version || !function) {
        snprintf(why, why_size, "program %.128s has no vmm_program(): see <vmm/program.h>", path);
        return -1;
    }
    if (*version != VMM_PROGRAM_VERSION) {
        snprintf(why, why_size,
                 "program %.128s is for version %u of <vmm/program.h>, this is %u: compile it anew",
                 path, *version, VMM_PROGRAM_VERSION);
        return -1;
    }
    memcpy(&p->judge, &function, sizeof p->judge);
    return 0;
}

int vlink_program_load(struct vlink_program **out, const char *path, const char *link,
                       const char *argument, uint64_t seed, char *why, size_t why_size)
{
    struct vlink_program *p = calloc(1, sizeof *p);
    if (p) {
        p->path = strdup(path);
        p->link = strdup(link);
        p->argument = strdup(argument);
    }
    if (!p || !p->path || !p->link || !p->argument) {
        snprintf(why, why_size, "out of memory");
        goto free;
    }
    if (open_object(p, path, why, why_size) < 0)
        goto free;
    p->filter.judge = judge;
    p->context.version = VMM_PROGRAM_VERSION;
    p->context.size = sizeof p->context;
    p->context.link = p->link;
    p->context.argument = p->argument;
    p->context.seed = seed;
    *out = p;
    return 0;
free:
    vlink_program_free(p);
    return -1;
}

void vlink_program_free(struct vlink_program *p)
{
    if (!p)
        return;
    if (p->object)
        dlclose(p->object);
    free(p->path);
    free(p->link);
    free(p->argument);
    free(p);
}

struct vlink_filter *vlink_program_filter(struct vlink_program *p)
{
    return p ? &p->filter : NULL;
}

const char *vlink_program_path(const struct vlink_program *p)
{
    return p->path;
}
