/* main.c - svc-server's composition root: arguments, run, exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <tvl/tvl.h>

#include "args.h"
#include "log.h"
#include "sender.h"
#include "server.h"

#define WHY_MAX 1024

int main(int argc, char **argv)
{
    struct args args;
    char why[WHY_MAX] = "";
    switch (args_parse(&args, argc, argv, why, sizeof why)) {
    case ARGS_HELP:
        fputs(args_help, stdout);
        return EXIT_SUCCESS;
    case ARGS_VERSION:
        puts("svc-server " TVL_VERSION);
        return EXIT_SUCCESS;
    case ARGS_BAD:
        log_line(LOG_ERROR, "%s", why);
        return EX_USAGE;
    case ARGS_RUN:
        break;
    }
    log_set_level((enum log_level)args.log_level);
    if (args.replay_policy) {
        const int differs =
            decision_replay_file(args.replay_policy, &sender_policy, why, sizeof why);
        if (differs)
            log_line(LOG_ERROR, "%s", why);
        else
            puts(why);
        return differs ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (server_run(&args, why, sizeof why) == 0)
        return EXIT_SUCCESS;
    log_line(LOG_ERROR, "%s", why);
    return EXIT_FAILURE;
}
