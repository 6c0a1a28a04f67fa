// SPDX-License-Identifier: GPL-2.0-or-later
/* Other programs: what they print, how they end, and what they get of us. */
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"

#include "unit.h"

static struct te_child run_shell(const char *script)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	struct te_child child;

	CHECK_EQ(te_child_run(argv, 1 << 20, &child), 0);
	return child;
}

static void printed(const char *script, int status, const char *text)
{
	struct te_child child = run_shell(script);

	CHECK_EQ(child.status, status);
	CHECK_STR(child.text, text);
	CHECK_EQ(child.bytes, strlen(text));
	te_free(child.text);
}

static void its_output_and_status_come_back(void)
{
	printed("echo one; echo two", 0, "one\ntwo\n");
	printed("exit 5", 5, "");
	printed("kill -9 $$", 128 + 9, "");
}

static void it_gets_nothing_to_read_and_no_descriptor(void)
{
	/* Without O_CLOEXEC, as a caller may have left it. */
	int fd = open("/dev/null", O_RDONLY);

	CHECK(fd > 2);
	printed("cat; ls /proc/self/fd | wc -w", 0, "4\n");	/* 0, 1, 2 and ls's own */
	close(fd);
}

static void its_words_are_in_english_and_the_rest_of_the_environment_is_ours(void)
{
	setenv("LC_ALL", "xx_XX", 1);
	setenv("TE_OURS", "here", 1);
	printed("echo $LC_ALL $LVM_SUPPRESS_FD_WARNINGS $TE_OURS; env | grep -c ^LC_ALL=", 0,
		"C 1 here\n1\n");
	unsetenv("LC_ALL");
}

static void a_large_output_is_read_whole(void)
{
	struct te_child child = run_shell("yes 123456789 | head -c 1000000; "
					  "yes noise | head -c 300000 >&2");

	CHECK_EQ(child.status, 0);
	CHECK_EQ(child.bytes, 1000000);
	CHECK(!memcmp(child.text + 999990, "123456789\n", 10));
	CHECK_EQ(strlen(child.said), TE_CHILD_SAID_BYTES - 1);
	te_free(child.text);
}

static void an_endless_output_is_cut_off(void)
{
	char *argv[] = { "yes", NULL };
	struct te_child child;

	CHECK_EQ(te_child_run(argv, 100000, &child), -E2BIG);
	CHECK(!child.text);
}

static void a_program_that_is_not_there_is_told(void)
{
	char *argv[] = { "no-such-program", NULL };
	struct te_child child;

	CHECK_EQ(te_child_run(argv, 100, &child), -ENOENT);
	CHECK(!child.text);
}

static void root_s_programs_are_found_without_a_path(void)
{
	char *argv[] = { "ldconfig", "--version", NULL }, *path = strdup(getenv("PATH"));
	struct te_child child;
	int err;

	setenv("PATH", "/nowhere", 1);
	err = te_child_run(argv, 10000, &child);
	setenv("PATH", path, 1);
	free(path);
	CHECK_EQ(err, 0);
	te_free(child.text);
}

static void its_reason_is_the_first_line_that_is_no_warning(void)
{
	struct te_child child = run_shell("echo '  WARNING: this' >&2; echo >&2; "
					  "echo '  Failed so.' >&2; echo 'and so' >&2");

	CHECK_STR(te_child_reason(&child), "Failed so.");
	te_free(child.text);
	child = run_shell("exit 1");
	CHECK_STR(te_child_reason(&child), "");
	te_free(child.text);
}

/* Its caller is killed; the lock that it was given is free when it has ended, and not before. */
static void a_change_holds_its_lock_to_its_end(void)
{
	char path[] = "/tmp/te-lock.XXXXXX", fifo[40], script[80];
	char *argv[] = { "sh", "-c", script, NULL };
	int lock = mkostemp(path, O_CLOEXEC), again;
	struct pollfd begun = { .events = POLLIN };
	struct te_child child;
	pid_t pid;

	CHECK(lock > 2);
	snprintf(fifo, sizeof(fifo), "%s.begun", path);
	snprintf(script, sizeof(script), "echo >%s; sleep 2", fifo);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
	pid = fork();
	if (!pid) {
		int own = open(path, O_RDWR | O_CLOEXEC);

		flock(own, LOCK_EX);
		te_child_change(argv, own, &child);
		_exit(0);
	}
	begun.fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK_EQ(poll(&begun, 1, 60000), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	again = open(path, O_RDWR | O_CLOEXEC);
	CHECK(flock(again, LOCK_EX | LOCK_NB));
	CHECK_EQ(flock(again, LOCK_EX), 0);
	close(begun.fd);
	close(again);
	close(lock);
	unlink(fifo);
	unlink(path);
}

/* Neither what comes to us, nor what is typed at the terminal. */
static void no_signal_ends_a_change(void)
{
	char *argv[] = { "sh", "-c", (char *)"sleep 0.3; echo done", NULL };
	struct te_child child;

	te_interrupt_catch();
	kill(getpid(), SIGTERM);
	CHECK(te_interrupted());
	CHECK_EQ(te_child_change(argv, -1, &child), 0);
	CHECK_STR(child.text, "done\n");
	te_free(child.text);
	CHECK_EQ(te_child_run(argv, 100, &child), -EINTR);
	argv[2] = (char *)"[ $(ps -o pgid= -p $$) -eq $$ ] && echo apart";
	CHECK_EQ(te_child_change(argv, -1, &child), 0);
	CHECK_STR(child.text, "apart\n");
	te_free(child.text);
}

UNIT_MAIN(UNIT(its_output_and_status_come_back),
	  UNIT(it_gets_nothing_to_read_and_no_descriptor),
	  UNIT(its_words_are_in_english_and_the_rest_of_the_environment_is_ours),
	  UNIT(a_large_output_is_read_whole),
	  UNIT(an_endless_output_is_cut_off),
	  UNIT(a_program_that_is_not_there_is_told),
	  UNIT(root_s_programs_are_found_without_a_path),
	  UNIT(its_reason_is_the_first_line_that_is_no_warning),
	  UNIT(a_change_holds_its_lock_to_its_end),
	  UNIT(no_signal_ends_a_change))
