/* macs.c - see macs.h. */
#include "macs.h"

#include <stddef.h>
#include <string.h>

static uint64_t number_of(const uint8_t *mac)
{
    uint64_t n = 0;
    for (size_t i = 0; i < 6; i++)
        n = n << 8 | mac[i];
    return n;
}

static size_t set_of(uint64_t mac)
{
    return (size_t)((mac * 0x9e3779b97f4a7c15u) >> 32) % VLINK_MACS_SETS;
}

static bool is_group(const uint8_t *mac)
{
    return mac[0] & 1;
}

void vlink_macs_learn(struct vlink_macs *m, const uint8_t *mac, unsigned port, vlink_time now)
{
    uint64_t number = number_of(mac);
    if (is_group(mac) || number == 0)
        return;
    size_t set = set_of(number), place = 0;
    for (size_t i = 0; i < VLINK_MACS_WAYS; i++) {
        if (m->entry[set][i].mac == number) {
            place = i;
            break;
        }
        if (m->entry[set][i].heard < m->entry[set][place].heard)
            place = i; /* free ones were never heard: 0 */
    }
    m->entry[set][place].mac = number;
    m->entry[set][place].port = port;
    m->entry[set][place].heard = now;
}

int vlink_macs_find(const struct vlink_macs *m, const uint8_t *mac, vlink_time now)
{
    uint64_t number = number_of(mac);
    if (is_group(mac) || number == 0)
        return -1;
    size_t set = set_of(number);
    for (size_t i = 0; i < VLINK_MACS_WAYS; i++)
        if (m->entry[set][i].mac == number)
            return now - m->entry[set][i].heard <= VLINK_MACS_AGE_NS ? (int)m->entry[set][i].port
                                                                     : -1;
    return -1;
}

void vlink_macs_forget(struct vlink_macs *m, unsigned port)
{
    for (size_t set = 0; set < VLINK_MACS_SETS; set++)
        for (size_t i = 0; i < VLINK_MACS_WAYS; i++)
            if (m->entry[set][i].mac && m->entry[set][i].port == port)
                memset(&m->entry[set][i], 0, sizeof m->entry[set][i]);
}
