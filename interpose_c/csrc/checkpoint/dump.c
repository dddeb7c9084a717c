/* hpool-keeper dump INIT_PID META_FD PAGES_FD REPORT_FD [kill] [hold] [live]: writes down a job as it is.
 *
 * Started by the starter, beside the keeper: it has all capabilities of the user namespace the
 * job lives in, and no other. INIT_PID is PID 1 of the job, as the starter sees it. The process enters the
 * job's namespaces and works in a child there. One datagram to REPORT_FD: `dumped MICROSECONDS
 * BYTES MICROSECONDS`, or `refused SENTENCE`; after a refusal the job goes on as if nothing had been. `kill`: what
 * was dumped ends, without having run on, at any datagram back; the end of the socket lets it go on. `hold`: when all stand still the datagram `still` comes
 * first, and any datagram back lets the work begin. `live`: what is much is copied while the job runs
 * (precopy.c); with `hold` the datagram `soon` comes behind that, and is answered in the same way.
 *
 * Owns: the order. Everything is looked at before anything is changed that matters to the job.
 */
#include "dump.h"
#include "kernel.h"
#include "inet_diag.h"
#include "unix_diag.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
#define CLONE_NEWTIME_ 0x80
#define UNREAD_MOST_NS 128000000

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool read_process(struct hp_dump *dump, struct hp_process *process)
{
	char path[32];
	if (process->count == 0)
		return true;
	process->track = hp_track_of(dump, process);
	if (process->tasks[0].tid != process->pid)
		return hp_refuse("process %d goes on without its first thread", (int)process->pid);
	if (!hp_dump_check_filters(process) || !hp_dump_read_maps(process, process->track == NULL) ||
	    !hp_dump_prepare(dump, process))
		return false;
	snprintf(path, sizeof path, "%d/fd", (int)process->pid);
	process->fd_count = hp_proc_list(path, &process->fds);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->fd_count < 0 || process->pidfd < 0)
		return hp_refuse("process %d: its descriptors cannot be listed", (int)process->pid);
	for (int n = 0; n < process->fd_count; n++) {
		struct stat found;
		snprintf(path, sizeof path, "%d/fd/%d", (int)process->pid, process->fds[n]);
		if (fstatat(hp_proc, path, &found, 0) == 0 && S_ISSOCK(found.st_mode))
			hp_unix_socket_hold(found.st_ino),
				hp_inet_socket_hold(found.st_ino, process->pid, process->fds[n]);
	}
	return true;
}

uint64_t hp_file_sum(const char *path, uint32_t *bytes)
{
	static uint8_t piece[1 << 16];
	uint64_t sum = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	*bytes = 0;
	for (ssize_t got = read(fd, piece, sizeof piece); got > 0; got = read(fd, piece, sizeof piece)) {
		sum = hp_image_sum(sum, piece, (size_t)got);
		*bytes += (uint32_t)got;
	}
	if (fd >= 0)
		close(fd);
	return sum;
}

uint64_t hp_loader_sum(uint32_t *bytes)
{
	return hp_file_sum(HP_LOADER, bytes);
}

