/* config_keys.c - see config_keys.h: the table alone. Its layout is by hand. */
#include "config_keys.h"

#include <string.h>

#include "config_value.h"

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)
#define END { .name = NULL }
#define CHOICE(...) (const char *const[]){ __VA_ARGS__, NULL }

static const struct config_key encoder_keys[] = {
    { "codec", KEY_TEXT, AT(config_encoder, codec), .fallback = "av1", .check = config_check_codec,
      .doc = "av1, vp9 or h264; h264 has temporal layers only." },
    { "layers", KEY_TEXT, AT(config_encoder, layers), .check = config_check_layers,
      .doc = "Structure: L1T1 to L3T3, L4T1, L4T2, and those with _KEY. Default L3T2, with h264 "
             "L1T2." },
    { "bitrate_kbps", KEY_KBPS, AT(config_encoder, bitrate_bps), .min = 8, .max = 100000,
      .fallback = "300,900,2400", .unit = "kbit/s",
      .doc = "List with the rate of each spatial layer on top of those below; the last one goes "
             "on upwards." },
    { "size", KEY_SIZE, AT(config_encoder, width), .doc =
      "Scale to this size, WxH with even sides from 64 to 4096. Default: the input's." },
    { "fps", KEY_RATE, AT(config_encoder, fps_num), .unit = "pictures/s",
      .doc = "1 to 240, as 30, 29.97 or 30000/1001. Default: the input's." },
    { "key_interval_s", KEY_REAL, AT(config_encoder, key_interval_s), .min = 0.01, .max = 3600,
      .fallback = "2", .unit = "s",
      .doc = "Between key pictures; a viewer that comes gets one sooner." },
    { "speed", KEY_U8, AT(config_encoder, speed), .min = 7, .max = 10, .fallback = "9",
      .doc = "7 is best, 10 fastest; used while nothing is short." },
    { "threads", KEY_U8, AT(config_encoder, threads), .min = 1, .max = 16, .fallback = "2",
      .doc = "Of the encoder, at most." },
    { "sound_packet_ms", KEY_CHOICE, AT(config_encoder, sound_packet),
      .names = CHOICE("auto", "10", "20", "40", "60"), .fallback = "auto", .unit = "ms",
      .doc = "How much sound goes together: longer costs less to send, and delays. auto: 60 where "
             "latency_ms is 400 or more, else 20; 10 with low_latency." },
    { "low_latency", KEY_FLAG, AT(config_encoder, low_latency), .fallback = "false",
      .doc = "Nothing waits for company: for delays below 100 ms." },
    END };
static const struct config_table encoder = { "encoder: of a live source", encoder_keys,
                                             sizeof(struct config_encoder) };

static const struct config_key source_keys[] = {
    { "namespace", KEY_TEXT, AT(config_source, ns), .fallback = "demo",
      .check = config_check_namespace,
      .doc = "MoQT namespace, fields separated by /; each only once. With kind publish: all that "
             "begin so." },
    { "kind", KEY_CHOICE, AT(config_source, kind),
      .names = CHOICE("file", "live", "upstream", "publish"), .fallback = "file",
      .doc = "file: a layered file. live: encoded while it runs. upstream: subscribed to on "
             "another server or relay. publish: pushed by a MoQT client." },
    { "input", KEY_TEXT, AT(config_source, input),
      .doc = "file: its name. live: test[:WxH][@FPS], a file or address that FFmpeg reads (srt:, "
             "rist:, rtmp:, rtsp:, rtp:, udp:, tcp:), v4l2:DEVICE, x11:DISPLAY, gst:PIPELINE, - "
             "(standard input). upstream: moqt://HOST:PORT/NAMESPACE. publish: none." },
    { "sound", KEY_TEXT, AT(config_source, sound),
      .doc = "live, with what comes in its own time: alsa:DEVICE, pulse:SOURCE, gst:PIPELINE or "
             "a stream instead of the input's own." },
    { "ca", KEY_PATH, AT(config_source, ca),
      .doc = "upstream: PEM trust anchors. Default: the system's." },
    { "token", KEY_PATH, AT(config_source, token),
      .doc = "upstream: file with the token to show." },
    { "loop", KEY_FLAG, AT(config_source, loop), .fallback = "false",
      .doc = "Files: begin again at the end." },
    { "start_s", KEY_REAL, AT(config_source, start_s), .min = 0, .max = 1e6, .fallback = "0",
      .unit = "s",
      .doc = "file: begin here." },
    { "on_demand", KEY_FLAG, AT(config_source, on_demand), .fallback = "false",
      .doc = "Runs only while somebody watches, and costs nothing else." },
    { "start_on_viewer", KEY_FLAG, AT(config_source, start_on_viewer), .fallback = "false",
      .doc = "Begins with the first viewer, and goes on." },
    { "latency_ms", KEY_U32, AT(config_source, latency_ms), .min = 50, .max = 10000,
      .fallback = "400",
      .unit = "ms",
      .doc = "From the source to display, as viewers are told; layers are dropped to hold it." },
    { "record", KEY_PATH, AT(config_source, record),
      .doc = "Layered file that is written of it. Conversions of strftime(3) are filled in, and "
             "nothing is written over: -2, -3 ... goes before the ending." },
    { "window_s", KEY_U32, AT(config_source, window_s), .min = 0, .max = 86400, .fallback = "0",
      .unit = "s",
      .doc = "How far back viewers may go; 0: not at all." },
    { "encoder", KEY_TABLE, AT(config_source, encoder), .table = &encoder,
      .doc = "live: how it is coded." },
    END };
