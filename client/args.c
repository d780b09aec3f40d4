/* args.c - the command line: one table of options, one small function per kind of value. */
#include "args.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char args_help[] =
    "usage: svc-player moqt://HOST[:PORT]/NAMESPACE [option]...\n"
    "       svc-player --take-over [ADDRESS:]PORT [option]...\n"
    "       svc-player --hand-over ADDRESS:PORT#CODE --control SOCKET\n"
    "\n"
    "Plays a layered broadcast over all given network paths at once.\n"
    "\n"
    "  --path SPEC          a network path; may be repeated: an interface, a local address, or\n"
    "                       dev=wlan0,local=10.0.0.2,to=192.0.2.1:4433,name=wifi,backup\n"
    "                       [every interface that is up]\n"
    "  --ca FILE            trust the authorities in FILE (PEM) [the system's]\n"
    "  --token FILE|TEXT    show the server this token; a file is read for every connection\n"
    "  --cert FILE --key FILE\n"
    "                       show the server this certificate (PEM)\n"
    "  --layers sXtY        highest spatial and temporal layer to ask for [all]\n"
    "  --video N            of several videos (cameras) the Nth [1]\n"
    "  --language LANG      of several sounds the one in that language, as in \"de\" [the first]\n"
    "  --latency L          delay between arrival and display: MS, to begin with and at least;\n"
    "                       MIN-MAX, in which it adapts; low (20-400, pictures as soon as they "
    "are\n"
    "                       whole), balanced, or smooth (1000-5000) [balanced: the broadcast's]\n"
    "  --reconnect S        go on trying to connect, or to resume, for S seconds; \"ever\"\n"
    "                       [ever; with --headless 10]\n"
    "  --duration S         stop S seconds after the first picture\n"
    "  --frames N           stop after N shown pictures\n"
    "  --headless           no window and no sound device\n"
    "  --fullscreen         start in full screen\n"
    "  --size WxH           of the window or, with --headless, of the screenshots [1280x720]\n"
    "  --mute               start with the sound off\n"
    "  --audio-delay MS     what the loudspeaker takes beyond the sound card, as wireless ones do\n"
    "  --rotate DEGREES     turn the picture clockwise by 90, 180 or 270\n"
    "  --no-audio           do not ask for the sound\n"
    "  --record FILE        write what arrives as a layered file: .mkv, .webm, .mp4, .ivf, .obu\n"
    "  --control SOCKET     take commands there, JSON lines: docs/player-control.md\n"
    "  --take-over PLACE    wait at PORT, ADDRESS:PORT or [ADDRESS]:PORT for what another player "
    "plays,\n"
    "                       and go on with it; shows where it is and a code; PORT 0: any\n"
    "  --hand-over TARGET   the player at --control SOCKET gives what it plays to the one at "
    "TARGET,\n"
    "                       HOST:PORT#CODE as that one shows it; without #CODE it is asked for\n"
    "  --json FILE          write a report when playing ends; -: to standard output\n"
    "  --dump-timing FILE   a CSV row per shown picture: when it was captured, came, was decoded "
    "and\n"
    "                       shown, and the number read from the project's test clip\n"
    "  --dump-frames DIR    write each shown picture there as PNG, by its number\n"
    "  --statistics PAGE    begin with that page of the statistics: 1 to 4; 0: none [0]\n"
    "  --screenshot FILE[@SECONDS]\n"
    "                       save the screen as PNG, that long after the first picture [at the "
    "end];\n"
    "                       may be repeated\n"
    "  --cc NAME            congestion control of what the player sends\n"
    "  --sched NAME         path scheduler of what the player sends\n"
    "  --keylog FILE        append TLS secrets for packet dissectors [$SSLKEYLOGFILE]\n"
    "  --qlog DIR           write a qlog file per connection into DIR [$QLOGDIR]\n"
    "  --policy-log FILE    write what the player decides on layers and delay, and from what\n"
    "  --replay-policy FILE decide all of that again: 0 if it comes out the same, else 1; no URI\n"
    "  --log LEVEL          error, warn, info or debug [warn]\n"
    "  --help, --version\n";

