// Scales a binary recording to any size, as bench_generate scales text.
//
//   bench_generate_binary BASE EVENTS > trace.dat | perf.data
//
// BASE is a trace.dat or a perf.data in file form, not compressed. It is repeated as a whole until there are
// at least EVENTS event records; the events written are counted on standard error. Every copy is later by the
// recording's length; nothing else differs. A trace.dat of version 7, packed or not, becomes one of version
// 6, whose layout is plain, with its first buffer only.
#include <fcntl.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/byte_reader.h"
#include "parser/input.h"
#include "parser/perf_header.h"

using namespace mmreplay;

namespace {

[[noreturn]] void Fail(const std::string& text) {
  throw std::runtime_error(text);
}

template <typename Int>
Int Load(std::string_view bytes, size_t at) {
  if (at + sizeof(Int) > bytes.size()) Fail("ends in the middle of a number");
  Int value{};
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}
template <typename Int>
void Store(std::string* bytes, size_t at, Int value) {
  std::memcpy(bytes->data() + at, &value, sizeof(value));
}
template <typename Int>
void Append(std::string* bytes, Int value) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void Write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) Fail("cannot be written");
}

uint64_t CopiesFor(uint64_t events, uint64_t in_one) {
  if (in_one == 0) Fail("holds no events");
  return std::max<uint64_t>(1, (events + in_one - 1) / in_one);
}

// ---- trace.dat ----

constexpr size_t kPage = 4096;

struct TraceDat {
  std::string head;   // of version 6, up to the number of cpus and the options
  std::string clock;  // behind the table of the cpus
  std::vector<std::string> cpus;
};

// Records of a page (kernel/trace/ring_buffer.c, struct ring_buffer_event): u32 with 5 bits of type or length
// and 27 bits of time, and what the type says. Calls back with the place and the time of each that is an
// event, and with the places of absolute times.
template <typename OnEvent, typename OnStamp>
void EachRecord(std::string_view page, OnEvent&& on_event, OnStamp&& on_stamp) {
  constexpr uint32_t kPadding = 29, kTimeExtend = 30, kTimeStamp = 31;
  auto time = Load<uint64_t>(page, 0);
  size_t end = 16 + (Load<uint64_t>(page, 8) & 0xfffff);
  for (size_t at = 16; at < end;) {
    auto word = Load<uint32_t>(page, at);
    uint32_t type = word & 31;
    uint32_t delta = word >> 5;
    switch (type) {
      case kPadding:
        if (delta == 0) return;
        time += delta;
        at += 4 + Load<uint32_t>(page, at + 4);
        break;
      case kTimeExtend:
        time += (uint64_t{Load<uint32_t>(page, at + 4)} << 27) + delta;
        at += 8;
        break;
      case kTimeStamp:
        time = (time & ~((uint64_t{1} << 59) - 1)) | uint64_t{Load<uint32_t>(page, at + 4)} << 27 | delta;
        on_stamp(at);
        at += 8;
        break;
      default:
        time += delta;
        on_event(time);
        at += type > 0 ? 4 + size_t{type} * 4 : 4 + (size_t{Load<uint32_t>(page, at + 4)} + 3) / 4 * 4;
    }
  }
}

void ShiftPage(uint64_t by, std::string* page) {
  std::vector<size_t> stamps;
  EachRecord(
      *page, [](uint64_t) {}, [&](size_t at) { stamps.push_back(at); });
  Store(page, 0, Load<uint64_t>(*page, 0) + by);
  for (size_t at : stamps) {
    uint64_t time = uint64_t{Load<uint32_t>(*page, at + 4)} << 27 | Load<uint32_t>(*page, at) >> 5;
    time += by;
    Store(page, at, static_cast<uint32_t>((time & 0x7ffffff) << 5 | (Load<uint32_t>(*page, at) & 31)));
    Store(page, at + 4, static_cast<uint32_t>(time >> 27));
  }
}

void TakeCpu(std::string_view file, uint64_t offset, uint64_t size, TraceDat* dat) {
  if (offset > file.size() || size > file.size() - offset || size % kPage != 0)
    Fail("has a cpu without its pages");
  dat->cpus.emplace_back(file.substr(offset, size));
}

