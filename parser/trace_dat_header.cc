#include "parser/trace_dat_header.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <set>

#include "parser/byte_reader.h"
#include "parser/input_format.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// Options are small; a section that says otherwise is damaged.
constexpr uint64_t kMaxSection = uint64_t{64} << 20;

// Reads forward through the file, a few bytes here and a skipped table there.
class FileCursor {
 public:
  FileCursor(const SeekableFile& file, uint64_t offset) : file_(file), offset_(offset) {}

  template <typename Int>
  Int Read() {
    Int value{};
    ok_ = ok_ && file_.ReadAt(offset_, reinterpret_cast<char*>(&value), sizeof(value)) == sizeof(value);
    offset_ += sizeof(value);
    return ok_ ? value : Int{};
  }
  std::string Bytes(uint64_t size) {
    std::string bytes;
    if (size <= kMaxSection) bytes = file_.ReadAt(offset_, static_cast<size_t>(size));
    ok_ = ok_ && bytes.size() == size;
    offset_ += size;
    return ok_ ? bytes : std::string();
  }
  void Skip(uint64_t size) {
    ok_ = ok_ && size <= file_.size() && offset_ <= file_.size() - size;
    if (ok_) offset_ += size;
  }
  std::string CString() {
    std::string text = file_.ReadAt(offset_, static_cast<size_t>(std::min<uint64_t>(256, Left())));
    size_t end = text.find('\0');
    ok_ = ok_ && end != std::string::npos;
    if (!ok_) return {};
    offset_ += end + 1;
    return text.substr(0, end);
  }
  bool ok() const { return ok_; }
  uint64_t offset() const { return offset_; }

 private:
  uint64_t Left() const { return offset_ < file_.size() ? file_.size() - offset_ : 0; }

  const SeekableFile& file_;
  uint64_t offset_;
  bool ok_ = true;
};

enum Option : uint16_t {
  kDone = 0,
  kDate = 1,
  kCpuStat = 2,
  kBuffer = 3,
  kTraceClock = 4,
  kUname = 5,
  kOffset = 7,
  kCpuCount = 8,
  kTimeShift = 12,
  kTsc2Nsec = 14,
  kStrings = 15,
  kHeaderInfo = 16,
  kEventFormats = 18,
  kBufferText = 22,
};

// "local [global] counter": the one in brackets was on.
std::optional<std::string> ChosenClock(std::string_view text) {
  size_t open = text.find('[');
  size_t close = text.find(']', open == std::string_view::npos ? 0 : open);
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(open + 1, close - open - 1));
}

// Of the ring buffer, which may be 128 times the machine's (buffer_subbuf_size_kb, 6.8 and later:
// kernel/trace/trace.c, buffer_subbuf_size_write), and that is 64 KiB at most.
bool IsPageSize(uint64_t size) {
  return std::has_single_bit(size) && size >= 4096 && size <= uint64_t{8} << 20;
}

// Where what is recorded in a buffer begins.
struct BufferPlace {
  uint64_t section = 0;
  uint64_t end = 0;              // of version 7: of what the cpus recorded; 0: of no cpu
  uint32_t page_size = 0;        // 0: not told
  std::optional<uint32_t> cpus;  // of version 6
};

// More cpus than any machine has in as many buffers as anybody makes.
constexpr size_t kMostCpus = 65536;

// Of a cpu in a buffer, as the option tells it. Buffers may be told behind it.
struct CpuStatistics {
  std::string buffer;  // "": the top one
  std::optional<int32_t> cpu;
  std::optional<int64_t> entries;
  std::optional<int64_t> read;
};

struct Options {
  TraceDatHeader* header;
  std::vector<BufferPlace> buffers;
  std::optional<uint32_t> cpus;  // of version 6, in its top buffer
  std::string buffer_of_statistics;
  std::vector<CpuStatistics> statistics;
};

