/* version.h - the suite's version; the libraries share it. */
#ifndef CLIENT_VERSION_H
#define CLIENT_VERSION_H

#include <tvl/tvl.h>

#define CLIENT_VERSION TVL_VERSION

#endif
