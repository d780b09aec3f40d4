/* member.h - what confined.c and exec.c tell member.c, inside slice/. */
#ifndef VMM_MEMBER_H
#define VMM_MEMBER_H

#include "slice/keeper.h"

/* It ended by itself, or as it was told to. */
void vmm_member_dead(struct vmm_member *m, const char *why);
/* Its command has ended; `code` as a shell has it. */
void vmm_member_done(struct vmm_member *m, int code);
/* {"out"|"err"|"out64"|"err64"} of its command. Borrowed. */
void vmm_member_output(struct vmm_member *m, json_t *part);
/* Of an agent's last line: {"exit":} or {"signal":}. */
int vmm_member_exit_code(json_t *m);

/* Its agent is told anew whether the command's output is wanted: after a move. */
void vmm_member_settle(struct vmm_member *m);

#endif