uint64_t hp_xfeatures(void)
{
	uint32_t low, high, a, b, c, d;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 3;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void begin(struct hp_dump *dump)
{
	struct hp_image_job job = { .magic = HP_IMAGE_MAGIC,
				    .version = HP_IMAGE_VERSION,
				    .realtime_ns = now_ns(CLOCK_REALTIME),
				    .monotonic_ns = now_ns(CLOCK_MONOTONIC),
				    .boottime_ns = now_ns(CLOCK_BOOTTIME),
				    .xfeatures = hp_xfeatures(),
				    .vdso_bytes = (uint32_t)dump->vdso_bytes };
	struct utsname name;
	uname(&name);
	strncpy(job.hostname, name.nodename, sizeof job.hostname - 1);
	strncpy(job.kernel, name.release, sizeof job.kernel - 1);
	job.loader_sum = hp_loader_sum(&job.loader_bytes);
	job.vdso_sum = hp_image_sum(0, dump->vdso, dump->vdso_bytes);
	job.first = (uint32_t)dump->first;
	hp_write_record(&dump->writer, HP_R_JOB, &job, sizeof job, NULL, 0);
}

static bool find_vdso(struct hp_dump *dump)
{
	dump->vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	for (unsigned p = 0; p < dump->count; p++)
		for (unsigned n = 0; n < dump->processes[p].mapping_count; n++) {
			const struct hp_mapping *mapping = &dump->processes[p].mappings[n];
			if (!strcmp(mapping->name, "[vdso]") && dump->vdso)
				dump->vdso_bytes = mapping->end - mapping->start;
		}
	return true;
}

static bool map_objects(struct hp_dump *dump, struct hp_process *process)
{
	for (unsigned n = 0; n < process->mapping_count; n++)
		if (process->mappings[n].kind == HP_V_FILE &&
		    !hp_dump_object_mapped(dump, process, &process->mappings[n]))
			return false;
	return true;
}

static bool write_rest(struct hp_dump *dump)
{
	for (unsigned n = 0; n < dump->count; n++)
		if (!hp_dump_files(dump, &dump->processes[n]))
			return false;
	for (unsigned n = 0; n < dump->count; n++)
		if (!map_objects(dump, &dump->processes[n]))
			return false;
	if (!hp_dump_names(dump) || !hp_dump_marks(dump))
		return false;
	for (unsigned n = 0; n < dump->count; n++)
		if (dump->processes[n].count && !hp_dump_memory(dump, &dump->processes[n]))
			return false;
	return true;
}

static bool write_all(struct hp_dump *dump)
{
	begin(dump);
	for (unsigned n = 0; n < dump->count; n++) {
		struct hp_process *process = &dump->processes[n];
		if (!hp_dump_tasks(dump, process))
			return false;
	}
	if (!hp_dump_check_births(dump) || !hp_dump_ipc(dump))
		return false;
	hp_dump_advice_begin(dump);
	bool fine = write_rest(dump);
	fine = hp_dump_advice_end(dump) && fine;
	for (unsigned n = 0; n < dump->count && fine; n++)
		hp_dump_mappings(dump, &dump->processes[n]);
	int failed = fine ? hp_write_close(&dump->writer) : 0;
	return fine && (failed == 0 || hp_refuse("the image cannot be written: %s", strerror(-failed)));
}

static bool look_and_write(struct hp_dump *dump)
{
	for (unsigned n = 0; n < dump->count; n++) {
		struct hp_process *process = &dump->processes[n];
		if (!read_process(dump, process))
			return false;
	}
	const struct hp_process *first = hp_dump_process(dump, dump->first);
	if (first == NULL || first->count == 0)
		return hp_refuse("the job's first process has ended");
	return hp_dump_check_sharing(dump) && find_vdso(dump) && write_all(dump);
}

/* What PID 1 keeps for us. It is non-dumpable: its /proc entry is closed even to us. */
static void read_kept(struct hp_dump *dump, int init)
{
	uint64_t swap = 1, first = 0;
	for (unsigned n = 0; n < 3; n++) {
		struct stat found;
		int kept = (int)syscall(SYS_pidfd_getfd, init, HP_KEPT_STDIO + n, 0);
		if (kept >= 0 && fstat(kept, &found) == 0)
			dump->stdio[n][0] = found.st_dev, dump->stdio[n][1] = found.st_ino,
			dump->terminal = S_ISCHR(found.st_mode) ? found.st_rdev : 0;
		if (kept >= 0)
			close(kept);
	}
	dump->terminal_master = dump->terminal ? (int)syscall(SYS_pidfd_getfd, init, HP_KEPT_TERMINAL, 0) : -1;
	int process = (int)syscall(SYS_pidfd_getfd, init, HP_KEPT_FIRST, 0);
	char name[24];
	snprintf(name, sizeof name, "fdinfo/%d", process);
	char *kept = hp_proc_text(getpid(), name, NULL);
	if (kept && hp_proc_number(kept, "Pid", 10, &first))
		dump->first = (pid_t)first;
	free(kept);
	if (process >= 0)
		close(process);
	int fd = openat(hp_proc, "meminfo", O_RDONLY | O_CLOEXEC);
	char text[4096] = "";
	if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
		hp_proc_number(text, "SwapTotal", 10, &swap);
	if (fd >= 0)
		close(fd);
	dump->has_swap = swap != 0;
}

static void tell(int report, const char *format, ...)
{
	char text[700];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	(void)!send(report, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, MSG_NOSIGNAL);
}

/* All stand still: the starter sees to what lies outside of the job, then says go. */
static bool hold(int report)
{
	char word[8];
	tell(report, "still");
	return recv(report, word, sizeof word, 0) > 0 || hp_refuse("the starter has given it up");
}

/* Most of it is copied: the starter may see to what can be done before all stand still. */
static void tell_soon(void *report)
{
	char word[8];
	tell(*(const int *)report, "soon");
	(void)recv(*(const int *)report, word, sizeof word, 0); /* who has given it up says so when they do */
}

/* Whoever asked has it in a safe place: it may take long, and stands still meanwhile. */
static bool may_end(int report)
{
	char word[8];
	return recv(report, word, sizeof word, 0) > 0;
}

static void drop_rest(struct hp_dump *dump)
{
	for (unsigned n = 0; n < dump->track_count; n++)
		hp_track_drop_rest(dump, &dump->tracks[n]);
}

static void tell_dumped(int report, const struct hp_dump *dump, int64_t frozen_ns, const struct hp_precopied *before)
{
	tell(report, "dumped %lld %llu %lld", (long long)frozen_ns / 1000, (unsigned long long)dump->writer.pages_end,
	     (long long)before->stopped_ns / 1000);
}

static void tell_nobody(void *report)
{
	(void)report;
}

struct wishes {
	bool kills, holds, live;
};

/* What an inotify descriptor has heard is the job's to read first, and most have done so in a moment. */
static bool freeze(struct hp_dump *dump, int64_t *start_ns)
{
	for (struct timespec moment = { 0, 1000000 };; moment.tv_nsec *= 2) {
		*start_ns = now_ns(CLOCK_MONOTONIC);
		if (!hp_freeze(&dump->frozen))
			return false;
		if (moment.tv_nsec > UNREAD_MOST_NS || !hp_has_unread(&dump->frozen))
			return true;
		hp_go_on(&dump->frozen);
		nanosleep(&moment, NULL);
	}
}

/* A job that was restored a moment ago: what it has not got yet is nowhere to be read. It runs meanwhile. */
static void await_memory(int init, int report)
{
	struct pollfd either[] = { { (int)syscall(SYS_pidfd_getfd, init, HP_KEPT_RESTORER, 0), POLLIN, 0 },
				   { report, 0, 0 } };
	while (either[0].fd >= 0 && poll(either, 2, -1) < 0 && errno == EINTR)
		;
	if (either[0].fd >= 0)
		close(either[0].fd);
}

static _Noreturn void work(int init, int meta, int pages, int report, struct wishes wishes)
{
	static struct hp_dump dump;
	int failed = hp_proc_mount_own();
	dump.own_network =
		setns(init, CLONE_NEWNET) == 0; /* the machine's own, which we are in already, is not ours to enter */
	if (failed || setns(init, NAMESPACES)) {
		tell(report, "refused the job's namespaces cannot be entered: %s", strerror(failed ? -failed : errno));
		_exit(1);
	}
	/* PID 1 sees the machine's clocks, the job perhaps others: those of its processes. */
	await_memory(init, report);
	failed = hp_write_open(&dump.writer, meta, pages);
	struct hp_precopied before = { 0 };
	if (failed == 0 && wishes.live)
		before = hp_precopy(&dump, wishes.holds ? tell_soon : tell_nobody, &report);
	int64_t start_ns = 0;
	bool fine =
		(failed == 0 || hp_refuse("no memory")) && freeze(&dump, &start_ns) && (!wishes.holds || hold(report));
	read_kept(&dump, init);
	if (fine) {
		int leader = (int)syscall(SYS_pidfd_open, dump.frozen.count ? dump.frozen.tasks[0].pid : 1, 0);
		int64_t here_ns = now_ns(CLOCK_MONOTONIC);
		(void)setns(leader, CLONE_NEWTIME_);
		start_ns += now_ns(CLOCK_MONOTONIC) - here_ns;
		close(leader);
		fine = ((hp_unix_sockets_read() == 0 && hp_inet_sockets_read() == 0) ||
			hp_refuse("the sockets cannot be listed")) &&
		       hp_dump_list(&dump) && look_and_write(&dump);
	}
	bool ends = fine && wishes.kills;
	int64_t frozen_ns = ends ? now_ns(CLOCK_MONOTONIC) - start_ns : 0;
	if (ends)
		drop_rest(&dump), tell_dumped(report, &dump, frozen_ns, &before);
	if (ends && may_end(report)) {
		for (unsigned n = 0; n < dump.count; n++)
			kill(dump.processes[n].pid, SIGKILL);
	} else {
		hp_dump_hush(&dump);
		for (unsigned n = 0; n < dump.count; n++)
			hp_dump_release(&dump.processes[n]);
		hp_thaw(&dump.frozen);
	}
	frozen_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
	if (fine && !ends)
		drop_rest(&dump);
	for (unsigned n = 0; n < dump.track_count; n++)
		hp_track_end(&dump.tracks[n]);
	if (!fine)
		tell(report, "refused %s", hp_refusal());
	else if (!ends)
		tell_dumped(report, &dump, frozen_ns, &before);
	_exit(fine ? 0 : 1);
}

static bool has(int argc, char **argv, const char *word)
{
	for (int n = 6; n < argc; n++)
		if (!strcmp(argv[n], word))
			return true;
	return false;
}

int hp_dump_main(int argc, char **argv)
{
	if (argc < 6) {
		fputs("usage: hpool-keeper dump INIT_PID META_FD PAGES_FD REPORT_FD [kill] [hold] [live]\n", stderr);
		return 125;
	}
	int meta = atoi(argv[3]), pages = atoi(argv[4]), report = atoi(argv[5]);
	int init;
	long child = hp_enter(atoi(argv[2]), &init);
	if (child < 0) {
		tell(report, "refused the job's PID namespace cannot be entered: %s", strerror((int)-child));
		return 1;
	}
	if (child == 0)
		work(init, meta, pages, report,
		     (struct wishes){ .kills = has(argc, argv, "kill"),
				      .holds = has(argc, argv, "hold"),
				      .live = has(argc, argv, "live") });
	return hp_enter_wait(child);
}
