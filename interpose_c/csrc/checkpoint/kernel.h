/* Names of the kernel's that Debian 12's headers do not have. */
#ifndef HPOOL_CHECKPOINT_KERNEL_H
#define HPOOL_CHECKPOINT_KERNEL_H

#include <stdint.h>
#include <sys/ioctl.h>

#define HP_PTRACE_GET_RSEQ 0x420f
#define HP_PTRACE_SET_DISPATCH 0x4210
#define HP_PTRACE_GET_DISPATCH 0x4211

#define HP_ARCH_GET_CPUID 0x1011
#define HP_ARCH_SET_CPUID 0x1012

struct hp_kernel_dispatch { /* struct ptrace_sud_config */
	uint64_t mode, selector, offset, length;
};

struct hp_kernel_rseq { /* struct ptrace_rseq_configuration */
	uint64_t address;
	uint32_t size, signature, flags, pad;
};

struct hp_kernel_rseq_cs { /* struct rseq_cs */
	uint32_t version, flags;
	uint64_t start, bytes, abort;
};
#define HP_RSEQ_CS 8 /* where struct rseq names it */

struct hp_kernel_sched { /* struct sched_attr, as it was at first */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

struct hp_kernel_action {
	uint64_t handler, flags, restorer, mask;
};

struct hp_kernel_itimerspec {
	int64_t interval_s, interval_ns, value_s, value_ns;
};

struct hp_kernel_mm_map { /* struct prctl_mm_map */
	uint64_t mm[11];
	uint64_t auxv;
	uint32_t auxv_size, exe_fd;
};

#define HP_PR_TIMER_CREATE_RESTORE_IDS 77
#define HP_PR_SET_MDWE 65
#define HP_PR_SET_MEMORY_MERGE 67
#define HP_PR_GET_MEMORY_MERGE 68
#define HP_ARCH_GET_XCOMP_PERM 0x1022
#define HP_ARCH_REQ_XCOMP_PERM 0x1023
#define HP_PR_GET_MDWE 66
#define HP_MEMBARRIER_GET_REGISTRATIONS 512
#define HP_IOPRIO_OF_PROCESS 1
#define HP_KCMP_FILE 0
#define HP_KCMP_VM 1
#define HP_KCMP_FILES 2
#define HP_KCMP_FS 3
#define HP_KCMP_SIGHAND 4
#define HP_KCMP_SYSVSEM 6
#define HP_KCMP_EPOLL_TFD 7

struct hp_kernel_epoll_slot { /* struct kcmp_epoll_slot */
	uint32_t efd, tfd, toff;
};

#define HP_PAGE_IS_WPALLOWED (1u << 0)
#define HP_PAGE_IS_WRITTEN (1u << 1)
#define HP_PAGE_IS_FILE (1u << 2)
#define HP_PAGE_IS_PRESENT (1u << 3)
#define HP_PAGE_IS_SWAPPED (1u << 4)
#define HP_PAGE_IS_PFNZERO (1u << 5)
#define HP_PAGE_IS_GUARD (1u << 8) /* 6.15; there are guard pages since 6.13 */
#define HP_MADV_GUARD_INSTALL 102

struct hp_kernel_page_region {
	uint64_t start, end, categories;
};

struct hp_kernel_pm_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define HP_PM_SCAN_WP_MATCHING 1u
#define HP_PAGEMAP_SCAN _IOWR('f', 16, struct hp_kernel_pm_scan)

#define HP_UFFD_FEATURE_WP_ASYNC (1u << 15)

#endif
