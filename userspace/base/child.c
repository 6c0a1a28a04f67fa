// SPDX-License-Identifier: GPL-2.0-or-later
/* Another program, run for what it prints. */
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"

#define FIRST_BYTES	(64u << 10)
#define WAKE_MS		200		/* a signal may come right before the wait */

/* How it is run. */
struct way {
	size_t most;			/* bytes that it may print */
	bool to_end;			/* whatever signals come */
	int hold;			/* its standard input; -1: none */
};

/* What the child finds in its environment, whatever we have. */
static const char *const settings[] = {
	"LC_ALL=C",
	/* LVM would tell of descriptors that its caller left open. */
	"LVM_SUPPRESS_FD_WARNINGS=1",
};

static bool is_set_anew(const char *variable)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strncmp(variable, settings[i], strcspn(settings[i], "=") + 1))
			return true;
	return false;
}

/* Ours with the settings: an array of borrowed strings. */
static char **make_environment(void)
{
	size_t nr = 0, i;
	char **all;

	while (environ && environ[nr])
		nr++;
	all = te_alloc((nr + ARRAY_SIZE(settings) + 1) * sizeof(*all));
	if (!all)
		return NULL;
	nr = 0;
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		all[nr++] = (char *)settings[i];
	for (i = 0; environ && environ[i]; i++)
		if (!is_set_anew(environ[i]))
			all[nr++] = environ[i];
	return all;
}

/* A signal that we hold back or ignore must reach it all the same. */
static int set_signals(posix_spawnattr_t *attributes, bool apart)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	err = posix_spawnattr_setsigmask(attributes, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(attributes, &all);
	/* In a process group of its own: what is typed at the terminal is not for it. */
	if (apart)
		flags |= POSIX_SPAWN_SETPGROUP;
	if (!err)
		err = posix_spawnattr_setflags(attributes, flags);
	return err;
}

static int set_files(posix_spawn_file_actions_t *files, const struct way *way, int out, int said)
{
	int err = way->hold < 0 ?
		posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0) :
		posix_spawn_file_actions_adddup2(files, way->hold, 0);

	if (!err)
		err = posix_spawn_file_actions_adddup2(files, out, 1);
	if (!err)
		err = posix_spawn_file_actions_adddup2(files, said, 2);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(files, 3);
	return err;
}

/* root's PATH often lacks the folders of root's programs. */
static int spawn_found(pid_t *pid, char *const argv[], const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attributes, char *const environment[])
{
	static const char *const folders[] = { "/usr/sbin", "/sbin" };
	char path[PATH_MAX];
	size_t i;
	int err;

	err = posix_spawnp(pid, argv[0], files, attributes, argv, environment);
	for (i = 0; err == ENOENT && i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], argv[0]);
		err = posix_spawn(pid, path, files, attributes, argv, environment);
	}
	return err;
}

static int spawn(pid_t *pid, char *const argv[], const struct way *way, int out, int said)
{
	char **environment = make_environment();
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int err;

	if (!environment)
		return -ENOMEM;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	err = set_files(&files, way, out, said);
	if (!err)
		err = set_signals(&attributes, way->to_end);
	if (!err)
		err = spawn_found(pid, argv, &files, &attributes, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	te_free(environment);
	return -err;
}

/* Room for one byte more than there is, and a NUL. */
static int make_room(struct te_child *child, size_t *room)
{
	char *more;

	if (child->bytes + 1 < *room)
		return 0;
	*room = *room ? 2 * *room : FIRST_BYTES;
	more = realloc(child->text, *room);
	if (!more)
		return -ENOMEM;
	child->text = more;
	return 0;
}

/* 1: its end. */
static int take_text(int fd, struct te_child *child, size_t *room, size_t most)
{
	int err = make_room(child, room);
	ssize_t bytes;

	if (err)
		return err;
	bytes = read(fd, child->text + child->bytes, *room - child->bytes - 1);
	if (bytes < 0)
		return errno == EINTR ? 0 : -errno;
	child->bytes += (size_t)bytes;
	child->text[child->bytes] = '\0';
	return child->bytes > most ? -E2BIG : bytes == 0;
}

/* What does not fit is read all the same, or the child would wait. */
static int take_said(int fd, struct te_child *child)
{
	size_t have = strlen(child->said), room = sizeof(child->said) - 1 - have;
	char rest[1024];
	ssize_t bytes = read(fd, rest, sizeof(rest));

	if (bytes < 0)
		return errno == EINTR ? 0 : -errno;
	if (room > (size_t)bytes)
		room = (size_t)bytes;
	memcpy(child->said + have, rest, room);
	child->said[have + room] = '\0';
	return bytes == 0;
}

static int read_both(int out, int said, const struct way *way, struct te_child *child)
{
	struct pollfd waits[] = { { .fd = out, .events = POLLIN },
				  { .fd = said, .events = POLLIN } };
	size_t room = 0;
	int r;

	while (waits[0].fd >= 0 || waits[1].fd >= 0) {
		if (!way->to_end && te_interrupted())
			return -EINTR;
		if (poll(waits, ARRAY_SIZE(waits), WAKE_MS) < 0 && errno != EINTR)
			return -errno;
		/* poll() passes over descriptors below zero. */
		r = waits[0].fd < 0 || !waits[0].revents ? 0 :
		    take_text(out, child, &room, way->most);
		if (r < 0)
			return r;
		if (r)
			waits[0].fd = -1;
		r = waits[1].fd < 0 || !waits[1].revents ? 0 : take_said(said, child);
		if (r < 0)
			return r;
		if (r)
			waits[1].fd = -1;
		waits[0].revents = waits[1].revents = 0;
	}
	return 0;
}

static int reap(pid_t pid, int *exit_status)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	*exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

static void close_pipe(int pipe[2])
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (pipe[i] >= 0)
			close(pipe[i]);
	pipe[0] = pipe[1] = -1;
}

static void close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

static int run(char *const argv[], const struct way *way, struct te_child *child)
{
	int out[2] = { -1, -1 }, said[2] = { -1, -1 }, err, reap_err;
	pid_t pid;

	memset(child, 0, sizeof(*child));
	err = pipe2(out, O_CLOEXEC) || pipe2(said, O_CLOEXEC) ? -errno : 0;
	if (!err)
		err = spawn(&pid, argv, way, out[1], said[1]);
	if (err)
		goto close;
	close_end(&out[1]);
	close_end(&said[1]);
	err = read_both(out[0], said[0], way, child);
	/* First, so that it cannot wait for us to read more. */
	close_pipe(out);
	close_pipe(said);
	if (err)
		kill(pid, SIGTERM);
	reap_err = reap(pid, &child->status);
	err = err ? err : reap_err;
close:
	close_pipe(out);
	close_pipe(said);
	if (err) {
		te_free(child->text);
		child->text = NULL;
		child->bytes = 0;
	}
	return err;
}

int te_child_run(char *const argv[], size_t most, struct te_child *child)
{
	const struct way way = { .most = most, .hold = -1 };

	return run(argv, &way, child);
}

int te_child_change(char *const argv[], int hold, struct te_child *child)
{
	const struct way way = { .most = SIZE_MAX, .to_end = true, .hold = hold };

	return run(argv, &way, child);
}

static char *next_line(char *line)
{
	char *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	return end + 1;
}

const char *te_child_reason(struct te_child *child)
{
	char *line = child->said, *next;

	for (; line; line = next) {
		next = next_line(line);
		line += strspn(line, " \t");
		if (*line && strncmp(line, "WARNING", 7))
			return line;
	}
	return "";
}
