/*
 * test_metal_programs.c - two bare-metal machines without the machines: their stacks, programs and
 * endpoints on two wires, on virtual time, with real TLS.
 *
 *     a: tvl-echo send ── stack ══ two wires, 3 ms each way, losing what they are told ══ stack ──
 * b: serve
 *
 * The board's clock and randomness are this file's; everything above them is what boots.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "board/board.h"
#include "program.h"
#include "test_pki.h"

#define WIRES 2u
#define DELAY 3000u /* us each way */
#define FRAMES_MAX 4096u
#define TEXT_MAX 4096u
#define STEPS_MAX 2000000u

static uint64_t now = 1000; /* us */

uint64_t board_now(void)
{
    return now;
}

uint64_t board_wall_us(void)
{
    return (uint64_t)time(NULL) * 1000000; /* certificates are of today */
}

bool board_random(uint8_t *out, size_t n)
{
    static uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        out[i] = (uint8_t)(state >> 24);
    }
    return true;
}

struct frame {
    uint64_t at;
    size_t wire, length;
    struct machine *to;
    uint8_t bytes[NET_FRAME_MAX];
};

struct machine {
    struct config config;
    struct net net;
    struct programs programs;
    struct machine *other;
    char text[TEXT_MAX]; /* of its programs */
    int ended, code, signal;
};

static struct {
    struct frame *frame[FRAMES_MAX]; /* by time */
    size_t n, lost, lose_every, count;
    struct machine a, b;
    struct test_pki pki;
} world;

static void on_send(void *user, size_t interface, const uint8_t *frame, size_t length)
{
    struct machine *m = user;

    world.count++;
    if (world.lose_every && world.count % world.lose_every == 0) {
        world.lost++;
        return;
    }
    assert_true(world.n < FRAMES_MAX);
    struct frame *f = malloc(sizeof *f);
    assert_non_null(f);
    f->at = now + DELAY;
    f->wire = interface;
    f->length = length;
    f->to = m->other;
    memcpy(f->bytes, frame, length);
    world.frame[world.n++] = f;
}

static void on_write(void *user, bool error, const char *text)
{
    struct machine *m = user;
    const size_t n = strlen(m->text);

    (void)error;
    snprintf(m->text + n, sizeof m->text - n, "%s", text);
}

static void on_ended(void *user, int code, int signal_)
{
    struct machine *m = user;

    m->ended++;
    m->code = code;
    m->signal = signal_;
}

static void machine_init(struct machine *m, unsigned number, struct machine *other)
{
    memset(m, 0, sizeof *m);
    m->other = other;
    net_init(&m->net, on_send, m);
    for (unsigned i = 0; i < WIRES; i++) {
        struct net_interface *nic = &m->config.nic[i];

        *nic = (struct net_interface){
            { 2, 0, 0, (uint8_t)i, 0, (uint8_t)number }, 0x0a4d0000 + (i << 8) + number, 24, 1500
        };
        assert_int_equal(net_add(&m->net, nic), 0);
    }
    m->config.n_nics = WIRES;
    strcpy(m->config.host[0].name, "b");
    m->config.host[0].address = 0x0a4d0002;
    m->config.n_hosts = 1;
    programs_init(&m->programs, &m->net, &m->config);
}

static struct program *start(struct machine *m, const char *line)
{
    const struct program_output out = { on_write, on_ended, m };
    char words[800], *argv[32], why[PROGRAM_WHY_MAX] = "";
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w && argc < 31; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    struct program *p = program_start(&m->programs, argc, argv, &out, why, sizeof why);
    if (!p)
        on_write(m, true, why);
    return p;
}

static void deliver(void)
{
    struct frame *f = world.frame[0];
    struct net_datagram d;

    memmove(world.frame, world.frame + 1, --world.n * sizeof world.frame[0]);
    if (net_take(&f->to->net, f->wire, f->bytes, f->length, now, &d))
        (void)programs_take(&f->to->programs, &d, now);
    free(f);
}

static uint64_t least(uint64_t x, uint64_t y)
{
    return x < y ? x : y;
}

/* Until a's program has ended, or nothing would ever happen again. */
static void run(void)
{
    struct machine *both[] = { &world.a, &world.b };

    for (size_t step = 0; step < STEPS_MAX && !world.a.ended; step++) {
        uint64_t next = UINT64_MAX;
        bool any = false;

        while (world.n > 0 && world.frame[0]->at <= now)
            deliver();
        for (size_t i = 0; i < 2; i++) {
            any = programs_work(&both[i]->programs, now) || any;
            if (net_due(&both[i]->net) <= now)
                net_tick(&both[i]->net, now);
            next = least(next, least(programs_due(&both[i]->programs), net_due(&both[i]->net)));
        }
        if (any)
            continue;
        if (world.n > 0)
            next = least(next, world.frame[0]->at);
        assert_true(next != UINT64_MAX);
        now = next > now ? next : now + 1;
    }
    assert_int_equal(world.a.ended, 1);
}

static void clear(void)
{
    struct machine *both[] = { &world.a, &world.b };

    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < PROGRAMS_MAX; k++)
            if (both[i]->programs.slot[k])
                program_kill(both[i]->programs.slot[k], SIGKILL);
    for (size_t i = 0; i < 2; i++)
        (void)programs_work(&both[i]->programs, now);
    while (world.n > 0)
        free(world.frame[--world.n]);
}

