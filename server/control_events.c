/* control_events.c - see control_events.h. */
#include "control_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define BLOCK 32768u

struct control_stream {
    struct control_stream *next, *prev;
    struct control_streams *all;
    struct MHD_Connection *conn;
    struct control_watch watch;
    char *text; /* the event under way; NULL: none */
    size_t len, sent;
    bool waits; /* suspended until there is one */
    bool over;
};

/* 0, or -1: no memory; then this stream misses an event. */
static int tell(struct control_stream *s, const struct control_api *api)
{
    static const char before[] = "data: ", after[] = "\n\n";
    char *event = control_watch_event(api, &s->watch);
    const int n = event ? asprintf(&s->text, "%s%s%s", before, event, after) : -1;
    free(event);
    if (n < 0)
        s->text = NULL;
    s->len = n < 0 ? 0 : (size_t)n;
    s->sent = 0;
    return n < 0 ? -1 : 0;
}

static ssize_t on_read(void *user, uint64_t at, char *out, size_t size)
{
    struct control_stream *s = user;
    (void)at;
    if (s->over)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->sent == s->len) {
        free(s->text);
        s->text = NULL;
        s->len = s->sent = 0;
        s->waits = true;
        MHD_suspend_connection(s->conn);
        return 0;
    }
    const size_t n = s->len - s->sent < size ? s->len - s->sent : size;
    memcpy(out, s->text + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void on_free(void *user)
{
    struct control_stream *s = user;
    DL_DELETE(s->all->first, s);
    s->all->n--;
    free(s->text);
    free(s);
}

struct MHD_Response *control_stream_new(struct control_streams *all, struct MHD_Connection *conn,
                                        const struct control_api *api,
                                        const struct control_watch *watch)
{
    struct control_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->all = all;
    s->conn = conn;
    s->watch = *watch;
    if (tell(s, api) < 0)
        goto free_stream;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_read, s, on_free);
    if (!response)
        goto free_text;
    DL_APPEND(all->first, s);
    all->n++;
    return response;
free_text:
    free(s->text);
free_stream:
    free(s);
    return NULL;
}

void control_streams_push(struct control_streams *all, const struct control_api *api)
{
    struct control_stream *s;
    DL_FOREACH(all->first, s)
    if (s->waits && tell(s, api) == 0) {
        s->waits = false;
        MHD_resume_connection(s->conn);
    }
}

void control_streams_end(struct control_streams *all)
{
    struct control_stream *s;
    DL_FOREACH(all->first, s)
    {
        s->over = true;
        if (s->waits)
            MHD_resume_connection(s->conn);
        s->waits = false;
    }
}
