/* links.c - see links.h; the driver's part mirrors libtvl/driver/ev.c. */
#include "links.h"
#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tvl/ev.h>

#define SLOTS 16384u  /* datagrams under way; more are lost */
#define ROUNDS_MAX 64 /* of events and sending before time may go on */
#define ECN_CE 3      /* RFC 3168 5 */
#define FILE_MAX (8u << 20)
#define BINS 4000u     /* of queueing delays, */
#define BIN_NS 500000u /* up to 2 s */

struct tvl_ev {
    struct ev_loop *loop;
    struct tvl_endpoint *ep;
    void (*on_event)(void *user, const struct tvl_event *ev);
    void *user;
    ev_timer timer;
    bool server, driving, heard; /* heard: something came since the last look */
    int64_t ticked_at;
    uint64_t next_tag;
};

struct slot {
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    uint32_t next_free;
};

static struct net {
    const struct links_config *cfg;
    struct vlink_schedule schedule;
    struct vlink_dir *dir[LINKS_MAX][VLINK_WAYS];
    struct slot *slot;
    uint32_t free_slot;
    struct tvl_ev *driver[VLINK_WAYS]; /* who hears what goes that way */
    struct tvl_conn *server_conn;
    struct links_count count[LINKS_MAX];
    uint32_t bin[LINKS_MAX][BINS];
} net;

/* ---- what a run is to have ---- */

static int read_trace(struct vlink_trace *out, const char *file, char *why, size_t why_size)
{
    char *text = malloc(FILE_MAX);
    FILE *f = text ? fopen(file, "rb") : NULL;
    int result = -1;

    if (f)
        result = vlink_trace_parse(out, text, fread(text, 1, FILE_MAX, f), why, why_size);
    else
        snprintf(why, why_size, "%s: %s", file, strerror(errno));
    if (f)
        fclose(f);
    free(text);
    return result;
}

int links_add(struct links_config *c, const char *text, char *why, size_t why_size)
{
    char whole[1024];

    if (c->n == LINKS_MAX) {
        snprintf(why, why_size, "more than %d links", LINKS_MAX);
        return -1;
    }
    struct vlink_spec *s = &c->link[c->n];
    snprintf(whole, sizeof whole, "%s,listen=127.0.0.1:0,to=127.0.0.1:1", text);
    if (vlink_spec_parse(s, whole, why, why_size) != 0)
        return -1;
    for (unsigned way = 0; way < VLINK_WAYS; way++) {
        if (!s->trace[way][0])
            continue;
        if (read_trace(&c->trace[c->n][way], s->trace[way], why, why_size) != 0)
            return -1;
        s->config[way].trace = &c->trace[c->n][way];
    }
    c->n++;
    return 0;
}

int links_at(struct links_config *c, const char *text, char *why, size_t why_size)
{
    struct vlink_change change;

    if (vlink_change_parse_timed(&change, text, why, why_size) != 0)
        return -1;
    if (vlink_schedule_add(&c->schedule, &change) == 0)
        return 0;
    snprintf(why, why_size, "more than %d changes", VLINK_CHANGES_MAX);
    return -1;
}

void links_config_fini(struct links_config *c)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        for (unsigned way = 0; way < VLINK_WAYS; way++)
            vlink_trace_fini(&c->trace[i][way]);
}

