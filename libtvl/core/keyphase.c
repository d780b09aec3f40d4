/* keyphase.c - key updates. Drawing and contract in keyphase.h. */
#include "keyphase.h"

#include <string.h>

#include "conn.h"
#include "endpoint.h"
#include "trace.h"

void tvl_keyphase_fini(struct tvl_keyphase *k)
{
    tvl_keys_fini(&k->before);
    tvl_keys_fini(&k->next);
}

int tvl_keyphase_init(struct tvl_keyphase *k, const struct tvl_keys *read)
{
    tvl_keyphase_fini(k);
    *k = (struct tvl_keyphase){ .answered = true, .drop_before_at = TVL_TIME_NEVER };
    return tvl_keys_next(&k->next, read);
}

/* ---- beginning a phase ---- */

static void restart_pns(struct tvl_conn *conn)
{
    for (size_t i = 0; i < conn->n_paths; i++) {
        struct tvl_path *p = conn->path[i];

        p->phase = (struct tvl_phase_pns){
            .first = TVL_PN_NONE,
            .sent = TVL_PN_NONE,
        };
    }
}

static int begin(struct tvl_conn *conn, const char *why)
{
    struct tvl_keyphase *k = &conn->phase;
    struct tvl_keys write = { .suite = 0 }, read = { .suite = 0 };
    int r = tvl_keys_next(&write, &conn->write[TVL_LEVEL_APP]);

    if (r != 0)
        return r;
    r = tvl_keys_next(&read, &k->next);
    if (r != 0) {
        tvl_keys_fini(&write);
        return r;
    }
    tvl_keys_fini(&conn->write[TVL_LEVEL_APP]);
    conn->write[TVL_LEVEL_APP] = write;
    tvl_keys_fini(&k->before);
    k->before = conn->read[TVL_LEVEL_APP];
    conn->read[TVL_LEVEL_APP] = k->next;
    k->next = read;
    k->number++;
    k->sealed = 0;
    k->heard = k->answered = k->acked = false;
    k->drop_before_at = TVL_TIME_NEVER;
    restart_pns(conn);
    tvl_trace_key(conn, TVL_TRACE_KEY_UPDATED, TVL_LEVEL_APP, why);
    return 0;
}

static bool may_begin(const struct tvl_conn *conn)
{
    const struct tvl_keyphase *k = &conn->phase;

    return conn->confirmed && tvl_handshake_is_done(conn) &&
           (k->number == 0 || (k->acked && conn->now >= k->ready_at));
}

int tvl_conn_update_keys(struct tvl_conn *conn, tvl_time now)
{
    int r;

    if (!tvl_conn_alive(conn))
        return TVL_ERR_STATE;
    conn->now = now;
    if (!may_begin(conn))
        return TVL_ERR_STATE;
    r = begin(conn, "local_update");
    tvl_conn_touch(conn);
    return r;
}

/* ---- packets that arrive ---- */

/*
 * The bit is not the current one: which keys first. RFC 9001 6.3, with numbers of this path. Where
 * the first choice fails the other is tried: a path may have slept for a whole phase, and old keys
 * on a newer packet are to be found out (6.4).
 */
static int open_other(struct tvl_conn *conn, const struct tvl_path *path,
                      const struct tvl_sealed *p, enum tvl_phase *phase)
{
    struct tvl_keyphase *k = &conn->phase;
    uint8_t *payload = p->header + p->header_len;
    const bool older = !path || path->phase.first == TVL_PN_NONE || p->pn < path->phase.first;
    uint8_t copy[TVL_DATAGRAM_MAX];

    memcpy(copy, payload, p->len);
    for (int try = 0; try < 2; try++) {
        const bool before = older == (try == 0);
        struct tvl_keys *keys = before ? &k->before : &k->next;

        if (!tvl_keys_present(keys))
            continue;
        const int len =
            tvl_open(keys, p->path_id, p->pn, p->header, p->header_len, payload, p->len);
        if (len >= 0) {
            *phase = before ? TVL_PHASE_BEFORE : TVL_PHASE_NEXT;
            return len;
        }
        memcpy(payload, copy, p->len);
    }
    return TVL_ERR_PACKET;
}

