/* base64.c - RFC 4648, section 4: what a command writes that is no text. See request.h. */
#include "agent/request.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)bytes[i] << 16;
        if (n > 1)
            v |= (uint32_t)bytes[i + 1] << 8;
        if (n > 2)
            v |= bytes[i + 2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[v & 63] : '=';
    }
    *out = '\0';
}

long base64_decode(const char *text, size_t len, uint8_t *out)
{
    long n = 0;

    if (len % 4)
        return -1;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t v = 0;
        size_t pad = 0;
        for (size_t k = 0; k < 4; k++) {
            const char c = text[i + k];
            const char *d = c ? strchr(digits, c) : NULL;
            if (c == '=' && i + 4 == len && k >= 2)
                pad++;
            else if (!d || pad)
                return -1;
            v = v << 6 | (d && c != '=' ? (uint32_t)(d - digits) : 0);
        }
        out[n++] = (uint8_t)(v >> 16);
        if (pad < 2)
            out[n++] = (uint8_t)(v >> 8);
        if (pad < 1)
            out[n++] = (uint8_t)v;
    }
    return n;
}
