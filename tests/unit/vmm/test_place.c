/* test_place.c - folders and locks of slices: names, who holds one, what is left is removed. */
#include "slice/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char root[] = "/tmp/vmm-place-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) && setenv("VMM_SHIM_DIR", root, 1) == 0 ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return rmdir(root); /* fails if anything is left in it */
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int good;
    } row[] = {
        { "lab", 0 },
        { "0-9", 0 },
        { "fifteen-letters", 0 },
        { "sixteen--letters", -1 },
        { "", -1 },
        { "-lab", -1 },
        { "..", -1 },
        { "a/b", -1 },
        { "Lab", -1 },
    };
    char path[256], why[256];
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        assert_int_equal(vmm_place_slice(row[i].name, path, sizeof path, why, sizeof why),
                         row[i].good);
    char deep[200];
    memset(deep, 'x', sizeof deep - 1);
    deep[0] = '/';
    deep[70] = '\0';
    setenv("VMM_SHIM_DIR", deep, 1);
    assert_int_equal(vmm_place_slice("lab", path, sizeof path, why, sizeof why), -1);
    assert_non_null(strstr(why, "shorter"));
    setenv("VMM_SHIM_DIR", root, 1);
}

static void one_keeper(void **state)
{
    (void)state;
    char why[256];
    pid_t holder;
    assert_false(vmm_place_alive("lab", &holder));
    int lock = vmm_place_lock("lab", &holder, why, sizeof why);
    assert_true(lock >= 0);
    assert_true(vmm_place_alive("lab", &holder));
    assert_int_equal(holder, getpid());
    assert_int_equal(vmm_place_lock("lab", &holder, why, sizeof why), -1);
    assert_int_equal(holder, getpid());
    assert_non_null(strstr(why, "runs already"));
    int other = vmm_place_lock("other", &holder, why, sizeof why);
    assert_true(other >= 0);
    vmm_place_unlock("other", other);
    vmm_place_unlock("lab", lock);
    assert_false(vmm_place_alive("lab", NULL));
}

static void the_killed_hold_nothing(void **state)
{
    (void)state;
    char why[256], byte;
    pid_t holder;
    int up[2];
    assert_int_equal(pipe(up), 0);
    pid_t child = fork();
    if (child == 0) {
        int lock = vmm_place_lock("lab", &holder, why, sizeof why);
        if (write(up[1], lock < 0 ? "n" : "y", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_true(vmm_place_alive("lab", &holder));
    assert_int_equal(holder, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(vmm_place_alive("lab", &holder));
    int lock = vmm_place_lock("lab", &holder, why, sizeof why);
    assert_true(lock >= 0);
    vmm_place_unlock("lab", lock);
    close(up[0]);
    close(up[1]);
}

static void cleared(void **state)
{
    (void)state;
    char path[256], inside[300], why[256], **list;
    assert_int_equal(vmm_place_clear("lab", why, sizeof why), 0); /* nothing there */
    assert_int_equal(vmm_place_slice("lab", path, sizeof path, why, sizeof why), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(inside, sizeof inside, "%s/node", path);
    assert_int_equal(mkdir(inside, 0700), 0);
    snprintf(inside, sizeof inside, "%s/node/away", path);
    assert_int_equal(symlink("/tmp", inside), 0);
    assert_int_equal(vmm_place_list(&list, why, sizeof why), 1);
    assert_string_equal(list[0], "lab");
    free(list[0]);
    free(list);
    assert_int_equal(vmm_place_clear("lab", why, sizeof why), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access("/tmp", F_OK), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(one_keeper),
        cmocka_unit_test(the_killed_hold_nothing),
        cmocka_unit_test(cleared),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
