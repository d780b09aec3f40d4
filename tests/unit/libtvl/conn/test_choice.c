/*
 * test_choice.c - each path's controller is chosen by the connection's objective, told, explained,
 * and left alone once the caller has chosen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <tvl/select.h>
#include <tvl/trace.h>

#include "transfer.h"

/* Of a path such as the test's: 20 ms there, 20 ms back, every 50th packet lost at random. */
static const char text[] = "knowledge 1\n"
                           "path cubic 8000000 40000 500 20000 1000 0 1000 1000 0 100000\n"
                           "cc cubic 3000000 100\n"
                           "cc bbr 80000000 100\n";
static const char other[] = "knowledge 1\n" /* loses the same, and CUBIC is better than any */
                            "path cubic 8000000 40000 500 20000 1000 0 1000 1000 0 100000\n"
                            "cc cubic 80000000 100\n"
                            "cc bbr 40000000 100\n";

static struct tvl_knowledge *known;
static struct watched {
    struct transfer t;
    struct tvl_event news; /* of a controller, the last */
    unsigned n_news;
    struct tvl_trace_event trace;
    unsigned n_traced, n_changes;
} w;

static void on_trace(void *user, const struct tvl_trace_event *ev)
{
    (void)user;
    if (ev->type != TVL_TRACE_CONTROLLER)
        return;
    w.n_traced++;
    if (strcmp(ev->controller.from, ev->controller.to) == 0)
        return;
    w.n_changes++;
    w.trace = *ev;
}

static void adjust(const struct pair *p, int side, struct tvl_tls_config *tls,
                   struct tvl_config *cfg)
{
    (void)p, (void)tls;
    if (side != PAIR_SERVER)
        return;
    cfg->objective = TVL_OBJECTIVE_THROUGHPUT;
    cfg->knowledge = known;
    cfg->trace = on_trace;
}

static void on_event(struct pair *p, int side, const struct tvl_event *ev)
{
    if (ev->type == TVL_EVENT_CONTROLLER) {
        assert_int_equal(side, PAIR_SERVER);
        w.news = *ev;
        w.n_news++;
    }
    p->user = &w.t;
    transfer_serve(p, side, ev);
}

static void begin(struct pair *p, const char *knowledge)
{
    const struct pair_options o = { .adjust = adjust };
    char why[128] = "";

    w = (struct watched){ .t = { .total = 40000000 } };
    known = NULL;
    if (knowledge)
        assert_int_equal(tvl_knowledge_new(&known, knowledge, strlen(knowledge), why, sizeof why),
                         0);
    pair_init(p, &o);
    p->on_event = on_event;
    p->user = &w.t;
    p->link[0].delay = 20000;
    pair_connect(p, &o);
    p->link[0].drop_nth = 50;
}

static bool is_chosen(struct pair *p)
{
    (void)p;
    return w.n_news > 0;
}

static void end(struct pair *p)
{
    pair_run(p, 300 * SECOND, transfer_finished);
    assert_true(w.t.finished && !w.t.damaged);
    pair_fini(p);
    tvl_knowledge_free(known);
}

static struct tvl_path_stats path_of(const struct pair *p)
{
    struct tvl_path_stats s;

    assert_int_equal(tvl_paths(p->conn[PAIR_SERVER], &s, 1), 1);
    return s;
}

static void what_is_known_decides(void **state)
{
    struct tvl_select_row row[TVL_SELECT_MAX];
    char reason[TVL_REASON_MAX] = "";
    struct pair p;

    (void)state;
    begin(&p, text);
    pair_run(&p, 20 * SECOND, is_chosen);
    assert_int_equal(w.n_news, 1);
    assert_string_equal(w.news.controller.from, "cubic");
    assert_string_equal(w.news.controller.to, "bbr");
    assert_int_equal(w.news.controller.id, 0);
    assert_non_null(strstr(w.news.controller.reason, "bbr"));
    assert_string_equal(path_of(&p).cc, "bbr");
    assert_int_equal(path_of(&p).cc_chosen, 1);

    assert_int_equal(w.n_changes, 1);
    assert_string_equal(w.trace.controller.to, "bbr");
    assert_string_equal(w.trace.controller.row[0].cc, "bbr");
    assert_true(w.trace.controller.row[0].by_knowledge > 0);
    assert_true(w.trace.controller.model.rtt_min > 0);

    const size_t n = tvl_path_explain(p.conn[PAIR_SERVER], 0, row, reason, sizeof reason);

    assert_true(n > 1);
    assert_true(strlen(reason) > 0);
    assert_int_equal(tvl_path_explain(p.conn[PAIR_SERVER], 9, row, reason, sizeof reason), 0);
    assert_int_equal(tvl_path_explain(p.conn[PAIR_CLIENT], 0, row, reason, sizeof reason), 0);
    end(&p);
}

static void little_gain_is_no_reason(void **state)
{
    struct pair p;

    (void)state;
    begin(&p, other);
    pair_run(&p, 3 * SECOND, is_chosen);
    assert_int_equal(w.n_news, 0);
    assert_true(w.n_traced > 0);
    assert_string_equal(path_of(&p).cc, "cubic");
    end(&p);
}

/* The caller's choice stays until the objective is set again. */
static void by_hand(void **state)
{
    struct tvl_select_row row[TVL_SELECT_MAX];
    struct pair p;

    (void)state;
    begin(&p, text);
    pair_run(&p, SECOND, pair_both_connected);
    struct tvl_conn *conn = p.conn[PAIR_SERVER];

    assert_int_equal(tvl_path_set_cc(conn, 0, "newreno", p.now), 0);
    pair_run(&p, 10 * SECOND, is_chosen);
    assert_int_equal(w.n_news, 0);
    assert_int_equal(tvl_path_explain(conn, 0, row, NULL, 0), 0);
    assert_string_equal(path_of(&p).cc, "newreno");

    assert_int_equal(tvl_conn_set_objective(conn, TVL_OBJECTIVE_VIDEO, 999, p.now), TVL_ERR_ARG);
    assert_int_equal(tvl_conn_set_objective(conn, (enum tvl_objective)9, 1000, p.now), TVL_ERR_ARG);
    assert_int_equal(tvl_conn_set_objective(conn, TVL_OBJECTIVE_VIDEO, 400000, p.now), 0);
    pair_run(&p, 20 * SECOND, is_chosen);
    assert_int_equal(w.n_news, 1);
    assert_string_equal(w.news.controller.from, "newreno");
    assert_string_equal(path_of(&p).cc, "bbr");
    assert_int_equal(tvl_conn_set_objective(conn, TVL_OBJECTIVE_NONE, 0, p.now), 0);
    end(&p);
    assert_int_equal(w.n_news, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_decides),
        cmocka_unit_test(little_gain_is_no_reason),
        cmocka_unit_test(by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
