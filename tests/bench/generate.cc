// Scales a recording in tracefs text to any size: the bench's input.
//
//   bench_generate BASE EVENTS > trace.txt
//
// The recording is repeated until EVENTS event lines are written. Every copy is later by the recording's
// length; copies differ in tasks, cpus, page frames and kernel addresses in a cycle of kGroups, so that what
// belongs together in a copy stays together: a page's pfn, its struct page, its migration entries. Rates, mix
// and the shapes of lines are those of the recording, which has to be one of x86-64.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr uint64_t kGroups = 64;
constexpr uint64_t kPfnStep = uint64_t{1} << 20;  // 4 GiB
constexpr uint64_t kAddressStep = kPfnStep * 64;  // sizeof(struct page)
constexpr int64_t kPidStep = 100;
constexpr int64_t kPidGroups = 8;
constexpr int64_t kCpuGroups = 4;

enum class Kind { kText, kTime, kCpu, kPid, kAddress, kPfn, kSwapEntry, kMigrationEntry, kPresentEntry };

struct Piece {
  Kind kind;
  std::string text;  // of kText
  uint64_t value = 0;
  int width = 0;      // printed at least so wide
  bool left = false;  // padded on the right
  bool prefix = false;
};

struct Line {
  std::vector<Piece> pieces;
};

bool IsHex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

uint64_t Parse(std::string_view text, int base) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  Line Split() {
    Header();
    while (at_ < line_.size()) Next();
    Flush();
    return std::move(result_);
  }

 private:
  // "       toucher/2-67      (     64) [002] d..2.     5.963788: name: "
  void Header() {
    size_t bracket = line_.find(" [");
    size_t dash = line_.rfind('-', line_.find('(') == std::string_view::npos ? bracket : line_.find('(') - 1);
    Text(dash + 1);
    Number(Kind::kPid, true);
    size_t paren = line_.find('(', at_);
    if (paren != std::string_view::npos && paren < bracket && line_[paren + 1] != '-') {
      Text(paren + 1);
      Number(Kind::kPid, false);
    }
    Text(bracket + 2);
    Number(Kind::kCpu, false);
    size_t colon = line_.find(": ", at_);
    size_t time = line_.rfind(' ', colon) + 1;
    while (time > 0 && line_[time - 1] == ' ') --time;
    Text(time);
    Piece piece{.kind = Kind::kTime, .text = {}};
    std::string_view stamp = line_.substr(time, colon - time);
    piece.width = static_cast<int>(stamp.size());
    stamp.remove_prefix(stamp.find_first_not_of(' '));
    size_t dot = stamp.find('.');
    piece.value = Parse(stamp.substr(0, dot), 10) * 1'000'000 + Parse(stamp.substr(dot + 1), 10);
    Add(piece);
    at_ = colon;
  }

  void Next() {
    std::string_view rest = line_.substr(at_);
    for (std::string_view key : {"prev_pid=", "next_pid=", " pid="}) {
      if (rest.starts_with(key)) {
        Text(at_ + key.size());
        if (line_[at_] == '0' && !IsDigit(line_[at_ + 1])) return;
        Number(Kind::kPid, false);
        return;
      }
    }
    auto hex_field = [&](std::string_view key, Kind kind) {
      if (!rest.starts_with(key)) return false;
      Text(at_ + key.size());
      Hex(kind);
      return true;
    };
    if (rest.starts_with("target_cpu=")) {
      Text(at_ + 11);
      Number(Kind::kCpu, false);
      return;
    }
    bool set = line_.find(" set_migration_p") != std::string_view::npos;
    bool remove = line_.find(" remove_migration_p") != std::string_view::npos;
    if (hex_field("pfn=", Kind::kPfn) || hex_field("entry=", Kind::kSwapEntry)) return;
    if ((set && (hex_field("pmd=", Kind::kMigrationEntry) || hex_field("pte=", Kind::kMigrationEntry))) ||
        (remove && (hex_field("pmd=", Kind::kPresentEntry) || hex_field("pte=", Kind::kPresentEntry))))
      return;
    if ((rest.starts_with("ffff") || rest.starts_with("0xffff")) && !IsHex(line_[at_ - 1])) {
      Hex(Kind::kAddress);
      return;
    }
    Text(at_ + 1);
  }

  void Hex(Kind kind) {
    Piece piece{.kind = kind, .text = {}};
    if (line_.substr(at_).starts_with("0x")) {
      piece.prefix = true;
      at_ += 2;
    }
    size_t end = at_;
    while (end < line_.size() && IsHex(line_[end])) ++end;
    piece.value = Parse(line_.substr(at_, end - at_), 16);
    Add(piece);
    at_ = end;
  }

  // A number with the blanks beside it that pad it.
  void Number(Kind kind, bool left) {
    Piece piece{.kind = kind, .text = {}};
    piece.left = left;
    size_t begin = at_;
    while (at_ < line_.size() && line_[at_] == ' ') ++at_;
    size_t digits = at_;
    while (at_ < line_.size() && IsDigit(line_[at_])) ++at_;
    piece.value = Parse(line_.substr(digits, at_ - digits), 10);
    if (kind == Kind::kPid && piece.value <= 2) {  // init and the idle task are what they are
      at_ = begin;
      while (at_ < line_.size() && (line_[at_] == ' ' || IsDigit(line_[at_]))) ++at_;
      text_ += line_.substr(begin, at_ - begin);
      return;
    }
    while (left && at_ < line_.size() && line_[at_] == ' ' && line_[at_ + 1] == ' ') ++at_;
    piece.width = static_cast<int>(at_ - begin);
    Add(piece);
  }

  void Text(size_t end) {
    text_ += line_.substr(at_, end - at_);
    at_ = end;
  }
  void Add(const Piece& piece) {
    Flush();
    result_.pieces.push_back(piece);
  }
  void Flush() {
    if (!text_.empty()) result_.pieces.push_back({.kind = Kind::kText, .text = std::move(text_)});
    text_.clear();
  }

  std::string_view line_;

  size_t at_ = 0;
  std::string text_;
  Line result_;
};

