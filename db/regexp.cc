#include "db/regexp.h"

#include <re2/re2.h>

#include <memory>

namespace mmreplay {
namespace {

// RE2 takes many times that before it knows whether the pattern is too much for it.
constexpr int kLongestPattern = 10'000;

re2::StringPiece Text(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return {text ? text : "", static_cast<size_t>(sqlite3_value_bytes(value))};
}

// regexp(pattern, text), as SQLite calls it for "text REGEXP pattern".
void Regexp(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[0]) == SQLITE_NULL || sqlite3_value_type(arguments[1]) == SQLITE_NULL)
    return;
  auto* pattern = static_cast<RE2*>(sqlite3_get_auxdata(context, 0));
  if (!pattern) {
    if (sqlite3_value_bytes(arguments[0]) > kLongestPattern) {
      sqlite3_result_error(context, "REGEXP: the pattern is too long", -1);
      return;
    }
    RE2::Options options;
    options.set_log_errors(false);
    auto fresh = std::make_unique<RE2>(Text(arguments[0]), options);
    if (!fresh->ok()) {
      std::string error = "REGEXP: " + fresh->error();
      sqlite3_result_error(context, error.c_str(), static_cast<int>(error.size()));
      return;
    }
    pattern = fresh.release();
    sqlite3_set_auxdata(context, 0, pattern, [](void* p) { delete static_cast<RE2*>(p); });
    // SQLite may have declined to keep it, and deleted it.
    pattern = static_cast<RE2*>(sqlite3_get_auxdata(context, 0));
    if (!pattern) {
      sqlite3_result_error_nomem(context);
      return;
    }
  }
  sqlite3_result_int(context, RE2::PartialMatch(Text(arguments[1]), *pattern));
}

}  // namespace

void AddRegexp(Database* database) {
  database->Check(sqlite3_create_function_v2(database->handle(), "regexp", 2,
                                             SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                                             &Regexp, nullptr, nullptr, nullptr),
                  "REGEXP");
}

}  // namespace mmreplay
