/* options.c - see options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: vlink --link name=NAME,listen=ADDR:PORT,to=ADDR:PORT[,KEY=VALUE]... [OPTION]...\n"
    "       vlink --frames --control-socket PATH [--seed N]\n"
    "Emulate network links between UDP ports, or between Ethernet ports of virtual machines and\n"
    "network namespaces, without privilege.\n"
    "\n"
    "  --link SPEC         a link; repeat for several. Keys: name, listen, to, rate, trace, "
    "delay,\n"
    "                      jitter, loss, ge, queue, reorder, duplicate, overhead, down; \"up.\" "
    "or\n"
    "                      \"down.\" before a key sets one direction (up: towards `to`)\n"
    "  --at TIME:CHANGE    a timed change, as 10s:lte.down, 12s:wifi.rate=1mbit; repeat\n"
    "  --start-on-traffic  time 0 of --at is the first datagram, not the start\n"
    "  --control           take CHANGE lines on standard input\n"
    "  --seed N            seed of all randomness [1]\n"
    "  --duration TIME     stop after TIME (a bare number: seconds)\n"
    "  --stats FILE[:INTERVAL]  statistics as JSON lines at the end, and every INTERVAL; - is\n"
    "                      standard output\n"
    "  --frames            Ethernet links, added and changed over the control socket\n"
    "  --control-socket PATH  unix socket for requests, a line of JSON each\n"
    "  --help, --version\n"
    "\n"
    "Prints \"vlink: ready\" when the ports are bound. See vlink(1).\n";

static int parse_seed(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    char *end;
    errno = 0;
    o->seed = strtoull(v, &end, 0);
    if (*v >= '0' && *v <= '9' && *end == 0 && errno == 0)
        return 0;
    snprintf(why, why_size, "--seed takes a whole number, not \"%.64s\"", v);
    return -1;
}

static int parse_duration(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    char seconds[40];
    snprintf(seconds, sizeof seconds, "%.30ss", v);
    if ((vlink_parse_duration(v, &o->duration_ns) == 0 ||
         vlink_parse_duration(seconds, &o->duration_ns) == 0) &&
        o->duration_ns > 0)
        return 0;
    snprintf(why, why_size, "--duration takes a time like 30s, not \"%.64s\"", v);
    return -1;
}

static int parse_stats(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    const char *colon = strrchr(v, ':');
    size_t len = strlen(v);
    if (colon && vlink_parse_duration(colon + 1, &o->stats_interval_ns) == 0)
        len = (size_t)(colon - v);
    bool too_often = len < strlen(v) && o->stats_interval_ns < 1000000;
    if (len == 0 || len >= sizeof o->stats || too_often) {
        snprintf(why, why_size, "--stats takes FILE or FILE:INTERVAL of 1ms or more");
        return -1;
    }
    memcpy(o->stats, v, len);
    o->stats[len] = 0;
    return 0;
}

static int parse_link(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    if (o->n_links == VLINK_LINKS_MAX) {
        snprintf(why, why_size, "more than %d links", VLINK_LINKS_MAX);
        return -1;
    }
    struct vlink_spec *s = &o->link[o->n_links];
    char detail[VLINK_WHY_MAX];
    if (vlink_spec_parse(s, v, detail, sizeof detail) < 0) {
        snprintf(why, why_size, "--link: %s", detail);
        return -1;
    }
    if (vlink_options_find(o, s->name) >= 0) {
        snprintf(why, why_size, "--link: two links are called %s", s->name);
        return -1;
    }
    o->n_links++;
    return 0;
}

static int parse_at(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    struct vlink_change c;
    char detail[VLINK_WHY_MAX];
    if (vlink_change_parse_timed(&c, v, detail, sizeof detail) < 0) {
        snprintf(why, why_size, "--at: %s", detail);
        return -1;
    }
    if (vlink_schedule_add(&o->schedule, &c) < 0) {
        snprintf(why, why_size, "--at: more than %d changes", VLINK_CHANGES_MAX);
        return -1;
    }
    return 0;
}

static int parse_socket(struct vlink_options *o, const char *v, char *why, size_t why_size)
{
    size_t len = strlen(v);
    if (len == 0 || len >= sizeof o->control_socket) {
        snprintf(why, why_size, "--control-socket takes a path");
        return -1;
    }
    memcpy(o->control_socket, v, len + 1);
    return 0;
}

static const struct option {
    const char *name;
    int (*parse)(struct vlink_options *o, const char *value, char *why, size_t why_size);
} with_value[] = {
    { "--link", parse_link },
    { "--at", parse_at },
    { "--seed", parse_seed },
    { "--duration", parse_duration },
    { "--stats", parse_stats },
    { "--control-socket", parse_socket },
    { NULL, NULL },
};

/* The option at argv[*i], "--x V" or "--x=V". 1: it was one; 0: unknown; -1. */
static int parse_valued(struct vlink_options *o, int argc, char **argv, int *i, char *why,
                        size_t why_size)
{
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");
    for (const struct option *p = with_value; p->name; p++) {
        if (strlen(p->name) != len || strncmp(p->name, arg, len) != 0)
            continue;
        if (arg[len] == 0 && ++*i == argc) {
            snprintf(why, why_size, "%s needs a value", p->name);
            return -1;
        }
        return p->parse(o, arg[len] ? arg + len + 1 : argv[*i], why, why_size) < 0 ? -1 : 1;
    }
    snprintf(why, why_size, "unknown option \"%.64s\"", arg);
    return 0;
}

