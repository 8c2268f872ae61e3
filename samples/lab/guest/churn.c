/*
 * churn: makes tasks on every cpu meet pages that are being migrated.
 *
 *   churn [-m thp|base] [-P MB] [-c CPUS] [-s SECONDS] [-n MOVES] [-v MS] [-M MOVERS] [-F FORKS] [-x] [-o] [-r FILE] [-R READERS] [-w] [-p US]
 *
 *   -m thp   the shared memory is huge pages (madvise); base: 4K pages (madvise against huge pages)
 *   -P MB    size of the shared memory (default 16)
 *   -c N     touching threads, one pinned on each cpu (default 4)
 *   -s N     seconds at most (default 20)
 *   -n N     ends after so many moves of the whole memory, however slow the machine is (default 10)
 *   -v MS    pause of a mover between two moves (default 50)
 *   -M N     threads that move the memory between nodes 0 and 1 with move_pages(2) (default 1)
 *   -F N     children that fork before and touch the same memory: pages mapped more than once
 *   -x       a thread that changes protection and policy of the memory (mprotect, mbind) meanwhile
 *   -o       a thread that pages the memory out meanwhile (with swap: touchers meet in one swap-in)
 *   -r FILE  readers of FILE through the page cache, which is thrown away again and again
 *   -R N     how many readers (default 2)
 *   -w       and a writer, which waits for its pages to reach the disk and for the readers' page locks
 *   -p US    pause of a toucher between two rounds (default 2000)
 *
 * The threads' names are the comm column of the trace: "toucher/N", "thp mover" (a blank in it, as
 * real names have), "churner", "reader/N". Base pages are touched one in eight: fewer faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE (2UL << 20)
#define PAGE 4096UL
enum { MPOL_BIND_ = 2, MPOL_MF_MOVE_ = 1 << 1, MPOL_MF_MOVE_ALL_ = 1 << 2 };

static char *mem;
static size_t len = 16 << 20;
static int huge = 1, cpus = 4, seconds = 20, moves = 10, move_ms = 50, movers = 1, forks, churn, pageout, readers = 2, writes, pause_us = 2000;
static const char *file;
static volatile int stop, moved;
static volatile unsigned long sink;

static void *toucher(void *arg)
{
	long n = (long)arg;
	size_t step = huge ? HUGE : 8 * PAGE;
	char name[16];
	cpu_set_t set;

	snprintf(name, sizeof name, "toucher/%ld", n);
	prctl(PR_SET_NAME, name);
	CPU_ZERO(&set);
	CPU_SET(n % cpus, &set);
	sched_setaffinity(0, sizeof set, &set);
	while (!stop) {
		for (size_t i = 0; i < len && !stop; i += step) {
			volatile char *p = mem + i + 64 * n;
			if (churn)
				sink += *p; /* the churner takes write permission away */
			else
				*p += 1;
		}
		usleep(pause_us);
	}
	return NULL;
}

static void *mover(void *arg)
{
	size_t step = huge ? HUGE : PAGE, count = len / step;
	void **pages = calloc(count, sizeof *pages);
	int *nodes = calloc(count, sizeof *nodes), *status = calloc(count, sizeof *status);
	int to = (long)arg & 1;

	prctl(PR_SET_NAME, "thp mover");
	for (size_t i = 0; i < count; i++)
		pages[i] = mem + i * step;
	while (!stop) {
		/* base pages: a quarter at a time, so that a batch stays readable */
		size_t part = huge ? count : count / 4 ? count / 4 : 1;
		size_t from = huge ? 0 : rand() % (count - part + 1);
		to = !to;
		for (size_t i = 0; i < part; i++)
			nodes[i] = to;
		/* pages that children share move only when all are asked for */
		syscall(SYS_move_pages, 0, part, pages + from, nodes, status,
			forks ? MPOL_MF_MOVE_ALL_ : MPOL_MF_MOVE_);
		if (__sync_add_and_fetch(&moved, 1) >= moves)
			stop = 1;
		usleep(move_ms * 1000);
	}
	return NULL;
}

static void *churner(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "churner");
	for (int i = 0; !stop; i++) {
		unsigned long nodes = 1UL << (i & 1);
		char *half = mem + (i & 2 ? len / 2 : 0);
		mprotect(half, len / 2, PROT_READ);
		syscall(SYS_mbind, half, len / 2, MPOL_BIND_, &nodes, 8 * sizeof nodes, MPOL_MF_MOVE_);
		mprotect(half, len / 2, PROT_READ | PROT_WRITE);
		usleep(move_ms * 1000);
	}
	return NULL;
}

static void *pager(void *unused)
{
	enum { MADV_PAGEOUT_ = 21 };

	(void)unused;
	prctl(PR_SET_NAME, "pager");
	while (!stop) {
		madvise(mem, len, MADV_PAGEOUT_);
		usleep(move_ms * 3000);
	}
	return NULL;
}

/* Readers go in step, so that all but the first find the pages locked by its read-ahead. */
static pthread_barrier_t round_begins, round_ends;
static int rounds_over;

