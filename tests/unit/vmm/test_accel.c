/*
 * test_accel.c - the verdict on KVM: what is no KVM is told from one, the code that is run is right
 * (QEMU's translator is the judge), the verdict is kept for this boot only.
 */
#include "guest/kvm_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_no_device(void **state)
{
    struct vmm_kvm_probe p;

    (void)state;
    vmm_kvm_probe(&p, "/dev/there-is-none");
    assert_int_equal(p.verdict, VMM_KVM_ABSENT);
    assert_non_null(strstr(p.why, "/dev/there-is-none: No such file"));
    vmm_kvm_probe(&p, "/dev/null");
    assert_int_equal(p.verdict, VMM_KVM_REFUSES);
    assert_non_null(strstr(p.why, "has not version 12"));
}

/* Whatever this host has: a verdict with a reason, soon. */
static void test_here(void **state)
{
    struct vmm_kvm_probe p;

    (void)state;
    vmm_kvm_probe(&p, "/dev/kvm");
    print_message("KVM here: %s: %s\n", vmm_kvm_verdict_name(p.verdict), p.why);
    assert_true(*p.why && !strchr(p.why, '\n') && p.stage == 1);
    assert_true(p.verdict != VMM_KVM_FAILED);
}

/* The kernel of the probe does all it should where kernels run: it is not at fault elsewhere. */
static void test_payload(void **state)
{
    struct vmm_kvm_probe p;

    (void)state;
    vmm_kvm_trial(&p, "tcg", 20000);
    assert_string_equal(vmm_kvm_verdict_name(p.verdict), "works");
    vmm_kvm_trial(&p, "tcg,no-such=1", 20000);
    assert_int_equal(p.verdict, VMM_KVM_FAILED);
    assert_non_null(strstr(p.why, "comes to \"\" of \"L3MCIiT\""));
}

static void put(const char *dir, const char *text)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof path, "%s/accel.json", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_kept(void **state)
{
    char dir[] = "/tmp/vmm-accel-XXXXXX", line[400], path[64];
    enum vmm_accel chosen;
    struct vmm_kvm_probe p;

    (void)state;
    assert_non_null(mkdtemp(dir));
    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        rmdir(dir);
        skip(); /* nothing is kept where there is none */
    }
    vmm_accel_failed(dir, "it spoke in tongues");
    vmm_accel_verdict(&p, dir);
    assert_true(p.cached && p.stage == 3 && p.verdict == VMM_KVM_FAILED);
    assert_int_equal(vmm_accel_choose(VMM_ACCEL_AUTO, dir, &chosen, line, sizeof line), 0);
    assert_int_equal(chosen, VMM_ACCEL_TCG);
    assert_non_null(strstr(line, "a guest failed with it: it spoke in tongues"));
    assert_int_equal(vmm_accel_choose(VMM_ACCEL_KVM, dir, &chosen, line, sizeof line), -1);
    assert_int_equal(vmm_accel_choose(VMM_ACCEL_TCG, dir, &chosen, line, sizeof line), 0);
    assert_non_null(strstr(line, "as asked for"));

    put(dir, "{\"boot\": \"of yesterday\", \"verdict\": \"works\", \"stage\": 2, \"why\": \"x\"}");
    vmm_accel_verdict(&p, dir);
    assert_false(p.cached);
    vmm_accel_verdict(&p, dir);
    assert_true(p.cached);
    put(dir, "{\"boot\": 7");
    vmm_accel_verdict(&p, dir);
    assert_false(p.cached);
    snprintf(path, sizeof path, "%s/accel.json", dir);
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left */
}

static void test_words(void **state)
{
    enum vmm_accel a = VMM_ACCEL_TCG;

    (void)state;
    assert_int_equal(vmm_accel_parse("auto", &a), 0);
    assert_int_equal(a, VMM_ACCEL_AUTO);
    assert_int_equal(vmm_accel_parse("kvm", &a), 0);
    assert_int_equal(a, VMM_ACCEL_KVM);
    assert_int_equal(vmm_accel_parse("xen", &a), -1);
    assert_string_equal(vmm_accel_name(a), "kvm");
}

/* Two measurements agree within 0.1 %. */
static void test_counter(void **state)
{
    const double a = vmm_accel_tsc_khz(), b = vmm_accel_tsc_khz();

    (void)state;
    assert_true(a > 0);
    assert_true(a / b > 0.999 && a / b < 1.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_device), cmocka_unit_test(test_here),
        cmocka_unit_test(test_payload),   cmocka_unit_test(test_kept),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
