/* From one descriptor to another without passing through the program. */
#include "core.h"

static long transfer_once(struct hp_call *call, int input, long user_input_at, int output, long user_output_at,
			  long length)
{
	struct hp_file *from = hp_fd_blocks(input), *to = hp_fd_file(output);
	int64_t at = -1, output_at = -1;
	long result;

	if ((!from && !to) || length <= 0)
		return HP_PASS;
	if (from) {
		if (user_input_at ? hp_user_read(&at, (const void *)user_input_at, sizeof at) :
				    (at = hp_syscall3(__NR_lseek, input, 0, 1)) < 0)
			return HP_PASS;
		if (length > HP_PIECE)
			length = HP_PIECE;
		call->arg[call->nr == __NR_sendfile ? 3 : 4] = length; /* each of these calls may do less than asked */
		result = hp_hold(from, (uint64_t)at, (uint64_t)length);
		if (result)
			return result;
	}
	if (to && user_output_at && hp_user_read(&output_at, (const void *)user_output_at, sizeof output_at))
		result = -EFAULT;
	else if (to)
		result = hp_write_once(call, to, output, length, output_at);
	else
		result = hp_syscall_interruptible(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
						  call->arg[4], call->arg[5]);
	if (from)
		hp_release(from);
	return result;
}

static long transfer(struct hp_call *call, int input, long user_input_at, int output, long user_output_at, long length)
{
	long result;

	for (int round = 0; round < HP_ROOM_ROUNDS; round++) {
		result = transfer_once(call, input, user_input_at, output, user_output_at, length);
		if (result != -ENOSPC || hp_ask_room(length < HP_PIECE ? length : HP_PIECE))
			break;
	}
	return result;
}

long hp_call_sendfile(struct hp_call *call)
{
	return transfer(call, (int)call->arg[1], call->arg[2], (int)call->arg[0], 0, call->arg[3]);
}

long hp_call_splice(struct hp_call *call)
{
	return transfer(call, (int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], call->arg[4]);
}

long hp_call_copy_file_range(struct hp_call *call)
{
	return transfer(call, (int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], call->arg[4]);
}
