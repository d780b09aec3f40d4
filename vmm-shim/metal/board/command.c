/* command.c - options of the command line. Pure. See board.h. */
#include "board.h"

static bool begins(const char *text, const char *with)
{
    while (*with && *text == *with) {
        text++;
        with++;
    }
    return *with == '\0';
}

static size_t length(const char *text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return n;
}

uint64_t board_number(const char **text, unsigned base)
{
    uint64_t value = 0;

    for (;; (*text)++) {
        const char c = **text;
        const unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                               : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                      : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

const char *board_option_text(const char *command, const char *key, size_t skip)
{
    const size_t n = length(key);

    for (const char *word = command; *word;) {
        while (*word == ' ')
            word++;
        if (begins(word, key) && word[n] == '=' && skip-- == 0)
            return word + n + 1;
        while (*word && *word != ' ')
            word++;
    }
    return NULL;
}

uint64_t board_option(const char *key, uint64_t otherwise)
{
    const char *text = board_option_text(board.command, key, 0);

    return text && *text >= '0' && *text <= '9' ? board_number(&text, 10) : otherwise;
}
