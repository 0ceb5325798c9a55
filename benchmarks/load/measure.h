/* Clocks, latency samples and the stalls of the machine itself. Times are nanoseconds. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { MAX_CORES = 2 };

typedef struct {
    struct sample {
        uint64_t from;
        uint64_t took;
    } * items;
    size_t count, room;
} samples;

uint64_t now(void);

/* CPU time of a whole process, all its threads; of the calling thread for pid 0. */
uint64_t cpu_time(pid_t pid);

/* How long a process's main thread was ready to run and wasn't let. */
uint64_t wait_time(pid_t pid);

/* Resident memory of a process in kB. */
long resident_kb(pid_t pid);

void add_sample(samples *to, uint64_t from, uint64_t until);

/* Start a thread per core that ticks every millisecond and notes when it woke late. */
void watch_stalls(const int *cores, int count);

/* How many stalls were seen since the last call, and how long they were together. */
void count_stalls(uint64_t from, uint64_t until, unsigned *count, uint64_t *total);

/* Print percentiles and a histogram as a JSON object, without samples that overlap a stall. */
void print_samples(FILE *out, samples *from);

#endif
