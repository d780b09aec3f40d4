/* log.h - one line of text per message, cut off below a level. Where it goes is the program's: each
 * that links this room says what log_text does. */
#ifndef PEER_LOG_H
#define PEER_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages of this level and graver ones are written; at start LOG_LEVEL_WARN. */
void log_set_level(enum log_level level);
void log_text(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
