/* reinject.c - see reinject.h. */
#include "reinject.h"

void tvl_reinject_late(struct tvl_conn *conn)
{
    (void)conn;
}
