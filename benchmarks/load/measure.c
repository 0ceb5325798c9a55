#define _GNU_SOURCE
#include "measure.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint64_t TICK = 1000000;
static const uint64_t LATE = 3000000; /* between two ticks: later than any load explains */
enum { MAX_STALLS = 65536 };

typedef struct {
    int core;
    volatile unsigned count;
    struct stall {
        uint64_t from, until;
    } stalls[MAX_STALLS];
} watcher;

static watcher watchers[MAX_CORES];
static int watcher_count;

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t cpu_time(pid_t pid) {
    clockid_t clock;
    if (pid == 0) return read_clock(CLOCK_THREAD_CPUTIME_ID);
    if (clock_getcpuclockid(pid, &clock)) return 0;
    return read_clock(clock);
}

uint64_t wait_time(pid_t pid) {
    char path[64];
    unsigned long long waited = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*u %llu", &waited) != 1) waited = 0;
    fclose(file);
    return waited;
}

long resident_kb(pid_t pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void add_sample(samples *to, uint64_t from, uint64_t until) {
    if (to->count == to->room) {
        to->room = to->room ? to->room * 2 : 4096;
        to->items = realloc(to->items, to->room * sizeof *to->items);
        if (!to->items) abort();
    }
    to->items[to->count++] = (struct sample){from, until > from ? until - from : 0};
}

static void *tick(void *argument) {
    watcher *self = argument;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)self->core, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
    /* Real time, where allowed: then only the machine itself can delay a tick. */
    struct sched_param high = {.sched_priority = 1};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &high);
    for (uint64_t last = now();;) {
        struct timespec pause = {0, (long)TICK};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        uint64_t time = now();
        if (time - last > LATE && self->count < MAX_STALLS) {
            self->stalls[self->count] = (struct stall){last, time};
            self->count++;
        }
        last = time;
    }
    return NULL;
}

void watch_stalls(const int *cores, int count) {
    for (int i = 0; i < count && i < MAX_CORES; i++) {
        pthread_t thread;
        watchers[i].core = cores[i];
        if (pthread_create(&thread, NULL, tick, &watchers[i]) == 0) watcher_count++;
    }
}

void count_stalls(uint64_t from, uint64_t until, unsigned *count, uint64_t *total) {
    *count = 0, *total = 0;
    for (int w = 0; w < watcher_count; w++)
        for (unsigned i = 0; i < watchers[w].count; i++) {
            struct stall stall = watchers[w].stalls[i];
            if (stall.until <= from || stall.from >= until) continue;
            *count += 1, *total += stall.until - stall.from;
        }
}

static int is_stalled(const watcher *by, uint64_t from, uint64_t until) {
    unsigned low = 0, high = by->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (by->stalls[middle].until <= from) low = middle + 1;
        else high = middle;
    }
    return low < by->count && by->stalls[low].from < until;
}

static size_t drop_stalled(samples *from) {
    size_t kept = 0;
    for (size_t i = 0; i < from->count; i++) {
        struct sample sample = from->items[i];
        int stalled = 0;
        for (int w = 0; w < watcher_count; w++)
            stalled |= is_stalled(&watchers[w], sample.from, sample.from + sample.took);
        if (!stalled) from->items[kept++] = sample;
    }
    size_t dropped = from->count - kept;
    from->count = kept;
    return dropped;
}

static int by_duration(const void *a, const void *b) {
    uint64_t x = ((const struct sample *)a)->took, y = ((const struct sample *)b)->took;
    return x < y ? -1 : x > y;
}

static double percentile_ms(const samples *of, double share) {
    if (!of->count) return 0;
    size_t index = (size_t)(share * (double)(of->count - 1));
    return (double)of->items[index].took / 1e6;
}

void print_samples(FILE *out, samples *from) {
    static const double edges[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100};
    enum { EDGES = sizeof edges / sizeof *edges };
    size_t left_out = drop_stalled(from), at = 0;
    if (from->count) qsort(from->items, from->count, sizeof *from->items, by_duration);
    fprintf(out, "{\"count\":%zu,\"left_out\":%zu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,"
                 "\"max\":%.3f,\"histogram\":[",
            from->count, left_out, percentile_ms(from, 0.5), percentile_ms(from, 0.9),
            percentile_ms(from, 0.99), percentile_ms(from, 0.999), percentile_ms(from, 1));
    for (int edge = 0; edge <= EDGES; edge++) {
        size_t start = at;
        while (at < from->count && (edge == EDGES || (double)from->items[at].took < edges[edge] * 1e6)) at++;
        fprintf(out, "%s[%s%.1f,%zu]", edge ? "," : "", edge == EDGES ? "-" : "",
                edge == EDGES ? 1.0 : edges[edge], at - start);
    }
    fprintf(out, "]}");
}
