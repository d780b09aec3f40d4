/* config_diff.c - see config_diff.h. */
#include "config_diff.h"

#include <stdlib.h>
#include <string.h>

#include "config_keys.h"

/* What is known only as the server starts. */
static const char *const fixed[] = {
    "listen", "workers", "json", "qlog", "keylog", "policy_log", "transport", "confine", NULL,
};

static bool differs(const char *name, const struct config *a, const struct config *b)
{
    return !config_key_same(config_key_find(&config_root, name), a, b);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const struct config_source *find_source(const struct config *c, const char *ns)
{
    for (size_t i = 0; i < c->n_sources; i++)
        if (strcmp(c->source[i].ns, ns) == 0)
            return &c->source[i];
    return NULL;
}

static const struct config_push *find_push(const struct config *c, const struct config_push *p)
{
    for (size_t i = 0; i < c->n_pushes; i++)
        if (strcmp(c->push[i].ns, p->ns) == 0 && strcmp(c->push[i].to, p->to) == 0)
            return &c->push[i];
    return NULL;
}

static void add(struct config_diff *d, struct config_step step)
{
    d->step[d->n_steps++] = step;
}

static void gone(struct config_diff *d, const struct config *was, const struct config *is)
{
    for (size_t i = 0; i < was->n_sources; i++)
        if (!find_source(is, was->source[i].ns))
            add(d, (struct config_step){ .change = CONFIG_WENT, .was = &was->source[i] });
    for (size_t i = 0; i < was->n_pushes; i++)
        if (!find_push(is, &was->push[i]))
            add(d, (struct config_step){ .change = CONFIG_WENT, .push_was = &was->push[i] });
}

/* Those of `is` that were there and are another (CONFIG_CHANGED), or were not (CONFIG_CAME). */
static void there(struct config_diff *d, const struct config *was, const struct config *is,
                  enum config_change change)
{
    for (size_t i = 0; i < is->n_sources; i++) {
        const struct config_source *now = &is->source[i], *old = find_source(was, now->ns);
        if (change == CONFIG_CAME ? !old
                                  : old && !config_table_same(&config_source_table, old, now))
            add(d, (struct config_step){ .change = change, .was = old, .is = now });
    }
    for (size_t i = 0; i < is->n_pushes; i++) {
        const struct config_push *now = &is->push[i], *old = find_push(was, now);
        if (change == CONFIG_CAME ? !old : old && !config_table_same(&config_push_table, old, now))
            add(d, (struct config_step){ .change = change, .push_was = old, .push_is = now });
    }
}

int config_diff(struct config_diff *out, const struct config *was, const struct config *is)
{
    const size_t most = was->n_sources + is->n_sources + was->n_pushes + is->n_pushes;
    *out = (struct config_diff){ .step = calloc(most + 1, sizeof(struct config_step)) };
    if (!out->step)
        return -1;
    gone(out, was, is);
    there(out, was, is, CONFIG_CHANGED);
    there(out, was, is, CONFIG_CAME);
    out->access = differs("access", was, is);
    out->limits = differs("viewers_max", was, is) || differs("drain_s", was, is);
    out->log = differs("log_level", was, is) || differs("log_json", was, is);
    out->control = !same_text(was->control.token, is->control.token);
    for (size_t i = 0; fixed[i]; i++)
        if (differs(fixed[i], was, is))
            out->refused[out->n_refused++] = fixed[i];
    if (!same_text(was->control.listen, is->control.listen))
        out->refused[out->n_refused++] = "control.listen";
    return 0;
}

void config_diff_keep(struct config *was, struct config *is)
{
    for (size_t i = 0; fixed[i]; i++)
        config_key_swap(config_key_find(&config_root, fixed[i]), was, is);
    const char *listen = was->control.listen;
    was->control.listen = is->control.listen;
    is->control.listen = listen;
}

void config_diff_fini(struct config_diff *d)
{
    free(d->step);
    *d = (struct config_diff){ .step = NULL };
}
