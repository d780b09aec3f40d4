/*
 * state_file.c - a suspended guest as a file (state_file.h).
 */
#include "move/state_file.h"

#include "guest/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1

static json_t *macs_of(const struct vmm_guest_config *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->n_nics; i++) {
        const uint8_t *a = c->nic[i].mac;
        char text[18];

        snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4],
                 a[5]);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

int vmm_state_write(int fd, const struct vmm_state_head *h)
{
    const struct vmm_guest_config *c = &h->config;
    char print[17], *line;
    json_t *m;
    int result = -1;

    vmm_guest_print(c, print);
    m = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:o, s:b, s:b, s:I}",
                  "vmm-shim", FORMAT, "node", c->name, "print", print, "arch", c->arch, "machine",
                  c->machine, "cpu", c->cpu, "accel", vmm_accel_name(c->accel), "memory_bytes",
                  (json_int_t)c->memory_bytes, "vcpus", (int)c->vcpus, "disk", *c->disk != 0,
                  "macs", macs_of(c), "zstd", h->zstd, "running", h->running, "exec_id",
                  (json_int_t)h->exec_id);
    line = m ? json_dumps(m, JSON_COMPACT) : NULL;
    errno = ENOMEM;
    if (line && strlen(line) + 1 < VMM_STATE_LINE_MAX && dprintf(fd, "%s\n", line) > 0)
        result = 0;
    free(line);
    json_decref(m);
    return result;
}

static void take_text(json_t *m, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(m, key));

    snprintf(out, size, "%s", text ? text : "");
}

static int take_macs(json_t *list, struct vmm_guest_config *c)
{
    size_t i;
    json_t *one;

    if (json_array_size(list) > VMM_LINKS_MAX)
        return -1;
    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);
        uint8_t *a = c->nic[i].mac;
        char end;

        if (!text ||
            sscanf(text,
                   "%2" SCNx8 ":%2" SCNx8 ":%2" SCNx8 ":%2" SCNx8 ":%2" SCNx8 ":%2" SCNx8 "%c",
                   &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &end) != 6)
            return -1;
    }
    c->n_nics = json_array_size(list);
    return 0;
}

static int take_head(json_t *m, struct vmm_state_head *out)
{
    struct vmm_guest_config *c = &out->config;
    char print[17], said[32], accel[8];
    const json_int_t memory = json_integer_value(json_object_get(m, "memory_bytes"));
    const json_int_t vcpus = json_integer_value(json_object_get(m, "vcpus"));

    *out = (struct vmm_state_head){ 0 };
    take_text(m, "node", c->name, sizeof c->name);
    take_text(m, "arch", c->arch, sizeof c->arch);
    take_text(m, "machine", c->machine, sizeof c->machine);
    take_text(m, "cpu", c->cpu, sizeof c->cpu);
    take_text(m, "accel", accel, sizeof accel);
    take_text(m, "print", said, sizeof said);
    if (vmm_accel_parse(accel, &c->accel) != 0 || memory <= 0 || vcpus < 1 || vcpus > 1024 ||
        take_macs(json_object_get(m, "macs"), c) != 0)
        return -1;
    c->memory_bytes = (uint64_t)memory;
    c->vcpus = (unsigned)vcpus;
    if (json_is_true(json_object_get(m, "disk")))
        snprintf(c->disk, sizeof c->disk, "disk");
    out->zstd = json_is_true(json_object_get(m, "zstd"));
    out->running = json_is_true(json_object_get(m, "running"));
    out->exec_id = (uint64_t)json_integer_value(json_object_get(m, "exec_id"));
    vmm_guest_print(c, print);
    return strcmp(print, said) == 0 ? 0 : -1;
}

ssize_t vmm_state_parse(const char *bytes, size_t len, struct vmm_state_head *out, char *why,
                        size_t why_size)
{
    const char *end = memchr(bytes, '\n', len < VMM_STATE_LINE_MAX ? len : VMM_STATE_LINE_MAX);
    json_t *m = end ? json_loadb(bytes, (size_t)(end - bytes), 0, NULL) : NULL;
    const json_t *format = json_object_get(m, "vmm-shim");
    ssize_t result = -1;

    if (!json_is_integer(format))
        snprintf(why, why_size, "no suspended guest");
    else if (json_integer_value(format) != FORMAT)
        snprintf(why, why_size, "a suspended guest in format %d, of another version of vmm-shim",
                 (int)json_integer_value(format));
    else if (take_head(m, out) != 0)
        snprintf(why, why_size, "a suspended guest whose first line is damaged");
    else
        result = end - bytes + 1;
    json_decref(m);
    return result;
}

int vmm_state_read(int fd, const char *name, struct vmm_state_head *out, char *why, size_t why_size)
{
    char bytes[VMM_STATE_LINE_MAX], what[200];
    const ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    const ssize_t line = vmm_state_parse(bytes, n > 0 ? (size_t)n : 0, out, what, sizeof what);

    if (line > 0 && lseek(fd, line, SEEK_SET) == line)
        return 0;
    snprintf(why, why_size, "%s: %s", name, line > 0 ? strerror(errno) : what);
    return -1;
}

/* ---- zstd ---- */

static int run_zstd(const char *option, int in, int out, pid_t *pid, char *why, size_t why_size)
{
    char *const argv[] = { "zstd", "-q", (char *)(uintptr_t)option, "-c", NULL };
    const struct vmm_spawn s = { .argv = argv,
                                 .user = "nobody",
                                 .in = in,
                                 .out = out,
                                 .err = -1,
                                 .netns = "",
                                 .file_bytes_max = UINT64_MAX };

    return vmm_spawn(pid, &s, why, why_size);
}

int vmm_state_squeeze(int file, pid_t *pid, int *fd, char *why, size_t why_size)
{
    int ends[2], result;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(why, why_size, "a pipe: %s", strerror(errno));
        return -1;
    }
    result = run_zstd("-1", ends[0], file, pid, why, why_size);
    close(ends[0]);
    *fd = ends[1];
    if (result != 0)
        close(ends[1]);
    return result;
}

int vmm_state_unsqueeze(int file, pid_t *pid, int *fd, char *why, size_t why_size)
{
    int ends[2], result;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(why, why_size, "a pipe: %s", strerror(errno));
        return -1;
    }
    result = run_zstd("-d", file, ends[1], pid, why, why_size);
    close(ends[1]);
    *fd = ends[0];
    if (result != 0)
        close(ends[0]);
    return result;
}
