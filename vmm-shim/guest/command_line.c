/*
 * command_line.c - a guest as words for QEMU 7.2 and later (command_line.h).
 *
 * Every word has its reason in docs/vmm.md or beside it here. The order of -device words is part of
 * what a moved state needs: it is that of the configuration.
 */
#include "guest/command_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's translation buffer; locked with the rest of its memory, and 1 GiB if nothing is said. */
#define TB_SIZE_MIB 32
#define TB_SIZE_SMALL_MIB 8 /* of a guest as small as this: its memory is its merit */
#define SMALL_GUEST (UINT64_C(64) << 20)

/* How machines of an architecture differ. */
struct machine {
    const char *arch, *qemu, *machine, *cpu;
    bool tsc; /* Linux wants to be told the frequency of its counter */
};

static const struct machine machines[] = {
    { "amd64", "qemu-system-x86_64", "microvm", "max", true },
    /* -cpu max costs five times as much to translate */
    { "arm64", "qemu-system-aarch64", "virt", "cortex-a57", false },
    { NULL, NULL, NULL, NULL, false },
};

static const struct machine *machine_of(const char *arch)
{
    for (const struct machine *m = machines; m->arch; m++)
        if (strcmp(m->arch, *arch ? arch : "amd64") == 0)
            return m;
    return NULL;
}

static const char *or_default(const char *text, const char *otherwise)
{
    return *text ? text : otherwise;
}

/* ---- words ---- */

struct line {
    struct vmm_words *w;
    bool failed;
};

static void say(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct line *l, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (l->w->n >= VMM_WORDS_MAX || vasprintf(&text, format, args) < 0)
        l->failed = true;
    else
        l->w->word[l->w->n++] = text;
    va_end(args);
}

void vmm_words_fini(struct vmm_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->word[i]);
    *w = (struct vmm_words){ 0 };
}

/* QEMU ends a value at a comma; two are one. */
static const char *escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text && n + 2 < size; text++) {
        if (*text == ',')
            out[n++] = ',';
        out[n++] = *text;
    }
    out[n] = 0;
    return out;
}

/* ---- parts ---- */

static void say_machine(struct line *l, const struct vmm_guest_config *c, const struct machine *m)
{
    char name[2 * VMM_NAME_MAX];

    say(l, "%s", or_default(c->qemu, m->qemu));
    say(l, "-name");
    say(l, "%s,debug-threads=on", escape(c->name, name, sizeof name));
    say(l, "-machine");
    say(l, "%s,memory-backend=mem", or_default(c->machine, m->machine));
    say(l, "-accel");
    if (c->accel == VMM_ACCEL_KVM)
        say(l, "kvm");
    else
        say(l, "tcg,tb-size=%d", c->memory_bytes <= SMALL_GUEST ? TB_SIZE_SMALL_MIB : TB_SIZE_MIB);
    say(l, "-cpu");
    say(l, "%s", c->accel == VMM_ACCEL_KVM ? "host" : or_default(c->cpu, m->cpu));
    say(l, "-smp");
    say(l, "%u", c->vcpus);
    say(l, "-m");
    say(l, "%" PRIu64 "K", c->memory_bytes >> 10);
    say(l, "-object"); /* shared: another QEMU on this host can take it over as it is */
    say(l, "memory-backend-file,id=mem,size=%" PRIu64 "K,mem-path=/proc/self/fd/%d,share=on",
        c->memory_bytes >> 10, VMM_FD_RAM);
    if (c->lock_memory) {
        say(l, "-overcommit");
        say(l, "mem-lock=on");
    }
}

