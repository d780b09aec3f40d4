/* web.h - the dashboard's files, put into the program when it is built (web/embed.py). */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

#include <stddef.h>

struct web_file {
    const char *path, *type; /* "/dashboard.js", of the content */
    const char *etag;        /* quoted; changes with the content */
    const unsigned char *data;
    size_t len;
};

extern const struct web_file web_files[]; /* path NULL after the last */

#endif
