/*
 * null_crypto.h - packet protection and TLS that cost nothing, for fuzzing whole connections.
 *
 * The linker (--wrap) sends the calls of protect.h, tls.h and the reset tokens here. A packet is
 * not encrypted; its tag says under which secret, path and number it was sealed, so that a wrong
 * key, path or number still fails to open. A handshake is four short messages that carry what the
 * real ones carry: the transport parameters, the secrets in their order, the wrong levels refused.
 * One run takes microseconds instead of the milliseconds that certificates cost.
 */
#ifndef FUZZ_NULL_CRYPTO_H
#define FUZZ_NULL_CRYPTO_H

#include "tls.h"

struct tvl_tls *null_tls(bool server); /* a context for tvl_config.tls; free with tvl_tls_free */

#endif
