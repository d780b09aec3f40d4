/* test_newc.c - what is written is what another reader reads; files complete or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/newc.h"
#include "image/slurp.h"
#include "topology/topology.h"

static char folder[64], path[128], why[VMM_WHY_MAX];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vmm-newc.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/out", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cache_remove(folder);
    return 0;
}

/* "mode size path[ -> target]\n" of each member, by libarchive; contents of small files too. */
static void list(const char *file, char *out, size_t size)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    char data[32];
    size_t n = 0;
    archive_read_support_format_all(a);
    assert_int_equal(archive_read_open_filename(a, file, 65536), ARCHIVE_OK);
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        const la_ssize_t got = archive_read_data(a, data, sizeof data - 1);
        data[got > 0 ? got : 0] = '\0';
        n += (size_t)snprintf(out + n, size - n, "%o %s %s\n", archive_entry_mode(e),
                              archive_entry_pathname(e),
                              archive_entry_symlink(e) ? archive_entry_symlink(e) : data);
    }
    archive_read_free(a);
}

static void everything_comes_back(void **state)
{
    char from[160], said[2048] = "";
    uint64_t bytes = 0;
    (void)state;
    snprintf(from, sizeof from, "%s/from", folder);
    mkdir(from, 0755);
    snprintf(from, sizeof from, "%s/from/run", folder);
    assert_int_equal(spill(from, "program", 7, 0755, why, sizeof why), 0);
    snprintf(from, sizeof from, "%s/from", folder);
    struct newc *a = newc_open(path, NEWC_INITRAMFS, why, sizeof why);
    assert_non_null(a);
    assert_int_equal(newc_data(a, "/etc/x/y", "text", 4, 0600, why, sizeof why), 0);
    assert_int_equal(newc_folder(a, "/etc/x", 0700, why, sizeof why), 0); /* there already */
    assert_int_equal(newc_file(a, "/opt", from, 0, why, sizeof why), 0);  /* a folder and its */
    assert_int_equal(newc_link(a, "/bin/run", "/opt/run", why, sizeof why), 0);
    assert_int_equal(newc_device(a, "/dev/console", 5, 1, why, sizeof why), 0);
    assert_int_equal(newc_data(a, "/empty", "", 0, 0644, why, sizeof why), 0);
    assert_true(newc_has(a, "/opt/run"));
    assert_int_equal(access(path, F_OK), -1); /* not before it is whole */
    assert_int_equal(newc_close(a, 0640, &bytes, why, sizeof why), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, (off_t)bytes);
    assert_int_equal(bytes % 4, 0); /* another archive may follow */
    list(path, said, sizeof said);
    assert_string_equal(said, "40755 etc \n40755 etc/x \n100600 etc/x/y text\n"
                              "40755 opt \n100755 opt/run program\n"
                              "40755 bin \n120777 bin/run /opt/run\n"
                              "40755 dev \n20600 dev/console \n"
                              "100644 empty \n");
}

static void the_same_bytes_again(void **state)
{
    uint8_t *first = NULL;
    size_t first_len = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t len = 0;
        struct newc *a = newc_open(path, NEWC_INITRAMFS, why, sizeof why);
        newc_data(a, "/a/b", "text", 4, 0600, why, sizeof why);
        newc_close(a, 0600, NULL, why, sizeof why);
        uint8_t *now = slurp(path, 65536, &len, why, sizeof why);
        if (first) {
            assert_int_equal(len, first_len);
            assert_memory_equal(now, first, len);
            free(now);
        } else {
            first = now;
            first_len = len;
        }
    }
    free(first);
}

static void a_disk_comes_back(void **state)
{
    char said[512] = "";
    (void)state;
    struct newc *a = newc_open(path, NEWC_DISK, why, sizeof why);
    assert_non_null(a);
    assert_int_equal(
        newc_data(a, "/opt/A long name.with.dots.so.6", "text", 4, 0755, why, sizeof why), 0);
    assert_int_equal(newc_close(a, 0600, NULL, why, sizeof why), 0);
    list(path, said, sizeof said);
    assert_non_null(strstr(said, " opt/A long name.with.dots.so.6 text\n"));
    assert_non_null(strstr(said, "55 opt/A long")); /* it can be run */
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const wrong[] = { "relative", "/", "/a/", "/a//b", "/a/../b", "/a/./b", "" };
    (void)state;
    struct newc *a = newc_open(path, NEWC_INITRAMFS, why, sizeof why);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(newc_data(a, wrong[i], "x", 1, 0600, why, sizeof why), -1);
    assert_int_equal(newc_data(a, "/twice", "x", 1, 0600, why, sizeof why), 0);
    assert_int_equal(newc_data(a, "/twice", "x", 1, 0600, why, sizeof why), -1);
    assert_string_equal(why, "/twice: comes twice in one guest");
    assert_int_equal(newc_file(a, "/c", "/dev/null", 0, why, sizeof why), -1);
    assert_string_equal(why, "/dev/null: is neither a file nor a folder");
    assert_int_equal(newc_file(a, "/d", "/no/such", 0, why, sizeof why), -1);
    newc_abandon(a);
    assert_int_equal(access(path, F_OK), -1);
    strcat(path, ".new");
    assert_int_equal(access(path, F_OK), -1); /* nothing is left */
    assert_null(newc_open("/no/such/folder/x", NEWC_INITRAMFS, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_bytes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
