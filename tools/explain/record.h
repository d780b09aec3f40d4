/* record.h - what a qlog file tells of the choice of controllers (event tvl:controller_chosen). */
#ifndef EXPLAIN_RECORD_H
#define EXPLAIN_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <tvl/select.h>

struct record_change {
    double at_ms;
    uint32_t path_id;
    const char *from, *to, *reason; /* owned by the record */
};

struct record_path { /* as it was told last */
    double at_ms;
    uint32_t path_id;
    const char *now, *objective, *reason; /* owned by the record */
    struct tvl_path_model model;
    size_t n_rows;
    struct tvl_select_row row[TVL_SELECT_MAX];
};

struct record {
    struct record_change *change;
    size_t n_changes;
    struct record_path *path; /* in the order of their first event */
    size_t n_paths;
    struct json_t *events; /* holds the texts */
};

/* 0, or -1 with a line in `why`. */
int record_read(struct record **out, const char *file, char *why, size_t why_size);
void record_free(struct record *r);

#endif
