/*
 * resolve.h - the names in a topology that stand for files of this host, found and checked.
 *
 * Apart from vmm_topology_read(), which opens nothing: a file can be checked where the programs are
 * not. After this every `file.from`, trace and packet program is an absolute path of a file that
 * exists, and in `run`
 *     program:NAME   as first word: of a guest NAME (its small build for guests is the image's to
 *                    find); of a process, and elsewhere, its path, and unless that is below /usr
 * the program is among the process's files, at the same path media:NAME     /media/NAME, and the
 * clip is among the node's files
 */
#ifndef VMM_RESOLVE_H
#define VMM_RESOLVE_H

#include "topology/topology.h"

/* 0; -1 with "FILE:LINE: what is not there, and where it was looked for" in `why`; *t is then half
 * done and only to be freed. */
int vmm_topology_resolve(struct vmm_topology *t, char *why, size_t why_size);

#endif
