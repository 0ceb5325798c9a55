/* SHA-1 (FIPS 180-4) and base64, as far as the WebSocket handshake needs them. */
#ifndef SHA1_H
#define SHA1_H

#include <stddef.h>

/* Write the Sec-WebSocket-Accept value (28 characters and a zero) for a client's key. */
void websocket_accept(const char *key, size_t key_size, char accept[29]);

#endif
