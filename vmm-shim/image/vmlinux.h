/*
 * vmlinux.h - the ELF kernel that is packed in a bzImage.
 *
 * QEMU starts an ELF with a PVH entry at once, where a bzImage would first unpack itself inside the
 * guest (x86/boot.rst: payload_offset, payload_length since protocol 2.08; xen/elfnote.h: note 18).
 */
#ifndef VMM_IMAGE_VMLINUX_H
#define VMM_IMAGE_VMLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMLINUX_MAX (256u << 20)       /* bytes unpacked */
#define VMLINUX_PACKED_MAX (64u << 20) /* bytes of a bzImage */

/* Where in a bzImage the packed kernel is. -1: it is no such image. Pure. */
int vmlinux_payload(const uint8_t *image, size_t len, size_t *offset, size_t *payload_len);
/* True: an ELF for x86-64 with a PVH entry. */
bool vmlinux_has_pvh(const uint8_t *elf, size_t len);
/* Reads the bzImage `from`, writes `to`. */
int vmlinux_extract(const char *from, const char *to, char *why, size_t why_size);

#endif
