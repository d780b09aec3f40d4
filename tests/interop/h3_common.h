/*
 * h3_common.h - what the test client and the test server share beside HTTP/3: the key log, qlog,
 * whole files, and results as JSON lines on standard output.
 */
#ifndef TEST_H3_COMMON_H
#define TEST_H3_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <tvl/ev.h>

#define H3_BODY_MAX (256u << 20) /* bytes of a file that is sent or kept */

extern const char *const h3_alpn[];

struct h3_logs { /* options of both programs */
    const char *keylog_file;
    FILE *keylog;
    struct tvl_qlog *qlog;                    /* into the folder QLOGDIR names; NULL: none */
    unsigned retries_seen, negotiations_seen; /* Retry, Version Negotiation packets received */
};

/* Open what is asked for and enter it into the configurations. 0, or -1 and a line on stderr. */
int h3_logs_open(struct h3_logs *logs, struct tvl_tls_config *tls, struct tvl_config *cfg);
void h3_logs_close(struct h3_logs *logs);

/* The whole file, to be freed; NULL: errno says why. */
uint8_t *h3_read_file(const char *folder, const char *name, size_t *len);
/* A new file for writing, named by the last part of `path` ("index.html" when there is none). */
FILE *h3_create_file(const char *folder, const char *path);

void h3_print(json_t *line);                    /* takes the reference; flushes */
void h3_print_path(const struct tvl_event *ev); /* a TVL_EVENT_PATH */
/* What tvl_conn_get_stats and tvl_paths say, as an object. */
json_t *h3_stats(const struct tvl_conn *conn);

#endif
