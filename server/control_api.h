/*
 * control_api.h - the control interface without HTTP: routes, and what each answers. Who may call
 * was judged before (control_guard.h); bytes come and go in control.c. docs/control.md documents
 * each route, and a test compares the two.
 */
#ifndef SERVER_CONTROL_API_H
#define SERVER_CONTROL_API_H

#include "control_list.h"
#include "control_view.h"
#include "metrics.h"

#define API_BODY_MAX 4096
#define API_PARAMS_MAX 8
#define API_REASON_MAX 100 /* bytes of what a session that is stopped is told */
#define API_METHODS_MAX 32

struct control_param {
    const char *key, *value; /* value NULL: none was given */
};

struct control_call {
    const char *who; /* address of the caller, for the log */
    const char *method, *path;
    struct control_param param[API_PARAMS_MAX];
    size_t n_params;
    const char *content_type; /* NULL: none */
    const char *body;
    size_t body_len;
};

struct control_reply {
    unsigned status;  /* of HTTP */
    const char *type; /* of the content, static */
    char *text;       /* to be freed; NULL: no memory */
    size_t len;
    char allow[API_METHODS_MAX]; /* methods, where status is 405 */
};

struct control_api {
    struct control_hooks hooks;
    struct control_view view;
    struct metrics_control metrics;
};

struct control_route;

void control_api_init(struct control_api *a, const struct control_hooks *hooks);
void control_api_fini(struct control_api *a);

/* NULL with 404 or 405 in `out`. HEAD is GET. */
const struct control_route *control_route_find(const char *method, const char *path,
                                               struct control_reply *out);
bool control_route_is_open(const struct control_route *r);   /* needs no token */
bool control_route_is_stream(const struct control_route *r); /* answered by control_events.h */

/* `clock_us` as of view_refresh. */
void control_api_handle(struct control_api *a, const struct control_route *r,
                        const struct control_call *call, uint64_t clock_us,
                        struct control_reply *out);

/* {"error": {...}}; whatever was in `out` is freed. */
void control_reply_error(struct control_reply *out, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void control_reply_fini(struct control_reply *out);

/* What one stream of events shows. */
struct control_watch {
    struct list_query list;
    bool has_session;
    uint64_t session;
};
/* 0, or -1 with 400 in `out`. */
int control_watch_parse(struct control_watch *w, const struct control_call *call,
                        struct control_reply *out);
/* One event as compact JSON, to be freed; NULL: no memory. The view has a snapshot. */
char *control_watch_event(const struct control_api *a, const struct control_watch *w);

#endif
