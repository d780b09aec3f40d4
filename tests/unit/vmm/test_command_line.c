/*
 * test_command_line.c - a guest as QEMU's words, and what two guests must have in common.
 */
#include "guest/command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct vmm_guest_config player(void)
{
    struct vmm_guest_config c = {
        .name = "player",
        .arch = "amd64",
        .kernel = "/k",
        .initrd = "/i",
        .append = "quiet",
        .memory_bytes = 128u << 20,
        .vcpus = 1,
        .accel = VMM_ACCEL_TCG,
        .tsc_khz = 2596128,
        .folder = "/run/vmm-shim/lab/node/player",
        .n_nics = 2,
        .nic = { { .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .local = "/l0", .remote = "/r0" },
                 { .mac = { 0x52, 0x54, 0, 1, 2, 4 }, .local = "/l,1", .remote = "/r1" } },
    };

    return c;
}

/* The line as one text, a blank between words. */
static const char *text(const struct vmm_guest_config *c)
{
    static char out[8192];
    struct vmm_words w;
    char why[300];
    size_t n = 0;

    assert_int_equal(vmm_command_line(&w, c, why, sizeof why), 0);
    *out = 0;
    for (size_t i = 0; i < w.n; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", i ? " " : "", w.word[i]);
    assert_null(w.word[w.n]);
    vmm_words_fini(&w);
    return out;
}

static void test_amd64(void **state)
{
    const struct vmm_guest_config c = player();

    (void)state;
    assert_string_equal(
        text(&c),
        "qemu-system-x86_64 -name player,debug-threads=on -machine microvm,memory-backend=mem "
        "-accel tcg,tb-size=32 -cpu max -smp 1 -m 131072K "
        "-object memory-backend-file,id=mem,size=131072K,mem-path=/proc/self/fd/3,share=on "
        "-nodefaults -no-user-config -display none -no-reboot "
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny "
        "-global virtio-mmio.force-legacy=false "
        "-kernel /proc/self/fd/4 -initrd /proc/self/fd/5 "
        "-append quiet pci=off tsc=reliable tsc_early_khz=2596128 "
        "-chardev file,id=serial,path=/run/vmm-shim/lab/node/player/serial.log,append=on "
        "-serial chardev:serial "
        "-chardev socket,id=qmp,path=/run/vmm-shim/lab/node/player/qmp,server=on,wait=off "
        "-mon chardev=qmp,mode=control -device virtio-serial-device "
        "-chardev socket,id=agent,path=/run/vmm-shim/lab/node/player/agent,server=on,wait=off "
        "-device virtserialport,chardev=agent,name=svc.agent "
        "-netdev dgram,id=net0,local.type=unix,local.path=/l0,remote.type=unix,remote.path=/r0 "
        "-device virtio-net-device,netdev=net0,mac=52:54:00:01:02:03 "
        "-netdev dgram,id=net1,local.type=unix,local.path=/l,,1,remote.type=unix,remote.path=/r1 "
        "-device virtio-net-device,netdev=net1,mac=52:54:00:01:02:04");
}

/* One thing asked for, and what of the line comes of it ("!": must not be there). */
static void test_variants(void **state)
{
    struct vmm_guest_config c;

    (void)state;
    c = player();
    strcpy(c.arch, "arm64");
    assert_non_null(strstr(text(&c), "qemu-system-aarch64"));
    assert_non_null(strstr(text(&c), "-machine virt,memory-backend=mem"));
    assert_non_null(strstr(text(&c), "-cpu cortex-a57"));
    assert_null(strstr(text(&c), "tsc"));

    c = player();
    c.accel = VMM_ACCEL_KVM;
    assert_non_null(strstr(text(&c), "-accel kvm -cpu host"));

    c = player();
    c.lock_memory = true;
    assert_non_null(strstr(text(&c), "-overcommit mem-lock=on"));

    c = player();
    c.incoming = true;
    assert_non_null(strstr(text(&c), "-incoming defer"));

    c = player();
    strcpy(c.disk, "/d");
    assert_non_null(strstr(text(&c), "node-name=disk,read-only=on,locking=off,filename="
                                     "/proc/self/fd/6 -device virtio-blk-device,drive=disk"));

    c = player();
    strcpy(c.machine, "microvm,acpi=off");
    *c.initrd = 0;
    *c.append = 0;
    assert_non_null(strstr(text(&c), "-machine microvm,acpi=off,memory-backend=mem"));
    assert_null(strstr(text(&c), "-initrd"));
    assert_non_null(strstr(text(&c), "-append pci=off tsc=reliable"));

    c = player();
    c.tsc_khz = 0;
    assert_non_null(strstr(text(&c), "-append quiet -chardev"));
}

static void test_refused(void **state)
{
    struct vmm_guest_config c = player();
    struct vmm_words w;
    char why[300];

    (void)state;
    strcpy(c.arch, "riscv64");
    assert_int_equal(vmm_command_line(&w, &c, why, sizeof why), -1);
    assert_non_null(strstr(why, "\"riscv64\" is no architecture"));
    c = player();
    c.accel = VMM_ACCEL_AUTO;
    assert_int_equal(vmm_command_line(&w, &c, why, sizeof why), -1);
    c = player();
    memset(c.folder, 'x', VMM_SOCKET_MAX - 2);
    c.folder[VMM_SOCKET_MAX - 2] = 0;
    assert_int_equal(vmm_command_line(&w, &c, why, sizeof why), -1);
    assert_non_null(strstr(why, "longer than"));
}

struct change {
    const char *says; /* of the difference */
    void (*make)(struct vmm_guest_config *c);
};

static void more_memory(struct vmm_guest_config *c)
{
    c->memory_bytes *= 2;
}

static void more_cpus(struct vmm_guest_config *c)
{
    c->vcpus = 2;
}

static void another_cpu(struct vmm_guest_config *c)
{
    strcpy(c->cpu, "qemu64");
}

static void another_machine(struct vmm_guest_config *c)
{
    strcpy(c->machine, "q35");
}

static void a_disk(struct vmm_guest_config *c)
{
    strcpy(c->disk, "/d");
}

static void one_nic(struct vmm_guest_config *c)
{
    c->n_nics = 1;
}

static void another_mac(struct vmm_guest_config *c)
{
    c->nic[1].mac[5] = 9;
}

static void kvm(struct vmm_guest_config *c)
{
    c->accel = VMM_ACCEL_KVM;
}

static const struct change changes[] = {
    { "128 MiB of memory here, 256 MiB of memory there", more_memory },
    { "1 vCPU here, 2 vCPUs there", more_cpus },
    { "CPU max (tcg) here, CPU qemu64 (tcg) there", another_cpu },
    { "machine microvm here, machine q35 there", another_machine },
    { "no disk here, a disk there", a_disk },
    { "2 NICs here, 1 NIC there", one_nic },
    { "NIC 1 is 52:54:00:01:02:04 here, 52:54:00:01:02:09 there", another_mac },
    { "CPU max (tcg) here, CPU host (kvm) there", kvm },
};

static void test_difference(void **state)
{
    const struct vmm_guest_config here = player();
    char same[17], other[17], said[400];

    (void)state;
    vmm_guest_print(&here, same);
    assert_int_equal(strlen(same), 16);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct vmm_guest_config there = player();

        changes[i].make(&there);
        vmm_guest_print(&there, other);
        assert_string_not_equal(same, other);
        vmm_guest_difference(&here, &there, said, sizeof said);
        assert_string_equal(said, changes[i].says);
    }
}

/* Where it runs does not matter. */
static void test_place(void **state)
{
    const struct vmm_guest_config here = player();
    struct vmm_guest_config there = player();
    char a[17], b[17], said[400];

    (void)state;
    strcpy(there.folder, "/run/elsewhere");
    strcpy(there.nic[0].local, "/l9");
    strcpy(there.netns, "other");
    there.incoming = true;
    there.tsc_khz = 1;
    vmm_guest_print(&here, a);
    vmm_guest_print(&there, b);
    assert_string_equal(a, b);
    vmm_guest_difference(&here, &there, said, sizeof said);
    assert_string_equal(said, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amd64),   cmocka_unit_test(test_variants),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_difference),
        cmocka_unit_test(test_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
