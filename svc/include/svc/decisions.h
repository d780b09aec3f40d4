/*
 * decisions.h - a log of decisions that can be made again: one JSON object a line with whose the
 * decision was, its name, what went in and what came out.
 *
 *     {"who":0,"decision":"demand","in":{"now_us":1200000, ...},"out":{"level":3, ...}}
 *
 * A policy is a table: each decision's name, the fields of its two structs, and the function that
 * decides. decision_make calls the function and writes the line; decision_replay reads the lines,
 * calls the same functions on fresh states and compares. So a log and its policy cannot drift
 * apart.
 */
#ifndef SVC_DECISIONS_H
#define SVC_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DECISION_LINE_MAX 16384 /* bytes of one line */
#define DECISION_SIZE_MAX 4096  /* bytes of a decision's in or out */
#define DECISION_WHO_MAX 4096   /* different states in one log */

enum decision_type { /* what a field or each element of an array is */
                     DECISION_BOOL,
                     DECISION_U8,
                     DECISION_U32,
                     DECISION_I32,
                     DECISION_U64,
                     DECISION_I64,
};

struct decision_field {
    const char *name;
    size_t offset, bytes; /* bytes / size of `type`: elements; more than one: an array */
    enum decision_type type;
};
#define DECISION_FIELD(of, member, type)                               \
    {                                                                  \
#member, offsetof(of, member), sizeof(((of *)0)->member), type \
    }

struct decision {
    const char *name;
    const struct decision_field *in, *out; /* all that counts of both; end with a name of NULL */
    size_t in_size, out_size;              /* [1, DECISION_SIZE_MAX] */
    /* A function of `state` and `in` alone. `out` is zero before. */
    void (*decide)(void *state, const void *in, void *out);
};

/* Decides, and writes a line if `log` is not NULL; ferror(log) tells at the end. `who` names the
 * state among those of one log. */
void decision_make(FILE *log, const struct decision *d, uint64_t who, void *state, const void *in,
                   void *out);

struct decision_policy {
    const struct decision *table; /* ends with a name of NULL */
    size_t state_size;            /* bytes of a state, of which zero is a fresh one */
};

struct decision_verdict {
    uint64_t made, differed; /* decisions */
    unsigned long line;      /* of the first that differs, or that is not understood; 0: none */
    char what[160];          /* about that line: what was decided then and now */
};
/* Makes all decisions of the log again. 0; SVC_ERR_FORMAT: a line is none of this policy's
 * decisions; SVC_ERR_NOMEM. *out is filled in each case. A difference is no error. */
int decision_replay(FILE *log, const struct decision_policy *policy, struct decision_verdict *out);
/* The same of a file, told as one line without newline in `say` (512 bytes do). 0: all the same; 1:
 * some differ; -1: it cannot be read or is not understood. */
int decision_replay_file(const char *file, const struct decision_policy *policy, char *say,
                         size_t say_size);

#ifdef __cplusplus
}
#endif
#endif
