/* configure.c - see configure.h: which option, and which variable, sets which key. */
#include "configure.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "config_keys.h"
#include "config_rules.h"

#define NAME_MAX_ 64
#define ENVIRONMENT "SVC_SERVER_"

/* Where an option's value goes. */
enum place {
    TO_CONFIG,  /* a key of the whole, "a" or "a.b" */
    TO_SOURCE,  /* a key of the one source that the command line names */
    TO_INPUT,   /* that source's input; `key` is its kind */
    TO_ENCODER, /* a key of how it is coded */
    TO_FILE,    /* --config */
    TO_CHECK,
    TO_REPLAY,
    TO_HELP,
    TO_VERSION,
};

static const struct option {
    const char *name;
    enum place place;
    const char *key;
    bool flag; /* takes no value: true */
} options[] = {
    { "--cert", TO_CONFIG, "cert", false },
    { "--key", TO_CONFIG, "key", false },
    { "--listen", TO_CONFIG, "listen", false },
    { "--workers", TO_CONFIG, "workers", false },
    { "--max-viewers", TO_CONFIG, "viewers_max", false },
    { "--drain", TO_CONFIG, "drain_s", false },
    { "--control", TO_CONFIG, "control.listen", false },
    { "--control-token", TO_CONFIG, "control.token", false },
    { "--client-ca", TO_CONFIG, "access.client_ca", false },
    { "--token-key", TO_CONFIG, "access.token_key", false },
    { "--token-algorithm", TO_CONFIG, "access.token_algorithm", false },
    { "--access-log", TO_CONFIG, "access.log", false },
    { "--cc", TO_CONFIG, "transport.cc", false },
    { "--objective", TO_CONFIG, "transport.objective", false },
    { "--knowledge", TO_CONFIG, "transport.knowledge", false },
    { "--sched", TO_CONFIG, "transport.sched", false },
    { "--server-id", TO_CONFIG, "transport.server_id", false },
    { "--user", TO_CONFIG, "confine.user", false },
    { "--confine", TO_CONFIG, "confine.mode", false },
    { "--json", TO_CONFIG, "json", false },
    { "--keylog", TO_CONFIG, "keylog", false },
    { "--qlog", TO_CONFIG, "qlog", false },
    { "--policy-log", TO_CONFIG, "policy_log", false },
    { "--log", TO_CONFIG, "log_level", false },
    { "--log-json", TO_CONFIG, "log_json", true },
    { "--namespace", TO_SOURCE, "namespace", false },
    { "--loop", TO_SOURCE, "loop", true },
    { "--start", TO_SOURCE, "start_s", false },
    { "--on-demand", TO_SOURCE, "on_demand", true },
    { "--start-on-viewer", TO_SOURCE, "start_on_viewer", true },
    { "--latency", TO_SOURCE, "latency_ms", false },
    { "--record", TO_SOURCE, "record", false },
    { "--window", TO_SOURCE, "window_s", false },
    { "--sound", TO_SOURCE, "sound", false },
    { "--upstream-ca", TO_SOURCE, "ca", false },
    { "--upstream-token", TO_SOURCE, "token", false },
    { "--live", TO_INPUT, "live", false },
    { "--upstream", TO_INPUT, "upstream", false },
    { "--publish", TO_INPUT, "publish", true },
    { "--layers", TO_ENCODER, "layers", false },
    { "--codec", TO_ENCODER, "codec", false },
    { "--bitrate", TO_ENCODER, "bitrate_kbps", false },
    { "--size", TO_ENCODER, "size", false },
    { "--fps", TO_ENCODER, "fps", false },
    { "--key-interval", TO_ENCODER, "key_interval_s", false },
    { "--speed", TO_ENCODER, "speed", false },
    { "--threads", TO_ENCODER, "threads", false },
    { "--low-latency", TO_ENCODER, "low_latency", true },
    { "--config", TO_FILE, NULL, false },
    { "--check", TO_CHECK, NULL, true },
    { "--replay-policy", TO_REPLAY, NULL, false },
    { "--help", TO_HELP, NULL, true },
    { "--version", TO_VERSION, NULL, true },
    { NULL, TO_CONFIG, NULL, false },
};

struct asked {                          /* what the command line says beside values of keys */
    const char *file, *replay, *source; /* source: "FILE" or the option that names it */
    const char *about_source, *about_encoding; /* the last such option; NULL: none */
    bool check, help, version;
};

