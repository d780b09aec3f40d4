/* port.c - see port.h. */
#include "port.h"

#include <ctype.h>
#include <errno.h>
#include <moq/moq.h>
#include <string.h>
#include <tvl/select.h>
#include <unistd.h>

#include "access.h"
#include "log.h"

#define LB_BLOCK 16      /* bytes of server ID and nonce that are encrypted in one pass */
#define LB_NONCE_CLEAR 7 /* bytes */
#define US_PER_MS 1000u
#define CONNS_MAX 65536u /* of each worker; the server counts its viewers itself */
#define DEADLINE_MS 400u /* of delay, where no source says one */

unsigned port_workers(const struct config *cfg)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned n = cfg->workers ? cfg->workers : processors >= 1 ? (unsigned)processors : 1;
    return n < TVL_WORKERS_MAX ? n : TVL_WORKERS_MAX;
}

static void on_keylog(void *user, const char *line)
{
    FILE *file = user;
    fprintf(file, "%s\n", line);
    fflush(file);
}

static int open_keylog(struct port *p, const char *path, char *why, size_t why_size)
{
    if (!path)
        return 0;
    p->keylog = fopen(path, "a");
    if (p->keylog)
        return 0;
    snprintf(why, why_size, "%s: %s", path, strerror(errno));
    return -1;
}

/* One for each worker: a qlog belongs to one thread. */
static int open_qlogs(struct port *p, const char *dir, char *why, size_t why_size)
{
    for (unsigned i = 0; dir && i < p->count; i++) {
        if (tvl_qlog_new(&p->qlog[i], dir) == 0)
            continue;
        snprintf(why, why_size, "%s: %s", dir, strerror(errno));
        return -1;
    }
    return 0;
}

/* Without the installed one formulas alone decide; one that was named must be good. */
static int read_knowledge(struct port *p, const struct config_transport *t, char *why,
                          size_t why_size)
{
    if (t->objective == TVL_OBJECTIVE_NONE)
        return 0;
    if (tvl_knowledge_read(&p->knowledge, t->knowledge, why, why_size) == 0)
        return 0;
    if (t->knowledge)
        return -1;
    log_line(LOG_INFO, "no knowledge base: %s", why);
    return 0;
}

static struct tvl_tls_config tls_config(const struct port *p, const struct config *cfg)
{
    static const char *const alpn[] = { MOQ_ALPN, NULL };
    return (struct tvl_tls_config){ .alpn = alpn,
                                    .cert_file = cfg->cert,
                                    .key_file = cfg->key,
                                    .ca_file = cfg->access.client_ca,
                                    .ca_optional = cfg->access.client_optional,
                                    .server = true,
                                    .keylog = p->keylog ? on_keylog : NULL,
                                    .keylog_user = p->keylog };
}

/* The shortest of what sources promise. */
static tvl_time deadline_us(const struct config *cfg)
{
    uint32_t ms = 0;
    for (size_t i = 0; i < cfg->n_sources; i++)
        if (ms == 0 || cfg->source[i].latency_ms < ms)
            ms = cfg->source[i].latency_ms;
    return (tvl_time)(ms ? ms : DEADLINE_MS) * US_PER_MS;
}

/* 32 hexadecimal digits, perhaps spaces between them. */
static int read_lb_key(uint8_t key[16], const char *path, char *why, size_t why_size)
{
    FILE *file = fopen(path, "r");
    size_t digits = 0;
    int c;
    if (!file) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -1;
    }
    while ((c = fgetc(file)) != EOF && digits <= 32) {
        if (isspace(c))
            continue;
        const int value = isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
        if (value < 0 || digits == 32) {
            digits = 0;
            break;
        }
        key[digits / 2] = (uint8_t)(key[digits / 2] << 4 | value);
        digits++;
    }
    fclose(file);
    if (digits == 32)
        return 0;
    snprintf(why, why_size, "%s: 16 bytes in hexadecimal are wanted", path);
    return -1;
}

/* What a balancer reads from connection IDs (draft-ietf-quic-load-balancers 5). */
static int set_lb(struct tvl_lb_config *lb, const struct config_transport *t, char *why,
                  size_t why_size)
{
    if (t->server_id_len == 0)
        return 0;
    *lb = (struct tvl_lb_config){ .config_id = t->lb_config_id,
                                  .server_id_len = t->server_id_len,
                                  .nonce_len = t->lb_key ? (uint8_t)(LB_BLOCK - t->server_id_len)
                                                         : LB_NONCE_CLEAR,
                                  .encrypted = t->lb_key != NULL };
    memcpy(lb->server_id, t->server_id, t->server_id_len);
    return t->lb_key ? read_lb_key(lb->key, t->lb_key, why, why_size) : 0;
}

static void set_transport(struct tvl_config *tvl, const struct port *p, const struct config *cfg)
{
    const struct config_transport *t = &cfg->transport;
    tvl->tls = p->tls;
    tvl->conns_max = CONNS_MAX * p->count;
    tvl->on_knock = p->access ? access_knock : NULL;
    tvl->knock_user = p->access;
    tvl->trace = p->qlog[0] ? tvl_qlog_trace : NULL;
    tvl->cc = t->cc ? t->cc : "copa";
    tvl->objective = (enum tvl_objective)t->objective;
    tvl->objective_deadline = deadline_us(cfg);
    tvl->knowledge = p->knowledge;
    tvl->sched = t->sched ? t->sched : "layered";
}

int port_open(struct port *p, const struct config *cfg,
              void (*on_event)(void *user, unsigned worker, const struct tvl_event *ev), void *user,
              char *why, size_t why_size)
{
    p->count = port_workers(cfg);
    if (open_keylog(p, cfg->keylog, why, why_size) < 0 ||
        open_qlogs(p, cfg->qlog, why, why_size) < 0 ||
        read_knowledge(p, &cfg->transport, why, why_size) < 0)
        return -1;
    const struct tvl_tls_config tls = tls_config(p, cfg);
    struct tvl_lb_config lb = { 0 };
    why[0] = 0;
    int result = set_lb(&lb, &cfg->transport, why, why_size);
    if (result == 0)
        result = tvl_tls_new(&p->tls, &tls, why, why_size);
    if (result == 0) {
        struct tvl_workers_config w = { .listen = cfg->listen,
                                        .workers = p->count,
                                        .trace_users = (void *const *)p->qlog,
                                        .on_event = on_event,
                                        .user = user };
        tvl_config_init(&w.tvl);
        set_transport(&w.tvl, p, cfg);
        w.tvl.lb = lb;
        result = tvl_workers_new(&p->workers, &w, why, why_size);
    }
    if (result < 0 && !why[0])
        snprintf(why, why_size, "%s: %s", cfg->listen, tvl_strerror(result));
    return result < 0 ? -1 : 0;
}

int port_reload(struct port *p, const struct config *cfg, char *why, size_t why_size)
{
    const struct tvl_tls_config tls = tls_config(p, cfg);
    why[0] = 0;
    const int result = tvl_tls_reload(p->tls, &tls, why, why_size);
    if (result < 0 && !why[0])
        snprintf(why, why_size, "%s: %s", cfg->cert, tvl_strerror(result));
    return result < 0 ? -1 : 0;
}

void port_close(struct port *p)
{
    tvl_workers_free(p->workers);
    for (unsigned i = 0; i < p->count; i++)
        tvl_qlog_free(p->qlog[i]);
    tvl_tls_free(p->tls);
    tvl_knowledge_free(p->knowledge);
    if (p->keylog)
        fclose(p->keylog);
    *p = (struct port){ .count = 0 };
}
