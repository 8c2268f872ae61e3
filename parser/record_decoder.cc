#include "parser/record_decoder.h"

#include <algorithm>

#include "parser/decode.h"
#include "parser/lines.h"

namespace mmreplay {
namespace {

// The one field of that name.
const RecordField* FieldNamed(const EventLayout& layout, std::string_view name) {
  const RecordField* found = nullptr;
  for (const RecordField& field : layout.fields) {
    if (field.name != name) continue;
    if (found) return nullptr;
    found = &field;
  }
  return found;
}

// How a field is declared (include/trace/events/, 4.9 to 6.12), and how its text must print for the Decoder.
enum class Declared : uint8_t {
  kInt,       // int, pid_t: decimal
  kUnsigned,  // unsigned int, unsigned long
  kAddress,   // a pointer or bits: hex
  kLong,      // of either sign: decimal
};

bool IsDeclared(const RecordField& field, Declared as) {
  if (field.kind != RecordField::Kind::kNumber || field.place != RecordField::Place::kFixed) return false;
  if (field.size != 4 && field.size != 8) return false;
  switch (as) {
    case Declared::kInt:
      return field.size == 4 && field.is_signed && !field.hex;
    case Declared::kUnsigned:
      return !field.is_signed;
    case Declared::kAddress:
      return field.hex;
    case Declared::kLong:
      return field.size == 8 && field.is_signed && !field.hex;
  }
  return false;
}

struct Wanted {
  std::string_view name;
  Declared as;
};

// What the model asks of a tracepoint, in the order Decode() reads it; empty where its text is needed.
std::vector<Wanted> FieldsOf(Tracepoint tracepoint) {
  const Wanted pfn{"pfn", Declared::kUnsigned};
  const Wanted lock{"lockdep_addr", Declared::kAddress};
  switch (tracepoint) {
    case Tracepoint::kPageRefSet:
    case Tracepoint::kPageRefMod:
    case Tracepoint::kPageRefUnfreeze:
      return {pfn, {"flags", Declared::kAddress}, {"count", Declared::kInt}, {"val", Declared::kInt}};
    case Tracepoint::kPageRefModAndTest:
    case Tracepoint::kPageRefModAndReturn:
    case Tracepoint::kPageRefModUnless:
    case Tracepoint::kPageRefFreeze:
      return {pfn,
              {"flags", Declared::kAddress},
              {"count", Declared::kInt},
              {"val", Declared::kInt},
              {"ret", Declared::kInt}};
    case Tracepoint::kPageAlloc:
    case Tracepoint::kPageFree:
      return {pfn, {"order", Declared::kUnsigned}};
    case Tracepoint::kAddToPageCache:
    case Tracepoint::kDeleteFromPageCache:
      return {pfn};
    case Tracepoint::kLockAcquire:
    case Tracepoint::kLockContended:
    case Tracepoint::kLockAcquired:
    case Tracepoint::kLockRelease:
      return {lock};
    case Tracepoint::kContentionBegin:
    case Tracepoint::kContentionEnd:
      return {{"lock_addr", Declared::kAddress}};
    case Tracepoint::kSchedSwitch:
      return {{"prev_pid", Declared::kInt}, {"next_pid", Declared::kInt}, {"prev_state", Declared::kLong}};
    case Tracepoint::kSchedWaking:
    case Tracepoint::kSchedWakeup:
      return {{"pid", Declared::kInt}};
    case Tracepoint::kSchedFork:
      return {{"child_pid", Declared::kInt}};
    case Tracepoint::kNone:
    case Tracepoint::kMigratePagesStart:
    case Tracepoint::kMigratePages:
    case Tracepoint::kSetMigrationPmd:
    case Tracepoint::kRemoveMigrationPmd:
    case Tracepoint::kSetMigrationPte:
    case Tracepoint::kRemoveMigrationPte:
      return {};
  }
  return {};
}

// The texts it has besides: without them it is another event of that name.
std::vector<std::string_view> TextsOf(Tracepoint tracepoint) {
  switch (tracepoint) {
    case Tracepoint::kLockAcquire:
    case Tracepoint::kLockContended:
    case Tracepoint::kLockAcquired:
    case Tracepoint::kLockRelease:
      return {"name"};
    case Tracepoint::kSchedSwitch:
      return {"prev_comm", "next_comm"};
    case Tracepoint::kSchedWaking:
    case Tracepoint::kSchedWakeup:
      return {"comm"};
    case Tracepoint::kSchedFork:
      return {"child_comm"};
    default:
      return {};
  }
}

}  // namespace

std::optional<RecordDecoder> RecordDecoder::For(const EventLayout& layout) {
  RecordDecoder decoder(layout);
  if (layout.is_probe() || !decoder.shape_.may_wait() || !decoder.Bind(layout)) return std::nullopt;
  return decoder;
}

bool RecordDecoder::Bind(const EventLayout& layout) {
  tracepoint_ = TracepointNamed(layout.name);
  is_block_ = tracepoint_ == Tracepoint::kPageAlloc || tracepoint_ == Tracepoint::kPageFree;
  if (tracepoint_ == Tracepoint::kNone) return !MayBeDamagedTracepoint(layout.name);
  std::vector<Wanted> wanted = FieldsOf(tracepoint_);
  if (wanted.empty()) return false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const RecordField* field = FieldNamed(layout, wanted[i].name);
    if (!field || !IsDeclared(*field, wanted[i].as)) return false;
    numbers_[i] = {field->offset, field->size};
  }
  // A struct page of its own tells an allocation that failed (before 4.1).
  if (wanted[0].name == "pfn" && FieldNamed(layout, "page")) return false;
  std::vector<std::string_view> texts = TextsOf(tracepoint_);
  if (const RecordField* name = FieldNamed(layout, "name")) lock_name_ = *name;
  return std::all_of(texts.begin(), texts.end(), [&](std::string_view text) {
    const RecordField* field = FieldNamed(layout, text);
    return field && field->kind == RecordField::Kind::kText && !field->quoted;
  });
}

