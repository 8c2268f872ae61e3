#include "db/event_table.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "db/virtual_table.h"

namespace mmreplay {
namespace {

constexpr const char* kDeclaration =
    "CREATE TABLE event(id INTEGER, ts INTEGER, cpu INTEGER, pid INTEGER, tgid INTEGER, comm INTEGER, "
    "kind INTEGER, args TEXT, line INTEGER, context INTEGER, source INTEGER, flags INTEGER, pfn INTEGER, "
    "lifetime INTEGER, delta INTEGER, replayed INTEGER, replayed_lo INTEGER, replayed_hi INTEGER)";

enum Column {
  kId,
  kTs,
  kCpu,
  kPid,
  kTgid,
  kComm,
  kKind,
  kArgs,
  kLine,
  kContext,
  kSource,
  kFlags,
  kPfn,
  kLifetime,
  kDelta,
  kReplayed,
  kReplayedLo,
  kReplayedHi,
};

// Constraints a query is answered by, in the order of its arguments.
enum EventPlan : unsigned {
  kById = 1,
  kFromId = 2,
  kAfterId = 4,
  kToId = 8,
  kBeforeId = 16,
  kByPfn = 32,
  kByKind = 64,
  kBackwardById = 128
};

}  // namespace

class EventTable::Cursor {
 public:
  explicit Cursor(EventTable* table) : spool_(table->spool_) {}

  void Filter(int plan, const char*, sqlite3_value** arguments);
  bool ended() const { return ended_; }
  void Next() {
    row_ += backward_ ? -1 : 1;
    Settle();
  }
  void Column(int column, sqlite3_context* context);
  int64_t RowId() { return IdAt(); }

 private:
  const SpooledEvent& At() { return spool_->Read(batch_, static_cast<uint32_t>(row_)); }
  int64_t IdAt() { return spool_->first_id(batch_) + At().id; }

  // The batch at hand can hold none of the rows asked for.
  bool Skips() const {
    if (spool_->last_id(batch_) < from_ || spool_->first_id(batch_) > to_) return true;
    return pfn_ && !spool_->MayHavePage(batch_, *pfn_);
  }
  void Settle();
  int64_t FirstRow(int64_t id) const;
  bool IsDense() const {
    return spool_->last_id(batch_) - spool_->first_id(batch_) + 1 == int64_t{spool_->rows(batch_)};
  }

