/* test_static.c - a program that links the elements statically and registers one of them, without
 * the plug-in: that one is there, no other. */
#include "elements.h"
#include "raw.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static gboolean have(const char *element)
{
    GstElementFactory *f = gst_element_factory_find(element);
    if (f)
        gst_object_unref(f);
    return f != NULL;
}

static void one_is_registered(void **state)
{
    (void)state;
    assert_false(have("svcav1parse"));
    assert_true(GST_ELEMENT_REGISTER(svcav1parse, NULL));
    assert_true(have("svcav1parse"));
    assert_false(have("svcav1dec"));
    assert_false(have("tvlsrc"));
    GstElementFactory *f = gst_element_factory_find("svcav1parse");
    GstPlugin *plugin = gst_plugin_feature_get_plugin(GST_PLUGIN_FEATURE(f));
    assert_null(plugin);
    gst_object_unref(f);
}

static void it_works(void **state)
{
    (void)state;
    assert_true(GST_ELEMENT_REGISTER(svcav1enc, NULL));
    GstHarness *h = encoder_new("layers=L1T1", 128, 64, "video/x-av1");
    encoder_push(h, 128, 64, 0, 2);
    assert_int_equal(2, gst_harness_buffers_received(h));
    gst_harness_teardown(h);
}

int main(int argc, char **argv)
{
    g_setenv("GST_PLUGIN_SYSTEM_PATH", "", TRUE); /* nothing that is installed */
    g_setenv("GST_PLUGIN_PATH", "", TRUE);
    g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE);
    gst_init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_registered),
        cmocka_unit_test(it_works),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gst_deinit();
    return failed;
}
