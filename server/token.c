/* token.c - see token.h. Signatures are libjwt's, keys are looked at by OpenSSL beforehand. */
#include "token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define RSA_BITS_MIN 2048
#define NUMERIC_DATE_MAX 1e15

struct token_key {
    jwt_alg_t alg;
    int len; /* bytes of `bytes`, without its NUL */
    unsigned char bytes[TOKEN_KEY_MAX + 1];
};

struct algorithm {
    const char *name;
    jwt_alg_t alg;
    int key_type;      /* EVP_PKEY_...; 0: a secret */
    int size;          /* a secret: least bytes; EC: bits of the curve */
    const char *curve; /* OpenSSL's name */
};
static const struct algorithm algorithms[] = {
    { "HS256", JWT_ALG_HS256, 0, 32, NULL },
    { "HS384", JWT_ALG_HS384, 0, 48, NULL },
    { "HS512", JWT_ALG_HS512, 0, 64, NULL },
    { "ES256", JWT_ALG_ES256, EVP_PKEY_EC, 256, "prime256v1" },
    { "ES384", JWT_ALG_ES384, EVP_PKEY_EC, 384, "secp384r1" },
    { "ES512", JWT_ALG_ES512, EVP_PKEY_EC, 521, "secp521r1" },
    { "RS256", JWT_ALG_RS256, EVP_PKEY_RSA, 0, NULL },
    { "RS384", JWT_ALG_RS384, EVP_PKEY_RSA, 0, NULL },
    { "RS512", JWT_ALG_RS512, EVP_PKEY_RSA, 0, NULL },
};
#define N_ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

static const struct algorithm *find_algorithm(const char *name)
{
    for (size_t i = 0; i < N_ALGORITHMS; i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

const char *token_algorithms(void)
{
    return "HS256, HS384, HS512, ES256, ES384, ES512, RS256, RS384, RS512";
}

bool token_algorithm_known(const char *name)
{
    return find_algorithm(name) != NULL;
}

/* ---- keys ---- */

static int say(char *why, size_t size, const char *file, const char *text)
{
    snprintf(why, size, "%s: %s", file, text);
    return -1;
}

static int read_file(struct token_key *key, const char *file, char *why, size_t size)
{
    FILE *f = fopen(file, "rb");
    if (!f)
        return say(why, size, file, strerror(errno));
    const size_t n = fread(key->bytes, 1, TOKEN_KEY_MAX, f);
    const bool failed = ferror(f), more = n == TOKEN_KEY_MAX && fgetc(f) != EOF;
    fclose(f);
    if (failed || more)
        return say(why, size, file, failed ? "cannot be read" : "too long for a key");
    key->len = (int)n;
    key->bytes[n] = 0;
    return 0;
}

static bool is_pem(const struct token_key *key)
{
    return strstr((const char *)key->bytes, "-----BEGIN ") != NULL;
}

static void trim(struct token_key *key)
{
    int from = 0;
    while (key->len > 0 && isspace(key->bytes[key->len - 1]))
        key->len--;
    while (from < key->len && isspace(key->bytes[from]))
        from++;
    key->len -= from;
    memmove(key->bytes, key->bytes + from, (size_t)key->len);
    key->bytes[key->len] = 0;
}

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(const struct token_key *key, enum token_key_use use)
{
    BIO *in = BIO_new_mem_buf(key->bytes, key->len);
    EVP_PKEY *k = NULL;
    if (in)
        k = use == TOKEN_KEY_SIGN ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL)
                                  : PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL);
    BIO_free(in);
    ERR_clear_error();
    return k;
}

static bool on_curve(const EVP_PKEY *k, const char *curve)
{
    char name[64];
    size_t len;
    return EVP_PKEY_get_group_name(k, name, sizeof name, &len) == 1 && strcmp(name, curve) == 0;
}

/* NULL: none is good for this key. */
static const struct algorithm *suits(const EVP_PKEY *k)
{
    for (size_t i = 0; i < N_ALGORITHMS; i++) {
        const struct algorithm *a = &algorithms[i];
        if (a->key_type && a->key_type == EVP_PKEY_get_base_id(k) &&
            (!a->curve || on_curve(k, a->curve)))
            return a;
    }
    return NULL;
}

