/* test_letter.c - letters between threads: their order, what they own, the bell that is rung once,
 * one object in many boxes, and a census that nobody answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "census.h"
#include "letter.h"

#define OBJECTS 2000
#define BOXES 3

/* What letters may own besides, and this test has none of. */
void relay_note_free(struct relay_note *n);
void relay_note_free(struct relay_note *n)
{
    (void)n;
}

void window_unref(struct window *w);
void window_unref(struct window *w)
{
    (void)w;
}

struct window *window_ref(struct window *w);
struct window *window_ref(struct window *w)
{
    return w;
}

static struct media *make_media(uint64_t picture)
{
    static const uint8_t payload[] = { 1, 2, 3, 4 }, properties[] = { 9, 8 };
    const struct object obj = { .track = 2,
                                .moq = { .group = 7,
                                         .object = picture,
                                         .payload = { payload, sizeof payload },
                                         .properties = { properties, sizeof properties } } };
    const struct svc_packet pkt = { .kind = SVC_VIDEO,
                                    .unit = { .bytes = payload, .len = 4, .picture = picture },
                                    .pts = 40,
                                    .end_of_picture = true };
    return media_new(5, &obj, &pkt);
}

static void media_are_copies(void **state)
{
    struct media *m = make_media(11);
    const struct svc_packet pkt = media_packet(m);

    (void)state;
    assert_int_equal(m->of, 5);
    assert_int_equal(m->object.moq.payload.len, 4);
    assert_memory_equal(m->object.moq.payload.bytes, "\1\2\3\4", 4);
    assert_memory_equal(m->object.moq.properties.bytes, "\11\10", 2);
    assert_ptr_equal(m->unit.bytes, m->object.moq.payload.bytes);
    assert_true(m->object.moq.payload.bytes > (const uint8_t *)m); /* in it */
    assert_int_equal(pkt.kind, SVC_VIDEO);
    assert_int_equal(pkt.pts, 40);
    assert_true(pkt.end_of_picture);
    assert_ptr_equal(media_ref(m), m);
    media_unref(m);
    media_unref(m);
    media_unref(NULL);
}

static void a_sound_is_no_unit(void **state)
{
    static const uint8_t sound[] = { 5, 6 };
    const struct object obj = { .moq = { .payload = { sound, sizeof sound } } };
    const struct svc_packet in = {
        .kind = SVC_AUDIO, .audio = sound, .audio_len = 2, .pts = 60, .end_of_picture = true
    };
    struct media *m = media_new(1, &obj, &in);
    const struct svc_packet out = media_packet(m);

    (void)state;
    assert_false(m->has_unit);
    assert_int_equal(out.kind, SVC_AUDIO);
    assert_int_equal(out.audio_len, 2);
    assert_memory_equal(out.audio, sound, 2);
    assert_int_equal(out.pts, 60);
    media_unref(m);
}

static void the_bell_is_rung_once(void **state)
{
    struct letter_box b;

    (void)state;
    letter_box_init(&b);
    assert_null(letter_box_take(&b));
    assert_true(letter_box_put(&b, letter_new(LETTER_DONE)));
    assert_false(letter_box_put(&b, letter_new(LETTER_CLOSE)));
    assert_int_equal(letter_box_count(&b), 2);
    struct letter *l = letter_box_take(&b);
    assert_int_equal(l->kind, LETTER_DONE);
    assert_int_equal(l->next->kind, LETTER_CLOSE);
    assert_null(l->next->next);
    letter_free(l->next);
    letter_free(l);
    assert_int_equal(letter_box_count(&b), 0);
    assert_true(letter_box_put(&b, letter_new(LETTER_DONE)));
    letter_box_fini(&b); /* takes what is in it */
}

