/*
 * main.c - vmm-shim: finds the command in the table and runs it.
 */
#include "cmd/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order of --help, one a line: many add to it. */
/* clang-format off */
static const struct vmm_command *const commands[] = {
    &vmm_command_probe,
    &vmm_command_image,
    &vmm_command_up,
    &vmm_command_down,
    &vmm_command_ps,
    &vmm_command_exec,
    &vmm_command_logs,
    &vmm_command_link,
    &vmm_command_match,
    &vmm_command_rt,
    &vmm_command_migrate,
    &vmm_command_suspend,
    &vmm_command_resume,
    &vmm_command_stats,
    NULL,
};
/* clang-format on */

int vmm_complain(int code, const char *format, ...)
{
    va_list args;
    fputs("vmm-shim: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int vmm_option_flag(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}

int vmm_option_value(int argc, char **argv, int *i, const char *name, const char **value)
{
    size_t length = strlen(name);
    const char *word = argv[*i];
    if (strncmp(word, name, length) != 0)
        return 0;
    if (word[length] == '=') {
        *value = word + length + 1;
        return 1;
    }
    if (word[length] != '\0')
        return 0;
    *value = *i + 1 < argc ? argv[++*i] : NULL;
    return 1;
}

/* A keeper works in another folder than we. */
static void make_absolute(const char *variable)
{
    char here[4096], path[8192];
    const char *dir = getenv(variable);
    if (!dir || !dir[0] || dir[0] == '/' || !getcwd(here, sizeof here))
        return;
    if (snprintf(path, sizeof path, "%s/%s", here, dir) < (int)sizeof path)
        setenv(variable, path, 1);
}

static void print_usage(FILE *out)
{
    fputs("usage: vmm-shim COMMAND [ARGUMENT]...\n\n"
          "Slices of virtual machines and virtual links out of a topology file.\n\n",
          out);
    for (size_t i = 0; commands[i]; i++)
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "  -h, --help     this text; after a command, what it takes\n"
          "      --version  of the program\n",
          out);
}

static int wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    return 0;
}

static int print_help(const struct vmm_command *c)
{
    printf("usage: vmm-shim %s %s\n\n%s.\n\n%s  -h, --help  this text\n", c->name, c->usage,
           c->summary, c->help);
    return VMM_EXIT_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return VMM_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return VMM_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("vmm-shim " VMM_VERSION);
        return VMM_EXIT_OK;
    }
    make_absolute("VMM_SHIM_DIR");
    make_absolute("VMM_SHIM_CACHE");
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(argv[1], commands[i]->name) != 0)
            continue;
        return wants_help(argc - 1, argv + 1) ? print_help(commands[i])
                                              : commands[i]->run(argc - 1, argv + 1);
    }
    return vmm_complain(VMM_EXIT_USAGE, "no command '%s'; --help lists what there is", argv[1]);
}