int tvl_keyphase_open(struct tvl_conn *conn, const struct tvl_path *path,
                      const struct tvl_sealed *p, enum tvl_phase *phase)
{
    *phase = TVL_PHASE_CURRENT;
    if (p->bit == tvl_keyphase_bit(&conn->phase))
        return tvl_open(&conn->read[TVL_LEVEL_APP], p->path_id, p->pn, p->header, p->header_len,
                        p->header + p->header_len, p->len);
    return p->len > TVL_DATAGRAM_MAX ? TVL_ERR_PACKET : open_other(conn, path, p, phase);
}

int tvl_keyphase_on_packet(struct tvl_conn *conn, struct tvl_path *path, uint64_t pn,
                           enum tvl_phase phase)
{
    struct tvl_keyphase *k = &conn->phase;
    struct tvl_phase_pns *pns = &path->phase;

    if (phase == TVL_PHASE_BEFORE) {
        if (pns->first != TVL_PN_NONE && pn > pns->first)
            return -TVL_WIRE_KEY_UPDATE_ERROR; /* 6.4 */
        return 0;
    }
    if (phase == TVL_PHASE_NEXT) {
        if (!k->answered) /* 6.2: it has updated twice without waiting for an answer */
            return -TVL_WIRE_KEY_UPDATE_ERROR;
        if (begin(conn, "remote_update") != 0)
            return -TVL_WIRE_INTERNAL_ERROR;
    }
    if (pn < pns->first)
        pns->first = pn;
    if (!k->heard) {
        k->heard = true;
        if (tvl_keys_present(&k->before))
            k->drop_before_at = conn->now + 3 * tvl_conn_pto_max(conn);
    }
    return 0;
}

int tvl_keyphase_on_ack(struct tvl_conn *conn, const struct tvl_path *path, uint64_t largest,
                        enum tvl_phase phase)
{
    struct tvl_keyphase *k = &conn->phase;

    if (path->phase.sent == TVL_PN_NONE || largest < path->phase.sent)
        return 0;
    if (phase == TVL_PHASE_BEFORE) /* 6.2: it has read the new keys and goes on with the old */
        return -TVL_WIRE_KEY_UPDATE_ERROR;
    if (!k->acked) {
        k->acked = true;
        k->ready_at = conn->now + 3 * tvl_conn_pto_max(conn);
    }
    return 0;
}

/* ---- packets that leave ---- */

void tvl_keyphase_on_sealed(struct tvl_conn *conn, struct tvl_path *path, uint64_t pn)
{
    conn->phase.sealed++;
    if (path->phase.sent == TVL_PN_NONE)
        path->phase.sent = pn;
}

void tvl_keyphase_on_ack_sent(struct tvl_conn *conn)
{
    conn->phase.answered = conn->phase.answered || conn->phase.heard;
}

void tvl_keyphase_check(struct tvl_conn *conn)
{
    struct tvl_keyphase *k = &conn->phase;
    const uint64_t wish = conn->cfg->key_update_packets;
    uint64_t limit, due;

    if (k->sealed == 0 || (wish == 0 && k->sealed < TVL_KEYPHASE_MARGIN))
        return;
    limit = tvl_keys_seal_limit(&conn->write[TVL_LEVEL_APP]);
    due = limit - TVL_KEYPHASE_MARGIN;
    if (wish > 0 && wish < due)
        due = wish;
    if (k->sealed >= due && may_begin(conn))
        (void)begin(conn, "local_update"); /* without memory: at the next call */
    if (k->sealed >= limit)                /* RFC 9001 6.6 */
        tvl_close_with(conn, TVL_WIRE_AEAD_LIMIT_REACHED, 0, "the key is used up");
}

/* ---- time ---- */

tvl_time tvl_keyphase_next(const struct tvl_keyphase *k)
{
    return k->drop_before_at;
}

void tvl_keyphase_tick(struct tvl_conn *conn, tvl_time now)
{
    struct tvl_keyphase *k = &conn->phase;

    if (now < k->drop_before_at)
        return;
    tvl_keys_fini(&k->before);
    k->drop_before_at = TVL_TIME_NEVER;
}
