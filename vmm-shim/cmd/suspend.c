/*
 * suspend.c - `vmm-shim suspend` and `vmm-shim resume`: a guest goes into a file, and on out of it.
 */
#include "cmd/command.h"
#include "slice/client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct words {
    const char *slice, *node, *file;
    int json, plain, replace;
};

/* The keeper's working folder is not ours. */
static void absolute(const char *file, char *out, size_t size)
{
    char here[PATH_MAX];

    if (*file == '/' || !getcwd(here, sizeof here))
        snprintf(out, size, "%s", file);
    else
        snprintf(out, size, "%s/%s", here, file);
}

static bool has_zstd(void)
{
    const int status = system("zstd --version >/dev/null 2>&1");

    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* `more`: what the request has beside node and file, a new object. `say` prints the answer. */
static int ask(const struct words *w, const char *what, json_t *more,
               void (*say)(const struct words *w, json_t *ok))
{
    char why[1024], file[2 * PATH_MAX];
    struct vmm_ask_more asked = { .exit_code = VMM_EXIT_FAILED };
    json_t *request, *ok;

    absolute(w->file, file, sizeof file);
    request = json_pack("{s:s, s:s, s:s}", "do", what, "node", w->node, "file", file);
    json_object_update(request, more);
    json_decref(more);
    ok = vmm_ask_with(w->slice, request, &asked, why, sizeof why);
    if (!ok)
        return vmm_complain(asked.exit_code, "%s", why);
    if (w->json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        say(w, ok);
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

static double number(json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void say_suspended(const struct words *w, json_t *ok)
{
    printf("%s is in %s: %.1f MiB, after %.0f ms\n", w->node, w->file,
           number(ok, "file_bytes") / (1 << 20), number(ok, "ms"));
}

static int suspend(const struct words *w)
{
    return ask(w, "suspend", json_pack("{s:b}", "zstd", !w->plain && has_zstd()), say_suspended);
}

static void say_resumed(const struct words *w, json_t *ok)
{
    printf("%s goes on, after %.0f ms\n", w->node, number(ok, "ms"));
}

static int resume(const struct words *w)
{
    return ask(w, "resume", json_pack("{s:b}", "replace", w->replace), say_resumed);
}

static int read_words(struct words *w, int argc, char **argv)
{
    const bool suspends = strcmp(argv[0], "suspend") == 0;

    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &w->slice))
            continue;
        if (vmm_option_flag(argv[i], "--json"))
            w->json = 1;
        else if (suspends && vmm_option_flag(argv[i], "--plain"))
            w->plain = 1;
        else if (!suspends && vmm_option_flag(argv[i], "--replace"))
            w->replace = 1;
        else if (argv[i][0] == '-' || w->file)
            return vmm_complain(VMM_EXIT_USAGE, "%s: '%s' is not understood", argv[0], argv[i]);
        else if (!w->node)
            w->node = argv[i];
        else
            w->file = argv[i];
    }
    return w->file ? VMM_EXIT_OK
                   : vmm_complain(VMM_EXIT_USAGE, "%s: which node, and which file?", argv[0]);
}

static int run_suspend(int argc, char **argv)
{
    struct words w = { 0 };
    const int code = read_words(&w, argc, argv);

    return code != VMM_EXIT_OK ? code : suspend(&w);
}

static int run_resume(int argc, char **argv)
{
    struct words w = { 0 };
    const int code = read_words(&w, argc, argv);

    return code != VMM_EXIT_OK ? code : resume(&w);
}

const struct vmm_command vmm_command_suspend = {
    .name = "suspend",
    .usage = "NODE FILE [--plain]",
    .summary = "stop a guest and keep its state in a file",
    .help = "  --slice NAME   of this slice; left out: the only one that runs\n"
            "  --plain        not compressed, though zstd is there\n"
            "  --json         what was done, as JSON\n",
    .run = run_suspend,
};

const struct vmm_command vmm_command_resume = {
    .name = "resume",
    .usage = "NODE FILE [--replace]",
    .summary = "let a guest go on out of a file",
    .help = "  --slice NAME   in this slice; left out: the only one that runs\n"
            "  --replace      end the guest that runs there\n"
            "  --json         what was done, as JSON\n",
    .run = run_resume,
};
