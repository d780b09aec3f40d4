/* qlog_frames.c - the frames of a packet as qlog has them. Part of qlog_events.h. */
#include "qlog_events.h"

#include <stdio.h>
#include <string.h>

enum field { /* what qlog wants of a frame, bits */
             STREAM_ID = 1,
             OFFSET = 2,
             FIN = 4,
             LENGTH = 8, /* raw.payload_length */
             MAXIMUM = 16,
             LIMIT = 32,
             STREAM_TYPE = 64,
             APP_ERROR = 128,
             FINAL_SIZE = 256,
             SEQUENCE = 512,
             NEW_CID = 1024,
             PATH_ID = 2048,
             ACKED = 4096,
             RAW_LENGTH = 8192, /* raw.length */
             ERROR_CODE = 16384,
             CLOSE = 32768,
             TOKEN = 65536,
             SYMBOL = 131072,
};

static const struct {
    const char *name; /* as core spells it */
    unsigned fields;
} shapes[] = {
    { "padding", RAW_LENGTH },
    { "ack", ACKED },
    { "path_ack", ACKED | PATH_ID },
    { "reset_stream", STREAM_ID | APP_ERROR | FINAL_SIZE },
    { "stop_sending", STREAM_ID | APP_ERROR },
    { "crypto", OFFSET | LENGTH },
    { "stream", STREAM_ID | OFFSET | FIN | LENGTH },
    { "max_data", MAXIMUM },
    { "max_stream_data", STREAM_ID | MAXIMUM },
    { "max_streams", STREAM_TYPE | MAXIMUM },
    { "data_blocked", LIMIT },
    { "stream_data_blocked", STREAM_ID | LIMIT },
    { "streams_blocked", STREAM_TYPE | LIMIT },
    { "new_connection_id", SEQUENCE | NEW_CID },
    { "path_new_connection_id", PATH_ID | SEQUENCE | NEW_CID },
    { "retire_connection_id", SEQUENCE },
    { "path_retire_connection_id", PATH_ID | SEQUENCE },
    { "datagram", LENGTH },
    { "connection_close", CLOSE },
    { "new_token", TOKEN },
    { "path_abandon", PATH_ID | ERROR_CODE },
    { "path_status_backup", PATH_ID | SEQUENCE },
    { "path_status_available", PATH_ID | SEQUENCE },
    { "max_path_id", MAXIMUM },
    { "paths_blocked", MAXIMUM },
    { "path_cids_blocked", PATH_ID | SEQUENCE },
    /* ours, docs/decisions/0009 */
    { "protected", STREAM_ID | OFFSET },
    { "repair", STREAM_ID | OFFSET | FIN | LENGTH | SYMBOL },
    { "recovered", STREAM_ID | OFFSET | FIN | LENGTH },
};

static unsigned fields_of(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].name, name) == 0)
            return shapes[i].fields;
    return 0;
}

static void write_acked(struct qjson *j, const struct tvl_trace_event *ev,
                        const struct tvl_trace_frame *f)
{
    qjson_ms(j, "ack_delay", f->offset);
    qjson_open(j, "acked_ranges", '[');
    for (uint32_t i = f->ranges; i-- > 0;) {
        const struct tvl_trace_range *r = &ev->packet.range[f->range_from + i];

        qjson_open(j, NULL, '[');
        qjson_u64(j, NULL, r->first);
        if (r->last != r->first)
            qjson_u64(j, NULL, r->last);
        qjson_close(j, ']');
    }
    qjson_close(j, ']');
    if (f->ect0 || f->ect1 || f->ce) {
        qjson_u64(j, "ect0", f->ect0);
        qjson_u64(j, "ect1", f->ect1);
        qjson_u64(j, "ce", f->ce);
    }
}

static void write_close(struct qjson *j, const struct tvl_trace_frame *f)
{
    const bool transport = f->type == 0x1c;

    qjson_text(j, "error_space", transport ? "transport" : "application");
    if (transport) {
        qlog_write_transport_error(j, "error", f->code);
    } else {
        qjson_text(j, "error", "unknown");
        qjson_u64(j, "error_code", f->code);
    }
}

