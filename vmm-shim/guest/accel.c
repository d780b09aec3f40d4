/*
 * accel.c - KVM or TCG, and why (accel.h): the verdict of this boot, kept in a file.
 */
#include "guest/accel.h"

#include "guest/kvm_probe.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/kvm"
#define PATH_ROOM 1024

static const char *const accel_names[] = { "auto", "kvm", "tcg" };
static const char *const verdict_names[] = { "works",  "absent", "refuses",
                                             "broken", "slow",   "failed" };
#define N_VERDICTS (sizeof verdict_names / sizeof *verdict_names)

int vmm_accel_parse(const char *word, enum vmm_accel *out)
{
    for (size_t i = 0; i < sizeof accel_names / sizeof *accel_names; i++)
        if (strcmp(word, accel_names[i]) == 0) {
            *out = (enum vmm_accel)i;
            return 0;
        }
    return -1;
}

const char *vmm_accel_name(enum vmm_accel accel)
{
    return accel_names[accel];
}

const char *vmm_kvm_verdict_name(enum vmm_kvm_verdict verdict)
{
    return verdict_names[verdict];
}

/* ---- the file ---- */

/* This boot of this kernel, as text. */
static void this_boot(char *out, size_t size)
{
    struct utsname u;
    char id[64] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (f) {
        if (!fgets(id, sizeof id, f))
            *id = 0;
        fclose(f);
    }
    id[strcspn(id, "\n")] = 0;
    snprintf(out, size, "%s %s", id, uname(&u) == 0 ? u.release : "");
}

static bool read_verdict(struct vmm_kvm_probe *out, const char *root)
{
    char path[PATH_ROOM], boot[256];
    const char *said, *why, *verdict;
    json_t *m;
    bool found = false;

    snprintf(path, sizeof path, "%s/accel.json", root);
    m = json_load_file(path, 0, NULL);
    this_boot(boot, sizeof boot);
    said = json_string_value(json_object_get(m, "boot"));
    why = json_string_value(json_object_get(m, "why"));
    verdict = json_string_value(json_object_get(m, "verdict"));
    for (size_t i = 0; said && why && verdict && i < N_VERDICTS && !found; i++)
        if (strcmp(said, boot) == 0 && strcmp(verdict, verdict_names[i]) == 0) {
            *out = (struct vmm_kvm_probe){
                .verdict = (enum vmm_kvm_verdict)i,
                .stage = (int)json_integer_value(json_object_get(m, "stage")),
                .cached = true,
            };
            snprintf(out->why, sizeof out->why, "%s", why);
            found = true;
        }
    json_decref(m);
    return found;
}

/* Nobody needs it; who cannot write it finds it out again. */
static void write_verdict(const struct vmm_kvm_probe *p, const char *root)
{
    char path[PATH_ROOM], fresh[PATH_ROOM + 32], boot[256];
    json_t *m;

    this_boot(boot, sizeof boot);
    snprintf(path, sizeof path, "%s/accel.json", root);
    snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid());
    m = json_pack("{s:s, s:s, s:i, s:s}", "boot", boot, "verdict", verdict_names[p->verdict],
                  "stage", p->stage, "why", p->why);
    if (m && json_dump_file(m, fresh, JSON_INDENT(1)) == 0 && rename(fresh, path) == 0)
        fresh[0] = 0;
    if (*fresh)
        unlink(fresh);
    json_decref(m);
}

/* ---- the verdict ---- */

void vmm_accel_verdict(struct vmm_kvm_probe *out, const char *root)
{
    struct vmm_kvm_probe trial;

    /* Rights change without a boot, and are soon asked. */
    if (access(DEVICE, R_OK | W_OK) == 0 && root && read_verdict(out, root))
        return;
    vmm_kvm_probe(out, DEVICE);
    if (out->verdict == VMM_KVM_WORKS) {
        vmm_kvm_trial(&trial, "kvm", VMM_KVM_TRIAL_MS);
        trial.ms += out->ms;
        *out = trial;
    }
    if (root && out->verdict != VMM_KVM_ABSENT)
        write_verdict(out, root);
}

void vmm_accel_failed(const char *root, const char *why)
{
    struct vmm_kvm_probe p = { .verdict = VMM_KVM_FAILED, .stage = 3 };

    snprintf(p.why, sizeof p.why, "a guest failed with it: %s", why);
    if (root)
        write_verdict(&p, root);
}

int vmm_accel_choose(enum vmm_accel wanted, const char *root, enum vmm_accel *chosen, char *line,
                     size_t line_size)
{
    struct vmm_kvm_probe p;

    *chosen = VMM_ACCEL_TCG;
    if (wanted == VMM_ACCEL_TCG) {
        snprintf(line, line_size, "guests are translated (TCG), as asked for");
        return 0;
    }
    vmm_accel_verdict(&p, root);
    if (p.verdict == VMM_KVM_WORKS) {
        *chosen = VMM_ACCEL_KVM;
        snprintf(line, line_size, "guests run on the CPU (KVM): %s", p.why);
        return 0;
    }
    if (wanted == VMM_ACCEL_KVM) {
        snprintf(line, line_size, "--accel kvm: KVM does not work here: %s", p.why);
        return -1;
    }
    snprintf(line, line_size, "guests are translated (TCG), as KVM does not work here: %s", p.why);
    return 0;
}

/* ---- the counter ---- */

#define MEASURE_NS 40000000
#define TRIES 20 /* of reading both clocks at once; the closest pair counts */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

#if defined(__x86_64__)

static uint64_t counter(void)
{
    return __builtin_ia32_rdtsc();
}

struct pair {
    int64_t ns;
    uint64_t ticks;
};

/* Both clocks at the same moment, as nearly as TRIES tell. */
static struct pair read_pair(void)
{
    struct pair best = { 0 };
    int64_t least = INT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        const int64_t before = now_ns();
        const uint64_t ticks = counter();
        const int64_t took = now_ns() - before;

        if (took < least) {
            least = took;
            best = (struct pair){ .ns = before + took / 2, .ticks = ticks };
        }
    }
    return best;
}

static uint32_t measure_khz(void)
{
    const struct timespec pause = { 0, MEASURE_NS };
    const struct pair a = read_pair();
    struct pair b;

    nanosleep(&pause, NULL);
    b = read_pair();
    if (b.ns <= a.ns || b.ticks <= a.ticks)
        return 0;
    return (uint32_t)((double)(b.ticks - a.ticks) * 1e6 / (double)(b.ns - a.ns) + 0.5);
}

#elif defined(__aarch64__)

/* What QEMU gives guests there as their counter. */
static uint32_t measure_khz(void)
{
    uint64_t hz;

    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return (uint32_t)(hz / 1000);
}

#else

static uint32_t measure_khz(void)
{
    return 0;
}

#endif

uint32_t vmm_accel_tsc_khz(void)
{
    return measure_khz();
}
