#include "db/event_table.h"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <string>

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
enum Plan : unsigned {
  kById = 1,
  kFromId = 2,
  kAfterId = 4,
  kToId = 8,
  kBeforeId = 16,
  kByPfn = 32,
  kBackward = 64
};

struct Table {
  sqlite3_vtab base{};
  EventSpool* spool = nullptr;
};

struct Cursor {
  sqlite3_vtab_cursor base{};
  EventSpool* spool = nullptr;
  int64_t from = 0;
  int64_t to = 0;
  std::optional<uint64_t> pfn;
  bool backward = false;
  bool ended = true;
  size_t batch = 0;
  int64_t row = 0;  // of the batch; one beyond either end while between batches
};

int Fail(sqlite3_vtab* table, const std::exception& error) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", error.what());
  return SQLITE_ERROR;
}

int Connect(sqlite3* db, void* spool, int, const char* const*, sqlite3_vtab** table, char**) {
  int code = sqlite3_declare_vtab(db, kDeclaration);
  if (code != SQLITE_OK) return code;
  auto* made = new (std::nothrow) Table;
  if (!made) return SQLITE_NOMEM;
  made->spool = static_cast<EventSpool*>(spool);
  *table = &made->base;
  return SQLITE_OK;
}

int Disconnect(sqlite3_vtab* table) {
  delete reinterpret_cast<Table*>(table);
  return SQLITE_OK;
}

int BestIndex(sqlite3_vtab* base, sqlite3_index_info* info) {
  const EventSpool& spool = *reinterpret_cast<Table*>(base)->spool;
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
  if (info->nOrderBy == 1 && (info->aOrderBy[0].iColumn == kId || info->aOrderBy[0].iColumn == -1)) {
    info->orderByConsumed = 1;
    if (info->aOrderBy[0].desc) plan |= kBackward;
  }
  double all = 7000.0 * static_cast<double>(spool.batches()) + 1;
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
  return SQLITE_OK;
}

int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
  auto* made = new (std::nothrow) Cursor;
  if (!made) return SQLITE_NOMEM;
  made->spool = reinterpret_cast<Table*>(table)->spool;
  *cursor = &made->base;
  return SQLITE_OK;
}

int Close(sqlite3_vtab_cursor* cursor) {
  delete reinterpret_cast<Cursor*>(cursor);
  return SQLITE_OK;
}

const SpooledEvent& At(const Cursor& cursor) {
  return cursor.spool->Read(cursor.batch, static_cast<uint32_t>(cursor.row));
}

int64_t IdAt(const Cursor& cursor) {
  return cursor.spool->first_id(cursor.batch) + At(cursor).id;
}

// The batch at hand can hold none of the rows asked for.
bool Skips(const Cursor& cursor) {
  if (cursor.spool->last_id(cursor.batch) < cursor.from || cursor.spool->first_id(cursor.batch) > cursor.to)
    return true;
  return cursor.pfn && !cursor.spool->MayHavePage(cursor.batch, *cursor.pfn);
}

// From `row` on, in the cursor's direction, to the next row asked for.
void Settle(Cursor* cursor) {
  EventSpool& spool = *cursor->spool;
  int64_t step = cursor->backward ? -1 : 1;
  for (;;) {
    if (cursor->batch >= spool.batches()) break;  // also where a batch before the first is meant
    if (!Skips(*cursor)) {
      for (; cursor->row >= 0 && cursor->row < spool.rows(cursor->batch); cursor->row += step) {
        int64_t id = IdAt(*cursor);
        if (id < cursor->from || id > cursor->to) continue;
        if (!cursor->pfn) return;
        const SpooledEvent& event = At(*cursor);
        if (event.known & SpooledEvent::kPfn && event.pfn == *cursor->pfn) return;
      }
    }
    if (cursor->backward ? cursor->batch == 0 || spool.first_id(cursor->batch) <= cursor->from
                         : spool.last_id(cursor->batch) >= cursor->to)
      break;
    cursor->batch = cursor->backward ? cursor->batch - 1 : cursor->batch + 1;
    if (cursor->batch >= spool.batches()) break;
    cursor->row = cursor->backward ? int64_t{spool.rows(cursor->batch)} - 1 : 0;
  }
  cursor->ended = true;
}

// The row of the batch to begin at: ids are dense unless events were left out.
int64_t FirstRow(const EventSpool& spool, size_t batch, int64_t id) {
  int64_t rows = spool.rows(batch);
  bool dense = spool.last_id(batch) - spool.first_id(batch) + 1 == rows;
  if (!dense || id <= spool.first_id(batch)) return 0;
  return std::min(id - spool.first_id(batch), rows - 1);
}

