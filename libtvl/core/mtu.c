/* mtu.c - the search for the largest datagram that passes. Drawing and contract in mtu.h. */
#include "mtu.h"

static void search(struct tvl_mtu *m)
{
    m->state = TVL_MTU_SEARCHING;
    m->tries = 0;
    m->raise_at = TVL_TIME_NEVER;
}

void tvl_mtu_init(struct tvl_mtu *m, uint32_t max)
{
    *m = (struct tvl_mtu){ .current = TVL_MTU_BASE, .lost_at = TVL_TIME_NEVER };
    tvl_mtu_set_max(m, max);
}

void tvl_mtu_set_max(struct tvl_mtu *m, uint32_t max)
{
    m->max = max > TVL_MTU_BASE ? max : TVL_MTU_BASE;
    m->failed = m->max + 1;
    if (m->current > m->max)
        m->current = m->max;
    search(m);
}

/* The next size worth trying; 0: there is none. */
static uint32_t candidate(const struct tvl_mtu *m)
{
    if (m->current >= m->max)
        return 0;
    if (m->failed > m->max)
        return m->max;
    if (m->failed - m->current <= TVL_MTU_STEP)
        return 0;
    return m->current + (m->failed - m->current) / 2;
}

uint32_t tvl_mtu_probe(const struct tvl_mtu *m, tvl_time now)
{
    if (m->probing || (m->state == TVL_MTU_COMPLETE && now < m->raise_at))
        return 0;
    return candidate(m);
}

void tvl_mtu_sent(struct tvl_mtu *m, uint32_t size, tvl_time now, tvl_time patience)
{
    m->probing = size;
    m->lost_at = now + patience;
}

static void complete_if_done(struct tvl_mtu *m, tvl_time now)
{
    if (candidate(m) > 0)
        return;
    m->state = TVL_MTU_COMPLETE;
    m->raise_at = m->current < m->max ? now + TVL_MTU_RAISE_TIME : TVL_TIME_NEVER;
}

static void over(struct tvl_mtu *m)
{
    m->probing = 0;
    m->lost_at = TVL_TIME_NEVER;
}

bool tvl_mtu_acked(struct tvl_mtu *m, uint32_t size, tvl_time now)
{
    if (m->probing == size)
        over(m);
    if (size <= m->current || size > m->max)
        return false;
    m->current = size; /* also when it was given up before: it did arrive */
    if (m->failed <= size)
        m->failed = m->max + 1;
    m->tries = 0;
    complete_if_done(m, now);
    return true;
}

void tvl_mtu_lost(struct tvl_mtu *m, uint32_t size, tvl_time now)
{
    if (m->probing != size)
        return;
    over(m);
    if (++m->tries < TVL_MTU_TRIES)
        return;
    m->tries = 0;
    m->failed = size;
    complete_if_done(m, now);
}

void tvl_mtu_hole(struct tvl_mtu *m, tvl_time now)
{
    if (m->current == TVL_MTU_BASE)
        return;
    over(m);
    m->current = TVL_MTU_BASE;
    m->failed = m->max + 1;
    search(m);
    complete_if_done(m, now);
}

tvl_time tvl_mtu_next(const struct tvl_mtu *m)
{
    return m->probing ? m->lost_at : m->raise_at;
}

void tvl_mtu_tick(struct tvl_mtu *m, tvl_time now)
{
    if (m->probing && m->lost_at <= now)
        tvl_mtu_lost(m, m->probing, now);
    if (m->state == TVL_MTU_COMPLETE && m->raise_at <= now) {
        m->failed = m->max + 1;
        search(m);
    }
}
