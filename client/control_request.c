/* control_request.c - see control_request.h: one table of commands and one of settable properties.
 */
#include "control_request.h"

#include <jansson.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum args_kind {
    ARGS_NONE,
    ARGS_HOW,       /* optional: "on", "off", "toggle", true, false; else a toggle */
    ARGS_NUMBER,    /* a number */
    ARGS_TEXT,      /* a word, may be missing */
    ARGS_PATH,      /* a name or number, then what to do */
    ARGS_PROPERTY,  /* its name */
    ARGS_SET,       /* name and value */
    ARGS_ADD,       /* name and number */
    ARGS_CYCLE,     /* name */
    ARGS_OBSERVE,   /* number and name */
    ARGS_UNOBSERVE, /* number */
};

static const struct form {
    const char *name;
    enum args_kind args;
    enum control_kind kind;
    enum command_kind command;
    enum command_how how; /* where the arguments do not say */
} forms[] = {
    { "quit", ARGS_NONE, CONTROL_COMMAND, COMMAND_QUIT, COMMAND_SET },
    { "pause", ARGS_HOW, CONTROL_COMMAND, COMMAND_PAUSE, COMMAND_TOGGLE },
    { "seek", ARGS_NUMBER, CONTROL_COMMAND, COMMAND_SEEK, COMMAND_ADD },
    { "live", ARGS_NONE, CONTROL_COMMAND, COMMAND_LIVE, COMMAND_SET },
    { "volume", ARGS_NUMBER, CONTROL_COMMAND, COMMAND_VOLUME, COMMAND_SET },
    { "mute", ARGS_HOW, CONTROL_COMMAND, COMMAND_MUTE, COMMAND_TOGGLE },
    { "fullscreen", ARGS_HOW, CONTROL_COMMAND, COMMAND_FULLSCREEN, COMMAND_TOGGLE },
    { "screenshot", ARGS_TEXT, CONTROL_COMMAND, COMMAND_SCREENSHOT, COMMAND_SET },
    { "statistics", ARGS_HOW, CONTROL_COMMAND, COMMAND_STATISTICS, COMMAND_TOGGLE },
    { "statistics-page", ARGS_NUMBER, CONTROL_COMMAND, COMMAND_STATISTICS_PAGE, COMMAND_SET },
    { "help", ARGS_HOW, CONTROL_COMMAND, COMMAND_HELP, COMMAND_TOGGLE },
    { "path", ARGS_PATH, CONTROL_COMMAND, COMMAND_PATH, COMMAND_TOGGLE },
    { "hand-over", ARGS_TEXT, CONTROL_COMMAND, COMMAND_HAND_OVER, COMMAND_SET },
    { "layers", ARGS_TEXT, CONTROL_COMMAND, COMMAND_LAYERS, COMMAND_SET },
    { "get_property", ARGS_PROPERTY, CONTROL_GET, COMMAND_NONE, COMMAND_SET },
    { "set_property", ARGS_SET, CONTROL_COMMAND, COMMAND_NONE, COMMAND_SET },
    { "add", ARGS_ADD, CONTROL_COMMAND, COMMAND_NONE, COMMAND_ADD },
    { "cycle", ARGS_CYCLE, CONTROL_COMMAND, COMMAND_NONE, COMMAND_TOGGLE },
    { "observe_property", ARGS_OBSERVE, CONTROL_OBSERVE, COMMAND_NONE, COMMAND_SET },
    { "unobserve_property", ARGS_UNOBSERVE, CONTROL_UNOBSERVE, COMMAND_NONE, COMMAND_SET },
};

/* Properties that can be set, and by which command. */
static const struct settable {
    const char *name;
    enum command_kind command;
    bool is_switch; /* else a number, or a word */
} settables[] = {
    { "pause", COMMAND_PAUSE, true },
    { "volume", COMMAND_VOLUME, false },
    { "mute", COMMAND_MUTE, true },
    { "fullscreen", COMMAND_FULLSCREEN, true },
    { "statistics", COMMAND_STATISTICS, true },
    { "statistics-page", COMMAND_STATISTICS_PAGE, false },
    { "help", COMMAND_HELP, true },
    { "layers", COMMAND_LAYERS, false },
};

struct reading {
    struct control_request *out;
    const json_t *args; /* the array; [0] is the command's name */
    char *why;
    size_t why_size;
};

static int wrong(const struct reading *r, const char *what)
{
    snprintf(r->why, r->why_size, "%s: %s", json_string_value(json_array_get(r->args, 0)), what);
    return -1;
}

static const json_t *arg(const struct reading *r, size_t i)
{
    return json_array_get(r->args, i);
}

static int take_count(const struct reading *r, size_t least, size_t most)
{
    const size_t n = json_array_size(r->args) - 1;

    if (n >= least && n <= most)
        return 0;
    return wrong(r, n < least ? "too few arguments" : "too many arguments");
}

static int take_number(const struct reading *r, size_t i, double *out)
{
    const json_t *v = arg(r, i);

    if (!json_is_number(v) || !isfinite(json_number_value(v)) || fabs(json_number_value(v)) > 1e9)
        return wrong(r, "a number is missing");
    *out = json_number_value(v);
    return 0;
}