struct word {                    /* of the command line */
    const struct option *option; /* NULL: a FILE */
    const char *value;
};

/* The word at argv[*i], "--x", "--x V", "--x=V" or FILE. 0 or -1 with a line. */
static int next_word(struct word *w, char **argv, int *i, struct problems *to)
{
    const char *arg = argv[*i];
    const size_t len = strcspn(arg, "=");
    *w = (struct word){ .value = arg };
    if (strncmp(arg, "--", 2) != 0)
        return 0;
    const struct option *o = options;
    while (o->name && (strlen(o->name) != len || strncmp(o->name, arg, len) != 0))
        o++;
    if (!o->name) {
        problems_add(to, "unknown option \"%.64s\"", arg);
        return -1;
    }
    w->option = o;
    w->value = o->flag ? "true" : arg[len] ? arg + len + 1 : argv[++*i];
    if (o->flag && arg[len])
        problems_add(to, "%s takes no value", o->name);
    else if (!w->value)
        problems_add(to, "%s needs a value", o->name);
    else
        return 0;
    return -1;
}

/* What must be known before values are set. 0 or -1 with a line. */
static int ask(struct asked *a, const struct configure *q, struct problems *to)
{
    struct word w;
    for (int i = 1; i < q->argc; i++) {
        if (next_word(&w, q->argv, &i, to) < 0)
            return -1;
        const enum place place = w.option ? w.option->place : TO_INPUT;
        const char *name = w.option ? w.option->name : w.value;
        if (place == TO_INPUT && a->source) {
            problems_add(to, "%s and %s: name one source", a->source, name);
            return -1;
        }
        if (place == TO_INPUT)
            a->source = name;
        else if (place == TO_SOURCE)
            a->about_source = name;
        else if (place == TO_ENCODER)
            a->about_encoding = name;
        else if (place == TO_FILE)
            a->file = w.value;
        else if (place == TO_REPLAY)
            a->replay = w.value;
        a->check |= place == TO_CHECK;
        a->help |= place == TO_HELP;
        a->version |= place == TO_VERSION;
        if (a->help || a->version)
            return 0;
    }
    return 0;
}

/* The key "a" or "a.b" of the table, and the struct that it is in. */
static const struct config_key *locate(const struct config_table *t, const char *name, void **base)
{
    char first[NAME_MAX_];
    const char *dot = strchr(name, '.');
    if (!dot)
        return config_key_find(t, name);
    snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
    const struct config_key *k = config_key_find(t, first);
    *base = (char *)*base + k->offset;
    return config_key_find(k->table, dot + 1);
}

static void set(const struct config_table *t, void *base, const char *key, const char *name,
                const char *text, struct problems *to)
{
    char why[CONFIG_WHY_MAX];
    const struct config_key *k = locate(t, key, &base);
    if (config_set(k, base, text, why, sizeof why) < 0)
        problems_add(to, "%s %s", name, why);
}

/* "--max-viewers" is SVC_SERVER_MAX_VIEWERS. NULL: is not set. */
static const char *variable(const char *option, char name[NAME_MAX_])
{
    size_t n = (size_t)snprintf(name, NAME_MAX_, ENVIRONMENT "%s", option + 2);
    for (size_t i = 0; i < n && i < NAME_MAX_; i++)
        name[i] = (char)(name[i] == '-' ? '_' : toupper((unsigned char)name[i]));
    const char *text = getenv(name);
    return text && text[0] ? text : NULL;
}

static void read_environment(struct config *c, struct problems *to)
{
    static const char *const customary[][2] = { { "SSLKEYLOGFILE", "keylog" },
                                                { "QLOGDIR", "qlog" } };
    char name[NAME_MAX_];
    for (size_t i = 0; i < sizeof customary / sizeof *customary; i++) {
        const char *text = getenv(customary[i][0]);
        if (text && text[0])
            set(&config_root, c, customary[i][1], customary[i][0], text, to);
    }
    for (const struct option *o = options; o->name; o++) {
        const char *text = o->place == TO_CONFIG ? variable(o->name, name) : NULL;
        if (text)
            set(&config_root, c, o->key, name, text, to);
    }
}

