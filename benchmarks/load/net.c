#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum { READ_ROOM = 8192, LARGEST_HEAD = 16384, EVENTS = 64 };

uint64_t net_queued;
static int poller, listener;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static connection *new_connection(int fd, enum role role, enum state state, int stream) {
    connection *made = calloc(1, sizeof *made);
    if (!made) die("calloc");
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    made->fd = fd, made->role = role, made->state = state, made->stream = stream;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
    if (state == CONNECTING) event.events |= EPOLLOUT, made->wants_writable = true;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    return made;
}

void net_start(uint16_t port) {
    int on = 1;
    struct sockaddr_in address = loopback(port);
    poller = epoll_create1(0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) die("bind");
    if (listen(listener, 4096)) die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
}

connection *net_connect(uint16_t port, int stream) {
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect");
    return new_connection(fd, BROWSER, CONNECTING, stream);
}

static void want_writable(connection *of, bool wanted) {
    if (of->wants_writable == wanted) return;
    of->wants_writable = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = of};
    epoll_ctl(poller, EPOLL_CTL_MOD, of->fd, &event);
}

void net_close(connection *of) {
    if (of->state == CLOSED) return;
    close(of->fd);
    of->state = CLOSED;
    net_queued -= of->out_size;
    of->out_size = 0;
    on_closed(of);
}

static void keep(connection *of, const uint8_t *data, size_t size) {
    if (of->out_size + size > of->out_room) {
        of->out_room = (of->out_size + size) * 2;
        of->out = realloc(of->out, of->out_room);
        if (!of->out) die("realloc");
    }
    memcpy(of->out + of->out_size, data, size);
    of->out_size += size;
    net_queued += size;
    want_writable(of, true);
}

void net_send(connection *to, const void *data, size_t size) {
    if (to->state == CLOSED) return;
    ssize_t sent = 0;
    if (!to->out_size) {
        sent = send(to->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return net_close(to);
        if (sent < 0) sent = 0;
    }
    if ((size_t)sent < size) keep(to, (const uint8_t *)data + sent, size - (size_t)sent);
}

static void flush(connection *of) {
    if (of->out_size) {
        ssize_t sent = send(of->fd, of->out, of->out_size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return net_close(of);
        if (sent > 0) {
            memmove(of->out, of->out + sent, of->out_size - (size_t)sent);
            of->out_size -= (size_t)sent;
            net_queued -= (uint64_t)sent;
        }
    }
    if (!of->out_size) want_writable(of, false);
}

static void apply_mask(uint8_t *data, size_t size, const uint8_t mask[4]) {
    uint64_t wide;
    uint32_t narrow;
    memcpy(&narrow, mask, 4);
    wide = (uint64_t)narrow << 32 | narrow;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (; i < size; i++) data[i] ^= mask[i % 4];
}

static uint32_t next_mask(void) {
    static uint32_t state = 2463534242u;
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state;
}

void net_send_frame(connection *to, enum opcode opcode, uint8_t *data, size_t size) {
    uint8_t head[14];
    size_t used = 2;
    bool masked = to->role == BROWSER;
    head[0] = (uint8_t)(0x80 | opcode);
    if (size < 126) head[1] = (uint8_t)size;
    else head[1] = 126, head[2] = (uint8_t)(size >> 8), head[3] = (uint8_t)size, used = 4;
    if (masked) {
        uint32_t mask = next_mask();
        head[1] |= 0x80;
        memcpy(head + used, &mask, 4);
        apply_mask(data, size, head + used);
        used += 4;
    }
    memcpy(data - used, head, used);
    net_send(to, data - used, used + size);
}

/* Return the size of the whole frame at `data`, or 0 while it isn't complete. */
static size_t take_frame(connection *of, uint8_t *data, size_t size) {
    if (size < 2) return 0;
    bool masked = data[1] & 0x80;
    size_t length = data[1] & 0x7F, head = 2;
    if (length == 126) {
        if (size < 4) return 0;
        length = (size_t)data[2] << 8 | data[3], head = 4;
    } else if (length == 127) {
        if (size < 10) return 0;
        length = 0, head = 10;
        for (int i = 2; i < 10; i++) length = length << 8 | data[i];
    }
    if (masked) head += 4;
    if (size < head + length) return 0;
    if (masked) apply_mask(data + head, length, data + head - 4);
    on_frame(of, data[0] & 0x0F, data + head, length);
    return head + length;
}

static size_t content_length(const char *head, size_t size) {
    for (const char *line = head; (line = memchr(line, '\n', size - (size_t)(line - head))); line++)
        if (!strncasecmp(line + 1, "content-length:", 15)) return strtoul(line + 16, NULL, 10);
    return 0;
}

static size_t take_head(connection *of, const uint8_t *data, size_t size) {
    const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - data) + 4, body = content_length((const char *)data, head);
    if (size < head + body) return 0;
    on_head(of, (const char *)data, head, (const char *)data + head, body);
    return head + body;
}

static void take_all(connection *of) {
    size_t start = 0, taken;
    do {
        if (of->state == OPEN) taken = take_frame(of, of->in + start, of->in_size - start);
        else if (of->state == HTTP) taken = take_head(of, of->in + start, of->in_size - start);
        else return;
        start += taken;
    } while (taken && start < of->in_size);
    if (start && of->state != CLOSED) {
        memmove(of->in, of->in + start, of->in_size - start);
        of->in_size -= start;
    }
}

static void receive(connection *of) {
    if (of->in_room < of->in_size + READ_ROOM + 1) {
        of->in_room = of->in_size + 2 * READ_ROOM;
        of->in = realloc(of->in, of->in_room);
        if (!of->in) die("realloc");
    }
    ssize_t got = recv(of->fd, of->in + of->in_size, of->in_room - of->in_size - 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || (of->state == HTTP && of->in_size > LARGEST_HEAD)) return net_close(of);
    of->in_size += (size_t)got;
    of->in[of->in_size] = 0; /* heads are searched as text */
    take_all(of);
}

static void become_connected(connection *of) {
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(of->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem) return net_close(of);
    of->state = HTTP;
    want_writable(of, false);
    on_connected(of);
}

static void accept_all(void) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        new_connection(fd, SERVER, HTTP, -1);
}

void net_poll(uint64_t until) {
    struct epoll_event events[EVENTS];
    uint64_t time = now(), wait = until > time ? until - time : 0;
    struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        connection *of = events[i].data.ptr;
        if (!of) {
            accept_all();
            continue;
        }
        if (of->state == CONNECTING && events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            become_connected(of);
            continue;
        }
        if (events[i].events & EPOLLOUT && of->state != CLOSED) flush(of);
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) && of->state != CLOSED) receive(of);
    }
}
