// Archives from strangers: what is in them is read or refused with a sentence, and nothing of it is written
// anywhere. All of them are made here, with libarchive's writer or byte by byte.
#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>

#include "parser/archive.h"
#include "parser/bundle.h"
#include "parser/compression.h"
#include "parser/error.h"
#include "parser/temporary_file.h"
#include "tests/analysis.h"
#include "tests/program.h"

namespace mmreplay {
namespace {

namespace fs = std::filesystem;

const std::string kTrace =
    "# tracer: nop\n#\n# entries-in-buffer/entries-written: 3/3   #P:4\n#\n"
    "           a-1       [000] ....     1.000001: sched_waking: comm=x pid=2 prio=120 target_cpu=001\n"
    "           b-2       [001] ....     1.000002: sched_waking: comm=x pid=3 prio=120 target_cpu=001\n"
    "           c-3       [002] ....     1.000003: u: (folio_unlock+0x0/0x50) f=0xffffea0000a00000\n";
const std::string kProbes = "p:x/w folio_wait_bit f=%di\np:x/u folio_unlock f=%di\n";

using Filter = int (*)(archive*);

// An archive as it is being written.
class Writer {
 public:
  Writer(const std::string& path, int (*format)(archive*), std::initializer_list<Filter> filters = {}) {
    REQUIRE(format(archive_) == ARCHIVE_OK);
    for (Filter filter : filters) REQUIRE(filter(archive_) == ARCHIVE_OK);
    REQUIRE(archive_write_open_filename(archive_, path.c_str()) == ARCHIVE_OK);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { archive_write_free(archive_); }

  Writer& File(const std::string& name, const std::string& content) {
    return Add(
        name, AE_IFREG, [](archive_entry*) {}, content);
  }

  template <typename Change>
  Writer& Add(const std::string& name, unsigned type, Change change, const std::string& content = {}) {
    std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                        archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    change(entry.get());
    REQUIRE(archive_write_header(archive_, entry.get()) >= ARCHIVE_WARN);
    return Bytes(content);
  }

  Writer& Bytes(const std::string& content) {
    REQUIRE(archive_write_data(archive_, content.data(), content.size()) ==
            static_cast<la_ssize_t>(content.size()));
    return *this;
  }

 private:
  archive* archive_ = archive_write_new();
};

// A compressed file without a tar in it.
void WriteCompressed(const std::string& path, std::initializer_list<Filter> filters, const std::string& piece,
                     size_t pieces = 1) {
  Writer writer(path, archive_write_set_format_raw, filters);
  writer.Add("x", AE_IFREG, [](archive_entry* e) { archive_entry_unset_size(e); });
  for (size_t i = 0; i < pieces; ++i) writer.Bytes(piece);
}

// A ustar header as it stands in the file, for what no writer would write.
std::string Header(const std::string& name, char type, const std::string& size) {
  std::string block(512, '\0');
  auto put = [&](size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size);
  put(136, "00000000000");
  block[156] = type;
  put(257, std::string("ustar\00000", 8));
  put(148, "        ");
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  char digits[8];
  snprintf(digits, sizeof(digits), "%06o", sum);
  put(148, std::string(digits, 7));
  return block;
}

std::string Padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512);
  return content;
}

RecordingOptions Inputs(const std::string& path) {
  return {.inputs = {path}, .dmesg = {}, .probes = {}};
}

// What refuses the input; empty where it is taken.
std::string ErrorOf(const std::string& path) {
  try {
    Analysis analysis(Inputs(path));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// All there is below a folder, with sizes.
std::vector<std::string> Tree(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    names.push_back(entry.path().string() +
                    (entry.is_regular_file() ? " " + std::to_string(entry.file_size()) : ""));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("nothing in an archive is written anywhere, whatever it is called and whatever it is",
          "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  fs::create_directories(f + "/run/deep");
  fs::create_directories(f + "/tmp");
  folder.Write("victim", "untouched\n");
  Writer(f + "/x.tar", archive_write_set_format_pax)
      .Add("trace", AE_IFLNK,
           [&](archive_entry* e) { archive_entry_set_symlink(e, (f + "/victim").c_str()); })
      .File("trace", kTrace)
      .Add("dir", AE_IFLNK, [&](archive_entry* e) { archive_entry_set_symlink(e, f.c_str()); })
      .File("dir/victim", "through a link\n")
      .File("../../victim", "above\n")
      .File("../victim", "above\n")
      .File(f + "/victim", "absolute\n")
      .File("../../../../../../../../../../" + f + "/victim2", "far above\n")
      .Add("hard", AE_IFREG,
           [&](archive_entry* e) { archive_entry_set_hardlink(e, (f + "/victim").c_str()); })
      .Add("etc", AE_IFREG, [&](archive_entry* e) { archive_entry_set_hardlink(e, "trace"); })
      .Add("null", AE_IFCHR, [](archive_entry* e) { archive_entry_set_rdev(e, makedev(1, 3)); })
      .Add("disk", AE_IFBLK, [](archive_entry* e) { archive_entry_set_rdev(e, makedev(8, 0)); })
      .Add("fifo", AE_IFIFO, [](archive_entry*) {})
      .Add("folder/", AE_IFDIR, [](archive_entry*) {})
      .File("empty", "")
      .File("probes", kProbes);
  std::vector<std::string> before = Tree(f);
  for (const char* how : {"../../x.tar", "- < ../../x.tar"}) {
    Run run = Shell("cd " + f + "/run/deep && TMPDIR=" + f + "/tmp $MMREPLAY analyze --format json " + how);
    CAPTURE(how, run.err, run.out);
    CHECK(run.exit_code == 0);
    CHECK(run.out.find("\"events\": 3") != std::string::npos);
  }
  CHECK(Tree(f) == before);
  CHECK(ReadFile(f + "/victim") == "untouched\n");

  Analysis analysis(Inputs(f + "/x.tar"));
  CHECK(analysis.Text("SELECT path FROM sources WHERE role = 'trace'") == f + "/x.tar:trace");
  CHECK(analysis.Count("SELECT count(*) FROM sources WHERE role = 'probes'") == 1);
  // Links, devices, fifos and folders are no files; each of the others is listed once.
  CHECK(analysis.Count("SELECT count(*) FROM sources") == 8);
  CHECK(analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'") == 0);
}

TEST_CASE("a tar without a magic number is one by its sum", "[archive]") {
  TemporaryFolder folder;
  std::string path = folder.path() + "/v7.tar";
  Writer(path, archive_write_set_format_v7tar).File("trace", kTrace).File("probes", kProbes);
  Analysis analysis(Inputs(path));
  CHECK(analysis.Count("SELECT count(*) FROM sources") == 2);
  CHECK(analysis.facts().lines.events == 3);
  // A byte of the head is another one.
  std::string bytes = ReadFile(path);
  bytes[2] = 'x';
  CHECK_THROWS(Analysis(Inputs(folder.Write("torn", bytes))));
}

TEST_CASE("what unpacks to too much is refused with a sentence", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  const std::string zeros(size_t{1} << 20, '\0');
  std::string lines;
  while (lines.size() < zeros.size()) lines += kTrace;

  WriteCompressed(f + "/nothing.zst", {archive_write_add_filter_zstd}, std::string(zeros.size(), '\1'), 300);
  CHECK(ErrorOf(f + "/nothing.zst").find("nothing.zst: unpacks to more than 500 times its size") !=
        std::string::npos);
  WriteCompressed(f + "/zeros.zst", {archive_write_add_filter_zstd}, lines, 300);
  CHECK(ErrorOf(f + "/zeros.zst").find("zeros.zst: unpacks to more than 500 times its size") !=
        std::string::npos);
  {
    Writer writer(f + "/trace.gz", archive_write_set_format_raw, {archive_write_add_filter_gzip});
    writer.Add("x", AE_IFREG, [](archive_entry* e) { archive_entry_unset_size(e); }).Bytes(kTrace);
    for (int i = 0; i < 300; ++i) writer.Bytes(zeros);
  }
  CHECK(ErrorOf(f + "/trace.gz").find("trace.gz: unpacks to more than 500 times its size") !=
        std::string::npos);
  // Not only where it is read: passing over it is work, too.
  {
    Writer writer(f + "/passed.tar.zst", archive_write_set_format_pax, {archive_write_add_filter_zstd});
    writer.Add("zeros", AE_IFREG, [&](archive_entry* e) { archive_entry_set_size(e, 300 << 20); });
    for (int i = 0; i < 300; ++i) writer.Bytes(zeros);
    writer.File("trace", kTrace);
  }
  CHECK(ErrorOf(f + "/passed.tar.zst").find("unpacks to more than 500 times") != std::string::npos);
  // One in another: the limit holds for both together.
  WriteCompressed(f + "/twice.gz", {archive_write_add_filter_zstd, archive_write_add_filter_gzip}, lines,
                  300);
  CHECK(ErrorOf(f + "/twice.gz").find("unpacks to more than 500 times") != std::string::npos);
  WriteCompressed(
      f + "/thrice.gz",
      {archive_write_add_filter_gzip, archive_write_add_filter_gzip, archive_write_add_filter_gzip}, kTrace);
  CHECK(ErrorOf(f + "/thrice.gz").find("thrice.gz: is compressed 3 times over") != std::string::npos);
  // What unpacking an xz file takes memory for is said at the head of each of its blocks.
  const std::string kBlockHead("\x02\x00\x21\x01", 4);
  REQUIRE(
      Shell("xz -c --block-size=64 " + folder.Write("blocks", kTrace) + " > " + f + "/blocks.xz").exit_code ==
      0);
  std::string blocks = ReadFile(f + "/blocks.xz");
  CHECK(Analysis(Inputs(f + "/blocks.xz")).facts().lines.events == 3);
  auto greedy = [&](size_t head) {
    std::string changed = blocks;
    changed[head + 4] = 36;  // 1 GiB
    uint32_t sum = lzma_crc32(reinterpret_cast<const uint8_t*>(changed.data()) + head, 8, 0);
    std::memcpy(changed.data() + head + 8, &sum, sizeof(sum));
    return changed;
  };
  size_t first = blocks.find(kBlockHead);
  size_t second = blocks.find(kBlockHead, first + 12);
  REQUIRE(second != std::string::npos);
  for (const std::string& bytes : {greedy(first), greedy(second), blocks + greedy(first)})
    CHECK(ErrorOf(folder.Write("greedy.xz", bytes))
              .find("greedy.xz: takes more than 130 MiB of memory to unpack") != std::string::npos);
  WriteCompressed(f + "/honest.gz.xz", {archive_write_add_filter_gzip, archive_write_add_filter_xz}, kTrace);
  CHECK(Analysis(Inputs(f + "/honest.gz.xz")).facts().lines.events == 3);
  WriteCompressed(f + "/inner.xz.gz", {archive_write_add_filter_xz, archive_write_add_filter_gzip}, kTrace);
  CHECK(Analysis(Inputs(f + "/inner.xz.gz")).facts().lines.events == 3);

  // As a user sees it.
  Run run = Shell("$MMREPLAY analyze -o " + f + "/out.db " + f + "/zeros.zst");
  CHECK(run.exit_code == 2);
  CHECK(run.out.empty());
  CHECK(run.err.starts_with("mmreplay: " + f + "/zeros.zst: unpacks to more than 500 times its size"));
  CHECK_FALSE(fs::exists(f + "/out.db"));
  run = Shell("$MMREPLAY triage " + f + "/zeros.zst " + f + "/honest.gz.xz");
  CHECK(run.exit_code == 2);
  CHECK(run.out.find("zeros.zst: unpacks to more than 500 times its size") != std::string::npos);
}

TEST_CASE("what compresses very well and is small, or is long and honest, is read", "[archive]") {
  TemporaryFolder folder;
  // 100 MB that shrink to some kilobytes: less than the size from which it matters.
  std::string piece;
  while (piece.size() < size_t{1} << 20) piece += kTrace;
  WriteCompressed(folder.path() + "/small.zst", {archive_write_add_filter_zstd}, piece, 100);
  InputMember small = std::move(OpenInput(folder.path() + "/small.zst").at(0));
  auto drain = [](const InputMember& member) {
    ReadFn read = member.open();
    std::vector<char> buffer(size_t{1} << 20);
    size_t total = 0;
    while (size_t got = read(buffer.data(), buffer.size())) total += got;
    return total;
  };
  CHECK(drain(small) == piece.size() * 100);
  CHECK(fs::file_size(folder.path() + "/small.zst") < piece.size() / 10);
  // 600 MB at 60 times, as a trace may have: a few bytes of each line are new.
  std::mt19937_64 random(3);
  {
    Writer writer(folder.path() + "/long.zst", archive_write_set_format_raw, {archive_write_add_filter_zstd});
    writer.Add("x", AE_IFREG, [](archive_entry* e) { archive_entry_unset_size(e); });
    for (int i = 0; i < 600; ++i) {
      for (size_t at = 0; at + 400 < piece.size(); at += 800) {
        uint64_t value = random();
        piece.replace(at, sizeof(value), reinterpret_cast<const char*>(&value), sizeof(value));
      }
      writer.Bytes(piece);
    }
  }
  double ratio = 600.0 * static_cast<double>(piece.size()) /
                 static_cast<double>(fs::file_size(folder.path() + "/long.zst"));
  CAPTURE(ratio);
  CHECK(ratio > 30);
  CHECK(ratio < static_cast<double>(kUnpackedRatio));
  CHECK(drain(OpenInput(folder.path() + "/long.zst").at(0)) == piece.size() * 600);
}

TEST_CASE("sizes a tar only claims cost nothing", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  std::string end(1024, '\0');
  // 2^60 in base 256, and nothing behind it.
  std::string huge = std::string("\x80\0\0\0\x10\0\0\0\0\0\0\0", 12);
  std::string trace = Header("trace", '0', "00000000" + std::string(3, '0'));
  char octal[12];
  snprintf(octal, sizeof(octal), "%011zo", kTrace.size());
  trace = Header("trace", '0', octal) + Padded(kTrace);
  folder.Write("claims.tar", trace + Header("big", '0', huge) + "x");
  Analysis claims(Inputs(f + "/claims.tar"));
  CHECK(claims.facts().lines.events == 3);
  CHECK(claims.Text("SELECT text FROM trace_issues WHERE kind = 'damaged'")
            .starts_with(f + "/claims.tar: is damaged or cut off ("));
  folder.Write("negative.tar",
               Header("big", '0', std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", 12)));
  CHECK_FALSE(ErrorOf(f + "/negative.tar").empty());
  // The trace itself: what is there is read.
  folder.Write("trace.tar", Header("trace", '0', huge) + kTrace);
  Analysis cut(Inputs(f + "/trace.tar"));
  CHECK(cut.facts().lines.events == 3);
  CHECK(cut.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'") == 1);

  // Holes: passed over for nothing, and limited where they are read.
  auto sparse = [](archive_entry* e) {
    archive_entry_set_size(e, la_int64_t{1} << 60);
    archive_entry_sparse_add_entry(e, (la_int64_t{1} << 60) - 1, 1);
  };
  Writer(f + "/beside.tar", archive_write_set_format_pax).Add("hole", AE_IFREG, sparse).File("trace", kTrace);
  CHECK(Analysis(Inputs(f + "/beside.tar")).facts().lines.events == 3);
  auto head = [](archive_entry* e) {
    archive_entry_set_size(e, la_int64_t{1} << 60);
    archive_entry_sparse_add_entry(e, 0, static_cast<la_int64_t>(kTrace.size()));
  };
  Writer(f + "/hole.tar", archive_write_set_format_pax).Add("trace", AE_IFREG, head, kTrace);
  ReadFn hole = OpenInput(f + "/hole.tar").at(0).open();
  std::string begin(kTrace.size() + 1, 'x');
  REQUIRE(hole(begin.data(), kTrace.size()) == kTrace.size());
  CHECK(begin == kTrace + "x");
  std::vector<char> buffer(size_t{1} << 20, 'x');
  auto drain = [&] {
    while (hole(buffer.data(), buffer.size()) > 0) REQUIRE(buffer[0] == '\0');
  };
  CHECK_THROWS_WITH(drain(), Catch::Contains("hole.tar: unpacks to more than 500 times its size"));

  // A map of holes that would fill the memory.
  std::string map = "3000000\n";
  while (map.size() < size_t{12} << 20) map += "0\n0\n";
  snprintf(octal, sizeof(octal), "%011zo", map.size());
  std::string pax =
      "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=trace\n32 "
      "GNU.sparse.realsize=99999999\n";
  char pax_octal[12];
  snprintf(pax_octal, sizeof(pax_octal), "%011zo", pax.size());
  folder.Write("map.tar",
               Header("x", 'x', pax_octal) + Padded(pax) + Header("trace", '0', octal) + Padded(map) + end);
  CHECK(ErrorOf(f + "/map.tar").find("map.tar: describes a file in more than 4 MiB") != std::string::npos);

  // Long names of nothing, one after the other.
  std::string names;
  for (int i = 0; i < 20'000; ++i) names += Header("././@LongLink", 'L', "00000000004") + Padded("abc");
  folder.Write("names.tar", names + trace + end);
  ErrorOf(f + "/names.tar");  // whatever it says, it comes back
}

TEST_CASE("thousands of members", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  {
    Writer writer(f + "/many.tar.gz", archive_write_set_format_pax, {archive_write_add_filter_gzip});
    for (int i = 0; i < 2000; ++i) writer.File("f" + std::to_string(i), i % 2 ? "" : "Dear list,\n");
    writer.File("trace", kTrace);
    for (int i = 0; i < 2000; ++i) writer.File("f" + std::to_string(i), "again\n");
  }
  Analysis many(Inputs(f + "/many.tar.gz"));
  CHECK(many.facts().lines.events == 3);
  CHECK(many.Count("SELECT count(*) FROM sources") == 4001);
  {
    Writer writer(f + "/more.tar.gz", archive_write_set_format_pax, {archive_write_add_filter_gzip});
    writer.File("trace", kTrace);
    for (size_t i = 0; i < kMostFiles; ++i) writer.File("f", "");
  }
  CHECK(ErrorOf(f + "/more.tar.gz") == f + "/more.tar.gz: more than 4096 files are too many for one "
                                           "recording; give the trace and what belongs to it");

  // What is kept of their beginnings is limited.
  HeadBudget heads;
  ReadFn endless = [](char* buffer, size_t size) {
    std::fill_n(buffer, size, 'x');
    return size;
  };
  size_t kept = 0;
  bool whole = true;
  for (size_t i = 0; i < kMostFiles; ++i) {
    size_t size = heads.Read("x", endless, &whole).size();
    CHECK((i > 0 || size == kHeadBytes));
    kept += size;
  }
  CHECK_FALSE(whole);
  CHECK(kept <= size_t{128} << 20);
  CHECK_THROWS_WITH(heads.Read("x", endless, &whole), Catch::Contains("too many"));
}

TEST_CASE("members are unpacked once, in whatever order they are asked for", "[archive]") {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/x.tar.zst";
  std::vector<std::string> contents;
  {
    Writer writer(path, archive_write_set_format_pax, {archive_write_add_filter_zstd});
    for (int i = 0; i < 40; ++i) {
      contents.push_back(std::string(kHeadBytes + 10, static_cast<char>('a' + i % 26)));
      writer.File("f" + std::to_string(i), contents.back());
    }
  }
  size_t opened = 0;
  std::string bytes = ReadFile(path);
  HeadBudget heads;
  auto open = [&]() -> ReadFn {
    ++opened;
    return [&, at = size_t{0}](char* buffer, size_t size) mutable {
      size_t take = std::min(size, bytes.size() - at);
      bytes.copy(buffer, take, at);
      at += take;
      return take;
    };
  };
  std::vector<InputMember> members = ArchiveMembers(path, open, &heads);
  REQUIRE(members.size() == 40);
  for (size_t i = 0; i < members.size(); ++i) CHECK(ReadAll(members[i], size_t{1} << 30) == contents[i]);
  CHECK(opened == 2);  // to list them and to read them
  for (size_t i : {size_t{7}, size_t{3}, size_t{39}, size_t{39}, size_t{0}})
    CHECK(ReadAll(members[i], size_t{1} << 30) == contents[i]);
  // Two at a time do not get in each other's way.
  ReadFn one = members[4].open();
  ReadFn other = members[2].open();
  char a = 0;
  char b = 0;
  for (int i = 0; i < 100; ++i) REQUIRE((one(&a, 1) == 1 && other(&b, 1) == 1 && a == 'e' && b == 'c'));
}

TEST_CASE("the files of many cpus are unpacked one at a time", "[archive]") {
  TemporaryFolder folder;
  {
    Writer writer(folder.path() + "/cpus.tar.xz", archive_write_set_format_pax,
                  {archive_write_add_filter_xz});
    for (int cpu = 0; cpu < 12; ++cpu) {
      char line[120];
      snprintf(line, sizeof(line),
               "           a-1       [%03d] ....     1.%06d: sched_waking: comm=x pid=2\n", cpu, 50 - cpu);
      writer.File("per_cpu/cpu" + std::to_string(cpu) + "/trace", "# tracer: nop\n#\n" + std::string(line));
    }
  }
  Analysis analysis(Inputs(folder.path() + "/cpus.tar.xz"));
  CHECK(analysis.facts().lines.events == 12);
  CHECK(analysis.Text("SELECT group_concat(cpu) FROM (SELECT cpu FROM events ORDER BY id)") ==
        "11,10,9,8,7,6,5,4,3,2,1,0");
}

TEST_CASE("names of an archive's files may be so long in all", "[archive]") {
  TemporaryFolder folder;
  {
    Writer writer(folder.path() + "/names.tar.gz", archive_write_set_format_pax,
                  {archive_write_add_filter_gzip});
    writer.File("trace", kTrace);
    for (int i = 0; i < 20; ++i) writer.File(std::string(900'000, static_cast<char>('a' + i)), "x");
  }
  CHECK(ErrorOf(folder.path() + "/names.tar.gz")
            .find("names.tar.gz: the names of its files have more than 16 MiB") != std::string::npos);
}

TEST_CASE("a tar that ends between two files is cut off", "[archive]") {
  TemporaryFolder folder;
  auto member = [](const std::string& name, const std::string& content) {
    char size[12];
    snprintf(size, sizeof(size), "%011zo", content.size());
    return Header(name, '0', size) + Padded(content);
  };
  std::string first = member("kprobe_events", kProbes) + member("trace", kTrace);
  std::string files = first + member("uname", "Linux (none) 6.1.0-9-amd64 #1 SMP x86_64 GNU/Linux\n");
  auto damage = [&](const std::string& bytes) {
    Analysis analysis(Inputs(folder.Write("whole.tar", bytes)));
    CHECK(analysis.facts().lines.events == 3);
    return analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'");
  };
  CHECK(damage(first) == 1);
  CHECK(damage(files) == 1);
  CHECK(damage(files + std::string(1024, '\0')) == 0);
}

TEST_CASE("behind a description that makes no sense a tar is read on", "[archive]") {
  TemporaryFolder folder;
  auto member = [](const std::string& name, const std::string& content) {
    char size[12];
    snprintf(size, sizeof(size), "%011zo", content.size());
    return Header(name, '0', size) + Padded(content);
  };
  std::string lost = member("kprobe_events", kProbes);
  lost[150] ^= 1;  // a digit of the sum
  const std::string trace = member("trace", kTrace) + std::string(1024, '\0');
  const std::string first = member("uname", "Linux (none) 6.1.0-9-amd64 #1 SMP x86_64\n");
  Analysis analysis(Inputs(folder.Write("torn.tar", first + lost + trace)));
  CHECK(analysis.facts().lines.events == 3);
  CHECK(analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged' AND severity = 'error'") ==
        1);
}

TEST_CASE("an archive that is cut off gives what came before, and says so", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  std::string trace = kTrace;
  std::mt19937 random(1);
  for (int i = 0; i < 40; ++i)
    trace += "           d-4       [003] ....     2." + std::to_string(100000 + i) +
             ": sched_waking: comm=" + std::to_string(random()) + " pid=2 prio=120 target_cpu=001\n";
  for (Filter filter :
       {archive_write_add_filter_gzip, archive_write_add_filter_xz, archive_write_add_filter_zstd,
        archive_write_add_filter_bzip2, archive_write_add_filter_none}) {
    Writer(f + "/whole", archive_write_set_format_ustar, {filter})
        .File("probes", kProbes)
        .File("trace", trace)
        .File("uname", "Linux (none) 6.1.0-9-amd64 #1 SMP x86_64 GNU/Linux\n");
    std::string bytes = ReadFile(f + "/whole");
    bool plain = bytes.size() >= 10240;
    int read = 0;
    int refused = 0;
    for (size_t length = 0; length < bytes.size(); length += plain ? 173 : 1 + bytes.size() / 300) {
      CAPTURE(bytes.size(), length);
      std::string path = folder.Write("cut", bytes.substr(0, length));
      try {
        Analysis analysis(Inputs(path));
        ++read;
        int64_t events = analysis.facts().lines.events;
        CHECK(events <= 43);
        bool told = analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'") > 0;
        if (events < 43) CHECK(told);
        if (told)
          CHECK(analysis.Text("SELECT text FROM trace_issues WHERE kind = 'damaged'")
                    .starts_with(path + ": is damaged or cut off ("));
      } catch (const Error& error) {
        ++refused;
        CHECK(std::string(error.what()).starts_with(path));
      }
    }
    CAPTURE(bytes.size(), read, refused);
    CHECK(refused > 0);
    // bzip2 and small blocks of the others give all or nothing.
    if (plain) CHECK(read > 10);
    // Damaged in the middle: no crash, no hang, and never more than there was.
    for (int i = 0; i < 150; ++i) {
      std::string damaged = bytes;
      for (int byte = 0; byte < 3; ++byte) damaged[random() % damaged.size()] = static_cast<char>(random());
      std::string path = folder.Write("damaged", damaged);
      std::string error = ErrorOf(path);
      CAPTURE(i, error);
      if (!error.empty()) CHECK(error.starts_with(path));
    }
  }
}

TEST_CASE("what follows packed bytes is packed, padding, or told", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  auto packed = [&](Filter filter) {
    Writer(f + "/packed", archive_write_set_format_raw, {filter}).File("trace", kTrace);
    return ReadFile(f + "/packed");
  };
  auto damage = [](const std::string& path) {
    Analysis analysis(Inputs(path));
    CHECK(analysis.facts().lines.events >= 3);
    return analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'");
  };
  for (Filter filter : {archive_write_add_filter_gzip, archive_write_add_filter_bzip2}) {
    std::string once = packed(filter);
    CHECK(damage(folder.Write("once", once)) == 0);
    CHECK(damage(folder.Write("twice", once + once)) == 0);
    CHECK(damage(folder.Write("padded", once + std::string(100'000, '\0'))) == 0);
    std::string spoilt = once;
    spoilt[filter == archive_write_add_filter_gzip ? 0 : 3] = '0';
    CHECK(damage(folder.Write("spoilt", once + spoilt)) == 1);
    CHECK(damage(folder.Write("far", once + std::string(200'000, '\0') + "words")) == 1);
  }
}

TEST_CASE("of damaged packed bytes all is read that can be", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  auto read = [&](const std::string& name, const std::string& bytes) {
    Analysis analysis(Inputs(folder.Write(name, bytes)));
    return std::pair(analysis.facts().lines.events,
                     analysis.Count("SELECT count(*) FROM trace_issues WHERE kind = 'damaged'"));
  };
  struct Tool {
    const char* suffix;
    Filter filter;
    size_t check;  // bytes of a sum, or of an end, that are behind what is packed
  };
  for (const Tool& tool :
       {Tool{".gz", archive_write_add_filter_gzip, 8}, Tool{".bz2", archive_write_add_filter_bzip2, 0},
        Tool{".xz", archive_write_add_filter_xz, 12}, Tool{".zst", archive_write_add_filter_zstd, 0}}) {
    CAPTURE(tool.suffix);
    std::string name = std::string("whole") + tool.suffix;
    WriteCompressed(f + "/" + name, {tool.filter}, kTrace);
    std::string whole = ReadFile(f + "/" + name);
    CHECK(read(name, whole) == std::pair(int64_t{3}, int64_t{0}));
    // A block of zstd is given out whole, or not at all.
    if (tool.filter != archive_write_add_filter_zstd)
      CHECK(read("cut" + name, whole.substr(0, whole.size() - 1)).second == 1);
    if (tool.check > 0)
      CHECK(read("cut" + name, whole.substr(0, whole.size() - tool.check)) ==
            std::pair(int64_t{3}, int64_t{1}));
    CHECK(read("words" + name, whole + "words behind it") == std::pair(int64_t{3}, int64_t{1}));
    CHECK(read("zeros" + name, whole + std::string(1000, '\0')) == std::pair(int64_t{3}, int64_t{0}));
    CHECK(read("twice" + name, whole + whole.substr(0, whole.size() / 2)).second == 1);
  }
  // gzip's sum and size of what is packed.
  std::string gzip = ReadFile(f + "/whole.gz");
  for (size_t at : {gzip.size() - 8, gzip.size() - 1}) {
    std::string wrong = gzip;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    CHECK(read("wrong.gz", wrong) == std::pair(int64_t{3}, int64_t{1}));
  }
  // pzstd begins with a frame that holds no content.
  std::string skippable("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
  CHECK(read("skip.zst", skippable + ReadFile(f + "/whole.zst")) == std::pair(int64_t{3}, int64_t{0}));

  // A tar with something behind it, and one whose first description is damaged.
  {
    Writer writer(f + "/a.tar", archive_write_set_format_pax);
    writer.File("trace", kTrace);
  }
  std::string tar = ReadFile(f + "/a.tar");
  CHECK(read("zeros.tar", tar + std::string(100'000, '\0')) == std::pair(int64_t{3}, int64_t{0}));
  CHECK(read("two.tar", tar + tar) == std::pair(int64_t{3}, int64_t{1}));
  {
    // Lines without a cpu are events, too.
    Writer writer(f + "/b.tar", archive_write_set_format_pax);
    writer.File("perf.txt", "            work    69   100.000040: kmem:mm_page_free: pfn=0x28000 order=9\n");
    writer.File("kprobe_events", kProbes);
  }
  CHECK(read("nocpu.tar", ReadFile(f + "/b.tar") + "words") == std::pair(int64_t{1}, int64_t{1}));
  CHECK(read("words.tar", tar + std::string(100'000, '\0') + "words") == std::pair(int64_t{3}, int64_t{1}));
  tar[150] = static_cast<char>(tar[150] ^ 1);  // of the sum over it
  CHECK(
      ErrorOf(folder.Write("first.tar", tar)).find("first.tar: is damaged or cut off (the description of") !=
      std::string::npos);
}

TEST_CASE("a long compressed trace that breaks off is judged as far as it goes", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("tar -xOf samples/x86-fired.tar.xz x86-fired/trace.txt | gzip > " + f +
                "/t.gz && size=$(stat -c %s " + f + "/t.gz) && head -c $((size / 2)) " + f + "/t.gz > " + f +
                "/half.gz")
              .exit_code == 0);
  Run run = Shell("$MMREPLAY analyze -o " + f + "/half.db " + f + "/half.gz");
  CAPTURE(run.err, run.out);
  CHECK(run.exit_code == 1);
  CHECK(run.out.find("error: " + f + "/half.gz: is damaged or cut off (truncated input): the rest was") !=
        std::string::npos);
  CHECK(
      Shell("$MMREPLAY query " + f + "/half.db 'SELECT count(*) > 1000 AS n FROM events' --format csv").out ==
      "n\r\n1\r\n");
  // In a folder it takes nothing else along.
  fs::create_directories(f + "/folder");
  REQUIRE(Shell("cd " + f + " && head -c 100 half.gz > folder/broken.gz && gzip -dc t.gz > folder/trace")
              .exit_code == 0);
  run = Shell("$MMREPLAY analyze " + f + "/folder");
  CHECK(run.exit_code == 1);
  // By itself there is nothing to read in it.
  run = Shell("head -c 12 " + f + "/half.gz > " + f + "/tiny.gz; $MMREPLAY analyze " + f + "/tiny.gz");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("tiny.gz: is damaged or cut off (") != std::string::npos);
  // Nor beside a log of the console, which is not what is to blame.
  run = Shell("mkdir " + f + "/beside; cp " + f + "/tiny.gz " + f + "/beside/trace.gz; tar -xOf " +
              "samples/x86-fired.tar.xz x86-fired/dmesg.txt > " + f +
              "/beside/dmesg.txt; $MMREPLAY analyze " + f + "/beside");
  CHECK(run.exit_code == 2);
  CHECK(run.err.find("trace.gz: is damaged or cut off (") != std::string::npos);
}

TEST_CASE("a side file that was never written is a part that could not be read", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("tar -C " + f + " -xf samples/arm64-fixed.tar.xz").exit_code == 0);
  std::string recording = f + "/arm64-fixed";
  CHECK(Execute({"analyze", recording}).exit_code == 0);
  folder.Write("arm64-fixed/dmesg.txt", std::string(4096, '\0'));
  Run run = Execute({"analyze", recording});
  CHECK(run.exit_code == 3);
  CHECK(run.out.find("dmesg.txt: holds NUL bytes only") != std::string::npos);
  folder.Write("arm64-fixed/dmesg.txt", "");
  CHECK(Execute({"analyze", recording}).exit_code == 0);
}

TEST_CASE("what could not be read may hold the finding: the rest is not called clean", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  REQUIRE(Shell("cp samples/arm64-fixed.tar.xz " + f + "/whole.tar.xz && cd " + f +
                " && mkdir x && tar -C x -xf whole.tar.xz && cat x/*/trace.txt > trace && gzip -k trace && "
                "xz -k trace "
                "&& zstd -q trace")
              .exit_code == 0);
  for (const char* name : {"whole.tar.xz", "trace.gz", "trace.xz", "trace.zst"}) {
    CAPTURE(name);
    std::string whole = f + "/" + name;
    std::string cut = f + "/cut." + name;
    std::string bytes = ReadFile(whole);
    folder.Write(std::string("cut.") + name, bytes.substr(0, bytes.size() * 3 / 4));
    CHECK(Execute({"analyze", whole}).exit_code == 0);
    Run run = Execute({"analyze", cut, "-o", f + "/cut.db"});
    CHECK(run.exit_code == 3);
    CHECK(run.out.starts_with("CANNOT TELL: no finding, but a part of the input could not be read\n"));
    CHECK(run.out.find("error: " + cut + ": is damaged or cut off (") != std::string::npos);
    CHECK(Execute({"report", f + "/cut.db"}).out == run.out);
    CHECK(Execute({"replay", f + "/cut.db", "-o", f + "/again.db"}).exit_code == 3);
    Run triage = Execute({"triage", whole, cut});
    CHECK(triage.exit_code == 3);
    CHECK(triage.out.find("a part of it could not be read") != std::string::npos);
    CHECK(Execute({"analyze", cut, "--format", "json"}).out.find("\"verdict\": \"cannot tell\"") !=
          std::string::npos);
  }
}

TEST_CASE("what is packed another way is called by its name", "[archive]") {
  TemporaryFolder folder;
  const std::string& f = folder.path();
  Writer(f + "/zip", archive_write_set_format_zip).File("trace", kTrace);
  Writer(f + "/7z", archive_write_set_format_7zip).File("trace", kTrace);
  Writer(f + "/cpio", archive_write_set_format_cpio_newc).File("trace", kTrace);
  Writer(f + "/old", archive_write_set_format_cpio).File("trace", kTrace);
  Writer(f + "/ar", archive_write_set_format_ar_svr4).File("trace", kTrace);
  WriteCompressed(f + "/lz4", {archive_write_add_filter_lz4}, kTrace);
  CHECK(ErrorOf(f + "/zip").find("zip is a zip archive, which is not read; unpack it") != std::string::npos);
  CHECK(ErrorOf(f + "/7z").find("7z is a 7z archive, which is not read") != std::string::npos);
  CHECK(ErrorOf(f + "/cpio").find("cpio is a cpio archive, which is not read") != std::string::npos);
  CHECK(ErrorOf(f + "/old").find("old is a cpio archive, which is not read") != std::string::npos);
  CHECK(ErrorOf(f + "/ar").find("ar is a ar archive, which is not read") != std::string::npos);
  CHECK(ErrorOf(f + "/lz4").find("lz4 is a lz4 file, which is not read") != std::string::npos);
  // Compressed again does not make a zip of it that is read.
  WriteCompressed(f + "/zip.gz", {archive_write_add_filter_gzip}, ReadFile(f + "/zip"));
  CHECK(ErrorOf(f + "/zip.gz").find("is a zip archive, which is not read") != std::string::npos);

  Writer(f + "/inner.tar.gz", archive_write_set_format_pax, {archive_write_add_filter_gzip})
      .File("trace", kTrace);
  Writer(f + "/outer.tar", archive_write_set_format_pax).File("inner.tar.gz", ReadFile(f + "/inner.tar.gz"));
  CHECK(
      ErrorOf(f + "/outer.tar") ==
      f + "/outer.tar:inner.tar.gz is an archive or a compressed file inside another; unpack the outer one");
  Writer(f + "/both.tar", archive_write_set_format_pax)
      .File("inner.tar.gz", ReadFile(f + "/inner.tar.gz"))
      .File("trace", kTrace);
  CHECK(Analysis(Inputs(f + "/both.tar")).facts().lines.events == 3);

  WriteCompressed(f + "/empty.gz", {archive_write_add_filter_gzip}, "");
  CHECK(ErrorOf(f + "/empty.gz") == f + "/empty.gz is empty");
  Writer(f + "/nothing.tar", archive_write_set_format_pax).Add("folder/", AE_IFDIR, [](archive_entry*) {});
  CHECK(ErrorOf(f + "/nothing.tar") == f + "/nothing.tar: has no files in it");
  Writer(f + "/two.tar", archive_write_set_format_pax).File("trace", kTrace).File("trace", kTrace);
  CHECK(ErrorOf(f + "/two.tar").find("a second trace beside") != std::string::npos);
}

TEST_CASE("names of members are kept as they are and shown as they may be", "[archive]") {
  TemporaryFolder folder;
  std::string name = "a\x1b]0;pwned\x07\n\xff\xe2\x80\xae<b>";
  Writer(folder.path() + "/x.tar", archive_write_set_format_ustar).File(name, kTrace);
  Analysis analysis(Inputs(folder.path() + "/x.tar"));
  CHECK(analysis.Text("SELECT path FROM sources") == folder.path() + "/x.tar:" + name);
  Run run =
      Shell("$MMREPLAY doctor " + folder.path() + "/x.tar; $MMREPLAY analyze " + folder.path() + "/x.tar");
  CHECK(run.out.find('\x1b') == std::string::npos);
  // pax says names in UTF-8, whatever the locale.
  std::string name_in_pax = "14 path=k\xc3\xb6ln\n";
  char octal[12];
  snprintf(octal, sizeof(octal), "%011zo", kTrace.size());
  folder.Write("pax.tar", Header("x", 'x', "00000000016") + Padded(name_in_pax) + Header("x", '0', octal) +
                              Padded(kTrace) + std::string(1024, '\0'));
  CHECK(Shell("LC_ALL=C $MMREPLAY analyze --format json " + folder.path() + "/pax.tar")
            .out.find("k\\u00f6ln") != std::string::npos);
}

TEST_CASE("temporary files are nameless, their user's own, and where they belong", "[archive]") {
  TemporaryFolder folder;
  SetTemporaryFolder(folder.path());
  int fd = OpenTemporaryFile("a test");
  struct stat info {};
  REQUIRE(fstat(fd, &info) == 0);
  close(fd);
  CHECK(info.st_nlink == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(fs::is_empty(folder.path()));
  SetTemporaryFolder(folder.path() + "/gone");
  CHECK(FolderOfTemporaries() != folder.path() + "/gone");
  SetTemporaryFolder("");
}

}  // namespace mmreplay
