/*
 * state_file.h - a suspended guest as a file: one line of JSON that says what it is, then QEMU's
 * migration stream, compressed with zstd if the line says so.
 *
 *     {"vmm-shim":1,"node":"player","print":"0123456789abcdef","zstd":true, ... }\n
 *     stream to the end of the file
 */
#ifndef VMM_MOVE_STATE_FILE_H
#define VMM_MOVE_STATE_FILE_H

#include "guest/command_line.h"

#include <stdbool.h>
#include <sys/types.h>

#define VMM_STATE_LINE_MAX 4096 /* bytes of the first line */

struct vmm_state_head {
    struct vmm_guest_config config; /* of it what vmm_guest_print() counts */
    bool zstd;
    bool running;     /* its command ran */
    uint64_t exec_id; /* of the agent for that command, 0: none */
};

/* Writes the line. 0 or -1 (errno). */
int vmm_state_write(int fd, const struct vmm_state_head *head);
/* Reads and checks it; the stream is next. 0, or -1 with one line. `name` is for errors. */
int vmm_state_read(int fd, const char *name, struct vmm_state_head *out, char *why,
                   size_t why_size);
/* The same out of `len` bytes; pure. Returns the length of the line, or -1 with one line. */
ssize_t vmm_state_parse(const char *bytes, size_t len, struct vmm_state_head *out, char *why,
                        size_t why_size);

/* A zstd that compresses into `file` (or decompresses out of it): its process, and the descriptor
 * for our side. 0, or -1 with one line. */
int vmm_state_squeeze(int file, pid_t *pid, int *fd, char *why, size_t why_size);
int vmm_state_unsqueeze(int file, pid_t *pid, int *fd, char *why, size_t why_size);

#endif
