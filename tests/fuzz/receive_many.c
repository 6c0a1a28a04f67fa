// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * receive_many SAID AS_MIB CPU_SECONDS: the verb `receive` again and again, each time
 * in a process of its own, without the cost of starting a program.
 *
 * Reads a line for each: arguments of the verb, between tabs.  Runs it with that much
 * address space and processor time, its words in the file SAID, and answers with
 * a line: exit status, signal, most memory in KiB; a minute ends it by SIGALRM.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"

#define MOST_ARGUMENTS	32

static void limit(int resource, rlim_t most)
{
	const struct rlimit limits = { most, most };

	if (setrlimit(resource, &limits))
		_exit(99);
}

static void run(const char *said, rlim_t as_bytes, rlim_t cpu_seconds, int argc, char **argv)
{
	if (!freopen(said, "w", stderr) || !freopen("/dev/null", "r", stdin))
		_exit(99);
	limit(RLIMIT_AS, as_bytes);
	limit(RLIMIT_CPU, cpu_seconds);
	alarm(60);
	exit(te_cmd_receive.run(argc, argv));
}

static int split(char *line, char **argv)
{
	static char verb[] = "receive";
	int argc = 0;
	char *word;

	argv[argc++] = verb;
	for (word = strtok(line, "\t\n"); word && argc < MOST_ARGUMENTS; word = strtok(NULL, "\t\n"))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

int main(int argc, char **argv)
{
	char *line = NULL, *arguments[MOST_ARGUMENTS + 1];
	size_t room = 0;

	if (argc != 4) {
		fprintf(stderr, "Usage: receive_many SAID AS_MIB CPU_SECONDS\n");
		return 2;
	}
	while (getline(&line, &room, stdin) > 0) {
		int nr = split(line, arguments), status;
		struct rusage usage;
		pid_t pid;

		pid = fork();
		if (!pid)
			run(argv[1], strtoul(argv[2], NULL, 10) << 20,
			    strtoul(argv[3], NULL, 10), nr, arguments);
		if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
			return 1;
		printf("%d %d %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		       WIFSIGNALED(status) ? WTERMSIG(status) : 0, usage.ru_maxrss);
		fflush(stdout);
	}
	free(line);
	return 0;
}
