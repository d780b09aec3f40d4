/*
 * idle.c - what an idle connection costs a server: ten thousand of them between two processes on
 * loopback, and by how much the server's memory has grown for each.
 *
 * The first hundred are not counted: they bring what the process needs once. Measured is private
 * resident memory (smaps_rollup), after the acknowledgements have settled. Then nothing happens for
 * a while, which must cost the server no time.
 *
 * usage: idle [CONNECTIONS]     the last line is a JSON object
 */
#include <stdio.h>
#include <stdlib.h>

#include "swarm.h"

#define WARM 100
#define AT_ONCE 64
#define SETTLE_S 3.
#define WATCH_S 5.

int main(int argc, char **argv)
{
    const unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
    struct swarm_server server;
    struct swarm_client client;

    if (swarm_server_start(&server, NULL) != 0 || swarm_client_start(&client, &server) != 0)
        return 1;
    if (!swarm_client_connect(&client, WARM, AT_ONCE, 60)) {
        fprintf(stderr, "idle: %u of %u connections\n", client.connected, WARM);
        return 1;
    }
    swarm_client_run(&client, SETTLE_S);
    const long before = swarm_server_kib(&server);
    const bool all = swarm_client_connect(&client, n, AT_ONCE, 500);
    swarm_client_run(&client, SETTLE_S);
    const long after = swarm_server_kib(&server);
    const long cpu = swarm_server_cpu_ms(&server);
    swarm_client_run(&client, WATCH_S);
    const double idle_cpu = (double)(swarm_server_cpu_ms(&server) - cpu) / WATCH_S;
    const double each = (double)(after - before) / n;

    printf("%u connections: the server's memory grew from %ld to %ld KiB, %.1f for each\n", n,
           before, after, each);
    printf("all idle, the server used %.1f ms of CPU a second\n", idle_cpu);
    printf("{\"kib_per_idle_connection\": %.1f, \"idle_connections\": %u, "
           "\"idle_cpu_ms_per_s\": %.1f}\n",
           each, client.connected - client.closed, idle_cpu);
    swarm_client_stop(&client);
    swarm_server_stop(&server, NULL);
    return all && client.closed == 0 && before > 0 ? 0 : 1;
}
