/* substitute.c - see substitute.h. */
#include "topology/substitute.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 64 /* of a variable's name with NUL */

struct output {
    char *at, *end; /* end: where the NUL must fit */
};

static bool put(struct output *o, const char *text, size_t len)
{
    if (len > (size_t)(o->end - o->at))
        return false;
    memcpy(o->at, text, len);
    o->at += len;
    return true;
}

static size_t name_length(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char later[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return strspn(text, letters) > 0 ? strspn(text, later) : 0;
}

/* `text` is behind "${". Bytes of it that were used up, or 0 with `why`. */
static size_t variable(const char *text, const struct vmm_yaml_lookup *lookup, struct output *o,
                       bool *fits, char *why, size_t why_size)
{
    size_t len = name_length(text);
    const char *close = strchr(text, '}');
    if (!close) {
        snprintf(why, why_size, "\"${%.32s\" has no closing brace", text);
        return 0;
    }
    bool has_default = strncmp(text + len, ":-", 2) == 0;
    if (len == 0 || len >= NAME_MAX_BYTES || (!has_default && text[len] != '}')) {
        snprintf(why, why_size, "\"${%.*s}\" is neither ${NAME} nor ${NAME:-default}",
                 (int)(close - text > 64 ? 64 : close - text), text);
        return 0;
    }
    char name[NAME_MAX_BYTES];
    memcpy(name, text, len);
    name[len] = 0;
    const char *value = lookup->get(lookup->arg, name);
    if (has_default && (!value || !*value)) /* as the shell has it */
        *fits = put(o, text + len + 2, (size_t)(close - text) - len - 2);
    else if (value)
        *fits = put(o, value, strlen(value));
    else
        snprintf(why, why_size, "${%s} is not set: give %s=VALUE, or a default as in ${%s:-value}",
                 name, name, name);
    return value || has_default ? (size_t)(close - text) + 1 : 0;
}

int vmm_substitute(const char *text, const struct vmm_yaml_lookup *lookup, char *out, size_t size,
                   char *why, size_t why_size)
{
    struct output o = { out, out + size - 1 };
    bool fits = true;
    while (*text && fits) {
        size_t plain = strcspn(text, "$");
        fits = put(&o, text, plain);
        text += plain;
        if (!*text || !fits)
            break;
        if (text[1] == '{') {
            size_t used = variable(text + 2, lookup, &o, &fits, why, why_size);
            if (used == 0)
                return -1;
            text += 2 + used;
        } else {
            fits = put(&o, "$", 1);
            text += text[1] == '$' ? 2 : 1;
        }
    }
    if (!fits) {
        snprintf(why, why_size, "a text longer than %zu bytes, variables replaced", size - 1);
        return -1;
    }
    *o.at = 0;
    return 0;
}
