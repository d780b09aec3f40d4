/*
 * command.h - what a command of vmm-shim is: `vmm-shim NAME ARGUMENT...`.
 *
 * A command is a file cmd/NAME.c with one const struct, an `extern` line here, a line of the table
 * in main.c, a line in meson.build, a section in docs/man/vmm-shim.1. main.c answers --help out of
 * the struct before run() is called; all else on the line is the command's.
 */
#ifndef VMM_COMMAND_H
#define VMM_COMMAND_H

/* Exit codes of all commands. `exec` and `up` give the exit code of the node's command instead:
 * 128 + N when signal N ended it. */
enum vmm_exit {
    VMM_EXIT_OK = 0,
    VMM_EXIT_FAILED = 1,  /* said why on standard error, one line "vmm-shim NAME: why" */
    VMM_EXIT_USAGE = 64,  /* the line makes no sense: an unknown option, a word missing */
    VMM_EXIT_NOTHING = 3, /* asked for something that is not there: no slice, no node, no link */
    VMM_EXIT_SHIM = 125,  /* `exec`, `up`: vmm-shim failed, not the node's command */
};

struct vmm_command {
    const char *name;    /* one word */
    const char *usage;   /* what follows the name, e.g. "FILE [--detach] [--set NAME=VALUE]..." */
    const char *summary; /* one line, no full stop, at most 60 characters */
    const char *help;    /* lines "  --option VALUE   what it does\n", or ""; --help adds itself */
    /* argv[0] is the name. Returns the program's exit code (enum vmm_exit). Output goes to stdout,
     * complaints by vmm_complain(). */
    int (*run)(int argc, char **argv);
};

/* One line "vmm-shim: TEXT" on standard error. Returns `code`, so that a command can
 * `return vmm_complain(VMM_EXIT_FAILED, ...)`. */
int vmm_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes `--json`-like flags and `--key VALUE` or `--key=VALUE` out of argv while it is walked.
 *     for (int i = 1; i < argc; i++)
 *         if (vmm_option_flag(argv[i], "--json")) ...
 *         else if (vmm_option_value(argc, argv, &i, "--slice", &slice)) ...
 * A value that is missing leaves *value NULL (say so). */
int vmm_option_flag(const char *word, const char *name);
int vmm_option_value(int argc, char **argv, int *i, const char *name, const char **value);

/* One a line: many add to it. */
extern const struct vmm_command vmm_command_probe;
extern const struct vmm_command vmm_command_image;
extern const struct vmm_command vmm_command_up;
extern const struct vmm_command vmm_command_down;
extern const struct vmm_command vmm_command_ps;
extern const struct vmm_command vmm_command_exec;
extern const struct vmm_command vmm_command_logs;
extern const struct vmm_command vmm_command_link;
extern const struct vmm_command vmm_command_match;
extern const struct vmm_command vmm_command_rt;
extern const struct vmm_command vmm_command_migrate;
extern const struct vmm_command vmm_command_suspend;
extern const struct vmm_command vmm_command_resume;
extern const struct vmm_command vmm_command_stats;

#endif