TraceDat ReadVersion6(std::string_view file) {
  ByteReader reader(file);
  reader.Bytes(10);
  reader.CString();
  reader.Bytes(6);
  for (int i = 0; i < 2; ++i) {  // header_page, header_event
    reader.CString();
    reader.Bytes(reader.U64());
  }
  for (uint32_t i = reader.U32(); i > 0 && reader.ok(); --i) reader.Bytes(reader.U64());
  for (uint32_t systems = reader.U32(); systems > 0 && reader.ok(); --systems) {
    reader.CString();
    for (uint32_t i = reader.U32(); i > 0 && reader.ok(); --i) reader.Bytes(reader.U64());
  }
  reader.Bytes(reader.U32());  // kallsyms
  reader.Bytes(reader.U32());  // printk formats
  reader.Bytes(reader.U64());  // comms
  uint32_t cpus = reader.U32();
  std::string_view type = reader.Bytes(10);
  if (type.starts_with("options")) {
    while (reader.ok() && reader.U16() != 0) reader.Bytes(reader.U32());
    type = reader.Bytes(10);
  }
  if (!reader.ok() || !type.starts_with("flyrecord")) Fail("is no trace.dat with the pages of cpus");
  TraceDat dat;
  dat.head = file.substr(0, file.size() - reader.rest().size());
  for (uint32_t cpu = 0; cpu < cpus; ++cpu) {
    uint64_t offset = reader.U64();
    TakeCpu(file, offset, reader.U64(), &dat);
  }
  uint64_t clock_size = reader.U64();
  Append(&dat.clock, clock_size);
  dat.clock += reader.Bytes(clock_size);
  if (!reader.ok()) Fail("ends in the table of its cpus");
  return dat;
}

// <compressed size> <size> <data>
std::string UnpackPiece(ByteReader* reader) {
  uint32_t packed_size = reader->U32();
  std::string piece(reader->U32(), '\0');
  std::string_view packed = reader->Bytes(packed_size);
  size_t got = ZSTD_decompress(piece.data(), piece.size(), packed.data(), packed.size());
  if (!reader->ok() || ZSTD_isError(got) || got != piece.size()) Fail("does not unpack");
  return piece;
}

std::string SectionOf(std::string_view file, uint64_t offset) {
  ByteReader reader(file.substr(std::min<uint64_t>(offset, file.size())));
  reader.U16();
  bool packed = (reader.U16() & 1) != 0;
  reader.U32();
  std::string_view bytes = reader.Bytes(reader.U64());
  if (!reader.ok()) Fail("ends in a section");
  if (!packed) return std::string(bytes);
  std::string text;
  for (ByteReader pieces(bytes); !pieces.rest().empty();) text += UnpackPiece(&pieces);
  return text;
}

