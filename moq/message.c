/* message.c - see message.h. One row per message type: where its parser and writer are and which
 * parameters it may carry (draft-18 "Control Messages"). */
#include "message.h"

#include <string.h>

#include "name.h"

enum {
    OPTION_PATH = 0x01,
    OPTION_TOKEN = 0x03,
    OPTION_TOKEN_CACHE = 0x04,
    OPTION_AUTHORITY = 0x05,
    OPTION_IMPLEMENTATION = 0x07
};

struct parse {
    struct moq_reader r;
    uint32_t allowed; /* parameters */
    uint64_t code;    /* to close with, when wrong */
};

struct message_def {
    uint64_t type;
    bool opens_request;
    uint32_t allowed;
    void (*parse)(struct parse *p, struct moq_message *m);
    void (*write)(struct moq_writer *w, const struct moq_message *m);
};

static void fail(struct parse *p, uint64_t code)
{
    if (!p->r.failed)
        p->code = code;
    p->r.failed = true;
}

static void read_params(struct parse *p, struct moq_params *params)
{
    uint64_t code;
    if (moq_params_read(&p->r, params, p->allowed, &code) < 0) {
        p->code = code;
        p->r.failed = true;
    }
}

static struct moq_bytes read_properties(struct parse *p)
{
    struct moq_bytes b = moq_read_rest(&p->r);
    if (!moq_kvp_valid(b))
        fail(p, MOQ_KEY_VALUE_FORMATTING_ERROR);
    return b;
}

static void parse_setup(struct parse *p, struct moq_message *m)
{
    struct moq_msg_setup *s = &m->setup;
    struct moq_kvp kvp = { 0 };
    bool has_implementation = false, has_cache = false;
    int got;
    while ((got = moq_kvp_read(&p->r, &kvp)) > 0) {
        bool *has = kvp.type == OPTION_PATH             ? &s->has_path
                    : kvp.type == OPTION_AUTHORITY      ? &s->has_authority
                    : kvp.type == OPTION_IMPLEMENTATION ? &has_implementation
                    : kvp.type == OPTION_TOKEN_CACHE    ? &has_cache
                                                        : NULL;
        if (kvp.type == OPTION_TOKEN && s->n_tokens < MOQ_TOKENS_MAX)
            s->tokens[s->n_tokens++] = kvp.bytes;
        if (!has)
            continue; /* unknown options are ignored, repeated or not */
        if (*has) {
            fail(p, MOQ_PROTOCOL_VIOLATION);
            return;
        }
        *has = true;
        if (kvp.type == OPTION_PATH)
            s->path = kvp.bytes;
        else if (kvp.type == OPTION_AUTHORITY)
            s->authority = kvp.bytes;
        else if (kvp.type == OPTION_TOKEN_CACHE)
            s->token_cache = kvp.value;
        else
            s->implementation = kvp.bytes;
    }
    if (got < 0) {
        p->code = MOQ_KEY_VALUE_FORMATTING_ERROR;
        p->r.failed = true;
    }
}

static void write_setup(struct moq_writer *w, const struct moq_message *m)
{
    const struct moq_msg_setup *s = &m->setup;
    uint64_t last = 0;
    if (s->has_path)
        moq_kvp_write(w, &last, &(struct moq_kvp){ .type = OPTION_PATH, .bytes = s->path });
    for (size_t i = 0; i < s->n_tokens; i++)
        moq_kvp_write(w, &last, &(struct moq_kvp){ .type = OPTION_TOKEN, .bytes = s->tokens[i] });
    if (s->token_cache > 0)
        moq_kvp_write(w, &last,
                      &(struct moq_kvp){ .type = OPTION_TOKEN_CACHE, .value = s->token_cache });
    if (s->has_authority)
        moq_kvp_write(w, &last,
                      &(struct moq_kvp){ .type = OPTION_AUTHORITY, .bytes = s->authority });
    if (s->implementation.len > 0)
        moq_kvp_write(
            w, &last,
            &(struct moq_kvp){ .type = OPTION_IMPLEMENTATION, .bytes = s->implementation });
}

static void parse_subscribe(struct parse *p, struct moq_message *m)
{
    m->subscribe.request_id = moq_read_vi64(&p->r);
    moq_name_read(&p->r, &m->subscribe.name);
    read_params(p, &m->subscribe.params);
}

static void write_subscribe(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->subscribe.request_id);
    moq_name_write(w, &m->subscribe.name);
    moq_params_write(w, &m->subscribe.params);
}

