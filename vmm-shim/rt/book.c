/*
 * book.c - the file of promises.
 */
#include "rt/book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* When `pid` started, in clock ticks since boot; 0: it is gone. Tells it from a later process of
 * the same number. */
static json_int_t started(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    char *field = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    for (int i = 2; field && i < 22; i++) { /* field 2 is the name; 22 the start */
        field = strchr(field + 1, ' ');
        if (field && i == 2 && (field[1] == 'Z' || field[1] == 'X'))
            return 0;
    }
    return field ? (json_int_t)strtoll(field, NULL, 10) : 0;
}

static json_t *claim_to_json(const struct vmm_claim *c)
{
    return json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:b, s:I}", "node", c->node, "policy",
                     (int)c->policy, "threads", (int)c->threads, "real_time_ppm",
                     (json_int_t)c->real_time_ppm, "quota_ppm", (json_int_t)c->quota_ppm,
                     "demand_ppm", (json_int_t)c->demand_ppm, "cpus", (json_int_t)c->cpus, "chosen",
                     (int)c->chosen, "memory_bytes", (json_int_t)c->memory_bytes);
}

static int claim_from_json(struct vmm_claim *c, const char *slice, json_t *j)
{
    const char *node;
    int policy, threads, chosen;
    json_int_t real_time, quota, demand, cpus, memory;
    if (json_unpack(j, "{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:b, s:I}", "node", &node, "policy",
                    &policy, "threads", &threads, "real_time_ppm", &real_time, "quota_ppm", &quota,
                    "demand_ppm", &demand, "cpus", &cpus, "chosen", &chosen, "memory_bytes",
                    &memory) < 0 ||
        policy < VMM_POLICY_NONE || policy > VMM_POLICY_DEADLINE || threads < 1)
        return -1;
    *c = (struct vmm_claim){ .policy = (enum vmm_policy)policy,
                             .threads = (unsigned)threads,
                             .real_time_ppm = (uint32_t)real_time,
                             .quota_ppm = (uint32_t)quota,
                             .demand_ppm = (uint32_t)demand,
                             .cpus = (uint64_t)cpus,
                             .chosen = chosen != 0,
                             .memory_bytes = (uint64_t)memory };
    snprintf(c->slice, sizeof c->slice, "%s", slice);
    snprintf(c->node, sizeof c->node, "%s", node);
    return 0;
}

/* Keeps the entries of keepers that live and are not `slice`'s. */
static void take_entries(struct vmm_book *b, json_t *file, const char *slice)
{
    size_t i, k;
    json_t *entry, *claim;
    json_array_foreach(json_object_get(file, "slices"), i, entry)
    {
        const char *name;
        json_int_t keeper, start;
        json_t *claims;
        if (json_unpack(entry, "{s:s, s:I, s:I, s:o}", "slice", &name, "keeper", &keeper, "start",
                        &start, "claims", &claims) < 0 ||
            strcmp(name, slice) == 0 || start == 0 || started((pid_t)keeper) != start)
            continue;
        json_array_append(b->slices, entry);
        json_array_foreach(claims, k, claim) if (b->n_held < VMM_CLAIMS_MAX &&
                                                 claim_from_json(&b->held[b->n_held], name,
                                                                 claim) == 0) b->n_held++;
    }
}

int vmm_book_open(struct vmm_book *b, const char *root, const char *slice, char *why,
                  size_t why_size)
{
    char path[VMM_PATH_MAX + 32];
    *b = (struct vmm_book){ .lock = -1 };
    snprintf(b->path, sizeof b->path, "%s/admission.json", root);
    snprintf(path, sizeof path, "%s/.admission.lock", root);
    b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (b->lock < 0 || flock(b->lock, LOCK_EX) < 0) {
        snprintf(why, why_size, "book of promises: %s: %s", path, strerror(errno));
        return -1;
    }
    b->slices = json_array();
    b->held = calloc(VMM_CLAIMS_MAX, sizeof *b->held);
    if (!b->slices || !b->held) {
        snprintf(why, why_size, "out of memory");
        return -1;
    }
    json_t *file = json_load_file(b->path, 0, NULL);
    take_entries(b, file, slice);
    json_decref(file);
    return 0;
}

int vmm_book_write(struct vmm_book *b, const char *slice, const struct vmm_claim *own, size_t n,
                   char *why, size_t why_size)
{
    char path[VMM_PATH_MAX + 32];
    if (n > 0) {
        json_t *claims = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(claims, claim_to_json(&own[i]));
        json_array_append_new(b->slices, json_pack("{s:s, s:I, s:I, s:o}", "slice", slice, "keeper",
                                                   (json_int_t)getpid(), "start", started(getpid()),
                                                   "claims", claims));
    }
    json_t *file = json_pack("{s:O}", "slices", b->slices);
    snprintf(path, sizeof path, "%s.new", b->path);
    int r = file ? json_dump_file(file, path, JSON_COMPACT) : -1;
    json_decref(file);
    if (r == 0 && json_array_size(b->slices) == 0) {
        unlink(path); /* nobody is promised anything: nothing is left behind */
        unlink(b->path);
        return 0;
    }
    if (r < 0 || rename(path, b->path) < 0) {
        snprintf(why, why_size, "book of promises: %s: %s", b->path, strerror(errno));
        return -1;
    }
    return 0;
}

void vmm_book_close(struct vmm_book *b)
{
    if (b->lock >= 0)
        close(b->lock);
    json_decref(b->slices);
    free(b->held);
    *b = (struct vmm_book){ .lock = -1 };
}
