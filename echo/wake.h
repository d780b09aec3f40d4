/* wake.h - how late a periodic timer is: the sleeper's part is the system's. Pure. */
#ifndef ECHO_WAKE_H
#define ECHO_WAKE_H

#include "args.h"
#include "samples.h"

struct echo_wake {
    const struct echo_args *args; /* borrowed */
    uint64_t due;                 /* us, when to wake next */
    uint32_t n;                   /* wake-ups that were */
    struct samples late;          /* us */
};

void echo_wake_init(struct echo_wake *w, const struct echo_args *args, uint64_t now_us);
void echo_wake_fini(struct echo_wake *w);
/* It is `now_us`, after `due`. false: that was the last one. */
bool echo_wake_at(struct echo_wake *w, uint64_t now_us);
/* As echo_send_report. */
char *echo_wake_report(struct echo_wake *w);

#endif