static void parse_subscribe_ok(struct parse *p, struct moq_message *m)
{
    m->subscribe_ok.alias = moq_read_vi64(&p->r);
    read_params(p, &m->subscribe_ok.params);
    m->subscribe_ok.properties = read_properties(p);
}

static void write_subscribe_ok(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->subscribe_ok.alias);
    moq_params_write(w, &m->subscribe_ok.params);
    moq_write_bytes(w, m->subscribe_ok.properties);
}

static void parse_request_ok(struct parse *p, struct moq_message *m)
{
    read_params(p, &m->request_ok.params);
    m->request_ok.properties = read_properties(p);
}

static void write_request_ok(struct moq_writer *w, const struct moq_message *m)
{
    moq_params_write(w, &m->request_ok.params);
    moq_write_bytes(w, m->request_ok.properties);
}

static void parse_request_error(struct parse *p, struct moq_message *m)
{
    struct moq_msg_request_error *e = &m->request_error;
    e->code = moq_read_vi64(&p->r);
    e->retry_ms_plus_1 = moq_read_vi64(&p->r);
    e->reason = moq_read_prefixed(&p->r, MOQ_REASON_MAX);
    if (e->code != MOQ_REDIRECT)
        return;
    e->redirect_uri = moq_read_prefixed(&p->r, MOQ_URI_MAX);
    moq_name_read(&p->r, &e->redirect_name);
}

static void write_request_error(struct moq_writer *w, const struct moq_message *m)
{
    const struct moq_msg_request_error *e = &m->request_error;
    moq_write_vi64(w, e->code);
    moq_write_vi64(w, e->retry_ms_plus_1);
    moq_write_prefixed(w, e->reason);
    if (e->code != MOQ_REDIRECT)
        return;
    moq_write_prefixed(w, e->redirect_uri);
    moq_name_write(w, &e->redirect_name);
}

static void parse_request_update(struct parse *p, struct moq_message *m)
{
    m->request_update.request_id = moq_read_vi64(&p->r);
    read_params(p, &m->request_update.params);
}

static void write_request_update(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->request_update.request_id);
    moq_params_write(w, &m->request_update.params);
}

static void parse_publish_done(struct parse *p, struct moq_message *m)
{
    m->publish_done.status = moq_read_vi64(&p->r);
    m->publish_done.stream_count = moq_read_vi64(&p->r);
    m->publish_done.reason = moq_read_prefixed(&p->r, MOQ_REASON_MAX);
}

static void write_publish_done(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->publish_done.status);
    moq_write_vi64(w, m->publish_done.stream_count);
    moq_write_prefixed(w, m->publish_done.reason);
}

static void parse_goaway(struct parse *p, struct moq_message *m)
{
    m->goaway.uri = moq_read_prefixed(&p->r, MOQ_URI_MAX);
    m->goaway.timeout_ms = moq_read_vi64(&p->r);
    m->goaway.has_request_id = !p->r.failed && moq_reader_left(&p->r) > 0;
    if (m->goaway.has_request_id)
        m->goaway.request_id = moq_read_vi64(&p->r);
}

static void write_goaway(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_prefixed(w, m->goaway.uri);
    moq_write_vi64(w, m->goaway.timeout_ms);
    if (m->goaway.has_request_id)
        moq_write_vi64(w, m->goaway.request_id);
}

static struct moq_location read_location(struct moq_reader *r)
{
    uint64_t group = moq_read_vi64(r);
    return (struct moq_location){ .group = group, .object = moq_read_vi64(r) };
}

static void write_location(struct moq_writer *w, struct moq_location at)
{
    moq_write_vi64(w, at.group);
    moq_write_vi64(w, at.object);
}

static void parse_publish(struct parse *p, struct moq_message *m)
{
    m->publish.request_id = moq_read_vi64(&p->r);
    moq_name_read(&p->r, &m->publish.name);
    m->publish.alias = moq_read_vi64(&p->r);
    read_params(p, &m->publish.params);
    m->publish.properties = read_properties(p);
}

static void write_publish(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->publish.request_id);
    moq_name_write(w, &m->publish.name);
    moq_write_vi64(w, m->publish.alias);
    moq_params_write(w, &m->publish.params);
    moq_write_bytes(w, m->publish.properties);
}

static void parse_fetch(struct parse *p, struct moq_message *m)
{
    struct moq_msg_fetch *f = &m->fetch;
    f->request_id = moq_read_vi64(&p->r);
    f->kind = moq_read_vi64(&p->r);
    if (f->kind < MOQ_FETCH_STANDALONE || f->kind > MOQ_FETCH_ABSOLUTE)
        fail(p, MOQ_PROTOCOL_VIOLATION);
    if (f->kind == MOQ_FETCH_STANDALONE) {
        moq_name_read(&p->r, &f->name);
        f->start = read_location(&p->r);
        f->end = read_location(&p->r);
    } else {
        f->join_id = moq_read_vi64(&p->r);
        f->join_start = moq_read_vi64(&p->r);
    }
    read_params(p, &f->params);
}

