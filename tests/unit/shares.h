/*
 * shares.h - the tests of a group that wait more than they work, in several processes at once.
 *
 *     struct CMUnitTest tests[] = { ... };
 *     struct shares s;
 *     shares_begin(&s, tests, N);
 *     return shares_end(&s, cmocka_run_group_tests(tests, set_up, tear_down));
 *
 * Each process sets up and tears down. No test may need what another one did; nothing may have
 * started a thread before.
 */
#ifndef TESTS_UNIT_SHARES_H
#define TESTS_UNIT_SHARES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#define SHARES 4

struct shares {
    pid_t child[SHARES]; /* [0]: nobody */
    size_t mine;         /* 0: the first process's */
};

/* Begins the other processes and blanks out the tests that are not this one's: cmocka passes over
 * them. */
static inline void shares_begin(struct shares *s, struct CMUnitTest *tests, size_t n)
{
    s->mine = 0;
    for (size_t i = 1; i < SHARES && s->mine == 0; i++) {
        s->child[i] = fork();
        if (s->child[i] == 0)
            s->mine = i;
    }
    for (size_t i = 0; i < n; i++)
        if (i % SHARES != s->mine)
            tests[i] = (struct CMUnitTest){ 0 };
}

/* `failed` of this process's own; in the first one those are added that failed or never began. */
static inline int shares_end(const struct shares *s, int failed)
{
    for (size_t i = 1; i < SHARES && s->mine == 0; i++) {
        int status;
        failed += s->child[i] < 0 || waitpid(s->child[i], &status, 0) != s->child[i] || status != 0;
    }
    return failed;
}

#endif
