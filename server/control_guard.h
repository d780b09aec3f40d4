/*
 * control_guard.h - who may talk to the control interface. A web page that the operator happens to
 * visit reaches localhost as well; so beside the token there are two checks of what a browser says:
 *
 *     Host     an address or "localhost", never a name: a foreign name that is made to point here
 *              (DNS rebinding) is refused
 *     Origin   where there is one, the very server that is asked: no other site's page may ask,
 *              whatever the method
 *
 * Pure.
 */
#ifndef SERVER_CONTROL_GUARD_H
#define SERVER_CONTROL_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#define GUARD_URI_MAX 1024
#define GUARD_TOKEN_MIN 16
#define GUARD_TOKEN_MAX 256

/* Value of the header; NULL: there is none, which only HTTP/1.0 allows. */
bool guard_host(const char *host);
/* `origin`, `fetch_site` (Sec-Fetch-Site) NULL: the header is not there, as with curl. */
bool guard_origin(const char *origin, const char *fetch_site, const char *host);
/* "Bearer TOKEN"; time depends on nothing but lengths. NULL allowed for `header`. */
bool guard_bearer(const char *header, const char *token);
/* Not too long, and each escape is one of a printable character or UTF-8. */
bool guard_uri(const char *uri);

#endif
