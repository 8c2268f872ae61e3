#include "db/kind_views.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

namespace mmreplay {
namespace {

constexpr std::string_view kCommonColumns =
    "event_id common_ts common_cpu common_pid common_tgid common_comm";

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    size_t blank = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, blank));
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return words;
}

std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (char c : name) {
    if (c == '"') quoted += '"';
    if (c != '\0') quoted += c;
  }
  return quoted + '"';
}

// Hands out names that differ without regard to case.
class Names {
 public:
  void Take(std::string_view name) { taken_.insert(LowerCase(name)); }

  // `name`, else `name` with the suffix, else that with _2, _3, ...
  std::string Give(std::string_view name, std::string_view suffix) {
    std::string candidate(name);
    if (taken_.insert(LowerCase(candidate)).second) return candidate;
    candidate += suffix;
    if (!suffix.empty() && taken_.insert(LowerCase(candidate)).second) return candidate;
    for (int i = 2;; ++i) {
      std::string numbered = candidate + "_" + std::to_string(i);
      if (taken_.insert(LowerCase(numbered)).second) return numbered;
    }
  }

 private:
  std::set<std::string> taken_;
};

const char* ShapeName(EventShape shape) {
  switch (shape) {
    case EventShape::kEvent:
      return "event";
    case EventShape::kProbe:
      return "probe";
    case EventShape::kReturn:
      return "return";
  }
  return "event";
}

// Where the value of field `index` is, in a query over event e.
std::string FieldExpression(size_t index) {
  if (index < kFieldsInRow) return "e.f" + std::to_string(index);
  return "(SELECT m.value FROM event_more m WHERE m.event = e.id AND m.field = " + std::to_string(index) +
         ")";
}

// A field that turned out to be text: rows from before get their value as printed.
void RestoreTexts(Database* database, const std::vector<EventKind>& kinds, const StringTable& strings) {
  std::map<int64_t, std::vector<size_t>> fields_of_kind;
  std::string list;
  for (size_t k = 0; k < kinds.size(); ++k) {
    for (size_t f = 0; f < kinds[k].fields.size(); ++f) {
      if (kinds[k].fields[f].text && kinds[k].fields[f].has_integers)
        fields_of_kind[static_cast<int64_t>(k)].push_back(f);
    }
    if (fields_of_kind.contains(static_cast<int64_t>(k)))
      list += (list.empty() ? "" : ",") + std::to_string(k);
  }
  if (list.empty()) return;

  Statement next(*database, "SELECT id, kind, args FROM event WHERE id > ? AND kind IN (" + list +
                                ") ORDER BY id LIMIT 1000");
  Statement more(*database, "UPDATE event_more SET value = ? WHERE event = ? AND field = ?");
  std::array<std::unique_ptr<Statement>, kFieldsInRow> in_row;
  struct Row {
    int64_t id;
    int64_t kind;
    std::string args;
  };
  std::vector<Row> rows;
  int64_t last = 0;
  do {
    rows.clear();
    next.Bind(1, last);
    while (next.Step()) rows.push_back({next.Int(0), next.Int(1), std::string(next.Text(2))});
    next.Reset();
    for (const Row& row : rows) {
      const EventKind& kind = kinds[static_cast<size_t>(row.kind)];
      std::string_view args = row.args;
      if (kind.shape != EventShape::kEvent) args.remove_prefix(std::min(args.find(')') + 1, args.size()));
      for (size_t f : fields_of_kind[row.kind]) {
        auto text = FieldText(strings.Text(kind.name), args, kind.fields[f].name, kind.fields[f].occurrence);
        if (!text || text->empty()) continue;
        if (f < kFieldsInRow) {
          if (!in_row[f]) {
            in_row[f] = std::make_unique<Statement>(
                *database, "UPDATE event SET f" + std::to_string(f) + " = ? WHERE id = ?");
          }
          in_row[f]->Bind(1, *text);
          in_row[f]->Bind(2, row.id);
          in_row[f]->Run();
        } else {
          more.Bind(1, *text);
          more.Bind(2, row.id);
          more.Bind(3, static_cast<int64_t>(f));
          more.Run();
        }
      }
    }
    if (!rows.empty()) last = rows.back().id;
  } while (!rows.empty());
}

constexpr std::string_view kPageRefPrefix = "page_ref_";

// A kind as it is stored: names of columns in the order of its fields.
struct StoredKind {
  int64_t id;
  std::string name;
  bool is_event;         // no probe
  std::string sql_name;  // empty: it has no view
  std::vector<std::string> columns;
};

