/* name_to_handle_at: what is wrong with the call is told, names of one file have one handle, others another. */
#include "say.h"

union handle {
	struct file_handle file;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static union handle of(int directory, const char *name, int flags)
{
	union handle handle;
	int mount;

	memset(&handle, 0, sizeof handle);
	handle.file.handle_bytes = MAX_HANDLE_SZ;
	printf("%s: ", name);
	TRY(name_to_handle_at(directory, name, &handle.file, &mount, flags));
	return handle;
}

static int same(union handle one, union handle other)
{
	return one.file.handle_bytes > 0 && memcmp(&one, &other, sizeof one) == 0;
}

int main(void)
{
	int here = MUST(open(".", O_PATH)), null = MUST(open("/dev/null", O_RDONLY)), file, mount;
	union handle handle = { .file = { .handle_bytes = 0 } };

	MUST(link("small.txt", "again.txt"));
	MUST(symlink("small.txt", "to.txt"));
	YES(same(of(here, "small.txt", 0), of(AT_FDCWD, "again.txt", 0)));
	YES(same(of(here, "small.txt", 0), of(AT_FDCWD, "to.txt", AT_SYMLINK_FOLLOW)));
	YES(same(of(here, "small.txt", 0), of(AT_FDCWD, "to.txt", 0)));
	YES(same(of(here, "small.txt", 0), of(here, "dir", 0)));
	file = MUST(open("small.txt", O_RDONLY));
	YES(same(of(file, "", AT_EMPTY_PATH), of(here, "small.txt", 0)));
	TRY(name_to_handle_at(AT_FDCWD, "small.txt", &handle.file, &mount, 0));
	YES(handle.file.handle_bytes > 0);
	handle.file.handle_bytes = MAX_HANDLE_SZ + 1;
	TRY(name_to_handle_at(AT_FDCWD, "small.txt", &handle.file, &mount, 0));
	handle.file.handle_bytes = MAX_HANDLE_SZ;
	TRY(name_to_handle_at(-1, "small.txt", &handle.file, &mount, 0));
	TRY(name_to_handle_at(null, "small.txt", &handle.file, &mount, 0));
	TRY(name_to_handle_at(AT_FDCWD, NOWHERE, &handle.file, &mount, 0));
	TRY(name_to_handle_at(AT_FDCWD, "small.txt", NOWHERE, &mount, 0));
	TRY(name_to_handle_at(AT_FDCWD, "small.txt", &handle.file, NOWHERE, 0));
	TRY(name_to_handle_at(AT_FDCWD, "small.txt", &handle.file, &mount, -1));
	TRY(name_to_handle_at(AT_FDCWD, "", &handle.file, &mount, 0));
	TRY(name_to_handle_at(AT_FDCWD, "missing", &handle.file, &mount, 0));
	TRY(name_to_handle_at(AT_FDCWD, "small.txt/below", &handle.file, &mount, 0));
	return 0;
}
