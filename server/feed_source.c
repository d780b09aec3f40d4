/* feed_source.c - see feed_source.h. */
#include "feed_source.h"

#include <stdio.h>
#include <string.h>

#include "feed_file.h"
#include "live.h"

int feed_source_open(struct feed **out, const struct feed_sink *sink,
                     const struct config_source *cfg, char *why, size_t why_size)
{
    struct live_config live;
    switch (cfg->kind) {
    case CONFIG_FILE:
        return feed_file_open(out, sink, cfg->input, cfg->loop ? FEED_AGAIN : FEED_ONCE,
                              cfg->start_s, why, why_size);
    case CONFIG_LIVE:
        if (config_live(&live, cfg, why, why_size) < 0)
            return -1;
        return live_open(out, sink, &live, why, why_size);
    case CONFIG_UPSTREAM:
    case CONFIG_PUBLISH:
        break;
    }
    snprintf(why, why_size, "%s: not a source that can be opened", cfg->ns);
    return -1;
}

bool feed_source_may_return(const struct config_source *cfg)
{
    return cfg->kind == CONFIG_UPSTREAM || (cfg->kind == CONFIG_FILE && cfg->loop) ||
           (cfg->kind == CONFIG_LIVE && !config_input_file(cfg) && strcmp(cfg->input, "-") != 0);
}

const char *feed_source_kind(enum config_source_kind kind)
{
    static const char *const names[] = { [CONFIG_FILE] = "file",
                                         [CONFIG_LIVE] = "live",
                                         [CONFIG_UPSTREAM] = "upstream",
                                         [CONFIG_PUBLISH] = "publish" };
    return names[kind];
}
