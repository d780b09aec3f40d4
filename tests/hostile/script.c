/* script.c - words into packets. The language is described in script.h. */
#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "puppet.h"

#define PAYLOAD_MAX 1400

struct reader {
    const char *at;
    bool bad;
};

static void skip_blanks(struct reader *r)
{
    while (*r->at == ' ' || *r->at == '\n')
        r->at++;
}

static bool take(struct reader *r, const char *text)
{
    const size_t n = strlen(text);

    if (strncmp(r->at, text, n) != 0)
        return false;
    r->at += n;
    return true;
}

static uint64_t number(struct reader *r)
{
    char *end;
    const uint64_t v = strtoull(r->at, &end, 0);

    r->bad = r->bad || end == r->at;
    r->at = end;
    return v;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void hex(struct reader *r, struct tvl_wr *w)
{
    while (hex_digit(r->at[0]) >= 0 && hex_digit(r->at[1]) >= 0) {
        tvl_wr_u8(w, (uint8_t)(hex_digit(r->at[0]) << 4 | hex_digit(r->at[1])));
        r->at += 2;
    }
}

static void repeat(struct tvl_wr *w, uint8_t byte, uint64_t n)
{
    while (n-- > 0 && !w->full)
        tvl_wr_u8(w, byte);
}

/* ---- one shot ---- */

struct shot {
    struct puppet_shot s;
    struct tvl_cid dcid, scid;
    uint8_t token[256];
    unsigned link;
    uint8_t payload[PAYLOAD_MAX];
    size_t len;
};

static enum tvl_level level_of(enum tvl_packet_type type)
{
    return type == TVL_PACKET_INITIAL     ? TVL_LEVEL_INITIAL
           : type == TVL_PACKET_HANDSHAKE ? TVL_LEVEL_HANDSHAKE
                                          : TVL_LEVEL_APP;
}

static uint64_t stream_number(struct reader *r, const struct puppet *p)
{
    const bool puppet = *r->at++ == 'p';
    const bool uni = *r->at++ == 'u';
    const bool server = puppet == (p->o.plays == TVL_SERVER);

    return number(r) << 2 | (uni ? 2u : 0) | (server ? 1u : 0);
}

static void variable(struct reader *r, struct puppet *p, const struct shot *shot, struct tvl_wr *w)
{
    struct puppet_space *space = puppet_space(p, shot->s.type, shot->s.path_id);

    if (take(r, "cid"))
        repeat(w, (uint8_t)*r->at++, 8);
    else if (take(r, "tok"))
        repeat(w, (uint8_t)*r->at++, 16);
    else if (take(r, "crypto"))
        tvl_wr_varint(w, p->out_sent[level_of(shot->s.type)]);
    else if (take(r, "sent"))
        tvl_wr_varint(w, space->largest == TVL_PN_NONE ? 0 : space->largest);
    else if (take(r, "challenge"))
        tvl_wr_bytes(w, p->challenge, sizeof p->challenge);
    else if ((r->at[0] == 'p' || r->at[0] == 'v') && (r->at[1] == 'b' || r->at[1] == 'u'))
        tvl_wr_varint(w, stream_number(r, p));
    else
        r->bad = true;
}

static void word(struct reader *r, struct puppet *p, const struct shot *shot, struct tvl_wr *w)
{
    if (take(r, "$")) {
        variable(r, p, shot, w);
    } else if (take(r, "x")) {
        hex(r, w);
    } else if (take(r, "z")) {
        repeat(w, 0, number(r));
    } else if (take(r, "f")) {
        repeat(w, 'f', number(r));
    } else {
        const uint64_t v = number(r);

        if (take(r, "/"))
            tvl_wr_varint_in(w, v, (size_t)number(r));
        else if (v <= TVL_VARINT_MAX)
            tvl_wr_varint(w, v);
        else
            r->bad = true;
    }
}

static struct tvl_cid eight(char letter)
{
    struct tvl_cid cid = { .len = 8 };

    memset(cid.b, letter, 8);
    return cid;
}

static void option(struct reader *r, const struct puppet *p, struct shot *shot)
{
    struct puppet_shot *s = &shot->s;

    if (take(r, "path=")) {
        s->path_id = (uint32_t)number(r);
        shot->link = s->path_id;
    } else if (take(r, "link=")) {
        shot->link = (unsigned)number(r);
    } else if (take(r, "pn=")) {
        s->pn = number(r);
    } else if (take(r, "len=")) {
        s->pn_len = (uint8_t)number(r);
    } else if (take(r, "xor=")) {
        s->first_xor = (uint8_t)number(r);
    } else if (take(r, "pad=")) {
        s->pad_to = (size_t)number(r);
    } else if (take(r, "scid=")) {
        shot->scid = eight(*r->at++);
        s->scid = &shot->scid;
    } else if (take(r, "dcid=")) {
        shot->dcid = eight(*r->at++);
        s->dcid = &shot->dcid;
    } else if (take(r, "cid=")) {
        const uint32_t path_id = (uint32_t)number(r);
        const bool dot = take(r, ".");
        const struct puppet_cid *c = puppet_cid(p, path_id, number(r));

        shot->dcid = c ? c->cid : eight('?');
        s->dcid = &shot->dcid;
        r->bad = r->bad || !dot || !c;
    } else if (take(r, "token=")) {
        s->token_len = (size_t)number(r) % sizeof shot->token;
        memset(shot->token, 't', sizeof shot->token);
        s->token = shot->token;
    } else if (take(r, "old")) {
        s->old_keys = true;
    } else if (take(r, "short")) {
        s->short_payload = true;
    } else {
        r->bad = true;
    }
}

static bool kind(struct reader *r, struct shot *shot)
{
    static const struct {
        const char *name;
        enum tvl_packet_type type;
    } kinds[] = { { "I", TVL_PACKET_INITIAL },
                  { "H", TVL_PACKET_HANDSHAKE },
                  { "Z", TVL_PACKET_ZERO_RTT },
                  { "1", TVL_PACKET_ONE_RTT } };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (take(r, kinds[i].name)) {
            shot->s = (struct puppet_shot){ .type = kinds[i].type, .pn = TVL_PN_NONE };
            shot->s.pad_to = kinds[i].type == TVL_PACKET_INITIAL ? 1200 : 0;
            return true;
        }
    return false;
}

static bool read_shot(struct reader *r, struct puppet *p, struct shot *shot)
{
    struct tvl_wr w = tvl_wr_over(shot->payload, sizeof shot->payload);

    shot->link = 0;
    if (!kind(r, shot))
        return false;
    while (take(r, ","))
        option(r, p, shot);
    if (!take(r, ":"))
        return false;
    for (skip_blanks(r); !r->bad && *r->at && *r->at != ';' && *r->at != '+'; skip_blanks(r))
        word(r, p, shot, &w);
    shot->len = (size_t)(w.p - shot->payload);
    return !r->bad && !w.full;
}

/* ---- the script ---- */

bool script_run(struct puppet *p, const char *script)
{
    struct reader r = { .at = script };
    uint8_t bytes[TVL_DATAGRAM_MAX];
    size_t len = 0;
    struct shot *shot = malloc(sizeof *shot);
    bool ok = shot != NULL;

    for (skip_blanks(&r); ok && *r.at; skip_blanks(&r)) {
        if (take(&r, "~")) {
            puppet_wait(p, number(&r) * 1000);
        } else if (take(&r, "!update")) {
            puppet_update_keys(p);
        } else if (take(&r, "!mute")) {
            p->mute = true;
        } else {
            ok = read_shot(&r, p, shot);
            const size_t n = ok ? puppet_seal(p, &shot->s, shot->payload, shot->len, bytes + len,
                                              sizeof bytes - len)
                                : 0;
            ok = n > 0;
            len += n;
        }
        if (take(&r, "+"))
            continue;
        if (len > 0) {
            puppet_fire(p, bytes, len, shot->link);
            puppet_pump(p);
        }
        len = 0;
        ok = ok && !r.bad && (take(&r, ";") || *r.at == '\0');
    }
    free(shot);
    return ok;
}

/* ---- transport parameters ---- */

static struct puppet_param *param_find(struct puppet *p, uint64_t id)
{
    for (size_t i = 0; i < p->n_params; i++)
        if (p->param[i].id == id)
            return &p->param[i];
    return NULL;
}

static struct puppet_param *param_add(struct puppet *p, uint64_t id)
{
    if (p->n_params == PUPPET_PARAMS_MAX)
        return NULL;
    p->param[p->n_params] = (struct puppet_param){ .id = id };
    return &p->param[p->n_params++];
}

static void set_bytes(struct puppet *p, uint64_t id, const uint8_t *bytes, size_t len)
{
    struct puppet_param *q = param_add(p, id);

    if (!q || len > sizeof q->value)
        return;
    q->len = (uint8_t)len;
    if (len)
        memcpy(q->value, bytes, len);
}

static void set_number(struct puppet *p, uint64_t id, uint64_t v)
{
    uint8_t bytes[8];
    struct tvl_wr w = tvl_wr_over(bytes, sizeof bytes);

    tvl_wr_varint(&w, v);
    set_bytes(p, id, bytes, (size_t)(w.p - bytes));
}

static void usual_params(struct puppet *p)
{
    static const uint64_t numbers[][2] = {
        { 0x01, 30000 }, { 0x04, 1 << 20 }, { 0x05, 1 << 18 }, { 0x06, 1 << 18 }, { 0x07, 1 << 18 },
        { 0x08, 8 },     { 0x09, 8 },       { 0x0e, 4 },       { 0x20, 1200 },
    };

    p->n_params = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        set_number(p, numbers[i][0], numbers[i][1]);
    set_bytes(p, 0x0f, p->scid.b, p->scid.len);
    if (!p->o.no_multipath)
        set_number(p, 0x3e, 4);
    if (p->o.plays == TVL_SERVER)
        set_bytes(p, 0x00, p->original_dcid.b, p->original_dcid.len);
    if (p->o.retries)
        set_bytes(p, 0x10, p->retry_scid.b, p->retry_scid.len);
}

static void change_params(struct puppet *p)
{
    struct reader r = { .at = p->o.params ? p->o.params : "" };

    for (skip_blanks(&r); *r.at && !r.bad; skip_blanks(&r)) {
        const bool remove = take(&r, "-");
        const bool again = !remove && take(&r, "++");
        const bool set = !remove && !again && take(&r, "+");
        const uint64_t id = number(&r);
        struct puppet_param *q = again ? NULL : param_find(p, id);

        if (remove && q)
            *q = p->param[--p->n_params];
        if (!(set || again) || !take(&r, "="))
            continue;
        q = q ? q : param_add(p, id);
        if (!q)
            return;
        struct tvl_wr w = tvl_wr_over(q->value, sizeof q->value);
        if (take(&r, "x"))
            hex(&r, &w);
        else
            tvl_wr_varint(&w, number(&r));
        q->len = (uint8_t)(w.p - q->value);
    }
}

size_t script_params(struct puppet *p, uint8_t *out, size_t cap)
{
    struct tvl_wr w = tvl_wr_over(out, cap);

    usual_params(p);
    change_params(p);
    for (size_t i = 0; i < p->n_params; i++) {
        tvl_wr_varint(&w, p->param[i].id);
        tvl_wr_varint(&w, p->param[i].len);
        tvl_wr_bytes(&w, p->param[i].value, p->param[i].len);
    }
    return (size_t)(w.p - out);
}
