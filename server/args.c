/* args.c - see args.h: one table of options, one small function per kind of value. */
#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moq/moq.h>
#include <tvl/cc.h>
#include <tvl/sched.h>
#include <tvl/select.h>

#include "log.h"

const char args_help[] =
    "usage: svc-server FILE|--live SOURCE --cert FILE --key FILE [option]...\n"
    "\n"
    "Publishes a layered file, or what it encodes into layers as it goes, in real time.\n"
    "\n"
    "  --cert FILE, --key FILE  certificate chain and key (PEM); required\n"
    "  --listen ADDR:PORT   UDP port to serve on [0.0.0.0:4433]\n"
    "  --namespace NAME     name of the broadcast, fields separated by / [demo]\n"
    "  --loop               begin again at the end of the file\n"
    "  --start-on-viewer    begin when the first viewer asks for the video\n"
    "  --latency MS         time from the source to display that viewers are told, and that\n"
    "                       layers are dropped to hold [400]\n"
    "  --max-viewers N      at the same time [64]\n"
    "  --cc NAME            congestion control [copa]\n"
    "  --objective NAME     choose each path's congestion control while it runs, for throughput,\n"
    "                       delay or video (what arrives in time); --cc is where it begins [none]\n"
    "  --knowledge FILE     what was measured before, for --objective [the installed one]\n"
    "  --sched NAME         path scheduler [layered]\n"
    "  --json FILE          JSON lines: viewers, paths and layers, every second and at the end\n"
    "  --keylog FILE        append TLS secrets for packet dissectors [$SSLKEYLOGFILE]\n"
    "  --policy-log FILE    write what is decided on every layer unit, and from what\n"
    "  --replay-policy FILE decide all of that again: 0 if it comes out the same, else 1; no FILE\n"
    "  --qlog DIR           write a qlog file per connection into DIR [$QLOGDIR]\n"
    "  --log LEVEL          error, warn, info or debug [warn]\n"
    "  --help, --version\n"
    "\n"
    "  --live SOURCE        encode SOURCE: test[:WxH][@FPS], a moving test picture with a tone\n"
    "                       [test:960x540@30]; anything FFmpeg reads (- is standard input); what\n"
    "                       comes in its own time: srt:, rist:, rtmp:, rtsp:, rtp:, udp:, tcp:,\n"
    "                       v4l2:DEVICE, x11:DISPLAY, each with #OPTION=VALUE&... of FFmpeg's; or\n"
    "                       gst:PIPELINE, whose end gives raw video\n"
    "  --sound SOURCE       with one of these: its sound is alsa:DEVICE, pulse:SOURCE,\n"
    "                       gst:PIPELINE or another stream [its own]\n"
    "  --layers NAME        structure: L1T1 to L3T3, L4T1, L4T2, and with _KEY [L3T2]\n"
    "  --codec NAME         av1, vp9, or h264, which has L1T1 to L1T3 only [av1]\n"
    "  --bitrate S0,S1,S2   kbit/s of each layer on top of those below [300,900,2400]\n"
    "  --size WxH           scale to this size [the source's]\n"
    "  --fps F              pictures per second [the source's]\n"
    "  --key-interval S     seconds between key pictures [2]; a viewer that comes gets one sooner\n"
    "  --speed N            7 (best) to 10 (fastest), where nothing is short [9]\n"
    "  --threads N          of the encoder, at most [2]\n"
    "\n"
    "Prints \"svc-server: ready on ADDRESS:PORT\" when it takes viewers.\n"
    "Exit codes: 0 done, 1 failed, 64 usage.\n";

static const char how_to_make_one[] =
    "--cert and --key are needed; this makes a pair: openssl req -x509 -newkey ec -pkeyopt "
    "ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost -addext "
    "subjectAltName=DNS:localhost -keyout server.key -out server.pem (viewers then need --ca "
    "server.pem)";

enum value {
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_FLAG,
    VALUE_CC,
    VALUE_SCHED,
    VALUE_NAMESPACE,
    VALUE_LEVEL,
    VALUE_OBJECTIVE,
    VALUE_LIVE, /* min: enum args_live_value */
};