int links_find(const struct links_config *c, const char *name)
{
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->link[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* ---- links ---- */

static struct sockaddr_storage address(uint32_t host, uint16_t port)
{
    const struct sockaddr_in sin = { .sin_family = AF_INET,
                                     .sin_port = htons(port),
                                     .sin_addr.s_addr = htonl(host) };
    struct sockaddr_storage ss;

    memset(&ss, 0, sizeof ss);
    memcpy(&ss, &sin, sizeof sin);
    return ss;
}

static unsigned link_of(const struct sockaddr_storage *client)
{
    return (ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 8) & 0xff;
}

static void send_one(const struct tvl_ev *d, const struct tvl_datagram *dgram, const uint8_t *bytes)
{
    const unsigned link = link_of(d->server ? &dgram->remote : &dgram->local);
    const unsigned way = d->server ? VLINK_DOWN : VLINK_UP;
    const uint32_t i = net.free_slot;

    if (link >= net.cfg->n)
        return;
    net.count[link].sent[way] += dgram->len;
    if (i >= SLOTS || vlink_dir_push(net.dir[link][way], (vlink_time)loop_now() * 1000,
                                     (uint32_t)dgram->len, i) != VLINK_PASS) {
        net.count[link].dropped++;
        return;
    }
    struct slot *s = &net.slot[i];
    net.free_slot = s->next_free;
    s->dgram = *dgram;
    s->dgram.local = dgram->remote;
    s->dgram.remote = dgram->local;
    s->dgram.tag = 0;
    if (d->server) /* to the socket of the path, which its port tells */
        s->dgram.tag = ntohs(((const struct sockaddr_in *)&dgram->remote)->sin_port);
    memcpy(s->bytes, bytes, dgram->len);
}

static void deliver(unsigned link, unsigned way)
{
    struct vlink_out o;

    while (vlink_dir_take(net.dir[link][way], (vlink_time)loop_now() * 1000, &o)) {
        struct slot *s = &net.slot[o.tag];
        struct tvl_ev *to = net.driver[way];
        uint8_t bytes[TVL_DATAGRAM_MAX]; /* received in place, and a copy may follow */
        const uint64_t bin = o.waited_ns / BIN_NS;

        if (way == VLINK_DOWN)
            net.bin[link][bin < BINS ? bin : BINS - 1]++;
        if (o.marked && s->dgram.ecn != 0)
            s->dgram.ecn = ECN_CE;
        memcpy(bytes, s->bytes, s->dgram.len);
        if (o.fate == VLINK_PASS) {
            net.count[link].delivered[way] += s->dgram.len;
            if (to) {
                (void)tvl_endpoint_recv(to->ep, &s->dgram, bytes, (tvl_time)loop_now());
                to->heard = true;
            }
        } else {
            net.count[link].dropped++;
        }
        if (o.last) {
            s->next_free = net.free_slot;
            net.free_slot = (uint32_t)o.tag;
        }
    }
}

static void obey(const struct vlink_change *c)
{
    char why[VLINK_WHY_MAX];
    const int link = links_find(net.cfg, c->link);

    for (unsigned way = 0; link >= 0 && way < VLINK_WAYS; way++) {
        struct vlink_config now = *vlink_dir_config(net.dir[link][way]);

        if (!(c->ways >> way & 1))
            continue;
        if (vlink_config_set(&now, c->key, c->value, why, sizeof why) == 0)
            vlink_dir_configure(net.dir[link][way], (vlink_time)loop_now() * 1000, &now);
    }
}

static int64_t next_of(void *user)
{
    const struct net *n = user;
    vlink_time next = vlink_schedule_next(&n->schedule);

    if (next != VLINK_NEVER)
        next += LOOP_BEGIN_US * (vlink_time)1000;
    for (unsigned i = 0; i < n->cfg->n; i++)
        for (unsigned way = 0; way < VLINK_WAYS; way++) {
            const vlink_time t = vlink_dir_next(n->dir[i][way]);

            next = t < next ? t : next;
        }
    return next == VLINK_NEVER ? LOOP_NEVER : (int64_t)((next + 999) / 1000);
}

static void run(void *user)
{
    struct net *n = user;
    const struct vlink_change *c;

    while ((c = vlink_schedule_take(&n->schedule,
                                    (vlink_time)(loop_now() - LOOP_BEGIN_US) * 1000)) != NULL)
        obey(c);
    for (unsigned i = 0; i < n->cfg->n; i++)
        for (unsigned way = 0; way < VLINK_WAYS; way++)
            deliver(i, way);
    for (unsigned way = 0; way < VLINK_WAYS; way++)
        if (n->driver[way] && n->driver[way]->heard) {
            n->driver[way]->heard = false;
            tvl_ev_kick(n->driver[way]);
        }
}

int links_open(const struct links_config *c)
{
    net = (struct net){ .cfg = c, .schedule = c->schedule };
    net.slot = calloc(SLOTS, sizeof *net.slot);
    for (uint32_t i = 0; net.slot && i < SLOTS; i++)
        net.slot[i].next_free = i + 1;
    bool good = net.slot != NULL;
    for (unsigned i = 0; i < c->n; i++)
        for (unsigned way = 0; way < VLINK_WAYS; way++) {
            net.dir[i][way] =
                vlink_dir_new(&c->link[i].config[way], c->seed * 64 + i * VLINK_WAYS + way,
                              (vlink_time)loop_now() * 1000);
            good = good && net.dir[i][way];
        }
    loop_set_network(&(struct loop_network){ next_of, run, &net });
    return good ? 0 : -1;
}

void links_close(void)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        for (unsigned way = 0; way < VLINK_WAYS; way++)
            vlink_dir_free(net.dir[i][way]);
    free(net.slot);
    net = (struct net){ .cfg = NULL };
}

static double percentile_ms(const uint32_t *bin, double share)
{
    uint64_t n = 0, seen = 0;

    for (unsigned i = 0; i < BINS; i++)
        n += bin[i];
    for (unsigned i = 0; i < BINS; i++) {
        seen += bin[i];
        if (n && (double)seen >= share * (double)n)
            return (i + 0.5) * BIN_NS / 1e6;
    }
    return 0;
}

struct links_count links_count(unsigned link)
{
    struct links_count c = net.count[link];

    c.queue_p50_ms = percentile_ms(net.bin[link], 0.5);
    c.queue_p95_ms = percentile_ms(net.bin[link], 0.95);
    return c;
}

struct tvl_conn *links_server_conn(void)
{
    return net.server_conn;
}

/* ---- the driver ---- */

static void note_conn(const struct tvl_ev *d, const struct tvl_event *ev)
{
    if (d->server && ev->type == TVL_EVENT_ACCEPTED)
        net.server_conn = ev->conn;
    if (d->server && ev->type == TVL_EVENT_CLOSED && net.server_conn == ev->conn)
        net.server_conn = NULL;
}

static bool take_events(struct tvl_ev *d)
{
    struct tvl_event ev;
    bool any = false;

    while (tvl_endpoint_poll(d->ep, &ev) == 1) {
        any = true;
        note_conn(d, &ev);
        d->on_event(d->user, &ev);
    }
    return any;
}

static bool send_all(struct tvl_ev *d)
{
    struct tvl_datagram dgram;
    uint8_t bytes[TVL_DATAGRAM_MAX];
    bool any = false;

    while (tvl_endpoint_send(d->ep, &dgram, bytes, (tvl_time)loop_now()) == 1) {
        send_one(d, &dgram, bytes);
        any = true;
    }
    return any;
}

static void arm(struct tvl_ev *d)
{
    const tvl_time next = tvl_endpoint_next_tick(d->ep);
    const int64_t now = loop_now();
    int64_t due = next < (tvl_time)now ? now : (int64_t)next;

    ev_timer_stop(d->loop, &d->timer);
    if (next == TVL_TIME_NEVER)
        return;
    if (due == now && d->ticked_at == now)
        due++; /* what was due has been done: time goes on */
    ev_timer_set(&d->timer, (double)(due - now) / 1e6, 0.);
    ev_timer_start(d->loop, &d->timer);
}

void tvl_ev_kick(struct tvl_ev *d)
{
    if (d->driving)
        return;
    d->driving = true;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        const bool events = take_events(d), sent = send_all(d);

        if (!events && !sent)
            break;
    }
    d->driving = false;
    arm(d);
}

