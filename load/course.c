/* course.c - see course.h. */
#include "course.h"

void board_note(struct board *b, uint64_t group, uint64_t object)
{
    const uint32_t n = (uint32_t)object + 1;
    const unsigned i = group % BOARD_GROUPS;

    if (b->seen[i].group != group || b->seen[i].n == 0) {
        if (b->seen[i].n > 0 && group < b->seen[i].group)
            return;
        b->seen[i].group = group;
        b->seen[i].n = n;
    } else if (n > b->seen[i].n) {
        b->seen[i].n = n;
    }
}

static uint32_t length_of(const struct board *b, uint64_t group)
{
    const unsigned i = group % BOARD_GROUPS;

    return b->seen[i].group == group ? b->seen[i].n : 0;
}

static void settle(struct course_group *g, const struct board *b, struct course_count *count)
{
    const uint32_t there = length_of(b, g->group);

    if (g->open && there > g->from + g->got)
        count->missing += there - g->from - g->got;
    g->open = false;
}

/* Groups up to `group` are there; those that fall out of the window are over. */
static void advance(struct course *c, const struct board *b, uint64_t group,
                    struct course_count *count)
{
    if (group - c->newest > BOARD_GROUPS) { /* of the older ones nobody knows */
        for (unsigned i = 0; i < COURSE_GROUPS; i++)
            settle(&c->at[i], b, count);
        c->newest = group - BOARD_GROUPS;
    }
    while (c->newest < group) {
        struct course_group *g = &c->at[++c->newest % COURSE_GROUPS];

        settle(g, b, count);
        *g = (struct course_group){ .group = c->newest, .open = true };
    }
}

void course_object(struct course *c, const struct board *b, uint64_t group, uint64_t object,
                   struct course_count *count)
{
    struct course_group *g = &c->at[group % COURSE_GROUPS];

    count->objects++;
    if (!c->begun) {
        *c = (struct course){ .begun = true, .newest = group };
        *g = (struct course_group){ .group = group, .from = (uint32_t)object, .open = true };
    }
    if (group > c->newest)
        advance(c, b, group, count);
    if (!g->open || g->group != group) {
        count->stale++;
        return;
    }
    /* In its first group a subscriber may begin anywhere, and the first to come is not always the
     * first of them. */
    if (object < g->from)
        g->from = (uint32_t)object;
    g->got++;
}
