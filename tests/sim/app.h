/*
 * app.h - the application of one connection, at both ends: what it does is drawn beforehand, what
 * it sees is judged at once. Every byte is known by connection, sender, stream and offset; every
 * half of a stream must end exactly once, in a way the other end's deeds explain.
 */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "host.h"

#define APP_STREAMS_MAX 48
#define APP_ACTIONS_MAX 32
#define APP_DATAGRAMS_MAX 256 /* each way */

enum app_who { APP_CLIENT, APP_SERVER };

enum app_end { /* of one half of a stream, as seen from one end */
               APP_OPEN,
               APP_DONE,    /* sender: all acknowledged; receiver: read to the end */
               APP_RESET,   /* sender: it reset; receiver: told so */
               APP_STOPPED, /* receiver: it asked to stop; sender: was asked, and has reset */
               APP_EXPIRED, /* sender: the deadline passed */
};

struct app_half {
    /* drawn */
    bool exists;
    uint64_t total;
    uint32_t chunk;             /* bytes a write [1, 4096] */
    tvl_time gap;               /* between writes; 0: as fast as it takes them */
    uint64_t reset_at, stop_at; /* bytes written or read; SIM_NEVER */
    tvl_time deadline;          /* after opening; 0: none */
    uint32_t read_bytes;        /* a slow reader's portion; 0: everything at once */
    tvl_time read_gap;
    /* seen */
    uint64_t written, read;
    tvl_time write_at, read_at, deadline_at;
    bool started, fin_written, readable, read_fin;
    enum app_end sender, receiver;
    bool was_reset, was_stopped, told_reset;
};

struct app_stream {
    tvl_time at; /* drawn: after the handshake */
    enum app_who opener;
    enum tvl_dir dir;
    uint64_t rank;
    bool ranked;
    uint32_t flow;
    struct app_half half[2]; /* by sender */
    bool opened, told;
    uint64_t id;
};

enum app_do {
    APP_PATH_ADD,     /* over interface a to server address b; c: as backup */
    APP_PATH_ABANDON, /* the a-th that is left, if another is up */
    APP_PATH_MIGRATE, /* the a-th, to interface b */
    APP_PATH_BACKUP,  /* the a-th; c: yes or no */
    APP_KEYS,         /* client or server (a) updates keys */
    APP_FLOW,         /* client or server (c) treats its flow a & 3 otherwise, as row b says */
    APP_CLOSE,        /* client or server (a) says goodbye */
    APP_DOINGS,
};

struct app_action {
    tvl_time at;
    enum app_do what;
    unsigned a, b, c;
};

struct app_datagrams { /* of one sender */
    tvl_time start, gap;
    tvl_time patience; /* us: dropped when not sent by then; 0: kept */
    unsigned count;    /* [0, APP_DATAGRAMS_MAX] */
    size_t bytes;
    unsigned sent, received;
    bool seen[APP_DATAGRAMS_MAX];
};

#define APP_PATH_SEEN 3
#define APP_FLOWS 4
#define APP_CODE_LOST 4000 /* of what an unreliable flow gives up */

struct app;

struct app_side {
    struct app *app;
    enum app_who who;
    struct sim_host *host;
    struct tvl_conn *conn; /* NULL before, and after it has ended */
    bool connected, closed, close_called;
    enum tvl_close_kind kind; /* once closed */
    uint64_t code;
    char reason[TVL_REASON_MAX];
    bool unreliable[APP_FLOWS]; /* once told so: what was lost may end a stream at any time */
    uint64_t repaired;          /* bytes, as this end saw it last */
    uint64_t key_updates;       /* phases begun by either, as this end saw it last */
};

struct app {
    /* drawn */
    unsigned number;
    tvl_time start;
    uint16_t udp_port;   /* the client's */
    unsigned first_port; /* the client's interface of path 0 */
    struct sockaddr_storage server[4];
    unsigned n_server, first_server;
    struct app_stream stream[APP_STREAMS_MAX];
    size_t n_streams;
    struct app_action action[APP_ACTIONS_MAX]; /* by rising time */
    size_t n_actions, next_action;
    struct app_datagrams datagrams[2];
    uint64_t close_code;
    /* seen */
    struct sim_graph *graph;
    struct app_side side[2];
    bool restarted;          /* the server was, and knows nothing of it any more */
    bool started, cut_short; /* closed before everything was said */
    bool confirmed;          /* the client knows that the server knows it: RFC 9001 4.1.2 */
    uint64_t bytes;          /* read, both ways */
    uint64_t path_seen[APP_PATH_SEEN]; /* events: up, suspect, abandoned */
    uint64_t migrations;
    bool resumed;
};

void app_init(struct app *a, struct sim_graph *g, struct sim_host *client, struct sim_host *server);
tvl_time app_next_time(const struct app *a);
void app_run(struct app *a); /* what is due at graph->now */
void app_on_event(struct app_side *s, const struct tvl_event *ev);
/* Every half has ended at both ends, or the connection has. */
bool app_is_done(const struct app *a);
bool app_is_content(const struct app *a); /* every half that was begun has ended at both ends */
bool app_is_over(const struct app *a);    /* both ends closed, or never begun */
/* The server starts anew: its ends of connections are gone without a word. */
void app_forget_server(struct app *a);
void app_close(struct app *a, enum app_who who);
/* One line on what is not done yet. */
void app_explain(const struct app *a, char *text, size_t size);

#endif
