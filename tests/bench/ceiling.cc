// What a run is measured against: the same input with as little work as possible.
//
//   bench_ceiling split TRACE    reads the lines and splits each at its fixed places, by hand
//   bench_ceiling insert DB NEW  inserts the rows of a stored trace into a new database, from memory: one
//                                prepared statement per table, the same schema, the same indexes
//
// Both print seconds and events.
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct SplitLine {
  std::string_view comm, pid, cpu, flags, time, name, args;
};

// Returns false for what is no event line.
bool Split(std::string_view line, SplitLine* out) {
  if (line.empty() || line[0] == '#') return false;
  size_t bracket = line.find(" [");
  if (bracket == std::string_view::npos) return false;
  size_t paren = line.rfind('(', bracket);
  size_t dash = line.rfind('-', paren == std::string_view::npos ? bracket : paren);
  if (dash == std::string_view::npos) return false;
  out->comm = line.substr(0, dash);
  out->pid = line.substr(dash + 1, 7);
  out->cpu = line.substr(bracket + 2, 3);
  size_t flags = bracket + 7;
  size_t after = line.find(' ', flags);
  size_t colon = line.find(": ", after);
  if (colon == std::string_view::npos) return false;
  out->flags = line.substr(flags, after - flags);
  out->time = line.substr(after + 1, colon - after - 1);
  size_t end = line.find(": ", colon + 2);
  if (end == std::string_view::npos) return false;
  out->name = line.substr(colon + 2, end - colon - 2);
  out->args = line.substr(end + 2);
  return true;
}

int RunSplit(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (!file) throw std::runtime_error(std::string(path) + ": cannot be opened");
  auto start = Clock::now();
  std::vector<char> buffer(size_t{1} << 20);
  size_t kept = 0;
  int64_t events = 0;
  size_t sum = 0;  // so that nothing is left out
  for (;;) {
    size_t got = std::fread(buffer.data() + kept, 1, buffer.size() - kept, file);
    if (got == 0) break;
    std::string_view text(buffer.data(), kept + got);
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      SplitLine line;
      if (!Split(text.substr(0, end), &line)) continue;
      ++events;
      sum += line.args.size() + line.comm.size() + line.time.size();
    }
    kept = text.size();
    std::memmove(buffer.data(), text.data(), kept);
  }
  std::fclose(file);
  std::printf("%.3f %lld %zu\n", Since(start), static_cast<long long>(events), sum);
  return 0;
}

void Check(int code, sqlite3* db) {
  if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
    throw std::runtime_error(sqlite3_errmsg(db));
}

void Exec(sqlite3* db, const std::string& sql) {
  Check(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), db);
}

struct Value {
  int type;
  int64_t number;
  size_t offset;
  int size;
};

struct Table {
  std::string name;
  std::string sql;
  std::string names;  // of the columns
  int columns = 0;
  std::vector<Value> values;
  std::string texts;
};

int RunInsert(const char* from, const char* to) {
  sqlite3* source = nullptr;
  Check(sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, nullptr), source);
  std::vector<Table> tables;
  std::vector<std::string> indexes;
  sqlite3_stmt* statement = nullptr;
  Check(sqlite3_prepare_v2(source, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL", -1,
                           &statement, nullptr),
        source);
  auto text = [&](int column) {
    return std::string(reinterpret_cast<const char*>(sqlite3_column_text(statement, column)));
  };
  while (sqlite3_step(statement) == SQLITE_ROW) {
    if (text(0) == "table")
      tables.push_back({.name = text(1), .sql = text(2), .names = {}, .values = {}, .texts = {}});
    if (text(0) == "index") indexes.push_back(text(2));
  }
  sqlite3_finalize(statement);
  int64_t events = 0;
  for (Table& table : tables) {
    // Those that are stored: SQLite computes the others.
    Check(sqlite3_prepare_v2(
              source, ("SELECT group_concat(name) FROM pragma_table_info('" + table.name + "')").c_str(), -1,
              &statement, nullptr),
          source);
    sqlite3_step(statement);
    table.names = text(0);
    sqlite3_finalize(statement);
    Check(sqlite3_prepare_v2(source, ("SELECT " + table.names + " FROM " + table.name).c_str(), -1,
                             &statement, nullptr),
          source);
    table.columns = sqlite3_column_count(statement);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      if (table.name == "event") ++events;
      for (int i = 0; i < table.columns; ++i) {
        Value value{sqlite3_column_type(statement, i), sqlite3_column_int64(statement, i), table.texts.size(),
                    0};
        if (value.type == SQLITE_TEXT) {
          value.size = sqlite3_column_bytes(statement, i);
          table.texts.append(reinterpret_cast<const char*>(sqlite3_column_text(statement, i)),
                             static_cast<size_t>(value.size));
        }
        table.values.push_back(value);
      }
    }
    sqlite3_finalize(statement);
  }

  std::remove(to);
  auto start = Clock::now();
  sqlite3* db = nullptr;
  Check(sqlite3_open(to, &db), db);
  Exec(
      db,
      "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
      "PRAGMA cache_size=-65536; BEGIN");
  for (const Table& table : tables) {
    Exec(db, table.sql);
    std::string marks = "?";
    for (int i = 1; i < table.columns; ++i) marks += ",?";
    Check(sqlite3_prepare_v2(
              db, ("INSERT INTO " + table.name + "(" + table.names + ") VALUES(" + marks + ")").c_str(), -1,
              &statement, nullptr),
          db);
    auto columns = static_cast<size_t>(table.columns);
    for (size_t row = 0; row < table.values.size(); row += columns) {
      for (size_t i = 0; i < columns; ++i) {
        const Value& value = table.values[row + i];
        int parameter = static_cast<int>(i) + 1;
        if (value.type == SQLITE_INTEGER) {
          sqlite3_bind_int64(statement, parameter, value.number);
        } else if (value.type == SQLITE_TEXT) {
          sqlite3_bind_text(statement, parameter, table.texts.data() + value.offset, value.size,
                            SQLITE_STATIC);
        } else {
          sqlite3_bind_null(statement, parameter);
        }
      }
      Check(sqlite3_step(statement), db);
      sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
  }
  for (const std::string& index : indexes) Exec(db, index);
  Exec(db, "COMMIT");
  sqlite3_close(db);
  std::printf("%.3f %lld\n", Since(start), static_cast<long long>(events));
  sqlite3_close(source);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::strcmp(argv[1], "split") == 0) return RunSplit(argv[2]);
    if (argc == 4 && std::strcmp(argv[1], "insert") == 0) return RunInsert(argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ceiling: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr, "usage: bench_ceiling split TRACE | insert DB NEW\n");
  return 2;
}
