/* test_closure.c - the libraries of a program are found as ld.so finds them, damage is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_maker.h"
#include "image/cache.h"
#include "image/closure.h"
#include "image/needs.h"

static char folder[64];

static const char *in(const char *name)
{
    static char path[4][256];
    static int at;
    snprintf(path[at = (at + 1) % 4], sizeof path[0], "%s/%s", folder, name);
    return path[at];
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vmm-closure.XXXXXX");
    return mkdtemp(folder) && mkdir(in("a"), 0755) == 0 && mkdir(in("b"), 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cache_remove(folder);
    return 0;
}

static const char *source_of(const struct closure *c, const char *to)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->item[i].to, to) == 0)
            return c->item[i].from;
    return NULL;
}

#define LIB "/lib/x86_64-linux-gnu/"

/* Of `wish` placed at P, with a/liba.so needing b/libb.so or not: what comes of it. */
static void by_rpath_of_those_above(void **state)
{
    struct closure c;
    char why[VMM_WHY_MAX], both[200];
    (void)state;
    snprintf(both, sizeof both, "%s/a:$ORIGIN/b", folder);
    elf_write(in("p"), &(struct elf_wish){ .rpath = both, .needed = { "liba.so" } });
    elf_write(in("a/liba.so"), &(struct elf_wish){ .needed = { "libb.so" } });
    elf_write(in("b/libb.so"), &(struct elf_wish){ .needed = { "liba.so" } }); /* a circle */
    closure_init(&c, "amd64", NULL);
    assert_int_equal(closure_add(&c, in("p"), why, sizeof why), 0);
    assert_int_equal(c.n, 2);
    assert_string_equal(source_of(&c, LIB "liba.so"), in("a/liba.so"));
    assert_string_equal(source_of(&c, LIB "libb.so"), in("b/libb.so"));
    closure_fini(&c);
}

static void runpath_is_not_inherited(void **state)
{
    struct closure c;
    char why[VMM_WHY_MAX], both[200];
    (void)state;
    snprintf(both, sizeof both, "%s/a:%s/b", folder, folder);
    elf_write(in("p"), &(struct elf_wish){ .runpath = both, .needed = { "liba.so" } });
    elf_write(in("a/liba.so"), &(struct elf_wish){ .needed = { "libb.so" } });
    elf_write(in("b/libb.so"), &(struct elf_wish){ .machine = 0 });
    closure_init(&c, "amd64", NULL);
    assert_int_equal(closure_add(&c, in("p"), why, sizeof why), -1);
    assert_non_null(strstr(why, "liba.so needs libb.so, which is not on this host for amd64"));
    closure_fini(&c);
}

static void others_machines_are_passed_over(void **state)
{
    struct closure c;
    char why[VMM_WHY_MAX], both[200];
    (void)state;
    snprintf(both, sizeof both, "%s/a:%s/b", folder, folder);
    elf_write(in("p"), &(struct elf_wish){ .runpath = both, .needed = { "libx.so" } });
    elf_write(in("a/libx.so"), &(struct elf_wish){ .machine = EM_AARCH64 });
    elf_write(in("b/libx.so"), &(struct elf_wish){ .machine = EM_X86_64 });
    closure_init(&c, "amd64", NULL);
    assert_int_equal(closure_add(&c, in("p"), why, sizeof why), 0);
    assert_string_equal(source_of(&c, LIB "libx.so"), in("b/libx.so"));
    closure_fini(&c);
    closure_init(&c, "arm64", NULL);
    assert_int_equal(closure_add(&c, in("p"), why, sizeof why), -1);
    assert_non_null(strstr(why, "is not a program for arm64"));
    closure_fini(&c);
}

