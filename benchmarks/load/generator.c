/* All browsers and the upstream of a relay under load, in one process with one clock.
 *
 * Open loop: every stream sends a frame of 50 ms each 50 ms at its own random phase, whatever
 * the relay does. What arrives upstream is checked byte by byte. The upstream answers with finals,
 * and in the second and third of three windows, which take turns, with partials, too: everybody in
 * the room waits for them. In the third no audio goes up meanwhile.
 * Prints one JSON object. `generator` without arguments prints its options.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure.h"
#include "net.h"
#include "sha1.h"

#define SECOND 1000000000ul

enum {
    PCM = 1600,         /* 50 ms of 16 kHz PCM16 */
    SAMPLES = PCM / 2,
    INDEX = 8,          /* the sample index before a browser's PCM */
    ROOM_FOR_HEAD = 14,
    RING = 256,         /* transcripts per stream that are looked after at a time */
    TOKEN = 1024,
    PIDS = 8,
    MAX_TURNS = 16,
};
static const uint64_t FRAME_EVERY = SECOND / 20;

typedef struct {
    char magic[4];
    uint32_t stream;
    uint64_t sequence;
    uint64_t sent;
} frame_head;
enum { FILL = PCM - sizeof(frame_head) - 8 };

enum progress { ASKED, GREETED, TALKING };

typedef struct {
    connection *browser, *upstream;
    char token[TOKEN];
    uint64_t phase, frames, expected; /* expected: sequence number upstream */
    uint64_t transcripts, utterances;
    double utterance_start;
    struct pending {
        uint64_t sequence, sent;
        int left;
    } ring[RING];
} stream;

/* What was seen in one of three kinds of windows, which take turns: how fast a machine is drifts. */
typedef struct {
    uint64_t cpu, own_cpu, waited, own_waited;
    uint64_t sent, received, transcripts, deliveries, undelivered;
    long rss_kb;
    samples audio, caption, lateness;
} window;

static struct {
    uint16_t port, listen;
    int streams, room, turns, passthrough, acks, final_every, per_second, pids, cores[MAX_CORES];
    double seconds, warmup, join_rate, setup_limit;
    const char *tokens;
    pid_t pid[PIDS];
} options = {.streams = 100, .room = 5, .acks = 1, .final_every = 25, .per_second = 5,
             .seconds = 5, .warmup = 1, .turns = 1, .join_rate = 250, .setup_limit = 30, .cores = {0, 1}};

static stream *streams;
static int *by_phase;
enum { WINDOWS = 3 };
static window windows[WINDOWS];
static struct span {
    uint64_t from, until;
    window *of;
} spans[WINDOWS * MAX_TURNS];
static int span_count;
static uint8_t pattern[PCM + 256];
static uint64_t disorder, corrupt, foreign, doubled, closed_early, refused, stop_at;
static int talking, heard;
static bool speaking = true, transcribing;

static uint64_t check_of(const frame_head *head) {
    uint64_t mixed = head->sent * 0x9E3779B97F4A7C15ull ^ head->sequence << 20 ^ head->stream;
    return mixed ^ mixed >> 29;
}

static window *window_at(uint64_t time) {
    for (int i = span_count - 1; i >= 0; i--)
        if (time >= spans[i].from && time < spans[i].until) return spans[i].of;
    return NULL;
}

/* A voice-like sound, so that a voice gate lets it through: harmonics of 140 Hz under two formants. */
static void make_pattern(void) {
    for (size_t i = 0; i < sizeof pattern / 2; i++) {
        double value = 0, time = (double)i / 16000;
        for (int h = 1; h <= 24; h++) {
            double hz = 140.0 * h;
            double gain = exp(-pow((hz - 700) / 250, 2)) + 0.6 * exp(-pow((hz - 1700) / 300, 2)) + 0.02;
            value += gain * sin(2 * M_PI * hz * time);
        }
        int16_t sample = (int16_t)(value * 3000);
        memcpy(pattern + 2 * i, &sample, 2);
    }
}

static const uint8_t *fill_of(uint32_t number) { return pattern + 2 * (number % 128); }

/* Browsers */

static void send_text(connection *to, const char *text) {
    uint8_t buffer[512];
    size_t size = strlen(text);
    memcpy(buffer + ROOM_FOR_HEAD, text, size);
    net_send_frame(to, TEXT, buffer + ROOM_FOR_HEAD, size);
}

