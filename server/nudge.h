/* nudge.h - threads that may wait in a read for ever, and are to end all the same. */
#ifndef SERVER_NUDGE_H
#define SERVER_NUDGE_H

#include <pthread.h>

/* As pthread_create. The thread takes no signals but SIGUSR1, which ends a read that waits (EINTR)
 * and nothing else. 0, or an error number. */
int nudge_start(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* Signals it, again and again since one could come too early, until it has ended. */
void nudge_join(pthread_t thread);

#endif
