/* config_file.h - the configuration as YAML (libyaml), key by key through the table. */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "config.h"
#include "problems.h"

#define CONFIG_FILE_BYTES_MAX (1 << 20)

/* Reads `path` over what is in `c`; names of files in it are relative to its folder. Each problem
 * is a line that names file, line and key; `c` has the rest all the same. */
void config_file_read(struct config *c, const char *path, struct problems *to);

#endif