static const struct option {
    const char *name;
    enum value value;
    size_t offset;
    uint32_t min, max; /* VALUE_NUMBER */
} options[] = {
    { "--cert", VALUE_TEXT, offsetof(struct args, cert), 0, 0 },
    { "--key", VALUE_TEXT, offsetof(struct args, key), 0, 0 },
    { "--listen", VALUE_TEXT, offsetof(struct args, listen), 0, 0 },
    { "--namespace", VALUE_NAMESPACE, offsetof(struct args, ns), 0, 0 },
    { "--loop", VALUE_FLAG, offsetof(struct args, loop), 0, 0 },
    { "--start-on-viewer", VALUE_FLAG, offsetof(struct args, start_on_viewer), 0, 0 },
    { "--latency", VALUE_NUMBER, offsetof(struct args, latency_ms), 50, 10000 },
    { "--max-viewers", VALUE_NUMBER, offsetof(struct args, max_viewers), 1, 65536 },
    { "--cc", VALUE_CC, offsetof(struct args, cc), 0, 0 },
    { "--objective", VALUE_OBJECTIVE, offsetof(struct args, objective), 0, 0 },
    { "--knowledge", VALUE_TEXT, offsetof(struct args, knowledge), 0, 0 },
    { "--sched", VALUE_SCHED, offsetof(struct args, sched), 0, 0 },
    { "--json", VALUE_TEXT, offsetof(struct args, json), 0, 0 },
    { "--keylog", VALUE_TEXT, offsetof(struct args, keylog), 0, 0 },
    { "--qlog", VALUE_TEXT, offsetof(struct args, qlog), 0, 0 },
    { "--policy-log", VALUE_TEXT, offsetof(struct args, policy_log), 0, 0 },
    { "--replay-policy", VALUE_TEXT, offsetof(struct args, replay_policy), 0, 0 },
    { "--log", VALUE_LEVEL, offsetof(struct args, log_level), 0, 0 },
    { "--live", VALUE_LIVE, 0, ARGS_LIVE_SOURCE, 0 },
    { "--sound", VALUE_LIVE, 0, ARGS_LIVE_SOUND, 0 },
    { "--layers", VALUE_LIVE, 0, ARGS_LIVE_LAYERS, 0 },
    { "--codec", VALUE_LIVE, 0, ARGS_LIVE_CODEC, 0 },
    { "--bitrate", VALUE_LIVE, 0, ARGS_LIVE_BITRATE, 0 },
    { "--size", VALUE_LIVE, 0, ARGS_LIVE_SIZE, 0 },
    { "--fps", VALUE_LIVE, 0, ARGS_LIVE_FPS, 0 },
    { "--key-interval", VALUE_LIVE, 0, ARGS_LIVE_KEY, 0 },
    { "--speed", VALUE_LIVE, 0, ARGS_LIVE_SPEED, 0 },
    { "--threads", VALUE_LIVE, 0, ARGS_LIVE_THREADS, 0 },
    { NULL, VALUE_FLAG, 0, 0, 0 },
};

static int set_number(uint32_t *out, const struct option *o, const char *text, char *why,
                      size_t why_size)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || strlen(text) > 9 || value < o->min ||
        value > o->max) {
        snprintf(why, why_size, "%s takes a number from %u to %u, not \"%.64s\"", o->name, o->min,
                 o->max, text);
        return -1;
    }
    *out = (uint32_t)value;
    return 0;
}

static int set_level(int *out, const char *text, char *why, size_t why_size)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    snprintf(why, why_size, "--log takes error, warn, info or debug, not \"%.64s\"", text);
    return -1;
}

static int set_objective(int *out, const char *text, char *why, size_t why_size)
{
    const int found = tvl_objective_find(text);
    if (found >= 0) {
        *out = found;
        return 0;
    }
    snprintf(why, why_size, "--objective takes throughput, delay, video or none, not \"%.64s\"",
             text);
    return -1;
}

/* 0, or -1 with a line that lists what there is. */
static int check_cc(const char *text, char *why, size_t why_size)
{
    if (tvl_cc_find(text))
        return 0;
    int at = snprintf(why, why_size, "--cc: no congestion control \"%.64s\"; there are:", text);
    for (const struct tvl_cc_ops *const *c = tvl_cc_all; *c && (size_t)at < why_size; c++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*c)->name);
    return -1;
}

