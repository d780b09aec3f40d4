/*
 * config_man.c - the table of keys as svc-server.yaml(5), as a list, and as judge of a file.
 *
 *     config_man --man | --keys | --load FILE | --parse FILE      --parse: without config_rules
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "config_keys.h"
#include "config_rules.h"
#include "configure.h"

#define PREFIX_MAX 128

static const char head[] =
    ".TH SVC-SERVER.YAML 5 \"\" \"svc-suite\" \"File Formats\"\n"
    ".SH NAME\n"
    "svc-server.yaml \\- configuration of svc-server\n"
    ".SH DESCRIPTION\n"
    "A YAML file of keys with values, read at the start and again at SIGHUP. The environment wins "
    "over it,\n"
    "and the command line over both; see\n"
    ".BR svc\\-server (1).\n"
    "Names of files in it are relative to the folder that it is in. A key that is unknown, there "
    "twice,\n"
    "of the wrong type or out of its range is refused with a line that names file, line and key.\n"
    ".B svc\\-server \\-\\-check\n"
    "says all that is wrong, also with the files that are named.\n"
    ".PP\n"
    "At SIGHUP sources and pushes that came, went or changed are begun and ended; what is the same "
    "goes on, with its\n"
    "viewers. Certificates, keys and tokens are read again, limits and access are taken over. Of\n"
    ".BR listen \", \" workers \", \" json \", \" qlog \", \" keylog \", \" policy_log \", \" "
    "control.listen ,\n"
    ".BR transport \" and \" confine\n"
    "the old values stay until a restart, which a line in the log says.\n"
    ".PP\n"
    "In brackets stand what a key takes, and the default.\n";

static const char tail[] = ".SH FILES\n"
                           ".I " CONFIGURE_FILE "\n"
                           ".SH EXAMPLE\n"
                           ".nf\n"
                           "cert: server.pem\n"
                           "key: server.key\n"
                           "sources:\n"
                           "  - namespace: demo\n"
                           "    kind: live\n"
                           "    input: test:960x540@30\n"
                           ".fi\n"
                           ".SH SEE ALSO\n"
                           ".BR svc\\-server (1)\n";

static const char *kind(const struct config_key *k, char out[200])
{
    static const char *const texts[] = {
        [KEY_TEXT] = "text",         [KEY_PATH] = "file",
        [KEY_FLAG] = "true, false",  [KEY_KBPS] = "list of numbers",
        [KEY_SIZE] = "WxH",          [KEY_RATE] = "number or fraction",
        [KEY_BYTES] = "hexadecimal", [KEY_TEXTS] = "list of texts",
        [KEY_TABLE] = "keys",        [KEY_TABLES] = "list",
    };
    size_t at = 0;
    if (k->names) {
        out[0] = '\0';
        for (size_t i = 0; k->names[i]; i++)
            at += (size_t)snprintf(out + at, 200 - at, "%s%s", i ? ", " : "", k->names[i]);
        return out;
    }
    if (k->type == KEY_U8 || k->type == KEY_U32 || k->type == KEY_REAL) {
        snprintf(out, 200, "%g to %.10g", k->min, k->max);
        return out;
    }
    if (k->type == KEY_KBPS) {
        snprintf(out, 200, "list, each %g to %.10g", k->min, k->max);
        return out;
    }
    return texts[k->type];
}

/* Text for roff: hyphens as they are typed. */
static void put(const char *text)
{
    for (; *text; text++)
        printf(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : "%c", *text);
}

static void man_key(const struct config_key *k)
{
    char what[200];
    printf(".TP\n.B ");
    put(k->name);
    printf("\n[");
    put(kind(k, what));
    if (k->unit)
        printf(" %s", k->unit);
    if (k->fallback && k->fallback[0]) {
        printf("; ");
        put(k->fallback);
    }
    printf("]\n");
    put(k->doc);
    printf("\n");
}

static void man_table(const struct config_table *t)
{
    const char *colon = strchr(t->title, ':');
    if (colon)
        printf(".SH \"%.*s\"\nThe keys of each, %s.\n", (int)(colon - t->title), t->title,
               colon + 2);
    else
        printf(".SH KEYS\n");
    for (const struct config_key *k = t->key; k->name; k++)
        man_key(k);
    for (const struct config_key *k = t->key; k->name; k++)
        if (k->table)
            man_table(k->table);
}

static void keys(const struct config_table *t, const char *prefix)
{
    for (const struct config_key *k = t->key; k->name; k++) {
        char name[PREFIX_MAX];
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", k->name);
        puts(name);
        if (k->table)
            keys(k->table, name);
    }
}

static int load(const char *path, bool rules)
{
    static char why[65536];
    struct problems p;
    struct config c;
    problems_init(&p, why, sizeof why);
    if (config_init(&c) < 0)
        return EXIT_FAILURE;
    config_file_read(&c, path, &p);
    if (p.n == 0 && rules)
        config_rules(&c, &p);
    config_fini(&c);
    puts(p.n ? why : "ok");
    return p.n ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--man") == 0) {
        fputs(head, stdout);
        man_table(&config_root);
        fputs(tail, stdout);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--keys") == 0) {
        keys(&config_root, "");
        return EXIT_SUCCESS;
    }
    const bool rules = argc == 3 && strcmp(argv[1], "--load") == 0;
    return rules || (argc == 3 && strcmp(argv[1], "--parse") == 0) ? load(argv[2], rules) : 64;
}
