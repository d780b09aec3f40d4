/* report.c - what a sender found, for people and machines. */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "send.h"

#define TEXT_MAX 4096

static void address_text(char out[64], const struct sockaddr_storage *a)
{
    char host[INET6_ADDRSTRLEN] = "";

    out[0] = '\0';
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, 64, "%s:%u", host, ntohs(v4->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, 64, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static const char *state_text(enum tvl_path_state state)
{
    static const char *const text[] = { "opening", "up", "suspect", "abandoned" };

    return text[state];
}

/* bits/s that went out and came back. */
static double goodput(const struct echo_send *s)
{
    return s->streams_took ? (double)s->args->bytes * 8e6 / (double)s->streams_took : 0;
}

static uint64_t bytes_returned(const struct echo_send *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->args->streams; i++)
        n += s->stream[i].returned;
    return n;
}

static json_t *paths_json(const struct echo_send *s)
{
    json_t *all = json_array();

    for (size_t i = 0; i < s->n_paths; i++) {
        const struct tvl_path_stats *p = &s->path[i];
        char local[64], remote[64];

        address_text(local, &p->local);
        address_text(remote, &p->remote);
        json_array_append_new(all, json_pack("{s:I, s:s, s:s, s:s, s:f, s:I, s:I, s:I}", "id",
                                             (json_int_t)p->id, "local", local, "remote", remote,
                                             "state", state_text(p->state), "round_trip_ms",
                                             (double)p->srtt / 1e3, "bytes_sent",
                                             (json_int_t)p->bytes_sent, "bytes_received",
                                             (json_int_t)p->bytes_received, "packets_lost",
                                             (json_int_t)p->packets_lost));
    }
    return all;
}

static char *report_json(struct echo_send *s)
{
    struct samples *r = &s->round_trips;
    json_t *o = json_pack(
        "{s:s, s:b, s:s, s:f, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:b, "
        "s:o}",
        "server", s->args->server, "ok", s->error[0] == '\0', "error", s->error, "handshake_ms",
        (double)s->stats.handshake_time / 1e3, "round_trips", (json_int_t)r->n, "round_trip_ms_p50",
        samples_percentile(r, 50) / 1e3, "round_trip_ms_p90", samples_percentile(r, 90) / 1e3,
        "round_trip_ms_p99", samples_percentile(r, 99) / 1e3, "round_trip_ms_max",
        samples_percentile(r, 100) / 1e3, "bytes", (json_int_t)s->args->bytes, "bytes_returned",
        (json_int_t)bytes_returned(s), "streams", (json_int_t)s->args->streams, "seconds",
        (double)s->streams_took / 1e6, "goodput_bps", goodput(s), "datagrams_sent",
        (json_int_t)s->datagrams, "datagrams_returned", (json_int_t)s->returned, "multipath",
        s->stats.multipath, "paths", paths_json(s));
    char *text = o ? json_dumps(o, JSON_REAL_PRECISION(6)) : NULL;
    char *line = text ? malloc(strlen(text) + 2) : NULL;

    if (line)
        sprintf(line, "%s\n", text);
    free(text);
    json_decref(o);
    return line;
}

static char *report_text(struct echo_send *s)
{
    struct samples *r = &s->round_trips;
    char *out = malloc(TEXT_MAX);
    size_t n = 0;

    if (!out)
        return NULL;
#define SAY(...) n += (size_t)snprintf(out + n, TEXT_MAX - n, __VA_ARGS__)
    SAY("%s: %s\n", s->args->server, s->error[0] ? s->error : "everything came back unharmed");
    SAY("  handshake   %.2f ms\n", (double)s->stats.handshake_time / 1e3);
    if (r->n > 0)
        SAY("  round trip  p50 %.2f  p90 %.2f  p99 %.2f  max %.2f ms (%zu)\n",
            samples_percentile(r, 50) / 1e3, samples_percentile(r, 90) / 1e3,
            samples_percentile(r, 99) / 1e3, samples_percentile(r, 100) / 1e3, r->n);
    if (s->args->bytes > 0)
        SAY("  streams     %llu of %llu bytes returned on %u, %.2f s, %.2f Mbit/s each way\n",
            (unsigned long long)bytes_returned(s), (unsigned long long)s->args->bytes,
            s->args->streams, (double)s->streams_took / 1e6, goodput(s) / 1e6);
    if (s->args->datagrams > 0)
        SAY("  datagrams   %u of %u returned\n", s->returned, s->args->datagrams);
    for (size_t i = 0; i < s->n_paths; i++) {
        const struct tvl_path_stats *p = &s->path[i];
        char local[64], remote[64];

        address_text(local, &p->local);
        address_text(remote, &p->remote);
        SAY("  path %u      %s to %s, %s: %llu bytes out, %llu in, %.2f ms\n", p->id, local, remote,
            state_text(p->state), (unsigned long long)p->bytes_sent,
            (unsigned long long)p->bytes_received, (double)p->srtt / 1e3);
    }
#undef SAY
    return out;
}

char *echo_send_report(struct echo_send *s)
{
    return s->args->json ? report_json(s) : report_text(s);
}
