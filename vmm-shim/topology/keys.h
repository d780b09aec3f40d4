/*
 * keys.h - every key of a topology file in tables: what it takes, its range, what holds without it,
 * and its meaning. Reader, errors and the man page vmm-topology(5) are made from them.
 */
#ifndef VMM_KEYS_H
#define VMM_KEYS_H

#include "topology/topology.h"
#include "topology/yaml_tree.h"

enum vmm_type {              /* what lies at `offset`, and how it is written */
                VMM_FLAG,    /* bool */
                VMM_INT,     /* int, [min, max] */
                VMM_UINT,    /* uint32_t, [min, max] */
                VMM_U64,     /* uint64_t, [min, max] */
                VMM_TIME,    /* uint64_t ns, [min, max] ns: "40ms" */
                VMM_BYTES,   /* uint64_t, [min, max]: "128M" */
                VMM_PERCENT, /* uint32_t, [min, max]: "50%" */
                VMM_CHOICE,  /* int: index in `names` */
                VMM_NAME,    /* char[VMM_NAME_MAX] */
                VMM_LABEL,   /* char[max], with NUL; a text of people */
                VMM_KEYS,    /* a struct with the keys of `section` */
                VMM_OWN,     /* what `set` makes of it; `takes` says what that is */
};

struct vmm_reader;
struct vmm_section;

struct vmm_key {
    const char *name;
    enum vmm_type type;
    size_t offset;
    double min, max;
    const char *const *names; /* VMM_CHOICE, NULL-ended */
    const struct vmm_section *section;
    /* 0; -1 with the error said by vmm_reader_fail(), or not said: then it is "takes ..." */
    int (*set)(struct vmm_reader *r, void *base, const struct vmm_yaml_item *item);
    const char *takes; /* VMM_OWN, VMM_KEYS */
    unsigned kinds;    /* nodes that may have it, bits 1 << enum vmm_kind; 0: all */
    const char *unset; /* what holds without it, for the reader; NULL: nothing is asked for */
    const char *doc;   /* one to three sentences */
};

struct vmm_section {
    const char *title;         /* for the reader: "of a node" */
    const struct vmm_key *key; /* ended by one without a name */
};

extern const struct vmm_section vmm_root_keys, vmm_node_keys, vmm_file_keys, vmm_need_keys,
    vmm_real_time_keys, vmm_share_keys, vmm_link_keys, vmm_direction_keys;

struct vmm_reader {
    struct vmm_topology *t;
    const char *name;          /* of the file, for errors */
    char folder[VMM_PATH_MAX]; /* that the file is in, absolute */
    char of[64];               /* "node player", for errors; "": the whole file */
    unsigned kind;             /* bit of the node being read; 0: no node */
    char *why;
    size_t why_size;
};

#define VMM_READER_TEXT 200 /* bytes of what a key takes, in words */

/* Says "NAME:LINE: OF: ..." and returns -1; without what there is none of. */
__attribute__((format(printf, 3, 4))) int vmm_reader_fail(struct vmm_reader *r, int line,
                                                          const char *format, ...);
/* What a key takes, in words: "a time [100us, 4s]". */
const char *vmm_key_takes(const struct vmm_key *k, char out[VMM_READER_TEXT]);
/* One value from a text, "wake_latency" and "1ms". 0; -1 and "KEY takes ..." in `why`. */
int vmm_key_set(const struct vmm_section *s, void *base, const char *key, const char *value,
                char *why, size_t why_size);
/* All items of `map` into the struct at `base`. 0 or -1. */
int vmm_read_keys(struct vmm_reader *r, const struct vmm_section *s, void *base,
                  const struct vmm_yaml *map, int line);
/* "IS is not known (did you mean X?)" or with all names. -1. */
int vmm_reader_unknown(struct vmm_reader *r, int line, const char *what, const char *text,
                       const char *const *names, const char *takes);
/* A name of a file made absolute to the topology's folder, into out[size]. -1: too long. */
int vmm_reader_path(const struct vmm_reader *r, const char *text, char *out, size_t size);

#endif
