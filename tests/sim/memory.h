/*
 * memory.h - counts what libtvl allocates. The program is linked with --wrap for malloc and its
 * kin; counting is switched on around calls into the library.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

bool sim_memory_count(bool on); /* result: as it was before */
size_t sim_memory_bytes(void);  /* allocated and not freed while counting */
size_t sim_memory_peak(void);   /* the most since sim_memory_reset */
void sim_memory_reset(void);

#endif