void on_connected(connection *of) {
    char request[TOKEN + 512];
    int size = snprintf(request, sizeof request,
                        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Protocol: sessions.v1, %s\r\n\r\n",
                        options.port, streams[of->stream].token);
    net_send(of, request, (size_t)size);
}

static void greet(connection *of) {
    char hello[96];
    of->state = OPEN;
    of->progress = GREETED;
    snprintf(hello, sizeof hello, "{\"type\":\"hello\",\"client\":\"bench%06d\",\"seq\":0}", of->stream);
    send_text(of, hello);
}

static void start_talking(connection *of) {
    of->progress = TALKING;
    talking++;
    send_text(of, "{\"type\":\"mic\",\"on\":true}");
}

static void send_audio(stream *from, int number, uint64_t due) {
    uint8_t buffer[ROOM_FOR_HEAD + INDEX + PCM];
    uint64_t time = now(), index = from->frames * SAMPLES;
    frame_head head = {{'P', 'C', 'M', 'F'}, (uint32_t)number, from->frames++, time};
    uint64_t check = check_of(&head);
    uint8_t *at = buffer + ROOM_FOR_HEAD;
    memcpy(at, &index, INDEX);
    memcpy(at + INDEX, &head, sizeof head);
    memcpy(at + INDEX + sizeof head, fill_of((uint32_t)number), FILL);
    memcpy(at + INDEX + PCM - 8, &check, 8);
    net_send_frame(from->browser, BINARY, at, INDEX + PCM);
    window *in = window_at(time);
    if (in) in->sent++, add_sample(&in->lateness, due, time);
}

static uint64_t hex(const char *text, int digits) {
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) value = value << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    return value;
}

static void take_caption(const char *mark) {
    uint64_t sent = hex(mark, 16), number = hex(mark + 17, 8), sequence = hex(mark + 26, 8);
    if (number >= (uint64_t)options.streams) {
        corrupt++;
        return;
    }
    struct pending *pending = &streams[number].ring[sequence % RING];
    window *in = window_at(sent);
    if (pending->sequence != sequence || pending->sent != sent || pending->left <= 0) {
        doubled++;
        return;
    }
    if (in) in->deliveries++;
    if (--pending->left == 0 && in) add_sample(&in->caption, sent, now());
}

static void browser_frame(connection *of, enum opcode opcode, uint8_t *data, size_t size) {
    const char *mark;
    if (opcode == PING) net_send_frame(of, PONG, data, size);
    else if (opcode == CLOSE) net_close(of);
    else if (opcode == TEXT && of->progress == GREETED && memmem(data, size, "\"welcome\"", 9)) start_talking(of);
    else if (opcode == TEXT && (mark = memmem(data, size, "~T", 2)) && mark + 36 <= (char *)data + size)
        take_caption(mark + 2);
}

/* Upstream: Gladia's side, and the plain endpoint behind a pass-through */

static void answer(connection *to, const char *status, const char *body) {
    char reply[512];
    int size = snprintf(reply, sizeof reply,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        status, strlen(body), body);
    net_send(to, reply, (size_t)size);
}

static void answer_init(connection *to) {
    static unsigned sessions;
    char body[320];
    sessions++;
    snprintf(body, sizeof body,
             "{\"id\":\"00000000-0000-4000-8000-%012u\",\"created_at\":\"2026-01-01T00:00:00.000Z\","
             "\"url\":\"ws://127.0.0.1:%u/v2/live?token=00000000-0000-4000-8000-%012u\"}",
             sessions, options.listen, sessions);
    answer(to, "201 Created", body);
}

static void upgrade(connection *to, const char *key, bool is_gladia) {
    char accept[29], reply[256];
    websocket_accept(key, 24, accept);
    int size = snprintf(reply, sizeof reply,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                        accept, is_gladia ? "" : "Sec-WebSocket-Protocol: sessions.v1\r\n");
    to->state = OPEN;
    to->is_gladia = is_gladia;
    net_send(to, reply, (size_t)size);
}

void on_head(connection *of, const char *head, size_t size, const char *body, size_t body_size) {
    (void)body, (void)body_size;
    if (of->role == BROWSER) {
        if (!memmem(head, size, " 101 ", 5)) {
            if (refused++ == 0) fprintf(stderr, "refused: %.*s\n", (int)size, head);
            net_close(of);
        } else greet(of);
        return;
    }
    const char *key = strcasestr(head, "\nSec-WebSocket-Key: ");
    if (!strncmp(head, "POST /v2/live", 13)) answer_init(of);
    else if (key && key < head + size) upgrade(of, key + 20, strncmp(head, "GET /v2/live", 12) == 0);
    else answer(of, "404 Not Found", "{\"statusCode\":404,\"message\":\"Cannot do that\"}");
}