const char args_help_end[] =
    "\n"
    "Exit codes: 0 done; 1 failed: the broadcast is not there or the connection was lost and not\n"
    "resumed; 2 could not connect; 64 usage.\n";

enum option_id {
    OPT_PATH = 256,
    OPT_CONTROL,
    OPT_FRAMES,
    OPT_HAND_OVER,
    OPT_TAKE_OVER,
    OPT_RECONNECT,
    OPT_RECORD,
    OPT_CA,
    OPT_TOKEN,
    OPT_CERT,
    OPT_KEY,
    OPT_HEADLESS,
    OPT_JSON,
    OPT_DURATION,
    OPT_SCREENSHOT,
    OPT_LATENCY,
    OPT_LAYERS,
    OPT_AUDIO_DELAY,
    OPT_ROTATE,
    OPT_DUMP_TIMING,
    OPT_DUMP_FRAMES,
    OPT_STATISTICS,
    OPT_CC,
    OPT_SCHED,
    OPT_KEYLOG,
    OPT_QLOG,
    OPT_POLICY_LOG,
    OPT_REPLAY,
    OPT_NO_AUDIO,
    OPT_VIDEO,
    OPT_LANGUAGE,
    OPT_FULLSCREEN,
    OPT_SIZE,
    OPT_MUTE,
    OPT_LOG,
    OPT_HELP,
    OPT_VERSION,
};

static const struct option options[] = {
    { "path", required_argument, NULL, OPT_PATH },
    { "control", required_argument, NULL, OPT_CONTROL },
    { "frames", required_argument, NULL, OPT_FRAMES },
    { "hand-over", required_argument, NULL, OPT_HAND_OVER },
    { "take-over", required_argument, NULL, OPT_TAKE_OVER },
    { "reconnect", required_argument, NULL, OPT_RECONNECT },
    { "record", required_argument, NULL, OPT_RECORD },
    { "ca", required_argument, NULL, OPT_CA },
    { "token", required_argument, NULL, OPT_TOKEN },
    { "cert", required_argument, NULL, OPT_CERT },
    { "key", required_argument, NULL, OPT_KEY },
    { "headless", no_argument, NULL, OPT_HEADLESS },
    { "json", required_argument, NULL, OPT_JSON },
    { "duration", required_argument, NULL, OPT_DURATION },
    { "screenshot", required_argument, NULL, OPT_SCREENSHOT },
    { "latency", required_argument, NULL, OPT_LATENCY },
    { "audio-delay", required_argument, NULL, OPT_AUDIO_DELAY },
    { "rotate", required_argument, NULL, OPT_ROTATE },
    { "dump-frames", required_argument, NULL, OPT_DUMP_FRAMES },
    { "statistics", required_argument, NULL, OPT_STATISTICS },
    { "dump-timing", required_argument, NULL, OPT_DUMP_TIMING },
    { "layers", required_argument, NULL, OPT_LAYERS },
    { "cc", required_argument, NULL, OPT_CC },
    { "sched", required_argument, NULL, OPT_SCHED },
    { "keylog", required_argument, NULL, OPT_KEYLOG },
    { "qlog", required_argument, NULL, OPT_QLOG },
    { "policy-log", required_argument, NULL, OPT_POLICY_LOG },
    { "replay-policy", required_argument, NULL, OPT_REPLAY },
    { "no-audio", no_argument, NULL, OPT_NO_AUDIO },
    { "video", required_argument, NULL, OPT_VIDEO },
    { "language", required_argument, NULL, OPT_LANGUAGE },
    { "fullscreen", no_argument, NULL, OPT_FULLSCREEN },
    { "size", required_argument, NULL, OPT_SIZE },
    { "mute", no_argument, NULL, OPT_MUTE },
    { "log", required_argument, NULL, OPT_LOG },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

struct reason {
    char *text;
    size_t size;
};

/* A finite number in (0, max]. */
static int take_number(double *out, const char *text, double max)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value <= 0 || value > max)
        return -1;
    *out = value;
    return 0;
}

static int take_duration(struct args *a, const char *text, struct reason r)
{
    if (take_number(&a->duration_s, text, 1e7) == 0)
        return 0;
    snprintf(r.text, r.size, "--duration: \"%.60s\" is no number of seconds", text);
    return -1;
}

