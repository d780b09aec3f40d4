/* quiet.c - see quiet.h: FFmpeg's. */
#include "quiet.h"

#include <libavutil/log.h>

void quiet_libraries(void)
{
    av_log_set_level(AV_LOG_QUIET);
}