const struct config_table config_source_table = { "sources: what is served", source_keys,
                                                  sizeof(struct config_source) };

static const struct config_key push_keys[] = {
    { "namespace", KEY_TEXT, AT(config_push, ns), .check = config_check_namespace,
      .doc = "Of a source of this server." },
    { "to", KEY_TEXT, AT(config_push, to), .doc = "moqt://HOST:PORT of the relay." },
    { "ca", KEY_PATH, AT(config_push, ca), .doc = "PEM trust anchors. Default: the system's." },
    { "token", KEY_PATH, AT(config_push, token), .doc = "File with the token to show." },
    END };
const struct config_table config_push_table = { "push: sources that are published to a relay",
    push_keys,
                                                sizeof(struct config_push) };

static const struct config_key grant_keys[] = {
    { "namespace", KEY_TEXT, AT(config_grant, ns), .fallback = "",
      .check = config_check_prefix,
      .doc = "All namespaces that begin with these fields; empty: all." },
    { "subject", KEY_TEXT, AT(config_grant, subject),
      .doc = "Only for who shows a certificate of client_ca with this subject, as RFC 2253 "
             "writes it: CN=cam1,O=Studio. Default: anybody." },
    { "subscribe", KEY_FLAG, AT(config_grant, subscribe), .fallback = "false",
      .doc = "May watch." },
    { "publish", KEY_FLAG, AT(config_grant, publish), .fallback = "false", .doc = "May publish." },
    END };
static const struct config_table grant = { "anonymous: what needs no token", grant_keys,
                                           sizeof(struct config_grant) };

static const struct config_key access_keys[] = {
    { "client_ca", KEY_PATH, AT(config_access, client_ca),
      .doc = "PEM; every client must show a certificate of it." },
    { "client_optional", KEY_FLAG, AT(config_access, client_optional), .fallback = "false",
      .doc = "With client_ca: a client that shows no certificate comes in too." },
    { "token_key", KEY_PATH, AT(config_access, token_key),
      .doc = "PEM public key, or a secret, that tokens are signed with. Without it none are "
             "taken." },
    { "token_algorithm", KEY_TEXT, AT(config_access, token_algorithm),
      .names = CHOICE("HS256", "HS384", "HS512", "ES256", "ES384", "ES512", "RS256", "RS384",
      "RS512"),
      .doc = "The one algorithm of tokens (RFC 7518); needed with token_key." },
    { "token_issuer", KEY_TEXT, AT(config_access, token_issuer),
      .doc = "\"iss\" that a token must have. Default: any." },
    { "anonymous", KEY_TABLES, AT(config_access, anonymous), AT(config_access, n_anonymous),
      .table = &grant,
      .doc = "List. Default: without token_key everybody who gets in may watch everything, with "
             "it nobody." },
    { "log", KEY_PATH, AT(config_access, log),
      .doc = "Access log, JSON lines; -: standard output." },
    { "per_address", KEY_U32, AT(config_access, per_address), .min = 0, .max = 65536,
      .fallback = "0",
      .unit = "connections", .doc = "At once from one address; 0: no limit." },
    { "per_token", KEY_U32, AT(config_access, per_token), .min = 0, .max = 65536, .fallback = "0",
      .unit = "sessions", .doc = "At once with one token; 0: no limit." },
    { "rate_per_address", KEY_U32, AT(config_access, rate_per_address), .min = 0, .max = 65536,
      .fallback = "0", .unit = "connections in 10 s",
      .doc = "New ones of one address; 0: no limit." },
    END };
const struct config_table config_access_table = { "access: who may", access_keys,
    sizeof(struct config_access) };

static const struct config_key control_keys[] = {
    { "listen", KEY_TEXT, AT(config_control, listen), .check = config_check_address,
      .doc = "ADDR:PORT (TCP) of dashboard, metrics and control, 127.0.0.1:4480 say. Default: "
             "none." },
    { "token", KEY_PATH, AT(config_control, token),
      .doc = "File with the bearer token that changes and lists of sessions need." },
    END };
static const struct config_table control = { "control: for operators", control_keys,
                                             sizeof(struct config_control) };

