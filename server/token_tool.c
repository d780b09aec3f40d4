/* token_tool.c - the command svc-token: makes keys and tokens, and shows what a token says. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <tvl/tvl.h>

#include "token.h"

#define ID_BYTES 8
#define SECRET_BYTES 32
#define RSA_BITS 3072
#define TTL_MAX_S (100. * 365 * 86400)

static const char help[] =
    "Usage: svc-token --key FILE [--subscribe PREFIX]... [--publish PREFIX]... --ttl TIME\n"
    "       svc-token --show TOKEN|FILE [--key FILE --algorithm NAME]\n"
    "       svc-token --new-key FILE [--algorithm NAME]\n"
    "\n"
    "Makes a token for svc-server and writes it to standard output; shows one; makes a key.\n"
    "\n"
    "  --key FILE          to sign: the secret (HS256), or the private key in PEM (ES256, RS256);\n"
    "                      with --show, to verify: the secret, or the public key\n"
    "  --algorithm NAME    HS256, HS384, HS512, ES256, ES384, ES512, RS256, RS384 or RS512\n"
    "                      [the one that suits the key]\n"
    "  --subscribe PREFIX  may watch all namespaces that begin with PREFIX, by whole fields: "
    "live/\n"
    "                      covers live and live/a, not lively; \"\" covers all\n"
    "  --publish PREFIX    may publish them\n"
    "  --ttl TIME          good for so long from now on: 90s, 15m, 2h, 7d\n"
    "  --start TIME        good only after so long [at once]\n"
    "  --subject TEXT      whom it is for, as logs and the dashboard show it\n"
    "  --issuer TEXT       who made it, where the server asks for that\n"
    "  --id TEXT           its number; tokens of one number share --max-sessions [random]\n"
    "  --max-sessions N    sessions at once [the server's limit]\n"
    "  --show TOKEN|FILE   what it says and, with --key, whether it is good; -: standard input\n"
    "  --new-key FILE      a new secret in FILE; of ES* and RS* the private key, and in FILE.pub\n"
    "                      the public one, which is all that the server needs [HS256]\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed or not good, 64 usage.\n";

enum option_id {
    OPT_KEY = 256,
    OPT_ALGORITHM,
    OPT_SUBSCRIBE,
    OPT_PUBLISH,
    OPT_TTL,
    OPT_START,
    OPT_SUBJECT,
    OPT_ISSUER,
    OPT_ID,
    OPT_MAX_SESSIONS,
    OPT_SHOW,
    OPT_NEW_KEY,
    OPT_HELP,
    OPT_VERSION,
};
static const struct option options[] = {
    { "key", required_argument, NULL, OPT_KEY },
    { "algorithm", required_argument, NULL, OPT_ALGORITHM },
    { "subscribe", required_argument, NULL, OPT_SUBSCRIBE },
    { "publish", required_argument, NULL, OPT_PUBLISH },
    { "ttl", required_argument, NULL, OPT_TTL },
    { "start", required_argument, NULL, OPT_START },
    { "subject", required_argument, NULL, OPT_SUBJECT },
    { "issuer", required_argument, NULL, OPT_ISSUER },
    { "id", required_argument, NULL, OPT_ID },
    { "max-sessions", required_argument, NULL, OPT_MAX_SESSIONS },
    { "show", required_argument, NULL, OPT_SHOW },
    { "new-key", required_argument, NULL, OPT_NEW_KEY },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

struct orders {
    const char *key, *algorithm, *show, *new_key;
    const char *subscribe[TOKEN_GRANTS_MAX], *publish[TOKEN_GRANTS_MAX];
    struct token_order token;
    uint64_t ttl_s, start_s;
};

static int usage(const char *text, const char *what)
{
    fprintf(stderr, "svc-token: %s%s%s; svc-token --help says how\n", what, *what ? ": " : "",
            text);
    return EX_USAGE;
}

static int fail(const char *text)
{
    fprintf(stderr, "svc-token: %s\n", text);
    return EXIT_FAILURE;
}

/* ---- options ---- */

static bool read_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        double s;
    } units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
    char *end;
    const double n = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (end > text && strcmp(end, units[i].unit) == 0 && isfinite(n) && n >= 0 &&
            n * units[i].s <= TTL_MAX_S) {
            *out = (uint64_t)ceil(n * units[i].s);
            return true;
        }
    return false;
}

