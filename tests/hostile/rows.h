/*
 * rows.h - the table of what a hostile peer may do and what it must get for it.
 *
 * One row: the section that forbids it, what is sent, against whom, and the answer. test_hostile.c
 * runs every row on a fresh pair of puppet and production endpoint; docs/negative.md is made from
 * the same rows. The script language is in script.h.
 */
#ifndef HOSTILE_ROWS_H
#define HOSTILE_ROWS_H

#include <string.h>

#include "puppet.h"

enum victim { CLIENT = 1, SERVER = 2, BOTH = 3 };

enum answer {
    CLOSES,  /* CONNECTION_CLOSE of type 0x1c with `code` (or `code2`) */
    IGNORES, /* goes on: it answers a PING, or completes the handshake */
    DROPS,   /* the same, and the packet is not acknowledged */
    SILENT,  /* not one datagram in answer, nothing begun */
    ENDS,    /* the connection is over without a word */
    DRAINS,  /* the same, because the peer has closed: nothing more is sent */
};

enum row_flag {
    NO_MULTIPATH = 1,        /* the puppet does not offer it */
    VICTIM_NO_MULTIPATH = 2, /* the victim does not */
    RETRY = 4,               /* the victim, a server, asks for Retry */
    EMPTY_SCID = 8,          /* the puppet chooses an empty connection ID */
    NO_PARAMS = 16,          /* the puppet's TLS sends no transport parameters */
    OTHER_ALPN = 32,         /* the puppet asks for another application protocol */
    NO_ALPN = 64,            /* the puppet, a server, picks none */
    NO_DATAGRAMS = 128,      /* the victim takes no DATAGRAM frames */
    SMALL_DATAGRAMS = 256,   /* it takes frames of 1000 bytes */
    PUPPET_RETRIES = 512,    /* the puppet, a server, asks for Retry first */
    MUTE = 1024,             /* the puppet acknowledges nothing from the start */
    BORROWED_KEYS = 2048,    /* it has Handshake keys of its own making from the start */
    NO_REPAIR = 8192,        /* the victim takes no repair symbols */
    NO_GREASE = 4096,        /* the victim does not offer grease_quic_bit */
};

struct row {
    const char *section, *what;
    enum victim victim;
    enum puppet_hold hold;
    const char *script; /* NULL: what the options do is enough */
    enum answer answer;
    uint64_t code;
    uint64_t code2;     /* allowed by the text as well; 0: none */
    uint64_t frame;     /* Frame Type in the CONNECTION_CLOSE; 0: not looked at */
    const char *params; /* see script.h */
    unsigned flags;     /* enum row_flag */
    size_t (*edit)(enum tvl_level level, uint8_t *bytes, size_t len, size_t cap);
    bool (*act)(struct puppet *p);   /* after the script; false: fails */
    bool (*check)(struct puppet *p); /* at the end; false: fails */
};

#define STAGE_OPEN PUPPET_HOLD_NOTHING
#define STAGE_HANDSHAKE PUPPET_HOLD_HANDSHAKE
#define STAGE_INITIAL PUPPET_HOLD_ALL

/* Each ends with a row whose section is NULL. */
extern const struct row rows_streams[], rows_frames[], rows_cids[], rows_packets[],
    rows_handshake[], rows_params[], rows_multipath[], rows_repair[];

#endif
