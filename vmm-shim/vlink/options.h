/* options.h - vlink's command line as data. Prints nothing but --help and --version's text. */
#ifndef VLINK_OPTIONS_H
#define VLINK_OPTIONS_H

#include "schedule.h"

struct vlink_options {
    struct vlink_spec link[VLINK_LINKS_MAX];
    size_t n_links;
    struct vlink_schedule schedule;
    uint64_t seed;              /* default 1 */
    uint64_t duration_ns;       /* 0: until told to stop */
    char stats[VLINK_TEXT_MAX]; /* "": none, "-": standard output */
    uint64_t stats_interval_ns; /* 0: only at the end */
    bool start_on_traffic, control;
    bool frames;                         /* Ethernet links instead, by the control socket */
    char control_socket[VLINK_TEXT_MAX]; /* with frames */
};

enum vlink_options_result { VLINK_OPTIONS_RUN, VLINK_OPTIONS_DONE, VLINK_OPTIONS_BAD };

/* DONE: help or version was printed. BAD: `why` has one line. */
enum vlink_options_result vlink_options_parse(struct vlink_options *out, int argc, char **argv,
                                              char *why, size_t why_size);

/* Index of the link called `name`, or -1. */
int vlink_options_find(const struct vlink_options *o, const char *name);

#endif
