#include "report/rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "report/format.h"
#include "report/json_values.h"

namespace mmreplay {
namespace {

constexpr size_t kRowsMeasured = 1000;
constexpr size_t kBytesMeasured = size_t{1} << 20;
// A row is written in one piece.
constexpr int64_t kLongestRow = int64_t{16} << 20;
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
  // What is escaped takes four bytes and more.
  auto is_escaped = [](unsigned char c) { return c < ' ' || c >= 0x7f; };
  for (int i = 0; bytes > kLongestRow / 2 && i < query->columns(); ++i) {
    std::string text = query->Text(i);
    bytes += 3 * std::count_if(text.begin(), text.end(), is_escaped);
  }
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

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "-1", "+0.5", "1e9": what a spreadsheet takes for a number, and for nothing else.
bool IsNumber(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = text.substr(e + 1);
    if (exponent.starts_with('-') || exponent.starts_with('+')) exponent.remove_prefix(1);
    if (!IsDigits(exponent)) return false;
    text = text.substr(0, e);
  }
  size_t point = text.find('.');
  return IsDigits(text.substr(0, point)) &&
         (point == std::string_view::npos || IsDigits(text.substr(point + 1)));
}

// What a spreadsheet would work out instead of showing it. Some read the wide forms of the signs alike.
bool IsFormula(std::string_view text) {
  if (text.empty() || IsNumber(text)) return false;
  if (std::string_view("\t\r\n").find(text[0]) != std::string_view::npos) return true;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  static constexpr std::array<std::string_view, 8> kSigns = {
      "=", "+", "-", "@", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return text.starts_with(sign); });
}

// A text as a cell, its lines and tabs as they are. In quotes where some program would take it for several
// cells.
std::string CsvText(std::string_view text) {
  std::string cell = IsFormula(text) ? "'" : "";
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find_first_of("\t\n", at), text.size());
    cell += Printable(text.substr(at, end - at));
    if (end < text.size()) cell += text[end];
    at = end + 1;
  }
  if (cell.find_first_of(",;\"\t\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
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
  std::string line;
  for (int i = 0; i < query->columns(); ++i) line += (i ? "," : "") + CsvText(query->Name(i));
  write(line + "\r\n");
  while (StepTo(query)) {
    line.clear();
    for (int i = 0; i < query->columns(); ++i) {
      // To a spreadsheet -Inf is no number.
      bool number = query->Type(i) == SQLITE_INTEGER ||
                    (query->Type(i) == SQLITE_FLOAT && std::isfinite(query->Real(i)));
      line += (i ? "," : "") + (number ? query->Text(i) : CsvText(query->Text(i)));
    }
    if (line.empty()) line = "\"\"";  // an empty line is no row to most readers
    write(line + "\r\n");
  }
}

void WriteJson(ReadOnlyStatement* query, const WriteFn& write) {
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
      line += (i ? ", " : "") + Dump(names[static_cast<size_t>(i)]) + ": ";
      switch (query->Type(i)) {
        case SQLITE_NULL:
          line += "null";
          break;
        case SQLITE_INTEGER:
          line += std::to_string(*query->Int(i));
          break;
        case SQLITE_FLOAT:
          // JSON has no infinite numbers.
          line += std::isfinite(query->Real(i)) ? Dump(query->Real(i)) : Dump(query->Text(i));
          break;
        default:
          line += Dump(query->Text(i));
      }
    }
    write(line + "}");
  }
  write(first ? "[]\n" : "\n]\n");
}

}  // namespace mmreplay
