/*
 * link.c - `vmm-shim link set|up|down|program|show`: links of a slice that runs.
 */
#include "cmd/command.h"
#include "cmd/links.h"
#include "slice/client.h"
#include "topology/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
    const char *what, *slice, *link, *node, *way;
    const char *setting[64];
    size_t n_settings;
    int json;
};

/* The network's process stands elsewhere: a file's whole path. */
static json_t *path_of(const char *file)
{
    char *whole = realpath(file, NULL);
    json_t *path = json_string(whole ? whole : file); /* what is not there is refused there */
    free(whole);
    return path;
}

/* "up.rate=3mbit" into request["up"]["rate"], "rate=3mbit" into "both", "weight=3" beside them. */
static int add_setting(json_t *request, const char *word)
{
    const char *equals = strchr(word, '='), *key = word, *way = "both";
    char name[32];
    if (!equals)
        return -1;
    if (strncmp(word, "up.", 3) == 0)
        way = "up", key = word + 3;
    else if (strncmp(word, "down.", 5) == 0)
        way = "down", key = word + 5;
    if (equals <= key || (size_t)(equals - key) >= sizeof name)
        return -1;
    snprintf(name, sizeof name, "%.*s", (int)(equals - key), key);
    if (strcmp(name, "weight") == 0 && key == word)
        return json_object_set_new(request, name, json_integer(atoi(equals + 1)));
    json_t *settings = json_object_get(request, way);
    if (!settings) {
        settings = json_object();
        json_object_set_new(request, way, settings);
    }
    bool file = strcmp(name, "trace") == 0 && strcmp(equals + 1, "off") != 0;
    return json_object_set_new(settings, name,
                               file ? path_of(equals + 1) : json_string(equals + 1));
}

static int answer(json_t *ok, int json, int code, const char *why)
{
    if (!ok)
        return vmm_complain(code, "%s", why);
    if (json) {
        json_dumpf(ok, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(ok);
    return VMM_EXIT_OK;
}

static int set(const struct words *w)
{
    char why[512];
    struct vmm_ask_more more = { 0 };
    json_t *request = json_pack("{s:s, s:s}", "do", "link-set", "link", w->link);
    for (size_t i = 0; i < w->n_settings; i++)
        if (add_setting(request, w->setting[i]) < 0) {
            json_decref(request);
            return vmm_complain(VMM_EXIT_USAGE,
                                "link set: '%s' is no setting: [up.|down.]KEY=VALUE, see vlink(1)",
                                w->setting[i]);
        }
    if (!w->n_settings) {
        json_decref(request);
        return vmm_complain(VMM_EXIT_USAGE, "link set: [up.|down.]KEY=VALUE is wanted");
    }
    json_t *ok = vmm_ask_with(w->slice, request, &more, why, sizeof why);
    return answer(ok, w->json, more.exit_code, why);
}

/* LINK FILE|off [ARGUMENT] */
static int change_program(const struct words *w)
{
    char why[512], found[4096];
    struct vmm_ask_more more = { 0 };
    if (w->n_settings < 1 || w->n_settings > 2)
        return vmm_complain(VMM_EXIT_USAGE, "link program: LINK FILE [ARGUMENT], or LINK off");
    const char *file = w->setting[0], *name = strncmp(file, "program:", 8) == 0 ? file + 8 : NULL;
    if (name && vmm_find_program(name, found, sizeof found, why, sizeof why) < 0)
        return vmm_complain(VMM_EXIT_NOTHING, "link program: %s", why);
    json_t *request = json_pack("{s:s, s:s}", "do", "link-program", "link", w->link);
    json_object_set_new(request, "path",
                        strcmp(file, "off") == 0 ? json_null() : path_of(name ? found : file));
    if (w->n_settings == 2)
        json_object_set_new(request, "argument", json_string(w->setting[1]));
    json_t *ok = vmm_ask_with(w->slice, request, &more, why, sizeof why);
    return answer(ok, w->json, more.exit_code, why);
}

static int change_state(const struct words *w, const char *state)
{
    char why[512];
    struct vmm_ask_more more = { 0 };
    json_t *request =
        json_pack("{s:s, s:s, s:s}", "do", "link-state", "link", w->link, "state", state);
    if (w->node)
        json_object_set_new(request, "port", json_string(w->node));
    if (w->way)
        json_object_set_new(request, "way", json_string(w->way));
    json_t *ok = vmm_ask_with(w->slice, request, &more, why, sizeof why);
    return answer(ok, w->json, more.exit_code, why);
}

static int show(const struct words *w)
{
    char why[512];
    struct vmm_ask_more more = { 0 };
    json_t *ok = vmm_ask_with(w->slice, json_pack("{s:s}", "do", "stats"), &more, why, sizeof why);
    if (!ok)
        return vmm_complain(more.exit_code, "%s", why);
    int found = w->json ? vmm_links_json(ok, w->link) : vmm_links_print(ok, w->link);
    json_decref(ok);
    return found || !w->link
               ? VMM_EXIT_OK
               : vmm_complain(VMM_EXIT_NOTHING, "the slice has no link '%s'", w->link);
}

static int take_words(struct words *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (vmm_option_value(argc, argv, &i, "--slice", &w->slice) ||
            vmm_option_value(argc, argv, &i, "--node", &w->node) ||
            vmm_option_value(argc, argv, &i, "--way", &w->way))
            continue;
        if (vmm_option_flag(argv[i], "--json"))
            w->json = 1;
        else if (argv[i][0] == '-')
            return vmm_complain(VMM_EXIT_USAGE, "link: '%s' is not understood; --help", argv[i]);
        else if (!w->what)
            w->what = argv[i];
        else if (!w->link)
            w->link = argv[i];
        else if (w->n_settings < sizeof w->setting / sizeof w->setting[0])
            w->setting[w->n_settings++] = argv[i];
    }
    return VMM_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct words w = { 0 };
    int code = take_words(&w, argc, argv);
    const char *what = w.what ? w.what : "";
    if (code != VMM_EXIT_OK)
        return code;
    if (strcmp(what, "show") == 0)
        return show(&w);
    if (strcmp(what, "set") != 0 && strcmp(what, "up") != 0 && strcmp(what, "down") != 0 &&
        strcmp(what, "program") != 0)
        return vmm_complain(VMM_EXIT_USAGE,
                            "link: set, up, down, program or show is wanted, not '%s'", what);
    if (!w.link)
        return vmm_complain(VMM_EXIT_USAGE, "link %s: the name of a link is wanted", what);
    if (strcmp(what, "set") == 0)
        return set(&w);
    if (strcmp(what, "program") == 0)
        return change_program(&w);
    if (w.n_settings)
        return vmm_complain(VMM_EXIT_USAGE, "link %s: '%s' is too much", what, w.setting[0]);
    return change_state(&w, what);
}

const struct vmm_command vmm_command_link = {
    .name = "link",
    .usage = "set LINK [up.|down.]KEY=VALUE... | up LINK | down LINK | program LINK FILE|off "
             "[ARGUMENT] | show [LINK]",
    .summary = "changes a link while it runs, or shows links",
    .help =
        "      --slice NAME   else the only one that runs\n"
        "      --node NODE    up, down: only the port of this node\n"
        "      --way up|down  up, down: only this way\n"
        "      --json         for programs\n"
        "KEYs are those of vlink(1): rate, delay, loss, jitter, queue, trace, ...; and weight.\n",
    .run = run,
};