static int take_reconnect(struct args *a, const char *text, struct reason r)
{
    a->reconnect_given = true;
    a->reconnect_s = -1;
    if (strcmp(text, "ever") == 0)
        return 0;
    if (strcmp(text, "0") == 0) {
        a->reconnect_s = 0;
        return 0;
    }
    if (take_number(&a->reconnect_s, text, 1e7) == 0)
        return 0;
    snprintf(r.text, r.size, "--reconnect: \"%.60s\" is neither a number of seconds nor \"ever\"",
             text);
    return -1;
}

static int take_frames(struct args *a, const char *text, struct reason r)
{
    char *end;
    a->frames = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && a->frames > 0)
        return 0;
    snprintf(r.text, r.size, "--frames: \"%.60s\" is no number of pictures", text);
    return -1;
}

/* Whole milliseconds in [1, ARGS_LATENCY_MAX_MS]; *end is what follows them. */
static int take_ms(uint32_t *out, const char *text, char **end)
{
    const unsigned long ms = strtoul(text, end, 10);

    if (*text < '0' || *text > '9' || ms < 1 || ms > ARGS_LATENCY_MAX_MS)
        return -1;
    *out = (uint32_t)ms;
    return 0;
}

static int take_latency(struct args *a, const char *text, struct reason r)
{
    static const struct {
        const char *name;
        uint32_t min_ms, max_ms;
        bool low;
    } named[] = { { "low", 20, 400, true },
                  { "balanced", 0, 0, false },
                  { "smooth", 1000, 5000, false } };
    uint32_t min_ms, max_ms = 0;
    char *end;

    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (strcmp(text, named[i].name) == 0) {
            a->latency_ms = named[i].min_ms;
            a->latency_max_ms = named[i].max_ms;
            a->latency_low = named[i].low;
            return 0;
        }
    if (take_ms(&min_ms, text, &end) == 0 &&
        (*end == '\0' || (*end == '-' && take_ms(&max_ms, end + 1, &end) == 0 && *end == '\0' &&
                          max_ms >= min_ms))) {
        a->latency_ms = min_ms;
        a->latency_max_ms = max_ms;
        a->latency_low = false;
        return 0;
    }
    snprintf(
        r.text, r.size,
        "--latency: \"%.60s\" is neither low, balanced nor smooth, nor MS or MIN-MAX of 1 to %d "
        "milliseconds",
        text, ARGS_LATENCY_MAX_MS);
    return -1;
}

static int take_rotate(struct args *a, const char *text, struct reason r)
{
    for (unsigned turn = 0; turn < 360; turn += 90) {
        char degrees[8];
        snprintf(degrees, sizeof degrees, "%u", turn);
        if (strcmp(text, degrees) == 0) {
            a->rotate = turn;
            return 0;
        }
    }
    snprintf(r.text, r.size, "--rotate: \"%.60s\" is none of 0, 90, 180, 270", text);
    return -1;
}

static int take_statistics(struct args *a, const char *text, struct reason r)
{
    if (text[0] >= '0' && text[0] <= '0' + ARGS_PAGES && text[1] == '\0') {
        a->statistics = (unsigned)(text[0] - '0');
        return 0;
    }
    snprintf(r.text, r.size, "--statistics: \"%.60s\" is not in 0 to %d", text, ARGS_PAGES);
    return -1;
}

static int take_audio_delay(struct args *a, const char *text, struct reason r)
{
    char *end;
    const unsigned long ms = strtoul(text, &end, 10);

    if (*text >= '0' && *text <= '9' && *end == '\0' && ms <= 1000) {
        a->audio_delay_ms = (int)ms;
        return 0;
    }
    snprintf(r.text, r.size, "--audio-delay: \"%.60s\" is not in 0 to 1000 milliseconds", text);
    return -1;
}

static int take_layers(struct args *a, const char *text, struct reason r)
{
    if (strlen(text) == 4 && text[0] == 's' && text[2] == 't' && text[1] >= '0' && text[1] <= '3' &&
        text[3] >= '0' && text[3] <= '3') {
        a->max_spatial = text[1] - '0';
        a->max_temporal = text[3] - '0';
        return 0;
    }
    snprintf(r.text, r.size, "--layers: \"%.60s\" is not of the form s2t1", text);
    return -1;
}

