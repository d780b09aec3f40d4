/*
 * client_control.c - a stranger's line into the player's control socket: it is refused with one
 * line, or it is a request whose values are within what it promises.
 */
#include "control_request.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request r;
    char why[200] = "";
    const int result = control_request_read(&r, (const char *)data, size, why, sizeof why);

    if (result != 0) {
        assert(result == -1 && why[0] && !strchr(why, '\n'));
        return 0;
    }
    assert(r.kind <= CONTROL_UNOBSERVE &&
           (r.kind == CONTROL_COMMAND) == (r.command.kind != COMMAND_NONE));
    assert(isfinite(r.command.value) && fabs(r.command.value) <= 1e9);
    assert(memchr(r.command.text, 0, sizeof r.command.text));
    assert(memchr(r.property, 0, sizeof r.property));
    return 0;
}
