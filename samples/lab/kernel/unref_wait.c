// SPDX-License-Identifier: GPL-2.0
/*
 * The lab's only change to the kernel: what a faulting task does when it meets a migration pmd.
 *
 *   unref_wait=0   as released (this file is never entered)
 *   unref_wait=1   drop the pmd lock, then wait for the page lock owning no reference: the bug
 *   unref_wait=2   take a reference under the pmd lock, drop the lock, wait, put the reference: the fix
 *
 *   unref_delay=N  microseconds between the test of the page lock and the wait (0: none)
 *   unref_busy=1   spend them spinning instead of sleeping
 *   unref_wait.clock=C  clock of the labels: global local counter mono mono_raw boot x86-tsc
 *
 * On the command line; later in /sys/module/kernel/parameters/ and /sys/module/unref_wait/parameters/clock.
 *
 * Each such wait leaves one row in an array outside the trace, read from debugfs unref_wait/labels:
 * the kernel's own word on what happened, against which an analysis of the trace can be marked.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/timekeeping.h>
#include <linux/trace_clock.h>

int unref_wait __read_mostly;
static int unref_delay, unref_busy;
core_param(unref_wait, unref_wait, int, 0644);
core_param(unref_delay, unref_delay, int, 0644);
core_param(unref_busy, unref_busy, int, 0644);

/* The clock must be the one the trace uses, or the rows cannot be laid beside it. */
static const struct label_clock {
	const char *name;
	u64 (*read)(void);
	bool in_ns;
} clocks[] = {
	{ "global",	trace_clock_global,		true },
	{ "local",	trace_clock_local,		true },
	{ "counter",	trace_clock_counter,		false },
	{ "mono",	ktime_get_mono_fast_ns,		true },
	{ "mono_raw",	ktime_get_raw_fast_ns,		true },
	{ "boot",	ktime_get_boot_fast_ns,		true },
#ifdef CONFIG_X86_TSC
	{ "x86-tsc",	trace_clock_x86_tsc,		false },
#endif
};
static const struct label_clock *label_clock = &clocks[0];

static int set_clock(const char *val, const struct kernel_param *kp)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		if (sysfs_streq(val, clocks[i].name)) {
			label_clock = &clocks[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int get_clock(char *buf, const struct kernel_param *kp)
{
	return sprintf(buf, "%s\n", label_clock->name);
}

static const struct kernel_param_ops clock_ops = { .set = set_clock, .get = get_clock };
module_param_cb(clock, &clock_ops, NULL, 0644);

static struct label {
	char comm[TASK_COMM_LEN];
	pid_t pid;
	u64 begin, end;
	unsigned long pfn;
	int count_begin, count_end;
	bool ref_held, waiters_end, done;
} labels[16384];
static atomic_t nr_labels;

static void widen_window(void)
{
	ktime_t until;

	if (!unref_delay)
		return;
	if (!unref_busy) {
		usleep_range(unref_delay, unref_delay + unref_delay / 8 + 1);
		return;
	}
	until = ktime_add_us(ktime_get(), unref_delay);
	while (ktime_before(ktime_get(), until))
		cpu_relax();
}

/* Entered with the pmd lock held and a migration entry behind it; returns with the lock dropped. */
void unref_wait_on_locked(swp_entry_t entry, spinlock_t *ptl)
{
	struct folio *folio = page_folio(pfn_swap_entry_to_page(entry));
	bool ref = unref_wait == 2;
	struct label *l;
	int i;

	if (ref && !folio_try_get(folio)) {
		spin_unlock(ptl);
		return;
	}
	spin_unlock(ptl);

	if (!folio_test_locked(folio))
		goto out;
	widen_window();

	i = atomic_inc_return(&nr_labels) - 1;
	l = i < ARRAY_SIZE(labels) ? &labels[i] : NULL;
	if (l) {
		l->pid = current->pid;
		get_task_comm(l->comm, current);
		l->pfn = folio_pfn(folio);
		l->ref_held = ref;
		l->count_begin = folio_ref_count(folio);
		l->begin = label_clock->read();
	}
	folio_wait_bit(folio, PG_locked);
	if (l) {
		l->end = label_clock->read();
		l->count_end = folio_ref_count(folio);
		l->waiters_end = folio_test_waiters(folio);
		smp_store_release(&l->done, true);
	}
out:
	if (ref)
		folio_put(folio);
}

/* As the text trace prints a time stamp: rounded to microseconds, or the bare count. */
static void show_time(struct seq_file *m, u64 t)
{
	if (!label_clock->in_ns) {
		seq_printf(m, "\t%llu", t);
		return;
	}
	t = div_u64(t + 500, 1000);
	seq_printf(m, "\t%llu.%06llu", div_u64(t, 1000000), t - div_u64(t, 1000000) * 1000000);
}

static int labels_show(struct seq_file *m, void *unused)
{
	int i, n = min_t(int, atomic_read(&nr_labels), ARRAY_SIZE(labels));

	seq_puts(m, "pid\tcomm\tbegin\tend\tpfn\tcount_begin\tcount_end\tref_held\twaiters_end\n");
	for (i = 0; i < n; i++) {
		const struct label *l = &labels[i];

		if (!smp_load_acquire(&l->done))
			continue;	/* still waiting */
		seq_printf(m, "%d\t%s", l->pid, l->comm);
		show_time(m, l->begin);
		show_time(m, l->end);
		seq_printf(m, "\t%lx\t%d\t%d\t%d\t%d\n", l->pfn, l->count_begin, l->count_end,
			   l->ref_held, l->waiters_end);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(labels);

static int __init unref_wait_init(void)
{
	debugfs_create_file("labels", 0400, debugfs_create_dir("unref_wait", NULL), NULL, &labels_fops);
	return 0;
}
late_initcall(unref_wait_init);
