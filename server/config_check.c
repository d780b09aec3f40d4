/* config_check.c - see config_rules.h: what is on the disk. */
#include "config_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moq/moq.h>
#include <tvl/ev.h>
#include <tvl/select.h>
#include <tvl/tvl.h>

#include "access.h"

#define WHY_MAX 512
#define LB_KEY_DIGITS 32

static void readable(const char *what, const char *path, struct problems *to)
{
    char byte;
    if (!path)
        return;
    FILE *file = fopen(path, "re");
    if (!file || (fread(&byte, 1, 1, file) == 0 && ferror(file)))
        problems_add(to, "%s: %s: %s", what, path, strerror(errno));
    else if (feof(file))
        problems_add(to, "%s: %s: is empty", what, path);
    if (file)
        fclose(file);
}

/* A file that will be written: it, or its folder, can be. Of a recording's name the part in front
 * of what the time fills in. */
static void writable(const char *what, const char *path, struct problems *to)
{
    char folder[4096];
    if (!path || strcmp(path, "-") == 0 || access(path, W_OK) == 0)
        return;
    if (errno == ENOENT) {
        snprintf(folder, sizeof folder, "%.*s", (int)strcspn(path, "%"), path);
        char *slash = strrchr(folder, '/');
        if (slash)
            slash[1] = '\0';
        if (access(slash ? folder : ".", W_OK) == 0)
            return;
    }
    problems_add(to, "%s: %s: %s", what, path, strerror(errno));
}

static void own_certificate(const struct config *c, struct problems *to)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    char why[WHY_MAX] = "";
    struct tvl_tls *tls = NULL;
    const struct tvl_tls_config cfg = { .alpn = alpn,
                                        .cert_file = c->cert,
                                        .key_file = c->key,
                                        .ca_file = c->access.client_ca,
                                        .ca_optional = c->access.client_optional,
                                        .server = true };
    const int result = c->cert && c->key ? tvl_tls_new(&tls, &cfg, why, sizeof why) : 0;
    if (result < 0)
        problems_add(to, "cert, key: %s", why[0] ? why : tvl_strerror(result));
    tvl_tls_free(tls);
}

static void trust(const char *ns, const char *ca, struct problems *to)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    char why[WHY_MAX] = "";
    struct tvl_tls *tls = NULL;
    const struct tvl_tls_config cfg = { .alpn = alpn, .ca_file = ca };
    if (ca && tvl_tls_new(&tls, &cfg, why, sizeof why) < 0)
        problems_add(to, "%s: ca: %s", ns, why);
    tvl_tls_free(tls);
}

static void layered(const struct config_source *s, struct problems *to)
{
    struct svc_reader *reader = NULL;
    char why[WHY_MAX];
    if (svc_reader_open(&reader, s->input, why, sizeof why) < 0)
        problems_add(to, "source %s: %s", s->ns, why);
    svc_reader_free(reader);
}

static void tokens(const struct config_access *cfg, struct problems *to)
{
    char why[WHY_MAX];
    struct access *a = NULL;
    struct config_access without_log = *cfg;
    without_log.log = NULL;
    if (access_new(&a, &without_log, why, sizeof why) < 0)
        problems_add(to, "access: %s", why);
    access_free(a);
}

static void knowledge(const struct config *c, struct problems *to)
{
    char why[WHY_MAX];
    struct tvl_knowledge *k = NULL;
    if (c->transport.knowledge &&
        tvl_knowledge_read(&k, c->transport.knowledge, why, sizeof why) < 0)
        problems_add(to, "transport.knowledge: %s", why);
    tvl_knowledge_free(k);
}

static void balancer_key(const char *path, struct problems *to)
{
    char text[LB_KEY_DIGITS + 2] = "";
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!path)
        return;
    if (!file)
        problems_add(to, "transport.lb_key: %s: %s", path, strerror(errno));
    else if (!fgets(text, sizeof text, file) ||
             strspn(text, "0123456789abcdefABCDEF") != LB_KEY_DIGITS)
        problems_add(to, "transport.lb_key: %s: is not 16 bytes in hexadecimal", path);
    if (file)
        fclose(file);
}

void config_check(const struct config *c, struct problems *to)
{
    own_certificate(c, to);
    for (size_t i = 0; i < c->n_sources; i++) {
        const struct config_source *s = &c->source[i];
        const char *file = config_input_file(s);
        if (s->kind == CONFIG_FILE && file)
            layered(s, to);
        else if (file)
            readable(s->ns, file, to);
        trust(s->ns, s->ca, to);
        readable("token", s->token, to);
        writable("record", s->record, to);
    }
    for (size_t i = 0; i < c->n_pushes; i++) {
        trust(c->push[i].ns ? c->push[i].ns : "push", c->push[i].ca, to);
        readable("token", c->push[i].token, to);
    }
    tokens(&c->access, to);
    writable("access.log", c->access.log, to);
    readable("control.token", c->control.token, to);
    balancer_key(c->transport.lb_key, to);
    knowledge(c, to);
    writable("json", c->json, to);
    writable("qlog", c->qlog, to);
    writable("keylog", c->keylog, to);
    writable("policy_log", c->policy_log, to);
}