static void write_fetch(struct moq_writer *w, const struct moq_message *m)
{
    const struct moq_msg_fetch *f = &m->fetch;
    moq_write_vi64(w, f->request_id);
    moq_write_vi64(w, f->kind);
    if (f->kind == MOQ_FETCH_STANDALONE) {
        moq_name_write(w, &f->name);
        write_location(w, f->start);
        write_location(w, f->end);
    } else {
        moq_write_vi64(w, f->join_id);
        moq_write_vi64(w, f->join_start);
    }
    moq_params_write(w, &f->params);
}

static void parse_fetch_ok(struct parse *p, struct moq_message *m)
{
    m->fetch_ok.end_of_track = moq_read_u8(&p->r);
    if (m->fetch_ok.end_of_track > 1)
        fail(p, MOQ_PROTOCOL_VIOLATION);
    m->fetch_ok.end = read_location(&p->r);
    read_params(p, &m->fetch_ok.params);
    m->fetch_ok.properties = read_properties(p);
}

static void write_fetch_ok(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_u8(w, (uint8_t)m->fetch_ok.end_of_track);
    write_location(w, m->fetch_ok.end);
    moq_params_write(w, &m->fetch_ok.params);
    moq_write_bytes(w, m->fetch_ok.properties);
}

static void parse_namespaces(struct parse *p, struct moq_message *m)
{
    m->namespaces.request_id = moq_read_vi64(&p->r);
    moq_namespace_read(&p->r, &m->namespaces.ns);
    read_params(p, &m->namespaces.params);
}

static void write_namespaces(struct moq_writer *w, const struct moq_message *m)
{
    moq_write_vi64(w, m->namespaces.request_id);
    moq_namespace_write(w, &m->namespaces.ns);
    moq_params_write(w, &m->namespaces.params);
}

static void parse_suffix(struct parse *p, struct moq_message *m)
{
    moq_namespace_read(&p->r, &m->suffix.name);
    if (m->type == MOQ_MSG_PUBLISH_BLOCKED)
        m->suffix.name.track = moq_read_prefixed(&p->r, MOQ_FULL_NAME_MAX);
}

static void write_suffix(struct moq_writer *w, const struct moq_message *m)
{
    moq_namespace_write(w, &m->suffix.name);
    if (m->type == MOQ_MSG_PUBLISH_BLOCKED)
        moq_write_prefixed(w, m->suffix.name.track);
}

static const struct message_def defs[] = {
    { MOQ_MSG_REQUEST_UPDATE, false, MOQ_SUBSCRIBER_PARAMS | MOQ_HAS_TOKEN | MOQ_HAS_PREFIX,
      parse_request_update, write_request_update },
    { MOQ_MSG_SUBSCRIBE, true,
      MOQ_SUBSCRIBER_PARAMS | MOQ_HAS_TOKEN | MOQ_HAS_RENDEZVOUS_TIMEOUT | MOQ_HAS_GROUP_ORDER,
      parse_subscribe, write_subscribe },
    { MOQ_MSG_SUBSCRIBE_OK, false, MOQ_HAS_EXPIRES | MOQ_HAS_LARGEST, parse_subscribe_ok,
      write_subscribe_ok },
    { MOQ_MSG_REQUEST_ERROR, false, 0, parse_request_error, write_request_error },
    { MOQ_MSG_PUBLISH_NAMESPACE, true, MOQ_HAS_TOKEN, parse_namespaces, write_namespaces },
    { MOQ_MSG_REQUEST_OK, false,
      MOQ_SUBSCRIBER_PARAMS | MOQ_HAS_GROUP_ORDER | MOQ_HAS_EXPIRES | MOQ_HAS_LARGEST,
      parse_request_ok, write_request_ok },
    { MOQ_MSG_NAMESPACE, false, 0, parse_suffix, write_suffix },
    { MOQ_MSG_PUBLISH_DONE, false, 0, parse_publish_done, write_publish_done },
    { MOQ_MSG_TRACK_STATUS, true, MOQ_HAS_TOKEN, parse_subscribe, write_subscribe },
    { MOQ_MSG_NAMESPACE_DONE, false, 0, parse_suffix, write_suffix },
    { MOQ_MSG_PUBLISH_BLOCKED, false, 0, parse_suffix, write_suffix },
    { MOQ_MSG_GOAWAY, false, 0, parse_goaway, write_goaway },
    { MOQ_MSG_FETCH, true,
      MOQ_HAS_TOKEN | MOQ_HAS_FILL_TIMEOUT | MOQ_HAS_PRIORITY | MOQ_HAS_GROUP_ORDER, parse_fetch,
      write_fetch },
    { MOQ_MSG_FETCH_OK, false, 0, parse_fetch_ok, write_fetch_ok },
    { MOQ_MSG_PUBLISH, true, MOQ_HAS_TOKEN | MOQ_HAS_EXPIRES | MOQ_HAS_LARGEST | MOQ_HAS_FORWARD,
      parse_publish, write_publish },
    { MOQ_MSG_SUBSCRIBE_NAMESPACE, true, MOQ_HAS_TOKEN, parse_namespaces, write_namespaces },
    { MOQ_MSG_SUBSCRIBE_TRACKS, true, MOQ_HAS_TOKEN | MOQ_HAS_FORWARD, parse_namespaces,
      write_namespaces },
    { MOQ_MSG_SETUP, false, 0, parse_setup, write_setup },
};

