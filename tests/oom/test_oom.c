/*
 * test_oom.c - a whole life of two endpoints with allocation number n failing, for n = 1, 2, ...
 * until a life needs no n-th one.
 *
 *     test_oom ours|openssl [STRIDE [all]]    every STRIDE-th n [1]; all: all from n on fail
 *
 * A life: TLS contexts, endpoints with a qlog each, a connection after a Retry, a second path,
 * streams and datagrams both ways, one of them repaired where packets are lost, keys updated, a
 * path moved, another abandoned, a goodbye; then all of it again with the session resumed. Short of
 * memory, a call may say so and a connection may end; what must not happen is a crash, a leak,
 * wrong bytes, or an endpoint that hangs without a word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <unistd.h>

#include <tvl/qlog.h>
#include <tvl/tvl.h>

#include "allocs.h"
#include "test_pki.h"

#define START 1000000u      /* us */
#define LIFE 200000000u     /* us, more than any time-out */
#define STREAM_BYTES 30000u /* each way */
#define QUEUE 512           /* datagrams under way */
#define N_MAX 2000000u      /* a life without end is a failure of its own */
#define BAD_MAX 30          /* then it is known well enough */
#define ROUNDS 2            /* connections of a life */
enum { CLIENT, SERVER };

struct flying {
    int to;
    struct tvl_datagram d;
    uint8_t bytes[TVL_DATAGRAM_MAX];
};

struct life {
    struct tvl_tls *tls[2];
    struct tvl_qlog *qlog[2];
    struct tvl_endpoint *ep[2];
    struct tvl_conn *conn[2];
    unsigned round;
    tvl_time now;
    struct flying *queue;
    size_t queued;
    bool connected[2], closed[2], opened[2], ended;
    uint64_t id[2], written[2], read[2];
    bool finished[2], datagram[2], damaged;
    bool refused;          /* a stream could not be opened: all that is left is to say goodbye */
    bool left;             /* a path was abandoned */
    bool moved;            /* another was moved, and keys updated */
    bool updated, resumed; /* both came to be so */
    unsigned large;        /* datagrams of the client's, of which some are lost */
    bool repaired;         /* the server has filled a gap by symbols */
};

static struct test_pki pki;
static size_t bad;                            /* lives */
static char folder[] = "/tmp/tvl-oom-XXXXXX"; /* the traces */

static uint8_t pattern(uint64_t n)
{
    return (uint8_t)(n * 31 + (n >> 8));
}

static struct sockaddr_storage address(uint32_t host, uint16_t port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_storage ss;

    sin.sin_addr.s_addr = htonl(host);
    memset(&ss, 0, sizeof ss);
    memcpy(&ss, &sin, sizeof sin);
    return ss;
}

static struct tvl_path_config path_over(uint32_t link)
{
    return (struct tvl_path_config){ .local = address(0x0a000001u | link << 8, 5000),
                                     .remote = address(0x0a090909u, 4433),
                                     .tag = link };
}

/* ---- beginning ---- */

static bool make_side(struct life *l, int side)
{
    static const char *const alpn[] = { "test", NULL };
    struct tvl_tls_config tc = { .alpn = alpn, .server = side == SERVER };
    struct tvl_config cfg;
    char why[200];

    if (side == SERVER) {
        tc.cert_file = pki.server;
        tc.key_file = pki.server_key;
    } else {
        tc.ca_file = pki.ca;
    }
    if (tvl_tls_new(&l->tls[side], &tc, why, sizeof why) != 0)
        return false;
    tvl_config_init(&cfg);
    cfg.tls = l->tls[side];
    cfg.seed[0] = 3 + (uint64_t)side;
    cfg.keepalive = 1000000;
    cfg.retry = TVL_RETRY_ALWAYS;
    if (tvl_qlog_new(&l->qlog[side], folder) != 0)
        return false;
    cfg.trace = tvl_qlog_trace;
    cfg.trace_user = l->qlog[side];
    return tvl_endpoint_new(&l->ep[side], &cfg) == 0;
}

static bool begin(struct life *l)
{
    const struct tvl_path_config path = path_over(0);

    if (!make_side(l, CLIENT) || !make_side(l, SERVER))
        return false;
    return tvl_connect(l->ep[CLIENT], &path, "localhost", &l->conn[CLIENT], l->now) == 0;
}

/* ---- what the two do ---- */

static void write_more(struct life *l, int side)
{
    uint8_t bytes[1000];

    while (l->opened[side] && l->conn[side] && l->written[side] < STREAM_BYTES) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = pattern(l->written[side] + i);
        const int64_t n = tvl_stream_write(l->conn[side], l->id[side], bytes, sizeof bytes,
                                           l->written[side] + sizeof bytes == STREAM_BYTES);
        if (n <= 0)
            return; /* tried again at the next step */
        l->written[side] += (uint64_t)n;
    }
}

