/* settings.c - see settings.h. */
#include "settings.h"

#include <stdio.h>
#include <string.h>
#include <tvl/cc.h>
#include <tvl/sched.h>
#include <tvl/tvl.h>

struct text_property {
    guint id;
    const char *name, *nick, *blurb;
};

static const struct text_property texts[] = {
    { SETTINGS_URI, "uri", "URI", "moqt://HOST[:PORT]/NAMESPACE" },
    { SETTINGS_PATHS, "paths", "Paths",
      "Network paths with ';' between: INTERFACE, ADDRESS or "
      "dev=IF,local=ADDRESS,to=ADDRESS:PORT,name=NAME,backup (unset: all interfaces, as they come "
      "and go)" },
    { SETTINGS_SCHEDULER, "scheduler", "Scheduler",
      "Which path a packet takes: minrtt, ecf, blest, layered, weighted, roundrobin, redundant "
      "(unset: layered to publish, ecf to watch)" },
    { SETTINGS_CC, "congestion-control", "Congestion control",
      "Congestion controller of the paths: cubic, bbr, copa ... (unset: copa to publish, cubic to "
      "watch)" },
    { SETTINGS_AUTH_TOKEN, "auth-token", "Authorization token",
      "Token to show to the server, or the name of the file that has it, which is read at each "
      "connection. Of a listening tvlsrc: what a publisher has to show" },
    { SETTINGS_TLS_CA, "tls-ca", "Trust anchors",
      "PEM file of the certificates that are trusted (unset: the system's). Of a listener: who "
      "calls needs a certificate that one of these has issued (unset: none)" },
    { SETTINGS_TLS_CERT, "tls-certificate", "Certificate",
      "PEM file of our own certificate; a listener needs one" },
    { SETTINGS_TLS_KEY, "tls-key", "Private key", "PEM file of our own certificate's key" },
    { SETTINGS_QLOG_DIR, "qlog-dir", "qlog directory",
      "Where to write a qlog of each connection (unset: nowhere)" },
};

void tvl_settings_install(GObjectClass *c)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_object_class_install_property(
            c, texts[i].id,
            g_param_spec_string(texts[i].name, texts[i].nick, texts[i].blurb, NULL, flags));
    g_object_class_install_property(
        c, SETTINGS_RECONNECT,
        g_param_spec_double("reconnect", "Reconnect",
                            "Seconds to go on trying without a connection; -1: for ever; 0: one "
                            "try, and a connection that breaks is the end",
                            -1, 86400, -1, flags));
}

void tvl_settings_init(struct tvl_settings *s)
{
    *s = (struct tvl_settings){ .reconnect_s = -1 };
}

void tvl_settings_clear(struct tvl_settings *s)
{
    for (guint i = 0; i < SETTINGS_N; i++)
        g_clear_pointer(&s->text[i], g_free);
}

void tvl_settings_copy(struct tvl_settings *to, const struct tvl_settings *from)
{
    for (guint i = 0; i < SETTINGS_N; i++)
        to->text[i] = g_strdup(from->text[i]);
    to->reconnect_s = from->reconnect_s;
}

gboolean tvl_settings_set(struct tvl_settings *s, guint id, const GValue *value)
{
    if (id == SETTINGS_RECONNECT) {
        s->reconnect_s = g_value_get_double(value);
        return TRUE;
    }
    if (id == 0 || id >= SETTINGS_N)
        return FALSE;
    g_free(s->text[id]);
    s->text[id] = g_value_dup_string(value);
    return TRUE;
}

gboolean tvl_settings_get(const struct tvl_settings *s, guint id, GValue *value)
{
    if (id == SETTINGS_RECONNECT)
        g_value_set_double(value, s->reconnect_s);
    else if (id > 0 && id < SETTINGS_N)
        g_value_set_string(value, s->text[id]);
    else
        return FALSE;
    return TRUE;
}

