/*
 * exec.c - `vmm-shim exec NODE -- CMD...`: a program in a node, with our input, output and its exit
 * code.
 */
#include "cmd/command.h"
#include "slice/client.h"

#include <signal.h>
#include <string.h>

static json_t *on_signal(int number)
{
    return json_pack("{s:i}", "signal", number);
}

static int ask(const char *slice, const char *node, char **argv, int argc, json_t *env, bool input)
{
    char why[512];
    json_t *words = json_array();
    for (int i = 0; i < argc; i++)
        if (json_array_append_new(words, json_string(argv[i])) < 0) {
            json_decref(words);
            json_decref(env);
            return vmm_complain(VMM_EXIT_USAGE, "exec: the command is not UTF-8");
        }
    struct vmm_ask_more more = { .input = input, .signals = true, .on_signal = on_signal };
    json_t *ok = vmm_ask_with(slice,
                              json_pack("{s:s, s:s, s:o, s:o, s:b}", "do", "exec", "node", node,
                                        "argv", words, "env", env, "input", input),
                              &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code == VMM_EXIT_FAILED ? VMM_EXIT_SHIM : more.exit_code,
                            "%s", why);
    int code = (int)json_integer_value(json_object_get(ok, "exit"));
    json_decref(ok);
    return code;
}

static int run(int argc, char **argv)
{
    const char *slice = NULL, *value = NULL;
    json_t *env = json_array();
    bool input = true;
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &slice)) {
            continue;
        } else if (vmm_option_flag(argv[i], "--no-input") || vmm_option_flag(argv[i], "-n")) {
            input = false;
        } else if (vmm_option_value(argc, argv, &i, "--env", &value) && value) {
            json_array_append_new(env, json_string(value));
        } else {
            json_decref(env);
            return vmm_complain(VMM_EXIT_USAGE, "exec: '%s' is not understood; --help", argv[i]);
        }
    }
    const char *node = i < argc ? argv[i++] : NULL;
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (!node || strcmp(node, "--") == 0 || i >= argc) {
        json_decref(env);
        return vmm_complain(VMM_EXIT_USAGE, "exec: a node and a command are wanted");
    }
    return ask(slice, node, argv + i, argc - i, env, input);
}

const struct vmm_command vmm_command_exec = {
    .name = "exec",
    .usage = "[--slice NAME] NODE [--] COMMAND [ARGUMENT]...",
    .summary = "runs a program in a node, with its input and exit code",
    .help = "      --slice NAME      else the only one that runs\n"
            "      --env NAME=VALUE  of its environment; may be said again\n"
            "  -n, --no-input        standard input stays here\n",
    .run = run,
};