static bool add_prefix(const char **list, size_t *n, const char *text)
{
    if (*n == TOKEN_GRANTS_MAX)
        return false;
    list[(*n)++] = text;
    return true;
}

static bool read_sessions(const char *text, uint32_t *out)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    *out = (uint32_t)n;
    return *text >= '0' && *text <= '9' && !*end && n >= 1 && n <= TOKEN_SESSIONS_MAX;
}

/* 0, or the exit code. */
static int take(struct orders *o, int option, const char *value)
{
    switch (option) {
    case OPT_KEY:
        o->key = value;
        return 0;
    case OPT_ALGORITHM:
        o->algorithm = value;
        return token_algorithm_known(value) ? 0 : usage("no such algorithm", value);
    case OPT_SUBSCRIBE:
        return add_prefix(o->subscribe, &o->token.n_subscribe, value) ? 0
                                                                      : usage("too many", value);
    case OPT_PUBLISH:
        return add_prefix(o->publish, &o->token.n_publish, value) ? 0 : usage("too many", value);
    case OPT_TTL:
        return read_time(value, &o->ttl_s) && o->ttl_s ? 0 : usage("not a time", value);
    case OPT_START:
        return read_time(value, &o->start_s) ? 0 : usage("not a time", value);
    case OPT_SUBJECT:
        o->token.subject = value;
        return 0;
    case OPT_ISSUER:
        o->token.issuer = value;
        return 0;
    case OPT_ID:
        o->token.id = value;
        return 0;
    case OPT_MAX_SESSIONS:
        return read_sessions(value, &o->token.max_sessions) ? 0 : usage("not 1 to 65536", value);
    case OPT_SHOW:
        o->show = value;
        return 0;
    default:
        o->new_key = value;
        return 0;
    }
}

/* 0; -1: done, with code 0; else the exit code. */
static int read_options(struct orders *o, int argc, char **argv)
{
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        if (c == OPT_HELP) {
            fputs(help, stdout);
            return -1;
        }
        if (c == OPT_VERSION) {
            puts("svc-token " TVL_VERSION);
            return -1;
        }
        if (c == '?')
            return usage("unknown, or a value is missing", argv[optind - 1]);
        const int code = take(o, c, optarg);
        if (code)
            return code;
    }
    if (optind < argc)
        return usage("not an option", argv[optind]);
    if (!!o->show + !!o->new_key > 1 || (!o->show && !o->new_key && !o->key))
        return usage("one of --key, --show and --new-key says what to do", "");
    o->token.subscribe = o->subscribe;
    o->token.publish = o->publish;
    return 0;
}

/* ---- a token ---- */