  EventSpool* spool_;
  int64_t from_ = 0;
  int64_t to_ = 0;
  std::optional<uint64_t> pfn_;
  std::optional<int64_t> kind_;
  bool backward_ = false;
  bool ended_ = true;
  size_t batch_ = 0;
  int64_t row_ = 0;  // of the batch; one beyond either end while between batches
};

// From `row_` on, in the cursor's direction, to the next row asked for.
void EventTable::Cursor::Settle() {
  int64_t step = backward_ ? -1 : 1;
  for (;;) {
    if (batch_ >= spool_->batches()) break;  // also where a batch before the first is meant
    if (!Skips()) {
      for (; row_ >= 0 && row_ < spool_->rows(batch_); row_ += step) {
        int64_t id = IdAt();
        if (backward_ ? id < from_ : id > to_) {
          ended_ = true;
          return;
        }
        if (id < from_ || id > to_) continue;
        if (!pfn_ && !kind_) return;
        const SpooledEvent& event = At();
        if (kind_ && event.kind != *kind_) continue;
        if (!pfn_) return;
        if (event.known & SpooledEvent::kPfn && event.pfn == *pfn_) return;
      }
    }
    if (backward_ ? batch_ == 0 || spool_->first_id(batch_) <= from_ : spool_->last_id(batch_) >= to_) break;
    batch_ = backward_ ? batch_ - 1 : batch_ + 1;
    if (batch_ >= spool_->batches()) break;
    row_ = backward_ ? int64_t{spool_->rows(batch_)} - 1 : 0;
  }
  ended_ = true;
}

// The row of the batch to begin at: ids are dense unless events were left out.
int64_t EventTable::Cursor::FirstRow(int64_t id) const {
  if (!IsDense() || id <= spool_->first_id(batch_)) return 0;
  return std::min(id - spool_->first_id(batch_), int64_t{spool_->rows(batch_)} - 1);
}

void EventTable::Cursor::Filter(int plan, const char*, sqlite3_value** arguments) {
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  from_ = std::numeric_limits<int64_t>::min();
  to_ = kLast;
  pfn_.reset();
  kind_.reset();
  backward_ = (static_cast<unsigned>(plan) & kBackwardById) != 0;
  ended_ = false;
  int next = 0;
  for (unsigned bit : {kById, kFromId, kAfterId, kToId, kBeforeId, kByPfn, kByKind}) {
    if (!(static_cast<unsigned>(plan) & bit)) continue;
    sqlite3_value* argument = arguments[next++];
    int type = sqlite3_value_type(argument);
    if (type == SQLITE_NULL) ended_ = true;
    // Anything but an integer is compared by SQLite itself.
    if (type != SQLITE_INTEGER) continue;
    int64_t value = sqlite3_value_int64(argument);
    if (bit == kById || bit == kFromId) from_ = std::max(from_, value);
    if (bit == kById || bit == kToId) to_ = std::min(to_, value);
    if (bit == kAfterId) from_ = std::max(from_, value == kLast ? value : value + 1);
    if (bit == kBeforeId) to_ = std::min(to_, value);
    if (bit == kByPfn) pfn_ = static_cast<uint64_t>(value);
    if (bit == kByKind) kind_ = value;
  }
  if (spool_->batches() == 0 || from_ > to_) ended_ = true;
  if (ended_) return;
  if (backward_) {
    batch_ = std::min(spool_->BatchOf(to_), spool_->batches() - 1);
    row_ = IsDense() ? FirstRow(to_) : int64_t{spool_->rows(batch_)} - 1;
  } else {
    batch_ = spool_->BatchOf(from_);
    row_ = batch_ < spool_->batches() ? FirstRow(from_) : 0;
  }
  Settle();
}

void EventTable::Cursor::Column(int column, sqlite3_context* context) {
  const SpooledEvent& event = At();
  auto optional = [&](SpooledEvent::Known bit, int64_t value) {
    if (event.known & bit) {
      sqlite3_result_int64(context, value);
    } else {
      sqlite3_result_null(context);
    }
  };
  switch (column) {
    case kId:
      sqlite3_result_int64(context, IdAt());
      break;
    case kTs:
      optional(SpooledEvent::kTs, event.ts);
      break;
    case kCpu:
      optional(SpooledEvent::kCpu, event.cpu);
      break;
    case kPid:
      optional(SpooledEvent::kPid, event.pid);
      break;
    case kTgid:
      optional(SpooledEvent::kTgid, event.tgid);
      break;
    case kComm:
      sqlite3_result_int64(context, event.comm);
      break;
    case kKind:
      sqlite3_result_int64(context, event.kind);
      break;
    case kArgs: {
      std::string args = spool_->Args(event);
      sqlite3_result_text64(context, args.data(), args.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
      break;
    }
    case kLine:
      sqlite3_result_int64(context, event.line);
      break;
    case kContext:
      sqlite3_result_int64(context, event.context);
      break;
    case kSource:
      sqlite3_result_int64(context, int64_t{1} + event.source);
      break;
    case kFlags:
      sqlite3_result_int64(context, event.flags);
      break;
    case kPfn:
      optional(SpooledEvent::kPfn, static_cast<int64_t>(event.pfn));
      break;
    case kLifetime:
      optional(SpooledEvent::kLifetime, event.lifetime);
      break;
    case kDelta:
      optional(SpooledEvent::kDelta, event.delta);
      break;
    case kReplayed:
      optional(SpooledEvent::kReplayed, event.replayed);
      break;
    case kReplayedLo:
      optional(SpooledEvent::kReplayedLo, event.replayed_lo);
      break;
    case kReplayedHi:
      optional(SpooledEvent::kReplayedHi, event.replayed_hi);
      break;
    default:
      sqlite3_result_null(context);
  }
}

const char* EventTable::declaration() const {
  return kDeclaration;
}

void EventTable::CreateIn(Database* database) {
  database->Check(VirtualTable<EventTable>::Register(database->handle(), "event_spool", this,
                                                     /*eponymous=*/false),
                  "module");
  database->Exec("CREATE VIRTUAL TABLE event USING event_spool");
}

void EventTable::BestIndex(sqlite3_index_info* info) const {
  unsigned plan = 0;
  int arguments = 0;
  // Arguments come in the order of the plan's bits; each constraint is used once.
  auto use = [&](unsigned bit, int column, int op) {
    for (int i = 0; i < info->nConstraint; ++i) {
      const auto& constraint = info->aConstraint[i];
      bool same_column = constraint.iColumn == column || (column == kId && constraint.iColumn == -1);
      if (!constraint.usable || !same_column || constraint.op != op) continue;
      plan |= bit;
      info->aConstraintUsage[i].argvIndex = ++arguments;
      info->aConstraintUsage[i].omit = 0;
      return;
    }
  };
  use(kById, kId, SQLITE_INDEX_CONSTRAINT_EQ);
  use(kFromId, kId, SQLITE_INDEX_CONSTRAINT_GE);
  use(kAfterId, kId, SQLITE_INDEX_CONSTRAINT_GT);
  use(kToId, kId, SQLITE_INDEX_CONSTRAINT_LE);
  use(kBeforeId, kId, SQLITE_INDEX_CONSTRAINT_LT);
  use(kByPfn, kPfn, SQLITE_INDEX_CONSTRAINT_EQ);
  use(kByKind, kKind, SQLITE_INDEX_CONSTRAINT_EQ);
  if (info->nOrderBy == 1 && (info->aOrderBy[0].iColumn == kId || info->aOrderBy[0].iColumn == -1)) {
    info->orderByConsumed = 1;
    if (info->aOrderBy[0].desc) plan |= kBackwardById;
  }
  // Other tables have no statistics and count as large: beside them this one must not look small enough to be
  // gone through again and again.
  constexpr double kRowsOfTable = 1'048'576;
  double all = std::max(static_cast<double>(spool_->rows()), kRowsOfTable);
  double cost = all * 10;
  if (plan & (kFromId | kAfterId)) cost /= 4;
  if (plan & (kToId | kBeforeId)) cost /= 4;
  // Batches without the page are told by their filters.
  if (plan & kByPfn) cost = std::max(cost / 1000, 100.0);
  if (plan & kById) {
    cost = 1;
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  }
  info->estimatedCost = cost;
  info->estimatedRows = std::max<sqlite3_int64>(1, static_cast<sqlite3_int64>(cost / 10));
  info->idxNum = static_cast<int>(plan);
}

}  // namespace mmreplay
