/* credential.h - the token that is shown to a server: read each time, as somebody may renew it. */
#ifndef PEER_CREDENTIAL_H
#define PEER_CREDENTIAL_H

#include <stddef.h>

#define CREDENTIAL_TOKEN_MAX 4096 /* bytes */

/*
 * `from`: the name of a file with the token, white space around it left out, or the token itself
 * (three parts with dots between). Bytes written to `out` with a NUL, or -1 with one line in `why`,
 * which does not repeat the token.
 */
int credential_token(const char *from, char out[CREDENTIAL_TOKEN_MAX + 1], char *why,
                     size_t why_size);

#endif
