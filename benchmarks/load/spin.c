/* Keeps one core from halting, at a priority that gives way to everybody else.
 *
 * Virtual machines wake a halted processor milliseconds late, and that would be measured
 * as the relay's latency. Usage: spin CORE SECONDS
 *
 * It gets a session of its own: Linux shares processor time among sessions first (autogroup),
 * so within the relay's an idle task would take the time of everybody outside.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(atoi(argv[1]), &cores);
    struct sched_param none = {0};
    setsid();
    FILE *group = fopen("/proc/self/autogroup", "w");
    if (group) {
        fputs("19", group);
        fclose(group);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpriority(PRIO_PROCESS, 0, 19); /* counted as "nice", so that the machine still looks idle */
    if (sched_setaffinity(0, sizeof cores, &cores) || sched_setscheduler(0, SCHED_IDLE, &none)) {
        perror("spin");
        return 1;
    }
    alarm((unsigned)atoi(argv[2]));
    for (volatile unsigned long turns = 0;; turns++) {
    }
}
