/*
 * settings.h - the properties that tvlsrc and tvlsink share: whom to reach, by which paths, and how
 * each shows who it is. Not locked: the element's object lock does that.
 */
#ifndef GST_SETTINGS_H
#define GST_SETTINGS_H

#include "session.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* Their property numbers, from 1; an element's own begin at SETTINGS_N. */
enum {
    SETTINGS_URI = 1,
    SETTINGS_PATHS,
    SETTINGS_SCHEDULER,
    SETTINGS_CC,
    SETTINGS_AUTH_TOKEN,
    SETTINGS_TLS_CA,
    SETTINGS_TLS_CERT,
    SETTINGS_TLS_KEY,
    SETTINGS_RECONNECT,
    SETTINGS_QLOG_DIR,
    SETTINGS_N
};

struct tvl_settings {
    gchar *text[SETTINGS_N]; /* by property; NULL: not given */
    gdouble reconnect_s;     /* negative: for ever */
};

void tvl_settings_install(GObjectClass *c);
void tvl_settings_init(struct tvl_settings *s);
void tvl_settings_clear(struct tvl_settings *s);
/* FALSE: not a property of these. */
gboolean tvl_settings_set(struct tvl_settings *s, guint id, const GValue *value);
gboolean tvl_settings_get(const struct tvl_settings *s, guint id, GValue *value);
void tvl_settings_copy(struct tvl_settings *to, const struct tvl_settings *from);

/* "moqt://HOST[:PORT]/NAMESPACE", as GstURIHandler wants its refusal. */
gboolean tvl_settings_set_uri(struct tvl_settings *s, const gchar *uri, GError **error);
/* Whom the settings name; borrows their strings. FALSE with one line in `why`. */
gboolean tvl_settings_to(const struct tvl_settings *s, struct session_to *out, char *why,
                         size_t why_size);
/* The `paths` property, taken apart: how many, 0 where they are to be found; negative with one line
 * in `why`. */
int tvl_settings_paths(const struct tvl_settings *s, struct path_spec out[SESSION_PATHS_MAX],
                       char *why, size_t why_size);

/* What would help whom `why`, the line of an error, is told: more of that line, or "". */
const gchar *tvl_settings_hint(const gchar *why);
/* For the debug string of the error that a listener has no certificate. */
#define TVL_SETTINGS_CERTIFICATE_HINT                                                          \
    "this makes a pair to try: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 " \
    "-nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "   \
    "-keyout server.key -out server.pem (tls-ca=server.pem at the other side)"

/* Nothing was reached for so long since the start: it is said, once. */
#define TVL_AWAY_S 3.0

G_END_DECLS

#endif