static const struct config_key transport_keys[] = {
    { "cc", KEY_TEXT, AT(config_transport, cc), .fallback = "copa", .check = config_check_cc,
      .doc = "Congestion control." },
    { "sched", KEY_TEXT, AT(config_transport, sched), .fallback = "layered",
      .check = config_check_sched,
      .doc = "Path scheduler." },
    { "knowledge", KEY_PATH, AT(config_transport, knowledge),
      .doc = "What was measured before, for objective. Default: the installed one." },
    { "objective", KEY_CHOICE, AT(config_transport, objective),
      .names = CHOICE("none", "throughput", "delay", "video"), .fallback = "none",
      .doc = "Towards which each path's congestion control is chosen while it runs." },
    { "server_id", KEY_BYTES, AT(config_transport, server_id), AT(config_transport, server_id_len),
      .doc = "1 to 8 bytes in hexadecimal, in connection IDs for balancers (QUIC-LB)." },
    { "lb_config_id", KEY_U8, AT(config_transport, lb_config_id), .min = 0, .max = 6,
      .fallback = "0",
      .doc = "Number of the balancers' configuration." },
    { "lb_key", KEY_PATH, AT(config_transport, lb_key),
      .doc = "File with 16 bytes in hexadecimal. Default: server_id is in the clear." },
    END };
static const struct config_table transport = { "transport: Multipath QUIC", transport_keys,
                                               sizeof(struct config_transport) };

static const struct config_key confine_keys[] = {
    { "mode", KEY_CHOICE, AT(config_confine, mode), .names = CHOICE("deny", "kill", "off"),
      .fallback = "deny",
      .doc = "deny: what the server does not need fails. kill: it ends the process. off: nothing "
             "is confined." },
    { "user", KEY_TEXT, AT(config_confine, user),
      .doc = "To become when started as root; root: stay. Default: svc-server where there is "
             "such a user." },
    { "writable", KEY_TEXTS, AT(config_confine, writable), AT(config_confine, n_writable),
      .doc = "List of folders that may be written to, beside those of recordings and logs." },
    { "readable", KEY_TEXTS, AT(config_confine, readable), AT(config_confine, n_readable),
      .doc = "List of folders under /home, /root, /boot that may be read, beside those of named "
             "files." },
    END };
const struct config_table config_confine_table = { "confine: what the server may touch",
    confine_keys,
                                             sizeof(struct config_confine) };

static const struct config_key root_keys[] = {
    { "listen", KEY_TEXT, AT(config, listen), .fallback = "0.0.0.0:4433",
      .check = config_check_address,
      .doc = "ADDR:PORT (UDP) to serve on; port 0: the kernel chooses." },
    { "cert", KEY_PATH, AT(config, cert), .doc = "Certificate chain, PEM. Required." },
    { "key", KEY_PATH, AT(config, key), .doc = "Its private key, PEM. Required." },
    { "workers", KEY_U32, AT(config, workers), .min = 0, .max = 32, .fallback = "0",
      .unit = "threads",
      .doc = "For viewers; 0: one for each processor." },
    { "viewers_max", KEY_U32, AT(config, viewers_max), .min = 1, .max = 65536, .fallback = "1024",
      .doc = "At the same time." },
    { "drain_s", KEY_U32, AT(config, drain_s), .min = 0, .max = 3600, .fallback = "1", .unit = "s",
      .doc = "Patience with viewers after the first SIGTERM." },
    { "log_level", KEY_CHOICE, AT(config, log_level), .names = CHOICE("error", "warn", "info",
      "debug"),
      .fallback = "warn", .doc = "The least grave that is logged on standard error." },
    { "log_json", KEY_FLAG, AT(config, log_json), .fallback = "false",
      .doc = "JSON lines instead of text on standard error." },
    { "json", KEY_PATH, AT(config, json),
      .doc = "Report as JSON lines: viewers, paths and layers, every second and at the end." },
    { "qlog", KEY_PATH, AT(config, qlog), .doc = "Folder for a qlog file of each connection." },
    { "keylog", KEY_PATH, AT(config, keylog),
      .doc = "TLS secrets for packet dissectors are appended to it." },
    { "policy_log", KEY_PATH, AT(config, policy_log),
      .doc = "What is decided on every layer unit, and from what." },
    { "sources", KEY_TABLES, AT(config, source), AT(config, n_sources),
      .table = &config_source_table,
      .doc = "What is served, at most 256; see below." },
    { "push", KEY_TABLES, AT(config, push), AT(config, n_pushes), .table = &config_push_table,
      .doc = "What is published to relays, at most 256; see below." },
    { "access", KEY_TABLE, AT(config, access), .table = &config_access_table, .doc = "See below." },
    { "control", KEY_TABLE, AT(config, control), .table = &control, .doc = "See below." },
    { "transport", KEY_TABLE, AT(config, transport), .table = &transport, .doc = "See below." },
    { "confine", KEY_TABLE, AT(config, confine), .table = &config_confine_table,
      .doc = "See below." },
    END };
const struct config_table config_root = { "The whole", root_keys, sizeof(struct config) };
/* clang-format on */

const struct config_key *config_key_find(const struct config_table *t, const char *name)
{
    for (const struct config_key *k = t->key; k->name; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}
