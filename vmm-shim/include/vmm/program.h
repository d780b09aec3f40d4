/*
 * program.h - a packet program: what a link of a slice does with each frame, as a shared object.
 *
 *     #include <vmm/program.h>
 *
 *     VMM_PROGRAM(c, f)
 *     {
 *         return f->len > 1000 && vmm_random(c) % 100 == 0 ? VMM_DROP : VMM_PASS;
 *     }
 *
 *     cc -shared -fPIC -o drop.so drop.c
 *     vmm-topology(5): link key `program`; vlink(1): request "program"
 *
 * It is called once for each frame that enters the link, before the frame is queued: for those of
 * the link's own ports and for those of child slices. It runs inside the network process of the
 * slice, on its one thread, so it must be quick, must not block and must not keep pointers; when it
 * crashes, the network of that slice ends. Nothing of this header is linked: it needs no library.
 *
 * A file that is in use is to be replaced (mv), not overwritten.
 */
#ifndef VMM_PROGRAM_H
#define VMM_PROGRAM_H

#include <stdint.h>

#define VMM_PROGRAM_VERSION 1u        /* of this header; another one is refused */
#define VMM_PROGRAM_STATE 8192u       /* bytes of private memory */
#define VMM_DELAY_MAX_NS 10000000000u /* longer ones are cut */

enum vmm_verdict {
    VMM_PASS = 0,
    VMM_DROP,  /* counted as drop_program */
    VMM_MARK,  /* congestion experienced, where the packet is ECN-capable (RFC 3168); passes */
    VMM_DELAY, /* passes `delay_ns` later; frames behind it may overtake */
};

/* A frame, for the duration of the call. */
struct vmm_frame {
    const uint8_t *bytes; /* from the destination's address on, without FCS */
    uint32_t len;         /* [14, 9216] */
    uint32_t way;         /* 0: up, 1: down */
    uint64_t time_ns;     /* CLOCK_MONOTONIC */
    uint64_t number;      /* frames that the program has seen before on this link and way */
    const char *tenant;   /* "SLICE/LINK" of a child slice's; "": of a port here */
};

/* What belongs to this link, from loading the program until it is replaced. */
struct vmm_context {
    uint32_t version;     /* VMM_PROGRAM_VERSION of the caller */
    uint32_t size;        /* of this structure there */
    const char *link;     /* its name */
    const char *argument; /* as the topology or the request gave it, "" for none */
    uint64_t seed;        /* from the slice's seed and the link's name: the program's to change */
    uint64_t delay_ns;    /* out, for VMM_DELAY; 0 before each call */
    union {               /* the program's own, all zero at first */
        uint64_t word[VMM_PROGRAM_STATE / 8];
        uint8_t byte[VMM_PROGRAM_STATE];
        void *pointer[VMM_PROGRAM_STATE / sizeof(void *)];
    } state;
};

/* The one function of the object, and the version it was written for. */
#define VMM_PROGRAM(context, frame)                                                           \
    extern const uint32_t vmm_program_version;                                                \
    const uint32_t vmm_program_version = VMM_PROGRAM_VERSION;                                 \
    enum vmm_verdict vmm_program(struct vmm_context *context, const struct vmm_frame *frame); \
    enum vmm_verdict vmm_program(struct vmm_context *context, const struct vmm_frame *frame)

/* The next random number of the link: splitmix64. The same seed, the same frames, the same run. */
static inline uint64_t vmm_random(struct vmm_context *c)
{
    uint64_t z = c->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
