#include "parser/decode.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>
#include <utility>

#include "parser/eight_bytes.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {

struct Decoder::Binding {
  std::string place;  // text between the parentheses, the key
  KernelFunction function = KernelFunction::kOther;
  StringId symbol{};
  KernelFunction caller = KernelFunction::kOther;
  bool is_return = false;
  bool at_entry = true;  // an entry probe sits where arguments still are in their registers
  bool damaged = false;  // its place in the function cannot be read
  bool by_name = false;  // the function was taken from the event's name
  bool defined = false;  // what it fetches is known by its definition
  std::vector<BoundField> fields;
  // What hits tell, as far as some agree.
  mutable bool several = false;  // probes of one name and place fetch different fields
  mutable uint32_t read = 0;     // of the fields, bit by bit
  mutable int64_t keys = 0;
  mutable uint32_t next_read = 0;  // what the latest told that told more
  mutable int32_t next_hits = 0;
  mutable int64_t whole_hits = 0;
  mutable int64_t cut_hits = 0;
  mutable int32_t long_flags = 0;  // hits whose page flags have node and zone in their upper bits

  struct Told {
    uint32_t read = 0;        // these have a value
    uint32_t garbled = 0;     // what these have is none
    size_t flag_digits = 0;   // of a page's flags, if they are among them
    bool joined = false;      // with what another hit told
    bool impossible = false;  // a field that is not there, a page that is none, a flag that no page has
  };
  // A probe fetches the same in each hit: one that lacks what others told is cut off, or was written over.
  // Where as many lack it there are two probes.
  bool IsCut(const Told& told, std::string_view args) const {
    if (told.joined || (defined && told.impossible)) return true;
    if (several || (read & ~told.read) == 0) return false;
    return (read & told.garbled) != 0 || std::count(args.begin(), args.end(), '=') < keys;
  }
  void See(const Told& told, std::string_view args, bool cut) const {
    constexpr int64_t kSomeCut = 8;
    constexpr size_t kLongFlags = 12;
    if (told.flag_digits >= kLongFlags) long_flags = std::min(long_flags + 1, kAgreeing);
    ++(cut ? cut_hits : whole_hits);
    several |= cut_hits > kSomeCut && cut_hits * 2 > whole_hits;
    if (cut || (told.read & ~read) == 0) return;
    next_hits = told.read == next_read ? next_hits + 1 : 1;
    next_read = told.read;
    if (next_hits < kAgreeing) return;
    read |= told.read;
    keys = std::max<int64_t>(keys, std::count(args.begin(), args.end(), '='));
  }
  static constexpr int32_t kAgreeing = 3;  // hits: one alone may be two lines that run together
  // Flags at the end of a line, which may have lost digits: one of the zone's reads as PG_locked. (The first
  // zone of the first node has none.)
  bool MayBeCut(size_t flag_digits) const { return flag_digits <= 4 && long_flags >= kAgreeing; }
  // What a hit's fields are, behind its place.
  Told Read(std::string_view args, ProbeFields* values) const;
};

namespace {

// The value behind the '=' at `equals`.
std::string_view FieldAt(std::string_view args, size_t equals) {
  std::string_view value = args.substr(equals + 1);
  // %p pads "(null)" to the width of a pointer on 4.x: "mapping=          (null) mt=1".
  if (!value.empty() && value[0] == ' ') {
    if (size_t text = value.find_first_not_of(' '); text != kNotFound && value[text] == '(')
      value.remove_prefix(text);
  }
  value = value.substr(0, value.find(' '));
  if (!value.empty() && value.back() == ',') value.remove_suffix(1);
  return value;
}

template <typename Int>
std::optional<Int> Narrow(std::optional<int64_t> value) {
  if (!value || *value < std::numeric_limits<Int>::min() || *value > std::numeric_limits<Int>::max())
    return std::nullopt;
  return static_cast<Int>(*value);
}

std::optional<uint64_t> UnsignedField(std::string_view args, std::string_view key) {
  auto text = FindField(args, key);
  if (!text) return std::nullopt;
  return ParseUnsigned(*text);
}

std::optional<uint64_t> PointerField(std::string_view args, std::string_view key) {
  auto text = FindField(args, key);
  if (!text) return std::nullopt;
  return ParsePointer(*text);
}

// Where a key stands twice, two events' arguments have run together: the kernel prints each once.
bool StandsTwice(std::string_view args, std::string_view key_and_equals) {
  size_t first = args.find(key_and_equals);
  return first != kNotFound && args.find(key_and_equals, first + 1) != kNotFound;
}

// Finds fields that come in the order they are asked for, each from where the last one ended; one that does
// not is looked for from the start.
class FieldCursor {
 public:
  explicit FieldCursor(std::string_view args) : args_(args) {}

  std::optional<std::string_view> Find(std::string_view key) {
    for (size_t at = at_; at < args_.size();) {
      if (args_.substr(at).starts_with(key) && at + key.size() < args_.size() &&
          args_[at + key.size()] == '=') {
        auto value = FieldAt(args_, at + key.size());
        at_ = std::min(static_cast<size_t>(value.data() + value.size() - args_.data()), args_.size());
        return value;
      }
      size_t blank = args_.find(' ', at);
      if (blank == kNotFound) break;
      at = blank + 1;
    }
    return FindField(args_, key);
  }

 private:
  std::string_view args_;
  size_t at_ = 0;
};

// Reads arguments that stand exactly as one version of the kernel prints them, one after the other. Whoever
// meets something else asks FindField and the like, which take much longer and must come to the same.
class PlainArguments {
 public:
  explicit PlainArguments(std::string_view args) : at_(args.data()), end_(at_ + args.size()) {}

  bool at_end() const { return at_ == end_; }

  template <size_t kSize>
  bool Take(const char (&text)[kSize]) {
    constexpr size_t kLength = kSize - 1;
    if (static_cast<size_t>(end_ - at_) < kLength || std::memcmp(at_, text, kLength) != 0) return false;
    at_ += kLength;
    return true;
  }

  // A number that a blank or the end follows.
  bool TakeDecimal(int32_t* out) {
    const char* at = at_;
    bool negative = at < end_ && *at == '-';
    at += negative;
    const char* digits = at;
    int64_t value = 0;
    for (; at < end_ && IsDigit(*at); ++at) {
      value = value * 10 + (*at - '0');
      if (value > std::numeric_limits<int32_t>::max()) return false;
    }
    if (at == digits || (at < end_ && *at != ' ')) return false;
    *out = static_cast<int32_t>(negative ? -value : value);
    at_ = at;
    return true;
  }

  bool TakeHex(uint64_t* out) {
    const char* blank = FindNear(at_, end_, ' ');
    auto value = ParseHexDigits({at_, static_cast<size_t>(blank - at_)});
    if (!value) return false;
    *out = *value;
    at_ = blank;
    return true;
  }

  std::string_view TakeWord() {
    const char* start = std::exchange(at_, FindNear(at_, end_, ' '));
    return {start, static_cast<size_t>(at_ - start)};
  }

