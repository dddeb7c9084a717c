/* Raw calls past the shim: the machine's files are not there, and what is at home is not zeros.
 * argv: paths of the machine that must not exist for a job.
 */
#include "bypass.h"

static void machine_files(uintptr_t gate, int count, char **paths)
{
	for (int i = 0; i < count; i++) {
		long fd = bypass(gate, SYS_open, (long)paths[i], O_RDONLY, 0, 0);
		if (fd < 0)
			HELD("open %s: %s", paths[i], strerrorname_np(-fd));
		else
			BROKE("opened %s", paths[i]);
	}
	static const char *const always[] = { "/etc/shadow",     "/root",
					      "/boot",           "/var/lib/dpkg/status",
					      "/run/hpool",      "/proc/1/root/home",
					      "/proc/1/environ", "/proc/1/mem",
					      "/proc/1/fd/3",    "/proc/kcore",
					      "/proc/keys",      "/dev/mem",
					      "/dev/kmsg",       "/dev/sda",
					      "/dev/vda",        "/dev/fuse",
					      "/dev/kvm",        "/sys/kernel/debug" };
	for (unsigned i = 0; i < sizeof(always) / sizeof(*always); i++) {
		static char bytes[16];
		long fd = bypass(gate, SYS_open, (long)always[i], O_RDONLY | O_NONBLOCK, 0, 0);
		long got = fd < 0 ? fd : bypass(gate, SYS_read, fd, (long)bytes, sizeof(bytes), 0);
		if (got > 0 || got == -EISDIR)
			BROKE("opened %s: %ld", always[i], got);
		else
			HELD("open %s: %s", always[i], got ? strerrorname_np(-got) : "empty");
	}
}

static int all_zero(const char *bytes, long length)
{
	for (long i = 0; i < length; i++)
		if (bytes[i] != 0)
			return 0;
	return length > 0;
}

/* big.bin at home has no run of zeros: 65,536 of them are a hole of the mirror. */
static void silent_zeros(uintptr_t gate)
{
	static char block[65536];
	struct stat st;
	long fd = bypass(gate, SYS_open, (long)"big.bin", O_RDONLY, 0, 0);
	if (fd >= 0 && bypass(gate, SYS_pread64, fd, (long)block, sizeof(block), 2 << 20) > 0 && all_zero(block, 65536))
		BROKE("an untouched file reads as zeros");
	else
		HELD("untouched: %ld", fd < 0 ? fd : 0);
	stat("big.bin", &st);
	fd = bypass(gate, SYS_open, (long)"big.bin", O_RDONLY, 0, 0);
	if (fd >= 0 && bypass(gate, SYS_pread64, fd, (long)block, sizeof(block), 2 << 20) > 0 && all_zero(block, 65536))
		BROKE("a placeholder reads as zeros");
	else
		HELD("placeholder: %ld", fd < 0 ? fd : 0);
	int mine = open("big.bin", O_RDONLY);
	long got = pread(mine, block, 100, 0);
	printf("normal read %ld\n", got);
	fd = bypass(gate, SYS_open, (long)"big.bin", O_RDONLY, 0, 0);
	printf("%s\n", fd < 0 ? "a second native open is refused" : "a second native open works");
}

static void write_names(uintptr_t gate)
{
	long made = bypass(gate, SYS_open, (long)"/planted", O_WRONLY | O_CREAT, 0644, 0);
	if (made < 0)
		HELD("create in the mirror's root: %s", strerrorname_np(-made));
	else
		BROKE("created a name that home does not know");
	made = bypass(gate, SYS_mkdir, (long)"planted", 0755, 0, 0);
	if (made < 0)
		HELD("mkdir: %s", strerrorname_np(-made));
	else
		BROKE("made a directory that home does not know");
	made = bypass(gate, SYS_symlink, (long)"/etc/shadow", (long)"planted", 0, 0);
	if (made < 0)
		HELD("symlink: %s", strerrorname_np(-made));
	else
		BROKE("planted a symlink in the mirror");
}

int main(int argc, char **argv)
{
	bypass_start();
	if (gate_count == 0) {
		HELD("no way past the shim was found");
		return 0;
	}
	machine_files(gates[0], argc - 1, argv + 1);
	silent_zeros(gates[0]);
	write_names(gates[0]);
	return 0;
}