static void on_connected(struct life *l, int side)
{
    static const struct tvl_flow_config repair = { .protection = TVL_FLOW_REPAIR };
    const struct tvl_path_config second = path_over(1);

    l->connected[side] = true;
    if (tvl_stream_open(l->conn[side], TVL_UNI, &l->id[side]) == 0)
        l->opened[side] = tvl_stream_set_flow(l->conn[side], l->id[side], 1) == 0;
    else
        l->refused = true;
    (void)tvl_flow_set(l->conn[side], 1, &repair);
    (void)tvl_datagram_write(l->conn[side], (const uint8_t *)"hello", 5);
    if (side == CLIENT)
        (void)tvl_path_add(l->conn[side], &second, l->now);
}

static void on_readable(struct life *l, int side, uint64_t id)
{
    uint8_t bytes[2000];
    bool fin = false;
    int64_t n;

    while ((n = tvl_stream_read(l->conn[side], id, bytes, sizeof bytes, &fin)) > 0) {
        for (int64_t i = 0; i < n; i++)
            l->damaged = l->damaged || bytes[i] != pattern(l->read[side] + (uint64_t)i);
        l->read[side] += (uint64_t)n;
        if (fin)
            break;
    }
    l->finished[side] = l->finished[side] || fin;
    l->damaged = l->damaged || (fin && l->read[side] != STREAM_BYTES);
}

static void on_event(struct life *l, int side, const struct tvl_event *ev)
{
    switch (ev->type) {
    case TVL_EVENT_ACCEPTED:
        l->conn[side] = ev->conn;
        break;
    case TVL_EVENT_CONNECTED:
        on_connected(l, side);
        break;
    case TVL_EVENT_STREAM_READABLE:
        on_readable(l, side, ev->stream.id);
        break;
    case TVL_EVENT_DATAGRAM:
        l->datagram[side] = ev->datagram.len == 5 && memcmp(ev->datagram.bytes, "hello", 5) == 0;
        break;
    case TVL_EVENT_CLOSED:
        l->closed[side] = true;
        l->conn[side] = NULL;
        break;
    default:
        break;
    }
}

static bool transferred(const struct life *l)
{
    return l->finished[CLIENT] && l->finished[SERVER];
}

/* The client's first path goes on from elsewhere, and the next packets are under new keys. */
static void move(struct life *l)
{
    const struct tvl_path_config third = path_over(2);
    struct tvl_conn_stats st = { .stream_bytes_recovered = 0 };

    if (l->conn[SERVER])
        tvl_conn_get_stats(l->conn[SERVER], &st);
    l->repaired = st.stream_bytes_recovered > 0;

    l->moved = true;
    (void)tvl_path_migrate(l->conn[CLIENT], 0, &third, l->now);
    (void)tvl_conn_update_keys(l->conn[CLIENT], l->now);
    tvl_conn_get_stats(l->conn[CLIENT], &st);
    l->updated = st.key_updates > 0;
    l->resumed = st.resumed;
}

/* Once everything is across: move a path, leave another, then say goodbye. */
static void go_on(struct life *l)
{
    write_more(l, CLIENT);
    write_more(l, SERVER);
    if ((!transferred(l) && !l->refused) || !l->conn[CLIENT] || l->ended)
        return;
    if (!l->moved) {
        move(l);
        return;
    }
    if (!l->left) {
        l->left = true;
        (void)tvl_path_abandon(l->conn[CLIENT], 1, l->now);
        return;
    }
    l->ended = tvl_close(l->conn[CLIENT], 7, "done", l->now) == 0;
}

/* ---- moving on ---- */

/* Of the client's large datagrams every seventh, once data flows. */
static bool is_lost(struct life *l, const struct flying *f)
{
    return f->to == SERVER && f->d.len > 1000 && l->opened[CLIENT] && l->connected[SERVER] &&
           ++l->large % 7 == 0;
}

static void exchange(struct life *l)
{
    bool any = true;

    for (unsigned rounds = 0; any && rounds < 2000; rounds++) {
        any = false;
        for (int side = 0; side < 2; side++) {
            uint8_t bytes[TVL_DATAGRAM_MAX];
            struct tvl_datagram d;
            struct tvl_event ev;

            while (tvl_endpoint_poll(l->ep[side], &ev) == 1)
                on_event(l, side, &ev);
            while (l->queued < QUEUE && tvl_endpoint_send(l->ep[side], &d, bytes, l->now) == 1) {
                struct flying *f = &l->queue[l->queued++];

                f->to = 1 - side;
                f->d = d;
                f->d.local = d.remote;
                f->d.remote = d.local;
                f->d.segment = 0;
                memcpy(f->bytes, bytes, d.len);
                any = true;
            }
        }
        for (size_t i = 0; i < l->queued; i++)
            if (!is_lost(l, &l->queue[i]))
                (void)tvl_endpoint_recv(l->ep[l->queue[i].to], &l->queue[i].d, l->queue[i].bytes,
                                        l->now);
        l->queued = 0;
    }
}