  // The first '=' there is must end `key`: what stands before may hold anything else.
  template <size_t kSize>
  bool TakeThrough(const char (&key)[kSize]) {
    constexpr size_t kLength = kSize - 1;
    const char* equals = FindNear(at_, end_, '=');
    if (equals == end_ || static_cast<size_t>(equals + 1 - at_) < kLength) return false;
    if (std::memcmp(equals + 1 - kLength, key, kLength) != 0) return false;
    at_ = equals + 1;
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

// page_ref_mod_and_test: pfn=0xbe00 flags= count=1 mapcount=0 mapping=ffff888003499b61 mt=1 val=-1 ret=0
bool ReadPageRef(std::string_view args, RecentlyMade<PageFlags>* known_flags, PageRef* ref) {
  PlainArguments plain(args);
  uint64_t pfn = 0;
  if (!plain.Take("pfn=0x") || !plain.TakeHex(&pfn) || !plain.Take(" flags=")) return false;
  std::string_view flags = plain.TakeWord();
  int32_t count = 0;
  int32_t number = 0;
  if (!plain.Take(" count=") || !plain.TakeDecimal(&count)) return false;
  if (!plain.Take(" mapcount=") || !plain.TakeDecimal(&number) || !plain.Take(" mapping=")) return false;
  plain.TakeWord();
  if (!plain.Take(" mt=") || !plain.TakeDecimal(&number)) return false;
  if (!plain.Take(" val=") || !plain.TakeDecimal(&ref->val)) return false;
  if (HasReturn(ref->op)) {
    if (!plain.Take(" ret=") || !plain.TakeDecimal(&number)) return false;
    ref->ret = number;
  }
  if (flags.ends_with(',') || !plain.at_end()) return false;
  ref->pfn = static_cast<Pfn>(pfn);
  ref->count = count;
  ref->flags = known_flags->Of(flags, ParsePageFlags);
  return true;
}

// page_ref_set: pfn=0x59654 flags=none count=1 mapcount=0 mapping=          (null) mt=0 val=1
Payload FindPageRef(PageRefOp op, std::string_view args) {
  FieldCursor cursor(args);
  bool readable = true;  // what there is
  auto number = [&](std::string_view key) -> std::optional<int32_t> {
    auto text = cursor.Find(key);
    if (!text) return std::nullopt;
    auto value = ParseSigned(*text);
    // options/fields prints "0xffffffff (-1)" (6.4 and later, kernel/trace/trace_output.c: print_fields).
    if (text->starts_with("0x")) {
      bool fits = value && *value >= 0 && *value <= std::numeric_limits<uint32_t>::max();
      value =
          fits ? std::optional<int64_t>(static_cast<int32_t>(static_cast<uint32_t>(*value))) : std::nullopt;
    }
    auto narrow = Narrow<int32_t>(value);
    readable &= narrow.has_value();
    return narrow;
  };
  auto pfn_text = cursor.Find("pfn");
  auto pfn = pfn_text ? ParseUnsigned(*pfn_text) : std::nullopt;
  if (!pfn || StandsTwice(args, "pfn=")) return Opaque{};
  PageRef ref{.op = op, .pfn = static_cast<Pfn>(*pfn), .val = 0, .ret = {}, .count = {}, .flags = {}};
  ref.flags = ParsePageFlags(cursor.Find("flags").value_or(""));
  ref.count = number("count");
  auto val = number("val");
  if (!val) return Opaque{};
  ref.val = *val;
  if (HasReturn(op)) ref.ret = number("ret");
  if (!readable) return Opaque{};
  return ref;
}

bool HoldsTwoPages(std::string_view args) {
  return StandsTwice(args, "pfn=") || StandsTwice(args, "page=");
}

// A failed allocation prints page=0000000000000000 pfn=0x0 (or pfn=-1): no page, no life.
bool NamesNoPage(std::string_view args, uint64_t pfn) {
  if (pfn == kNoPfn) return true;
  if (pfn != 0) return false;
  auto text = FindField(args, "page");
  if (!text) return false;
  auto page = ParsePointer(*text);
  return !page || *page == 0;
}

// mm_page_alloc: page=ffff88802f2dcc00 pfn=0x3730 order=2 migratetype=0 gfp_flags=GFP_KERNEL
// mm_page_free: page=ffffea0001659500 pfn=366164 order=2                          (decimal to ~5.13)
// mm_page_free: [FAILED TO PARSE] pfn=0x4ce00 order=9                             (trace-cmd, perf)
template <typename AllocOrFree>
Payload DecodePage(std::string_view args, bool user_space_text) {
  auto pfn = UnsignedField(args, "pfn");
  auto order = UnsignedField(args, "order");
  if (!pfn || !order || !IsBlock(*pfn, *order) || NamesNoPage(args, *pfn) || HoldsTwoPages(args))
    return Opaque{};
  AllocOrFree page{.pfn = static_cast<Pfn>(*pfn), .order = static_cast<uint32_t>(*order), .page = {}};
  if (user_space_text) return page;  // page= was computed without the kernel's vmemmap_base
  if (auto address = PointerField(args, "page")) page.page = static_cast<KernelAddress>(*address);
  return page;
}

// mm_filemap_delete_from_page_cache: dev 0:18 ino 1c pfn=0x2f4e1 ofs=4096 order=0
// mm_filemap_add_to_page_cache: dev 254:0 ino 2fe page=ffffea0000a3c000 pfn=167680 ofs=0   (4.x to 5.x)
Payload DecodePageCache(bool added, std::string_view args) {
  auto pfn = UnsignedField(args, "pfn");
  if (!pfn || NamesNoPage(args, *pfn) || HoldsTwoPages(args)) return Opaque{};
  return PageCacheEvent{.added = added, .pfn = static_cast<Pfn>(*pfn)};
}

// flags=0 name=&mm->mmap_lock lockdep_addr=0xffff888030410180          (raw fields of trace.dat, perf.data)
Payload DecodeRawLock(LockStep step, std::string_view args) {
  size_t at = args.rfind("lockdep_addr=");
  auto address = ParsePointer(args.substr(at + 13));
  if (!address) return Opaque{};
  std::string_view name;
  if (size_t key = args.find("name="); key < at) name = TrimBlanks(args.substr(key + 5, at - key - 5));
  return LockEvent{step, static_cast<KernelAddress>(*address), ClassOfLock(name)};
}

// " try read &mm->mmap_lock"
LockClass ClassOfLockArguments(std::string_view args) {
  std::string_view name = TrimBlanks(args);
  for (std::string_view word : {"try ", "read "}) {
    if (name.starts_with(word)) name.remove_prefix(word.size());
  }
  return ClassOfLock(name);
}

// lock_acquire: ffff8880034965b8 ptlock_ptr(page)
// lock_acquire: ffff8880034965b8 try read &mm->mmap_lock
// lock_release: ffff8880034965b8          (nameless: see ParsePageFlags on empty strings)
Payload DecodeAnyLock(LockStep step, std::string_view args) {
  if (args.find("lockdep_addr=") != kNotFound) return DecodeRawLock(step, args);
  size_t blank = args.find(' ');
  auto address = ParsePointer(args.substr(0, blank));
  // A name stands behind it, and the kernel prints all its digits, of 32 or 64 bits: else some are missing.
  bool is_cut = blank == kNotFound && !args.starts_with("0x") && args.size() != 8 && args.size() != 16;
  if (!address || is_cut) return Opaque{};
  std::string_view name = blank == kNotFound ? "" : args.substr(blank);
  return LockEvent{step, static_cast<KernelAddress>(*address), ClassOfLockArguments(name)};
}

// contention_begin: ffff88800311f778 (flags=SPIN)
// contention_end: ffff88800311f778 (ret=0)
// lock_addr=0xffff888030c8a6f8 flags=33          (raw fields)
Payload DecodeContention(bool begin, std::string_view args) {
  if (args.find("lock_addr=") != kNotFound) {
    auto raw = PointerField(args, "lock_addr");
    if (!raw) return Opaque{};
    return ContentionEvent{begin, static_cast<KernelAddress>(*raw)};
  }
  size_t blank = args.find(' ');
  auto address = ParsePointer(args.substr(0, blank));
  if (!address || blank == kNotFound) return Opaque{};
  if (!args.substr(blank + 1).starts_with(begin ? "(flags=" : "(ret=")) return Opaque{};
  return ContentionEvent{begin, static_cast<KernelAddress>(*address)};
}

// R R+ S D D|K T t X Z P I     256 (raw)
SleepState SleepStateOf(std::string_view state) {
  if (state.empty()) return SleepState::kUnknown;
  if (auto bits = ParseUnsigned(state)) return SleepStateOfBits(*bits);
  if (state[0] == 'R') return SleepState::kRunning;
  if (state[0] == 'D') return SleepState::kUninterruptible;
  bool letter = (state[0] >= 'A' && state[0] <= 'Z') || (state[0] >= 'a' && state[0] <= 'z');
  return letter ? SleepState::kOther : SleepState::kUnknown;
}

// Where the raw fields of sched_switch turn from one task to the other: the " next_comm=" right behind
// prev_pid, prev_prio and prev_state. No comm is long enough to hold all that.
size_t FindRawSwitch(std::string_view args) {
  for (size_t at = args.find(" prev_state="); at != kNotFound; at = args.find(" prev_state=", at + 1)) {
    size_t end = args.find_first_not_of("-0123456789abcdefx", at + 12);
    if (end != kNotFound && args.substr(end).starts_with(" next_comm=")) return end;
  }
  return kNotFound;
}

Payload SwitchOfParts(std::string_view prev, std::string_view next) {
  auto number_after = [](std::string_view text, std::string_view key) -> std::optional<int32_t> {
    size_t at = text.rfind(key);
    if (at == kNotFound) return std::nullopt;
    std::string_view value = text.substr(at + key.size());
    return Narrow<int32_t>(ParseSigned(value.substr(0, value.find(' '))));
  };
  auto prev_pid = number_after(prev, " prev_pid=");
  auto next_pid = number_after(next, " next_pid=");
  size_t state_at = prev.rfind(" prev_state=");
  if (!prev_pid || !next_pid || state_at == kNotFound) return Opaque{};
  std::string_view state = prev.substr(state_at + 12);
  return SchedSwitch{static_cast<Pid>(*prev_pid), static_cast<Pid>(*next_pid), SleepStateOf(state)};
}

// "trace-cmd:4734 [120] R" -> 4734
std::optional<Pid> PidBeforePriority(std::string_view text) {
  size_t open = text.rfind(" [");
  if (open == kNotFound) return std::nullopt;
  size_t colon = text.rfind(':', open);
  if (colon == kNotFound) return std::nullopt;
  auto pid = Narrow<int32_t>(ParseSigned(text.substr(colon + 1, open - colon - 1)));
  if (!pid) return std::nullopt;
  return static_cast<Pid>(*pid);
}

// prev_comm=a prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=b next_pid=8 next_prio=120
// Comms without a '=': every key is there once.
bool ReadSwitch(std::string_view args, SchedSwitch* out) {
  PlainArguments plain(args);
  int32_t prev = 0;
  int32_t next = 0;
  int32_t number = 0;
  if (!plain.Take("prev_comm=") || !plain.TakeThrough(" prev_pid=") || !plain.TakeDecimal(&prev))
    return false;
  if (!plain.Take(" prev_prio=") || !plain.TakeDecimal(&number) || !plain.Take(" prev_state=")) return false;
  std::string_view state = plain.TakeWord();
  if (!plain.Take(" ==> next_comm=")) {
    bool raw = state.find_first_not_of("0123456789") == kNotFound;
    if (!raw || state.empty() || !plain.Take(" next_comm=")) return false;
  }
  if (!plain.TakeThrough(" next_pid=") || !plain.TakeDecimal(&next)) return false;
  if (!plain.Take(" next_prio=") || !plain.TakeDecimal(&number) || !plain.at_end()) return false;
  *out = {static_cast<Pid>(prev), static_cast<Pid>(next), SleepStateOf(state)};
  return true;
}

Payload DecodeSchedSwitch(std::string_view args) {
  if (SchedSwitch plain; ReadSwitch(args, &plain)) return plain;
  auto sides = SplitSwitch(args);
  if (!sides) return Opaque{};
  auto [prev, next] = *sides;
  if (prev.find(" prev_pid=") != kNotFound) return SwitchOfParts(prev, next);
  // trace-cmd's own rendering, comms may hold ':':  kworker/u8:1:20665 [120] t ==> trace-cmd:20913 [120]
  size_t state = prev.rfind("] ");
  auto prev_pid = PidBeforePriority(prev);
  auto next_pid = PidBeforePriority(next);
  if (!prev_pid || !next_pid || state == kNotFound) return Opaque{};
  return SchedSwitch{*prev_pid, *next_pid, SleepStateOf(prev.substr(state + 2))};
}

// comm=thp mover pid=69 prio=120 target_cpu=001
bool ReadWaking(std::string_view args, int32_t* pid) {
  PlainArguments plain(args);
  int32_t number = 0;
  return plain.Take("comm=") && plain.TakeThrough(" pid=") && plain.TakeDecimal(pid) &&
         plain.Take(" prio=") && plain.TakeDecimal(&number) && plain.Take(" target_cpu=") &&
         plain.TakeDecimal(&number) && plain.at_end();
}

// kworker/2:1:50 [120] success=1 CPU:002               (trace-cmd's own rendering)
// `whole`: one was seen with what stands behind the pid; without it, digits may be missing.
Payload DecodeSchedWaking(bool done, std::string_view args, bool* whole) {
  if (int32_t pid = 0; ReadWaking(args, &pid)) {
    *whole = true;
    return SchedWaking{static_cast<Pid>(pid), done};
  }
  size_t at = args.rfind(" pid=");
  if (at == kNotFound) {
    auto woken = PidBeforePriority(args);
    return woken ? Payload(SchedWaking{*woken, done}) : Payload(Opaque{});
  }
  std::string_view value = args.substr(at + 5);
  size_t end = value.find(' ');
  auto pid = Narrow<int32_t>(ParseSigned(value.substr(0, end)));
  if (!pid || (*whole && end == kNotFound)) return Opaque{};
  return SchedWaking{static_cast<Pid>(*pid), done};
}

// comm=init pid=1 child_comm=init child_pid=62
Payload DecodeSchedFork(std::string_view args) {
  constexpr std::string_view kKey = " child_pid=";
  size_t at = args.rfind(kKey);
  if (at == kNotFound) return Opaque{};
  auto child = Narrow<int32_t>(ParseSigned(args.substr(at + kKey.size())));
  return child ? Payload(SchedFork{static_cast<Pid>(*child)}) : Payload(Opaque{});
}

// enum migrate_reason (include/linux/migrate_mode.h) as include/trace/events/migrate.h prints it. New ones
// were only ever added at the end; "contig_range" was "cma" until 4.16.
std::string_view MigrateReason(std::string_view printed) {
  static constexpr std::array<std::string_view, 10> kReasons = {
      "compaction",     "memory_failure", "memory_hotplug", "syscall_or_cpuset", "mempolicy_mbind",
      "numa_misplaced", "contig_range",   "longterm_pin",   "demotion",          "damon"};
  auto number = ParseUnsigned(printed);
  return number && *number < kReasons.size() ? kReasons[*number] : printed;
}

// mm_migrate_pages_start: mode=MIGRATE_SYNC reason=syscall_or_cpuset                     (5.13+)
// succeeded=512 failed=0 thp_succeeded=1 thp_failed=0 thp_split=0 mode=2 reason=5      (raw fields)
// mm_migrate_pages: nr_succeeded=512 nr_failed=0 nr_thp_succeeded=1 ... mode=MIGRATE_SYNC
// reason=numa_misplaced
Payload DecodeMigratePages(bool start, std::string_view args) {
  auto reason = FindField(args, "reason");
  if (!reason) return Opaque{};
  if (!start) {
    auto succeeded = FindField(args, "nr_succeeded");
    if (!succeeded) succeeded = FindField(args, "succeeded");
    if (!succeeded || !ParseSigned(*succeeded)) return Opaque{};
  }
  return MigratePages{.start = start, .reason = MigrateReason(*reason)};
}

// set_migration_pmd: addr=7f2fbe200000, pmd=f7ffe7fffe83fe00
// remove_migration_pte: addr=7f65003000, pte=8000000002541067 order=0
Payload DecodeMigrationEntry(bool set, bool pmd, std::string_view args) {
  auto address = FindField(args, "addr");
  auto value = FindField(args, pmd ? "pmd" : "pte");
  if (!address || !value || StandsTwice(args, "addr=")) return Opaque{};
  auto address_bits = ParsePointer(*address);
  auto value_bits = ParsePointer(*value);
  if (!address_bits || !value_bits) return Opaque{};
  return MigrationEntry{set, pmd, *address_bits, *value_bits};
}

}  // namespace

std::optional<SwitchSides> SplitSwitch(std::string_view args) {
  if (size_t raw = FindRawSwitch(args); raw != kNotFound)
    return SwitchSides{args.substr(0, raw), args.substr(raw + 1)};
  constexpr std::string_view kArrow = " ==> ";
  size_t arrow = args.rfind(" ==> next_comm=");
  if (arrow == kNotFound) arrow = args.rfind(kArrow);
  if (arrow == kNotFound) return std::nullopt;
  return SwitchSides{args.substr(0, arrow), args.substr(arrow + kArrow.size())};
}

std::optional<std::string_view> FindField(std::string_view args, std::string_view key) {
  for (size_t at = args.find(key); at != kNotFound; at = args.find(key, at + 1)) {
    size_t equals = at + key.size();
    if (equals >= args.size() || args[equals] != '=') continue;
    if (at > 0 && args[at - 1] != ' ') continue;
    return FieldAt(args, equals);
  }
  return std::nullopt;
}

PageFlags ParsePageFlags(std::string_view text) {
  // trace-cmd may print a broken "locked|": the names are not the page's.
  if (text.empty() || text.back() == '|') return {};
  auto state = [](bool set) { return set ? FlagState::kSet : FlagState::kClear; };
  if (text.starts_with("0x")) {
    auto bits = ParseUnsigned(text);
    return bits ? PageFlagsOfBits(*bits) : PageFlags{};
  }
  bool locked = false;
  bool waiters = false;
  bool head = false;
  bool hwpoison = false;
  while (!text.empty()) {
    size_t bar = text.find('|');
    std::string_view name = text.substr(0, bar);
    locked |= name == "locked";
    waiters |= name == "waiters";
    head |= name == "head";
    hwpoison |= name == "hwpoison";
    text.remove_prefix(bar == kNotFound ? text.size() : bar + 1);
  }
  return {
      .locked = state(locked), .waiters = state(waiters), .head = state(head), .hwpoison = state(hwpoison)};
}

Decoder::Decoder(StringTable* strings, std::vector<ProbeDefinition> probes,
                 std::optional<KernelRelease> release)
    : strings_(strings), probes_(std::move(probes)), release_(release) {
  for (const ProbeDefinition& probe : probes_) {
    probes_of_event_[probe.event].push_back(&probe);
    if (FunctionOfSymbol(probe.function) == KernelFunction::kOther) continue;
    probes_that_count_[probe.event].push_back(&probe);
    if (!probe.arguments.empty()) first_fields_.insert(probe.arguments.front().field);
    constexpr size_t kMost = 64;  // of a last field, and of these
    if (probe.arguments.empty() || (probes_by_last_field_.size() == kMost &&
                                    !probes_by_last_field_.contains(probe.arguments.back().field)))
      continue;
    auto& of_field = probes_by_last_field_[probe.arguments.back().field];
    if (of_field.size() < kMost) of_field.push_back(&probe);
  }
  strings_->KeepAlways([](std::string_view name) { return TracepointNamed(name) != Tracepoint::kNone; });
}

Decoder::~Decoder() = default;

bool Decoder::Concerns(std::string_view text) const {
  auto concerns = [&](std::string_view word) {
    return TracepointNamed(word) != Tracepoint::kNone || FunctionOfSymbol(word) != KernelFunction::kOther ||
           probes_that_count_.contains(word);
  };
  auto is_word = [](char c) { return IsKeyChar(c) && c != '-'; };
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end > begin && concerns(text.substr(begin, end - begin))) return true;
    begin = end + 1;
  }
  return false;
}