static int take_size(struct args *a, const char *text, struct reason r)
{
    char *end;
    unsigned long w = strtoul(text, &end, 10), h = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
    bool digits = strspn(text, "0123456789x") == strlen(text);
    if (digits && *end == '\0' && w >= ARGS_SIDE_MIN && h >= ARGS_SIDE_MIN && w <= ARGS_SIDE_MAX &&
        h <= ARGS_SIDE_MAX) {
        a->width = (uint16_t)w;
        a->height = (uint16_t)h;
        return 0;
    }
    snprintf(r.text, r.size, "--size: \"%.60s\" is not WxH with sides of %d to %d", text,
             ARGS_SIDE_MIN, ARGS_SIDE_MAX);
    return -1;
}

static int take_log(struct args *a, const char *text, struct reason r)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            a->log = (enum log_level)i;
            return 0;
        }
    snprintf(r.text, r.size, "--log: \"%.60s\" is none of error, warn, info, debug", text);
    return -1;
}

static int take_video(struct args *a, const char *text, struct reason r)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && n >= 1 && n <= ARGS_VIDEOS_MAX) {
        a->video = (unsigned)n;
        return 0;
    }
    snprintf(r.text, r.size, "--video: \"%.60s\" is no number from 1 to %d", text, ARGS_VIDEOS_MAX);
    return -1;
}

static int take_screenshot(struct args *a, const char *text, struct reason r)
{
    if (a->n_screenshots == ARGS_SCREENSHOTS_MAX) {
        snprintf(r.text, r.size, "--screenshot: at most %d", ARGS_SCREENSHOTS_MAX);
        return -1;
    }
    struct args_screenshot *s = &a->screenshots[a->n_screenshots];
    const char *at = strrchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strlen(text);
    s->at_s = -1;
    if (len == 0 || len >= sizeof s->file) {
        snprintf(r.text, r.size, "--screenshot: the file name is %s", len ? "too long" : "missing");
        return -1;
    }
    if (at && strcmp(at, "@0") == 0) {
        s->at_s = 0;
    } else if (at && take_number(&s->at_s, at + 1, 1e7)) {
        snprintf(r.text, r.size, "--screenshot: \"%.60s\" is no number of seconds", at + 1);
        return -1;
    }
    memcpy(s->file, text, len);
    s->file[len] = '\0';
    a->n_screenshots++;
    return 0;
}

static int take_path(struct args *a, const char *text, struct reason r)
{
    char what[200];
    if (a->n_paths == ARGS_PATHS_MAX) {
        snprintf(r.text, r.size, "--path: at most %d", ARGS_PATHS_MAX);
        return -1;
    }
    if (path_spec_parse(&a->paths[a->n_paths], text, what, sizeof what)) {
        snprintf(r.text, r.size, "--path: %s", what);
        return -1;
    }
    a->n_paths++;
    return 0;
}

static int take_text(const char **out, const char *text, const char *option, struct reason r)
{
    if (*text) {
        *out = text;
        return 0;
    }
    snprintf(r.text, r.size, "--%s: an empty value", option);
    return -1;
}

