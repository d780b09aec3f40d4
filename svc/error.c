/* error.c - the words for enum svc_error. */
#include "svc/svc.h"

const char *svc_strerror(int error)
{
    switch (error) {
    case 0:
        return "no error";
    case SVC_ERR_ARG:
        return "argument outside its range";
    case SVC_ERR_NOMEM:
        return "out of memory";
    case SVC_ERR_FILE:
        return "file cannot be opened, read or written";
    case SVC_ERR_FORMAT:
        return "not a layered file, damaged, or cut short";
    case SVC_ERR_CODEC:
        return "the codec refused";
    case SVC_ERR_MISSING:
        return "a reference is missing";
    default:
        return error > 0 ? "no error" : "unknown error";
    }
}