bool Decoder::BeginsKnownName(std::string_view text) const {
  return BeginsTracepoint(text) || BeginsSymbol(text) ||
         std::any_of(probes_that_count_.begin(), probes_that_count_.end(),
                     [&](const auto& probe) { return probe.first.starts_with(text); });
}

// By its definition, or by hits that were read before, a probe on a function that means something.
bool Decoder::IsProbe(StringId name) {
  auto index = static_cast<size_t>(name);
  if (index >= is_probe_.size()) is_probe_.resize(strings_->size());
  if (!is_probe_[index]) is_probe_[index] = probes_that_count_.contains(strings_->Text(name));
  return *is_probe_[index];
}

TraceIssue Decoder::RejectedIssue(std::string_view kind, int64_t line,
                                  std::optional<std::string_view> concerning, std::string text) const {
  if (!concerning)
    return {TraceIssue::Severity::kError, "event rejected", line, 1,
            "an event that may count is missing: " + text};
  if (Concerns(*concerning))
    return {TraceIssue::Severity::kError, "event rejected", line, 1,
            "an event that counts is missing: " + text};
  return {TraceIssue::Severity::kWarning, std::string(kind), line, 1, std::move(text)};
}

Tracepoint Decoder::TracepointOf(StringId name) {
  auto index = static_cast<size_t>(name);
  if (index >= tracepoints_.size()) tracepoints_.resize(strings_->size());
  auto& known = tracepoints_[index];
  if (!known) known = TracepointNamed(strings_->Text(name));
  return *known;
}

