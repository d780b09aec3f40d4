/* feed.c - see feed.h. */
#include "feed.h"

const struct svc_stream_info *feed_info(const struct feed *f)
{
    return f->ops->info(f);
}

void feed_start(struct feed *f, uint64_t delay_us)
{
    f->ops->start(f, delay_us);
}

void feed_stop(struct feed *f)
{
    f->ops->stop(f);
}

void feed_free(struct feed *f)
{
    if (f)
        f->ops->free(f);
}

struct encoder_orders *feed_orders(struct feed *f)
{
    return f->ops->orders ? f->ops->orders(f) : NULL;
}

bool feed_stats(struct feed *f, struct live_stats *out)
{
    if (!f->ops->stats)
        return false;
    f->ops->stats(f, out);
    return true;
}
