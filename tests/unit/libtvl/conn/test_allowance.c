/*
 * test_allowance.c - the amplification limit belongs to an address (RFC 9000 8.1): places of
 * several paths that lead there share it, and it outlives each of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conn.h"

struct row {
    const char *what;
    uint16_t port[2]; /* of the two places' remote address */
    uint64_t in[2], out[2], allowance[2];
};

static struct tvl_place place_at(uint16_t port, uint64_t in, uint64_t out)
{
    const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct tvl_place pl = { .set = true, .unproved_in = in, .unproved_out = out };

    memcpy(&pl.remote, &sin, sizeof sin);
    return pl;
}

static void test_allowance(void **state)
{
    static const struct row rows[] = {
        { "one address: one allowance", { 1, 1 }, { 1200, 1200 }, { 6000, 0 }, { 1200, 1200 } },
        { "another address: its own", { 1, 2 }, { 1200, 1200 }, { 3600, 0 }, { 0, 3600 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct tvl_conn *conn = calloc(1, sizeof *conn);
        struct tvl_path *path = calloc(2, sizeof *path);

        assert_true(conn && path);
        conn->side = TVL_SERVER;
        conn->n_paths = 2;
        for (size_t k = 0; k < 2; k++) {
            conn->path[k] = &path[k];
            path[k].conn = conn;
            path[k].at = place_at(r->port[k], r->in[k], r->out[k]);
        }
        for (size_t k = 0; k < 2; k++)
            if (tvl_path_allowance(&path[k]) != r->allowance[k])
                fail_msg("%s: place %zu may have %llu", r->what, k,
                         (unsigned long long)tvl_path_allowance(&path[k]));
        /* the first place goes; what was spent there stays spent */
        tvl_path_leave_ledger(&path[0], &path[0].at);
        path[0].at.set = false;
        if (tvl_path_allowance(&path[1]) != r->allowance[1])
            fail_msg("%s: afterwards %llu", r->what,
                     (unsigned long long)tvl_path_allowance(&path[1]));
        free(path);
        free(conn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_allowance) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