static void acknowledge(connection *to, size_t size) {
    uint8_t buffer[512];
    double from = (double)(to->audio - size) / 32000, until = (double)to->audio / 32000;
    int length = snprintf((char *)buffer + ROOM_FOR_HEAD, sizeof buffer - ROOM_FOR_HEAD,
                          "{\"session_id\":\"00000000-0000-4000-8000-000000000000\","
                          "\"created_at\":\"2026-01-01T00:00:00.000Z\",\"type\":\"audio_chunk\","
                          "\"acknowledged\":true,\"error\":null,\"data\":{\"byte_range\":[%llu,%llu],"
                          "\"time_range\":[%.3f,%.3f]}}",
                          (unsigned long long)(to->audio - size), (unsigned long long)to->audio, from, until);
    net_send_frame(to, TEXT, buffer + ROOM_FOR_HEAD, (size_t)length);
}

/* Check one of our frames as it came out of the relay. */
static void take_audio(connection *of, const uint8_t *pcm) {
    frame_head head;
    uint64_t check, time = now();
    memcpy(&head, pcm, sizeof head);
    memcpy(&check, pcm + PCM - 8, 8);
    if (memcmp(head.magic, "PCMF", 4) || head.stream >= (uint32_t)options.streams ||
        check != check_of(&head) || memcmp(pcm + sizeof head, fill_of(head.stream), FILL)) {
        corrupt++;
        return;
    }
    stream *from = &streams[head.stream];
    if (of->stream < 0) {
        of->stream = (int)head.stream;
        if (!from->upstream) heard++;
        from->upstream = of;
    }
    if (of->stream != (int)head.stream) foreign++;
    if (head.sequence < from->expected) disorder++;
    else {
        window *in = window_at(head.sent);
        if (in) {
            in->received++;
            add_sample(&in->audio, head.sent, time);
        }
        from->expected = head.sequence + 1;
    }
}

/* A relay may join or cut what it sends: put our frames together again. */
static void take_pcm(connection *of, const uint8_t *data, size_t size) {
    of->audio += size;
    if (options.acks) acknowledge(of, size);
    if (of->rest_size) {
        size_t missing = PCM - of->rest_size, more = size < missing ? size : missing;
        memcpy(of->rest + of->rest_size, data, more);
        of->rest_size += more, data += more, size -= more;
        if (of->rest_size < PCM) return;
        take_audio(of, of->rest);
        of->rest_size = 0;
    }
    for (; size >= PCM; data += PCM, size -= PCM) take_audio(of, data);
    if (size) {
        if (!of->rest) of->rest = malloc(PCM);
        if (!of->rest) abort();
        memcpy(of->rest, data, size);
        of->rest_size = size;
    }
}

static void end_recording(connection *of) {
    char reply[320];
    static const char head[] = "{\"session_id\":\"00000000-0000-4000-8000-000000000000\","
                               "\"created_at\":\"2026-01-01T00:00:00.000Z\",\"type\"";
    uint8_t close[ROOM_FOR_HEAD + 2] = {[ROOM_FOR_HEAD] = 0x03, [ROOM_FOR_HEAD + 1] = 0xE8};
    snprintf(reply, sizeof reply,
             "%s:\"stop_recording\",\"acknowledged\":true,\"error\":null,\"data\":"
             "{\"recording_duration\":%.3f,\"recording_left_to_process\":0.0}}",
             head, (double)of->audio / 32000);
    send_text(of, reply);
    snprintf(reply, sizeof reply, "%s:\"end_session\"}", head);
    send_text(of, reply);
    net_send_frame(of, CLOSE, close + ROOM_FOR_HEAD, 2);
}

static void server_frame(connection *of, enum opcode opcode, uint8_t *data, size_t size) {
    if (opcode == BINARY && of->is_gladia) take_pcm(of, data, size);
    else if (opcode == BINARY && size > INDEX) take_pcm(of, data + INDEX, size - INDEX);
    else if (opcode == PING) {
        uint8_t pong[ROOM_FOR_HEAD + 125];
        memcpy(pong + ROOM_FOR_HEAD, data, size < 125 ? size : 125);
        net_send_frame(of, PONG, pong + ROOM_FOR_HEAD, size < 125 ? size : 125);
    } else if (opcode == CLOSE) net_close(of);
    else if (of->is_gladia && memmem(data, size, "stop_recording", 14)) end_recording(of);
    else if (!of->is_gladia && memmem(data, size, "\"hello\"", 7)) send_text(of, "{\"type\":\"welcome\"}");
}