/* The next connection of the two, if there is to be one. */
static bool begin_again(struct life *l)
{
    const struct tvl_path_config path = path_over(0);
    struct tvl_conn *conn;

    if (++l->round == ROUNDS || !l->ended ||
        tvl_connect(l->ep[CLIENT], &path, "localhost", &conn, l->now) != 0)
        return false;
    memset(l->connected, 0, sizeof l->connected);
    memset(l->closed, 0, sizeof l->closed);
    memset(l->opened, 0, sizeof l->opened);
    memset(l->written, 0, sizeof l->written);
    memset(l->read, 0, sizeof l->read);
    memset(l->finished, 0, sizeof l->finished);
    l->ended = l->refused = l->left = l->moved = l->updated = false;
    l->conn[CLIENT] = conn;
    l->conn[SERVER] = NULL;
    return true;
}

static void live(struct life *l)
{
    for (unsigned steps = 0; l->now < START + LIFE && steps < 50000; steps++) {
        tvl_time next = l->now + 100000;

        exchange(l);
        go_on(l);
        exchange(l);
        if (l->closed[CLIENT] && (l->closed[SERVER] || !l->conn[SERVER]) && !begin_again(l))
            return;
        for (int side = 0; side < 2; side++) {
            const tvl_time t = tvl_endpoint_next_tick(l->ep[side]);

            next = t < next ? t : next;
        }
        l->now = next > l->now ? next : l->now + 1000;
        for (int side = 0; side < 2; side++)
            tvl_endpoint_tick(l->ep[side], l->now);
    }
}

/* The traces of a life. */
static void sweep(void)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    char path[sizeof folder + sizeof e->d_name + 1];

    while (d && (e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
}

static void end(struct life *l)
{
    for (int side = 0; side < 2; side++) {
        tvl_endpoint_free(l->ep[side]);
        tvl_qlog_free(l->qlog[side]);
        tvl_tls_free(l->tls[side]);
    }
}

/* ---- one n ---- */

static const char *judge(const struct life *l, bool begun, bool failed)
{
    if (l->damaged)
        return "wrong bytes";
    if (!failed && (!transferred(l) || !l->ended || !l->updated || !l->resumed || !l->repaired))
        return "an undisturbed life does not reach its end";
    if (begun && !l->closed[CLIENT])
        return "the client hangs without a word";
    if (begun && l->conn[SERVER])
        return "the server hangs without a word";
    return NULL;
}

enum result { LAST, GOOD, BAD }; /* LAST: no allocation failed, so there is no such number */

static enum result run(enum allocs_whose whose, enum allocs_how how, size_t n)
{
    const size_t before = allocs_live();
    struct life l = { .now = START };
    bool begun;

    l.queue = malloc(QUEUE * sizeof *l.queue);
    if (!l.queue)
        abort();
    allocs_arm(whose, how, n);
    begun = begin(&l);
    if (begun)
        live(&l);
    end(&l);
    const bool failed = allocs_disarm();
    const char *why = judge(&l, begun, failed);
    free(l.queue);
    sweep();
    if (!why && allocs_live() != before)
        why = "a leak";
    if (why)
        fprintf(stderr,
                "allocation %zu: %s; begun %d, connected %d %d, closed %d %d, read %" PRIu64
                " %" PRIu64 ", live %zu of %zu\n",
                n, why, begun, l.connected[0], l.connected[1], l.closed[0], l.closed[1], l.read[0],
                l.read[1], allocs_live(), before);
    if (why)
        bad++;
    return !failed ? LAST : why ? BAD : GOOD;
}

int main(int argc, char **argv)
{
    const struct test_pki_config pc = { .kind = TEST_PKI_ED25519 };
    const enum allocs_whose whose =
        argc > 1 && strcmp(argv[1], "openssl") == 0 ? ALLOCS_OPENSSL : ALLOCS_OURS;
    const size_t stride = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    const enum allocs_how how = argc > 3 ? ALLOCS_ALL_FROM : ALLOCS_ONE;
    size_t n = 1, runs = 0;

    if (!allocs_init() || stride == 0 || test_pki_init(&pki, &pc) != 0 || !mkdtemp(folder))
        return 2;
    (void)run(whose, how, N_MAX); /* what is made once and kept is made here */
    while (n < N_MAX && bad < BAD_MAX && run(whose, how, n) != LAST) {
        n += stride;
        runs++;
    }
    test_pki_fini(&pki);
    (void)rmdir(folder);
    printf("%zu lives with one of %zu allocations failing, %zu bad\n", runs, n, bad);
    return bad > 0 || runs == 0;
}
