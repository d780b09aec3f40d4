/* control_config.c - the configuration in force as JSON, without secrets: see control_json.h. */
#include <string.h>

#include "control_json.h"

#define URL_MAX 1024

/* "rtsp://user:password@host/x?key" becomes "rtsp://host/x?...", and of a pipeline nothing is said.
 */
static json_t *url(const char *s)
{
    char out[URL_MAX];
    if (!s)
        return json_null();
    if (strncmp(s, "gst:", 4) == 0)
        return json_string("gst:...");
    const char *scheme = strstr(s, "://");
    if (!scheme)
        return json_text(s);
    const char *rest = scheme + 3, *end = rest + strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', (size_t)(end - rest));
    if (at)
        rest = at + 1;
    const size_t n = strcspn(rest, "?#");
    snprintf(out, sizeof out, "%.*s%.*s%s", (int)(scheme + 3 - s), s, (int)n, rest,
             rest[n] ? "?..." : "");
    return json_text(out);
}

static json_t *text(const char *s)
{
    return s ? json_text(s) : json_null();
}

static const char *kind_name(enum config_source_kind kind)
{
    static const char *const names[] = { [CONFIG_FILE] = "file",
                                         [CONFIG_LIVE] = "live",
                                         [CONFIG_UPSTREAM] = "upstream",
                                         [CONFIG_PUBLISH] = "publish" };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static json_t *source(const struct config_source *s)
{
    json_t *rates = json_array();
    for (size_t i = 0; i < SVC_SPATIAL_MAX; i++)
        if (s->encoder.bitrate_bps[i])
            json_array_append_new(rates, json_integer(s->encoder.bitrate_bps[i]));
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:b, s:b, s:b, s:i, s:o, s:i, s:o, s:o, s:o}", "namespace",
        text(s->ns), "kind", kind_name(s->kind), "input", url(s->input), "sound", url(s->sound),
        "loop", s->loop, "on_demand", s->on_demand, "start_on_viewer", s->start_on_viewer,
        "latency_ms", (int)s->latency_ms, "record", text(s->record), "window_s", (int)s->window_s,
        "codec", text(s->encoder.codec), "layers", text(s->encoder.layers), "bitrate_bps", rates);
}

static json_t *access_rules(const struct config_access *a)
{
    json_t *grants = json_array();
    for (size_t i = 0; i < a->n_anonymous; i++)
        json_array_append_new(
            grants, json_pack("{s:o, s:b, s:b}", "namespace", text(a->anonymous[i].ns), "subscribe",
                              a->anonymous[i].subscribe, "publish", a->anonymous[i].publish));
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:i, s:i, s:i}", "client_ca",
                     text(a->client_ca), "tokens", a->token_key != NULL, "token_algorithm",
                     text(a->token_algorithm), "token_issuer", text(a->token_issuer), "anonymous",
                     grants, "log", text(a->log), "per_address", (int)a->per_address, "per_token",
                     (int)a->per_token, "rate_per_address", (int)a->rate_per_address);
}

json_t *json_config(const struct config *c)
{
    json_t *sources = json_array(), *pushes = json_array();
    for (size_t i = 0; i < c->n_sources; i++)
        json_array_append_new(sources, source(&c->source[i]));
    for (size_t i = 0; i < c->n_pushes; i++)
        json_array_append_new(pushes, json_pack("{s:o, s:o}", "namespace", text(c->push[i].ns),
                                                "to", url(c->push[i].to)));
    json_t *transport =
        json_pack("{s:o, s:o, s:o}", "cc", text(c->transport.cc), "sched", text(c->transport.sched),
                  "knowledge", text(c->transport.knowledge));
    return json_pack("{s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:i, s:o}", "listen",
                     text(c->listen), "workers", (int)c->workers, "viewers_max",
                     (int)c->viewers_max, "cert", text(c->cert), "sources", sources, "push", pushes,
                     "access", access_rules(&c->access), "control", text(c->control.listen),
                     "transport", transport, "confined", c->confine.mode != CONFINE_OFF, "drain_s",
                     (int)c->drain_s, "qlog", text(c->qlog));
}
