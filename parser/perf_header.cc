#include "parser/perf_header.h"

#include <algorithm>

#include "parser/byte_reader.h"
#include "parser/input_format.h"
#include "parser/lines.h"
#include "parser/numbers.h"

namespace mmreplay {
namespace {

// Sections of the header are read whole. Event formats of a whole kernel take some 10 MB.
constexpr uint64_t kMaxFileSection = uint64_t{64} << 20;

enum Feature : uint64_t {
  kTracingDataFeature = 1,
  kOsRelease = 4,
  kArch = 6,
  kCpus = 7,
  kEventDesc = 12,
  kDirFormat = 24,
  kCompressedFeature = 27,
};

struct FileSection {
  uint64_t offset = 0;
  uint64_t size = 0;
};

FileSection ReadFileSection(ByteReader* reader) {
  FileSection section;
  section.offset = reader->U64();
  section.size = reader->U64();
  return section;
}

std::string Load(const SeekableFile& file, const FileSection& section) {
  if (section.size > kMaxFileSection) return {};
  return file.ReadAt(section.offset, static_cast<size_t>(section.size));
}

// u32 length, then that many bytes padded with NULs.
std::string_view ReadString(ByteReader* reader) {
  return UpToNul(reader->Bytes(reader->U32()));
}

// struct perf_event_attr; later kernels only append to it.
PerfAttr ReadAttr(std::string_view bytes) {
  std::string padded(bytes.substr(0, 136));
  padded.resize(136, '\0');
  ByteReader reader(padded);
  PerfAttr attr;
  attr.type = reader.U32();
  reader.U32();  // size
  attr.config = reader.U64();
  reader.U64();  // period
  attr.sample_type = reader.U64();
  attr.read_format = reader.U64();
  uint64_t flags = reader.U64();
  attr.sample_id_all = (flags >> 18 & 1) != 0;
  attr.overwrites = (flags >> 27 & 1) != 0;
  reader.Bytes(92 - 48);
  auto clockid = reader.Read<int32_t>();
  if (flags >> 25 & 1) attr.clockid = clockid;
  return attr;
}

// Of more attrs than events can be recorded at once, and of more ids than those have on all cpus, the rest is
// left out.
constexpr size_t kMostAttrs = 65'536;
constexpr size_t kMostIds = 1'000'000;

void AddAttr(std::string_view bytes, std::string_view ids, PerfHeader* header) {
  size_t index = header->attrs.size();
  if (index == kMostAttrs) return;
  header->attrs.push_back(ReadAttr(bytes));
  ByteReader reader(ids);
  while (reader.rest().size() >= 8 && header->attr_of_id.size() < kMostIds)
    header->shares_ids |= !header->attr_of_id.emplace(reader.U64(), index).second;
}

// One `name` of the header's descriptions belongs to the attr that has its ids.
void ReadEventDesc(std::string_view bytes, PerfHeader* header) {
  ByteReader reader(bytes);
  uint32_t count = reader.U32();
  uint32_t attr_size = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    reader.Bytes(attr_size);
    uint32_t ids = reader.U32();
    std::string_view name = ReadString(&reader);
    ByteReader id_reader(reader.Bytes(uint64_t{ids} * 8));
    if (!reader.ok()) return;
    size_t index = i;
    if (ids > 0) {
      auto known = header->attr_of_id.find(id_reader.U64());
      if (known != header->attr_of_id.end()) index = known->second;
    }
    if (index < header->attrs.size()) header->attrs[index].name = name;
  }
}

//         69 work
void ReadSavedComms(std::string_view text, PerfHeader* header) {
  ForEachLine(text, [&](std::string_view line) {
    if (header->comms.size() == PerfHeader::kMostComms) return;
    line = TrimBlanks(line);
    size_t blank = line.find(' ');
    auto pid = ParseDecimal(line.substr(0, blank));
    if (pid && *pid <= INT32_MAX && blank != std::string_view::npos)
      header->comms.emplace(static_cast<int32_t>(*pid), TrimBlanks(line.substr(blank)));
  });
}

// What trace-cmd puts at the head of a trace.dat too: the formats of the events.
// A kernel has some 3,000 events. Of more fields than any has, the formats are left out: their samples are
// kept without them.
void ReadTracingData(std::string_view bytes, PerfHeader* header) {
  constexpr size_t kMostFields = size_t{256} * 1024;
  size_t fields = 0;
  ByteReader reader(bytes);
  if (reader.Bytes(kTraceDatMagic.size()) != kTraceDatMagic) return;
  std::string_view version = reader.CString();
  reader.Bytes(1 + 1 + 4);  // byte order, size of long, page size
  reader.CString();         // header_page
  reader.Bytes(reader.U64());
  reader.CString();  // header_event
  reader.Bytes(reader.U64());
  auto add = [&](std::string_view system, std::string_view text) {
    if (fields >= kMostFields) return;
    auto layout = ParseEventLayout(system, text);
    if (!layout) return;
    fields += layout->fields.size() + 1;
    uint64_t id = layout->id;
    header->layouts.insert_or_assign(id, std::move(*layout));
  };
  uint32_t ftrace = reader.U32();
  for (uint32_t i = 0; i < ftrace && reader.ok(); ++i) add("ftrace", reader.Bytes(reader.U64()));
  uint32_t systems = reader.U32();
  for (uint32_t s = 0; s < systems && reader.ok(); ++s) {
    std::string_view system = reader.CString();
    uint32_t events = reader.U32();
    for (uint32_t i = 0; i < events && reader.ok(); ++i) add(system, reader.Bytes(reader.U64()));
  }
  reader.Bytes(reader.U32());  // kallsyms: empty since perf 4.4
  reader.Bytes(reader.U32());  // printk formats
  if (version >= "0.6") ReadSavedComms(reader.Bytes(reader.U64()), header);
}

void ReadFeature(uint64_t feature, std::string_view bytes, PerfHeader* header) {
  ByteReader reader(bytes);
  switch (feature) {
    case kTracingDataFeature:
      ReadTracingData(bytes, header);
      break;
    case kOsRelease:
      if (std::string_view text = ReadString(&reader); !text.empty()) header->kernel_release = text;
      break;
    case kArch:
      if (std::string_view text = ReadString(&reader); !text.empty()) header->machine = text;
      break;
    case kCpus:
      reader.U32();  // online or configured, in an order that changed
      if (uint32_t cpus = reader.U32(); reader.ok() && cpus <= 1'000'000)
        header->cpus = static_cast<int32_t>(cpus);
      break;
    case kEventDesc:
      ReadEventDesc(bytes, header);
      break;
    case kDirFormat:
      header->directory = true;
      break;
    case kCompressedFeature:
      header->compressed = true;
      break;
    default:
      break;
  }
}

// "PERFILE2", size 104, size of an attr, three sections (attrs, data, event types), a bit per feature. Behind
// the data a section per feature.
void ReadFileHeader(const SeekableFile& file, PerfHeader* header) {
  std::string head = file.ReadAt(0, 104);
  ByteReader reader(head);
  reader.Bytes(16);
  uint64_t attr_size = reader.U64();
  FileSection attrs = ReadFileSection(&reader);
  FileSection data = ReadFileSection(&reader);
  reader.Bytes(16);
  uint64_t features[4];
  for (uint64_t& word : features) word = reader.U64();
  if (!reader.ok()) {
    header->cut_off = true;
    return;
  }
  header->data_offset = std::min(data.offset, file.size());
  header->cut_off = data.size == 0 || data.size > file.size() - header->data_offset;
  header->data_end = header->cut_off ? file.size() : header->data_offset + data.size;

  std::string table = Load(file, attrs);
  ByteReader attr_reader(table);
  // An attr is followed by the section with its ids. Together they are no more than the file, unless they
  // overlap.
  uint64_t left = file.size();
  while (attr_size >= 64 + 16 && attr_reader.rest().size() >= attr_size) {
    std::string_view attr = attr_reader.Bytes(attr_size);
    ByteReader reader_of_ids(attr.substr(attr.size() - 16));
    FileSection ids = ReadFileSection(&reader_of_ids);
    if (ids.size > left) ids.size = 0;
    left -= ids.size;
    AddAttr(attr.substr(0, attr.size() - 16), Load(file, ids), header);
  }
  if (header->cut_off) return;
  uint64_t at = header->data_end;
  uint64_t end = at;
  left = file.size();  // of features, likewise
  for (uint64_t feature = 0; feature < 256; ++feature) {
    if (!(features[feature / 64] >> (feature % 64) & 1)) continue;
    std::string bytes = file.ReadAt(at, 16);
    ByteReader reader_of_place(bytes);
    FileSection section = ReadFileSection(&reader_of_place);
    if (section.size <= left) {
      left -= section.size;
      ReadFeature(feature, Load(file, section), header);
      if (section.offset <= file.size() - section.size) end = std::max(end, section.offset + section.size);
    }
    at += 16;
  }
  end = std::max({end, at, attrs.offset + std::min(attrs.size, file.size())});
  if (end < file.size()) header->bytes_behind = file.size() - end;
}

// Up to the first sample: perf record writes what describes the events before them.
void ReadPipeHeader(const SeekableFile& file, PerfHeader* header) {
  header->pipe = true;
  header->data_offset = 16;
  header->data_end = file.size();
  constexpr int kMaxRecords = 1'000'000;
  uint64_t at = 16;
  for (int records = 0; records < kMaxRecords; ++records) {
    std::string head = file.ReadAt(at, 8);
    ByteReader reader(head);
    auto type = static_cast<PerfRecord>(reader.U32());
    reader.U16();
    uint16_t size = reader.U16();
    if (!reader.ok() || size < 8) return;
    if (type == PerfRecord::kSample || type == PerfRecord::kCompressed || type == PerfRecord::kCompressed2)
      return;
    std::string record = file.ReadAt(at + 8, size - 8u);
    ByteReader body(record);
    at += size;
    if (type == PerfRecord::kHeaderAttr) {
      // The attr says its own size; its ids follow.
      uint64_t attr_size = ByteReader(body.rest().substr(0, 8)).U64() >> 32;
      std::string_view attr = body.Bytes(attr_size);
      if (body.ok()) AddAttr(attr, body.rest(), header);
    } else if (type == PerfRecord::kHeaderFeature) {
      uint64_t feature = body.U64();
      ReadFeature(feature, body.rest(), header);
    } else if (type == PerfRecord::kTracingData) {
      uint32_t bytes = body.U32();
      ReadTracingData(Load(file, {at, bytes}), header);
      at += (uint64_t{bytes} + 7) / 8 * 8;
    } else if (type == PerfRecord::kAuxTrace) {
      uint64_t bytes = body.U64();
      if (bytes > file.size()) return;
      at += bytes;
    } else if (type == PerfRecord::kEventUpdate) {
      constexpr uint64_t kName = 2;
      uint64_t what = body.U64();
      auto known = header->attr_of_id.find(body.U64());
      if (what == kName && known != header->attr_of_id.end())
        header->attrs[known->second].name = UpToNul(body.rest());
    }
  }
}

}  // namespace

std::optional<std::string> PerfHeader::Clock() const {
  if (attrs.empty()) return std::nullopt;
  if (!attrs[0].clockid) return "perf";
  switch (*attrs[0].clockid) {
    case 1:
      return "mono";
    case 4:
      return "mono_raw";
    case 7:
      return "boot";
    case 11:
      return "tai";
    default:
      return "clockid " + std::to_string(*attrs[0].clockid);
  }
}

PerfHeader ReadPerfHeader(const SeekableFile& file) {
  PerfHeader header;
  std::string head = file.ReadAt(0, 16);
  ByteReader reader(head);
  header.big_endian = reader.Bytes(8) == "2ELIFREP";
  uint64_t size = reader.U64();
  if (header.big_endian || !reader.ok()) return header;
  if (size == 16) {
    ReadPipeHeader(file, &header);
  } else {
    ReadFileHeader(file, &header);
  }
  return header;
}

}  // namespace mmreplay
