/* main.c - svc-server's composition root: configuration, confinement, run, exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <tvl/tvl.h>

#include "config_rules.h"
#include "configure.h"
#include "confine.h"
#include "log.h"
#include "sender.h"
#include "server.h"

#define WHY_MAX 8192

static void log_lines(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        log_line(LOG_ERROR, "%s", line);
}

static int replay(const char *file, char *why, size_t why_size)
{
    const int differs = decision_replay_file(file, &sender_policy, why, why_size);
    if (differs)
        log_line(LOG_ERROR, "%s", why);
    else
        puts(why);
    return differs ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int check(const struct config *c, char *why, size_t why_size)
{
    struct problems p;
    problems_init(&p, why, why_size);
    config_rules(c, &p);
    config_check(c, &p);
    if (p.n == 0)
        puts("ok");
    log_lines(why);
    return p.n == 0 ? EXIT_SUCCESS : EX_CONFIG;
}

static int run(struct config *c, struct configure *how, char *why, size_t why_size)
{
    if (confine_enter(c, how->file, why, why_size) == 0 && server_run(c, how, why, why_size) == 0)
        return EXIT_SUCCESS;
    log_lines(why);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static char why[WHY_MAX];
    struct configure q = { .argc = argc, .argv = argv };
    struct config config;
    int status = EXIT_SUCCESS;
    const enum configure_result result = configure(&q, &config, why, sizeof why);
    log_set_level((enum log_level)config.log_level);
    log_set_json(config.log_json);
    switch (result) {
    case CONFIGURE_HELP:
        for (const char *const *part = configure_help; *part; part++)
            fputs(*part, stdout);
        break;
    case CONFIGURE_VERSION:
        puts("svc-server " TVL_VERSION);
        break;
    case CONFIGURE_USAGE:
    case CONFIGURE_BAD:
        log_lines(why);
        status = result == CONFIGURE_USAGE ? EX_USAGE : EX_CONFIG;
        break;
    case CONFIGURE_REPLAY:
        status = replay(q.replay, why, sizeof why);
        break;
    case CONFIGURE_CHECK:
        status = check(&config, why, sizeof why);
        break;
    case CONFIGURE_RUN:
        status = run(&config, &q, why, sizeof why);
        break;
    }
    config_fini(&config);
    return status;
}