void tvl_ev_send(struct tvl_ev *d)
{
    if (!d->driving)
        (void)send_all(d);
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int events)
{
    struct tvl_ev *d = t->data;

    (void)loop;
    (void)events;
    d->ticked_at = loop_now();
    tvl_endpoint_tick(d->ep, (tvl_time)loop_now());
    tvl_ev_kick(d);
}

int tvl_ev_new(struct tvl_ev **out, const struct tvl_ev_config *cfg, char *why, size_t why_size)
{
    struct tvl_ev *d = calloc(1, sizeof *d);
    struct tvl_config tvl = cfg->tvl;

    if (!d)
        return TVL_ERR_NOMEM;
    d->loop = cfg->loop;
    d->on_event = cfg->on_event;
    d->user = cfg->user;
    d->server = cfg->listen != NULL;
    d->next_tag = 5000;
    tvl.seed[0] = net.cfg->seed;
    tvl.seed[1] = d->server ? 2 : 1;
    const int result = tvl_endpoint_new(&d->ep, &tvl);
    if (result != 0) {
        snprintf(why, why_size, "%s", tvl_strerror(result));
        free(d);
        return result;
    }
    ev_timer_init(&d->timer, on_timer, 0., 0.);
    d->timer.data = d;
    net.driver[d->server ? VLINK_UP : VLINK_DOWN] = d;
    *out = d;
    return 0;
}