static void letters_own_what_they_carry(void **state)
{
    const struct view head = { .id = 3, .ns = "a/b" };
    struct view *view = view_new(&head, "{}", 2);
    struct media *m = make_media(1);
    struct census *c = census_new(1);
    struct letter *l[4] = { letter_new(LETTER_SHOWN), letter_new(LETTER_MEDIA),
                            letter_new(LETTER_CENSUS), letter_new(LETTER_ENDED) };

    (void)state;
    l[0]->view = view_ref(view);
    l[1]->media = media_ref(m);
    l[2]->census = census_ref(c);
    l[3]->session = calloc(1, sizeof *l[3]->session);
    for (int i = 0; i < 4; i++)
        letter_free(l[i]);
    letter_free(NULL);
    assert_memory_equal(view->catalog, "{}", 2);
    assert_int_equal(atomic_load(&view->refs), 1);
    assert_int_equal(atomic_load(&m->refs), 1);
    view_unref(view);
    media_unref(m);
    census_unref(c);
}

/* ---- threads ---- */

struct reader {
    struct letter_box box;
    uint64_t sum;
    size_t got;
    bool in_order;
};

static void *read_all(void *arg)
{
    struct reader *r = arg;
    uint64_t last = 0;

    while (r->got < OBJECTS) {
        for (struct letter *l = letter_box_take(&r->box), *next; l; l = next) {
            next = l->next;
            r->in_order = r->in_order && l->media->object.moq.object > last;
            last = l->media->object.moq.object;
            r->sum += l->media->object.moq.payload.bytes[3];
            r->got++;
            letter_free(l);
        }
        sched_yield();
    }
    return NULL;
}

static void one_object_goes_to_all(void **state)
{
    struct reader reader[BOXES];
    pthread_t thread[BOXES];

    (void)state;
    for (int i = 0; i < BOXES; i++) {
        reader[i] = (struct reader){ .in_order = true };
        letter_box_init(&reader[i].box);
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &reader[i]), 0);
    }
    for (uint64_t n = 1; n <= OBJECTS; n++) {
        struct media *m = make_media(n);
        for (int i = 0; i < BOXES; i++) {
            struct letter *l = letter_new(LETTER_MEDIA);
            l->media = media_ref(m);
            (void)letter_box_put(&reader[i].box, l);
        }
        media_unref(m); /* the last of them frees it */
    }
    for (int i = 0; i < BOXES; i++) {
        pthread_join(thread[i], NULL);
        assert_true(reader[i].in_order);
        assert_int_equal(reader[i].sum, 4 * OBJECTS);
        letter_box_fini(&reader[i].box);
    }
}

/* ---- census ---- */

static void *answer(void *arg)
{
    struct census_part part = { .n = 2, .totals = { .sent_bytes = 30 } };

    part.session = calloc(2, sizeof *part.session);
    part.session[1].id = 8;
    part.endpoint.conns = 2;
    census_answer(arg, 1, &part);
    census_unref(arg);
    return NULL;
}

static void a_census_adds_up(void **state)
{
    struct census *c = census_new(2);
    const struct census_part nobody = { .totals = { .sent_bytes = 12 } };
    struct snapshot s = { .n_sessions = 0 };
    pthread_t thread;

    (void)state;
    census_answer(c, 0, &nobody);
    assert_int_equal(pthread_create(&thread, NULL, answer, census_ref(c)), 0);
    assert_int_equal(census_wait(c, &s), 0);
    pthread_join(thread, NULL);
    census_unref(c);
    assert_int_equal(s.n_sessions, 2);
    assert_int_equal(s.session[1].id, 8);
    assert_int_equal(s.totals.sent_bytes, 42);
    assert_int_equal(s.endpoint.conns, 2);
    free(s.session);
}

/* The one who waits goes on; the answer that comes late is taken all the same. */
static void a_worker_that_hangs_is_left_out(void **state)
{
    struct census *c = census_new(2);
    const struct census_part nobody = { .n = 0 };
    struct snapshot s = { .n_sessions = 0 };

    (void)state;
    census_answer(c, 0, &nobody);
    assert_int_equal(census_wait(c, &s), 1);
    assert_int_equal(s.n_sessions, 0);
    free(s.session);
    (void)census_ref(c);
    census_unref(c);
    answer(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_are_copies),
        cmocka_unit_test(a_sound_is_no_unit),
        cmocka_unit_test(the_bell_is_rung_once),
        cmocka_unit_test(letters_own_what_they_carry),
        cmocka_unit_test(one_object_goes_to_all),
        cmocka_unit_test(a_census_adds_up),
        cmocka_unit_test(a_worker_that_hangs_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
