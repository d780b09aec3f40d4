/* letter.c - see letter.h. */
#include "letter.h"

#include <stdlib.h>

#include "census.h"

struct letter *letter_new(enum letter_kind kind)
{
    struct letter *l = calloc(1, sizeof *l);
    if (l)
        l->kind = kind;
    return l;
}

void letter_free(struct letter *l)
{
    if (!l)
        return;
    switch (l->kind) {
    case LETTER_MEDIA:
        media_unref(l->media);
        break;
    case LETTER_SHOWN:
        view_unref(l->view);
        break;
    case LETTER_CENSUS:
        census_unref(l->census);
        break;
    case LETTER_ENDED:
        free(l->session);
        break;
    case LETTER_RELAY:
        relay_note_free(l->note);
        break;
    default:
        break;
    }
    free(l);
}

void letter_box_init(struct letter_box *b)
{
    *b = (struct letter_box){ .n = 0 };
    b->last = &b->first;
    pthread_mutex_init(&b->lock, NULL);
}

void letter_box_fini(struct letter_box *b)
{
    for (struct letter *l = letter_box_take(b), *next; l; l = next) {
        next = l->next;
        letter_free(l);
    }
    pthread_mutex_destroy(&b->lock);
}

bool letter_box_put(struct letter_box *b, struct letter *l)
{
    l->next = NULL;
    pthread_mutex_lock(&b->lock);
    const bool was_empty = b->n++ == 0;
    *b->last = l;
    b->last = &l->next;
    pthread_mutex_unlock(&b->lock);
    return was_empty;
}

struct letter *letter_box_take(struct letter_box *b)
{
    pthread_mutex_lock(&b->lock);
    struct letter *l = b->first;
    b->first = NULL;
    b->last = &b->first;
    b->n = 0;
    pthread_mutex_unlock(&b->lock);
    return l;
}

size_t letter_box_count(struct letter_box *b)
{
    pthread_mutex_lock(&b->lock);
    const size_t n = b->n;
    pthread_mutex_unlock(&b->lock);
    return n;
}