static const char *check_pem(const struct algorithm *a, const EVP_PKEY *k)
{
    if (a->key_type != EVP_PKEY_get_base_id(k))
        return "a key of another kind than the algorithm wants";
    if (a->curve && !on_curve(k, a->curve))
        return "a key on another curve than the algorithm wants";
    if (a->key_type == EVP_PKEY_RSA && EVP_PKEY_get_bits(k) < RSA_BITS_MIN)
        return "an RSA key of less than 2048 bits";
    return NULL;
}

/* NULL and *alg, or what is wrong. */
static const char *take_pem(const struct token_key *key, const struct algorithm *a,
                            enum token_key_use use, jwt_alg_t *alg)
{
    if (a && !a->key_type)
        return "a PEM key, where the algorithm wants a secret";
    EVP_PKEY *k = read_pem(key, use);
    if (!k)
        return use == TOKEN_KEY_SIGN ? "no private key without a passphrase in it"
                                     : "no public key in it (openssl pkey -pubout makes one)";
    if (!a)
        a = suits(k);
    const char *wrong = a ? check_pem(a, k) : "a key that no algorithm of ours takes";
    EVP_PKEY_free(k);
    if (!wrong)
        *alg = a->alg;
    return wrong;
}

static const char *take_secret(struct token_key *key, const struct algorithm *a, jwt_alg_t *alg)
{
    if (!a)
        a = find_algorithm("HS256");
    if (a->key_type)
        return "no PEM key in it, as the algorithm wants";
    trim(key);
    if (key->len < a->size)
        return "a secret shorter than the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512";
    *alg = a->alg;
    return NULL;
}

int token_key_read(struct token_key **out, const char *file, const char *algorithm,
                   enum token_key_use use, char *why, size_t why_size)
{
    const struct algorithm *a = algorithm ? find_algorithm(algorithm) : NULL;
    if (algorithm && !a) {
        snprintf(why, why_size, "%s: no algorithm for tokens; there are %s", algorithm,
                 token_algorithms());
        return -1;
    }
    struct token_key *key = calloc(1, sizeof *key);
    if (!key)
        return say(why, why_size, file, "out of memory");
    const char *wrong = NULL;
    int result = read_file(key, file, why, why_size);
    if (result == 0) {
        wrong = is_pem(key) ? take_pem(key, a, use, &key->alg) : take_secret(key, a, &key->alg);
        if (wrong)
            result = say(why, why_size, file, wrong);
    }
    if (result < 0) {
        token_key_free(key);
        return -1;
    }
    *out = key;
    return 0;
}

void token_key_free(struct token_key *key)
{
    if (!key)
        return;
    OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

const char *token_key_algorithm(const struct token_key *key)
{
    return jwt_alg_str(key->alg);
}

/* ---- claims ---- */

void token_claims_fini(struct token_claims *c)
{
    for (size_t i = 0; i < c->n_subscribe; i++)
        free(c->subscribe[i]);
    for (size_t i = 0; i < c->n_publish; i++)
        free(c->publish[i]);
    memset(c, 0, sizeof *c);
}

static enum token_verdict take_prefixes(const json_t *list, char **out, size_t *n)
{
    size_t i;
    json_t *item;
    if (!list)
        return TOKEN_GOOD;
    if (!json_is_array(list) || json_array_size(list) > TOKEN_GRANTS_MAX)
        return TOKEN_MALFORMED;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return TOKEN_MALFORMED;
        out[*n] = strdup(json_string_value(item));
        if (!out[*n])
            return TOKEN_NO_MEMORY;
        ++*n;
    }
    return TOKEN_GOOD;
}

/* RFC 7519 NumericDate: seconds, with a fraction if it likes. */
static bool take_date(const json_t *value, double *out)
{
    if (!json_is_number(value))
        return false;
    *out = json_number_value(value);
    return *out >= 0 && *out <= NUMERIC_DATE_MAX;
}