static void *reader(void *arg)
{
	long n = (long)arg;
	char name[16], buf[PAGE];
	size_t size = 256 << 10;
	int fd = open(file, O_RDONLY);

	snprintf(name, sizeof name, "reader/%ld", n);
	prctl(PR_SET_NAME, name);
	for (;;) {
		if (n == 0) {
			posix_fadvise(fd, 0, size, POSIX_FADV_DONTNEED);
			rounds_over = stop;
		}
		pthread_barrier_wait(&round_begins);
		if (rounds_over)
			break;
		/* odd readers fault the pages in through a mapping, even ones call read */
		if (n & 1) {
			volatile char *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
			for (size_t i = 0; p != MAP_FAILED && i < size; i += PAGE)
				sink += p[i];
			munmap((void *)p, size);
		} else {
			for (size_t i = 0; i < size; i += PAGE)
				sink += pread(fd, buf, PAGE, i);
		}
		pthread_barrier_wait(&round_ends);
		usleep(move_ms * 4000);
	}
	close(fd);
	return NULL;
}

/*
 * Waits for PG_writeback: the same wait functions, another bit. And writes past the page cache into what
 * the readers read: that throws their pages out, for which it must lock each.
 */
static void *writer(void *unused)
{
	static char buf[PAGE] __attribute__((aligned(4096)));
	int fd = open(file, O_WRONLY), direct = open(file, O_WRONLY | O_DIRECT);

	(void)unused;
	prctl(PR_SET_NAME, "writer");
	memset(buf, 'x', sizeof buf);
	while (!stop) {
		for (size_t i = 0; i < 8; i++)
			sink += pwrite(fd, buf, PAGE, (1 << 20) + i * PAGE);
		fdatasync(fd);
		for (size_t i = 1; i < 4; i++)
			sink += pwrite(direct, buf, PAGE, i * (64 << 10));
		usleep(move_ms * 1000);
	}
	close(direct);
	close(fd);
	return NULL;
}

static pthread_t start(void *(*f)(void *), long n)
{
	pthread_t t;

	if (pthread_create(&t, NULL, f, (void *)n)) {
		perror("pthread_create");
		exit(1);
	}
	return t;
}

int main(int argc, char **argv)
{
	pid_t children[16];
	pthread_t t[64];
	int n = 0, c;
	char *raw;

	while ((c = getopt(argc, argv, "m:P:c:s:n:v:M:F:xor:R:wp:")) != -1) {
		switch (c) {
		case 'm': huge = strcmp(optarg, "base") != 0; break;
		case 'P': len = strtoul(optarg, NULL, 0) << 20; break;
		case 'c': cpus = atoi(optarg); break;
		case 's': seconds = atoi(optarg); break;
		case 'v': move_ms = atoi(optarg); break;
		case 'M': movers = atoi(optarg); break;
		case 'F': forks = atoi(optarg) < 16 ? atoi(optarg) : 16; break;
		case 'n': moves = atoi(optarg); break;
		case 'x': churn = 1; break;
		case 'o': pageout = 1; break;
		case 'r': file = optarg; break;
		case 'R': readers = atoi(optarg); break;
		case 'w': writes = 1; break;
		case 'p': pause_us = atoi(optarg); break;
		default: return 2;
		}
	}
	raw = mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	mem = (char *)(((unsigned long)raw + HUGE - 1) & ~(HUGE - 1));
	if (madvise(mem, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		perror("madvise");
	for (size_t i = 0; i < len; i += huge ? HUGE : PAGE)
		mem[i] = 1;

	for (int i = 0; i < forks; i++) {
		children[i] = fork();
		if (!children[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* a child only reads: a write would give it pages of its own */
			prctl(PR_SET_NAME, "sharer");
			for (;;) {
				for (size_t j = 0; j < len; j += huge ? HUGE : 8 * PAGE)
					sink += *(volatile char *)(mem + j);
				usleep(pause_us);
			}
		}
	}
	if (forks)
		churn |= 2; /* parents that share read, too */
	for (long i = 0; i < cpus && n < 32; i++)
		t[n++] = start(toucher, i);
	for (long i = 0; i < movers && n < 40; i++)
		t[n++] = start(mover, i);
	if (churn & 1)
		t[n++] = start(churner, 0);
	if (pageout)
		t[n++] = start(pager, 0);
	if (file) {
		int fd = open(file, O_RDWR);
		if (fd < 0) {
			perror(file);
			return 1;
		}
		close(fd);
		pthread_barrier_init(&round_begins, NULL, readers);
		pthread_barrier_init(&round_ends, NULL, readers);
		for (long i = 0; i < readers && n < 60; i++)
			t[n++] = start(reader, i);
		if (writes)
			t[n++] = start(writer, 0);
	}
	for (int i = 0; i < 20 * seconds && !stop; i++)
		usleep(50000);
	stop = 1;
	while (n)
		pthread_join(t[--n], NULL);
	for (int i = 0; i < forks; i++)
		kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
