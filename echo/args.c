/* args.c - see args.h. */
#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char echo_help[] =
    "usage: tvl-echo serve --cert FILE --key FILE [OPTION]...\n"
    "       tvl-echo send HOST:PORT [OPTION]...\n"
    "       tvl-echo relay HOST:PORT --cert FILE --key FILE [OPTION]...\n"
    "       tvl-echo wake [OPTION]...\n"
    "Send bytes over Multipath QUIC to one who returns them, check and time them.\n"
    "\n"
    "serve: return what comes on streams and in datagrams, to all, until it is ended\n"
    "  --cert FILE, --key FILE   certificate chain and private key, PEM\n"
    "  --listen ADDRESS:PORT     [0.0.0.0:4433]\n"
    "  --client-ca FILE          only clients with a certificate issued by one of these\n"
    "send: exit status 0 if everything came back unharmed\n"
    "  --ca FILE                 trust anchors, PEM [the system's]\n"
    "  --name NAME               that the server's certificate must carry [HOST]\n"
    "  --path SPEC               a path: dev=NAME, local=ADDRESS, to=ADDRESS:PORT, name=, backup;\n"
    "                            or an interface or local address alone; repeat for several\n"
    "  --bytes N                 to send over streams; k, M, G are powers of 1000 [0]\n"
    "  --streams N               streams the bytes are sent over at once [1]\n"
    "  --pings N                 round trips to measure, one after the other [20]\n"
    "  --datagrams N             to send, one each interval [0]\n"
    "  --interval TIME           between pings and between datagrams, as 500us, 10ms [0ms]\n"
    "  --limit TIME              give up after this long [30s]\n"
    "  --cert FILE, --key FILE   what to show to a server that asks\n"
    "relay: connections that come in go on to HOST:PORT, stream by stream\n"
    "  --cert, --key, --listen, --client-ca   as serve has them, for those who come\n"
    "  --ca, --name, --path                   as send has them, for where it goes on\n"
    "wake: how late a periodic timer of this system is\n"
    "  --period TIME             [10ms]\n"
    "  --count N                 [200]\n"
    "all\n"
    "  --alpn NAME               the protocol spoken within [tvl-echo]\n"
    "  --cc NAME, --sched NAME   congestion controller and path scheduler\n"
    "  --json                    the result as one JSON object\n"
    "  --help, --version\n"
    "See tvl-echo(1).\n";

struct option {
    const char *name;
    unsigned verbs; /* bits of those that know it */
    int (*take)(struct echo_args *a, const char *value, char *why, size_t why_size);
};

static int take_text(char *out, size_t size, const char *value, char *why, size_t why_size)
{
    if (*value == '\0' || strlen(value) >= size) {
        snprintf(why, why_size, "%s", *value ? "is too long" : "is empty");
        return -1;
    }
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

static int take_number(uint64_t *out, uint64_t least, uint64_t most, const char *value, char *why,
                       size_t why_size)
{
    static const struct {
        char letter;
        uint64_t factor;
    } unit[] = { { '\0', 1 }, { 'k', 1000 }, { 'M', 1000000 }, { 'G', 1000000000 } };
    char *end;

    errno = 0;
    const unsigned long long n = strtoull(value, &end, 10);
    for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
        if (*end != unit[i].letter || (*end && end[1]) || *value < '0' || *value > '9' || errno)
            continue;
        if (n > most / unit[i].factor || n * unit[i].factor < least)
            break;
        *out = n * unit[i].factor;
        return 0;
    }
    snprintf(why, why_size, "takes a whole number from %llu to %llu", (unsigned long long)least,
             (unsigned long long)most);
    return -1;
}

static int take_time(uint64_t *out, const char *value, char *why, size_t why_size)
{
    static const struct {
        const char *name;
        double us;
    } unit[] = { { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 } };
    char *end;
    const double n = strtod(value, &end);

    for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++)
        if (*value >= '0' && *value <= '9' && strcmp(end, unit[i].name) == 0 && n <= 86400) {
            *out = (uint64_t)(n * unit[i].us);
            return 0;
        }
    snprintf(why, why_size, "takes a time like 500us, 10ms or 2s");
    return -1;
}