static bool random_hex(char *out, size_t bytes)
{
    uint8_t raw[SECRET_BYTES * 2];
    if (bytes > sizeof raw || RAND_bytes(raw, (int)bytes) != 1)
        return false;
    for (size_t i = 0; i < bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return true;
}

static int make(struct orders *o)
{
    char why[512], id[2 * ID_BYTES + 1];
    struct token_key *key = NULL;
    const uint64_t now = (uint64_t)time(NULL);
    if (!o->ttl_s)
        return usage("--ttl says for how long a token is good", "");
    if (o->token.n_subscribe + o->token.n_publish == 0)
        return usage("a token without --subscribe and --publish is good for nothing", "");
    if (token_key_read(&key, o->key, o->algorithm, TOKEN_KEY_SIGN, why, sizeof why) < 0)
        return fail(why);
    if (!o->token.id && !random_hex(id, ID_BYTES)) {
        token_key_free(key);
        return fail("no random numbers to be had");
    }
    if (!o->token.id)
        o->token.id = id;
    o->token.not_before_s = o->start_s ? now + o->start_s : 0;
    o->token.expires_s = now + o->start_s + o->ttl_s;
    char *text = token_make(key, &o->token);
    token_key_free(key);
    if (!text)
        return fail("the token cannot be made, or is longer than 4096 bytes");
    const bool ok = puts(text) >= 0 && fflush(stdout) == 0;
    free(text);
    return ok ? 0 : fail("standard output cannot be written");
}

/* ---- show ---- */

/* The token itself, or the file it is in. Bytes, or -1. */
static int read_token(const char *from, char out[TOKEN_MAX + 2])
{
    FILE *f = strcmp(from, "-") == 0 ? stdin : fopen(from, "r");
    size_t n;
    if (f) {
        n = fread(out, 1, TOKEN_MAX + 1, f);
        if (f != stdin)
            fclose(f);
    } else {
        n = strnlen(from, TOKEN_MAX + 1);
        memcpy(out, from, n);
    }
    while (n > 0 && strchr(" \t\r\n", out[n - 1]))
        n--;
    return n > TOKEN_MAX ? -1 : (int)n;
}

static void say_until(uint64_t until_s)
{
    const time_t t = (time_t)(until_s - TOKEN_LEEWAY_S);
    struct tm tm;
    char date[64] = "?";
    if (gmtime_r(&t, &tm))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("good until %s\n", date);
}

static int verify(const struct orders *o, const char *text, size_t len)
{
    char why[512];
    struct token_key *key = NULL;
    struct token_claims claims;
    const char *algorithm = o->algorithm;
    if (!algorithm)
        return usage("--show with --key needs --algorithm, as the server has it", "");
    if (token_key_read(&key, o->key, algorithm, TOKEN_KEY_VERIFY, why, sizeof why) < 0)
        return fail(why);
    const enum token_verdict v =
        token_judge(key, o->token.issuer, text, len, (uint64_t)time(NULL), &claims);
    token_key_free(key);
    if (v == TOKEN_GOOD)
        say_until(claims.expires_s);
    token_claims_fini(&claims);
    return v == TOKEN_GOOD ? 0 : fail(token_verdict_text(v));
}

static int show(const struct orders *o)
{
    char text[TOKEN_MAX + 2];
    const int len = read_token(o->show, text);
    char *what = len > 0 ? token_describe(text, (size_t)len) : NULL;
    if (!what)
        return fail("neither a token nor a file with one");
    puts(what);
    free(what);
    return o->key ? verify(o, text, (size_t)len) : 0;
}

/* ---- keys ---- */

static FILE *create(const char *path, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        fprintf(stderr, "svc-token: %s: %s\n", path, strerror(errno));
    return f;
}

static int close_key(FILE *f, bool ok, const char *path)
{
    ok &= ferror(f) == 0;
    ok &= fclose(f) == 0;
    if (ok)
        return 0;
    unlink(path);
    fprintf(stderr, "svc-token: %s: cannot be written\n", path);
    return EXIT_FAILURE;
}

static EVP_PKEY *generate(const char *algorithm)
{
    if (algorithm[0] == 'R')
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
    const char *curve = strcmp(algorithm, "ES256") == 0   ? "P-256"
                        : strcmp(algorithm, "ES384") == 0 ? "P-384"
                                                          : "P-521";
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
}

static int write_pair(const char *path, const char *algorithm)
{
    char public_path[4096];
    EVP_PKEY *key = generate(algorithm);
    int code = EXIT_FAILURE;
    if (!key ||
        (size_t)snprintf(public_path, sizeof public_path, "%s.pub", path) >= sizeof public_path) {
        EVP_PKEY_free(key);
        return fail("the key cannot be made");
    }
    FILE *f = create(path, 0600);
    if (f)
        code = close_key(f, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, path);
    f = code == 0 ? create(public_path, 0644) : NULL;
    if (f)
        code = close_key(f, PEM_write_PUBKEY(f, key) == 1, public_path);
    else
        code = EXIT_FAILURE;
    EVP_PKEY_free(key);
    return code;
}

static int write_secret(const char *path, const char *algorithm)
{
    char hex[4 * SECRET_BYTES + 1];
    const size_t bytes = strcmp(algorithm, "HS256") == 0 ? SECRET_BYTES : 2 * SECRET_BYTES;
    if (!random_hex(hex, bytes))
        return fail("no random numbers to be had");
    FILE *f = create(path, 0600);
    return f ? close_key(f, fprintf(f, "%s\n", hex) > 0, path) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct orders o = { .key = NULL };
    const int code = read_options(&o, argc, argv);
    if (code)
        return code < 0 ? 0 : code;
    if (o.show)
        return show(&o);
    if (!o.new_key)
        return make(&o);
    const char *algorithm = o.algorithm ? o.algorithm : "HS256";
    return algorithm[0] == 'H' ? write_secret(o.new_key, algorithm)
                               : write_pair(o.new_key, algorithm);
}