static const struct message_def *find_def(uint64_t type)
{
    for (size_t i = 0; i < sizeof defs / sizeof defs[0]; i++)
        if (defs[i].type == type)
            return &defs[i];
    return NULL;
}

int moq_message_encode(const struct moq_message *m, uint8_t *out, size_t cap)
{
    const struct message_def *def = find_def(m->type);
    if (!def)
        return MOQ_ERR_ARG;
    struct moq_writer w = moq_writer_of(out, cap);
    moq_write_vi64(&w, m->type);
    moq_write_u8(&w, 0); /* length, known at the end */
    moq_write_u8(&w, 0);
    uint8_t *body = w.at;
    def->write(&w, m);
    size_t len = (size_t)(w.at - body);
    if (w.failed || len > MOQ_MESSAGE_MAX)
        return MOQ_ERR_ARG;
    body[-2] = (uint8_t)(len >> 8);
    body[-1] = (uint8_t)len;
    return (int)moq_writer_len(&w);
}

int moq_message_frame(const uint8_t *bytes, size_t len, uint64_t *type, struct moq_bytes *body,
                      size_t *need)
{
    struct moq_reader r = moq_reader_of(bytes, len);
    *need = len + 1;
    *type = moq_read_vi64(&r);
    if (r.failed)
        return 0;
    if (!find_def(*type))
        return MOQ_ERR_WIRE;
    size_t high = moq_read_u8(&r), low = moq_read_u8(&r);
    if (r.failed)
        return 0;
    size_t header = len - moq_reader_left(&r);
    *need = header + (high << 8 | low);
    if (len < *need)
        return 0;
    *body = moq_read_bytes(&r, high << 8 | low);
    return (int)*need;
}

bool moq_message_opens_request(uint64_t type)
{
    const struct message_def *def = find_def(type);
    return def && def->opens_request;
}

int moq_message_parse(struct moq_message *m, uint64_t type, struct moq_bytes body,
                      uint64_t *close_code)
{
    memset(m, 0, sizeof *m);
    m->type = type;
    const struct message_def *def = find_def(type);
    *close_code = MOQ_PROTOCOL_VIOLATION;
    if (!def)
        return MOQ_ERR_WIRE;
    struct parse p = { .r = moq_reader_of(body.bytes, body.len),
                       .allowed = def->allowed,
                       .code = MOQ_PROTOCOL_VIOLATION };
    def->parse(&p, m);
    *close_code = p.code;
    return p.r.failed || moq_reader_left(&p.r) > 0 ? MOQ_ERR_WIRE : 0;
}

struct moq_params *moq_message_params_of(struct moq_message *m)
{
    switch (m->type) {
    case MOQ_MSG_SUBSCRIBE:
    case MOQ_MSG_TRACK_STATUS:
        return &m->subscribe.params;
    case MOQ_MSG_PUBLISH:
        return &m->publish.params;
    case MOQ_MSG_FETCH:
        return &m->fetch.params;
    case MOQ_MSG_PUBLISH_NAMESPACE:
    case MOQ_MSG_SUBSCRIBE_NAMESPACE:
    case MOQ_MSG_SUBSCRIBE_TRACKS:
        return &m->namespaces.params;
    case MOQ_MSG_REQUEST_UPDATE:
        return &m->request_update.params;
    default:
        return NULL;
    }
}
