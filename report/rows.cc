#include "report/rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "report/format.h"

namespace mmreplay {
namespace {

constexpr size_t kRowsMeasured = 1000;
constexpr size_t kBytesMeasured = size_t{1} << 20;
// A row is written in one piece.
constexpr int64_t kLongestRow = int64_t{64} << 20;
constexpr size_t kNarrowest = 8;

struct Cell {
  std::string text;
  bool number;
};

// The next row, which is held several times over while it is written.
bool StepTo(ReadOnlyStatement* query) {
  if (!query->Step()) return false;
  int64_t bytes = 0;
  for (int i = 0; i < query->columns(); ++i) bytes += query->Bytes(i);
  if (bytes > kLongestRow)
    query->Fail("returns a row of more than " + std::to_string(kLongestRow >> 20) +
                " MiB; select less of it");
  return true;
}

std::vector<Cell> ReadRow(const ReadOnlyStatement& query) {
  std::vector<Cell> row;
  for (int i = 0; i < query.columns(); ++i) {
    int type = query.Type(i);
    row.push_back({Printable(query.Text(i)), type == SQLITE_INTEGER || type == SQLITE_FLOAT});
  }
  return row;
}

// Takes width from the widest columns of text until the row fits. Numbers stay whole.
void Shrink(const std::vector<bool>& is_text, std::vector<size_t>* widths, size_t available) {
  auto total = [&] {
    size_t sum = widths->empty() ? 0 : 2 * (widths->size() - 1);
    for (size_t w : *widths) sum += w;
    return sum;
  };
  while (total() > available) {
    size_t widest = widths->size();
    for (size_t i = 0; i < widths->size(); ++i) {
      if (is_text[i] && (widest == widths->size() || (*widths)[i] > (*widths)[widest])) widest = i;
    }
    if (widest == widths->size() || (*widths)[widest] <= kNarrowest) return;
    --(*widths)[widest];
  }
}

}  // namespace

void WriteTable(ReadOnlyStatement* query, std::optional<size_t> width, const WriteFn& write) {
  std::vector<std::vector<Cell>> rows;
  bool more = true;
  size_t bytes = 0;
  while (rows.size() < kRowsMeasured && bytes < kBytesMeasured && (more = StepTo(query))) {
    rows.push_back(ReadRow(*query));
    for (const Cell& cell : rows.back()) bytes += cell.text.size();
  }

  std::vector<size_t> widths;
  std::vector<Cell> header;
  for (int i = 0; i < query->columns(); ++i) {
    header.push_back({Printable(query->Name(i)), false});
    widths.push_back(TextWidth(header.back().text));
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], TextWidth(row[i].text));
  }
  std::vector<bool> is_text(widths.size(), false);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      is_text[i] = is_text[i] || (!row[i].number && !row[i].text.empty());
  }
  if (width) Shrink(is_text, &widths, *width);

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
  while (more && (more = StepTo(query))) print(ReadRow(*query));
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
  while (StepTo(query)) {
    line.clear();
    for (int i = 0; i < query->columns(); ++i) line += (i ? "," : "") + quoted(query->Text(i));
    write(line + "\r\n");
  }
}

void WriteJson(ReadOnlyStatement* query, const WriteFn& write) {
  auto text_of = [](std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  // A name that repeats, as in a join, gets a number: objects keep one value per name.
  std::vector<std::string> names;
  for (int i = 0; i < query->columns(); ++i) {
    std::string name(query->Name(i));
    for (int n = 2; std::find(names.begin(), names.end(), name) != names.end(); ++n)
      name = std::string(query->Name(i)) + "_" + std::to_string(n);
    names.push_back(name);
  }
  bool first = true;
  while (StepTo(query)) {
    std::string line = first ? "[\n{" : ",\n{";
    first = false;
    for (int i = 0; i < query->columns(); ++i) {
      line += (i ? ", " : "") + text_of(names[static_cast<size_t>(i)]) + ": ";
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
