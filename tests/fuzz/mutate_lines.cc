#include "tests/fuzz/mutate_lines.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

using Random = std::minstd_rand;
using Lines = std::vector<std::string>;

size_t Below(size_t limit, Random* random) {
  return limit == 0 ? 0 : (*random)() % limit;
}

template <typename Choices>
auto& OneOf(Choices& choices, Random* random) {
  return choices[Below(choices.size(), random)];
}

constexpr std::array<std::string_view, 34> kNumbers = {"0",
                                                       "1",
                                                       "2",
                                                       "3",
                                                       "9",
                                                       "10",
                                                       "11",
                                                       "63",
                                                       "64",
                                                       "511",
                                                       "512",
                                                       "-1",
                                                       "-2",
                                                       "0x0",
                                                       "0x1",
                                                       "0x28000",
                                                       "28000",
                                                       "ffffea0000a00000",
                                                       "0xffffea0000a00000",
                                                       "ffffffffffffffff",
                                                       "0x10000000000000",  // 2^52, the least that is no pfn
                                                       "4503599627370495",  // the largest pfn
                                                       "0xfffffffffffff",
                                                       "2147483647",
                                                       "2147483648",
                                                       "-2147483648",
                                                       "4294967295",
                                                       "4294967296",
                                                       "9223372036854775807",
                                                       "9223372036854775808",
                                                       "-9223372036854775808",
                                                       "18446744073709551615",
                                                       "18446744073709551616",
                                                       "99999999999999999999999999"};

constexpr std::array<std::string_view, 18> kTimes = {"0.000000",
                                                     "0.000001",
                                                     "100.000010",
                                                     "0.000000001",
                                                     "1.5",
                                                     "12345",
                                                     "0",
                                                     "1.1234567890",
                                                     "9223372036.854775807",
                                                     "9223372036.854775808",
                                                     "18446744073.709551615",
                                                     "18446744073709551615",
                                                     "9223372036854775807",
                                                     "99999999999999999999.999999",
                                                     "-1.000000",
                                                     "1.",
                                                     ".5",
                                                     "4294967296.000000"};

constexpr std::array<std::string_view, 28> kWords = {
    "<...>",    "<idle>", "a-b",  "a-1",     "-1",       "-",      "[000]",       "a=b",
    "=",        "==>",    "=>",   "->",      "<-",       "(null)", "(f+0x0/0x1)", "(a+0x1f/0x80",
    "\xff\xc2", "#",      ":",    "comm: x", "\xc2\xa0", "none",   "|",           "\"",
    "\\",       "=3D",    "&lt;", ">"};

constexpr std::array<std::string_view, 24> kLines = {
    "CPU:3 [LOST 5255 EVENTS]",
    "CPU:0 [LOST EVENTS]",
    "CPU:1 [9223372036854775807 EVENTS DROPPED]",
    "##### CPU 1 buffer started ####",
    "##### CPU 2147483647 buffer started ####",
    " => do_syscall_64",
    "# tracer: nop",
    "# tracer: function_graph",
    "# entries-in-buffer/entries-written: 1/18446744073709551615   #P:4",
    "",
    "==== dmesg.txt",
    "==== trace.txt",
    "==== kprobe_events.txt",
    "---------------------------------",
    "[    5.800000] BUG: Bad page state in process toucher/0  pfn:28000",
    "[    5.800001] flags: 0xfffffc0000080(waiters|node=1|zone=1)",
    "[    0.000000] Linux version 6.1.192 (a@b) #1 SMP x86_64",
    "Dumping ftrace buffer:",
    "p:g/folio_wait_bit folio_wait_bit folio=%x0 bit=%x1:s32",
    "r256:g/folio_wait_bit_ret folio_wait_bit ret=$retval",
    "ts 1: <stack trace>",
    " 1)   0.345 us    |  fn();",
    "perf 12 [001] 5.364208: sched:sched_switch: prev_comm=a prev_pid=1 prev_prio=1 prev_state=S ==> "
    "next_comm=b next_pid=2 next_prio=1",
    "a-1 [000] d..2. 5.364208: page_ref_mod_and_test: pfn=0x28000 flags=locked count=0 mapcount=0 mapping=0 "
    "mt=0 val=-1 ret=1"};