static void read_word(struct config *c, struct config_source *s, const struct word *w,
                      struct problems *to)
{
    const struct option *o = w->option;
    if (!o) {
        set(&config_source_table, s, "input", "FILE", w->value, to);
    } else if (o->place == TO_CONFIG) {
        set(&config_root, c, o->key, o->name, w->value, to);
    } else if (o->place == TO_SOURCE) {
        set(&config_source_table, s, o->key, o->name, w->value, to);
    } else if (o->place == TO_ENCODER) {
        char key[NAME_MAX_];
        snprintf(key, sizeof key, "encoder.%s", o->key);
        set(&config_source_table, s, key, o->name, w->value, to);
    } else if (o->place == TO_INPUT) {
        set(&config_source_table, s, "kind", o->name, o->key, to);
        if (!o->flag)
            set(&config_source_table, s, "input", o->name, w->value, to);
    }
}

/* Takes the place of the source of its name, else stands behind all. */
static void put_source(struct config *c, struct config_source *s, struct problems *to)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        if (strcmp(c->source[i].ns, s->ns) == 0) {
            config_table_fini(&config_source_table, &c->source[i]);
            c->source[i] = *s;
            return;
        }
    }
    struct config_source *added = config_add(config_key_find(&config_root, "sources"), c);
    if (added) {
        config_table_fini(&config_source_table, added);
        *added = *s;
    } else {
        problems_add(to, "more than %d sources", CONFIG_SOURCES_MAX);
        config_table_fini(&config_source_table, s);
    }
}

static void read_line(struct config *c, const struct configure *q, const struct asked *a,
                      struct problems *to)
{
    struct config_source s = { .ns = NULL };
    struct word w;
    if (config_table_init(&config_source_table, &s) < 0) {
        problems_add(to, "out of memory");
        return;
    }
    for (int i = 1; i < q->argc; i++)
        if (next_word(&w, q->argv, &i, to) == 0)
            read_word(c, &s, &w, to);
    if (a->about_encoding && s.kind != CONFIG_LIVE)
        problems_add(to, "%s is about what --live encodes; there is no --live", a->about_encoding);
    else if (a->about_source && !a->source && c->n_sources > 0)
        problems_add(to, "%s is about a source of the command line; there is none",
                     a->about_source);
    if (a->source)
        put_source(c, &s, to);
    else
        config_table_fini(&config_source_table, &s);
}

/* The file to read: named, or the usual one where nothing is. NULL: none. */
static const char *file_of(const struct asked *a)
{
    char name[NAME_MAX_];
    const char *file = a->file ? a->file : variable("--config", name);
    if (file || a->source)
        return file;
    return access(CONFIGURE_FILE, F_OK) == 0 ? CONFIGURE_FILE : NULL;
}

static enum configure_result give_up(struct config *out, enum configure_result result)
{
    config_fini(out);
    return result;
}

enum configure_result configure(struct configure *q, struct config *out, char *why, size_t why_size)
{
    struct asked a = { .file = NULL };
    struct problems p;
    problems_init(&p, why, why_size);
    memset(out, 0, sizeof *out);
    const int wrong = ask(&a, q, &p);
    q->file = NULL;
    q->replay = a.replay;
    if (a.help)
        return CONFIGURE_HELP;
    if (a.version)
        return CONFIGURE_VERSION;
    if (wrong)
        return CONFIGURE_USAGE;
    if (config_init(out) < 0) {
        problems_add(&p, "out of memory");
        return CONFIGURE_USAGE;
    }
    q->file = file_of(&a);
    if (q->file && !a.replay)
        config_file_read(out, q->file, &p);
    if (p.n > 0)
        return give_up(out, CONFIGURE_BAD);
    read_environment(out, &p);
    read_line(out, q, &a, &p);
    if (p.n > 0)
        return give_up(out, CONFIGURE_USAGE);
    if (a.replay)
        return CONFIGURE_REPLAY;
    if (!q->file && !a.source)
        problems_add(&p, "no file and no --live; try --help");
    else if (!a.check) /* which says all at once */
        config_rules(out, &p);
    out->ends_with_source = !q->file;
    if (p.n > 0)
        return give_up(out, q->file ? CONFIGURE_BAD : CONFIGURE_USAGE);
    return a.check ? CONFIGURE_CHECK : CONFIGURE_RUN;
}
