/*
 * main.c - the machine's composition root: network cards, stack, agent, the program that
 * guest.json asks for, and the loop that sleeps until something happens.
 *
 *     card ─► net_take ─► programs_take ─► endpoint ─► programs_work ─► net_udp ─► card
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "board/board.h"
#include "board/entropy.h"
#include "config.h"
#include "devices/nic.h"
#include "net/stack.h"
#include "program.h"

#define GUEST_FILE "/etc/slice/guest.json"
#define GUEST_FILE_MAX (1u << 20)
#define FRAMES_PER_TURN 64u /* of a card before others have their turn */

struct machine {
    struct config config;
    struct nic nic[NET_INTERFACES_MAX]; /* as the machine has them */
    size_t n_nics;
    struct nic *card[NET_INTERFACES_MAX]; /* of each interface of the stack */
    struct net net;
    struct programs programs;
    struct agent agent;
};

static _Noreturn void stop(const char *why)
{
    printf("metal: %s\n", why);
    exit(EXIT_FAILURE);
}

static void send_frame(void *user, size_t interface, const uint8_t *frame, size_t length)
{
    struct machine *m = user;

    nic_send(m->card[interface], frame, length);
}

static void read_config(struct machine *m)
{
    FILE *f = fopen(GUEST_FILE, "r");
    char *text = malloc(GUEST_FILE_MAX), why[CONFIG_WHY_MAX];
    size_t n = f && text ? fread(text, 1, GUEST_FILE_MAX, f) : 0;

    if (n == 0)
        stop("no " GUEST_FILE " in the initrd");
    if (config_read(&m->config, text, n, why, sizeof why) != 0)
        stop(why);
    fclose(f);
    free(text);
}

/* Cards are told apart by their MAC addresses; the order of guest.json makes eth0, eth1 ... */
static void find_cards(struct machine *m)
{
    while (m->n_nics < NET_INTERFACES_MAX && nic_open(&m->nic[m->n_nics], m->n_nics) > 0)
        m->n_nics++;
    for (size_t i = 0; i < m->config.n_nics; i++) {
        struct nic *card = NULL;

        for (size_t k = 0; k < m->n_nics; k++)
            if (memcmp(m->nic[k].mac, m->config.nic[i].mac, 6) == 0)
                card = &m->nic[k];
        if (!card)
            stop("guest.json has a NIC whose mac no network card of this machine has");
        m->card[i] = card;
        if (net_add(&m->net, &m->config.nic[i]) != 0)
            stop("guest.json has a NIC that cannot be used");
    }
    m->net.gateway = m->config.gateway;
}

static void console_write(void *user, bool error, const char *text)
{
    (void)user;
    (void)error;
    board_say(text);
}

static void console_ended(void *user, int code, int signal)
{
    (void)user;
    printf("metal: the program of guest.json ended with %s %d\n", signal ? "signal" : "status",
           signal ? signal : code);
}

/* Where there is an agent's port, the keeper at its other end says what runs, and when. */
static void run_program(struct machine *m)
{
    const struct program_output out = { console_write, console_ended, NULL };
    char why[PROGRAM_WHY_MAX];

    if (m->agent.there || m->config.n_run == 0)
        return;
    if (!program_start(&m->programs, m->config.n_run, m->config.run, &out, why, sizeof why))
        stop(why);
}

static json_t *stats(void *user)
{
    const struct machine *m = user;
    const struct net_counts *c = &m->net.counts;
    const struct mallinfo2 heap = mallinfo2();
    uint64_t dropped = 0;

    for (size_t i = 0; i < m->n_nics; i++)
        dropped += m->nic[i].dropped;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "uptime_ms",
                     (json_int_t)(board_now() / 1000), "memory_bytes",
                     (json_int_t)(board.heap_end - board.heap), "memory_used_bytes",
                     (json_int_t)heap.uordblks, "programs", (json_int_t)m->programs.started,
                     "frames_in", (json_int_t)c->frames, "datagrams_in",
                     (json_int_t)c->datagrams_in, "datagrams_out", (json_int_t)c->datagrams_out,
                     "echoes", (json_int_t)c->echoes, "damaged", (json_int_t)c->damaged, "not_ours",
                     (json_int_t)c->not_ours, "dropped", (json_int_t)dropped);
}

static void say_ready(const struct machine *m)
{
    printf("metal: ready %s", m->config.node);
    for (size_t i = 0; i < m->config.n_nics; i++) {
        const uint32_t a = m->config.nic[i].address;

        printf(" %u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    }
    printf(" after %llu ms\n", (unsigned long long)board_now() / 1000);
}

static bool take_frames(struct machine *m)
{
    bool any = false;

    for (size_t i = 0; i < m->net.n_interfaces; i++) {
        struct nic *card = m->card[i];
        size_t length;
        unsigned number;

        for (size_t k = 0; k < FRAMES_PER_TURN; k++) {
            uint8_t *frame = nic_receive(card, &length, &number);
            struct net_datagram d;

            if (!frame)
                break;
            any = true;
            const uint64_t now = board_now();
            if (net_take(&m->net, i, frame, length, now, &d))
                (void)programs_take(&m->programs, &d, now);
            nic_done(card, number);
        }
    }
    return any;
}

static void flush(struct machine *m)
{
    for (size_t i = 0; i < m->net.n_interfaces; i++)
        nic_flush(m->card[i]);
}

static _Noreturn void loop(struct machine *m)
{
    for (;;) {
        bool any = take_frames(m);
        uint64_t due;

        any = agent_work(&m->agent) || any;
        any = programs_work(&m->programs, board_now()) || any;
        if (net_due(&m->net) <= board_now())
            net_tick(&m->net, board_now());
        flush(m);
        if (any)
            continue;
        due = programs_due(&m->programs);
        board_sleep(due < net_due(&m->net) ? due : net_due(&m->net));
    }
}

int main(void)
{
    static struct machine m;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mallopt(M_MMAP_THRESHOLD, INT32_MAX); /* all memory is the heap's */
    board_interrupts_start();
    entropy_start();
    read_config(&m);
    net_init(&m.net, send_frame, &m);
    find_cards(&m);
    programs_init(&m.programs, &m.net, &m.config);
    agent_init(&m.agent, &m.programs, &m.net, &m.config);
    m.agent.stats = stats;
    m.agent.user = &m;
    run_program(&m);
    net_announce(&m.net);
    flush(&m);
    say_ready(&m);
    loop(&m);
}
