/* nudge.c - see nudge.h. */
#include "nudge.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

#define AGAIN_NS 20000000

static void be_nudged(int number)
{
    (void)number;
}

int nudge_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    const struct sigaction nudge = { .sa_handler = be_nudged };
    sigset_t all, before;

    sigaction(SIGUSR1, &nudge, NULL);
    sigfillset(&all);
    sigdelset(&all, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int err = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void nudge_join(pthread_t thread)
{
    struct timespec until;

    do {
        pthread_kill(thread, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += AGAIN_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    } while (pthread_timedjoin_np(thread, NULL, &until) != 0);
}