Lines SplitLines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string Join(const Lines& lines, bool ends, size_t max_size) {
  std::string text;
  for (const std::string& line : lines) {
    if (text.size() + line.size() + 1 > max_size) break;
    text += line;
    text += '\n';
  }
  if (!ends && !text.empty()) text.pop_back();
  return text;
}

// A stretch of a line.
struct Span {
  size_t at;
  size_t size;
};

Span WordOf(const std::string& line, Random* random) {
  std::vector<Span> words;
  for (std::string_view word : SplitWords(line))
    words.push_back({static_cast<size_t>(word.data() - line.data()), word.size()});
  return words.empty() ? Span{0, 0} : OneOf(words, random);
}

// A number that is next to the old one, or one of the odd ones.
std::string Number(std::string_view old, Random* random) {
  if (Below(3, random) == 0) {
    auto step = static_cast<int64_t>(Below(5, random)) - 2;
    bool prefixed = old.starts_with("0x");
    if (auto decimal = ParseDecimal(old)) return std::to_string(*decimal + static_cast<uint64_t>(step));
    if (auto hex = ParseHexDigits(prefixed ? old.substr(2) : old)) {
      std::array<char, 24> text{};
      std::snprintf(text.data(), text.size(), "%s%llx", prefixed ? "0x" : "",
                    static_cast<unsigned long long>(*hex + static_cast<uint64_t>(step)));
      return text.data();
    }
  }
  return std::string(OneOf(kNumbers, random));
}

bool HasDigit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), IsDigit);
}

// What the column may be told by its look: "[003]", "5.364208:", "toucher/1-71", "pfn=0x28000".
std::string EditWord(std::string_view word, Random* random) {
  if (size_t equals = word.find('='); equals != std::string_view::npos && Below(8, random) != 0) {
    std::string_view key = word.substr(0, equals);
    std::string_view value = word.substr(equals + 1);
    switch (Below(8, random)) {
      case 0:
        return std::string(OneOf(kWords, random)) + "=" + std::string(value);
      case 1:
        return std::string(key) + "=" + std::string(OneOf(kWords, random));
      case 2:
        return std::string(key) + "=";
      case 3:
        return std::string(word) + " " + std::string(word);
      default:
        return std::string(key) + "=" + Number(value, random);
    }
  }
  if (word.size() > 2 && word.front() == '[' && word.back() == ']')
    return "[" + Number(word.substr(1, word.size() - 2), random) + "]";
  if (word.ends_with(':') && HasDigit(word)) return std::string(OneOf(kTimes, random)) + ":";
  size_t dash = word.rfind('-');
  if (dash != std::string_view::npos && dash + 1 < word.size() && IsDigit(word.back())) {
    if (Below(2, random) == 0)
      return std::string(word.substr(0, dash + 1)) + Number(word.substr(dash + 1), random);
    return std::string(OneOf(kWords, random)) + std::string(word.substr(dash));
  }
  if (HasDigit(word) && Below(2, random) == 0) return Number(word, random);
  return std::string(OneOf(kWords, random));
}

void EditColumn(std::string* line, Random* random) {
  Span word = WordOf(*line, random);
  line->replace(word.at, word.size, EditWord(std::string_view(*line).substr(word.at, word.size), random));
}

// The same column of another line, so that pages, tasks and locks meet.
void TakeColumn(Lines* lines, Random* random) {
  std::string& to = OneOf(*lines, random);
  const std::string from = OneOf(*lines, random);
  Span old = WordOf(to, random);
  std::string_view word = std::string_view(to).substr(old.at, old.size);
  std::string_view key = word.substr(0, word.find('=') == std::string_view::npos ? 0 : word.find('=') + 1);
  std::vector<std::string_view> words = SplitWords(from);
  if (words.empty()) return;
  auto same = std::find_if(words.begin(), words.end(),
                           [&](std::string_view other) { return !key.empty() && other.starts_with(key); });
  size_t place = SplitWords(std::string_view(to).substr(0, old.at)).size();
  std::string_view take = same != words.end() ? *same : words[std::min(place, words.size() - 1)];
  to.replace(old.at, old.size, std::string(take));
}

// The head of one line and the tail of another, each cut between columns.
std::string Splice(const std::string& head, const std::string& tail, Random* random) {
  Span from = WordOf(head, random);
  Span to = WordOf(tail, random);
  return head.substr(0, from.at) + tail.substr(to.at);
}