gboolean tvl_settings_set_uri(struct tvl_settings *s, const gchar *uri, GError **error)
{
    struct uri parsed;
    char why[200];
    if (uri && uri_parse(&parsed, uri, why, sizeof why) != 0) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "%s", why);
        return FALSE;
    }
    g_free(s->text[SETTINGS_URI]);
    s->text[SETTINGS_URI] = g_strdup(uri);
    return TRUE;
}

static const gchar *of(const struct tvl_settings *s, guint id)
{
    return s->text[id] && *s->text[id] ? s->text[id] : NULL;
}

static gboolean know_cc(const char *name, char *why, size_t why_size)
{
    if (!name || tvl_cc_find(name))
        return TRUE;
    int at = snprintf(why, why_size, "congestion-control: \"%.40s\" is none of", name);
    for (const struct tvl_cc_ops *const *c = tvl_cc_all; *c && (size_t)at < why_size; c++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*c)->name);
    return FALSE;
}

static gboolean know_scheduler(const char *name, char *why, size_t why_size)
{
    if (!name || tvl_sched_find(name))
        return TRUE;
    int at = snprintf(why, why_size, "scheduler: \"%.40s\" is none of", name);
    for (const struct tvl_sched_ops *const *s = tvl_sched_all; *s && (size_t)at < why_size; s++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*s)->name);
    return FALSE;
}

gboolean tvl_settings_to(const struct tvl_settings *s, struct session_to *out, char *why,
                         size_t why_size)
{
    *out = (struct session_to){ .token = of(s, SETTINGS_AUTH_TOKEN),
                                .ca_file = of(s, SETTINGS_TLS_CA),
                                .cert_file = of(s, SETTINGS_TLS_CERT),
                                .key_file = of(s, SETTINGS_TLS_KEY),
                                .qlog_dir = of(s, SETTINGS_QLOG_DIR),
                                .cc = of(s, SETTINGS_CC),
                                .sched = of(s, SETTINGS_SCHEDULER),
                                .implementation = "gst-tvl " TVL_VERSION };
    if (!of(s, SETTINGS_URI)) {
        snprintf(why, why_size, "no uri is set, as in uri=moqt://host/live");
        return FALSE;
    }
    if (!out->cert_file != !out->key_file) {
        snprintf(why, why_size, "tls-certificate and tls-key go together");
        return FALSE;
    }
    return uri_parse(&out->uri, of(s, SETTINGS_URI), why, why_size) == 0 &&
           know_cc(out->cc, why, why_size) && know_scheduler(out->sched, why, why_size);
}

int tvl_settings_paths(const struct tvl_settings *s, struct path_spec out[SESSION_PATHS_MAX],
                       char *why, size_t why_size)
{
    if (!of(s, SETTINGS_PATHS))
        return 0;
    gchar **part = g_strsplit(s->text[SETTINGS_PATHS], ";", -1);
    int n = 0;
    for (guint i = 0; part[i] && n >= 0; i++) {
        gchar *text = g_strstrip(part[i]);
        char of_path[160];
        if (!*text)
            continue;
        if (n == SESSION_PATHS_MAX) {
            snprintf(why, why_size, "more than %d paths", SESSION_PATHS_MAX);
            n = -1;
        } else if (path_spec_parse(&out[n], text, of_path, sizeof of_path) != 0) {
            snprintf(why, why_size, "path \"%.60s\": %.120s", text, of_path);
            n = -1;
        } else {
            n++;
        }
    }
    g_strfreev(part);
    return n;
}

const gchar *tvl_settings_hint(const gchar *why)
{
    static const struct {
        const gchar *part, *hint;
    } rows[] = {
        { "address mismatch", "; the certificate is not for the URI's host" },
        { "ostname mismatch", "; the certificate is not for the URI's host" },
        { "certificate verify failed", "; tls-ca names the file of who is trusted" },
        { "certificate required", "; tls-certificate and tls-key show who we are" },
        { "no right to", "; auth-token shows what we may" },
        { "in use", "; another program listens there" },
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strstr(why, rows[i].part))
            return rows[i].hint;
    return "";
}
