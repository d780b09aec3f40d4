/*
 * session.h - what a client endpoint remembers of the servers it has met: per server name one TLS
 * ticket (RFC 8446 2.2) and one address token (RFC 9000 8.1.3).
 *
 * A pure table of two byte strings under a name. It holds TVL_SESSIONS_MAX names; a new one takes
 * the place of the one written longest ago. Tickets and tokens are given out once: using one twice
 * would let an onlooker tie connections together (RFC 8446 C.4, RFC 9000 8.1.3).
 */
#ifndef TVL_CORE_SESSION_H
#define TVL_CORE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TVL_SESSIONS_MAX 16
#define TVL_SESSION_TICKET_MAX                                                                  \
    7168                          /* bytes; the server's certificate is in it. Longer: not kept \
                                   */
#define TVL_SESSION_TOKEN_MAX 512 /* bytes; longer: not kept */

enum tvl_session_part { TVL_SESSION_TICKET, TVL_SESSION_TOKEN, TVL_SESSION_PARTS };

struct tvl_session_bytes {
    uint8_t *bytes; /* owned; NULL: nothing known */
    size_t len;
};

struct tvl_session {
    char *name; /* owned; NULL: free */
    struct tvl_session_bytes part[TVL_SESSION_PARTS];
    uint64_t written; /* rank in time; smaller is older */
};

struct tvl_sessions {
    struct tvl_session entry[TVL_SESSIONS_MAX];
    uint64_t writes;
};

void tvl_sessions_init(struct tvl_sessions *s);
void tvl_sessions_fini(struct tvl_sessions *s); /* also wipes */

/* Copies; replaces what was known. Too long, or no memory: what was known stays. */
void tvl_sessions_put(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                      const uint8_t *bytes, size_t len);

/* Copy out and forget. Bytes written [0, cap]; 0: nothing known, or it does not fit. */
size_t tvl_sessions_take(struct tvl_sessions *s, const char *name, enum tvl_session_part part,
                         uint8_t *out, size_t cap);

/* Both parts as one string of bytes, at most TVL_SESSION_MAX: see tvl_session_export. */
size_t tvl_sessions_export(const struct tvl_sessions *s, const char *name, uint8_t *out,
                           size_t cap);
/* 0, or TVL_ERR_ARG: not what export makes; then nothing has changed. */
int tvl_sessions_import(struct tvl_sessions *s, const char *name, const uint8_t *bytes, size_t len);

#endif