Payload Decoder::DecodePageRef(PageRefOp op, std::string_view args) {
  PageRef plain{.op = op, .pfn = {}, .val = 0, .ret = {}, .count = {}, .flags = {}};
  if (ReadPageRef(args, &known_.page_flags, &plain)) return plain;
  return FindPageRef(op, args);
}

Payload Decoder::DecodeLock(LockStep step, std::string_view args) {
  // Sixteen digits of an address, and a name of which there are few.
  constexpr size_t kDigits = 16;
  if (args.size() < kDigits || (args.size() > kDigits && args[kDigits] != ' '))
    return DecodeAnyLock(step, args);
  auto upper = EightHexDigits(LoadEight(args.data()));
  auto lower = EightHexDigits(LoadEight(args.data() + 8));
  if (!upper || !lower) return DecodeAnyLock(step, args);
  LockName name = known_.lock_names.Of(args.substr(kDigits), [](std::string_view text) -> LockName {
    return {text.find("lockdep_addr=") != kNotFound, ClassOfLockArguments(text)};
  });
  if (name.raw) return DecodeAnyLock(step, args);
  return LockEvent{step, static_cast<KernelAddress>(*upper << 32 | *lower), name.lock_class};
}

namespace {

// Of an entry and of a return, where fields are printed as they are: trace-cmd report -R, options/fields.
constexpr std::string_view kRawEntry = "__probe_ip=";
constexpr std::string_view kRawReturn = "__probe_func=";

bool BeginsWithPlace(std::string_view args) {
  if (args.empty() || args[0] == '(') return !args.empty();
  return args[0] == '_' && (args.starts_with(kRawEntry) || args.starts_with(kRawReturn));
}

// "ffffffff811574b0" of "__probe_ip=ffffffff811574b0 folio=...", and of a return, which has two addresses,
// both:
// "__probe_func=ffffffff811574b0 __probe_ret_ip=ffffffff811de0ad".
std::string_view RawPlace(std::string_view args) {
  bool entry = args.starts_with(kRawEntry);
  if (entry) args.remove_prefix(kRawEntry.size());
  size_t last = entry ? 0 : args.find("__probe_ret_ip=");
  return args.substr(0, args.find(' ', last == kNotFound ? 0 : last));
}

}  // namespace

Payload Decoder::Decode(StringId name, std::string_view args) {
  // The body of a probe begins with the place it sits at; no tracepoint's does. A kprobe may have
  // the name of a tracepoint (remove_migration_pmd is both in one of our recordings).
  if (BeginsWithPlace(args)) return DecodeProbe(name, args);
  switch (TracepointOf(name)) {
    case Tracepoint::kNone:
      return Opaque{};
    case Tracepoint::kPageRefSet:
      return DecodePageRef(PageRefOp::kSet, args);
    case Tracepoint::kPageRefMod:
      return DecodePageRef(PageRefOp::kMod, args);
    case Tracepoint::kPageRefModAndTest:
      return DecodePageRef(PageRefOp::kModAndTest, args);
    case Tracepoint::kPageRefModAndReturn:
      return DecodePageRef(PageRefOp::kModAndReturn, args);
    case Tracepoint::kPageRefModUnless:
      return DecodePageRef(PageRefOp::kModUnless, args);
    case Tracepoint::kPageRefFreeze:
      return DecodePageRef(PageRefOp::kFreeze, args);
    case Tracepoint::kPageRefUnfreeze:
      return DecodePageRef(PageRefOp::kUnfreeze, args);
    case Tracepoint::kPageAlloc:
      return DecodePage<PageAlloc>(args, user_space_text_);
    case Tracepoint::kPageFree:
      return DecodePage<PageFree>(args, user_space_text_);
    case Tracepoint::kAddToPageCache:
      return DecodePageCache(true, args);
    case Tracepoint::kDeleteFromPageCache:
      return DecodePageCache(false, args);
    case Tracepoint::kLockAcquire:
      return DecodeLock(LockStep::kAcquire, args);
    case Tracepoint::kLockContended:
      return DecodeLock(LockStep::kContended, args);
    case Tracepoint::kLockAcquired:
      return DecodeLock(LockStep::kAcquired, args);
    case Tracepoint::kLockRelease:
      return DecodeLock(LockStep::kRelease, args);
    case Tracepoint::kContentionBegin:
      return DecodeContention(true, args);
    case Tracepoint::kContentionEnd:
      return DecodeContention(false, args);
    case Tracepoint::kSchedSwitch:
      return DecodeSchedSwitch(args);
    case Tracepoint::kSchedWaking:
      return DecodeSchedWaking(false, args, &whole_waking_);
    case Tracepoint::kSchedWakeup:
      return DecodeSchedWaking(true, args, &whole_waking_);
    case Tracepoint::kSchedFork:
      return DecodeSchedFork(args);
    case Tracepoint::kMigratePagesStart:
      return DecodeMigratePages(true, args);
    case Tracepoint::kMigratePages:
      return DecodeMigratePages(false, args);
    case Tracepoint::kSetMigrationPmd:
      return DecodeMigrationEntry(true, true, args);
    case Tracepoint::kRemoveMigrationPmd:
      return DecodeMigrationEntry(false, true, args);
    case Tracepoint::kSetMigrationPte:
      return DecodeMigrationEntry(true, false, args);
    case Tracepoint::kRemoveMigrationPte:
      return DecodeMigrationEntry(false, false, args);
  }
  return Opaque{};
}

namespace {

// Which places of a text are within a string that a probe fetched, where anything may stand. Asked from left
// to right.
class Quotes {
 public:
  explicit Quotes(std::string_view text) : text_(text), none_(text.find('"') == kNotFound) {}

  bool Hold(size_t at) {
    if (none_) return false;
    for (; seen_ < at; ++seen_) within_ ^= text_[seen_] == '"';
    return within_;
  }

 private:
  std::string_view text_;
  bool none_;
  size_t seen_ = 0;
  bool within_ = false;
};

// What FindField finds of each of a probe's fields, in one pass.
class FoundFields {
 public:
  FoundFields(std::string_view args, const std::vector<BoundField>& fields) : args_(args), fields_(fields) {
    const char* end = args.data() + args.size();
    Quotes quotes(args);
    for (size_t word = 0; word < args.size();) {
      for (size_t i = 0; i < fields.size() && i < kMost; ++i) {
        std::string_view key = fields[i].name;
        size_t equals = word + key.size();
        if (equals >= args.size() || args[equals] != '=') continue;
        if (!SameText(args.substr(word, key.size()), key)) continue;
        bool quoted = quotes.Hold(word);
        bool again = equals_[i] != 0 && !(quoted_ >> i & 1);
        twice_ |= again && !quoted;
        if (again) continue;
        if (equals_[i] == 0 || !quoted) equals_[i] = equals + 1;
        quoted_ = quoted ? quoted_ | uint64_t{1} << i : quoted_ & ~(uint64_t{1} << i);
      }
      word = static_cast<size_t>(FindNear(args.data() + word, end, ' ') - args.data()) + 1;
    }
  }

  std::optional<std::string_view> Text(size_t i) const {
    if (i >= kMost) return FindField(args_, fields_[i].name);
    if (equals_[i] == 0) return std::nullopt;
    return FieldAt(args_, equals_[i] - 1);
  }
  // One of them stands in them again.
  bool twice() const { return twice_; }

