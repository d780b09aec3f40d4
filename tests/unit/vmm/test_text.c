/* test_text.c - bytes in JSON: UTF-8 as text, the rest as base64, and back. */
#include "slice/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void there_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *key; /* that it goes by */
    } row[] = {
        { "plain\n", 6, "out" },
        { "", 0, "out" },
        { "\xc3\xa4\xc3\xb6", 4, "out" },
        { "\xc3", 1, "out64" }, /* half a letter */
        { "a\0b", 3, "out64" },
        { "\xff\xfe\xfd", 3, "out64" },
        { "\xff\xfe\xfd\xfc", 4, "out64" },
        { "\xff\xfe\xfd\xfc\xfb", 5, "out64" },
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        size_t n = 99;
        json_t *object = json_object();
        assert_int_equal(vmm_text_put(object, "out", row[i].bytes, row[i].n), 0);
        assert_int_equal(json_object_size(object), 1);
        assert_non_null(json_object_get(object, row[i].key));
        char *back = vmm_text_get(object, "out", &n);
        assert_non_null(back);
        assert_int_equal(n, row[i].n);
        assert_memory_equal(back, row[i].bytes, n);
        free(back);
        json_decref(object);
    }
}

static void what_is_none(void **state)
{
    (void)state;
    static const char *const text[] = { "{}", "{\"out\": 3}", "{\"out64\": \"abc\"}",
                                        "{\"out64\": \"****\"}", "{\"err\": \"x\"}" };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        size_t n;
        json_t *object = json_loads(text[i], 0, NULL);
        assert_null(vmm_text_get(object, "out", &n));
        json_decref(object);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
