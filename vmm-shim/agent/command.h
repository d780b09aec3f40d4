/*
 * command.h - the programs that the host has started here: their streams, their ends.
 *
 * A command that writes faster than the host reads is held up by its full pipe, as anywhere; when
 * there is no host at all, what does not fit the queue is dropped and counted ("lost"), so that an
 * endpoint lives on through a move.
 */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H

#include "agent/port.h"
#include "agent/request.h"

#include <stdbool.h>
#include <sys/types.h>

#define COMMANDS_MAX 64
#define COMMAND_INPUT_MAX (256u << 10) /* bytes that wait for a command to read them */

struct commands;

/* `epoll`: where streams are watched; events have commands_owner() in their data. */
struct commands *commands_new(int epoll, struct port *port);
/* Starts it, or answers with an error. */
void commands_exec(struct commands *c, const struct request *r);
/* What it has read of that, or never will, is said as {"id", "taken": bytes}. 0, or -1, `why`. */
int commands_input(struct commands *c, const struct request *r, char *why, size_t why_size);
int commands_kill(struct commands *c, const struct request *r, char *why, size_t why_size);
/* Whoever takes its output is slower than the port: it waits in the command's pipes, and so does
 * the command in the end, while others go on. */
int commands_hold(struct commands *c, const struct request *r, bool on, char *why, size_t why_size);
/* An event of one of their streams: `data` of epoll. */
void commands_work(struct commands *c, uint64_t data);
/* A process ended; strangers (orphans) are ignored. */
void commands_ended(struct commands *c, pid_t pid, int status);
/* The queue to the host has room again, or the host came or went. */
void commands_resume(struct commands *c);
/* [{"id", "name", "pid", "argv0", "detached"}] */
json_t *commands_list(const struct commands *c);

#endif
