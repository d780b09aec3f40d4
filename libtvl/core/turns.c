/* turns.c - see turns.h. */
#include "turns.h"

#include <assert.h>

/* ---- circular lists ---- */

static void list_init(struct tvl_link *head)
{
    head->prev = head->next = head;
}

static void list_append(struct tvl_link *head, struct tvl_link *l)
{
    if (l->next)
        return;
    l->prev = head->prev;
    l->next = head;
    l->prev->next = l;
    head->prev = l;
}

static void list_remove(struct tvl_link *l)
{
    if (!l->next)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = NULL;
}

static struct tvl_link *list_first(const struct tvl_link *head)
{
    return head->next == head ? NULL : head->next;
}

#define TURN_OF(link, member) ((link) ? TVL_HEAP_OWNER(link, struct tvl_turn, member) : NULL)

/* ---- turns ---- */

void tvl_turns_init(struct tvl_turns *t)
{
    *t = (struct tvl_turns){ .count = 0 };
    list_init(&t->all);
    list_init(&t->send);
    list_init(&t->news);
    list_init(&t->stale);
}

void tvl_turns_fini(struct tvl_turns *t)
{
    assert(t->count == 0);
    tvl_heap_fini(&t->timers);
}

int tvl_turns_add(struct tvl_turns *t, struct tvl_turn *turn, uint64_t tie)
{
    const int r = tvl_heap_reserve(&t->timers, t->count + 1);

    if (r != 0)
        return r;
    turn->timer.tie = tie;
    t->count++;
    list_append(&t->all, &turn->all);
    tvl_turns_touch(t, turn);
    return 0;
}

void tvl_turns_remove(struct tvl_turns *t, struct tvl_turn *turn)
{
    list_remove(&turn->all);
    list_remove(&turn->send);
    list_remove(&turn->news);
    list_remove(&turn->stale);
    tvl_heap_remove(&t->timers, &turn->timer);
    t->count--;
}

static void make_stale(struct tvl_turns *t, struct tvl_turn *turn)
{
    tvl_heap_remove(&t->timers, &turn->timer);
    list_append(&t->stale, &turn->stale);
}

void tvl_turns_touch(struct tvl_turns *t, struct tvl_turn *turn)
{
    list_append(&t->send, &turn->send);
    list_append(&t->news, &turn->news);
    make_stale(t, turn);
}

void tvl_turns_sent_all(struct tvl_turns *t, struct tvl_turn *turn)
{
    list_remove(&turn->send);
    list_append(&t->news, &turn->news);
    make_stale(t, turn);
}

void tvl_turns_sent_one(struct tvl_turns *t, struct tvl_turn *turn)
{
    list_remove(&turn->send);
    tvl_turns_touch(t, turn);
}

void tvl_turns_told_all(struct tvl_turns *t, struct tvl_turn *turn)
{
    (void)t;
    list_remove(&turn->news);
}

void tvl_turns_wake_at(struct tvl_turns *t, struct tvl_turn *turn, tvl_time at)
{
    list_remove(&turn->stale);
    tvl_heap_remove(&t->timers, &turn->timer);
    if (at == TVL_TIME_NEVER)
        return;
    turn->timer.key = at;
    tvl_heap_push(&t->timers, &turn->timer);
}

struct tvl_turn *tvl_turns_any(const struct tvl_turns *t)
{
    return TURN_OF(list_first(&t->all), all);
}

struct tvl_turn *tvl_turns_any_after(const struct tvl_turns *t, const struct tvl_turn *turn)
{
    struct tvl_link *next = turn->all.next;

    return next == &t->all ? NULL : TURN_OF(next, all);
}

struct tvl_turn *tvl_turns_sender(const struct tvl_turns *t)
{
    return TURN_OF(list_first(&t->send), send);
}

struct tvl_turn *tvl_turns_teller(const struct tvl_turns *t)
{
    return TURN_OF(list_first(&t->news), news);
}

struct tvl_turn *tvl_turns_stale(const struct tvl_turns *t)
{
    return TURN_OF(list_first(&t->stale), stale);
}

struct tvl_turn *tvl_turns_stale_after(const struct tvl_turns *t, const struct tvl_turn *turn)
{
    struct tvl_link *next = turn->stale.next;

    return next == &t->stale ? NULL : TURN_OF(next, stale);
}

tvl_time tvl_turns_next(const struct tvl_turns *t)
{
    const struct tvl_heap_node *n = tvl_heap_first(&t->timers);

    return n ? n->key : TVL_TIME_NEVER;
}

void tvl_turns_wake(struct tvl_turns *t, tvl_time now)
{
    struct tvl_heap_node *n;

    while ((n = tvl_heap_first(&t->timers)) != NULL && n->key <= now)
        tvl_turns_touch(t, TVL_HEAP_OWNER(n, struct tvl_turn, timer));
}
