/* params.c - see params.h. */
#include "params.h"

#include <stddef.h>
#include <string.h>

#define BAD (-TVL_WIRE_TRANSPORT_PARAMETER_ERROR)

#include "error.h"

enum param_id { /* RFC 9000 18.2 and the extensions */
                ID_ORIGINAL_DCID = 0x00,
                ID_RESET_TOKEN = 0x02,
                ID_DISABLE_ACTIVE_MIGRATION = 0x0c,
                ID_PREFERRED_ADDRESS = 0x0d,
                ID_INITIAL_SCID = 0x0f,
                ID_RETRY_SCID = 0x10,
                ID_INITIAL_MAX_PATH_ID = 0x3e,
                ID_GREASE_QUIC_BIT = 0x2ab2,
};

/* The parameters that are one integer. */
struct number {
    uint64_t id, min, max, fallback;
    size_t field;
};

#define FIELD(name) offsetof(struct tvl_params, name)

static const struct number numbers[] = {
    { 0x01, 0, TVL_VARINT_MAX, 0, FIELD(max_idle_timeout_ms) },
    { 0x03, 1200, TVL_VARINT_MAX, 65527, FIELD(max_udp_payload_size) },
    { 0x04, 0, TVL_VARINT_MAX, 0, FIELD(initial_max_data) },
    { 0x05, 0, TVL_VARINT_MAX, 0, FIELD(initial_max_stream_data_bidi_local) },
    { 0x06, 0, TVL_VARINT_MAX, 0, FIELD(initial_max_stream_data_bidi_remote) },
    { 0x07, 0, TVL_VARINT_MAX, 0, FIELD(initial_max_stream_data_uni) },
    { 0x08, 0, UINT64_C(1) << 60, 0, FIELD(initial_max_streams_bidi) },
    { 0x09, 0, UINT64_C(1) << 60, 0, FIELD(initial_max_streams_uni) },
    { 0x0a, 0, 20, 3, FIELD(ack_delay_exponent) },
    { 0x0b, 0, (1 << 14) - 1, 25, FIELD(max_ack_delay_ms) },
    { 0x0e, 2, TVL_VARINT_MAX, 2, FIELD(active_connection_id_limit) },
    { 0x20, 0, TVL_VARINT_MAX, 0, FIELD(max_datagram_frame_size) },
    { 0x3a9c51e4, 0, TVL_VARINT_MAX, 0, FIELD(max_repair_span) }, /* ours, private */
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static uint64_t *number_in(struct tvl_params *p, const struct number *n)
{
    return (uint64_t *)(void *)((uint8_t *)p + n->field);
}

static uint64_t number_of(const struct tvl_params *p, const struct number *n)
{
    uint64_t v;
    memcpy(&v, (const uint8_t *)p + n->field, sizeof(v));
    return v;
}

void tvl_params_init(struct tvl_params *p)
{
    *p = (struct tvl_params){ 0 };
    for (size_t i = 0; i < NUMBERS; i++)
        *number_in(p, &numbers[i]) = numbers[i].fallback;
}

/* ---- encoding ---- */

static void write_number(struct tvl_wr *w, uint64_t id, uint64_t v)
{
    tvl_wr_varint(w, id);
    tvl_wr_varint(w, tvl_varint_size(v));
    tvl_wr_varint(w, v);
}

static void write_bytes(struct tvl_wr *w, uint64_t id, const uint8_t *bytes, size_t len)
{
    tvl_wr_varint(w, id);
    tvl_wr_varint(w, len);
    tvl_wr_bytes(w, bytes, len);
}

static void write_preferred(struct tvl_wr *w, const struct tvl_preferred_address *a)
{
    tvl_wr_varint(w, ID_PREFERRED_ADDRESS);
    tvl_wr_varint(w, 4u + 2 + 16 + 2 + 1 + a->cid.len + TVL_RESET_TOKEN_SIZE);
    tvl_wr_bytes(w, a->ipv4, sizeof(a->ipv4));
    tvl_wr_u16(w, a->ipv4_port);
    tvl_wr_bytes(w, a->ipv6, sizeof(a->ipv6));
    tvl_wr_u16(w, a->ipv6_port);
    tvl_wr_u8(w, a->cid.len);
    tvl_wr_bytes(w, a->cid.b, a->cid.len);
    tvl_wr_bytes(w, a->reset_token, TVL_RESET_TOKEN_SIZE);
}

int tvl_params_encode(struct tvl_wr *w, const struct tvl_params *p)
{
    if (p->has_original_dcid)
        write_bytes(w, ID_ORIGINAL_DCID, p->original_dcid.b, p->original_dcid.len);
    if (p->has_reset_token)
        write_bytes(w, ID_RESET_TOKEN, p->reset_token, TVL_RESET_TOKEN_SIZE);
    if (p->has_preferred_address)
        write_preferred(w, &p->preferred_address);
    if (p->has_initial_scid)
        write_bytes(w, ID_INITIAL_SCID, p->initial_scid.b, p->initial_scid.len);
    if (p->has_retry_scid)
        write_bytes(w, ID_RETRY_SCID, p->retry_scid.b, p->retry_scid.len);
    if (p->disable_active_migration)
        write_bytes(w, ID_DISABLE_ACTIVE_MIGRATION, NULL, 0);
    if (p->grease_quic_bit)
        write_bytes(w, ID_GREASE_QUIC_BIT, NULL, 0);
    if (p->has_initial_max_path_id)
        write_number(w, ID_INITIAL_MAX_PATH_ID, p->initial_max_path_id);
    for (size_t i = 0; i < NUMBERS; i++)
        if (number_of(p, &numbers[i]) != numbers[i].fallback)
            write_number(w, numbers[i].id, number_of(p, &numbers[i]));
    return w->full ? TVL_ERR_FULL : 0;
}

int tvl_params_grease(struct tvl_wr *w, const uint64_t random[3])
{
    const uint64_t n = random[0] % (TVL_VARINT_MAX / 31 - 1);

    write_bytes(w, 31 * n + 27, (const uint8_t *)&random[1], (size_t)(random[0] >> 60));
    return w->full ? TVL_ERR_FULL : 0;
}

/* ---- decoding ---- */

static const struct number *find_number(uint64_t id)
{
    for (size_t i = 0; i < NUMBERS; i++)
        if (numbers[i].id == id)
            return &numbers[i];
    return NULL;
}

/* The value must be one integer that fills it. */
static int read_number(struct tvl_rd *value, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v = tvl_rd_varint(value);
    if (value->bad || tvl_rd_left(value) != 0 || v < min || v > max)
        return BAD;
    *out = v;
    return 0;
}

static int read_cid(struct tvl_rd *value, struct tvl_cid *cid, bool *has)
{
    size_t len = tvl_rd_left(value);
    if (len > TVL_CID_MAX)
        return BAD;
    *cid = tvl_cid_from(value->p, len);
    *has = true;
    return 0;
}

static int read_token(struct tvl_rd *value, struct tvl_params *p)
{
    if (tvl_rd_left(value) != TVL_RESET_TOKEN_SIZE)
        return BAD;
    tvl_rd_copy(value, p->reset_token, TVL_RESET_TOKEN_SIZE);
    p->has_reset_token = true;
    return 0;
}

static int read_preferred(struct tvl_rd *value, struct tvl_params *p)
{
    struct tvl_preferred_address *a = &p->preferred_address;
    tvl_rd_copy(value, a->ipv4, sizeof(a->ipv4));
    a->ipv4_port = tvl_rd_u16(value);
    tvl_rd_copy(value, a->ipv6, sizeof(a->ipv6));
    a->ipv6_port = tvl_rd_u16(value);
    uint8_t len = tvl_rd_u8(value);
    if (value->bad || len < 1 || len > TVL_CID_MAX)
        return BAD;
    a->cid.len = len;
    tvl_rd_copy(value, a->cid.b, len);
    tvl_rd_copy(value, a->reset_token, TVL_RESET_TOKEN_SIZE);
    p->has_preferred_address = true;
    return value->bad || tvl_rd_left(value) != 0 ? BAD : 0;
}

static int read_flag(const struct tvl_rd *value, bool *flag)
{
    *flag = true;
    return tvl_rd_left(value) == 0 ? 0 : BAD;
}

static bool server_only(uint64_t id)
{
    return id == ID_ORIGINAL_DCID || id == ID_RESET_TOKEN || id == ID_PREFERRED_ADDRESS ||
           id == ID_RETRY_SCID;
}

static int read_param(struct tvl_params *p, uint64_t id, struct tvl_rd *value)
{
    const struct number *number = find_number(id);
    if (number != NULL)
        return read_number(value, number->min, number->max, number_in(p, number));
    uint64_t path_id;
    int res;
    switch (id) {
    case ID_ORIGINAL_DCID:
        return read_cid(value, &p->original_dcid, &p->has_original_dcid);
    case ID_INITIAL_SCID:
        return read_cid(value, &p->initial_scid, &p->has_initial_scid);
    case ID_RETRY_SCID:
        return read_cid(value, &p->retry_scid, &p->has_retry_scid);
    case ID_RESET_TOKEN:
        return read_token(value, p);
    case ID_PREFERRED_ADDRESS:
        return read_preferred(value, p);
    case ID_DISABLE_ACTIVE_MIGRATION:
        return read_flag(value, &p->disable_active_migration);
    case ID_GREASE_QUIC_BIT:
        return read_flag(value, &p->grease_quic_bit);
    case ID_INITIAL_MAX_PATH_ID:
        res = read_number(value, 0, UINT32_MAX, &path_id);
        if (res < 0)
            return res;
        p->initial_max_path_id = (uint32_t)path_id;
        p->has_initial_max_path_id = true;
        return 0;
    default:
        return 0;
    }
}

int tvl_params_decode(struct tvl_params *p, const uint8_t *bytes, size_t len, enum tvl_side sender)
{
    uint64_t seen[TVL_PARAMS_MAX];
    size_t count = 0;
    struct tvl_rd rd = tvl_rd_over(bytes, len);
    tvl_params_init(p);
    while (tvl_rd_left(&rd) > 0) {
        uint64_t id = tvl_rd_varint(&rd);
        uint64_t value_len = tvl_rd_varint(&rd);
        const uint8_t *at = tvl_rd_bytes(&rd, value_len);
        if (rd.bad || count == TVL_PARAMS_MAX || (sender == TVL_CLIENT && server_only(id)))
            return BAD;
        for (size_t i = 0; i < count; i++)
            if (seen[i] == id)
                return BAD;
        seen[count++] = id;
        struct tvl_rd value = tvl_rd_over(at, (size_t)value_len);
        int res = read_param(p, id, &value);
        if (res < 0)
            return res;
    }
    return 0;
}