static int take_option(struct args *a, int id, const char *value, struct reason r)
{
    switch (id) {
    case OPT_PATH:
        return take_path(a, value, r);
    case OPT_CONTROL:
        return take_text(&a->control_socket, value, "control", r);
    case OPT_FRAMES:
        return take_frames(a, value, r);
    case OPT_HAND_OVER:
        return take_text(&a->hand_over, value, "hand-over", r);
    case OPT_TAKE_OVER:
        return take_text(&a->take_over, value, "take-over", r);
    case OPT_RECONNECT:
        return take_reconnect(a, value, r);
    case OPT_RECORD:
        return take_text(&a->record_file, value, "record", r);
    case OPT_CA:
        return take_text(&a->ca_file, value, "ca", r);
    case OPT_TOKEN:
        return take_text(&a->token, value, "token", r);
    case OPT_CERT:
        return take_text(&a->cert_file, value, "cert", r);
    case OPT_KEY:
        return take_text(&a->key_file, value, "key", r);
    case OPT_JSON:
        return take_text(&a->json_file, value, "json", r);
    case OPT_KEYLOG:
        return take_text(&a->keylog_file, value, "keylog", r);
    case OPT_QLOG:
        return take_text(&a->qlog_dir, value, "qlog", r);
    case OPT_POLICY_LOG:
        return take_text(&a->policy_log, value, "policy-log", r);
    case OPT_REPLAY:
        return take_text(&a->replay_file, value, "replay-policy", r);
    case OPT_CC:
        return take_text(&a->cc, value, "cc", r);
    case OPT_SCHED:
        return take_text(&a->sched, value, "sched", r);
    case OPT_DURATION:
        return take_duration(a, value, r);
    case OPT_LATENCY:
        return take_latency(a, value, r);
    case OPT_DUMP_TIMING:
        return take_text(&a->timing_file, value, "dump-timing", r);
    case OPT_DUMP_FRAMES:
        return take_text(&a->frames_dir, value, "dump-frames", r);
    case OPT_STATISTICS:
        return take_statistics(a, value, r);
    case OPT_ROTATE:
        return take_rotate(a, value, r);
    case OPT_AUDIO_DELAY:
        return take_audio_delay(a, value, r);
    case OPT_LAYERS:
        return take_layers(a, value, r);
    case OPT_VIDEO:
        return take_video(a, value, r);
    case OPT_LANGUAGE:
        return take_text(&a->language, value, "language", r);
    case OPT_SIZE:
        return take_size(a, value, r);
    case OPT_LOG:
        return take_log(a, value, r);
    case OPT_SCREENSHOT:
        return take_screenshot(a, value, r);
    case OPT_HEADLESS:
        a->headless = true;
        return 0;
    case OPT_NO_AUDIO:
        a->no_audio = true;
        return 0;
    case OPT_FULLSCREEN:
        a->fullscreen = true;
        return 0;
    default:
        a->mute = true;
        return 0;
    }
}

enum args_result args_parse(struct args *out, int argc, char **argv, char *why, size_t why_size)
{
    struct args a = {
        .max_spatial = -1, .max_temporal = -1, .log = LOG_LEVEL_WARN, .width = 1280, .height = 720
    };
    struct reason r = { why, why_size };
    int id;
    optind = 0; /* start afresh: GNU getopt */
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (id == OPT_HELP)
            return ARGS_HELP;
        if (id == OPT_VERSION)
            return ARGS_VERSION;
        if (id == '?' || id == ':') {
            snprintf(why, why_size, id == '?' ? "unknown option %.100s" : "%.100s needs a value",
                     argv[optind - 1]);
            return ARGS_WRONG;
        }
        if (take_option(&a, id, optarg, r))
            return ARGS_WRONG;
    }
    if (a.replay_file && argc == optind) {
        *out = a;
        return ARGS_REPLAY;
    }
    if (a.hand_over && a.control_socket && argc == optind && !a.take_over) {
        *out = a;
        return ARGS_HAND_OVER;
    }
    const int wanted = a.take_over ? 0 : 1;
    if (argc - optind != wanted || a.replay_file || a.hand_over) {
        if (a.replay_file)
            snprintf(why, why_size, "--replay-policy plays no broadcast");
        else if (a.hand_over)
            snprintf(why, why_size,
                     a.control_socket
                         ? "--hand-over plays no broadcast"
                         : "--hand-over: which player? give the --control SOCKET that it "
                           "was started with");
        else if (a.take_over)
            snprintf(why, why_size, "--take-over: the other player says which broadcast");
        else if (argc == optind)
            snprintf(why, why_size, "which broadcast? give moqt://HOST/NAMESPACE");
        else
            snprintf(why, why_size, "one broadcast at a time: \"%.100s\" is too much",
                     argv[optind + 1]);
        return ARGS_WRONG;
    }
    if (!a.cert_file != !a.key_file) {
        snprintf(why, why_size, "--cert and --key go together");
        return ARGS_WRONG;
    }
    if (wanted && uri_parse(&a.uri, argv[optind], why, why_size))
        return ARGS_WRONG;
    if (!a.reconnect_given)
        a.reconnect_s = a.headless ? ARGS_RECONNECT_HEADLESS_S : -1;
    *out = a;
    return ARGS_RUN;
}