void on_frame(connection *of, enum opcode opcode, uint8_t *data, size_t size) {
    if (of->role == BROWSER) browser_frame(of, opcode, data, size);
    else server_frame(of, opcode, data, size);
}

void on_closed(connection *of) {
    if (stop_at && now() >= stop_at) return;
    if (of->role == BROWSER || of->is_gladia) closed_early += of->stream >= 0;
    if (of->stream >= 0 && streams[of->stream].upstream == of) streams[of->stream].upstream = NULL;
}

/* Partials come in the later windows only, finals always: without them a relay would have to keep
 * all audio, which no service makes it do. */
static void send_transcript(stream *of, int number) {
    uint8_t buffer[1024];
    uint64_t sequence = ++of->transcripts;
    bool is_final = sequence % (uint64_t)options.final_every == 0;
    if (!transcribing && !is_final) return;
    double end = (double)of->upstream->audio / 32000, start = of->utterance_start;
    uint64_t time = now();
    char *text = (char *)buffer + ROOM_FOR_HEAD;
    int size = snprintf(
        text, sizeof buffer - ROOM_FOR_HEAD,
        "{\"session_id\":\"00000000-0000-4000-8000-000000000000\",\"created_at\":\"2026-01-01T00:00:00.000Z\","
        "\"type\":\"transcript\",\"data\":{\"id\":\"00_%08llu\",\"is_final\":%s,\"utterance\":{"
        "\"text\":\" ~T%016llx.%08x.%08llx so we agree on that.\",\"start\":%.3f,\"end\":%.3f,\"language\":\"en\","
        "\"confidence\":0.91,\"channel\":0,\"words\":["
        "{\"word\":\" so\",\"start\":%.3f,\"end\":%.3f,\"confidence\":0.92},"
        "{\"word\":\" we\",\"start\":%.3f,\"end\":%.3f,\"confidence\":0.9},"
        "{\"word\":\" agree\",\"start\":%.3f,\"end\":%.3f,\"confidence\":0.88},"
        "{\"word\":\" on\",\"start\":%.3f,\"end\":%.3f,\"confidence\":0.97},"
        "{\"word\":\" that.\",\"start\":%.3f,\"end\":%.3f,\"confidence\":0.9}]}}}",
        (unsigned long long)of->utterances, is_final ? "true" : "false", (unsigned long long)time, number,
        (unsigned long long)sequence, start, end, start, start + .1, start + .1, start + .2, start + .2, start + .3,
        start + .3, start + .4, start + .4, end);
    struct pending *pending = &of->ring[sequence % RING];
    window *before = window_at(pending->sent), *in = window_at(time);
    if (before && pending->left > 0) before->undelivered += (uint64_t)pending->left;
    *pending = (struct pending){sequence, time, options.room};
    if (in) in->transcripts++;
    if (is_final) of->utterances++, of->utterance_start = end;
    net_send_frame(of->upstream, TEXT, (uint8_t *)text, (size_t)size);
}

/* The schedule: streams in the order of their phase, round and round */

typedef struct {
    uint64_t start, every;
    uint64_t turn; /* how many were done since start */
} wheel;

static uint64_t due_at(const wheel *of) {
    uint64_t round = of->turn / (uint64_t)options.streams, place = of->turn % (uint64_t)options.streams;
    double share = (double)streams[by_phase[place]].phase / (double)FRAME_EVERY;
    return of->start + round * of->every + (uint64_t)(share * (double)of->every);
}

static void do_frames(wheel *of, uint64_t time) {
    for (uint64_t due; (due = due_at(of)) <= time; of->turn++) {
        int number = by_phase[of->turn % (uint64_t)options.streams];
        connection *browser = streams[number].browser;
        bool talks = browser && browser->state == OPEN && browser->progress == TALKING;
        if (talks && (speaking || !streams[number].upstream)) send_audio(&streams[number], number, due);
    }
}

static void do_transcripts(wheel *of, uint64_t time) {
    for (; due_at(of) <= time; of->turn++) {
        int number = by_phase[of->turn % (uint64_t)options.streams];
        if (streams[number].upstream) send_transcript(&streams[number], number);
    }
}

static wheel frames, transcripts;

