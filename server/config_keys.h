/*
 * config_keys.h - every key of the configuration in one table: its type, range, default and
 * meaning. The file, the environment, the command line, the copy, the comparison and the man page
 * svc-server.yaml(5) are all made from it.
 */
#ifndef SERVER_CONFIG_KEYS_H
#define SERVER_CONFIG_KEYS_H

#include "config.h"

enum config_type {           /* what lies at `offset`, and how it is written */
                   KEY_TEXT, /* const char *, owned */
                   KEY_PATH, /* the same, name of a file: in a file relative to that file's folder
                              */
                   KEY_FLAG, /* bool: true, false, yes, no, on, off */
                   KEY_U8,
                   KEY_U32,    /* [min, max] */
                   KEY_REAL,   /* double, [min, max] */
                   KEY_CHOICE, /* int, index of a name in `names` */
                   KEY_KBPS,   /* uint32_t[SVC_SPATIAL_MAX], bit/s; kbit/s of each, the last goes on
                                  upwards */
                   KEY_SIZE,   /* uint16_t[2]: "960x540" */
                   KEY_RATE,   /* uint32_t[2]: "30", "29.97", "30000/1001" */
                   KEY_BYTES,  /* uint8_t[8] and a length: hexadecimal digits */
                   KEY_TEXTS,  /* const char **, owned as each text is; count at `count` */
                   KEY_TABLE,  /* a struct with the keys of `table` */
                   KEY_TABLES, /* pointer to so many of it, owned; count at `count` */
};

struct config_table;
struct config_key {
    const char *name;
    enum config_type type;
    size_t offset, count;
    double min, max;
    const char *fallback;     /* as it would be written; NULL: zero */
    const char *const *names; /* KEY_CHOICE, NULL-ended */
    const struct config_table *table;
    /* Of a text: 0, or -1 with what it takes in `why`. NULL: anything but nothing. */
    int (*check)(const char *text, char *why, size_t why_size);
    const char *unit; /* for the reader: "ms"; NULL: none */
    const char *doc;  /* one to three sentences */
};

struct config_table {
    const char *title;            /* for the reader */
    const struct config_key *key; /* ended by one without a name */
    size_t size;                  /* of its struct */
};

extern const struct config_table config_root, config_source_table, config_push_table,
    config_access_table, config_confine_table;

#define CONFIG_WHY_MAX 400

/* NULL: none. */
const struct config_key *config_key_find(const struct config_table *t, const char *name);
/* Sets what is not a list or a table. 0, or -1 with "takes ..., not "x"" in `why`, nothing changed.
 */
int config_set(const struct config_key *k, void *base, const char *text, char *why,
               size_t why_size);
/* Makes the list of a KEY_TABLES one longer, by the defaults. NULL: out of memory, or full. */
void *config_add(const struct config_key *k, void *base);
/* Appends to a KEY_TEXTS. 0 or -1: out of memory, or full. */
int config_add_text(const struct config_key *k, void *base, const char *text);

/* Over all keys of a struct. */
int config_table_init(const struct config_table *t, void *base); /* the defaults; -1: no memory */
void config_table_fini(const struct config_table *t, void *base);
int config_table_copy(const struct config_table *t, void *out,
                      const void *from); /* as config_copy */
void config_key_swap(const struct config_key *k, void *a, void *b);
bool config_key_same(const struct config_key *k, const void *a, const void *b);
bool config_table_same(const struct config_table *t, const void *a, const void *b);

#endif
