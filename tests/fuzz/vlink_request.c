/*
 * vlink_request.c - a stranger's lines into the control socket of vlink --frames: each is refused
 * with one line, or is a request whose members are within what they promise.
 */
#include "request.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vlink_request *r)
{
    assert(r->what <= VLINK_DO_PROGRAM && r->n_settings <= VLINK_SETTINGS_MAX);
    assert(memchr(r->link, 0, sizeof r->link) && memchr(r->port, 0, sizeof r->port));
    assert(r->weight <= VLINK_WEIGHT_MAX && r->ways <= 3);
    assert(!strchr(r->link, '/') && !strchr(r->interface.interface, '/'));
    for (size_t i = 0; i < r->n_settings; i++) {
        char why[VLINK_WHY_MAX];
        struct vlink_config c;
        const struct vlink_setting *s = &r->setting[i];
        vlink_config_init(&c);
        assert(strcmp(s->key, "trace") == 0 ||
               (vlink_inheritable(s->key) && strcmp(s->value, VLINK_INHERIT) == 0) ||
               vlink_config_set(&c, s->key, s->value, why, sizeof why) == 0);
    }
    if (r->what == VLINK_DO_ADD_PORT)
        assert(r->kind == VLINK_PORT_UNIX ? r->unix_place.local[0] && r->unix_place.remote[0]
                                          : r->interface.interface[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vlink_request r;
    char why[VLINK_WHY_MAX] = "";
    int result = vlink_request_parse(&r, (const char *)data, size, why, sizeof why);
    if (result == 0)
        check(&r);
    else
        assert(result == -1 && why[0] && !strchr(why, '\n'));
    return 0;
}
