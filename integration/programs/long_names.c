/* Names of 255 bytes work, 256 do not, in every call. */
#include "say.h"

int main(void)
{
	char fits[256], over[257], deep[1200];
	struct stat st;
	memset(fits, 'n', 255);
	memset(over, 'n', 256);
	fits[255] = over[256] = 0;
	TRY(open(fits, O_WRONLY | O_CREAT, 0644));
	TRY(open(over, O_WRONLY | O_CREAT, 0644));
	TRY(stat(fits, &st));
	TRY(stat(over, &st));
	TRY(rename(fits, over));
	TRY(mkdir(over, 0755));
	TRY(link(fits, over));
	TRY(symlink(fits, "to-long"));
	TRY(stat("to-long", &st));
	TRY(symlink(over, "to-longer"));
	TRY(stat("to-longer", &st));
	TRY(unlink(over));
	TRY(access(over, F_OK));
	fits[0] = 'd';
	MUST(mkdir(fits, 0755));
	snprintf(deep, sizeof(deep), "%s/%s", fits, fits);
	MUST(mkdir(deep, 0755));
	snprintf(deep, sizeof(deep), "%s/%s/%s", fits, fits, fits);
	TRY(open(deep, O_WRONLY | O_CREAT, 0644));
	return 0;
}