TraceDat ReadVersion7(std::string_view file) {
  constexpr uint16_t kDone = 0, kBuffer = 3, kTraceClock = 4, kFirstLater = 15, kFormats = 16,
                     kLastFormats = 21;
  ByteReader reader(file);
  std::string_view magic = reader.Bytes(10);
  reader.CString();
  std::string_view machine = reader.Bytes(6);
  bool packed = reader.CString() == "zstd";
  reader.CString();
  std::map<uint16_t, std::string> formats;  // header_page .. comms, in the order of version 6
  std::string options;
  std::string buffer;
  TraceDat dat;
  for (uint64_t next = reader.U64(); next != 0;) {
    std::string section = SectionOf(file, next);
    ByteReader option(section);
    next = 0;
    while (option.ok() && !option.rest().empty()) {
      uint16_t id = option.U16();
      std::string_view data = option.Bytes(option.U32());
      if (id == kDone) {
        next = ByteReader(data).U64();
        break;
      }
      if (id == kBuffer && buffer.empty()) buffer = data;
      if (id >= kFormats && id <= kLastFormats) formats[id] = SectionOf(file, ByteReader(data).U64());
      if (id == kBuffer || id >= kFirstLater) continue;
      if (id == kTraceClock) {
        std::string_view clock = data.substr(std::min(data.find('['), data.size()));
        clock = clock.substr(0, clock.find(']') + 1);
        Append(&dat.clock, uint64_t{clock.size()});
        dat.clock += clock;
      }
      Append(&options, id);
      Append(&options, static_cast<uint32_t>(data.size()));
      options += data;
    }
  }
  if (formats.size() != 6) Fail("has not all the formats of its events");
  dat.head = magic;
  dat.head.append("6\0", 2);
  dat.head += machine;
  for (const auto& [id, bytes] : formats) dat.head += bytes;
  ByteReader cpus(buffer);
  cpus.U64();
  cpus.CString();
  cpus.CString();
  cpus.U32();
  uint32_t count = cpus.U32();
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t cpu = cpus.U32();
    uint64_t offset = cpus.U64();
    uint64_t size = cpus.U64();
    if (!cpus.ok() || cpu > 4096) Fail("ends in the table of its cpus");
    while (dat.cpus.size() < cpu) dat.cpus.emplace_back();
    if (!packed || size == 0) {
      TakeCpu(file, offset, size, &dat);
      continue;
    }
    ByteReader pages(file.substr(std::min<uint64_t>(offset, file.size())));
    std::string bytes;
    for (uint32_t pieces = pages.U32(); pieces > 0; --pieces) bytes += UnpackPiece(&pages);
    TakeCpu(bytes, 0, bytes.size(), &dat);
  }
  Append(&dat.head, static_cast<uint32_t>(dat.cpus.size()));
  dat.head.append("options  \0", 10);
  dat.head += options;
  Append(&dat.head, kDone);
  dat.head.append("flyrecord\0", 10);
  return dat;
}

uint64_t ScaleTraceDat(std::string_view file, uint64_t events) {
  bool v7 = file.substr(10).starts_with("7");
  TraceDat dat = v7 ? ReadVersion7(file) : ReadVersion6(file);
  uint64_t in_one = 0;
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (const std::string& pages : dat.cpus) {
    for (size_t at = 0; at < pages.size(); at += kPage) {
      EachRecord(
          std::string_view(pages).substr(at, kPage),
          [&](uint64_t time) {
            ++in_one;
            first = std::min(first, time);
            last = std::max(last, time);
          },
          [](size_t) {});
    }
  }
  uint64_t copies = CopiesFor(events, in_one);
  uint64_t span = last - first + 1'000'000;
  auto aligned = [](uint64_t size) { return (size + kPage - 1) / kPage * kPage; };
  uint64_t offset = aligned(dat.head.size() + dat.cpus.size() * 16 + dat.clock.size());
  std::string head = dat.head;
  for (const std::string& pages : dat.cpus) {
    Append(&head, offset);
    Append(&head, uint64_t{pages.size() * copies});
    offset += pages.size() * copies;
  }
  head += dat.clock;
  head.resize(aligned(head.size()));
  Write(head);
  for (const std::string& pages : dat.cpus) {
    for (uint64_t copy = 0; copy < copies; ++copy) {
      for (size_t at = 0; at < pages.size(); at += kPage) {
        std::string page = pages.substr(at, kPage);
        ShiftPage(copy * span, &page);
        Write(page);
      }
    }
  }
  return in_one * copies;
}

// ---- perf.data ----

// Where a record has its time; nullopt where it has none.
std::optional<size_t> TimeOf(const PerfAttr& attr, std::string_view record) {
  using namespace perf_sample;
  auto words = [&](std::initializer_list<uint64_t> fields) {
    size_t count = 0;
    for (uint64_t field : fields) count += (attr.sample_type & field) != 0;
    return count * 8;
  };
  auto type = static_cast<PerfRecord>(Load<uint32_t>(record, 0));
  if (type == PerfRecord::kSample) return 8 + words({kIdentifier, kIp, kTid});
  if (static_cast<uint32_t>(type) >= 64 || !attr.sample_id_all) return std::nullopt;
  size_t behind = words({kTime, kId, kStreamId, kCpu, kIdentifier});
  if (record.size() < 8 + behind) Fail("has a record without its time");
  // What perf record wrote itself has 0 there.
  size_t at = record.size() - behind;
  return Load<uint64_t>(record, at) == 0 ? std::nullopt : std::optional(at);
}

