/* test_cache.c - one builder at a time, whole versions only, nothing left of those that were
 * killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/cache.h"
#include "image/slurp.h"

#define BUILDERS 6

static char folder[64], why[VMM_WHY_MAX];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vmm-cache.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cache_remove(folder);
    return 0;
}

static bool there(const char *name)
{
    char path[VMM_PATH_MAX];
    return cache_join(path, folder, name, why, sizeof why) == 0 && access(path, F_OK) == 0;
}

static int make(const char *version, const char *text)
{
    char made[VMM_PATH_MAX], file[VMM_PATH_MAX];
    return cache_begin(folder, made, why, sizeof why) < 0 ||
                   cache_join(file, made, "kernel", why, sizeof why) < 0 ||
                   spill(file, text, strlen(text), 0644, why, sizeof why) < 0 ||
                   cache_commit(folder, made, "cloud", version, why, sizeof why) < 0
               ? -1
               : 0;
}

static void where_it_is(void **state)
{
    char out[VMM_PATH_MAX], expected[256];
    (void)state;
    setenv("VMM_SHIM_CACHE", folder, 1);
    assert_int_equal(cache_folder(out, why, sizeof why), 0);
    assert_string_equal(out, folder);
    unsetenv("VMM_SHIM_CACHE");
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    setenv("HOME", folder, 1);
    assert_int_equal(cache_folder(out, why, sizeof why), 0);
    snprintf(expected, sizeof expected, "%s/.cache/vmm-shim", folder);
    assert_string_equal(out, expected);
    assert_true(there(".cache/vmm-shim"));
    setenv("VMM_SHIM_CACHE", "/proc/no/such", 1);
    assert_int_equal(cache_folder(out, why, sizeof why), -1);
    assert_non_null(strstr(why, "VMM_SHIM_CACHE may name another folder"));
    unsetenv("VMM_SHIM_CACHE");
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

static void versions(void **state)
{
    char path[VMM_PATH_MAX];
    size_t len = 0;
    (void)state;
    assert_int_equal(make("1", "one"), 0);
    assert_int_equal(make("2", "two"), 0);
    assert_true(there("cloud_1/kernel")); /* somebody may boot it */
    assert_int_equal(cache_join(path, folder, "cloud/kernel", why, sizeof why), 0);
    char *text = (char *)slurp(path, 100, &len, why, sizeof why);
    assert_string_equal(text, "two");
    free(text);
}

static void old_ones_are_cleaned(void **state)
{
    char path[VMM_PATH_MAX];
    (void)state;
    assert_int_equal(make("1", "one"), 0);
    assert_int_equal(make("2", "two!"), 0);
    static const char *const files[] = { "cloud_2/base-a", "cloud_2/base-b", "cloudy_1",
                                         "cloud_2/order" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(cache_join(path, folder, files[i], why, sizeof why), 0);
        assert_int_equal(spill(path, "12345", 5, 0644, why, sizeof why), 0);
        usleep(20000); /* base-b is the newer one */
    }
    assert_int_equal(cache_clean(folder, "cloud", "base-"), 3 + 5);
    assert_false(there("cloud_1"));
    assert_false(there("cloud_2/base-a"));
    assert_true(there("cloud_2/base-b") && there("cloud_2/order") && there("cloud/kernel") &&
                there("cloudy_1"));
    assert_int_equal(cache_clean(folder, "cloud", "base-"), 0);
    assert_int_equal(cache_clean(folder, "rt", "base-"), 0);
}

static void left_overs_go(void **state)
{
    char made[VMM_PATH_MAX], inner[VMM_PATH_MAX];
    (void)state;
    assert_int_equal(cache_begin(folder, made, why, sizeof why), 0);
    assert_int_equal(cache_join(inner, made, "folder", why, sizeof why), 0);
    assert_int_equal(mkdir(inner, 0), 0); /* as packages have them */
    assert_int_equal(symlink("/etc", strcat(made, "/link")), 0);
    *strrchr(made, '/') = '\0';
    assert_int_equal(make("1", "one"), 0);
    const int lock = cache_lock(folder, why, sizeof why);
    assert_true(lock >= 0);
    assert_int_equal(access(made, F_OK), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0); /* links are not followed */
    assert_true(there("cloud_1/kernel"));
    close(lock);
}

/* Each sees whether another is within, by a file that is there only meanwhile. */
static _Noreturn void builder(void)
{
    char inside[VMM_PATH_MAX];
    const int lock = cache_lock(folder, why, sizeof why);
    cache_join(inside, folder, "inside", why, sizeof why);
    const bool alone = lock >= 0 && mkdir(inside, 0700) == 0;
    usleep(5000);
    rmdir(inside);
    close(lock);
    _exit(alone ? 0 : 1);
}

static void one_at_a_time(void **state)
{
    pid_t pid[BUILDERS];
    (void)state;
    for (size_t i = 0; i < BUILDERS; i++)
        if ((pid[i] = fork()) == 0)
            builder();
    for (size_t i = 0; i < BUILDERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_ones_are_cleaned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(left_overs_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