static void write_raw(struct qjson *j, const char *what, uint64_t len)
{
    qjson_open(j, "raw", '{');
    qjson_u64(j, what, len);
    qjson_close(j, '}');
}

static void write_frame(struct qjson *j, const struct tvl_trace_event *ev,
                        const struct tvl_trace_frame *f)
{
    const unsigned has = fields_of(f->name);

    qjson_open(j, NULL, '{');
    qjson_text(j, "frame_type", f->name);
    if (strcmp(f->name, "unknown") == 0)
        qjson_u64(j, "frame_type_bytes", f->type);
    if (has & CLOSE)
        write_close(j, f);
    if (has & TOKEN) {
        qjson_open(j, "token", '{');
        write_raw(j, "payload_length", f->len);
        qjson_close(j, '}');
    }
    if (has & PATH_ID)
        qjson_u64(j, "path_id", f->id);
    if (has & STREAM_ID)
        qjson_u64(j, "stream_id", f->id);
    if (has & STREAM_TYPE) /* the even types are of bidirectional streams, RFC 9000 19.11 and .14 */
        qjson_text(j, "stream_type", f->type & 1 ? "unidirectional" : "bidirectional");
    if (has & OFFSET)
        qjson_u64(j, "offset", f->offset);
    if (has & MAXIMUM)
        qjson_u64(j, "maximum", f->offset);
    if (has & LIMIT)
        qjson_u64(j, "limit", f->offset);
    if (has & SEQUENCE)
        qjson_u64(j, "sequence_number", f->offset);
    if (has & NEW_CID) {
        qjson_u64(j, "retire_prior_to", f->code);
        qjson_hex(j, "connection_id", f->cid, f->cid_len);
    }
    if (has & APP_ERROR)
        qjson_text(j, "error", "unknown");
    if (has & (APP_ERROR | ERROR_CODE))
        qjson_u64(j, "error_code", f->code);
    if (has & FINAL_SIZE)
        qjson_u64(j, "final_size", f->len);
    if ((has & FIN) && f->fin)
        qjson_bool(j, "fin", true);
    if (has & SYMBOL)
        qjson_u64(j, "symbol", f->code);
    if (has & ACKED)
        write_acked(j, ev, f);
    if (has & LENGTH)
        write_raw(j, "payload_length", f->len);
    if (has & RAW_LENGTH)
        write_raw(j, "length", f->len);
    qjson_close(j, '}');
}

void qlog_write_frames(struct qjson *j, const struct tvl_trace_event *ev)
{
    const size_t n =
        ev->packet.n_frames < TVL_TRACE_FRAMES_MAX ? ev->packet.n_frames : TVL_TRACE_FRAMES_MAX;

    qjson_open(j, "frames", '[');
    for (size_t i = 0; i < n; i++)
        write_frame(j, ev, &ev->packet.frame[i]);
    qjson_close(j, ']');
    if (ev->packet.n_frames > n)
        qjson_u64(j, "frames_omitted", ev->packet.n_frames - n);
}

void qlog_write_transport_error(struct qjson *j, const char *name, uint64_t code)
{
    static const char *const words[] = {
        "no_error",
        "internal_error",
        "connection_refused",
        "flow_control_error",
        "stream_limit_error",
        "stream_state_error",
        "final_size_error",
        "frame_encoding_error",
        "transport_parameter_error",
        "connection_id_limit_error",
        "protocol_violation",
        "invalid_token",
        "application_error",
        "crypto_buffer_exceeded",
        "key_update_error",
        "aead_limit_reached",
        "no_viable_path",
    };
    char crypto[24];

    if (code < sizeof words / sizeof words[0]) {
        qjson_text(j, name, words[code]);
    } else if (code >= 0x100 && code <= 0x1ff) {
        snprintf(crypto, sizeof crypto, "crypto_error_0x%x", (unsigned)code);
        qjson_text(j, name, crypto);
    } else {
        qjson_text(j, name, "unknown");
        qjson_u64(j, "error_code", code);
    }
}
