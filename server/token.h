/*
 * token.h - tokens that grant namespaces: JSON Web Tokens (RFC 7519) signed by one key with one
 * algorithm, made and judged.
 *
 *     {"alg":"ES256","typ":"JWT"} . {"exp":1767225600, "sub":"cam1",
 *                                    "publish":["cam1/"], "subscribe":["live/"]} . signature
 *
 *     exp           required: seconds since 1970 from which on it is no good
 *     nbf, iss      optional: not before; who made it (must be right where the server asks)
 *     subscribe     optional: prefixes of namespaces it may subscribe to, see grant.h
 *     publish       likewise; a token with neither grants nothing
 *     sub           optional: whom it was made for, for people who read logs
 *     jti           optional: its number; else its claims tell it from others
 *     max_sessions  optional: at once [1, 65536]
 *
 * What is refused: any algorithm but the one configured, "none" above all, whatever the key; a
 * header with "crit"; a token longer than TOKEN_MAX; claims of a wrong type.
 */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX 4096        /* bytes */
#define TOKEN_GRANTS_MAX 32   /* prefixes of either kind */
#define TOKEN_SUBJECT_MAX 128 /* with its NUL; longer ones are cut */
#define TOKEN_ID_SIZE 32
#define TOKEN_LEEWAY_S 30   /* by which clocks may differ */
#define TOKEN_KEY_MAX 16384 /* bytes of a key file */
#define TOKEN_SESSIONS_MAX 65536

struct token_key; /* immutable: may be used by several threads */

enum token_key_use { TOKEN_KEY_VERIFY, TOKEN_KEY_SIGN };

/*
 * Read a key for `algorithm` (NULL when signing: what suits the key). HS*: the file is the secret,
 * white space at its ends left out, at least as long as the hash (RFC 7518 3.2). RS*, ES*: PEM, the
 * public key to verify, the private one to sign; RSA of 2048 bits or more; ES256 on P-256, ES384 on
 * P-384, ES512 on P-521. 0, or -1 with one line in `why`.
 */
int token_key_read(struct token_key **out, const char *file, const char *algorithm,
                   enum token_key_use use, char *why, size_t why_size);
void token_key_free(struct token_key *key); /* NULL allowed; the secret is wiped */
const char *token_key_algorithm(const struct token_key *key);
/* "HS256, HS384, ..." */
const char *token_algorithms(void);
bool token_algorithm_known(const char *name);

struct token_claims {
    char *subscribe[TOKEN_GRANTS_MAX], *publish[TOKEN_GRANTS_MAX];
    size_t n_subscribe, n_publish;
    char subject[TOKEN_SUBJECT_MAX]; /* printable; "": none */
    uint8_t id[TOKEN_ID_SIZE];       /* same for the same token */
    uint64_t expires_s;              /* since 1970 */
    uint32_t max_sessions;           /* 0: not said */
};
void token_claims_fini(struct token_claims *c); /* legal on a zeroed one */

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_MALFORMED, /* not a token of ours by its form */
    TOKEN_FORGED,    /* another algorithm, or a signature that is not our key's */
    TOKEN_FOREIGN,   /* another issuer */
    TOKEN_EARLY,     /* nbf lies ahead */
    TOKEN_EXPIRED,
    TOKEN_NO_MEMORY,
};
const char *token_verdict_text(enum token_verdict v); /* "the token has expired"; static */

/*
 * Judge a token at `now_s`, seconds since 1970. `issuer` NULL: any. TOKEN_GOOD fills `c` (give it
 * to token_claims_fini); everything else leaves it zeroed.
 */
enum token_verdict token_judge(const struct token_key *key, const char *issuer, const char *text,
                               size_t len, uint64_t now_s, struct token_claims *c);

struct token_order { /* what a new token shall say */
    const char *const *subscribe, *const *publish;
    size_t n_subscribe, n_publish;
    const char *subject, *issuer, *id; /* NULL: none */
    uint64_t not_before_s, expires_s;  /* since 1970; not_before_s 0: none */
    uint32_t max_sessions;             /* 0: none */
};
/* The text, to be freed, or NULL: no memory, or longer than TOKEN_MAX. */
char *token_make(const struct token_key *key, const struct token_order *order);

/* Header and claims as JSON to read, unverified; to be freed. NULL: malformed. */
char *token_describe(const char *text, size_t len);

#endif
