/* Sessions, process groups, orphans, zombies, stopped processes, leaders that are gone. */
#include "again.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int tell[2], go[2];

static void wait_for_word(void)
{
	char word;
	CHECK(read(go[0], &word, 1) == 1);
}

static void say(const char *who, pid_t sid, pid_t pgid, pid_t ppid)
{
	char text[80];
	int length = snprintf(text, sizeof text, "%s %d %d %d;", who, getsid(0) == sid, getpgrp() == pgid,
			      getppid() == ppid);
	CHECK(write(tell[1], text, (size_t)length) == length);
}

int main(void)
{
	char text[400];
	siginfo_t info;
	int status;
	CHECK(pipe(tell) == 0 && pipe(go) == 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	pid_t me = getpid(), exited = fork();
	if (exited == 0)
		_exit(41);
	pid_t killed = fork();
	if (killed == 0)
		kill(getpid(), SIGKILL);
	pid_t stopped = fork();
	if (stopped == 0) {
		kill(getpid(), SIGSTOP);
		_exit(7);
	}
	CHECK(waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status));
	pid_t own_group = fork();
	if (own_group == 0) {
		setpgid(0, 0);
		pid_t member = fork(), group = getpgrp();
		wait_for_word();
		say("group", getsid(me), group, member ? me : getppid());
		if (member)
			wait(NULL);
		_exit(0);
	}
	pid_t middle = fork();
	if (middle == 0) { /* as daemon() does: a session whose leader is gone */
		pid_t sid = setsid();
		if (fork() == 0) {
			while (getppid() == sid)
				usleep(1000);
			pid_t parent = getppid();
			pid_t child = fork();
			if (child == 0)
				parent = getppid();
			wait_for_word();
			say("daemon", sid, sid, parent);
			if (child)
				wait(NULL);
			_exit(0);
		}
		_exit(0);
	}
	CHECK(waitpid(middle, NULL, 0) == middle);
	pid_t leader = fork();
	if (leader == 0) { /* a group whose leader is gone */
		setpgid(0, 0);
		if (fork() == 0) {
			pid_t group = getpgrp();
			while (getppid() == group)
				usleep(1000);
			pid_t parent = getppid();
			wait_for_word();
			say("left", getsid(me), group, parent);
			_exit(0);
		}
		_exit(0);
	}
	CHECK(waitpid(leader, NULL, 0) == leader);
	CHECK(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT) == 0);
	linger();
	CHECK(waitpid(exited, &status, 0) == exited && WIFEXITED(status) && WEXITSTATUS(status) == 41);
	CHECK(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(waitpid(stopped, &status, WNOHANG) == 0 && kill(stopped, SIGCONT) == 0);
	CHECK(waitpid(stopped, &status, 0) == stopped && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(write(go[1], "12345", 5) == 5);
	CHECK(waitpid(own_group, &status, 0) == own_group && status == 0);
	close(tell[1]);
	size_t used = 0;
	for (ssize_t got = 1; got > 0; used += (size_t)got)
		got = read(tell[0], text + used, sizeof text - used);
	text[used] = '\0';
	int groups = 0, daemons = 0, lefts = 0;
	for (char *at = strtok(text, ";"); at; at = strtok(NULL, ";")) {
		groups += !strcmp(at, "group 1 1 1");
		daemons += !strcmp(at, "daemon 1 1 1");
		lefts += !strcmp(at, "left 1 1 1");
	}
	CHECK(groups == 2);
	CHECK(daemons == 2);
	CHECK(lefts == 1);
	return done();
}