/* Nothing but what is named, and no system calls that a guest's devices do not need. */
static void say_confinement(struct line *l)
{
    static const char *const words[] = {
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-global",
        "virtio-mmio.force-legacy=false",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        say(l, "%s", words[i]);
}

static void say_system(struct line *l, const struct vmm_guest_config *c, const struct machine *m)
{
    char tsc[80] = "";

    say(l, "-kernel");
    say(l, "/proc/self/fd/%d", VMM_FD_KERNEL);
    if (*c->initrd) {
        say(l, "-initrd");
        say(l, "/proc/self/fd/%d", VMM_FD_INITRD);
    }
    if (m->tsc && c->tsc_khz) /* else some boots stop, and the clock of others is a slow one */
        snprintf(tsc, sizeof tsc, "%spci=off tsc=reliable tsc_early_khz=%" PRIu32,
                 *c->append ? " " : "", c->tsc_khz); /* and a bus that is not there is not probed */
    if (*c->append || *tsc) {
        say(l, "-append");
        say(l, "%s%s", c->append, tsc);
    }
    if (*c->disk) {
        say(l, "-blockdev");
        say(l, "driver=file,node-name=disk,read-only=on,locking=off,filename=/proc/self/fd/%d",
            VMM_FD_DISK);
        say(l, "-device");
        say(l, "virtio-blk-device,drive=disk");
    }
}

static void say_consoles(struct line *l, const struct vmm_guest_config *c)
{
    char folder[2 * VMM_SOCKET_MAX];

    escape(c->folder, folder, sizeof folder);
    say(l, "-chardev");
    say(l, "file,id=serial,path=%s/serial.log,append=on", folder);
    say(l, "-serial");
    say(l, "chardev:serial");
    say(l, "-chardev");
    say(l, "socket,id=qmp,path=%s/qmp,server=on,wait=off", folder);
    say(l, "-mon");
    say(l, "chardev=qmp,mode=control");
    say(l, "-device");
    say(l, "virtio-serial-device");
    say(l, "-chardev");
    say(l, "socket,id=agent,path=%s/agent,server=on,wait=off", folder);
    say(l, "-device");
    say(l, "virtserialport,chardev=agent,name=svc.agent");
}

static void say_nic(struct line *l, const struct vmm_guest_nic *nic, size_t i)
{
    char local[2 * VMM_SOCKET_MAX], remote[2 * VMM_SOCKET_MAX];
    const uint8_t *a = nic->mac;

    say(l, "-netdev");
    say(l, "dgram,id=net%zu,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s", i,
        escape(nic->local, local, sizeof local), escape(nic->remote, remote, sizeof remote));
    say(l, "-device");
    say(l, "virtio-net-device,netdev=net%zu,mac=%02x:%02x:%02x:%02x:%02x:%02x", i, a[0], a[1], a[2],
        a[3], a[4], a[5]);
}

int vmm_command_line(struct vmm_words *out, const struct vmm_guest_config *c, char *why,
                     size_t why_size)
{
    const struct machine *m = machine_of(c->arch);
    struct line l = { .w = out };
    char path[VMM_SOCKET_MAX];

    *out = (struct vmm_words){ 0 };
    if (!m || c->accel == VMM_ACCEL_AUTO) {
        snprintf(why, why_size,
                 m ? "no accelerator was chosen"
                   : "\"%s\" is no architecture of guests"
                     " (amd64, arm64)",
                 c->arch);
        return -1;
    }
    if (vmm_guest_path(c, "agent", path) != 0) {
        snprintf(why, why_size, "%s: longer than the path of a socket may be", c->folder);
        return -1;
    }
    say_machine(&l, c, m);
    say_confinement(&l);
    say_system(&l, c, m);
    say_consoles(&l, c);
    for (size_t i = 0; i < c->n_nics; i++)
        say_nic(&l, &c->nic[i], i);
    if (c->incoming) {
        say(&l, "-incoming");
        say(&l, "defer");
    }
    if (!l.failed)
        return 0;
    vmm_words_fini(out);
    snprintf(why, why_size, "QEMU's command line has more than %d words", VMM_WORDS_MAX);
    return -1;
}

int vmm_guest_path(const struct vmm_guest_config *c, const char *what, char out[VMM_SOCKET_MAX])
{
    const int n = snprintf(out, VMM_SOCKET_MAX, "%s/%s", c->folder, what);

    return n > 0 && n < VMM_SOCKET_MAX ? 0 : -1;
}

/* ---- what two guests have in common ---- */

/* FNV-1a, 64 bits: tells configurations apart, keeps no secrets. */
static uint64_t mix(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 0x100000001b3;
    return (h ^ 0xff) * 0x100000001b3; /* the end of a word counts */
}

static const char *cpu_of(const struct vmm_guest_config *c, const struct machine *m)
{
    return c->accel == VMM_ACCEL_KVM ? "host" : or_default(c->cpu, m ? m->cpu : "");
}

/* The parts that count, as texts; the same for both sides. */
static void parts(const struct vmm_guest_config *c, char part[7][160])
{
    const struct machine *m = machine_of(c->arch);

    memset(part, 0, 7 * sizeof part[0]);
    snprintf(part[0], sizeof part[0], "%s guest", c->arch);
    snprintf(part[1], sizeof part[1], "machine %s", or_default(c->machine, m ? m->machine : ""));
    snprintf(part[2], sizeof part[2], "CPU %s (%s)", cpu_of(c, m), vmm_accel_name(c->accel));
    snprintf(part[3], sizeof part[3], "%u vCPU%s", c->vcpus, c->vcpus == 1 ? "" : "s");
    if (c->memory_bytes % (1 << 20))
        snprintf(part[4], sizeof part[4], "%" PRIu64 " KiB of memory", c->memory_bytes >> 10);
    else
        snprintf(part[4], sizeof part[4], "%" PRIu64 " MiB of memory", c->memory_bytes >> 20);
    snprintf(part[5], sizeof part[5], "%s", *c->disk ? "a disk" : "no disk");
    snprintf(part[6], sizeof part[6], "%zu NIC%s", c->n_nics, c->n_nics == 1 ? "" : "s");
}

static void mac_text(const struct vmm_guest_nic *nic, char out[18])
{
    const uint8_t *a = nic->mac;

    snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4], a[5]);
}

void vmm_guest_print(const struct vmm_guest_config *c, char out[17])
{
    uint64_t h = 0xcbf29ce484222325;
    char part[7][160], mac[18];

    parts(c, part);
    for (size_t i = 0; i < 7; i++)
        h = mix(h, part[i]);
    for (size_t i = 0; i < c->n_nics; i++) {
        mac_text(&c->nic[i], mac);
        h = mix(h, mac);
    }
    snprintf(out, 17, "%016" PRIx64, h);
}

void vmm_guest_difference(const struct vmm_guest_config *here, const struct vmm_guest_config *there,
                          char *out, size_t size)
{
    char a[7][160], b[7][160], mac[2][18];
    size_t n = 0;

    *out = 0;
    parts(here, a);
    parts(there, b);
    for (size_t i = 0; i < 7 && n < size; i++)
        if (strcmp(a[i], b[i]) != 0)
            n += (size_t)snprintf(out + n, size - n, "%s%s here, %s there", n ? "; " : "", a[i],
                                  b[i]);
    for (size_t i = 0; i < here->n_nics && i < there->n_nics && n < size; i++) {
        mac_text(&here->nic[i], mac[0]);
        mac_text(&there->nic[i], mac[1]);
        if (strcmp(mac[0], mac[1]) != 0)
            n += (size_t)snprintf(out + n, size - n, "%sNIC %zu is %s here, %s there",
                                  n ? "; " : "", i, mac[0], mac[1]);
    }
}
