/* session_status.c - the session's status in words. Pure. */
#include "session.h"

#include <stdio.h>

const char *session_state_word(enum session_state state)
{
    static const char *const words[] = {
        [SESSION_CONNECTING] = "connecting", [SESSION_JOINING] = "joining",
        [SESSION_PLAYING] = "playing",       [SESSION_SILENT] = "silent",
        [SESSION_WAITING] = "waiting",       [SESSION_OVER] = "over",
    };
    return (unsigned)state < sizeof words / sizeof *words ? words[state] : "unknown";
}

/* "2nd" */
static const char *ordinal(unsigned n)
{
    if (n % 100 >= 11 && n % 100 <= 13)
        return "th";
    return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

const char *session_status_text(const struct session_status *s, char *out, size_t cap)
{
    const char *again = s->resuming ? "connecting again" : "connecting";
    char try[48] = "";
    if (s->attempt > 1)
        snprintf(try, sizeof try, ", %u%s try", s->attempt, ordinal(s->attempt));
    out[0] = '\0';
    switch (s->state) {
    case SESSION_CONNECTING:
        snprintf(out, cap, "%s by %s\u2026%s%s%s", again, s->paths, try + (*try ? 1 : 0),
                 *s->reason ? "; " : "", s->reason);
        break;
    case SESSION_JOINING:
        snprintf(out, cap, s->paused ? "paused" : "connected by %s, waiting for the first picture",
                 s->paths);
        break;
    case SESSION_SILENT:
        snprintf(out, cap, "nothing comes; %s\u2026%s", again, try);
        break;
    case SESSION_WAITING:
        snprintf(out, cap, "%s; next try in %.0f s%s", s->reason, s->retry_in_s + 0.5, try);
        break;
    case SESSION_OVER:
        snprintf(out, cap, "%s", s->reason);
        break;
    case SESSION_PLAYING:
        snprintf(out, cap, "%s", s->paused ? "paused" : "");
        break;
    }
    return out;
}
