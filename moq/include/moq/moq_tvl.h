/* moq_tvl.h - fills struct moq_quic for a libtvl connection and hands its events to the session. */
#ifndef MOQ_MOQ_TVL_H
#define MOQ_MOQ_TVL_H

#include <moq/moq.h>
#include <tvl/tvl.h>

#ifdef __cplusplus
extern "C" {
#endif

struct moq_tvl { /* owned by the caller; must outlive the session */
    struct tvl_conn *conn;
    tvl_time now;  /* refreshed at every event */
    uint32_t flow; /* of the streams that `send` opens; the owner's to set; 0 at first */
};

void moq_tvl_init(struct moq_tvl *t, struct tvl_conn *conn, struct moq_quic *out);
/* Give every event of the connection; those that concern no stream or datagram are ignored. */
void moq_tvl_on_event(struct moq_tvl *t, struct moq_session *s, const struct tvl_event *ev,
                      tvl_time now);

#ifdef __cplusplus
}
#endif
#endif
