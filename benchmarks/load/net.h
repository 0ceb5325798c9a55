/* Non-blocking connections on one epoll: HTTP/1.1 far enough to upgrade, then RFC 6455 frames. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role { BROWSER, SERVER };
enum state { CONNECTING, HTTP, OPEN, CLOSED };
enum opcode { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

typedef struct connection {
    int fd;
    enum role role;
    enum state state;
    bool wants_writable;
    int stream;          /* of whom; -1 while that isn't known */
    bool is_gladia;      /* a server connection that speaks Gladia's protocol */
    int progress;        /* of a browser: what of the /ws protocol is done */
    uint64_t audio;      /* bytes received as a server */
    uint8_t *in, *out;
    size_t in_size, in_room, out_size, out_room;
    uint8_t *rest;       /* audio that ended within a frame of ours */
    size_t rest_size;
} connection;

/* What the generator does with what arrives; `data` is unmasked and valid during the call. */
void on_connected(connection *of);
void on_head(connection *of, const char *head, size_t size, const char *body, size_t body_size);
void on_frame(connection *of, enum opcode opcode, uint8_t *data, size_t size);
void on_closed(connection *of);

void net_start(uint16_t listen_port);
connection *net_connect(uint16_t port, int stream);
void net_poll(uint64_t until);
void net_send(connection *to, const void *data, size_t size);

/* Send one frame; a browser's is masked in place. `data` needs 14 writable bytes before it. */
void net_send_frame(connection *to, enum opcode opcode, uint8_t *data, size_t size);
void net_close(connection *of);

/* How many bytes of a browser's audio wait because the relay doesn't read. */
extern uint64_t net_queued;

#endif