// \nBuffer: refs\n\n, in an option of its own before those of its cpus, each:
// CPU: 3
// entries: 13
// overrun: 0
// dropped events: 12
// read events: 891
void ReadStatistics(std::string_view text, Options* options) {
  CpuStatistics cpu{.buffer = options->buffer_of_statistics, .cpu = {}, .entries = {}, .read = {}};
  ForEachLine(text, [&](std::string_view line) {
    size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return;
    std::string_view key = line.substr(0, colon);
    std::string_view value = TrimBlanks(line.substr(colon + 2));
    if (key == "Buffer") {
      cpu.buffer = options->buffer_of_statistics = value;
      return;
    }
    auto number = ParseDecimal(value);
    if (!number || *number >= uint64_t{1} << 40) return;
    auto count = static_cast<int64_t>(*number);
    if (key == "CPU") cpu.cpu = static_cast<int32_t>(std::min<int64_t>(count, kMostCpus));
    if (key == "entries") cpu.entries = count;
    if (key == "read events") cpu.read = count;
    if (key == "dropped events") options->header->dropped_events += count;
  });
  if (cpu.cpu && options->statistics.size() < kMostCpus) options->statistics.push_back(std::move(cpu));
}

// Of buffers of one name nothing is known. A cpu that has events is to be in the tables.
void CountByStatistics(const Options& options) {
  TraceDatHeader* header = options.header;
  std::map<std::string_view, uint32_t> buffers = {{"", 0}};
  for (uint32_t i = 0; i < header->buffers.size(); ++i) {
    auto [buffer, first] = buffers.try_emplace(header->buffers[i], i + 1);
    if (!first) buffer->second = UINT32_MAX;
  }
  for (const CpuStatistics& of : options.statistics) {
    auto buffer = buffers.find(of.buffer);
    if (buffer == buffers.end() || buffer->second == UINT32_MAX || !of.entries || !of.read) continue;
    header->counts.try_emplace({buffer->second, *of.cpu}, *of.entries + *of.read);
  }
  std::set<std::pair<uint32_t, int32_t>> recorded;
  for (const TraceDatCpu& cpu : header->cpus) recorded.emplace(cpu.buffer, cpu.cpu);
  header->tables_contradict |=
      std::any_of(header->counts.begin(), header->counts.end(),
                  [&](const auto& count) { return count.second > 0 && !recorded.contains(count.first); });
}

void AddPageSize(uint64_t size, TraceDatHeader* header) {
  if (IsPageSize(size)) header->page_sizes.push_back(static_cast<uint32_t>(size));
}

// header_page is the kernel's own description of a page (ring_buffer_print_page_header):
//   field: local_t commit;	offset:8;	size:8;	signed:1;
//   field: char data;	offset:16;	size:4080;	signed:1;
// The size of a long in the file's head is that of the trace-cmd that wrote it.
void ReadHeaderPage(std::string_view header_page, TraceDatHeader* header) {
  ForEachLine(header_page, [&](std::string_view line) {
    auto number = [&](std::string_view key) -> std::optional<uint64_t> {
      size_t at = line.find(key);
      if (at == std::string_view::npos) return std::nullopt;
      std::string_view digits = line.substr(at + key.size());
      return ParseDecimal(digits.substr(0, digits.find(';')));
    };
    auto offset = number("offset:");
    auto size = number("size:");
    if (!offset || !size || *offset >= 64 || *size >= uint64_t{1} << 32) return;
    if (line.find(" data;") != std::string_view::npos) AddPageSize(*offset + *size, header);
    bool commit = line.find(" commit;") != std::string_view::npos;
    if (commit && (*size == 4 || *size == 8)) header->long_bytes = static_cast<size_t>(*size);
  });
}

bool AddCpu(const TraceDatCpu& cpu, TraceDatHeader* header) {
  bool room = header->cpus.size() < kMostCpus;
  if (room) header->cpus.push_back(cpu);
  header->tables_contradict |= !room;
  return room;
}

// v6: offset, name. v7: offset, name, clock, page size, cpus, of each: its number, offset, size.
void ReadBuffer(std::string_view data, bool v7, Options* options) {
  TraceDatHeader* header = options->header;
  ByteReader reader(data);
  BufferPlace place;
  place.section = reader.U64();
  std::string name(v7 ? reader.CString() : UpToNul(reader.rest()));
  constexpr size_t kMostBuffers = 4096;
  if (!name.empty() && header->buffers.size() < kMostBuffers) header->buffers.push_back(name);
  auto index = static_cast<uint32_t>(name.empty() ? 0 : header->buffers.size());
  if (v7) {
    std::string clock(reader.CString());
    if (!clock.empty()) {
      header->clocks_differ |= header->clock && *header->clock != clock;
      if (!header->clock || name.empty()) header->clock = clock;
    }
    uint32_t page_size = reader.U32();
    if (IsPageSize(page_size)) place.page_size = page_size;
    uint32_t cpus = reader.U32();
    for (uint32_t i = 0; i < cpus && reader.ok(); ++i) {
      TraceDatCpu cpu{.buffer = index};
      cpu.cpu = static_cast<int32_t>(reader.U32());
      cpu.offset = reader.U64();
      cpu.size = reader.U64();
      cpu.page_size = place.page_size;
      place.end = std::max(place.end, cpu.offset + cpu.size);
      if (!reader.ok() || !AddCpu(cpu, header)) break;
    }
    header->tables_contradict |= !reader.ok();
  }
  options->buffers.push_back(place);
}

