/*
 * hand_code.h - the code that a waiting player shows and another one is given: 60 random bits as
 * twelve of Crockford's 32 letters, "K7QX-M2P4-9FTA"; and where that player is. Pure but for the
 * kernel's randomness. The code is the key of the connection between the two (hand_link.h), so it
 * has to be too long to be searched while a handshake waits.
 */
#ifndef CLIENT_HAND_CODE_H
#define CLIENT_HAND_CODE_H

#include <stddef.h>
#include <stdint.h>

#define HAND_CODE_LETTERS 12
#define HAND_CODE_MAX (HAND_CODE_LETTERS + 3) /* bytes with hyphens and NUL */
#define HAND_KEY_LEN 32
#define HAND_HOST_MAX 256   /* bytes with NUL */
#define HAND_TARGET_MAX 320 /* bytes of a target's text with NUL */

struct hand_target {
    char host[HAND_HOST_MAX]; /* without brackets; "": any (of a listener) */
    uint16_t port;
    char code[HAND_CODE_MAX]; /* as hand_code_read() writes it; "": not given */
};

/* A new code. 0, or -1: the kernel has no randomness to give. */
int hand_code_new(char out[HAND_CODE_MAX]);
/* As a person types it: small letters, spaces, no hyphens, O for 0, I and L for 1. 0, or -1: none.
 */
int hand_code_read(char out[HAND_CODE_MAX], const char *text);
/* The key that a code stands for. 0 or -1. */
int hand_code_key(uint8_t out[HAND_KEY_LEN], const char *code);

/* "HOST:PORT#CODE", "[V6]:PORT#CODE", the code may be missing. 0, or -1 with one line in `why`,
 * which repeats no code. */
int hand_target_read(struct hand_target *out, const char *text, char *why, size_t why_size);
/* Where to listen: "PORT", ":PORT", "ADDRESS:PORT", "[V6]:PORT"; port 0: any that is free. 0 or -1.
 */
int hand_listen_read(struct hand_target *out, const char *text, char *why, size_t why_size);
/* "HOST:PORT#CODE" again, or "HOST:PORT" where there is no code. Result: `out`. */
const char *hand_target_text(const struct hand_target *t, char *out, size_t cap);

#endif
