/* The control socket: text datagrams, each a whole message.
 *
 * Owns: their spelling and the list of protections. What cannot be sent was
 * meant for a starter that is gone, and its hang-up ends the job anyway.
 */
#include "keeper.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int control = -1;
static char protections[2048] = "protections";

void hp_control_open(int fd)
{
	control = fd;
}

int hp_control_fd(void)
{
	return control;
}

void hp_protection(const char *name, bool granted, const char *detail)
{
	size_t used = strlen(protections);
	snprintf(protections + used, sizeof protections - used, " %s=%s%s%s", name, granted ? "yes" : "no",
		 detail ? ":" : "", detail ? detail : "");
}

static void send_text(const char *text, size_t length)
{
	while (send(control, text, length, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void hp_control_send_protections(void)
{
	send_text(protections, strlen(protections));
}

void hp_control_send(const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	send_text(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void hp_control_send_tty(int master)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	struct iovec word = { (char *)"tty", 3 };
	struct msghdr message = {
		.msg_iov = &word, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights
	};
	memset(&rights, 0, sizeof rights);
	rights.header.cmsg_level = SOL_SOCKET;
	rights.header.cmsg_type = SCM_RIGHTS;
	rights.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&rights.header), &master, sizeof master);
	if (sendmsg(control, &message, MSG_NOSIGNAL) < 0)
		hp_die(errno, "sending the terminal");
}

bool hp_control_receive(struct hp_command *command)
{
	char text[128];
	ssize_t length = recv(control, text, sizeof text - 1, MSG_DONTWAIT);
	*command = (struct hp_command){ .kind = HP_NOTHING };
	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	if (length == 0)
		return false;
	text[length] = '\0';
	if (sscanf(text, "signal %d", &command->number) == 1)
		command->kind = HP_SIGNAL;
	else if (sscanf(text, "resize %hu %hu", &command->rows, &command->columns) == 2)
		command->kind = HP_RESIZE;
	else if (!strcmp(text, "kill"))
		command->kind = HP_KILL;
	return true;
}

_Noreturn void hp_die(int error, const char *stage)
{
	hp_control_send("failed %d %s", error, stage);
	_exit(1);
}