std::vector<std::string> ColumnsOf(const EventKind& kind) {
  Names taken;
  for (const std::string& common : Words(kCommonColumns)) taken.Take(common);
  std::vector<std::string> columns(kind.fields.size());
  auto give = [&](size_t f) {
    // They are stored separated by blanks.
    std::string name = kind.fields[f].name.empty() ? "_" : kind.fields[f].name;
    std::replace(name.begin(), name.end(), ' ', '_');
    columns[f] = taken.Give(name, "");
  };
  // Those that page_refs reads come first: no other field takes their names.
  for (size_t f = 0; f < columns.size(); ++f) {
    const KindField& field = kind.fields[f];
    if (field.occurrence == 0 && (field.name == "ret" || field.name == "count" || field.name == "flags"))
      give(f);
  }
  for (size_t f = 0; f < columns.size(); ++f) {
    if (columns[f].empty()) give(f);
  }
  return columns;
}

std::string KindViewSql(const StoredKind& kind) {
  std::string names;
  std::string values;
  for (const std::string& common : Words(kCommonColumns)) names += (names.empty() ? "" : ", ") + common;
  for (size_t f = 0; f < kind.columns.size(); ++f) {
    names += ", " + Quoted(kind.columns[f]);
    values += ", " + FieldExpression(f);
  }
  return "CREATE VIEW " + Quoted(kind.sql_name) + "(" + names +
         ") AS SELECT e.id, e.ts, e.cpu, e.pid, e.tgid, c.text" + values +
         " FROM event e JOIN string c ON c.id = e.comm WHERE e.kind = " + std::to_string(kind.id);
}

// "CASE e.kind WHEN 3 THEN e.f2 WHEN 5 THEN e.f2 END": where each page_ref kind prints a field.
std::string PageRefField(const std::vector<const StoredKind*>& page_refs, std::string_view field) {
  std::string text;
  for (const StoredKind* kind : page_refs) {
    auto column = std::find(kind->columns.begin(), kind->columns.end(), field);
    if (column == kind->columns.end()) continue;
    text += " WHEN " + std::to_string(kind->id) + " THEN " +
            FieldExpression(static_cast<size_t>(column - kind->columns.begin()));
  }
  return text.empty() ? "NULL" : "CASE e.kind" + text + " END";
}

std::string PageRefsSql(const std::vector<StoredKind>& kinds) {
  std::vector<const StoredKind*> page_refs;
  std::string list;
  std::string op;
  for (const StoredKind& kind : kinds) {
    std::string_view name = kind.name;
    if (!kind.is_event || !name.starts_with(kPageRefPrefix)) continue;
    constexpr std::array<std::string_view, 7> kOps = {
        "set", "mod", "mod_and_test", "mod_and_return", "mod_unless", "freeze", "unfreeze"};
    if (std::find(kOps.begin(), kOps.end(), name.substr(kPageRefPrefix.size())) == kOps.end()) continue;
    page_refs.push_back(&kind);
    list += (list.empty() ? "" : ",") + std::to_string(kind.id);
    op += " WHEN " + std::to_string(kind.id) + " THEN '" + std::string(name.substr(kPageRefPrefix.size())) +
          "'";
  }
  if (list.empty()) {
    list = "-1";
    op = " WHEN -1 THEN NULL";
  }
  // A pfn is there for what the model took for a reference event.
  return "CREATE VIEW page_refs(event_id, ts, cpu, pid, comm, pfn, lifetime_id, op, delta, ret, "
         "observed, replayed, flags, "
         "replayed_lo, replayed_hi, order_seq) AS SELECT e.id, e.ts, e.cpu, e.pid, c.text, e.pfn, "
         "e.lifetime, CASE e.kind" +
         op + " END, e.delta, " + PageRefField(page_refs, "ret") + ", " + PageRefField(page_refs, "count") +
         ", coalesce(r.replayed, e.replayed), " + PageRefField(page_refs, "flags") +
         ", coalesce(r.replayed, e.replayed_lo), coalesce(r.replayed, e.replayed_hi), "
         "coalesce(r.place, e.id) FROM event e JOIN string c ON c.id = e.comm "
         "LEFT JOIN repaired_ref r ON r.event = e.id WHERE "
         "e.pfn IS NOT NULL AND e.kind IN (" +
         list + ")";
}