// An allocation that failed names no block, and one of a huge page of the architecture's none of theirs.
bool RecordDecoder::HoldsBlock(std::string_view record) const {
  uint64_t pfn = Unsigned(0, record);
  uint64_t order = Unsigned(1, record);
  return pfn == kNoPfn || order > kHighestOrder || IsBlock(pfn, order);
}

uint64_t RecordDecoder::Unsigned(size_t number, std::string_view record) const {
  return LoadNumber(record, numbers_[number].offset, numbers_[number].size);
}

int32_t RecordDecoder::Int(size_t number, std::string_view record) const {
  return static_cast<int32_t>(Unsigned(number, record));
}

PageRef RecordDecoder::ReadPageRef(PageRefOp op, std::string_view record) const {
  PageRef ref{.op = op,
              .pfn = static_cast<Pfn>(Unsigned(0, record)),
              .val = Int(3, record),
              .ret = {},
              .count = Int(2, record),
              .flags = PageFlagsOfBits(Unsigned(1, record))};
  if (HasReturn(op)) ref.ret = Int(4, record);
  return ref;
}

template <typename AllocOrFree>
Payload RecordDecoder::ReadPage(std::string_view record) const {
  uint64_t pfn = Unsigned(0, record);
  uint64_t order = Unsigned(1, record);
  if (order > kHighestOrder || pfn == kNoPfn) return Opaque{};
  return AllocOrFree{.pfn = static_cast<Pfn>(pfn), .order = static_cast<uint32_t>(order), .page = {}};
}

LockEvent RecordDecoder::ReadLock(LockStep step, std::string_view record) {
  std::string_view name = ReadText(lock_name_, record).value_or("");
  LockClass lock_class =
      lock_classes_.Of(name, [](std::string_view text) { return ClassOfLock(TrimBlanks(text)); });
  return {step, static_cast<KernelAddress>(Unsigned(0, record)), lock_class};
}

Payload RecordDecoder::Decode(std::string_view record) {
  switch (tracepoint_) {
    case Tracepoint::kPageRefSet:
      return ReadPageRef(PageRefOp::kSet, record);
    case Tracepoint::kPageRefMod:
      return ReadPageRef(PageRefOp::kMod, record);
    case Tracepoint::kPageRefModAndTest:
      return ReadPageRef(PageRefOp::kModAndTest, record);
    case Tracepoint::kPageRefModAndReturn:
      return ReadPageRef(PageRefOp::kModAndReturn, record);
    case Tracepoint::kPageRefModUnless:
      return ReadPageRef(PageRefOp::kModUnless, record);
    case Tracepoint::kPageRefFreeze:
      return ReadPageRef(PageRefOp::kFreeze, record);
    case Tracepoint::kPageRefUnfreeze:
      return ReadPageRef(PageRefOp::kUnfreeze, record);
    case Tracepoint::kPageAlloc:
      return ReadPage<PageAlloc>(record);
    case Tracepoint::kPageFree:
      return ReadPage<PageFree>(record);
    case Tracepoint::kAddToPageCache:
    case Tracepoint::kDeleteFromPageCache: {
      uint64_t pfn = Unsigned(0, record);
      if (pfn == kNoPfn) return Opaque{};
      return PageCacheEvent{.added = tracepoint_ == Tracepoint::kAddToPageCache,
                            .pfn = static_cast<Pfn>(pfn)};
    }
    case Tracepoint::kLockAcquire:
      return ReadLock(LockStep::kAcquire, record);
    case Tracepoint::kLockContended:
      return ReadLock(LockStep::kContended, record);
    case Tracepoint::kLockAcquired:
      return ReadLock(LockStep::kAcquired, record);
    case Tracepoint::kLockRelease:
      return ReadLock(LockStep::kRelease, record);
    case Tracepoint::kContentionBegin:
    case Tracepoint::kContentionEnd:
      return ContentionEvent{tracepoint_ == Tracepoint::kContentionBegin,
                             static_cast<KernelAddress>(Unsigned(0, record))};
    case Tracepoint::kSchedSwitch: {
      auto state = static_cast<int64_t>(Unsigned(2, record));
      return SchedSwitch{static_cast<Pid>(Int(0, record)), static_cast<Pid>(Int(1, record)),
                         state < 0 ? SleepState::kUnknown : SleepStateOfBits(static_cast<uint64_t>(state))};
    }
    case Tracepoint::kSchedWaking:
    case Tracepoint::kSchedWakeup:
      return SchedWaking{static_cast<Pid>(Int(0, record)), tracepoint_ == Tracepoint::kSchedWakeup};
    case Tracepoint::kSchedFork:
      return SchedFork{static_cast<Pid>(Int(0, record))};
    case Tracepoint::kNone:
    case Tracepoint::kMigratePagesStart:
    case Tracepoint::kMigratePages:
    case Tracepoint::kSetMigrationPmd:
    case Tracepoint::kRemoveMigrationPmd:
    case Tracepoint::kSetMigrationPte:
    case Tracepoint::kRemoveMigrationPte:
      return Opaque{};
  }
  return Opaque{};
}

}  // namespace mmreplay