#define TEXT(field)                                                                     \
    static int take_##field(struct echo_args *a, const char *v, char *why, size_t size) \
    {                                                                                   \
        return take_text(a->field, sizeof a->field, v, why, size);                      \
    }
TEXT(cert)
TEXT(key)
TEXT(ca)
TEXT(client_ca)
TEXT(alpn)
TEXT(cc)
TEXT(sched)
TEXT(listen)
TEXT(name)
#undef TEXT

#define COUNT(field, least, most)                                                       \
    static int take_##field(struct echo_args *a, const char *v, char *why, size_t size) \
    {                                                                                   \
        uint64_t n;                                                                     \
                                                                                        \
        if (take_number(&n, least, most, v, why, size) != 0)                            \
            return -1;                                                                  \
        a->field = (uint32_t)n;                                                         \
        return 0;                                                                       \
    }
COUNT(streams, 1, ECHO_STREAMS_MAX)
COUNT(pings, 0, ECHO_COUNT_MAX)
COUNT(datagrams, 0, ECHO_COUNT_MAX)
COUNT(count, 1, ECHO_COUNT_MAX)
#undef COUNT

static int take_bytes(struct echo_args *a, const char *v, char *why, size_t size)
{
    return take_number(&a->bytes, 0, ECHO_BYTES_MAX, v, why, size);
}

static int take_interval(struct echo_args *a, const char *v, char *why, size_t size)
{
    return take_time(&a->interval_us, v, why, size);
}

static int take_limit(struct echo_args *a, const char *v, char *why, size_t size)
{
    return take_time(&a->limit_us, v, why, size);
}

static int take_path(struct echo_args *a, const char *v, char *why, size_t size)
{
    if (a->n_paths == ECHO_PATHS_MAX) {
        snprintf(why, size, "is given more than %d times", ECHO_PATHS_MAX);
        return -1;
    }
    return path_spec_parse(&a->path[a->n_paths++], v, why, size);
}

#define SERVE (1u << ECHO_SERVE)
#define SEND (1u << ECHO_SEND)
#define RELAY (1u << ECHO_RELAY)
#define WAKE (1u << ECHO_WAKE)
static const struct option options[] = {
    { "--cert", SERVE | SEND | RELAY, take_cert },
    { "--key", SERVE | SEND | RELAY, take_key },
    { "--ca", SEND | RELAY, take_ca },
    { "--client-ca", SERVE | RELAY, take_client_ca },
    { "--alpn", SERVE | SEND | RELAY, take_alpn },
    { "--cc", SERVE | SEND | RELAY, take_cc },
    { "--sched", SERVE | SEND | RELAY, take_sched },
    { "--listen", SERVE | RELAY, take_listen },
    { "--name", SEND | RELAY, take_name },
    { "--path", SEND | RELAY, take_path },
    { "--bytes", SEND, take_bytes },
    { "--streams", SEND, take_streams },
    { "--pings", SEND, take_pings },
    { "--datagrams", SEND, take_datagrams },
    { "--interval", SEND, take_interval },
    { "--limit", SEND, take_limit },
    { "--period", WAKE, take_interval },
    { "--count", WAKE, take_count },
};

/* The option argv[*i], with its value there or behind '='. */
static int take_option(struct echo_args *a, int argc, char *const *argv, int *i, char *why,
                       size_t why_size)
{
    const char *word = argv[*i], *value;
    const size_t len = strcspn(word, "=");
    char detail[ECHO_WHY_MAX];

    for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
        const struct option *o = &options[k];

        if (strlen(o->name) != len || strncmp(o->name, word, len) != 0 ||
            !(o->verbs >> a->verb & 1u))
            continue;
        value = word[len] ? word + len + 1 : NULL;
        if (!value && ++*i == argc) {
            snprintf(why, why_size, "%s needs a value", o->name);
            return -1;
        }
        if (o->take(a, value ? value : argv[*i], detail, sizeof detail) == 0)
            return 0;
        snprintf(why, why_size, "%s: %.200s", o->name, detail);
        return -1;
    }
    snprintf(why, why_size, "unknown option \"%.64s\"; try --help", word);
    return -1;
}

