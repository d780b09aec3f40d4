/* main.c - vlink's composition root: the command line, the run, the exit code (0, 1, 64). */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "frames.h"
#include "options.h"
#include "run.h"

int main(int argc, char **argv)
{
    char why[2 * VLINK_WHY_MAX] = "";
    struct vlink_options *o = malloc(sizeof *o); /* too large for a careful stack */
    if (!o) {
        fputs("vlink: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    int code = EXIT_SUCCESS;
    enum vlink_options_result parsed = vlink_options_parse(o, argc, argv, why, sizeof why);
    if (parsed == VLINK_OPTIONS_BAD)
        code = EX_USAGE;
    else if (parsed == VLINK_OPTIONS_RUN &&
             (o->frames ? vlink_frames_run(o, why, sizeof why) : vlink_run(o, why, sizeof why)) < 0)
        code = EXIT_FAILURE;
    if (code != EXIT_SUCCESS)
        fprintf(stderr, "vlink: %s\n", why);
    free(o);
    return code;
}
