/* relay_side_internal.h - what the files of a worker's half of the relay share: relay_side.c, who
 * subscribes; relay_publisher.c, who publishes. */
#ifndef SERVER_RELAY_SIDE_INTERNAL_H
#define SERVER_RELAY_SIDE_INTERNAL_H

#include "relay_side.h"
#include "relay_thin.h"

struct cached {
    struct media *media; /* a reference */
    bool ended;          /* its subgroup has ended in order behind it */
};

struct relay_track { /* that somebody here has subscribed to */
    LIST_ENTRY(relay_track) link;
    uint64_t id; /* 0: the main loop has not answered yet */
    struct relay_kept name, properties;
    bool has_largest;
    struct moq_location largest;
    LIST_HEAD(, relay_sending) sendings;
    struct cached *cache; /* of the newest group; NULL: nothing yet */
    size_t n_cache, cache_bytes;
    bool catalog, dynamic;       /* dynamic: a new group of it may be asked for */
    uint64_t anew_at;            /* us, when one was; 0: never */
    struct relay_layers *layers; /* of its namespace's catalog, a reference; NULL: not known */
    int index;                   /* in them; -1: none of them */
};

struct relay_sending { /* the user of its moq_sending */
    LIST_ENTRY(relay_sending) of_track, of_member;
    struct relay_track *track;
    struct relay_member *member;
    struct moq_sending *sending;
    uint64_t until_ms;
    bool accepted, forward; /* forward: when it was last heard of */
};

struct relay_pulled { /* a track of a publisher here; the user of its moq_subscription */
    LIST_ENTRY(relay_pulled) link;
    struct relay_member *member;
    uint64_t id;     /* 0: offered, and not answered yet */
    uint64_t number; /* of the offer; 0: it was pulled */
    struct moq_subscription *sub;
    struct moq_subscribe_options options;
};

struct relay_request { /* the user of its moq_request */
    LIST_ENTRY(relay_request) link;
    struct relay_member *member;
    uint64_t number;
    struct moq_request *request;
    struct relay_kept name;
};

struct listed {
    LIST_ENTRY(listed) link;
    struct relay_kept name;
    bool ours;
};

struct relay_side {
    struct relay_side_host host;
    LIST_HEAD(, relay_member) members;
    LIST_HEAD(, relay_track) tracks;
    LIST_HEAD(, listed) listed;
    uint64_t last_number;
};

/* TRACK_STATUS: of what is followed here. */
void relay_answer_status(const struct relay_side *side, struct moq_request *r,
                         const struct moq_name *name);
void relay_side_post(const struct relay_side *side, struct relay_note *n); /* takes `n` */
void relay_remove_pulled(struct relay_pulled *p);
void relay_remove_request(struct relay_request *r);
/* Notes of the main loop, to publishers and to who asks for namespaces. */
void relay_read_answer(struct relay_side *side, const struct relay_note *n);
void relay_read_of_publisher(struct relay_side *side, const struct relay_note *n);
void relay_read_listed(struct relay_side *side, const struct relay_note *n);

#endif