// name: mm_page_free
void AddEvent(std::string_view system, std::string_view format, TraceDatHeader* header) {
  constexpr std::string_view kName = "name: ";
  std::string_view line = format.substr(0, format.find('\n'));
  if (line.starts_with(kName))
    header->events.insert(std::string(system) + ":" + std::string(TrimBlanks(line.substr(kName.size()))));
}

// What strtoll makes of it, to which libtracecmd gives it: "0x17a3...", "-1000".
int64_t NumberOf(std::string_view text) {
  text = TrimBlanks(UpToNul(text));
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
  return static_cast<int64_t>(negative ? 0 - number : number);
}

void AddOffset(int64_t ns, TraceDatHeader* header) {
  header->ts_offset =
      static_cast<int64_t>(static_cast<uint64_t>(header->ts_offset) + static_cast<uint64_t>(ns));
}

void ReadOption(uint16_t id, std::string_view data, bool v7, Options* options) {
  TraceDatHeader* header = options->header;
  switch (id) {
    case kDate:  // microseconds
      header->dates = true;
      AddOffset(static_cast<int64_t>(static_cast<uint64_t>(NumberOf(data)) * 1000), header);
      break;
    case kOffset:
      AddOffset(NumberOf(data), header);
      break;
    case kCpuStat:
      ReadStatistics(UpToNul(data), options);
      break;
    case kBuffer:
      ReadBuffer(data, v7, options);
      break;
    case kTraceClock:
      if (!header->clock) header->clock = ChosenClock(UpToNul(data));
      break;
    case kUname:
      header->uname = UpToNul(data);
      break;
    case kCpuCount:
      // Behind a buffer it is the buffer's.
      (options->buffers.empty() ? options->cpus : options->buffers.back().cpus) = ByteReader(data).U32();
      break;
    case kTimeShift:
      header->library_time = true;
      break;
    case kTsc2Nsec:
      header->ticks_to_ns |= ByteReader(data).U32() != 0;
      header->library_time |= header->ticks_to_ns;
      break;
    case kBufferText:
      header->latency = true;
      break;
    default:
      break;
  }
}

// Compressed sections are <compressed size> <size> <data>, once or more.
std::string Decompress(std::string_view section) {
  ByteReader reader(section);
  std::string text;
  while (reader.ok() && !reader.rest().empty()) {
    uint32_t packed_size = reader.U32();
    uint32_t size = reader.U32();
    std::string_view packed = reader.Bytes(packed_size);
    if (!reader.ok() || size > kMaxSection - text.size()) return {};
    size_t start = text.size();
    text.resize(start + size);
    size_t got = ZSTD_decompress(text.data() + start, size, packed.data(), packed.size());
    if (ZSTD_isError(got) || got != size) return {};
  }
  return text;
}

struct Section {
  uint16_t id = 0;
  std::string bytes;  // unpacked
};

class SectionReader {
 public:
  SectionReader(const SeekableFile& file, bool zstd) : file_(file), zstd_(zstd) {}

  // u16 id, u16 flags (1: compressed), u32 description, u64 size. nullopt beyond the file, and for a section
  // that was read already: they may be made to run in a circle.
  std::optional<Section> Read(uint64_t offset) {
    constexpr uint64_t kMostBytes = 4 * kMaxSection;  // of all sections, unpacked
    if (bytes_ > kMostBytes || !read_.insert(offset).second) return std::nullopt;
    FileCursor cursor(file_, offset);
    Section section;
    section.id = cursor.Read<uint16_t>();
    bool packed = (cursor.Read<uint16_t>() & 1) != 0;
    cursor.Read<uint32_t>();
    section.bytes = cursor.Bytes(cursor.Read<uint64_t>());
    if (!cursor.ok()) return std::nullopt;
    end_ = std::max(end_, cursor.offset());
    if (packed) section.bytes = zstd_ ? Decompress(section.bytes) : std::string();
    bytes_ += section.bytes.size();
    return section;
  }

