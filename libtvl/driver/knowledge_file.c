/* knowledge_file.c - reads a knowledge base from a file. Contract in <tvl/ev.h>. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tvl/ev.h>
#include <tvl/select.h>

#define FILE_MAX (16u << 20) /* bytes */

static const char *place_of(const char *file)
{
    const char *set = getenv("TVL_KNOWLEDGE");

    if (file)
        return file;
    return set && *set ? set : TVL_KNOWLEDGE_FILE;
}

/* Owned; NULL: `why` says it, or errno does. */
static char *read_all(const char *file, size_t *len, const char **why)
{
    FILE *f = fopen(file, "rbe");
    char *text = f ? malloc(FILE_MAX + 1) : NULL;

    *why = NULL;
    if (text) {
        *len = fread(text, 1, FILE_MAX + 1, f);
        *why = ferror(f) ? strerror(errno) : *len > FILE_MAX ? "too large" : NULL;
    } else {
        *why = strerror(errno);
    }
    if (f)
        fclose(f);
    if (!*why)
        return text;
    free(text);
    return NULL;
}

int tvl_knowledge_read(struct tvl_knowledge **out, const char *file, char *why, size_t why_size)
{
    const char *from = place_of(file), *wrong;
    char line[160] = "";
    size_t len = 0;
    char *text = read_all(from, &len, &wrong);
    int r = TVL_ERR_SYS;

    if (text) {
        r = tvl_knowledge_new(out, text, len, line, sizeof line);
        wrong = *line ? line : tvl_strerror(r);
    }
    free(text);
    if (r < 0 && why_size > 0)
        snprintf(why, why_size, "%s: %s", from, wrong);
    return r;
}