uint64_t ScalePerfData(const SeekableFile& open, std::string_view file, uint64_t events) {
  constexpr size_t kDataSection = 40;
  constexpr size_t kFeatureBits = 72;
  PerfHeader header = ReadPerfHeader(open);
  if (header.pipe || header.cut_off || header.compressed || header.attrs.empty())
    Fail("is no whole, unpacked perf.data in file form");
  const PerfAttr& attr = header.attrs[0];
  using namespace perf_sample;
  constexpr uint64_t kAroundTime = kIdentifier | kIp | kTid | kTime | kId | kStreamId | kCpu;
  for (const PerfAttr& other : header.attrs) {
    if (((other.sample_type ^ attr.sample_type) & kAroundTime) != 0 ||
        other.sample_id_all != attr.sample_id_all || !(other.sample_type & kTime))
      Fail("has samples with their time in several places, or without");
  }
  struct Record {
    std::string bytes;
    std::optional<size_t> time;
  };
  std::vector<Record> records;
  uint64_t in_one = 0;
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (uint64_t at = header.data_offset; at < header.data_end;) {
    std::string_view record = file.substr(at, Load<uint16_t>(file, at + 6));
    if (record.size() < 8) Fail("has a record without a size");
    at += record.size();
    Record& kept = records.emplace_back(Record{std::string(record), TimeOf(attr, record)});
    if (static_cast<PerfRecord>(Load<uint32_t>(record, 0)) == PerfRecord::kSample) ++in_one;
    if (!kept.time) continue;
    auto time = Load<uint64_t>(record, *kept.time);
    first = std::min(first, time);
    last = std::max(last, time);
  }
  uint64_t copies = CopiesFor(events, in_one);
  uint64_t span = last - first + 1'000'000;
  auto in_later_copies = [](const Record& record) {
    return record.time ||
           static_cast<PerfRecord>(Load<uint32_t>(record.bytes, 0)) == PerfRecord::kFinishedRound;
  };
  uint64_t later = 0;
  for (const Record& record : records) later += in_later_copies(record) ? record.bytes.size() : 0;
  uint64_t growth = later * (copies - 1);

  std::string head(file.substr(0, header.data_offset));
  Store(&head, kDataSection + 8, header.data_end - header.data_offset + growth);
  Write(head);
  for (uint64_t copy = 0; copy < copies; ++copy) {
    for (const Record& record : records) {
      if (copy > 0 && !in_later_copies(record)) continue;
      std::string bytes = record.bytes;
      if (record.time) Store(&bytes, *record.time, Load<uint64_t>(bytes, *record.time) + copy * span);
      Write(bytes);
    }
  }
  // A section of offset and size for each feature, which are all behind the data.
  std::string tail(file.substr(header.data_end));
  size_t at = 0;
  for (size_t feature = 0; feature < 256; ++feature) {
    if (!(static_cast<uint8_t>(file[kFeatureBits + feature / 8]) >> (feature % 8) & 1)) continue;
    Store(&tail, at, Load<uint64_t>(tail, at) + growth);
    at += 16;
  }
  Write(tail);
  return in_one * copies;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_generate_binary BASE EVENTS > trace.dat | perf.data\n");
    return 2;
  }
  try {
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) Fail("cannot be opened");
    SeekableFile base(fd, argv[1]);
    std::string file = base.ReadAt(0, static_cast<size_t>(base.size()));
    uint64_t events = std::strtoull(argv[2], nullptr, 10);
    bool perf = file.starts_with("PERFILE2");
    if (!perf && !file.starts_with("\x17\x08\x44tracing")) Fail("is no trace.dat and no perf.data");
    uint64_t written = perf ? ScalePerfData(base, file, events) : ScaleTraceDat(file, events);
    if (std::fflush(stdout) != 0) Fail("cannot be written");
    std::fprintf(stderr, "%llu\n", static_cast<unsigned long long>(written));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[1], error.what());
    return 1;
  }
  return 0;
}