  // Of all that were read.
  uint64_t end() const { return end_; }

 private:
  const SeekableFile& file_;
  bool zstd_;
  uint64_t end_ = 0;
  std::set<uint64_t> read_;
  uint64_t bytes_ = 0;
};

// nullopt where it is none, or longer than the file.
std::optional<uint64_t> EndOfSection(const SeekableFile& file, uint64_t offset) {
  FileCursor cursor(file, offset);
  cursor.Read<uint64_t>();  // id, flags, description
  cursor.Skip(cursor.Read<uint64_t>());
  return cursor.ok() ? std::optional(cursor.offset()) : std::nullopt;
}

// u32 systems, of each: name, u32 events, of each: u64 size, format
void ReadEventFormats(std::string_view bytes, TraceDatHeader* header) {
  ByteReader reader(bytes);
  uint32_t systems = reader.U32();
  for (uint32_t s = 0; s < systems && reader.ok(); ++s) {
    std::string_view system = reader.CString();
    uint32_t events = reader.U32();
    for (uint32_t i = 0; i < events && reader.ok(); ++i) AddEvent(system, reader.Bytes(reader.U64()), header);
  }
}

// Whether what the cpus recorded in a section is packed; nullopt where it is no such section.
std::optional<bool> IsPacked(const SeekableFile& file, uint64_t section) {
  FileCursor cursor(file, section);
  auto id = cursor.Read<uint16_t>();
  bool packed = (cursor.Read<uint16_t>() & 1) != 0;
  return cursor.ok() && id == kBuffer ? std::optional(packed) : std::nullopt;
}

// Whether the packed pieces of a cpu, with their number in front of them, take its size. `left`: of all cpus,
// how many pieces are looked at.
bool SizeHasNumber(const SeekableFile& file, const TraceDatCpu& cpu, uint64_t* left) {
  constexpr uint64_t kLeast = 8;  // bytes of a piece
  FileCursor cursor(file, cpu.offset);
  const uint64_t end = cpu.offset + cpu.size;
  uint64_t pieces = cursor.Read<uint32_t>();
  if (end < cpu.offset || pieces > cpu.size / kLeast || pieces > *left) return false;
  for (; pieces > 0 && cursor.ok() && cursor.offset() < end; --pieces, --*left) {
    auto packed_size = cursor.Read<uint32_t>();
    cursor.Read<uint32_t>();
    cursor.Skip(packed_size);
  }
  return cursor.ok() && pieces == 0 && cursor.offset() == end;
}

// The size in the file's table leaves out the number of the pieces in front of them (trace-cmd 3.1), or has
// it (3.3 and 3.4).
void SetPacked(const SeekableFile& file, bool packed, uint64_t* pieces_left, TraceDatCpu* cpu) {
  cpu->packed = packed;
  if (packed && cpu->size > 0 && !SizeHasNumber(file, *cpu, pieces_left)) cpu->size += sizeof(uint32_t);
}

// What is aligned to a page is so to none that is larger than this.
uint64_t LargestPage(const TraceDatHeader& header, const BufferPlace& buffer) {
  uint64_t largest = buffer.page_size;
  for (uint32_t size : header.page_sizes) largest = std::max<uint64_t>(largest, size);
  return largest;
}

