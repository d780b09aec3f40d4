/* hand_code.c - see hand_code.h. */
#include "hand_code.h"

#include <openssl/evp.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define GROUP 4          /* letters between hyphens */
#define KEY_ROUNDS 10000 /* some milliseconds */

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void write_code(char out[HAND_CODE_MAX], const uint8_t value[HAND_CODE_LETTERS])
{
    size_t at = 0;

    for (size_t i = 0; i < HAND_CODE_LETTERS; i++) {
        if (i > 0 && i % GROUP == 0)
            out[at++] = '-';
        out[at++] = letters[value[i] & 31];
    }
    out[at] = '\0';
}

int hand_code_new(char out[HAND_CODE_MAX])
{
    uint8_t value[HAND_CODE_LETTERS];

    if (getrandom(value, sizeof value, 0) != (ssize_t)sizeof value)
        return -1;
    write_code(out, value);
    return 0;
}

/* What a letter stands for [0, 31]; -1: none. */
static int value_of(char c)
{
    const int upper = toupper((unsigned char)c);
    const char *at;

    if (upper == 'O')
        return 0;
    if (upper == 'I' || upper == 'L')
        return 1;
    at = upper ? strchr(letters, upper) : NULL;
    return at ? (int)(at - letters) : -1;
}

int hand_code_read(char out[HAND_CODE_MAX], const char *text)
{
    uint8_t value[HAND_CODE_LETTERS];
    size_t n = 0;

    for (; *text; text++) {
        const int v = value_of(*text);

        if (*text == '-' || isspace((unsigned char)*text))
            continue;
        if (v < 0 || n == HAND_CODE_LETTERS)
            return -1;
        value[n++] = (uint8_t)v;
    }
    if (n != HAND_CODE_LETTERS)
        return -1;
    write_code(out, value);
    return 0;
}

int hand_code_key(uint8_t out[HAND_KEY_LEN], const char *code)
{
    static const char salt[] = "svc-player hand-over 1";

    return PKCS5_PBKDF2_HMAC(code, (int)strlen(code), (const unsigned char *)salt, sizeof salt - 1,
                             KEY_ROUNDS, EVP_sha256(), HAND_KEY_LEN, out) == 1
               ? 0
               : -1;
}

/* ---- where ---- */

static int take_port(const char *text, unsigned least, uint16_t *out)
{
    unsigned value = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        value = value * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || text[n] || value < least || value > 65535)
        return -1;
    *out = (uint16_t)value;
    return 0;
}

/* "HOST:PORT" or "[V6]:PORT" of `len` bytes. */
static int take_place(struct hand_target *out, const char *text, size_t len, unsigned least_port)
{
    char place[HAND_HOST_MAX + 16];

    if (len >= sizeof place)
        return -1;
    memcpy(place, text, len);
    place[len] = '\0';
    char *host = place, *colon = strrchr(place, ':');
    if (!colon || take_port(colon + 1, least_port, &out->port) != 0)
        return -1;
    *colon = '\0';
    if (*host == '[') {
        if (colon == host + 1 || colon[-1] != ']')
            return -1;
        colon[-1] = '\0';
        host++;
    } else if (strchr(host, ':')) {
        return -1;
    }
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(".-_:%", *c))
            return -1;
    if (strlen(host) >= sizeof out->host)
        return -1;
    memcpy(out->host, host, strlen(host) + 1);
    return 0;
}

int hand_target_read(struct hand_target *out, const char *text, char *why, size_t why_size)
{
    const size_t len = strcspn(text, "#");
    struct hand_target t = { 0 };

    if (take_place(&t, text, len, 1) != 0 || !t.host[0]) {
        snprintf(why, why_size,
                 "\"%.*s\" is no player to hand over to: ADDRESS:PORT#CODE, as it shows",
                 (int)(len < 100 ? len : 100), text);
        return -1;
    }
    if (text[len] && hand_code_read(t.code, text + len + 1) != 0) {
        snprintf(why, why_size,
                 "the code is not one of %d letters and figures, as the other player "
                 "shows it",
                 HAND_CODE_LETTERS);
        return -1;
    }
    *out = t;
    return 0;
}

int hand_listen_read(struct hand_target *out, const char *text, char *why, size_t why_size)
{
    struct hand_target t = { 0 };

    if (take_port(text, 0, &t.port) == 0 || take_place(&t, text, strlen(text), 0) == 0) {
        *out = t;
        return 0;
    }
    snprintf(why, why_size,
             "\"%.100s\" is no place to listen: PORT, ADDRESS:PORT or [ADDRESS]:PORT", text);
    return -1;
}

const char *hand_target_text(const struct hand_target *t, char *out, size_t cap)
{
    const int v6 = strchr(t->host, ':') != NULL;

    snprintf(out, cap, "%s%s%s:%u%s%s", v6 ? "[" : "", t->host, v6 ? "]" : "", t->port,
             t->code[0] ? "#" : "", t->code);
    return out;
}
