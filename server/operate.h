/*
 * operate.h - who runs the server: the service manager (sd_notify: ready, reloading, stopping,
 * status, watchdog) and SIGHUP. On the main loop; without a manager only the signal is left of it.
 *
 *     server_run(config, configure, ...)
 *         operate_new()            before anything slow
 *         operate_ready()          the port is open
 *         on_reload -> configure(), config_diff(), apply -> operate_reloaded("...")
 *         operate_stopping()       the drain begins
 */
#ifndef SERVER_OPERATE_H
#define SERVER_OPERATE_H

#include <stddef.h>

struct ev_loop;
struct operate;

struct operate_hooks {
    /* SIGHUP came, the manager was told; operate_reloaded() must follow, now or later. */
    void (*on_reload)(void *user);
    void *user;
};

/* NULL: out of memory. */
struct operate *operate_new(struct ev_loop *loop, const struct operate_hooks *hooks);
void operate_ready(struct operate *o);
void operate_reloaded(struct operate *o, const char *status); /* one line: what came of it */
/* One line that `systemctl status` shows; cheap, but once a second is enough. */
void operate_status(struct operate *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* It takes `patience_s` at most. */
void operate_stopping(struct operate *o, unsigned patience_s);
void operate_free(struct operate *o); /* NULL allowed */

#endif