static void run_until(uint64_t until) {
    for (uint64_t time; (time = now()) < until;) {
        do_frames(&frames, time);
        do_transcripts(&transcripts, time);
        uint64_t next = due_at(&frames), other = due_at(&transcripts);
        if (other < next) next = other;
        net_poll(next < until ? next : until);
    }
}

static int compare_phase(const void *a, const void *b) {
    uint64_t x = streams[*(const int *)a].phase, y = streams[*(const int *)b].phase;
    return x < y ? -1 : x > y;
}

static void prepare(void) {
    streams = calloc((size_t)options.streams, sizeof *streams);
    by_phase = calloc((size_t)options.streams, sizeof *by_phase);
    if (!streams || !by_phase) abort();
    FILE *file = options.tokens ? fopen(options.tokens, "r") : NULL;
    srand48(1);
    for (int i = 0; i < options.streams; i++) {
        streams[i].phase = (uint64_t)(drand48() * (double)FRAME_EVERY);
        by_phase[i] = i;
        if (!file || !fgets(streams[i].token, TOKEN, file)) snprintf(streams[i].token, TOKEN, "stream%d", i);
        streams[i].token[strcspn(streams[i].token, "\r\n")] = 0;
    }
    if (file) fclose(file);
    qsort(by_phase, (size_t)options.streams, sizeof *by_phase, compare_phase);
}

/* Everybody joins and is heard upstream; false if that didn't happen in time. */
static bool everybody_joins(void) {
    uint64_t start = now(), limit = start + (uint64_t)(options.setup_limit * 1e9);
    int joined = 0;
    while (heard < options.streams && now() < limit && !refused) {
        uint64_t wanted = (uint64_t)((double)(now() - start) / 1e9 * options.join_rate);
        while (joined < options.streams && (uint64_t)joined <= wanted) {
            streams[joined].browser = net_connect(options.port, joined);
            joined++;
        }
        run_until(now() + 5000000);
    }
    return heard >= options.streams;
}

static uint64_t relay_cpu(void) {
    uint64_t total = 0;
    for (int i = 0; i < options.pids; i++) total += cpu_time(options.pid[i]);
    return total;
}

static uint64_t relay_wait(void) {
    uint64_t total = 0;
    for (int i = 0; i < options.pids; i++) total += wait_time(options.pid[i]);
    return total;
}

static void measure(window *into) {
    uint64_t waited = relay_wait(), own_waited = wait_time(getpid());
    uint64_t cpu = relay_cpu(), own = cpu_time(0), time = now();
    struct span *span = &spans[span_count++];
    *span = (struct span){time, time + (uint64_t)(options.seconds / options.turns * 1e9), into};
    run_until(span->until);
    into->cpu += relay_cpu() - cpu;
    into->own_cpu += cpu_time(0) - own;
    into->waited += relay_wait() - waited;
    into->own_waited += wait_time(getpid()) - own_waited;
    into->rss_kb = 0;
    for (int i = 0; i < options.pids; i++) into->rss_kb += resident_kb(options.pid[i]);
}

static void count_undelivered(void) {
    for (int i = 0; i < options.streams; i++)
        for (int r = 0; r < RING; r++) {
            struct pending pending = streams[i].ring[r];
            window *in = window_at(pending.sent);
            if (in && pending.left > 0) in->undelivered += (uint64_t)pending.left;
        }
}

static void print_window(window *of) {
    unsigned stalls = 0;
    uint64_t stalled = 0, time = 0;
    for (int i = 0; i < span_count; i++) {
        unsigned count;
        uint64_t total;
        if (spans[i].of != of) continue;
        count_stalls(spans[i].from, spans[i].until, &count, &total);
        stalls += count, stalled += total, time += spans[i].until - spans[i].from;
    }
    double seconds = time ? (double)time / 1e9 : 1;
    printf("{\"seconds\":%.3f,\"cpu_seconds\":%.6f,\"own_cpu\":%.4f,\"waited\":%.4f,\"own_waited\":%.4f,\"sent\":%llu,\"received\":%llu,"
           "\"lost\":%lld,\"transcripts\":%llu,\"deliveries\":%llu,\"undelivered\":%llu,\"rss_kb\":%ld,"
           "\"stalls\":%u,\"stalled_ms\":%.1f,\"audio\":",
           seconds, (double)of->cpu / 1e9, (double)of->own_cpu / 1e9 / seconds,
           (double)of->waited / 1e9 / seconds, (double)of->own_waited / 1e9 / seconds, (unsigned long long)of->sent,
           (unsigned long long)of->received, (long long)(of->sent - of->received), (unsigned long long)of->transcripts,
           (unsigned long long)of->deliveries, (unsigned long long)of->undelivered, of->rss_kb, stalls,
           (double)stalled / 1e6);
    print_samples(stdout, &of->audio);
    printf(",\"caption\":");
    print_samples(stdout, &of->caption);
    printf(",\"lateness\":");
    print_samples(stdout, &of->lateness);
    printf("}");
}