void InsertKinds(Database* database, const std::vector<EventKind>& kinds,
                 const std::vector<StoredKind>& stored) {
  Statement insert = InsertInto(*database, "kind");
  for (size_t k = 0; k < kinds.size(); ++k) {
    std::string columns;
    for (const std::string& column : stored[k].columns) columns += (columns.empty() ? "" : " ") + column;
    insert.Bind(1, stored[k].id);
    insert.Bind(2, stored[k].name);
    insert.Bind(3, NullIfEmpty(kinds[k].system));
    insert.Bind(4, ShapeName(kinds[k].shape));
    insert.Bind(5, NullIfEmpty(stored[k].sql_name));
    insert.Bind(6, kinds[k].rows);
    insert.Bind(7, columns);
    insert.Run();
  }
}

std::vector<StoredKind> WithoutViews(const std::vector<EventKind>& kinds, const StringTable& strings) {
  std::vector<StoredKind> stored;
  stored.reserve(kinds.size());
  for (const EventKind& kind : kinds)
    stored.push_back({.id = static_cast<int64_t>(stored.size()),
                      .name = std::string(strings.Text(kind.name)),
                      .is_event = kind.shape == EventShape::kEvent,
                      .sql_name = {},
                      .columns = {}});
  return stored;
}

}  // namespace

void CreateKindViews(Database* database, const std::vector<EventKind>& kinds, const StringTable& strings) {
  RestoreTexts(database, kinds, strings);

  Names names;
  Statement existing(*database, "SELECT name FROM sqlite_schema");
  while (existing.Step()) names.Take(existing.Text(0));
  // Indexes have names of the same kind, and are made later.
  std::unique_ptr<Database> whole = WholeSchema();
  Statement later(*whole, "SELECT name FROM sqlite_schema");
  while (later.Step()) names.Take(later.Text(0));
  names.Take("page_refs");
  names.Take("sqlite_schema");
  names.Take("sqlite_master");

  // Tracepoints come first: theirs is the name everybody knows.
  std::vector<StoredKind> stored = WithoutViews(kinds, strings);
  for (EventShape shape : {EventShape::kEvent, EventShape::kProbe, EventShape::kReturn}) {
    for (size_t k = 0; k < kinds.size(); ++k) {
      if (kinds[k].shape != shape || !kinds[k].typed) continue;
      std::string name = stored[k].name;
      if (name.empty()) continue;
      std::replace(name.begin(), name.end(), '\0', '_');  // SQL text ends at a NUL
      bool reserved = LowerCase(name.substr(0, 7)) == "sqlite_";
      std::string_view suffix = shape == EventShape::kEvent ? "_event" : "_probe";
      stored[k].sql_name = names.Give(reserved ? "_" + name : name, suffix);
      stored[k].columns = ColumnsOf(kinds[k]);
      database->Exec(KindViewSql(stored[k]).c_str());
    }
  }
  database->Exec(PageRefsSql(stored).c_str());
  InsertKinds(database, kinds, stored);
}

void StoreKinds(Database* database, const std::vector<EventKind>& kinds, const StringTable& strings) {
  InsertKinds(database, kinds, WithoutViews(kinds, strings));
}

void RequireKindViews(const Database& database) {
  Statement found(database, "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1 AND sql = ?2");
  auto require = [&](const std::string& name, const std::string& sql) {
    found.Bind(1, name);
    found.Bind(2, sql);
    if (!found.Step()) database.FailDamaged("the view " + name + " is not as it was made");
    found.Reset();
  };
  Statement kind(database, "SELECT id, name, shape = 'event', sql_name, columns FROM kind ORDER BY id");
  std::vector<StoredKind> kinds;
  constexpr size_t kMostColumnBytes = size_t{1} << 20;
  constexpr size_t kMostPageRefs = 1000;
  while (kind.Step()) {
    if (kind.Text(4).size() > kMostColumnBytes || kinds.size() > kMostPageRefs)
      database.FailDamaged("it has more kinds and columns than an analysis writes");
    StoredKind stored{.id = kind.Int(0),
                      .name = std::string(kind.Text(1)),
                      .is_event = kind.Int(2) != 0,
                      .sql_name = std::string(kind.Text(3)),
                      .columns = Words(kind.Text(4))};
    if (!stored.sql_name.empty()) require(stored.sql_name, KindViewSql(stored));
    if (stored.name.starts_with(kPageRefPrefix)) kinds.push_back(std::move(stored));
  }
  require("page_refs", PageRefsSql(kinds));
}

}  // namespace mmreplay
