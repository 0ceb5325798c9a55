/* Keeps one core from halting, at a priority that gives way to everybody else.
 *
 * Virtual machines wake a halted processor milliseconds late, and that would be measured
 * as the relay's latency. Usage: spin CORE SECONDS
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(atoi(argv[1]), &cores);
    struct sched_param none = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sched_setaffinity(0, sizeof cores, &cores) || sched_setscheduler(0, SCHED_IDLE, &none)) {
        perror("spin");
        return 1;
    }
    alarm((unsigned)atoi(argv[2]));
    for (volatile unsigned long turns = 0;; turns++) {
    }
}
