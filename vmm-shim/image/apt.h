/*
 * apt.h - packages of the distribution, fetched and unpacked without being installed.
 *
 * The host's own sources and keys are used. For the host's architecture its lists are tried first;
 * for another, or if they are missing or stale, lists of our own in the cache: apt-get update with
 * every folder of state set to ours. apt checks signatures, we check the package's SHA-256.
 */
#ifndef VMM_IMAGE_APT_H
#define VMM_IMAGE_APT_H

#include "topology/topology.h"

struct apt_package {
    char name[96], version[64], arch[VMM_NAME_MAX];
    char sha256[65];
};

/*
 * Finds the package that `meta` depends on first whose name begins as `meta` does
 * ("linux-image-cloud-amd64" -> "linux-image-6.1.0-50-cloud-amd64"), and unpacks it in `folder`.
 * `cache`: where lists of our own go.
 */
int apt_unpack_newest(const char *cache, const char *arch, const char *meta, const char *folder,
                      struct apt_package *out, char *why, size_t why_size);

/* The same of exactly these packages, NULL-ended; after it, with the lists that it has fetched. */
int apt_unpack_all(const char *cache, const char *arch, const char *const names[],
                   const char *folder, char *why, size_t why_size);

#endif
