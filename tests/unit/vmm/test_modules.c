/* test_modules.c - modules come after what they need; what is compiled in or optional is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/modules.h"
#include "image/slurp.h"

static char folder[64], why[VMM_WHY_MAX];

/* A relocatable ELF with nothing but .modinfo and the names of its sections. */
static size_t make_ko(uint8_t out[1024], const char *info, size_t info_len)
{
    static const char names[] = "\0.modinfo\0.shstrtab";
    Elf64_Ehdr *e = (Elf64_Ehdr *)out;
    Elf64_Shdr *s = (Elf64_Shdr *)(out + 640);
    memset(out, 0, 1024);
    memcpy(e->e_ident, ELFMAG, SELFMAG);
    e->e_ident[EI_CLASS] = ELFCLASS64;
    e->e_ident[EI_DATA] = ELFDATA2LSB;
    e->e_ident[EI_VERSION] = EV_CURRENT;
    e->e_version = EV_CURRENT;
    e->e_type = ET_REL;
    e->e_machine = EM_X86_64;
    e->e_ehsize = sizeof *e;
    e->e_shoff = 640;
    e->e_shentsize = sizeof *s;
    e->e_shnum = 3;
    e->e_shstrndx = 2;
    memcpy(out + 64, info, info_len);
    memcpy(out + 600, names, sizeof names);
    s[1] =
        (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = 64, .sh_size = info_len };
    s[2] = (Elf64_Shdr){
        .sh_name = 10, .sh_type = SHT_STRTAB, .sh_offset = 600, .sh_size = sizeof names
    };
    return 640 + 3 * sizeof *s;
}

static void module(const char *file, const char *info, size_t info_len)
{
    char path[128];
    uint8_t ko[1024];
    snprintf(path, sizeof path, "%s/kernel/%s", folder, file);
    const size_t len = make_ko(ko, info, info_len);
    assert_int_equal(spill(path, ko, len, 0644, why, sizeof why), 0);
}
#define MODULE(file, info) module(file, info, sizeof info)

static int set_up(void **state)
{
    char path[96];
    (void)state;
    strcpy(folder, "/tmp/vmm-modules.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/kernel", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/modules.builtin", folder);
    return spill(path, "kernel/a/built-in.ko\n", 21, 0644, why, sizeof why);
}

static int tear_down(void **state)
{
    (void)state;
    cache_remove(folder);
    return 0;
}

static void in_order(void **state)
{
    struct modules m;
    char said[256] = "";
    (void)state;
    MODULE("net-card.ko",
           "license=GPL\0depends=ring,fail-over,built_in\0softdep=pre: extra none post: ring");
    MODULE("fail_over.ko", "depends=");
    MODULE("ring.ko", "depends=core");
    MODULE("core.ko", "depends=");
    MODULE("extra.ko", "depends=");
    MODULE("disk.ko", "depends=ring,platter");
    MODULE("platter.ko", "depends=");
    static const struct recipe_module want[] = { { "disk", RECIPE_DISK },
                                                 { "net_card", RECIPE_ALWAYS },
                                                 { NULL, RECIPE_ALWAYS } };
    assert_int_equal(modules_order(&m, folder, want, why, sizeof why), 0);
    for (size_t i = 0; i < m.n; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s %s\n",
                 recipe_when_name(m.m[i].when), m.m[i].name);
    assert_string_equal(said, "always core\nalways ring\nalways fail_over\nalways extra\n"
                              "always net_card\ndisk platter\ndisk disk\n");
}

static void what_cannot_be_is_told(void **state)
{
    struct modules m;
    (void)state;
    MODULE("a.ko", "depends=b");
    MODULE("b.ko", "depends=a");
    MODULE("lonely.ko", "depends=nobody");
    MODULE("silent.ko", "license=GPL");
    static const struct {
        struct recipe_module want[2];
        const char *why;
    } rows[] = {
        { { { "a", RECIPE_ALWAYS }, { NULL, RECIPE_ALWAYS } }, "never ends" },
        { { { "lonely", RECIPE_ALWAYS }, { NULL, RECIPE_ALWAYS } }, "no module nobody" },
        { { { "silent", RECIPE_ALWAYS }, { NULL, RECIPE_ALWAYS } }, "does not say" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(modules_order(&m, folder, rows[i].want, why, sizeof why), -1);
        assert_non_null(strstr(why, rows[i].why));
    }
}

static void damaged_modules(void **state)
{
    uint8_t good[1024], bad[1024];
    char value[64];
    const size_t len = make_ko(good, "depends=x\0y", 11);
    (void)state;
    assert_true(modules_info(good, len, "depends", 0, value, sizeof value));
    assert_string_equal(value, "x");
    assert_false(modules_info(good, len, "depends", 1, value, sizeof value));
    assert_false(modules_info(good, len, "depends", 0, value, 1)); /* no room */
    for (size_t n = 0; n < len; n += 3) {
        uint8_t *cut = malloc(n ? n : 1);
        memcpy(cut, good, n);
        modules_info(cut, n, "depends", 0, value, sizeof value);
        free(cut);
    }
    for (size_t at = 0; at < len; at++) {
        memcpy(bad, good, sizeof bad);
        bad[at] ^= 0xff;
        modules_info(bad, len, "depends", 0, value, sizeof value);
    }
}

static void signatures_are_cut_off(void **state)
{
    static const char end[] = "~Module signature appended~\n";
    uint8_t ko[256] = "module";
    (void)state;
    memcpy(ko + 6 + 100 + 12, end, sizeof end - 1);
    ko[6 + 100 + 11] = 100; /* of the signature, big-endian */
    const size_t len = 6 + 100 + 12 + sizeof end - 1;
    assert_int_equal(modules_unsigned(ko, len), 6);
    assert_int_equal(modules_unsigned(ko, len - 1), len - 1); /* not there */
    ko[6 + 100 + 8] = 1;                                      /* more than there is */
    assert_int_equal(modules_unsigned(ko, len), len);
    assert_int_equal(modules_unsigned(ko, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_told, set_up, tear_down),
        cmocka_unit_test(damaged_modules),
        cmocka_unit_test(signatures_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