static int check_sched(const char *text, char *why, size_t why_size)
{
    if (tvl_sched_find(text))
        return 0;
    int at = snprintf(why, why_size, "--sched: no scheduler \"%.64s\"; there are:", text);
    for (const struct tvl_sched_ops *const *s = tvl_sched_all; *s && (size_t)at < why_size; s++)
        at += snprintf(why + at, why_size - (size_t)at, " %s", (*s)->name);
    return -1;
}

static int check_namespace(const char *text, char *why, size_t why_size)
{
    struct moq_name name;
    if (text[0] && moq_name_from_text(&name, text, "catalog") == 0)
        return 0;
    snprintf(why, why_size, "--namespace takes names separated by /, not \"%.64s\"", text);
    return -1;
}

static int set_value(struct args *a, const struct option *o, const char *text, char *why,
                     size_t why_size)
{
    void *field = (char *)a + o->offset;
    switch (o->value) {
    case VALUE_NUMBER:
        return set_number(field, o, text, why, why_size);
    case VALUE_LEVEL:
        return set_level(field, text, why, why_size);
    case VALUE_OBJECTIVE:
        return set_objective(field, text, why, why_size);
    case VALUE_LIVE:
        return args_live_set(&a->live, (enum args_live_value)o->min, o->name, text, why, why_size);
    case VALUE_CC:
        if (check_cc(text, why, why_size) < 0)
            return -1;
        break;
    case VALUE_SCHED:
        if (check_sched(text, why, why_size) < 0)
            return -1;
        break;
    case VALUE_NAMESPACE:
        if (check_namespace(text, why, why_size) < 0)
            return -1;
        break;
    case VALUE_TEXT:
    case VALUE_FLAG:
        break;
    }
    *(const char **)field = text;
    return 0;
}

static const struct option *find_option(const char *arg, size_t len)
{
    for (const struct option *o = options; o->name; o++)
        if (strlen(o->name) == len && strncmp(o->name, arg, len) == 0)
            return o;
    return NULL;
}

/* The option at argv[*i], "--x", "--x V" or "--x=V". */
static int parse_option(struct args *a, int argc, char **argv, int *i, char *why, size_t why_size)
{
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");
    const struct option *o = find_option(arg, len);
    if (!o) {
        snprintf(why, why_size, "unknown option \"%.64s\"", arg);
        return -1;
    }
    if (o->value == VALUE_FLAG) {
        if (arg[len]) {
            snprintf(why, why_size, "%s takes no value", o->name);
            return -1;
        }
        *(bool *)((char *)a + o->offset) = true;
        return 0;
    }
    if (!arg[len] && ++*i == argc) {
        snprintf(why, why_size, "%s needs a value", o->name);
        return -1;
    }
    return set_value(a, o, arg[len] ? arg + len + 1 : argv[*i], why, why_size);
}

enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size)
{
    struct args a = { .listen = "0.0.0.0:4433",
                      .ns = "demo",
                      .latency_ms = 400,
                      .max_viewers = 64,
                      .log_level = LOG_WARN };
    args_live_init(&a.live);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return ARGS_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return ARGS_VERSION;
        if (strncmp(argv[i], "--", 2) == 0) {
            if (parse_option(&a, argc, argv, &i, why, why_size) < 0)
                return ARGS_BAD;
        } else if (a.file) {
            snprintf(why, why_size, "more than one file: \"%.64s\"", argv[i]);
            return ARGS_BAD;
        } else {
            a.file = argv[i];
        }
    }
    if (a.replay_policy) {
        *out = a;
        return ARGS_RUN;
    }
    const bool live = a.live.config.input.kind != LIVE_NONE;
    if (!a.file == !live) {
        snprintf(why, why_size,
                 live ? "a file and --live; one of them" : "no file and no --live; try --help");
        return ARGS_BAD;
    }
    if (args_live_check(&a.live, why, why_size) < 0)
        return ARGS_BAD;
    if (!a.cert || !a.key) {
        snprintf(why, why_size, "%s", how_to_make_one);
        return ARGS_BAD;
    }
    *out = a;
    return ARGS_RUN;
}