static void take_subject(const char *text, char out[TOKEN_SUBJECT_MAX])
{
    size_t n = 0;
    for (; *text && n + 1 < TOKEN_SUBJECT_MAX; text++)
        out[n++] = *text > 0x20 && *text < 0x7f ? *text : '?';
    out[n] = 0;
}

/* By its number and who gave it, else by all that it says: not by its text, of which there may be
 * several with the same meaning. */
static bool take_id(const json_t *root, const json_t *jti, const json_t *iss,
                    uint8_t out[TOKEN_ID_SIZE])
{
    char *text;
    if (jti) {
        json_t *both = json_pack("[O, O?]", jti, iss);
        text = both ? json_dumps(both, JSON_COMPACT) : NULL;
        json_decref(both);
    } else {
        text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    }
    unsigned len = TOKEN_ID_SIZE;
    const bool ok = text && EVP_Digest(text, strlen(text), out, &len, EVP_sha256(), NULL) == 1;
    free(text);
    return ok;
}

static enum token_verdict take_claims(const json_t *root, const char *issuer, uint64_t now_s,
                                      struct token_claims *c)
{
    const json_t *nbf = json_object_get(root, "nbf"), *sub = json_object_get(root, "sub"),
                 *iss = json_object_get(root, "iss"), *jti = json_object_get(root, "jti"),
                 *most = json_object_get(root, "max_sessions");
    double exp, from = 0;
    if (!take_date(json_object_get(root, "exp"), &exp) || (nbf && !take_date(nbf, &from)) ||
        (sub && !json_is_string(sub)) || (iss && !json_is_string(iss)) ||
        (jti && !json_is_string(jti)) || (most && !json_is_integer(most)))
        return TOKEN_MALFORMED;
    const json_int_t sessions = most ? json_integer_value(most) : 1;
    if (sessions < 1 || sessions > TOKEN_SESSIONS_MAX)
        return TOKEN_MALFORMED;
    enum token_verdict v =
        take_prefixes(json_object_get(root, "subscribe"), c->subscribe, &c->n_subscribe);
    if (v == TOKEN_GOOD)
        v = take_prefixes(json_object_get(root, "publish"), c->publish, &c->n_publish);
    if (v != TOKEN_GOOD)
        return v;
    if (issuer && (!iss || strcmp(json_string_value(iss), issuer) != 0))
        return TOKEN_FOREIGN;
    if (exp + TOKEN_LEEWAY_S <= (double)now_s)
        return TOKEN_EXPIRED;
    if (from > (double)now_s + TOKEN_LEEWAY_S)
        return TOKEN_EARLY;
    if (!take_id(root, jti, iss, c->id))
        return TOKEN_NO_MEMORY;
    c->expires_s = (uint64_t)exp + TOKEN_LEEWAY_S;
    c->max_sessions = most ? (uint32_t)sessions : 0;
    take_subject(sub ? json_string_value(sub) : "", c->subject);
    return TOKEN_GOOD;
}

/* ---- judging ---- */

const char *token_verdict_text(enum token_verdict v)
{
    switch (v) {
    case TOKEN_GOOD:
        return "the token is good";
    case TOKEN_MALFORMED:
        return "the token is malformed";
    case TOKEN_FORGED:
        return "the token is not signed as it must be";
    case TOKEN_FOREIGN:
        return "the token is another issuer's";
    case TOKEN_EARLY:
        return "the token is not good yet";
    case TOKEN_EXPIRED:
        return "the token has expired";
    default:
        return "out of memory";
    }
}

/* Three parts in base64url (RFC 7515 7.1): nothing else reaches a parser. */
static bool has_form(const char *text, size_t len)
{
    size_t dots = 0;
    if (len == 0 || len > TOKEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        dots += c == '.';
        if (!isalnum((unsigned char)c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return dots == 2;
}

/* The header alone: what it asks for must be what is configured before a key is touched. */
static enum token_verdict check_header(const char *text, jwt_alg_t alg)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, text, NULL, 0) != 0)
        return TOKEN_MALFORMED;
    const char *name = jwt_get_header(jwt, "alg");
    char *crit = jwt_get_headers_json(jwt, "crit");
    enum token_verdict v = TOKEN_GOOD;
    if (!name)
        v = TOKEN_MALFORMED;
    else if (crit || strcmp(name, jwt_alg_str(alg)) != 0)
        v = TOKEN_FORGED;
    free(crit);
    jwt_free(jwt);
    return v;
}

