/*
 * find.h - the project's own programs, clips and data, in a build tree or installed.
 *
 *     program NAME   $VMM_SHIM_PATH; beside the running executable, and in the rooms of its build
 *                    tree (../server, ../client, ...); $PATH
 *     media NAME     $VMM_SHIM_MEDIA; media folders of the build tree; DATADIR/svc-suite/media
 *     data NAME      of the shim itself, "systems.yaml": $VMM_SHIM_DATA; configs/ of the tree that
 *                    was built; DATADIR/svc-suite
 *
 * The variables are lists of folders, as PATH. An installed shim never looks into a build tree.
 */
#ifndef VMM_FIND_H
#define VMM_FIND_H

#include <stddef.h>

/* 0 and the absolute path; -1 with one line in `why`: what was not found and where. */
int vmm_find_program(const char *name, char *out, size_t size, char *why, size_t why_size);
int vmm_find_media(const char *name, char *out, size_t size, char *why, size_t why_size);
int vmm_find_data(const char *name, char *out, size_t size, char *why, size_t why_size);

#endif
