/*
 * net_element.h - what tvlsrc and tvlsink are alike in: settings, mode, statistics, signals, the
 * URI handler, and the run: what a connection's thread knows of its element from a start to a stop.
 */
#ifndef GST_NET_ELEMENT_H
#define GST_NET_ELEMENT_H

#include "settings.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* Property numbers; an element's own begin at NET_N. */
enum { NET_MODE = SETTINGS_N, NET_STATS, NET_N };

struct tvl_net { /* part of an element, whose object lock is for it */
    struct tvl_settings settings;
    gboolean listen, running;
    GstStructure *stats;
    guint run; /* what an earlier one says late is not heard */
};

/* Properties, and the signals path-up, path-down, caller-added, caller-removed. */
void tvl_net_class_init(GObjectClass *c, const gchar *mode_blurb, const gchar *stats_blurb);
void tvl_net_init(GstElement *e, struct tvl_net *n); /* `n` lives as long as `e` */
void tvl_net_clear(struct tvl_net *n);
/* Under the object's lock. FALSE: not a property of these. */
gboolean tvl_net_set(struct tvl_net *n, guint id, const GValue *value);
gboolean tvl_net_get(const struct tvl_net *n, guint id, GValue *value);
/* For G_IMPLEMENT_INTERFACE: moqt:// */
void tvl_net_src_uri_init(gpointer iface, gpointer data);
void tvl_net_sink_uri_init(gpointer iface, gpointer data);

/* What can be known to be wrong without asking anybody; FALSE: an error has been posted. */
gboolean tvl_net_check(GstElement *e);

struct tvl_run {
    GstElement *element; /* a reference */
    guint number;
};
/* It starts, with a copy of the settings, and stops: nothing of that run is heard any more. */
struct tvl_run *tvl_net_start(GstElement *e, struct tvl_settings *copy);
void tvl_net_stop(GstElement *e);
gboolean tvl_run_is_current(const struct tvl_run *r);
void tvl_run_free(gpointer run);
/* An element message; takes `what`. */
void tvl_run_post(const struct tvl_run *r, GstStructure *what);
/* Error and warning on the bus; `code` of GstResourceError. */
void tvl_run_failed(const struct tvl_run *r, gint code, const gchar *why);
void tvl_run_away(const struct tvl_run *r, gint code, const gchar *why);
/* Callbacks of both; `run` is a struct tvl_run. */
void tvl_run_on_interrupted(gpointer run, const gchar *why);
void tvl_run_on_path(gpointer run, const gchar *path, gboolean up);
void tvl_run_on_stats(gpointer run, GstStructure *stats); /* takes them */

G_END_DECLS

#endif
