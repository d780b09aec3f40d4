/*
 * qlog.h - writes trace records as qlog: one file a connection in JSON text sequences (RFC 7464),
 * main schema draft-ietf-quic-qlog-main-schema, QUIC events of draft-ietf-quic-qlog-quic-events,
 * with a path ID on every event. What they have no event for is in the namespace "tvl":
 * path_state_updated, path_picked (the scheduler's answer and what it was offered) and
 * packet_spurious. Part of the driver library: it writes files.
 *
 *     cfg.trace = tvl_qlog_trace; cfg.trace_user = qlog;
 *
 * One struct tvl_qlog serves one endpoint; two endpoints may write into one folder.
 */
#ifndef TVL_QLOG_H
#define TVL_QLOG_H

#include <tvl/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVL_QLOG_FILES_MAX 256 /* files open at once; connections above are not written */

struct tvl_qlog;

/* Into folder `dir` (made when missing), files ODCID_client.sqlog or ODCID_server.sqlog. 0,
 * TVL_ERR_FILE (errno says why) or TVL_ERR_NOMEM. */
int tvl_qlog_new(struct tvl_qlog **out, const char *dir);
void tvl_qlog_free(struct tvl_qlog *q); /* closes what is open */
/* For tvl_config.trace; `user` is a struct tvl_qlog. A full disk ends that file, nothing else. */
void tvl_qlog_trace(void *user, const struct tvl_trace_event *ev);
/* Bytes written, and files that could not be written, so far. */
uint64_t tvl_qlog_bytes(const struct tvl_qlog *q);
uint64_t tvl_qlog_failures(const struct tvl_qlog *q);

#ifdef __cplusplus
}
#endif
#endif