int Filter(sqlite3_vtab_cursor* base, int plan, const char*, int, sqlite3_value** arguments) {
  auto* cursor = reinterpret_cast<Cursor*>(base);
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  cursor->from = std::numeric_limits<int64_t>::min();
  cursor->to = kLast;
  cursor->pfn.reset();
  cursor->backward = (plan & kBackward) != 0;
  cursor->ended = false;
  int next = 0;
  for (unsigned bit : {kById, kFromId, kAfterId, kToId, kBeforeId, kByPfn}) {
    if (!(static_cast<unsigned>(plan) & bit)) continue;
    sqlite3_value* argument = arguments[next++];
    int type = sqlite3_value_type(argument);
    if (type == SQLITE_NULL) cursor->ended = true;
    // Anything but an integer is compared by SQLite itself.
    if (type != SQLITE_INTEGER) continue;
    int64_t value = sqlite3_value_int64(argument);
    if (bit == kById || bit == kFromId) cursor->from = std::max(cursor->from, value);
    if (bit == kById || bit == kToId) cursor->to = std::min(cursor->to, value);
    if (bit == kAfterId) cursor->from = std::max(cursor->from, value == kLast ? value : value + 1);
    if (bit == kBeforeId) cursor->to = std::min(cursor->to, value);
    if (bit == kByPfn) cursor->pfn = static_cast<uint64_t>(value);
  }
  EventSpool& spool = *cursor->spool;
  if (spool.batches() == 0 || cursor->from > cursor->to) cursor->ended = true;
  if (cursor->ended) return SQLITE_OK;
  try {
    if (cursor->backward) {
      cursor->batch = std::min(spool.BatchOf(cursor->to), spool.batches() - 1);
      bool dense =
          spool.last_id(cursor->batch) - spool.first_id(cursor->batch) + 1 == spool.rows(cursor->batch);
      cursor->row =
          dense ? FirstRow(spool, cursor->batch, cursor->to) : int64_t{spool.rows(cursor->batch)} - 1;
    } else {
      cursor->batch = spool.BatchOf(cursor->from);
      cursor->row = cursor->batch < spool.batches() ? FirstRow(spool, cursor->batch, cursor->from) : 0;
    }
    Settle(cursor);
  } catch (const std::exception& error) {
    return Fail(base->pVtab, error);
  }
  return SQLITE_OK;
}

int Next(sqlite3_vtab_cursor* base) {
  auto* cursor = reinterpret_cast<Cursor*>(base);
  try {
    cursor->row += cursor->backward ? -1 : 1;
    Settle(cursor);
  } catch (const std::exception& error) {
    return Fail(base->pVtab, error);
  }
  return SQLITE_OK;
}

int Ended(sqlite3_vtab_cursor* cursor) {
  return reinterpret_cast<Cursor*>(cursor)->ended;
}

int ColumnValue(sqlite3_vtab_cursor* base, sqlite3_context* context, int column) {
  const auto& cursor = *reinterpret_cast<Cursor*>(base);
  try {
    const SpooledEvent& event = At(cursor);
    auto optional = [&](SpooledEvent::Known bit, int64_t value) {
      if (event.known & bit) {
        sqlite3_result_int64(context, value);
      } else {
        sqlite3_result_null(context);
      }
    };
    switch (column) {
      case kId:
        sqlite3_result_int64(context, IdAt(cursor));
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
        std::string args = cursor.spool->Args(event);
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
  } catch (const std::exception& error) {
    sqlite3_result_error(context, error.what(), -1);
  }
  return SQLITE_OK;
}

int RowId(sqlite3_vtab_cursor* base, sqlite3_int64* id) {
  try {
    *id = IdAt(*reinterpret_cast<Cursor*>(base));
  } catch (const std::exception& error) {
    return Fail(base->pVtab, error);
  }
  return SQLITE_OK;
}

sqlite3_module Module() {
  sqlite3_module module{};
  module.xCreate = Connect;
  module.xConnect = Connect;
  module.xBestIndex = BestIndex;
  module.xDisconnect = Disconnect;
  module.xDestroy = Disconnect;
  module.xOpen = Open;
  module.xClose = Close;
  module.xFilter = Filter;
  module.xNext = Next;
  module.xEof = Ended;
  module.xColumn = ColumnValue;
  module.xRowid = RowId;
  return module;
}

}  // namespace

void CreateEventTable(Database* database, EventSpool* spool) {
  static const sqlite3_module kModule = Module();
  database->Check(sqlite3_create_module(database->handle(), "event_spool", &kModule, spool), "module");
  database->Exec("CREATE VIRTUAL TABLE event USING event_spool");
}

}  // namespace mmreplay