static void parse_list(char *text, int *into, int room, int *count) {
    *count = 0;
    for (char *part = strtok(text, ","); part && *count < room; part = strtok(NULL, ",")) into[(*count)++] = atoi(part);
}

static void parse_options(int argc, char **argv) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'},       {"listen", 1, 0, 'l'},   {"streams", 1, 0, 'n'}, {"room", 1, 0, 'r'},
        {"seconds", 1, 0, 's'},    {"warmup", 1, 0, 'w'},   {"tokens", 1, 0, 't'},  {"pids", 1, 0, 'i'},
        {"cores", 1, 0, 'c'},      {"acks", 1, 0, 'a'},     {"join-rate", 1, 0, 'j'}, {"passthrough", 0, 0, 'x'},
        {"final-every", 1, 0, 'f'}, {"per-second", 1, 0, 'q'}, {"setup-limit", 1, 0, 'm'},
        {"turns", 1, 0, 'T'},      {0, 0, 0, 0}};
    int count = 0;
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (option) {
        case 'p': options.port = (uint16_t)atoi(optarg); break;
        case 'l': options.listen = (uint16_t)atoi(optarg); break;
        case 'n': options.streams = atoi(optarg); break;
        case 'r': options.room = atoi(optarg); break;
        case 's': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 't': options.tokens = optarg; break;
        case 'i': parse_list(optarg, options.pid, PIDS, &options.pids); break;
        case 'c': parse_list(optarg, options.cores, MAX_CORES, &count); break;
        case 'a': options.acks = atoi(optarg); break;
        case 'j': options.join_rate = atof(optarg); break;
        case 'x': options.passthrough = 1; break;
        case 'f': options.final_every = atoi(optarg); break;
        case 'q': options.per_second = atoi(optarg); break;
        case 'm': options.setup_limit = atof(optarg); break;
        case 'T': options.turns = atoi(optarg); break;
        default: exit(2);
        }
    bool turns_fit = options.turns >= 1 && options.turns <= MAX_TURNS;
    if (!options.port || !options.listen || options.streams < 1 || !turns_fit) {
        fprintf(stderr, "usage: generator --port RELAY --listen UPSTREAM --streams N [--room 5] [--seconds 5]\n"
                        "  [--warmup 1] [--tokens FILE] [--pids A,B] [--cores 0,1] [--acks 1] [--join-rate 250]\n"
                        "  [--final-every 25] [--per-second 5] [--setup-limit 30] [--turns 1] [--passthrough]\n");
        exit(2);
    }
    if (options.passthrough) options.room = 1;
}

int main(int argc, char **argv) {
    struct rlimit files;
    parse_options(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_pattern();
    prepare();
    net_start(options.listen);
    watch_stalls(options.cores, MAX_CORES);
    frames = (wheel){now(), FRAME_EVERY, 0};
    transcripts = (wheel){frames.start, SECOND / (uint64_t)options.per_second, 0};

    bool joined = everybody_joins();
    if (joined) {
        for (int turn = 0; turn < options.turns; turn++)
            for (int kind = 0; kind < WINDOWS; kind++) {
                speaking = kind < 2, transcribing = kind > 0;
                run_until(now() + (uint64_t)(options.warmup * 1e9));
                measure(&windows[kind]);
            }
        speaking = transcribing = false;
        run_until(now() + SECOND); /* what was sent within the windows may still arrive */
        count_undelivered();
    }
    stop_at = now();
    printf("{\"joined\":%s,\"streams\":%d,\"talking\":%d,\"heard\":%d,\"disorder\":%llu,\"corrupt\":%llu,"
           "\"foreign\":%llu,\"doubled\":%llu,\"closed\":%llu,\"refused\":%llu,\"windows\":[",
           joined ? "true" : "false", options.streams, talking, heard, (unsigned long long)disorder,
           (unsigned long long)corrupt, (unsigned long long)foreign, (unsigned long long)doubled,
           (unsigned long long)closed_early, (unsigned long long)refused);
    for (int kind = 0; kind < WINDOWS; kind++) {
        if (kind) printf(",");
        print_window(&windows[kind]);
    }
    printf("]}\n");
    return 0;
}
