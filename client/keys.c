/* keys.c - see keys.h. */
#include "keys.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEEK_S 10
#define SEEK_FAR_S 60
#define VOLUME_STEP 5

#define PATH_KEY(n)                                                                   \
    {                                                                                 \
#n, #n, false, COMMAND_PATH, COMMAND_TOGGLE, n, "that network path on or off" \
    }

const struct key keys[] = {
    { "Space", "Space", false, COMMAND_PAUSE, COMMAND_TOGGLE, 0, "pause, or go on" },
    { "P", "P", false, COMMAND_PAUSE, COMMAND_TOGGLE, 0, "pause, or go on" },
    { "Left", "Left", false, COMMAND_SEEK, COMMAND_ADD, -SEEK_S, "10 seconds back" },
    { "Right", "Right", false, COMMAND_SEEK, COMMAND_ADD, SEEK_S, "10 seconds on" },
    { "PageUp", "PgUp", false, COMMAND_SEEK, COMMAND_ADD, -SEEK_FAR_S, "a minute back" },
    { "PageDown", "PgDn", false, COMMAND_SEEK, COMMAND_ADD, SEEK_FAR_S, "a minute on" },
    { "End", "End", false, COMMAND_LIVE, COMMAND_SET, 0, "to what is live" },
    { "L", "L", false, COMMAND_LIVE, COMMAND_SET, 0, "to what is live" },
    { "Up", "Up", false, COMMAND_VOLUME, COMMAND_ADD, VOLUME_STEP, "louder" },
    { "Down", "Down", false, COMMAND_VOLUME, COMMAND_ADD, -VOLUME_STEP, "less loud" },
    { "M", "M", false, COMMAND_MUTE, COMMAND_TOGGLE, 0, "sound on or off" },
    { "F", "F", false, COMMAND_FULLSCREEN, COMMAND_TOGGLE, 0, "full screen" },
    { "S", "S", false, COMMAND_SCREENSHOT, COMMAND_SET, 0, "save a screenshot" },
    { "I", "I", false, COMMAND_STATISTICS, COMMAND_TOGGLE, 0, "statistics on or off" },
    { "I", "Shift+I", true, COMMAND_STATISTICS_PAGE, COMMAND_ADD, 1, "next page of statistics" },
    PATH_KEY(1),
    PATH_KEY(2),
    PATH_KEY(3),
    PATH_KEY(4),
    PATH_KEY(5),
    PATH_KEY(6),
    PATH_KEY(7),
    PATH_KEY(8),
    { "-", "-", false, COMMAND_LAYERS, COMMAND_ADD, -1, "a layer less at most" },
    { "=", "=", false, COMMAND_LAYERS, COMMAND_ADD, 1, "a layer more at most" },
    { "+", "+", false, COMMAND_LAYERS, COMMAND_ADD, 1, "a layer more at most" },
    { "O", "O", false, COMMAND_HAND_OVER, COMMAND_SET, 0, "hand over to whom the clipboard names" },
    { "H", "H", false, COMMAND_HELP, COMMAND_TOGGLE, 0, "this list" },
    { "?", "?", false, COMMAND_HELP, COMMAND_TOGGLE, 0, "this list" },
    { "/", "/", false, COMMAND_HELP, COMMAND_TOGGLE, 0, "this list" }, /* '?' without Shift */
    { "Q", "Q", false, COMMAND_QUIT, COMMAND_SET, 0, "quit" },
    { "Escape", "Esc", false, COMMAND_QUIT, COMMAND_SET, 0, "quit" },
    { 0 },
};

const struct key *keys_find(const char *name, bool shift)
{
    const struct key *found = NULL;

    for (const struct key *k = keys; k->name; k++)
        if (strcasecmp(k->name, name) == 0 && (k->shift == shift || (!k->shift && !found)))
            found = k;
    return found;
}

bool keys_line(size_t *at, char *out, size_t cap, const char **text)
{
    const struct key *first = &keys[*at], *last = first;

    if (!first->name)
        return false;
    *text = first->text;
    while (last[1].name && strcmp(last[1].text, first->text) == 0)
        last++;
    *at = (size_t)(last - keys) + 1;
    if (first->command == COMMAND_PATH) {
        snprintf(out, cap, "%s to %s", first->shown, last->shown);
        return true;
    }
    size_t len = 0;
    for (const struct key *k = first; k <= last && len < cap; k++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", k > first ? ", " : "", k->shown);
    return true;
}
