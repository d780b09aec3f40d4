/*
 * client_hand_over.c - what one who has the code says to a player that waits for a session, or that
 * gives one: it is refused with one line, or all values are within what they promise, and what is
 * written of it is read again the same.
 */
#include "hand_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_state(const struct hand_state *s)
{
    char why[200];
    struct uri uri;

    assert(uri_parse(&uri, s->uri, why, sizeof why) == 0);
    assert(s->pts_us >= 0 && s->pts_us <= HAND_TIME_MAX_US && s->at_us >= 0);
    assert(s->volume >= 0 && s->volume <= HAND_VOLUME_MAX && s->page <= ARGS_PAGES);
    assert(s->latency_ms <= ARGS_LATENCY_MAX_MS && s->latency_max_ms <= ARGS_LATENCY_MAX_MS);
    assert(s->asked.spatial < SVC_SPATIAL_MAX && s->limit.temporal < SVC_TEMPORAL_MAX);
    assert(s->n_paths <= HAND_PATHS_MAX && memchr(s->token, 0, sizeof s->token));
    for (size_t i = 0; i < s->n_paths; i++)
        assert(memchr(s->path[i].name, 0, sizeof s->path[i].name) && s->path[i].name[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hand_message m, again;
    char why[HAND_REASON_MAX] = "";
    const int result = hand_message_read(&m, (const char *)data, size, why, sizeof why);

    if (result != 0) {
        assert(result == -1 && why[0] && !strchr(why, '\n'));
        return 0;
    }
    if (m.kind == HAND_STATE)
        check_state(&m.state);
    for (const char *c = m.reason; *c; c++)
        assert(*c >= ' ' && *c <= '~');
    char *line = hand_message_write(&m);
    assert(line && strlen(line) <= 2 * HAND_LINE_MAX && !strchr(line, '\n'));
    assert(hand_message_read(&again, line, strlen(line), why, sizeof why) == 0);
    assert(again.kind == m.kind && again.moment.picture == m.moment.picture);
    assert(strcmp(again.state.uri, m.state.uri) == 0 && again.state.n_paths == m.state.n_paths);
    free(line);
    return 0;
}