// Returns where the file ends by what it says; 0 where it does not tell.
uint64_t ReadVersion7(const SeekableFile& file, FileCursor* cursor, Options* options) {
  TraceDatHeader* header = options->header;
  header->compression = cursor->CString();
  SectionReader sections(file, header->compression == "zstd");
  cursor->CString();  // its version
  auto next = cursor->Read<uint64_t>();
  bool done = false;                 // with the last section
  uint64_t pieces_left = 1'000'000;  // of 40 KiB each, unpacked
  while (!done) {
    auto section = sections.Read(next);
    if (!section || section->id != 0) break;
    ByteReader reader(section->bytes);
    while (reader.ok() && !reader.rest().empty()) {
      uint16_t id = reader.U16();
      std::string_view data = reader.Bytes(reader.U32());
      if (!reader.ok()) break;
      size_t first = header->cpus.size();
      size_t buffers = options->buffers.size();
      ReadOption(id, data, true, options);
      if (options->buffers.size() > buffers) {
        auto packed = IsPacked(file, options->buffers.back().section);
        header->tables_contradict |= !packed || (*packed && header->compression == "none");
        for (size_t i = first; i < header->cpus.size(); ++i)
          SetPacked(file, packed.value_or(header->compression != "none"), &pieces_left, &header->cpus[i]);
      }
      // The data of the last option are where the next section is.
      if (id == kDone) {
        next = ByteReader(data).U64();
        done = data.size() == sizeof(next) && next == 0;
        break;
      }
      if (id != kEventFormats && id != kHeaderInfo) continue;
      auto told = sections.Read(ByteReader(data).U64());
      if (told && id == kEventFormats) ReadEventFormats(told->bytes, header);
      if (told && id == kHeaderInfo) ReadHeaderPage(told->bytes, header);
    }
  }
  header->tables_contradict |= !done;
  if (!done) return 0;
  uint64_t end = sections.end();
  for (const BufferPlace& buffer : options->buffers) {
    // What the cpus recorded fills the section, but for less than a page at its end.
    std::optional<uint64_t> section_end = EndOfSection(file, buffer.section);
    bool recorded = buffer.end > 0;
    header->tables_contradict |=
        recorded && section_end && *section_end > buffer.end + LargestPage(*header, buffer);
    end = std::max({end, buffer.end, section_end.value_or(0)});
  }
  // What the sections are called stands behind all that have a place.
  while (auto strings = end < file.size() ? sections.Read(end) : std::nullopt) {
    if (strings->id != kStrings) break;
    end = sections.end();
  }
  return end;
}

// "options  ", the options, and what follows: "flyrecord", u64 offset, u64 size of each cpu. Returns where
// what the cpus recorded ends; 0 where the table is no such one.
uint64_t ReadTableOfCpus(FileCursor* cursor, uint32_t buffer, uint32_t cpus, Options* options) {
  TraceDatHeader* header = options->header;
  std::string type = cursor->Bytes(10);
  if (type.starts_with("options")) {
    for (auto id = cursor->Read<uint16_t>(); id != kDone && cursor->ok(); id = cursor->Read<uint16_t>()) {
      std::string data = cursor->Bytes(cursor->Read<uint32_t>());
      if (cursor->ok()) ReadOption(id, data, false, options);
    }
    type = cursor->Bytes(10);
  }
  header->latency |= type.starts_with("latency");
  if (!type.starts_with("flyrecord")) return 0;
  uint64_t end = 0;
  if (buffer == 0) {
    header->tables_contradict |= options->cpus && *options->cpus < cpus;
    cpus = std::max(cpus, options->cpus.value_or(0));
  }
  for (uint32_t i = 0; i < cpus; ++i) {
    TraceDatCpu cpu{.buffer = buffer, .cpu = static_cast<int32_t>(i)};
    cpu.offset = cursor->Read<uint64_t>();
    cpu.size = cursor->Read<uint64_t>();
    if (!cursor->ok() || !AddCpu(cpu, header)) break;
    end = std::max(end, cpu.offset + cpu.size);
  }
  header->tables_contradict |= !cursor->ok();
  return cursor->ok() ? end : 0;
}