/* Links and changes may come in any order, so names are checked at the end; so is whether a change
 * can ever take effect. */
static int check_changes(const struct vlink_options *o, char *why, size_t why_size)
{
    for (size_t i = 0; i < o->schedule.n; i++) {
        const struct vlink_change *c = &o->schedule.change[i];
        int link = vlink_options_find(o, c->link);
        if (link < 0) {
            snprintf(why, why_size, "--at: no link is called %s", c->link);
            return -1;
        }
        for (unsigned way = 0; way < VLINK_WAYS; way++) {
            if (c->ways & 1u << way && o->link[link].trace[way][0] && strcmp(c->key, "rate") == 0) {
                snprintf(why, why_size, "--at: %s follows a trace: its rate cannot be set",
                         c->link);
                return -1;
            }
        }
    }
    return 0;
}

static int check_frames(const struct vlink_options *o, char *why, size_t why_size)
{
    if (!o->control_socket[0]) {
        snprintf(why, why_size, "--frames needs --control-socket PATH");
        return -1;
    }
    if (o->n_links || o->schedule.n || o->control || o->start_on_traffic || o->stats[0] ||
        o->duration_ns) {
        snprintf(why, why_size, "--frames goes with --control-socket and --seed only");
        return -1;
    }
    return 0;
}

static int check_relay(const struct vlink_options *o, char *why, size_t why_size)
{
    if (o->control_socket[0]) {
        snprintf(why, why_size, "--control-socket goes with --frames");
        return -1;
    }
    if (o->n_links == 0) {
        snprintf(why, why_size, "no --link; try --help");
        return -1;
    }
    return check_changes(o, why, why_size);
}

enum vlink_options_result vlink_options_parse(struct vlink_options *out, int argc, char **argv,
                                              char *why, size_t why_size)
{
    memset(out, 0, sizeof *out);
    out->seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return VLINK_OPTIONS_DONE;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("vlink " VLINK_VERSION);
            return VLINK_OPTIONS_DONE;
        }
        if (strcmp(argv[i], "--control") == 0)
            out->control = true;
        else if (strcmp(argv[i], "--frames") == 0)
            out->frames = true;
        else if (strcmp(argv[i], "--start-on-traffic") == 0)
            out->start_on_traffic = true;
        else if (parse_valued(out, argc, argv, &i, why, why_size) <= 0)
            return VLINK_OPTIONS_BAD;
    }
    int bad = out->frames ? check_frames(out, why, why_size) : check_relay(out, why, why_size);
    return bad < 0 ? VLINK_OPTIONS_BAD : VLINK_OPTIONS_RUN;
}

int vlink_options_find(const struct vlink_options *o, const char *name)
{
    for (size_t i = 0; i < o->n_links; i++)
        if (strcmp(o->link[i].name, name) == 0)
            return (int)i;
    return -1;
}