void tvl_ev_free(struct tvl_ev *d)
{
    if (!d)
        return;
    ev_timer_stop(d->loop, &d->timer);
    net.driver[d->server ? VLINK_UP : VLINK_DOWN] = NULL;
    if (d->server)
        net.server_conn = NULL;
    tvl_endpoint_free(d->ep);
    free(d);
}

struct tvl_endpoint *tvl_ev_endpoint(struct tvl_ev *d)
{
    return d->ep;
}

struct ev_loop *tvl_ev_loop(struct tvl_ev *d)
{
    return d->loop;
}

tvl_time tvl_ev_now(const struct tvl_ev *d)
{
    (void)d;
    return (tvl_time)loop_now();
}

uint16_t tvl_ev_port(const struct tvl_ev *d)
{
    (void)d;
    return 4433;
}

/* The link is the third byte of the local address. */
static int place(struct tvl_ev *d, const struct tvl_ev_path *path, struct tvl_path_config *out)
{
    struct in_addr local;

    if (!path->local || inet_pton(AF_INET, path->local, &local) != 1)
        return TVL_ERR_ARG;
    const uint16_t port = (uint16_t)d->next_tag++;
    *out = (struct tvl_path_config){ .local = address(ntohl(local.s_addr), port),
                                     .remote = address(0x0a090909u, 4433),
                                     .tag = port,
                                     .backup = path->backup };
    return 0;
}

/* There are no names here. */
int tvl_ev_resolve(const char *server, char (*out)[TVL_EV_ADDRESS_MAX], size_t cap)
{
    (void)server;
    (void)out;
    (void)cap;
    return TVL_ERR_ARG;
}

int tvl_ev_connect(struct tvl_ev *d, const char *server, const char *server_name,
                   const struct tvl_ev_path *path, struct tvl_conn **out, char *why,
                   size_t why_size)
{
    struct tvl_path_config where;

    (void)server;
    (void)why;
    (void)why_size;
    const int result = place(d, path, &where);
    return result ? result : tvl_connect(d->ep, &where, server_name, out, (tvl_time)loop_now());
}

int tvl_ev_path_add(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_path *path,
                    char *why, size_t why_size)
{
    struct tvl_path_config where;

    (void)why;
    (void)why_size;
    const int result = place(d, path, &where);
    return result ? result : tvl_path_add(conn, &where, (tvl_time)loop_now());
}

const char *tvl_ev_path_interface(struct tvl_ev *d, const struct tvl_conn *conn, uint32_t path_id)
{
    (void)d;
    (void)conn;
    (void)path_id;
    return "";
}

/* There are no interfaces to be followed, and no files. */
int tvl_ev_watch(struct tvl_ev *d, struct tvl_conn *conn, const struct tvl_ev_watch *w, char *why,
                 size_t why_size)
{
    (void)d;
    (void)conn;
    (void)w;
    snprintf(why, why_size, "no interfaces here");
    return TVL_ERR_SYS;
}

int tvl_knowledge_read(struct tvl_knowledge **out, const char *file, char *why, size_t why_size)
{
    (void)out;
    (void)file;
    snprintf(why, why_size, "no knowledge base here");
    return TVL_ERR_SYS;
}
