// How jemalloc serves this program; it reads this before main().
//
// An analysis fills some hundred MiB and is over. Its time is that of page faults, to a third where a
// hypervisor shadows page tables: huge pages (madvise; transparent_hugepage=never leaves it at small ones)
// make 3,000 of 35,000 at a million events. All threads take from one arena: what one gives back the others
// use, and each has its own cache before it.
extern "C" {
const char* malloc_conf = "thp:always,metadata_thp:auto,narenas:1";
}
