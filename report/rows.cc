#include "report/rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "report/format.h"

namespace mmreplay {
namespace {

constexpr size_t kRowsMeasured = 1000;
constexpr size_t kNarrowest = 8;

struct Cell {
  std::string text;
  bool number;
};

std::vector<Cell> ReadRow(const ReadOnlyStatement& query) {
  std::vector<Cell> row;
  for (int i = 0; i < query.columns(); ++i) {
    int type = query.Type(i);
    row.push_back({Printable(query.Text(i)), type == SQLITE_INTEGER || type == SQLITE_FLOAT});
  }
  return row;
}

// Takes width from the widest columns until the row fits.
void Shrink(std::vector<size_t>* widths, size_t available) {
  auto total = [&] {
    size_t sum = widths->empty() ? 0 : 2 * (widths->size() - 1);
    for (size_t w : *widths) sum += w;
    return sum;
  };
  while (total() > available) {
    auto widest = std::max_element(widths->begin(), widths->end());
    if (*widest <= kNarrowest) return;
    --*widest;
  }
}

}  // namespace

void WriteTable(ReadOnlyStatement* query, std::optional<size_t> width, const WriteFn& write) {
  std::vector<std::vector<Cell>> rows;
  bool more = true;
  while (rows.size() < kRowsMeasured && (more = query->Step())) rows.push_back(ReadRow(*query));

  std::vector<size_t> widths;
  std::vector<Cell> header;
  for (int i = 0; i < query->columns(); ++i) {
    header.push_back({Printable(query->Name(i)), false});
    widths.push_back(TextWidth(header.back().text));
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], TextWidth(row[i].text));
  }
  if (width) Shrink(&widths, *width);

  auto print = [&](const std::vector<Cell>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      // Without a terminal nothing is cut: later rows may be wider than the measured ones.
      std::string text = width ? CutToWidth(row[i].text, widths[i]) : row[i].text;
      size_t taken = TextWidth(text);
      std::string padding(widths[i] > taken ? widths[i] - taken : 0, ' ');
      line += row[i].number ? padding + text : text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    write(line + "\n");
  };
  print(header);
  std::string rule;
  for (size_t i = 0; i < widths.size(); ++i) rule += (i ? "  " : "") + std::string(widths[i], '-');
  write(rule + "\n");
  for (const auto& row : rows) print(row);
  while (more && (more = query->Step())) print(ReadRow(*query));
}

void WriteCsv(ReadOnlyStatement* query, const WriteFn& write) {
  auto quoted = [](const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string q = "\"";
    for (char c : text) q += c == '"' ? std::string("\"\"") : std::string(1, c);
    return q + '"';
  };
  std::string line;
  for (int i = 0; i < query->columns(); ++i) line += (i ? "," : "") + quoted(std::string(query->Name(i)));
  write(line + "\r\n");
  while (query->Step()) {
    line.clear();
    for (int i = 0; i < query->columns(); ++i) line += (i ? "," : "") + quoted(query->Text(i));
    write(line + "\r\n");
  }
}

void WriteJson(ReadOnlyStatement* query, const WriteFn& write) {
  auto text_of = [](std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  bool first = true;
  while (query->Step()) {
    std::string line = first ? "[\n{" : ",\n{";
    first = false;
    for (int i = 0; i < query->columns(); ++i) {
      line += (i ? ", " : "") + text_of(query->Name(i)) + ": ";
      switch (query->Type(i)) {
        case SQLITE_NULL:
          line += "null";
          break;
        case SQLITE_INTEGER:
          line += std::to_string(*query->Int(i));
          break;
        case SQLITE_FLOAT:
          line += nlohmann::json(query->Real(i)).dump();
          break;
        default:
          line += text_of(query->Text(i));
      }
    }
    write(line + "}");
  }
  write(first ? "[]\n" : "\n]\n");
}

}  // namespace mmreplay
