/*
 * replay.c - runs a fuzzer's entry over the files of a corpus, without libFuzzer: the finds of the
 * past as an ordinary test.
 *
 *     corpus_NAME DIRECTORY-OR-FILE...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* 1, or 0 when it cannot be read. */
static unsigned run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *all = f ? malloc(INPUT_MAX) : NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (all) {
        len = fread(all, 1, INPUT_MAX, f);
        bytes = malloc(len ? len : 1); /* exactly so long: a sanitizer sees what is beyond */
    }
    if (f)
        fclose(f);
    if (!bytes) {
        free(all);
        return 0;
    }
    memcpy(bytes, all, len);
    free(all);
    if (getenv("FUZZ_VERBOSE"))
        printf("%s\n", path);
    (void)LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    return 1;
}

static unsigned run_directory(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    unsigned n = 0;

    if (!d)
        return run_file(path);
    while ((e = readdir(d)) != NULL) {
        char name[4096];

        if (e->d_name[0] == '.' ||
            (size_t)snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= sizeof name)
            continue;
        n += run_file(name);
    }
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    static const uint8_t nothing;
    unsigned n = 0;

    (void)LLVMFuzzerTestOneInput(&nothing, 0);
    for (int i = 1; i < argc; i++)
        n += run_directory(argv[i]);
    printf("%u inputs\n", n);
    return n > 0 ? 0 : 1; /* a test that ran nothing has not passed */
}
