/*
 * teller.h - tells one session about itself (session_track.h), while it asks for that: about each
 * second, and soon after something has changed. Costs nothing before, but what is remembered of why
 * a path's controller was chosen.
 */
#ifndef SERVER_TELLER_H
#define SERVER_TELLER_H

#include "session_track.h"
#include "watch.h"

#define TELLER_PERIOD_US 1000000u
#define TELLER_SOON_US 200000u   /* least time between two that something else than time asks for */
#define TELLER_LIVES_US 2000000u /* then the next one has been sent */
#define TELLER_FLOW (TVL_FLOWS_MAX - 1) /* of the transport: nobody else's */

struct teller {                   /* of a session; all zero is a fresh one, and nobody asks */
    struct teller_asked *asked;   /* NULL: nobody asks; owned */
    struct teller_choice *choice; /* n_choices, one a path that has changed; owned */
    uint8_t n_choices;
    uint64_t group; /* of the next object */
};

void teller_fini(struct teller *t);

/* TVL_EVENT_CONTROLLER. */
void teller_chosen(struct teller *t, const struct tvl_event *ev, tvl_time now);
/* Something has changed that whoever asks wants to know soon. */
void teller_hurry(struct teller *t);

/* The session asks for the track; `ns` as it named the namespace. Accepted or refused here. */
void teller_subscribe(struct teller *t, struct moq_sending *s, const char *ns);
bool teller_cancelled(struct teller *t, const struct moq_sending *s);    /* false: it is not its */
void teller_forget(struct teller *t);                                    /* without a word */
void teller_done(struct teller *t, uint64_t status, const char *reason); /* PUBLISH_DONE */

/* The namespace that it is to be told about now; NULL: nothing is to be told. */
const char *teller_due(const struct teller *t, tvl_time now);
/* Then: `is` is the session now, `w` its watching of that namespace; NULL: it is not ours.
 * `chooses`: the paths' controllers are chosen while they run. */
void teller_tell(struct teller *t, const struct snapshot_session *is, const struct watch *w,
                 const struct watch_way *way, bool chooses, tvl_time now);

#endif