// Likewise.
uint64_t ReadVersion6(const SeekableFile& file, FileCursor* cursor, Options* options) {
  TraceDatHeader* header = options->header;
  cursor->CString();  // header_page
  ReadHeaderPage(cursor->Bytes(cursor->Read<uint64_t>()), header);
  cursor->CString();  // header_event
  cursor->Skip(cursor->Read<uint64_t>());
  auto ftrace_events = cursor->Read<uint32_t>();
  for (uint32_t i = 0; i < ftrace_events && cursor->ok(); ++i) cursor->Skip(cursor->Read<uint64_t>());
  auto systems = cursor->Read<uint32_t>();
  for (uint32_t system = 0; system < systems && cursor->ok(); ++system) {
    std::string name = cursor->CString();
    auto events = cursor->Read<uint32_t>();
    for (uint32_t i = 0; i < events && cursor->ok(); ++i)
      AddEvent(name, cursor->Bytes(cursor->Read<uint64_t>()), header);
  }
  cursor->Skip(cursor->Read<uint32_t>());  // kallsyms
  cursor->Skip(cursor->Read<uint32_t>());  // printk formats
  cursor->Skip(cursor->Read<uint64_t>());  // comms
  auto cpus = cursor->Read<uint32_t>();
  if (!cursor->ok()) return 0;
  uint64_t end = ReadTableOfCpus(cursor, 0, cpus, options);
  // Other buffers have tables of their own, behind what the cpus recorded in this one.
  const std::vector<BufferPlace> buffers = options->buffers;
  for (size_t i = 0; i < buffers.size(); ++i) {
    FileCursor table(file, buffers[i].section);
    uint32_t cpus_of_buffer = buffers[i].cpus.value_or(options->cpus.value_or(cpus));
    uint64_t end_of_buffer = ReadTableOfCpus(&table, static_cast<uint32_t>(i + 1), cpus_of_buffer, options);
    end = end == 0 || end_of_buffer == 0 ? 0 : std::max(end, end_of_buffer);
  }
  return end;
}

// What the cpus recorded in one buffer lies side by side, each from the beginning of a page on. Of areas that
// overlap each byte is read once: a size that is wrong takes nothing from the others. What lies in none of
// them was recorded by one whose size is wrong.
void SeparateCpus(TraceDatHeader* header) {
  std::erase_if(header->cpus, [](const TraceDatCpu& cpu) { return cpu.size == 0 && cpu.offset == 0; });
  std::vector<TraceDatCpu*> by_offset;
  uint64_t largest_page = 0;
  for (uint32_t size : header->page_sizes) largest_page = std::max<uint64_t>(largest_page, size);
  for (TraceDatCpu& cpu : header->cpus) {
    by_offset.push_back(&cpu);
    largest_page = std::max<uint64_t>(largest_page, cpu.page_size);
  }
  std::stable_sort(by_offset.begin(), by_offset.end(),
                   [](const TraceDatCpu* a, const TraceDatCpu* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    TraceDatCpu& before = *by_offset[i - 1];
    const TraceDatCpu& cpu = *by_offset[i];
    uint64_t room = cpu.offset - before.offset;
    bool overlap = before.size > room;
    bool hole =
        before.buffer == cpu.buffer && !overlap && largest_page > 0 && room - before.size >= largest_page;
    header->tables_contradict |= overlap || hole;
    before.size = std::min(before.size, room);
  }
  std::erase_if(header->cpus, [](const TraceDatCpu& cpu) { return cpu.size == 0; });
}

// `cat a.dat b.dat`.
bool BeginsTraceDat(const SeekableFile& file, uint64_t offset) {
  return file.ReadAt(offset, kTraceDatMagic.size()) == kTraceDatMagic;
}

}  // namespace

TraceDatHeader ReadTraceDatHeader(const SeekableFile& file) {
  TraceDatHeader header;
  FileCursor cursor(file, kTraceDatMagic.size());
  header.version = cursor.CString();
  header.big_endian = cursor.Read<uint8_t>() == 1;
  header.long_bytes = cursor.Read<uint8_t>() == 4 ? 4 : 8;
  AddPageSize(cursor.Read<uint32_t>(), &header);
  if (!cursor.ok() || header.big_endian) return header;
  Options options{.header = &header, .buffers = {}, .cpus = {}, .buffer_of_statistics = {}, .statistics = {}};
  uint64_t end = 0;
  if (header.version == "7") {
    end = ReadVersion7(file, &cursor, &options);
  } else if (header.version == "6") {
    end = ReadVersion6(file, &cursor, &options);
  }
  SeparateCpus(&header);
  CountByStatistics(options);
  bool sized =
      !header.page_sizes.empty() || std::any_of(header.cpus.begin(), header.cpus.end(),
                                                [](const TraceDatCpu& cpu) { return cpu.page_size != 0; });
  header.tables_contradict |= !header.cpus.empty() && !sized;
  if (end > 0 && end < file.size() && BeginsTraceDat(file, end)) header.bytes_behind = file.size() - end;
  return header;
}

}  // namespace mmreplay