void MutateOneLine(std::string* line, Random* random, const MutateBytes& mutate_bytes) {
  size_t room = line->size() + 64;
  std::vector<uint8_t> bytes(line->begin(), line->end());
  bytes.resize(room);
  bytes.resize(mutate_bytes(bytes.data(), line->size(), room));
  line->assign(bytes.begin(), bytes.end());
  std::replace(line->begin(), line->end(), '\n', Below(2, random) == 0 ? ' ' : '\0');
}

using Difference = Lines::difference_type;

void MutateOnce(Lines* lines, Random* random, const MutateBytes& mutate_bytes) {
  if (lines->empty()) lines->emplace_back(OneOf(kLines, random));
  size_t at = Below(lines->size(), random);
  auto place = lines->begin() + static_cast<Difference>(at);
  auto some = static_cast<Difference>(1 + Below(std::min<size_t>(lines->size() - at, 8), random));
  switch (Below(20, random)) {
    case 0:
      std::swap(*place, OneOf(*lines, random));
      break;
    case 1:
      lines->erase(place);
      break;
    case 2:
      lines->erase(place, place + some);
      break;
    case 3: {
      std::string copy = *place;
      lines->insert(place, copy);
      break;
    }
    case 4: {
      Lines copies(place, place + some);
      lines->insert(lines->begin() + static_cast<Difference>(Below(lines->size() + 1, random)),
                    copies.begin(), copies.end());
      break;
    }
    case 5: {
      std::string moved = std::move(*place);
      lines->erase(place);
      lines->insert(lines->begin() + static_cast<Difference>(Below(lines->size() + 1, random)),
                    std::move(moved));
      break;
    }
    case 6:
      *place = Splice(*place, OneOf(*lines, random), random);
      break;
    case 7:
      lines->insert(place, std::string(OneOf(kLines, random)));
      break;
    case 8:
      place->resize(Below(place->size() + 1, random));
      break;
    case 9:
      place->erase(0, Below(place->size() + 1, random));
      break;
    case 10: {
      // A long line, or a file with the line ends of another system.
      if (Below(4, random) != 0) {
        *place += '\r';
      } else {
        place->append(Below(2000, random), place->empty() ? ' ' : place->back());
      }
      break;
    }
    case 11:
      MutateOneLine(&*place, random, mutate_bytes);
      break;
    case 12:
    case 13:
    case 14:
      TakeColumn(lines, random);
      break;
    default:
      EditColumn(&*place, random);
  }
}

}  // namespace

std::string MutateLines(std::string_view text, size_t max_size, uint32_t seed,
                        const MutateBytes& mutate_bytes) {
  Random random(seed);
  for (int warm = 0; warm < 3; ++warm) random();  // seeds that are near begin near
  if (Below(32, &random) == 0) {
    std::vector<uint8_t> bytes(max_size);
    std::copy(text.begin(), text.end(), bytes.begin());
    bytes.resize(mutate_bytes(bytes.data(), text.size(), max_size));
    return {bytes.begin(), bytes.end()};
  }
  Lines lines = SplitLines(text);
  bool ends = text.empty() || text.back() == '\n' || Below(16, &random) == 0;
  if (Below(64, &random) == 0) ends = false;
  size_t times = 1 + Below(4, &random);
  for (size_t i = 0; i < times; ++i) MutateOnce(&lines, &random, mutate_bytes);
  return Join(lines, ends, max_size);
}

std::string CrossLines(std::string_view one, std::string_view other, size_t max_size, uint32_t seed) {
  Random random(seed);
  Lines lines = SplitLines(one);
  Lines more = SplitLines(other);
  if (more.empty()) return Join(lines, true, max_size);
  size_t from = Below(more.size(), &random);
  size_t count = 1 + Below(std::min<size_t>(more.size() - from, 16), &random);
  for (size_t i = 0; i < count; ++i) {
    // In a stretch, or spread in their order.
    size_t at = Below(lines.size() + 1, &random);
    lines.insert(lines.begin() + static_cast<Difference>(at), more[from + i]);
  }
  return Join(lines, true, max_size);
}

std::string CrossBytes(std::string_view one, std::string_view other, size_t max_size, uint32_t seed) {
  Random random(seed);
  std::string bytes(one.substr(0, Below(one.size() + 1, &random)));
  bytes += other.substr(Below(other.size() + 1, &random));
  bytes.resize(std::min(bytes.size(), max_size));
  return bytes;
}

}  // namespace mmreplay