static int set_up(void **state)
{
    char line[512];

    (void)state;
    world.lose_every = world.lost = world.count = 0;
    machine_init(&world.a, 1, &world.b);
    machine_init(&world.b, 2, &world.a);
    snprintf(line, sizeof line, "/bin/tvl-echo serve --cert %s --key %s", world.pki.server,
             world.pki.server_key);
    assert_non_null(start(&world.b, line));
    assert_string_equal(world.b.text, "tvl-echo: ready on port 4433\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clear();
    return 0;
}

static void sends_to(const char *server, const char *more)
{
    char line[512];

    snprintf(line, sizeof line, "tvl-echo send %s --name localhost --json --ca %s %s", server,
             world.pki.ca, more);
    assert_non_null(start(&world.a, line));
    run();
}

static void sends(const char *more)
{
    sends_to("b:4433", more);
}

static void over_one_path(void **state)
{
    (void)state;
    sends("--bytes 300k --streams 3 --datagrams 5");
    assert_int_equal(world.a.code, 0);
    assert_non_null(strstr(world.a.text, "\"bytes_returned\": 300000"));
    assert_non_null(strstr(world.a.text, "\"datagrams_returned\": 5"));
}

static void over_two_paths_that_lose(void **state)
{
    (void)state;
    world.lose_every = 29;
    sends("--bytes 300k --sched roundrobin --path eth0 --path dev=eth1,to=10.77.1.2:4433");
    assert_int_equal(world.a.code, 0);
    assert_true(world.lost > 10);
    assert_non_null(strstr(world.a.text, "\"bytes_returned\": 300000"));
    assert_non_null(strstr(world.a.text, "\"local\": \"10.77.1.1:"));
}

/* a sends to b, which relays it to a, where another program serves; both stretches over two wires.
 */
static void through_a_relay(void **state)
{
    char line[800];

    (void)state;
    snprintf(line, sizeof line, "tvl-echo serve --cert %s --key %s", world.pki.server,
             world.pki.server_key);
    assert_non_null(start(&world.a, line));
    snprintf(
        line, sizeof line,
        "tvl-echo relay 10.77.0.1:4433 --name localhost --listen 10.77.0.2:5544 --ca %s --path "
        "eth0 --path dev=eth1,to=10.77.1.1:4433 --cert %s --key %s",
        world.pki.ca, world.pki.server, world.pki.server_key);
    assert_non_null(start(&world.b, line));
    world.lose_every = 50;
    sends_to("b:5544", "--bytes 300k --streams 5 --datagrams 3 --sched roundrobin");
    assert_int_equal(world.a.code, 0);
    assert_non_null(strstr(world.a.text, "\"bytes_returned\": 300000"));
    assert_non_null(strstr(world.a.text, "round_trips\": 20"));
}

static void a_relay_says_why_it_ends(void **state)
{
    char line[800];

    (void)state;
    snprintf(
        line, sizeof line,
        "tvl-echo relay b:4433 --name elsewhere --listen 0.0.0.0:5544 --ca %s --cert %s --key %s",
        world.pki.ca, world.pki.server, world.pki.server_key);
    assert_non_null(start(&world.b, line));
    sends_to("b:5544", "");
    assert_int_equal(world.a.code, 1);
    assert_non_null(strstr(world.a.text, "relay: "));
}

/* what the sender is told, and a word of what it says */
static void what_cannot_be_is_said(void **state)
{
    static const char *const rows[][2] = {
        { "--ca /nowhere", "/nowhere" },
        { "--path eth2", "interface eth2" },
        { "--path 10.77.9.1", "no network card leads there" },
        { "--path ::1", "not an IPv4 address" },
        { "--path eth0 --path dev=eth1,to=10.99.0.1:1", "no network card leads there" },
        { "--name elsewhere", "mismatch" },
        { "--bogus", "unknown option" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world.a.text[0] = '\0';
        world.a.ended = 0;
        sends(rows[i][0]);
        assert_int_not_equal(world.a.code, 0);
        if (!strstr(world.a.text, rows[i][1]))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], world.a.text, rows[i][1]);
    }
}

static void nobody_answers(void **state)
{
    (void)state;
    world.lose_every = 1;
    sends("--limit 2s");
    assert_int_equal(world.a.code, 1);
    assert_non_null(strstr(world.a.text, "no answer from the server"));
}

/* Programs are few, each has a port of its own, and they end as they are told. */
static void programs_are_bounded(void **state)
{
    struct program *p[PROGRAMS_MAX];
    char line[512];

    (void)state;
    snprintf(line, sizeof line, "tvl-echo serve --cert %s --key %s", world.pki.server,
             world.pki.server_key);
    assert_non_null(start(&world.b, line)); /* as a process that fails: it is there, and ends */
    assert_non_null(strstr(world.b.text, "port 4433: in use"));
    (void)programs_work(&world.b.programs, now);
    assert_int_equal(world.b.ended, 1);
    assert_int_equal(world.b.code, 1);
    for (size_t i = 1; i < PROGRAMS_MAX; i++) {
        p[i] = start(&world.b, "tvl-echo wake");
        assert_non_null(p[i]);
    }
    assert_null(start(&world.b, "tvl-echo wake"));
    assert_null(start(&world.b, "sh"));
    program_kill(p[1], SIGTERM);
    (void)programs_work(&world.b.programs, now);
    assert_int_equal(world.b.signal, SIGTERM);
    program_kill(world.b.programs.slot[0], SIGTERM); /* the server: that is how it ends well */
    (void)programs_work(&world.b.programs, now);
    assert_int_equal(world.b.signal, 0);
    assert_int_equal(world.b.code, 0);
    world.a.ended = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(over_one_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(over_two_paths_that_lose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(through_a_relay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_relay_says_why_it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(programs_are_bounded, set_up, tear_down),
    };
    const struct test_pki_config pki = { .kind = TEST_PKI_P256 };

    if (test_pki_init(&world.pki, &pki) != 0)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_pki_fini(&world.pki);
    return failed;
}
