/* quiet.h - what libraries have to say, we say. */
#ifndef CLIENT_QUIET_H
#define CLIENT_QUIET_H

void quiet_libraries(void); /* they print nothing from here on; for the whole process */

#endif