/* HOST:PORT or [ADDRESS]:PORT, and the name that the certificate must carry. */
static int take_server(struct echo_args *a, const char *text, char *why, size_t why_size)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    const bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    const char *host = text + bracketed;

    len -= 2u * bracketed;
    if (len == 0 || colon[1] == '\0' || strlen(text) >= sizeof a->server) {
        snprintf(why, why_size, "\"%.80s\" is not HOST:PORT", text);
        return -1;
    }
    memcpy(a->server, text, strlen(text) + 1);
    if (a->name[0] == '\0')
        snprintf(a->name, sizeof a->name, "%.*s", (int)len, host);
    return 0;
}

static int complete(const struct echo_args *a, char *why, size_t why_size)
{
    const char *lack = NULL;

    if ((a->verb == ECHO_SERVE || a->verb == ECHO_RELAY) && !(a->cert[0] && a->key[0]))
        lack = "serve and relay need --cert and --key";
    else if (!a->cert[0] != !a->key[0])
        lack = "--cert and --key go together";
    else if ((a->verb == ECHO_SEND || a->verb == ECHO_RELAY) && !a->server[0])
        lack = "send and relay need HOST:PORT";
    else if (a->verb == ECHO_WAKE && a->interval_us == 0)
        lack = "--period: takes a time above 0";
    if (lack)
        snprintf(why, why_size, "%s", lack);
    return lack ? -1 : 0;
}

static enum echo_verb verb_of(const char *word)
{
    static const struct {
        const char *word;
        enum echo_verb verb;
    } verbs[] = { { "serve", ECHO_SERVE }, { "send", ECHO_SEND },   { "relay", ECHO_RELAY },
                  { "wake", ECHO_WAKE },   { "--help", ECHO_HELP }, { "--version", ECHO_VERSION } };

    for (size_t i = 0; word && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(word, verbs[i].word) == 0)
            return verbs[i].verb;
    return ECHO_WRONG;
}

static void defaults(struct echo_args *a)
{
    memset(a, 0, sizeof *a);
    strcpy(a->listen, "0.0.0.0:4433");
    strcpy(a->alpn, "tvl-echo");
    a->streams = 1;
    a->pings = 20;
    a->limit_us = 30000000;
    a->count = 200;
}

enum echo_verb echo_args_parse(struct echo_args *a, int argc, char *const *argv, char *why,
                               size_t why_size)
{
    defaults(a);
    a->verb = verb_of(argc > 1 ? argv[1] : NULL);
    if (a->verb == ECHO_WAKE)
        a->interval_us = 10000;
    if (a->verb == ECHO_WRONG)
        snprintf(why, why_size, "serve, send, relay or wake comes first; try --help");
    for (int i = 2; i < argc && a->verb <= ECHO_WAKE; i++) {
        int r = 0;

        if (strcmp(argv[i], "--help") == 0)
            return a->verb = ECHO_HELP;
        if (strcmp(argv[i], "--json") == 0)
            a->json = true;
        else if (argv[i][0] != '-' && !a->server[0] &&
                 (a->verb == ECHO_SEND || a->verb == ECHO_RELAY))
            r = take_server(a, argv[i], why, why_size);
        else
            r = take_option(a, argc, argv, &i, why, why_size);
        if (r != 0)
            a->verb = ECHO_WRONG;
    }
    if (a->verb <= ECHO_WAKE && complete(a, why, why_size) != 0)
        a->verb = ECHO_WRONG;
    return a->verb;
}