static int take_text(const struct reading *r, size_t i, char *out, size_t cap)
{
    const char *text = json_string_value(arg(r, i));

    if (!text)
        return wrong(r, "a text is missing");
    if (strlen(text) >= cap)
        return wrong(r, "a text is too long");
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int take_how(const struct reading *r, size_t i, enum command_how *how)
{
    const json_t *v = arg(r, i);
    const char *text = json_string_value(v);

    if (json_is_boolean(v))
        *how = json_is_true(v) ? COMMAND_ON : COMMAND_OFF;
    else if (text && (strcmp(text, "on") == 0 || strcmp(text, "yes") == 0))
        *how = COMMAND_ON;
    else if (text && (strcmp(text, "off") == 0 || strcmp(text, "no") == 0))
        *how = COMMAND_OFF;
    else if (text && strcmp(text, "toggle") == 0)
        *how = COMMAND_TOGGLE;
    else
        return wrong(r, "neither on, off nor toggle");
    return 0;
}

/* path NAME|NUMBER [on|off|toggle|backup] */
static int take_path(const struct reading *r)
{
    struct command *c = &r->out->command;
    const char *what = json_string_value(arg(r, 2));

    if (take_count(r, 1, 2) != 0)
        return -1;
    if (json_is_integer(arg(r, 1)) ? take_number(r, 1, &c->value) != 0
                                   : take_text(r, 1, c->text, sizeof c->text) != 0)
        return -1;
    if (what && strcmp(what, "backup") == 0) {
        c->kind = COMMAND_PATH_BACKUP;
        c->how = COMMAND_ON;
        return 0;
    }
    return arg(r, 2) ? take_how(r, 2, &c->how) : 0;
}

static const struct settable *settable_of(const struct reading *r)
{
    const char *name = json_string_value(arg(r, 1));

    for (size_t i = 0; name && i < sizeof settables / sizeof settables[0]; i++)
        if (strcmp(settables[i].name, name) == 0)
            return &settables[i];
    (void)wrong(r, "no such property that can be set");
    return NULL;
}

/* set_property, add and cycle are the property's command. */
static int take_property(const struct reading *r, enum args_kind kind)
{
    struct command *c = &r->out->command;
    const size_t n = kind == ARGS_CYCLE ? 1 : 2;
    const struct settable *s = take_count(r, n, n) == 0 ? settable_of(r) : NULL;

    if (!s)
        return -1;
    c->kind = s->command;
    if (kind == ARGS_CYCLE)
        return s->is_switch ? 0 : wrong(r, "is no switch");
    if (s->is_switch)
        return kind == ARGS_SET ? take_how(r, 2, &c->how) : wrong(r, "is a switch");
    if (s->command == COMMAND_LAYERS && kind == ARGS_SET)
        return take_text(r, 2, c->text, sizeof c->text);
    return take_number(r, 2, &c->value);
}

static int take_args(const struct reading *r, const struct form *f)
{
    struct control_request *out = r->out;
    double number = 0;

    out->kind = f->kind;
    out->command = (struct command){ .kind = f->command, .how = f->how };
    switch (f->args) {
    case ARGS_NONE:
        return take_count(r, 0, 0);
    case ARGS_HOW:
        if (take_count(r, 0, 1) != 0)
            return -1;
        return arg(r, 1) ? take_how(r, 1, &out->command.how) : 0;
    case ARGS_NUMBER:
        return take_count(r, 1, 1) != 0 ? -1 : take_number(r, 1, &out->command.value);
    case ARGS_TEXT:
        if (take_count(r, 0, 1) != 0)
            return -1;
        return arg(r, 1) ? take_text(r, 1, out->command.text, sizeof out->command.text) : 0;
    case ARGS_PATH:
        return take_path(r);
    case ARGS_PROPERTY:
        return take_count(r, 1, 1) != 0 ? -1 : take_text(r, 1, out->property, sizeof out->property);
    case ARGS_SET:
    case ARGS_ADD:
    case ARGS_CYCLE:
        return take_property(r, f->args);
    case ARGS_OBSERVE:
    case ARGS_UNOBSERVE:
        if (take_count(r, f->args == ARGS_OBSERVE ? 2 : 1, f->args == ARGS_OBSERVE ? 2 : 1) != 0 ||
            take_number(r, 1, &number) != 0)
            return -1;
        out->observer = (int64_t)number;
        return f->args == ARGS_OBSERVE ? take_text(r, 2, out->property, sizeof out->property) : 0;
    }
    return -1;
}

static int take_command(struct reading *r, const json_t *root)
{
    r->args = json_object_get(root, "command");
    const char *name = json_string_value(json_array_get(r->args, 0));

    if (!name) {
        snprintf(r->why, r->why_size, "no \"command\" that is an array and begins with a name");
        return -1;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].name, name) == 0)
            return take_args(r, &forms[i]);
    snprintf(r->why, r->why_size, "no such command");
    return -1;
}

int control_request_read(struct control_request *out, const char *line, size_t len, char *why,
                         size_t why_size)
{
    json_error_t error;
    json_t *root = len <= CONTROL_LINE_MAX ? json_loadb(line, len, 0, &error) : NULL;
    struct reading r = { .out = out, .why = why, .why_size = why_size };
    int result = -1;

    *out = (struct control_request){ 0 };
    if (!json_is_object(root)) {
        snprintf(why, why_size, "not a JSON object of at most %d bytes in one line",
                 CONTROL_LINE_MAX);
    } else {
        const json_t *id = json_object_get(root, "request_id");

        out->has_id = json_is_integer(id);
        out->id = json_integer_value(id);
        if (id && !out->has_id)
            snprintf(why, why_size, "request_id is no whole number");
        else
            result = take_command(&r, root);
    }
    json_decref(root);
    return result;
}
