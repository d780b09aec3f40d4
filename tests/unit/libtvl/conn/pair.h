/*
 * pair.h - a client and a server endpoint joined by links in memory, on a clock of their own.
 *
 *     client 10.0.0.1 ==link 0== server 10.9.9.9        every link: a fixed delay, may be cut,
 *            10.0.1.1 ==link 1==                        may drop every n-th datagram
 *
 * The smallest thing that runs two production endpoints; tests/sim has real networks.
 */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <tvl/tvl.h>

#include "../tls/test_pki.h"

#define PAIR_LINKS 3
#define PAIR_QUEUE 4096
#define PAIR_CLIENT 0
#define PAIR_SERVER 1

struct pair_datagram {
    tvl_time at;
    int to;
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
};

struct pair_link {
    tvl_time delay;    /* us, each way */
    bool cut[2];       /* towards client, towards server */
    unsigned drop_nth; /* 0: none */
    unsigned mtu;      /* larger datagrams vanish; 0: none do */
    unsigned ce_nth;   /* of the marked ones: every n-th becomes CE; 0: none */
    bool clears_ecn, drops_ecn;
    struct {
        uint8_t host; /* the client's address 10.0.LINK.host as the server sees it; 0: as it is */
        uint16_t port;
    } nat; /* what is sent to another address than this vanishes, as behind a NAT that forgot */
    unsigned count, marked;
};

struct pair {
    struct test_pki pki;
    struct tvl_tls *tls[2];
    struct tvl_endpoint *ep[2];
    struct tvl_conn *conn[2]; /* the server's appears with its ACCEPTED event */
    struct pair_link link[PAIR_LINKS];
    struct pair_datagram *queue;
    size_t n_queue;
    tvl_time now;
    bool ipv6;
    uint64_t sent[2][PAIR_LINKS]; /* datagrams by sender and link */
    /* Called for each event; may call the library. */
    void (*on_event)(struct pair *p, int side, const struct tvl_event *ev);
    void *user;
    /* Called for each datagram that is sent, before the link has its way. */
    void (*on_datagram)(struct pair *p, int from, unsigned link, const struct tvl_datagram *d,
                        const uint8_t *bytes);
    size_t batch;         /* as in the options */
    int largest_batch;    /* datagrams of one send */
    unsigned seen[2][32]; /* events by type */
    struct tvl_event last_path[2], closed[2];
};

struct pair_options {
    const char *ca_file;            /* NULL: the right one */
    const char *server_name;        /* NULL: "localhost" */
    const char *const *client_alpn; /* NULL: the server's */
    uint32_t max_path_id;           /* both sides; 0: the default */
    tvl_time keepalive;
    bool ipv6;
    size_t extra_names; /* of the server's certificate: it grows by about 27 bytes each */
    /* Changes what is not above, before anything is made of it. */
    void (*adjust)(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg);
    size_t batch; /* bytes of room for tvl_endpoint_send_batch; 0: one datagram at a time */
};

void pair_init(struct pair *p, const struct pair_options *o);
void pair_connect(struct pair *p, const struct pair_options *o);
struct tvl_path_config pair_path(const struct pair *p, unsigned link);
int pair_path_add(struct pair *p, unsigned link);
/* Run until `until`, or until `done` says so. */
void pair_run(struct pair *p, tvl_time duration, bool (*done)(struct pair *p));
void pair_fini(struct pair *p);

#endif