 private:
  static constexpr size_t kMost = ProbeFields::kMax;
  std::string_view args_;
  const std::vector<BoundField>& fields_;
  std::array<size_t, kMost> equals_{};  // behind the '=' of each; 0: not found
  uint64_t quoted_ = 0;  // bit by bit: found in a string alone, where anybody may have written it
  bool twice_ = false;
};

// "(folio_unlock+0x0/0x30)", which no field of a probe is printed as: another hit's place.
bool HoldsPlace(std::string_view fields) {
  Quotes quotes(fields);
  for (size_t open = fields.find('('); open != kNotFound; open = fields.find('(', open + 1)) {
    size_t end = fields.find_first_of("()", open + 1);
    std::string_view place = fields.substr(open, end - open);
    size_t offset = place.find("+0x");
    bool is_place = offset != kNotFound && place.find("/0x", offset) != kNotFound;
    if (is_place && !quotes.Hold(open)) return true;
  }
  return false;
}

// The number of a page's flag: an int, of which a register may have more in its upper half.
bool IsNoFlag(uint64_t value) {
  constexpr uint32_t kFlags = 64;
  return static_cast<uint32_t>(value) >= kFlags;
}

// Of the kernel's: as x64 it has all digits of 32 or 64 bits, and no number begins with another 0.
bool IsNoPointer(std::string_view text) {
  size_t digits = text.starts_with("0x") ? text.size() - 2 : 0;
  return (digits > 8 && digits < 16) || (digits == 0 && text.size() > 1 && text[0] == '0');
}

}  // namespace

Decoder::Binding::Told Decoder::Binding::Read(std::string_view args, ProbeFields* values) const {
  constexpr size_t kBits = 32;
  Told told;
  FoundFields found(args, fields);
  told.joined = found.twice() || HoldsPlace(args);
  for (size_t i = 0; i < fields.size(); ++i) {
    auto text = found.Text(i);
    told.impossible |= !text;
    if (!text) continue;
    auto bits = ParseUnsigned(*text);  // x64, u64
    auto value = bits ? std::nullopt : ParseSigned(*text);
    bool flags = fields[i].role == ProbeRole::kPageFlags && bits && text->starts_with("0x");
    if (flags) told.flag_digits = text->size() - 2;
    bool at_end = text->data() + text->size() == args.data() + args.size();
    if (bits && !(flags && at_end && MayBeCut(told.flag_digits))) values->Set(fields[i].role, *bits);
    if (value) values->Set(fields[i].role, static_cast<uint64_t>(*value));
    if (i >= kBits) continue;
    // kernel/trace/trace_probe_kernel.h: what cannot be fetched is printed so.
    bool is_value = bits || value || *text == "(fault)";
    bool no_flag = fields[i].role == ProbeRole::kBit && (bits || value) &&
                   IsNoFlag(bits ? *bits : static_cast<uint64_t>(*value));
    bool no_page = fields[i].role == ProbeRole::kPage && (!is_value || IsNoPointer(*text));
    (is_value && !no_flag && !no_page ? told.read : told.garbled) |= uint32_t{1} << i;
    told.impossible |= no_flag || no_page;
  }
  return told;
}

TraceIssue Decoder::NotUnderstoodIssue(StringId name, std::string_view args, int64_t line) const {
  return {TraceIssue::Severity::kError, "arguments not understood", line, 1,
          "what an event that counts tells could not be read: " + std::string(strings_->Text(name)) + ": " +
              std::string(args.substr(0, 80))};
}

bool Decoder::Understand(std::string_view args, Event* event) {
  event->payload = Decode(event->name, args);
  if (!std::holds_alternative<Opaque>(event->payload)) return true;
  event->unreadable = ShouldMean(event->name, args);
  return !event->unreadable;
}

namespace {

// "folio_wait_bit+0x0/0x24" or "xfs_buf_get+0x0/0x1a0 [xfs]" -> symbol and offset.
struct CodePlace {
  std::string_view symbol;
  std::optional<uint64_t> offset;  // nullopt where only the symbol was printed
  bool damaged = false;            // what should be an offset is none
};

CodePlace ParseCodePlace(std::string_view text) {
  text = text.substr(0, text.find(' '));  // drops " [module]"
  size_t plus = text.find('+');
  if (plus == kNotFound) return {.symbol = text, .offset = {}};
  size_t slash = text.find('/', plus);
  auto offset = ParseUnsigned(text.substr(plus + 1, slash == kNotFound ? slash : slash - plus - 1));
  return {.symbol = text.substr(0, plus), .offset = offset, .damaged = !offset};
}

// options/sym-addr prints an address behind each symbol, "folio_unlock+0x0/0x30 <ffffffff81154d40>"
// (kernel/trace/trace_output.c:seq_print_ip_sym): the place without.
std::string WithoutAddresses(std::string_view place) {
  std::string plain;
  for (size_t open = place.find(" <"); open != kNotFound; open = place.find(" <")) {
    size_t end = place.find('>', open);
    bool is_address = end != kNotFound && ParseHexDigits(place.substr(open + 2, end - open - 2));
    plain += place.substr(0, is_address ? open : open + 2);
    place.remove_prefix(is_address ? end + 1 : open + 2);
  }
  return plain.append(place);
}

// Where a probe on a function's entry sits at most: behind what a compiler puts there to be patched (arm64
// with BTI, ppc64le).
constexpr uint64_t kFurthestEntry = 8;

// "key=" at the beginning of a text.
bool BeginsWithKey(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && IsKeyChar(text[end])) ++end;
  return end > 0 && end < text.size() && text[end] == '=';
}

// The hit of a probe on a function that means something, behind a name, one word or nothing:
//   wait (folio_wait_bit+0x0/0x24) folio=0xffffea0000040000
//   wait_r (migration_entry_wait+0x1a/0x30 <- folio_wait_bit)
// An entry's has fields: a text may name a place, too.
bool HoldsHit(std::string_view text) {
  size_t open = text.find('(');
  size_t end = open == kNotFound ? open : text.find_first_of("()", open + 1);
  if (end == kNotFound || text[end] != ')') return false;
  std::string_view before = TrimBlanks(text.substr(0, open));
  if (before.find(' ') != kNotFound && !before.ends_with(':')) return false;
  std::string inner = WithoutAddresses(text.substr(open + 1, end - open - 1));
  if (inner.find("+0x") == kNotFound || inner.find("/0x") == kNotFound) return false;
  size_t arrow = inner.find(" <- ");
  CodePlace place = ParseCodePlace(std::string_view(inner).substr(arrow == kNotFound ? 0 : arrow + 4));
  if (FunctionOfSymbol(place.symbol) == KernelFunction::kOther) return false;
  size_t fields = std::min(text.find_first_not_of(" \t", end + 1), text.size());
  return arrow != kNotFound ||
         (place.offset && *place.offset <= kFurthestEntry && BeginsWithKey(text.substr(fields)));
}

// include/trace/events/page_ref.h: the fields of each, in the order in which the kernel prints them.
bool HoldsPageRef(std::string_view text) {
  size_t at = 0;
  for (std::string_view key : {"pfn=", "flags=", "count=", "mapcount=", "mapping=", "mt=", "val="}) {
    at = text.find(key, at);
    if (at == kNotFound) return false;
  }
  return true;
}

// Of two texts of one size.
int DifferingLetters(std::string_view a, std::string_view b) {
  int differ = 0;
  for (size_t i = 0; i < a.size(); ++i) differ += a[i] != b[i];
  return differ;
}

// A symbol some of whose letters were lost or changed.
bool IsDamagedForm(std::string_view text, std::string_view symbol) {
  auto same_letter = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  if (text.size() == symbol.size())
    return DifferingLetters(text, symbol) <= 2 ||
           std::equal(text.begin(), text.end(), symbol.begin(), same_letter);
  if (text.size() > symbol.size()) return false;
  size_t same =
      static_cast<size_t>(std::mismatch(text.begin(), text.end(), symbol.begin()).first - text.begin());
  bool cut = same == text.size() && 2 * text.size() >= symbol.size();
  bool lacks_one =
      same > 0 && text.size() + 1 == symbol.size() && text.substr(same) == symbol.substr(same + 1);
  return cut || lacks_one;
}

// With that field, or with a piece of it and nothing behind.
bool BeginsField(std::string_view args, std::string_view field) {
  return args.starts_with(field) || (!args.empty() && field.starts_with(args));
}

// Whether an event, or a function, may have that name.
bool IsEventName(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return IsKeyChar(c) || c == '$'; });
}

}  // namespace

bool MayBeDamagedTracepoint(std::string_view name) {
  const auto& known = TracepointsByName();
  return !known.contains(name) &&
         (!IsEventName(name) || std::any_of(known.begin(), known.end(), [&](const auto& tracepoint) {
           return IsDamagedForm(name, tracepoint.first);
         }));
}

