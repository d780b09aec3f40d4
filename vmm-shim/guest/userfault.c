/*
 * userfault.c - not part of vmm-shim: a library that is loaded before QEMU (LD_PRELOAD) where a
 * guest arrives by postcopy. QEMU asks the kernel for a userfaultfd, which only the mighty get;
 * here one comes of the descriptor of /dev/userfaultfd that QEMU was given (Linux 6.1). Nothing
 * else changes.
 *
 * VMM_USERFAULT_FD is defined by the build: enum vmm_guest_fd has the same number.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define NEW_USERFAULTFD _IO(0xAA, 0x00) /* USERFAULTFD_IOC_NEW of <linux/userfaultfd.h> */

long syscall(long number, ...);

long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_userfaultfd)
        return ioctl(VMM_USERFAULT_FD, NEW_USERFAULTFD, a[0]);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