static void real_programs(void **state)
{
    struct closure c;
    char why[VMM_WHY_MAX];
    (void)state;
    closure_init(&c, "amd64", NULL);
#if !defined(__x86_64__)
    skip();
#endif
    assert_int_equal(closure_add(&c, "/bin/ls", why, sizeof why), 0);
    assert_non_null(source_of(&c, LIB "libc.so.6"));
    assert_non_null(source_of(&c, "/lib64/ld-linux-x86-64.so.2"));
    assert_null(source_of(&c, LIB "ld-linux-x86-64.so.2")); /* the one that runs */
    const size_t n = c.n;
    assert_int_equal(closure_add(&c, "/bin/ls", why, sizeof why), 0);
    assert_int_equal(c.n, n);
    closure_fini(&c);
}

static void scripts_and_other_files(void **state)
{
    struct closure c;
    char why[VMM_WHY_MAX];
    FILE *f = fopen(in("s"), "we");
    (void)state;
    fputs("#! /bin/sh -e\n", f);
    fclose(f);
    closure_init(&c, "amd64", NULL);
    assert_int_equal(closure_add(&c, in("s"), why, sizeof why), 0);
    assert_non_null(source_of(&c, "/bin/sh"));
    assert_true(c.n > 1); /* and what that needs */
    f = fopen(in("t"), "we");
    fputs("#!/no/such/thing\n", f);
    fclose(f);
    assert_int_equal(closure_add(&c, in("t"), why, sizeof why), -1);
    assert_non_null(strstr(why, "/no/such/thing, which is not on this host"));
    closure_fini(&c);
    closure_init(&c, "amd64", NULL);
    f = fopen(in("u"), "we");
    fputs("text", f);
    fclose(f);
    assert_int_equal(closure_add(&c, in("u"), why, sizeof why), 0);
    assert_int_equal(c.n, 0);
    closure_fini(&c);
}

/* Every way in which one number of a good file can be wrong: told, and nothing read outside. */
static void damage_is_told(void **state)
{
    struct elf_made good;
    struct elf_needs needs;
    (void)state;
    elf_make(&good, &(struct elf_wish){ .interpreter = "/lib64/ld", .needed = { "liba.so" } });
    assert_int_equal(needs_read(good.bytes, good.len, &needs), ELF_GOOD);
    assert_int_equal(needs.n_needed, 1);
    assert_string_equal(needs.needed[0], "liba.so");
    assert_string_equal(needs.interpreter, "/lib64/ld");
    assert_int_equal(needs_read(good.bytes, 3, &needs), ELF_NONE);
    for (size_t len = 4; len < 3072; len += 7) { /* cut short: exact memory, so that ASan sees */
        uint8_t *cut = malloc(len);
        memcpy(cut, good.bytes, len);
        assert_int_equal(needs_read(cut, len, &needs), ELF_BAD);
        free(cut);
    }
    for (size_t at = 16; at < 700; at++) {
        struct elf_made bad = good;
        for (int value = 0; value < 3; value++) {
            bad.bytes[at] = (uint8_t[]){ 0xff, 0x80, 0x00 }[value];
            needs_read(bad.bytes, bad.len, &needs); /* whatever it says */
        }
    }
    static const struct {
        size_t at;
        uint64_t value;
    } wrong[] = {
        { 64 + 56 + 8, ELF_MADE_MAX },  /* dynamic section begins behind the end */
        { 64 + 56 + 32, ELF_MADE_MAX }, /* ends there */
        { 512 + 8, 4000 },              /* name of a library behind the strings */
        { 512 + 24, 0x10 },             /* strings where nothing is loaded */
        { 64 + 112 + 32, 9 },           /* interpreter without an end */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct elf_made bad = good;
        memset(bad.bytes + 4000, 'x', ELF_MADE_MAX - 4000);
        memcpy(bad.bytes + wrong[i].at, &wrong[i].value, 8);
        assert_int_equal(needs_read(bad.bytes, bad.len, &needs), ELF_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_rpath_of_those_above, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runpath_is_not_inherited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_machines_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(real_programs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_and_other_files, set_up, tear_down),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