// Names that mean something, of which the text is a damaged form.
const std::vector<std::string>& Decoder::NamesNear(std::string_view text) {
  constexpr size_t kMost = 65536;
  if (auto known = near_names_.find(text); known != near_names_.end()) return known->second;
  if (near_names_.size() >= kMost) near_names_.clear();
  std::vector<std::string>& near = near_names_[std::string(text)];
  auto look = [&](std::string_view name) {
    constexpr size_t kShort = 6;  // of which a letter makes another name
    // "page_ref", "contention": names of their own
    bool is_word = text.size() < name.size() && name.starts_with(text) && name[text.size()] == '_';
    if (is_word) return;
    bool is_near = name.size() < kShort && text.size() == name.size() ? DifferingLetters(text, name) == 1
                                                                      : IsDamagedForm(text, name);
    if (is_near) near.emplace_back(name);
  };
  for (const auto& [name, tracepoint] : TracepointsByName()) look(name);
  // Nobody has more probes that mean something; and a trace may name anything.
  constexpr size_t kMostProbes = 256;
  if (probes_that_count_.size() <= kMostProbes) {
    for (const auto& [name, definitions] : probes_that_count_) look(name);
  }
  for (const std::string& name : learned_probes_) look(name);
  return near;
}

// Whether hits of that name were at the place, or are defined to be at such an address.
bool Decoder::IsHitAt(StringId id, const std::string& name, std::string_view args) const {
  if (args[0] != '(') return false;
  std::string_view place = args.substr(1, args.find(')') - 1);
  if (auto of = bindings_.find(static_cast<uint32_t>(id)); of != bindings_.end()) {
    if (auto at = of->second.find(place); at != of->second.end())
      return at->second->at_entry && !at->second->damaged && at->second->function != KernelFunction::kOther;
  }
  auto address = ParsePointer(place);
  return address && *address >> 63 != 0 && probes_that_count_.contains(name);
}

// A name that is nobody's, and nearly one that means something: with characters no name has (is_good_name of
// include/linux/trace_events.h), or with what an event of that name tells.
bool Decoder::HasDamagedName(StringId name, std::string_view args) {
  constexpr size_t kLongest = 64;
  if (std::exchange(near_is_stale_, false)) {
    near_names_.clear();
    is_near_.clear();
  }
  auto index = static_cast<size_t>(name);
  if (index >= is_near_.size()) is_near_.resize(strings_->size());
  if (is_near_[index] == false) return false;
  std::string_view text = strings_->Text(name);
  bool named = !text.empty();
  if (!named) {
    size_t colon = args.substr(0, kLongest).find(": ");
    if (colon == kNotFound) return false;
    text = args.substr(0, colon);
    args.remove_prefix(colon + 2);
  }
  bool is_ours = TracepointNamed(text) != Tracepoint::kNone || IsProbe(name) || !DefinitionsOf(text).empty();
  static const std::vector<std::string> kNone;
  const auto& near = is_ours || text.size() > kLongest ? kNone : NamesNear(text);
  if (named) is_near_[index] = !near.empty();
  if (near.empty()) return false;
  if (!IsEventName(text)) return true;
  constexpr size_t kFamily = 8;  // of names that are numbered
  if (near.size() > kFamily) return false;
  return std::any_of(near.begin(), near.end(), [&](const std::string& known) {
    StringId id = strings_->Intern(known);
    if (BeginsWithPlace(args)) return IsHitAt(id, known, args);
    return !std::holds_alternative<Opaque>(Decode(id, args));
  });
}

// Of a probe by its definitions, or by hits that could be read.
bool Decoder::IsFirstField(StringId name, std::string_view key) const {
  const auto& definitions = DefinitionsOf(strings_->Text(name));
  auto begins = [&](const ProbeDefinition* probe) {
    return !probe->arguments.empty() && probe->arguments.front().field == key;
  };
  if (!definitions.empty()) return std::any_of(definitions.begin(), definitions.end(), begins);
  auto bound = bindings_.find(static_cast<uint32_t>(name));
  return bound != bindings_.end() &&
         std::any_of(bound->second.begin(), bound->second.end(), [&](const auto& at) {
           return !at.second->fields.empty() && at.second->fields.front().name == key;
         });
}

// Of an event that has a probe's name and does not begin with a place. So has what trace_printk prints in the
// function that is probed:
//   wait:  page=0xffffea0000040000
//   wait: folio_wait_bit+0x0/0x24) folio=0xffffea0000040000
//   wait: wait: (folio_wait_bit+0x0/0x24) folio=0xffffea0000040000
bool Decoder::LacksPlace(StringId name, std::string_view args) const {
  std::string_view text = TrimBlanks(args);
  if (IsBlank(args[0]) && BeginsWithKey(text)) {
    size_t equals = text.find('=');
    std::string_view value = FieldAt(text, equals);
    return IsFirstField(name, text.substr(0, equals)) && (ParseUnsigned(value) || ParseSigned(value));
  }
  size_t close = text.find(')');
  std::string_view place = text.substr(0, close);
  bool torn = close != kNotFound && place.find('(') == kNotFound && place.find("+0x") != kNotFound &&
              (place.find(' ') == kNotFound || place.find(" <- ") != kNotFound);
  // "74b0) folio=0xffffea0000a00000": of an address
  bool ends_address =
      close != kNotFound && close > 0 && close + 1 < text.size() && text[close + 1] == ' ' &&
      std::all_of(place.begin(), place.end(), [](unsigned char c) { return std::isxdigit(c); }) &&
      BeginsWithKey(text.substr(close + 2));
  // Behind a byte that is none of it.
  size_t open = text.find('(');
  auto is_letter = [](unsigned char c) { return std::isalnum(c) != 0; };
  bool behind_junk = open < close && close != kNotFound &&
                     std::none_of(text.begin(), text.begin() + open, is_letter) &&
                     ParsePointer(text.substr(open + 1, close - open - 1)) &&
                     BeginsWithKey(TrimBlanks(text.substr(close + 1)));
  return torn || ends_address || behind_junk || HoldsHit(args);
}

// What a probe or a tracepoint that means something prints, where its name, the colon behind it or its place
// is damaged. Other events, and texts that anybody wrote, may look like it.
bool Decoder::LacksNameOrPlace(StringId name, std::string_view args) {
  std::string_view text = strings_->Text(name);
  if (PrintsText(text) || args.empty()) return false;
  if (IsProbe(name)) return LacksPlace(name, args);
  bool is_name = !text.empty() && !IsDigit(text[0]) && text != "function";
  bool is_marker = args[0] == ':' || args.starts_with("tracing_mark_write");
  if (!is_name && !is_marker && (HoldsHit(args) || IsPieceOfHit(args))) return true;
  bool of_page_ref = (text.empty() ? args : text).starts_with("page");
  if (of_page_ref && TracepointNamed(text) == Tracepoint::kNone && HoldsPageRef(args)) return true;
  if (!text.empty()) return false;
  // page_ref_mod_unless pfn=0x3730 flags= count=1
  size_t end = 0;
  while (end < args.size() && IsKeyChar(args[end]) && args[end] != '-') ++end;
  return end > 0 && end < args.size() && BeginsWithKey(TrimBlanks(args.substr(end))) &&
         Concerns(args.substr(0, end));
}

bool Decoder::IsPieceOfHit(std::string_view text) const {
  //  ait: (wait_on_page_bit+0x0/0x100) page=0xffffea0000a00000
  //  _ret: (do_numa_page+0x30/0x90 <- folio_wait_bit)
  static const RE2 hit(
      R"((\w+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: <[0-9a-f]+>)?(?:\) \w+=(?:0x|-?\d)| <- (\w+)(?: <[0-9a-f]+>)?\)(?: \w+=|$)))");
  //  _bit: (ffffffff811574b0) folio=0xffffea0000a00000       of trace-cmd and perf
  static const RE2 by_address(R"(\((?:0x)?f{4,}[0-9a-f]{4,12}\) (\w+)=(?:0x|-?\d))");
  if (text.find(')') == kNotFound) return false;
  const re2::StringPiece all(text.data(), text.size());
  re2::StringPiece symbol;
  re2::StringPiece returned;
  if (RE2::PartialMatch(all, hit, &symbol, &returned)) {
    constexpr size_t kLeast = 3;
    std::string_view left(symbol.data(), symbol.size());
    if (!returned.empty())
      return FunctionOfSymbol({returned.data(), returned.size()}) != KernelFunction::kOther;
    return left.size() >= kLeast && EndsSymbol(left);
  }
  re2::StringPiece key;
  if (!user_space_text_ || !RE2::PartialMatch(all, by_address, &key)) return false;
  return first_fields_.contains({key.data(), key.size()});
}

namespace {

bool IsNumber(std::string_view text) {
  return ParseUnsigned(text) || ParseSigned(text) || text == "(fault)";
}

// "lio=0xffffea0000a00000 bit=0", "4b0) folio=0xffffea0000a00000 bit=0"
bool EndsHit(const ProbeDefinition& probe, std::string_view text) {
  size_t told = 0;  // of the fields, from the last one on
  for (auto field = probe.arguments.rbegin(); field != probe.arguments.rend(); ++field) {
    size_t blank = text.rfind(' ');
    bool first = blank == kNotFound;
    std::string_view word = first ? text : text.substr(blank + 1);
    size_t equals = word.find('=');
    // Of a value alone nothing is known, but for what stands behind it.
    if (equals == kNotFound)
      return first && told > 0 && !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
               return std::isxdigit(c) || c == 'x';
             });
    std::string_view key = word.substr(0, equals);
    bool same = first ? field->field.ends_with(key) : field->field == key;
    if (!same || !IsNumber(word.substr(equals + 1))) return false;
    ++told;
    if (first) return true;
    text = text.substr(0, blank);
    if (text.empty()) return true;
  }
  // What is left is the end of its place.
  return text.ends_with(')') && text.find(' ') == kNotFound;
}

}  // namespace

