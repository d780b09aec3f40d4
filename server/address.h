/* address.h - socket addresses as text, "192.0.2.1:4433" or "[2001:db8::1]:4433". Pure. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 80

/* "?" for any other family. */
void address_text(const struct sockaddr_storage *a, char out[ADDRESS_TEXT_MAX]);

#endif