/* The claims of a token whose signature is good; NULL and the verdict. */
static json_t *open_token(const struct token_key *key, const char *text, enum token_verdict *v)
{
    jwt_t *jwt = NULL;
    *v = check_header(text, key->alg);
    if (*v != TOKEN_GOOD)
        return NULL;
    if (jwt_decode(&jwt, text, key->bytes, key->len) != 0 || jwt_get_alg(jwt) != key->alg) {
        jwt_free(jwt);
        ERR_clear_error();
        *v = TOKEN_FORGED;
        return NULL;
    }
    char *claims = jwt_get_grants_json(jwt, NULL);
    jwt_free(jwt);
    json_t *root = claims ? json_loads(claims, 0, NULL) : NULL;
    free(claims);
    if (!root)
        *v = TOKEN_MALFORMED;
    return root;
}

enum token_verdict token_judge(const struct token_key *key, const char *issuer, const char *text,
                               size_t len, uint64_t now_s, struct token_claims *c)
{
    char copy[TOKEN_MAX + 1];
    enum token_verdict v;
    memset(c, 0, sizeof *c);
    if (!has_form(text, len))
        return TOKEN_MALFORMED;
    memcpy(copy, text, len);
    copy[len] = 0;
    json_t *root = open_token(key, copy, &v);
    if (!root)
        return v;
    v = take_claims(root, issuer, now_s, c);
    json_decref(root);
    if (v != TOKEN_GOOD)
        token_claims_fini(c);
    return v;
}

/* ---- making ---- */

static json_t *list_of(const char *const *items, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

static json_t *claims_of(const struct token_order *o)
{
    json_t *root = json_pack("{s:I, s:s*, s:s*, s:s*}", "exp", (json_int_t)o->expires_s, "sub",
                             o->subject, "iss", o->issuer, "jti", o->id);
    if (!root)
        return NULL;
    if (o->not_before_s)
        json_object_set_new(root, "nbf", json_integer((json_int_t)o->not_before_s));
    if (o->max_sessions)
        json_object_set_new(root, "max_sessions", json_integer(o->max_sessions));
    if (o->n_subscribe)
        json_object_set_new(root, "subscribe", list_of(o->subscribe, o->n_subscribe));
    if (o->n_publish)
        json_object_set_new(root, "publish", list_of(o->publish, o->n_publish));
    return root;
}

char *token_make(const struct token_key *key, const struct token_order *order)
{
    json_t *root = claims_of(order);
    char *claims = root ? json_dumps(root, JSON_COMPACT) : NULL, *text = NULL;
    jwt_t *jwt = NULL;
    json_decref(root);
    if (claims && jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_set_alg(jwt, key->alg, key->bytes, key->len) == 0)
        text = jwt_encode_str(jwt);
    jwt_free(jwt);
    free(claims);
    if (text && strlen(text) > TOKEN_MAX) {
        free(text);
        return NULL;
    }
    return text;
}

char *token_describe(const char *text, size_t len)
{
    char copy[TOKEN_MAX + 1];
    jwt_t *jwt = NULL;
    if (!has_form(text, len))
        return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    if (jwt_decode(&jwt, copy, NULL, 0) != 0)
        return NULL;
    char *header = jwt_get_headers_json(jwt, NULL), *claims = jwt_get_grants_json(jwt, NULL);
    json_t *both = json_pack("{s:o?, s:o?}", "header", header ? json_loads(header, 0, NULL) : NULL,
                             "claims", claims ? json_loads(claims, 0, NULL) : NULL);
    char *out = both ? json_dumps(both, JSON_INDENT(2)) : NULL;
    json_decref(both);
    free(header);
    free(claims);
    jwt_free(jwt);
    return out;
}