bool Decoder::IsTailOfHit(std::string_view text) const {
  constexpr size_t kLongest = 1024;
  if (text.size() > kLongest || probes_by_last_field_.empty()) return false;
  std::string_view word = text.substr(text.rfind(' ') + 1);
  size_t equals = word.find('=');
  if (equals == kNotFound || equals + 1 == word.size()) return false;
  auto ends = [&](const auto& probes) {
    return std::any_of(probes.begin(), probes.end(),
                       [&](const ProbeDefinition* probe) { return EndsHit(*probe, text); });
  };
  if (word.size() < text.size()) {
    auto known = probes_by_last_field_.find(word.substr(0, equals));
    return known != probes_by_last_field_.end() && ends(known->second);
  }
  return std::any_of(probes_by_last_field_.begin(), probes_by_last_field_.end(),
                     [&](const auto& of_field) { return ends(of_field.second); });
}

bool LooksLikeNamelessEvent(std::string_view text) {
  return HoldsHit(text) || HoldsPageRef(text);
}

// Of an event that became Opaque.
bool Decoder::ShouldMean(StringId name, std::string_view args) {
  if (HasDamagedName(name, args)) return true;
  if (strings_->Text(name).empty() && TrimBlanks(args).starts_with('(') && IsPieceOfHit(args)) return true;
  if (BeginsWithPlace(args)) {
    if (args[0] == '(' && args.find(')') == kNotFound)
      return IsProbe(name) || (args.find("+0x") != kNotFound && Concerns(strings_->Text(name)));
    std::string_view rest;
    const Binding* binding = BindingOf(name, args, &rest);
    if (!binding) return false;
    if (binding->damaged) return true;
    // "(fol0x20) folio=0xffffea0000a00000", which is neither an address nor has an offset
    std::string_view behind = TrimBlanks(rest);
    bool no_place = binding->function == KernelFunction::kOther && !binding->is_return && IsProbe(name) &&
                    binding->place.find("+0x") == std::string::npos && !ParsePointer(binding->place);
    if (no_place && BeginsWithKey(behind) && IsFirstField(name, behind.substr(0, behind.find('='))))
      return true;
    ProbeFields fields;
    Binding::Told told = binding->Read(rest, &fields);
    bool cut = binding->at_entry && binding->IsCut(told, rest);
    if (cut) binding->See(told, rest, true);
    return cut;
  }
  // trace_printk in the function that is probed has its name, too, and prints words.
  if (IsProbe(name) &&
      std::none_of(args.begin(), args.end(), [](unsigned char c) { return std::isalpha(c); }))
    return true;
  if (LacksNameOrPlace(name, args)) return true;
  // Older kernels print some of them otherwise, functions have the names of others, and what is printed in
  // them (trace_printk) is anything: of those it must have the shape.
  switch (TracepointOf(name)) {
    case Tracepoint::kPageRefSet:
    case Tracepoint::kPageRefMod:
    case Tracepoint::kPageRefModAndTest:
    case Tracepoint::kPageRefModAndReturn:
    case Tracepoint::kPageRefModUnless:
    case Tracepoint::kPageRefFreeze:
    case Tracepoint::kPageRefUnfreeze:
      return true;
    case Tracepoint::kPageAlloc:
    case Tracepoint::kPageFree:
    case Tracepoint::kAddToPageCache:
    case Tracepoint::kDeleteFromPageCache: {
      if (HoldsTwoPages(args)) return true;
      auto pfn = UnsignedField(args, "pfn");
      if (pfn && NamesNoPage(args, *pfn)) return false;
      // An order beyond those of the page allocator is one of a huge page of the architecture's.
      bool cached = TracepointOf(name) == Tracepoint::kAddToPageCache ||
                    TracepointOf(name) == Tracepoint::kDeleteFromPageCache;
      if (!pfn || cached) return !pfn;
      auto order = UnsignedField(args, "order");
      return !order || (*order <= kHighestOrder && !IsBlock(*pfn, *order));
    }
    // Cut within or behind the first of their fields; in trace-cmd's own words behind the task:
    // swapper/0:0 [120] R ==> tou
    case Tracepoint::kSchedSwitch:
      return BeginsField(args, "prev_comm=") || (user_space_text_ && PidBeforePriority(args));
    case Tracepoint::kSchedWaking:
    case Tracepoint::kSchedWakeup:
    case Tracepoint::kSchedFork:
      return BeginsField(args, "comm=");
    case Tracepoint::kSetMigrationPmd:
    case Tracepoint::kRemoveMigrationPmd:
    case Tracepoint::kSetMigrationPte:
    case Tracepoint::kRemoveMigrationPte:
      return BeginsField(args, "addr=");
    case Tracepoint::kLockAcquire:
    case Tracepoint::kLockContended:
    case Tracepoint::kLockAcquired:
    case Tracepoint::kLockRelease:
      return args.empty() || ParseHexDigits(args.substr(args.starts_with("0x") ? 2 : 0, 8)).has_value();
    default:
      return false;
  }
}

namespace {

constexpr uint64_t kEndbrBytes = 4;

// A function's place whose name differs from the other's in a character or two, while its size is the same.
bool IsNearly(std::string_view a, std::string_view b) {
  size_t plus = a.find('+');
  if (a.size() != b.size() || a.find('/') == kNotFound || a.substr(plus) != b.substr(plus)) return false;
  return DifferingLetters(a.substr(0, plus), b.substr(0, plus)) <= 2;
}

// A place that names no function: what perf probe counts from ("_text+1395008"), and a bare address.
bool NamesNoFunction(std::string_view symbol) {
  return symbol == "_text" || symbol == "_stext" || symbol.starts_with("0x");
}

// The function a probe is named for, where nothing else tells: folio_wait_bit, folio_wait_bit_ret,
// folio_wait_bit__return (perf probe). Empty when no function of ours has that name.
std::string_view FunctionOfProbeName(std::string_view event, bool is_return) {
  if (FunctionOfSymbol(event) != KernelFunction::kOther) return event;
  if (!is_return) return {};
  for (std::string_view tail : {"__return", "_return", "_ret", "_exit"}) {
    if (!event.ends_with(tail)) continue;
    std::string_view function = event.substr(0, event.size() - tail.size());
    if (FunctionOfSymbol(function) != KernelFunction::kOther) return function;
  }
  return {};
}

// The upper half is the kernel's, on x86-64 and arm64.
bool IsUserAddress(std::string_view text) {
  auto address = ParsePointer(text);
  return address && *address >> 63 == 0;
}

}  // namespace

// By the place that `args` begin with; nullptr where none is remembered. `fields`: what follows it, if
// wanted.
const Decoder::Binding* Decoder::BindingOf(StringId name, std::string_view args, std::string_view* fields) {
  auto& [bound, known] = known_.bindings[static_cast<size_t>(name) % known_.bindings.size()];
  if (known && bound == name) {
    // A place has no ')' in it.
    size_t size = known->place.size();
    if (args.size() > size + 1 && args[size + 1] == ')' && SameText(args.substr(1, size), known->place)) {
      if (fields) *fields = args.substr(size + 2);
      return known;
    }
  }
  if (args[0] != '(') {
    std::string_view place = RawPlace(args);
    if (fields) *fields = args.substr(static_cast<size_t>(place.data() + place.size() - args.data()));
    return Bind(name, place);
  }
  size_t close = args.find(')');
  if (close == kNotFound) return nullptr;
  if (fields) *fields = args.substr(close + 1);
  const Binding* binding = Bind(name, args.substr(1, close - 1));
  if (binding) {
    bound = name;
    known = binding;
  }
  return binding;
}

// A place that only looks like another one, where hits of that event's name were at a place of ours (`hit`),
// or are defined to be.
bool Decoder::IsDamagedPlace(const Binding& binding, std::string_view place, std::string_view symbol,
                             bool has_offset, bool hit, std::string_view event) const {
  // "(folio_wait_bit)": the kernel prints the offset of each.
  if (binding.function != KernelFunction::kOther)
    return hit && !has_offset && !binding.is_return && place.find(' ') == kNotFound;
  if (binding.defined || binding.several) return false;  // one of that event's probes is at this function
  bool odd = !IsEventName(symbol);
  bool no_offset = !has_offset && !binding.is_return;
  bool is_place = place.find("+0x") != kNotFound;
  auto defined = probes_that_count_.find(event);
  bool by_definition =
      defined != probes_that_count_.end() &&
      std::any_of(defined->second.begin(), defined->second.end(), [&](const ProbeDefinition* probe) {
        return probe->is_return == binding.is_return &&
               ((is_place && (odd || no_offset)) || IsDamagedForm(symbol, probe->function));
      });
  return by_definition || (hit && is_place && (odd || no_offset));
}

const std::vector<const ProbeDefinition*>& Decoder::DefinitionsOf(std::string_view event) const {
  static const std::vector<const ProbeDefinition*> kNone;
  auto of = probes_of_event_.find(event);
  return of == probes_of_event_.end() ? kNone : of->second;
}

