/*
 * hand_command.c - svc-player --hand-over: finds the other player's address, tells the player at
 * the control socket, and says how it went. A program of a moment: it may wait.
 */
#include "hand_over.h"

#include "app.h"
#include "hand_code.h"

#include <jansson.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 45 /* more than the player's own; between two lines */

static int wrong(const char *what, const char *why)
{
    fprintf(stderr, "svc-player: --hand-over: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return -1;
}

/* The code is asked for where it is not given: what is on the command line others can see. */
static int ask_code(struct hand_target *t)
{
    char line[200];

    fprintf(stderr, "code shown by %s: ", t->host);
    if (!fgets(line, sizeof line, stdin) || hand_code_read(t->code, line) != 0)
        return wrong("that is no code", NULL);
    return 0;
}

/* The player takes an address only, as it must not wait for names. */
static int look_up(struct hand_target *t)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *list = NULL;
    int error = getaddrinfo(t->host, NULL, &hints, &list);

    if (error == 0)
        error = getnameinfo(list->ai_addr, list->ai_addrlen, t->host, sizeof t->host, NULL, 0,
                            NI_NUMERICHOST);
    if (list)
        freeaddrinfo(list);
    return error ? wrong(t->host, gai_strerror(error)) : 0;
}

static int open_socket(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof at.sun_path)
        errno = ENAMETOOLONG;
    else
        memcpy(at.sun_path, path, strlen(path) + 1);
    if (fd >= 0 && at.sun_path[0] && connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    (void)wrong(path, errno == ECONNREFUSED || errno == ENOENT ? "no player has that control socket"
                                                               : strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int send_command(int fd, const char *target)
{
    json_t *request = json_pack("{s:[s,s],s:i}", "command", "hand-over", target, "request_id", 1);
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    int result = -1;

    if (line && dprintf(fd, "%s\n", line) > 0)
        result = 0;
    free(line);
    json_decref(request);
    return result == 0 ? 0 : wrong("the player cannot be told", strerror(errno));
}

/* One line of the player's. 1: handed over; 0: not decided yet; -1: it was said why not. */
static int judge(const char *line)
{
    json_t *said = json_loads(line, 0, NULL);
    const char *error = json_string_value(json_object_get(said, "error"));
    const char *event = json_string_value(json_object_get(said, "event"));
    int result = 0;

    if (json_object_get(said, "request_id") && error && strcmp(error, "success") != 0)
        result = wrong(error, NULL);
    if (event && strcmp(event, "hand-over-failed") == 0)
        result = wrong("it plays on here", json_string_value(json_object_get(said, "reason")));
    if (event && strcmp(event, "handed-over") == 0) {
        printf("handed over to %s\n", json_string_value(json_object_get(said, "to")));
        result = 1;
    }
    json_decref(said);
    return result;
}

static int await(FILE *player)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    char *line = NULL;
    size_t room = 0;
    int result = 0;

    (void)setsockopt(fileno(player), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (result == 0) {
        errno = 0;
        if (getline(&line, &room, player) > 0)
            result = judge(line);
        else
            result = wrong(errno == EAGAIN ? "the player does not say how it went"
                                           : "the player has ended",
                           NULL);
    }
    free(line);
    return result;
}

int hand_command(const char *text, const char *control_socket)
{
    struct hand_target t;
    char why[200], target[HAND_TARGET_MAX];
    int result = -1;

    if (hand_target_read(&t, text, why, sizeof why) != 0) {
        (void)wrong(why, NULL);
        return EXIT_USAGE;
    }
    if ((!t.code[0] && ask_code(&t) != 0) || look_up(&t) != 0)
        return EXIT_FAILED;
    const int fd = open_socket(control_socket);
    FILE *player = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!player)
        return EXIT_FAILED;
    if (send_command(fd, hand_target_text(&t, target, sizeof target)) == 0)
        result = await(player);
    fclose(player);
    return result == 1 ? EXIT_DONE : EXIT_FAILED;
}
