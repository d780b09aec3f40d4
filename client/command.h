/*
 * command.h - what somebody asks the player to do, at the keyboard or over the control socket.
 * Plain values; main.c is the one place that obeys.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#define COMMAND_TEXT_MAX 512

enum command_kind {
    COMMAND_NONE,
    COMMAND_QUIT,
    COMMAND_PAUSE,           /* how */
    COMMAND_SEEK,            /* value: seconds, negative: back */
    COMMAND_LIVE,            /* to what is newest */
    COMMAND_VOLUME,          /* how = COMMAND_SET: value in percent [0, 130]; COMMAND_ADD: a step */
    COMMAND_MUTE,            /* how */
    COMMAND_FULLSCREEN,      /* how */
    COMMAND_SCREENSHOT,      /* text: the file; empty: a name is made up */
    COMMAND_STATISTICS,      /* how */
    COMMAND_STATISTICS_PAGE, /* how = COMMAND_SET: value is the page, from 1; COMMAND_ADD: so many
                              */
    COMMAND_HELP,            /* how */
    COMMAND_PATH,            /* how; text: its name; or empty, and value its number from 1 */
    COMMAND_PATH_BACKUP,     /* the same: used only when no other path lives */
    COMMAND_LAYERS,          /* text: "s1t2", the highest to ask for; "all"; or empty: value spatial
                                layers more than now */
    COMMAND_HAND_OVER,       /* text: ADDRESS:PORT#CODE; empty: what the clipboard has */
};

enum command_how { COMMAND_OFF, COMMAND_ON, COMMAND_TOGGLE, COMMAND_SET, COMMAND_ADD };

struct command {
    enum command_kind kind;
    enum command_how how;
    double value;
    char text[COMMAND_TEXT_MAX];
};

/* What a switch that is `now` is after `how`. */
static inline int command_switch(enum command_how how, int now)
{
    return how == COMMAND_TOGGLE ? !now : how == COMMAND_ON;
}

#endif
