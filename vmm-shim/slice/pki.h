/*
 * pki.h - the certificates of a slice: an authority of its own, and one leaf a node with its name
 * and addresses (subjectAltName). P-256, for TLS 1.3; made anew with each slice, kept nowhere else.
 *
 * Files: SLICE/ca/ca.pem; SLICE/node/NAME/{cert.pem,key.pem}. The authority's key stays in memory
 * and is forgotten when all leaves are made.
 */
#ifndef VMM_PKI_H
#define VMM_PKI_H

#include "topology/topology.h"

/* Writes ca/ca.pem and for each node node/NAME/{cert.pem,key.pem} below `folder` (the folders are
 * there). 0, or -1 and `why`. */
int vmm_pki_make(const struct vmm_topology *t, const char *folder, char *why, size_t why_size);

#endif