const Decoder::Binding* Decoder::Bind(StringId name, std::string_view place) {
  auto& known = bindings_[static_cast<uint32_t>(name)];
  if (auto found = known.find(place); found != known.end()) return found->second.get();
  // A return probe prints one place per call site; anything beyond this is not worth remembering.
  constexpr size_t kMaxPlaces = 4096;
  constexpr size_t kMaxPlacesOfAll = 16 * kMaxPlaces;
  if (known.size() >= kMaxPlaces || places_ >= kMaxPlacesOfAll) {
    ++places_left_out_;
    return nullptr;
  }
  ++places_;

  auto binding = std::make_unique<Binding>();
  binding->place = place;
  const std::string plain = WithoutAddresses(place);
  place = plain;
  CodePlace probed;
  if (place.starts_with(kRawReturn)) {
    binding->is_return = true;
    std::string_view address = place.substr(kRawReturn.size());
    probed.symbol = address.substr(0, address.find(' '));
  } else if (size_t arrow = place.find(" <- "); arrow != kNotFound) {
    binding->is_return = true;
    std::string_view function = place.substr(arrow + 4);
    std::string_view returns_to = place.substr(0, arrow);
    if (user_space_text_) std::swap(function, returns_to);
    // A copy the compiler made of the caller (".isra.0") is still that function.
    std::string_view caller = ParseCodePlace(returns_to).symbol;
    binding->caller = FunctionOfSymbol(caller.substr(0, caller.find('.')));
    probed = ParseCodePlace(function);
  } else {
    probed = ParseCodePlace(place);
    // A kprobe on a function's entry sits after its endbr64 (x86 IBT) at +4.
    binding->at_entry = probed.offset && *probed.offset <= kEndbrBytes;
  }

  std::string_view event = strings_->Text(name);
  bool bare_address =
      (ParsePointer(probed.symbol).has_value() && !probed.offset) || NamesNoFunction(probed.symbol);
  // Probes of two groups may have one name.
  std::vector<const ProbeDefinition*> definitions;
  for (const ProbeDefinition* probe : DefinitionsOf(event)) {
    if (probe->is_return == binding->is_return && (bare_address || probe->function == probed.symbol))
      definitions.push_back(probe);
  }
  const ProbeDefinition* definition = definitions.empty() ? nullptr : definitions.back();
  // By its definition it is the entry's.
  if (definition && definition->offset == 0 && probed.offset && *probed.offset <= kFurthestEntry)
    binding->at_entry = true;
  if (bare_address && IsUserAddress(probed.symbol)) {
    binding->at_entry = false;  // a uprobe's, whatever its event is called
  } else if (bare_address) {
    // folio_unlock: (ffffffff81154d40) folio=0xffff88805e66aa00        trace-cmd, perf: no symbols
    if (definition && !NamesNoFunction(definition->function)) {
      probed.symbol = definition->function;
      binding->at_entry = binding->is_return || definition->offset <= kEndbrBytes;
    } else if (std::string_view function = FunctionOfProbeName(event, binding->is_return);
               !function.empty()) {
      probed.symbol = function;
      binding->at_entry = true;
      binding->by_name = true;
    }
  }
  binding->several = definitions.size() > 1;
  binding->defined = definitions.size() == 1;
  binding->symbol = strings_->InternName(probed.symbol);
  binding->function = FunctionOfSymbol(probed.symbol);
  // Only a return's place has blanks and an arrow in it, and none another one's beginning.
  bool nested = place.find('(') != kNotFound && place.find("+0x") != kNotFound;
  bool torn = (nested && !place.starts_with(kRawReturn)) ||
              (!binding->is_return && (place.find("<-") != kNotFound || place.find(' ') != kNotFound));
  binding->damaged =
      (probed.damaged && binding->function != KernelFunction::kOther) || (torn && Concerns(place));
  // All hits of a probe on an entry show one place: nearly the same one is that place, damaged.
  auto is_near = [&](const auto& other) {
    const Binding& one = *other.second;
    return one.at_entry && !one.is_return && one.function != KernelFunction::kOther &&
           IsNearly(one.place, place);
  };
  bool good = binding->at_entry && binding->function != KernelFunction::kOther;
  bool near =
      definitions.empty() && !binding->is_return && !good && std::any_of(known.begin(), known.end(), is_near);
  auto is_good = [](const auto& other) {
    return other.second->at_entry && other.second->function != KernelFunction::kOther;
  };
  near |= !bare_address && IsDamagedPlace(*binding, place, probed.symbol, probed.offset.has_value(),
                                          std::any_of(known.begin(), known.end(), is_good), event);
  binding->damaged |= near;
  binding->at_entry &= !torn && !near;
  if (binding->at_entry) {
    binding->fields = BindProbe(probed.symbol, binding->is_return, definition, release_);
    for (const ProbeDefinition* other : definitions) {
      if (!definition || other == definition || other->function != definition->function) continue;
      for (BoundField& field : BindProbe(probed.symbol, binding->is_return, other, release_)) {
        auto has_name = [&](const BoundField& known) { return known.name == field.name; };
        if (std::none_of(binding->fields.begin(), binding->fields.end(), has_name))
          binding->fields.push_back(std::move(field));
      }
    }
  }
  if (binding->at_entry && binding->function != KernelFunction::kOther && !IsProbe(name)) {
    is_probe_[static_cast<size_t>(name)] = true;
    constexpr size_t kMostLearned = 256;
    if (learned_probes_.size() < kMostLearned) {
      learned_probes_.emplace_back(event);
      near_is_stale_ = true;
    }
  }
  return known.emplace(binding->place, std::move(binding)).first->second.get();
}

// wait: (wait_on_page_bit+0x0/0x100) page=0xffffea0000a00000 bit=0 flags=0x1fff00000000000 ref=0
// wait_r: (do_huge_pmd_numa_page+0x3fa/0x7e0 <- wait_on_page_bit)
Payload Decoder::DecodeProbe(StringId name, std::string_view args) {
  std::string_view rest;
  const Binding* binding = BindingOf(name, args, &rest);
  if (!binding || !binding->at_entry) return Opaque{};

  ProbeFields fields;
  Binding::Told told = binding->Read(rest, &fields);
  if (!takes_all_ && binding->IsCut(told, rest)) return Opaque{};
  probes_bound_by_name_ += binding->by_name;
  binding->See(told, rest, false);
  if (binding->is_return) return FunctionReturn{binding->function, binding->caller, binding->symbol, fields};
  return FunctionEntry{binding->function, binding->symbol, fields};
}

void Decoder::LearnFields(StringId name, std::string_view place, const EventLayout& layout) {
  constexpr size_t kBits = 32;
  const Binding* binding = BindingOf(name, place, nullptr);
  if (!binding || !binding->at_entry || binding->is_return) return;
  for (size_t i = 0; i < binding->fields.size() && i < kBits; ++i) {
    auto is_it = [&](const RecordField& field) { return field.name == binding->fields[i].name; };
    if (std::any_of(layout.fields.begin(), layout.fields.end(), is_it)) binding->read |= uint32_t{1} << i;
  }
}

bool Decoder::ProbeRecords::Holds(std::string_view record) const {
  return shape_.Holds(record) && std::none_of(values_.begin(), values_.end(), [&](const Value& value) {
           uint64_t bits = LoadNumber(record, value.offset, value.size);
           bool odd_pointer = bits >> 32 != 0 && bits >> 60 == 0;  // see IsNoPointer
           return (value.role == ProbeRole::kBit && IsNoFlag(bits)) ||
                  (value.role == ProbeRole::kPage && odd_pointer);
         });
}

std::optional<Decoder::ProbeRecords> Decoder::BindRecords(StringId name, std::string_view place,
                                                          const EventLayout& layout) {
  const Binding* binding = BindingOf(name, place, nullptr);
  if (!binding || !binding->at_entry || binding->is_return) return std::nullopt;
  ProbeRecords probe(binding, layout);
  if (!probe.shape_.may_wait()) return std::nullopt;
  for (const BoundField& bound : binding->fields) {
    const RecordField* found = nullptr;
    for (const RecordField& field : layout.fields) {
      if (field.name != bound.name) continue;
      if (found || field.kind != RecordField::Kind::kNumber) return std::nullopt;
      found = &field;
    }
    if (found)
      probe.values_.push_back({bound.role, found->offset, found->size, found->is_signed && !found->hex});
  }
  return probe;
}

Payload Decoder::Decode(const ProbeRecords& probe, std::string_view record) {
  probes_bound_by_name_ += probe.binding_->by_name;
  ProbeFields fields;
  for (const ProbeRecords::Value& value : probe.values_) {
    uint64_t bits = LoadNumber(record, value.offset, value.size);
    uint64_t sign = uint64_t{1} << (value.size * 8 - 1);
    if (value.is_signed && (bits & sign) != 0) bits |= ~(sign - 1);
    fields.Set(value.role, bits);
  }
  return FunctionEntry{probe.binding_->function, probe.binding_->symbol, fields};
}

}  // namespace mmreplay