void Append(std::string* out, const Piece& piece, uint64_t value, int base) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof(digits), value, base).ptr;
  int length = static_cast<int>(end - digits);
  if (piece.prefix) *out += "0x";
  if (!piece.left && length < piece.width)
    out->append(static_cast<size_t>(piece.width - length), piece.kind == Kind::kCpu ? '0' : ' ');
  out->append(digits, end);
  if (piece.left && length < piece.width) out->append(static_cast<size_t>(piece.width - length), ' ');
}

void AppendTime(std::string* out, const Piece& piece, uint64_t us) {
  char text[40];
  int length =
      std::snprintf(text, sizeof(text), "%llu.%06llu", static_cast<unsigned long long>(us / 1'000'000),
                    static_cast<unsigned long long>(us % 1'000'000));
  if (length < piece.width) out->append(static_cast<size_t>(piece.width - length), ' ');
  out->append(text, static_cast<size_t>(length));
}

void AppendLine(std::string* out, const Line& line, uint64_t copy, uint64_t span, uint64_t cpus) {
  uint64_t group = copy % kGroups;
  uint64_t delta = group * kPfnStep;
  for (const Piece& piece : line.pieces) {
    switch (piece.kind) {
      case Kind::kText:
        *out += piece.text;
        break;
      case Kind::kTime:
        AppendTime(out, piece, piece.value + copy * span);
        break;
      case Kind::kCpu:
        Append(out, piece, piece.value + cpus * (copy % kCpuGroups), 10);
        break;
      case Kind::kPid:
        Append(out, piece, piece.value + kPidStep * (copy % kPidGroups), 10);
        break;
      case Kind::kAddress:
        Append(out, piece, piece.value + group * kAddressStep, 16);
        break;
      case Kind::kPfn:
      case Kind::kSwapEntry:
        Append(out, piece, piece.value + delta, 16);
        break;
      // The offset of a swap entry is stored inverted on x86-64, from bit 9
      // (arch/x86/include/asm/pgtable_64.h).
      case Kind::kMigrationEntry:
        Append(out, piece, piece.value - (delta << 9), 16);
        break;
      case Kind::kPresentEntry:
        Append(out, piece, piece.value + (delta << 12), 16);
        break;
    }
  }
  *out += '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_generate BASE EVENTS > trace.txt\n");
    return 2;
  }
  std::ifstream base(argv[1]);
  if (!base) {
    std::fprintf(stderr, "%s: cannot be opened\n", argv[1]);
    return 2;
  }
  uint64_t events = Parse(argv[2], 10);
  std::vector<Line> lines;
  uint64_t cpus = 0;
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  std::string header;
  for (std::string line; std::getline(base, line);) {
    if (line.starts_with('#') || line.find(": ") == std::string::npos ||
        line.find(" [") == std::string::npos) {
      if (line.starts_with('#') && line.find("entries-in-buffer") == std::string::npos) header += line + "\n";
      continue;
    }
    lines.push_back(Splitter(line).Split());
    for (const Piece& piece : lines.back().pieces) {
      if (piece.kind == Kind::kTime) {
        first = std::min(first, piece.value);
        last = std::max(last, piece.value);
      }
      if (piece.kind == Kind::kCpu) cpus = std::max(cpus, piece.value + 1);
    }
  }
  if (lines.empty()) {
    std::fprintf(stderr, "%s: no event lines\n", argv[1]);
    return 2;
  }
  std::string out = header;
  uint64_t span = last - first + 1000;
  uint64_t written = 0;
  for (uint64_t copy = 0; written < events; ++copy) {
    for (const Line& line : lines) {
      if (written++ == events) break;
      AppendLine(&out, line, copy, span, cpus);
      if (out.size() < (size_t{1} << 20)) continue;
      std::fwrite(out.data(), 1, out.size(), stdout);
      out.clear();
    }
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
