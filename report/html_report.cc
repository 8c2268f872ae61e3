#include "report/html_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "replay/text.h"
#include "report/content.h"
#include "report/embedded_html.h"
#include "report/html_overview.h"
#include "report/html_picture.h"
#include "report/markup.h"
#include "report/page_biography.h"
#include "report/race_picture.h"

namespace mmreplay {
namespace {

// What bounds the size of the file. The page says what it leaves out, and how to see it.
constexpr size_t kGroupsPictured = 20;
constexpr size_t kGroupsListed = 200;
constexpr int64_t kFindingsShown = 300;
constexpr int64_t kNearMissesShown = 300;
constexpr size_t kBiographyLines = 400;
constexpr size_t kGapsShown = 20;
constexpr size_t kIssuesShown = 100;
constexpr size_t kSourcesShown = 100;

// "sha256-..." of a policy is base64 of the digest.
std::string Base64OfHex(std::string_view hex) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  auto nibble = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string base64;
  unsigned bits = 0;
  int have = 0;
  for (char c : hex) {
    bits = (bits << 4 | nibble(c)) & 0xfff;
    have += 4;
    if (have >= 6) {
      have -= 6;
      base64 += kDigits[bits >> have & 63];
    }
  }
  if (have > 0) base64 += kDigits[bits << (6 - have) & 63];
  while (base64.size() % 4 != 0) base64 += '=';
  return base64;
}

const char* VerdictClass(const Verdict& verdict) {
  switch (verdict.ExitCode()) {
    case 0:
      return "clean";
    case 1:
      return "found";
    default:
      return "open";
  }
}

std::string Shape(std::string_view grade) {
  return fmt::format(
      "<svg class=\"shape\" width=\"14\" height=\"14\" viewBox=\"-7 -7 14 14\" aria-hidden=\"true\"><use "
      "class=\"mk {0}\" "
      "href=\"#m-{0}\"/></svg>",
      Html(grade));
}

std::string Badge(std::string_view grade, int64_t count) {
  if (count == 0) return {};
  return fmt::format("<span class=\"badge {0}\">{1}<b>{2}</b> {0}</span>\n", grade, Shape(grade),
                     CountText(count));
}

std::string Badges(const GradeCounts& grades) {
  return Badge("confirmed", grades.confirmed) + Badge("probable", grades.probable) +
         Badge("latent", grades.latent);
}

void WriteHead(const ReportContent& content, const WriteFn& write) {
  write("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
  write(
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'sha256-" +
      Base64OfHex(HtmlScriptSha256()) + "'; base-uri 'none'; form-action 'none'\">\n");
  write(
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
      "content=\"light dark\">\n"
      "<meta name=\"generator\" content=\"mmreplay\">\n");
  write("<title>" + Html(VerdictText(content)) + " - mmreplay</title>\n<style>\n");
  write(HtmlAsset("report.css"));
  write("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">to the report</a>\n");
  write(PictureDefinitions());
}

std::string Source(const ReportContent& content) {
  const InputFacts& input = content.input;
  std::string text = input.path + ", " + input.format;
  if (!input.kernel_release.empty()) text += ", kernel " + input.kernel_release;
  if (!input.machine.empty()) text += ", " + input.machine;
  return text;
}

void WriteVerdict(const ReportContent& content, const WriteFn& write) {
  std::string text = VerdictText(content);
  size_t colon = text.find(": ");
  write(
      fmt::format("<header class=\"verdict {}\" id=\"verdict\" data-exit-code=\"{}\">\n<p "
                  "class=\"program\">mmreplay</p>\n",
                  VerdictClass(content.verdict), content.verdict.ExitCode()));
  write(fmt::format("<h1><span class=\"word\">{}</span> {}</h1>\n", Html(text.substr(0, colon)),
                    Html(colon == std::string::npos ? "" : text.substr(colon + 2))));
  if (std::string badges = Badges(content.grades); !badges.empty())
    write("<p class=\"badges\">" + badges + "</p>\n");
  if (AllWaitsAreSafe(content)) write("<p>" + Html(kSafeWaits) + "</p>\n");
  write("<p class=\"source\">" + Html(Source(content)) + "</p>\n</header>\n");
  write("<nav aria-label=\"sections\"><a href=\"#evidence\">evidence</a>");
  if (!content.groups.empty()) write("<a href=\"#causes\">causes</a>");
  write("<a href=\"#overview\">overview</a>");
  if (content.grades.total() > 0) write("<a href=\"#findings\">findings</a>");
  write("<a href=\"#waits\">waits</a><a href=\"#input\">input</a></nav>\n<main id=\"main\">\n");
}

// A figure with its name: what it says stands in `text`, `mood` is "good", "bad" or "".
std::string Fact(std::string_view name, std::string_view text, std::string_view mood,
                 std::string_view extra = {}) {
  return fmt::format("<div class=\"fact {}\"><dt>{}</dt><dd>{}{}</dd></div>\n", mood, Html(name), Html(text),
                     extra);
}

std::string FidelityFact(const Fidelity& fidelity) {
  if (fidelity.anchors == 0) return Fact("Replay fidelity", "not applicable: no reference events", "");
  bool whole = fidelity.matched == fidelity.anchors;
  double share = 100.0 * static_cast<double>(fidelity.matched) / static_cast<double>(fidelity.anchors);
  std::string bar = fmt::format(
      "<span class=\"meter\" aria-hidden=\"true\"><span style=\"width:{:.2f}%\"></span></span>", share);
  return Fact("Replay fidelity", FidelityText(fidelity), whole ? "good" : "bad", bar);
}

std::string LostFact(const ReportContent& content) {
  const Losses& losses = content.losses;
  if (losses.gaps == 0) return Fact("Lost events", "no loss is on record", "good");
  std::string text = (losses.all_tell ? "" : "at least ") + Plural(losses.events, "event", "events") +
                     " in " + Plural(losses.gaps, "gap", "gaps");
  if (content.verdict.waits_in_gaps > 0)
    text += ", which touch " + Plural(content.verdict.waits_in_gaps, "wait", "waits");
  return Fact("Lost events", text, "bad");
}

std::string ClockFact(const TraceClock& clock) {
  std::string text = clock.name.empty() ? "name not on record" : clock.name;
  text += clock.error == 0 ? "; stamps of two cpus are in order if they differ"
                           : "; stamps of two cpus are in order if they are more than " +
                                 DurationText(clock.error, clock.ticks) + " apart";
  return Fact("Clock", text, "");
}

void WriteNotShownSection(const ReportContent& content, const WriteFn& write) {
  if (content.not_shown.empty()) return;
  write(
      "<h3>What this recording could not show</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"not shown\"><table class=\"stack\">\n"
      "<thead><tr><th>missing</th><th>so</th><th>to see it, record</th></tr></thead>\n<tbody>\n");
  for (const NotShown& missing : content.not_shown)
    write(fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n", Html(missing.what),
                      Html(missing.consequence), Html(missing.record)));
  write("</tbody></table></div>\n");
}

void WriteRulesSection(const ReportContent& content, const WriteFn& write) {
  std::string list;
  for (const RuleAnswer& rule : content.rules) {
    if (!rule.applicable)
      list += fmt::format("<li><code>{}</code>: record {}</li>\n", Html(rule.rule), Html(rule.missing));
  }
  if (list.empty()) return;
  write("<details" + std::string(content.verdict.wait_rule_applicable ? "" : " open") +
        "><summary>Rules that could not be judged</summary>\n<ul>\n" + list + "</ul></details>\n");
}

void WriteLoss(const ReportContent& content, const WriteFn& write) {
  const Losses& losses = content.losses;
  if (losses.gaps > 0) {
    write("<details open><summary>Where events were lost</summary>\n<ul>\n");
    for (size_t i = 0; i < losses.first.size() && i < kGapsShown; ++i)
      write("<li>" + Html(GapText(losses.first[i], content.clock.ticks)) + "</li>\n");
    if (losses.gaps > static_cast<int64_t>(kGapsShown))
      write(fmt::format("<li>{} of {} shown: <code>mmreplay query DB @loss</code></li>\n", kGapsShown,
                        losses.gaps));
    write("</ul></details>\n");
  }
  if (!content.issues.empty()) {
    write("<details open><summary>What else is to be said of the input</summary>\n<ul>\n");
    for (size_t i = 0; i < content.issues.size() && i < kIssuesShown; ++i) {
      const Issue& issue = content.issues[i];
      std::string where = issue.first_line ? fmt::format(" (line {}", *issue.first_line) : "";
      if (issue.first_line) where += issue.count > 1 ? ", " + CountText(issue.count) + " times)" : ")";
      write(fmt::format("<li class=\"{0}\"><b>{0}</b>: {1}{2}</li>\n", Html(issue.severity), Html(issue.text),
                        where));
    }
    if (content.issues.size() > kIssuesShown)
      write(fmt::format("<li>{} of {} shown: <code>mmreplay query DB @loss</code></li>\n", kIssuesShown,
                        content.issues.size()));
    write("</ul></details>\n");
  }
}

// Invariants by what breaks them, as db/views.sql lists them.
std::string InvariantText(std::string_view invariant) {
  struct Name {
    std::string_view invariant;
    const char* text;
  };
  for (const Name& name :
       {Name{"I1", "allocated while not free"}, Name{"I2", "freed while referenced"},
        Name{"I3", "freed while locked or frozen"}, Name{"I4", "freed twice"},
        Name{"I5", "reference taken on a free page"}, Name{"I6", "count contradicted"},
        Name{"I7", "count frozen or unfrozen out of turn"}, Name{"I8", "wait without protection"},
        Name{"I9", "exempt wait on a free page"}, Name{"I10", "wait across lives"},
        Name{"I11", "unlocked while not locked"}, Name{"I12", "slept with a page-table lock"},
        Name{"I13", "migration entry left"}, Name{"I14", "source of a migration kept"},
        Name{"I15", "no reference to be had"}}) {
    if (name.invariant == invariant) return std::string(invariant) + " " + name.text;
  }
  return std::string(invariant);
}

std::string AnomalyList(const std::vector<CountedName>& anomalies) {
  std::string list;
  for (const CountedName& one : anomalies)
    list += (list.empty() ? "" : "; ") + CountText(one.count) + " x " + InvariantText(one.name);
  return list;
}

std::string CountsText(const std::vector<CountedName>& counts) {
  std::string list;
  for (const CountedName& count : counts)
    list += (list.empty() ? "" : ", ") + CountText(count.count) + " " + count.name;
  return list;
}

void WriteQuality(const ReportContent& content, const WriteFn& write) {
  write(
      "<section id=\"evidence\" aria-labelledby=\"evidence-h\">\n<h2 id=\"evidence-h\">How good the evidence "
      "is</h2>\n<dl class=\"facts\">\n");
  write(FidelityFact(content.fidelity));
  write(LostFact(content));
  write(ClockFact(content.clock));
  write(Fact("Waits judged",
             content.verdict.unknown_waits == 0
                 ? fmt::format("all of {}", CountText(content.verdict.waits))
                 : fmt::format("{} of {}", CountText(content.verdict.waits - content.verdict.unknown_waits),
                               CountText(content.verdict.waits)),
             content.verdict.unknown_waits == 0 ? "good" : "bad"));
  write(Fact("Impossible transitions", content.anomalies.empty() ? "none" : AnomalyList(content.anomalies),
             content.anomalies.empty() ? "good" : ""));
  write(Fact("Kernel reports on pages", CountText(content.reports), ""));
  write(Fact("Lines rejected",
             fmt::format("{} of {}", CountText(content.input.rejected), CountText(content.input.lines)),
             content.input.rejected == 0 ? "good" : "bad"));
  write("</dl>\n");
  WriteNotShownSection(content, write);
  WriteRulesSection(content, write);
  WriteLoss(content, write);
  write("</section>\n");
}

void WriteProofs(const RacePicture& picture, const RaceDiagram* diagram, const WriteFn& write) {
  if (picture.proofs.empty() && (!diagram || diagram->order.empty())) return;
  write("<h4>Why they are in this order</h4>\n");
  if (diagram && !diagram->order.empty()) write("<p>" + Html(diagram->order) + ".</p>\n");
  auto name = [&](int64_t event) {
    for (const PictureRow& row : picture.rows) {
      if (row.event.event == event && row.number > 0)
        return fmt::format("<span class=\"ref\">{}</span> line {}", row.number, row.event.line);
    }
    return fmt::format("event {}", event);
  };
  write("<ul class=\"proofs\">\n");
  for (const OrderProof& proof : picture.proofs) {
    bool open = proof.kind == "open";
    write(fmt::format("<li class=\"{}\">{} {} {}: <b>{}</b>, {}</li>\n", open ? "open" : "proven",
                      name(proof.first), open ? "and" : "before", name(proof.second), Html(proof.kind),
                      Html(proof.detail)));
  }
  write("</ul>\n");
}

void WriteKernelReport(const std::optional<KernelReport>& report, const WriteFn& write) {
  write("<h4>What the kernel said</h4>\n");
  if (!report) {
    write("<p class=\"note\">Nothing on this life of the page.</p>\n");
    return;
  }
  write(fmt::format("<figure class=\"console\"><pre>{}</pre><figcaption>{}:{}</figcaption></figure>\n",
                    Html(KernelReportText(*report)), Html(report->path), report->line));
}

void WriteOriginals(const RacePicture& picture, const WriteFn& write) {
  if (picture.rows.empty()) return;
  write("<details class=\"originals\"><summary>The original lines</summary>\n<ol>\n");
  std::string path;
  for (const PictureRow& row : picture.rows) {
    if (row.event.path != path) write("<li class=\"file\">" + Html(row.event.path) + "</li>\n");
    path = row.event.path;
    std::string number = row.number > 0 ? fmt::format("<span class=\"ref\">{}</span> ", row.number) : "";
    write(fmt::format("<li data-event=\"{}\"><span class=\"line\">{}</span>{}<code>{}</code></li>\n",
                      row.event.event, row.event.line, number, Html(row.event.Original())));
  }
  write("</ol></details>\n");
}

void WriteBiography(const Database& database, int64_t pfn, const WriteFn& write) {
  std::string text;
  size_t lines = 0;
  size_t kept = 0;  // bytes
  WritePageBiography(database, pfn, [&](std::string_view piece) {
    for (char c : piece) {
      lines += c == '\n';
      if (lines < kBiographyLines || (lines == kBiographyLines && c == '\n')) {
        text += c;
        kept = text.size();
      }
    }
  });
  if (lines == 0) return;
  write(fmt::format(
      "<details class=\"biography\"><summary>Biography of page {}</summary>\n<pre tabindex=\"0\">",
      PfnText(pfn)));
  size_t at = 0;
  while (at < kept) {  // line by line: a line's end is not a control character here
    size_t end = std::min(text.find('\n', at), kept);
    write(Html(std::string_view(text).substr(at, end - at)) + "\n");
    at = end + 1;
  }
  write("</pre>\n");
  if (lines > kBiographyLines)
    write(fmt::format("<p class=\"note\">{} of {} lines shown: <code>mmreplay page DB {}</code></p>\n",
                      kBiographyLines, CountText(static_cast<int64_t>(lines)), PfnText(pfn)));
  write("</details>\n");
}

std::string HazardText(const RacePicture& picture, const TraceClock& clock) {
  if (!picture.hazard) return {};
  auto ts_of = [&](std::optional<int64_t> event) -> std::optional<int64_t> {
    for (const PictureRow& row : picture.rows) {
      if (event && row.event.event == *event) return row.event.ts;
    }
    return std::nullopt;
  };
  auto from = ts_of(picture.hazard->from_event);
  auto to = ts_of(picture.hazard->to_event);
  if (!from || !to || *to < *from) return "shaded: nothing the waiter has keeps the page alive";
  return "shaded: for " + DurationText(*to - *from, clock.ticks) +
         " nothing the waiter has keeps the page alive";
}

void WriteLegend(const RacePicture& picture, const TraceClock& clock, const WriteFn& write) {
  std::string hazard = HazardText(picture, clock);
  write("<ul class=\"legend\">\n");
  if (!hazard.empty())
    write("<li><svg width=\"28\" height=\"14\"><rect class=\"hazard\" width=\"28\" height=\"14\"/></svg>" +
          Html(hazard) + "</li>\n");
  write(
      "<li><svg width=\"18\" height=\"16\"><circle class=\"mark legend-mark\" cx=\"9\" cy=\"8\" "
      "r=\"7\"/><text class=\"number\" x=\"9\" y=\"11.5\" "
      "text-anchor=\"middle\">1</text></svg>evidence</li>\n"
      "<li><svg width=\"20\" height=\"8\"><path class=\"proof\" d=\"M1 4H14\" "
      "marker-end=\"url(#arrow)\"/></svg>proven order</li>\n"
      "<li><svg width=\"12\" height=\"14\"><rect class=\"hold\" x=\"1\" width=\"10\" "
      "height=\"14\"/></svg>page-table lock held</li>\n"
      "<li><svg width=\"12\" height=\"14\"><rect class=\"wait\" x=\"2\" width=\"7\" "
      "height=\"14\"/></svg>waits</li>\n"
      "<li><svg width=\"12\" height=\"14\"><rect class=\"locked\" x=\"1\" width=\"10\" "
      "height=\"14\"/></svg>page locked</li>\n"
      "<li><svg width=\"20\" height=\"14\"><rect class=\"free\" width=\"20\" height=\"14\"/></svg>page "
      "free</li>\n"
      "<li>spacing grows with the logarithm of the time between</li>\n</ul>\n");
}

// The time of a group's picture, for the button that shows it in the overview.
std::string TimeSpan(const RacePicture& picture) {
  std::optional<int64_t> from;
  std::optional<int64_t> to;
  for (const PictureRow& row : picture.rows) {
    if (!row.event.ts) continue;
    from = std::min(from.value_or(*row.event.ts), *row.event.ts);
    to = std::max(to.value_or(*row.event.ts), *row.event.ts);
  }
  return from ? fmt::format(
                    "<button type=\"button\" class=\"show\" data-from=\"{}\" data-to=\"{}\">show in the "
                    "overview</button>\n",
                    *from, *to)
              : "";
}

void WriteGroup(const Database& database, const TraceClock& clock, const FindingGroup& group, size_t number,
                const WriteFn& write) {
  write(fmt::format(
      "<article class=\"group\" id=\"cause-{0}\" data-fingerprint=\"{1}\" aria-labelledby=\"cause-{0}-h\">\n",
      number, Html(group.fingerprint)));
  write(fmt::format("<h3 id=\"cause-{}-h\"><code>{}</code> {}</h3>\n<p class=\"badges\">{}</p>\n", number,
                    Html(group.rule), Html(group.summary), Badges(group.grades)));
  std::string counts = Plural(group.pages, "page", "pages") + ", " + Plural(group.tasks, "task", "tasks");
  if (!group.functions.empty()) counts += "; in " + group.functions;
  write("<p class=\"counts\">" + Html(counts) + "</p>\n");

  const RaceDiagram* diagram = group.strongest ? &*group.strongest : nullptr;
  RacePicture picture = MakePicture(database, clock, group);
  if (diagram) {
    std::string heading = RaceHeading(*diagram, PageName(*diagram));
    write("<p class=\"story\"><b>The strongest:</b> " + Html(heading + ": " + diagram->why) + ".</p>\n");
  } else if (!group.strongest_summary.empty()) {
    write("<p class=\"story\"><b>The strongest:</b> " + Html(group.strongest_summary) + "</p>\n");
  }
  if (!picture.rows.empty()) {
    write("<div class=\"race\"><figure>\n");
    write(DrawPicture(picture, clock, PictureShape::kWide));
    write(DrawPicture(picture, clock, PictureShape::kNarrow));
    if (picture.left_out > 0)
      write("<p class=\"note\">" + Plural(picture.left_out, "event", "events") +
            " of this page by others left out: see the biography.</p>\n");
    if (picture.page_waiters.size() > kWaitersDrawn)
      write(fmt::format("<p class=\"note\">{} of {} waiters drawn in the page's lane.</p>\n", kWaitersDrawn,
                        picture.page_waiters.size()));
    WriteLegend(picture, clock, write);
    write("</figure>\n<aside>\n");
    write(TimeSpan(picture));
    WriteProofs(picture, diagram, write);
    if (diagram) WriteKernelReport(diagram->kernel, write);
    write("</aside></div>\n");
  }
  write("<div class=\"why\"><div><h4>Why it matters</h4>\n<p>" + Html(group.why) +
        "</p>\n<p class=\"note\">" + Html(group.reference) + "</p></div>\n");
  if (!group.contract.empty()) write("<div><h4>Kernels</h4>\n<p>" + Html(group.contract) + "</p></div>\n");
  write("</div>\n");
  WriteOriginals(picture, write);
  if (picture.pfn) WriteBiography(database, *picture.pfn, write);
  write("</article>\n");
}

void WriteGroupsSection(const Database& database, const ReportContent& content, const WriteFn& write) {
  if (content.groups.empty()) return;
  write("<section id=\"causes\" aria-labelledby=\"causes-h\">\n<h2 id=\"causes-h\">" +
        Plural(static_cast<int64_t>(content.groups.size()), "cause", "causes") + "</h2>\n");
  if (content.groups.size() > kGroupsPictured)
    write(fmt::format(
        "<p class=\"note\">{} of {} causes drawn, the strongest first; the others are listed below.</p>\n",
        kGroupsPictured, CountText(static_cast<int64_t>(content.groups.size()))));
  for (size_t i = 0; i < content.groups.size() && i < kGroupsPictured; ++i)
    WriteGroup(database, content.clock, content.groups[i], i + 1, write);
  if (content.groups.size() > kGroupsPictured) {
    write("<ul class=\"more\">\n");
    for (size_t i = kGroupsPictured; i < content.groups.size() && i < kGroupsPictured + kGroupsListed; ++i) {
      const FindingGroup& group = content.groups[i];
      write(fmt::format("<li><code>{}</code> {}: {}</li>\n", Html(group.rule), Html(group.fingerprint),
                        group.grades.Text()));
    }
    write("</ul>\n");
    if (content.groups.size() > kGroupsPictured + kGroupsListed)
      write(fmt::format("<p class=\"note\">{} of {} shown: <code>mmreplay query DB @groups</code></p>\n",
                        kGroupsPictured + kGroupsListed, content.groups.size()));
  }
  write("</section>\n");
}

void WriteFinding(const Finding& finding, const TraceClock& clock, bool several_rules, const WriteFn& write) {
  std::string events;
  for (const Evidence& one : finding.evidence)
    events += (events.empty() ? "" : ", ") + std::to_string(one.event);
  std::string story = several_rules ? finding.rule + ": " + finding.summary : finding.summary;
  std::string freed;
  std::string when;
  std::string order;
  if (finding.wait) {
    const WaitOfFinding& wait = *finding.wait;
    story = (several_rules ? finding.rule + ": " : "") + wait.outcome + " in " + wait.function;
    if (wait.freed)
      freed = TaskText(wait.releaser_comm, wait.releaser_pid) + " at " + TimeText(wait.freed_ts, clock.ticks);
    when = TimeText(wait.begin_ts, clock.ticks) + ".." + TimeText(wait.end_ts, clock.ticks);
    if (wait.outcome == "freed_before_queue") order = OrderText(wait, clock);
  }
  std::string kernel = finding.kernel ? fmt::format("console line {}", finding.kernel->line) : "";
  // Where the window is narrow the cells follow one another, each with its name.
  auto cell = [](const char* name, const std::string& text, const char* look = "") {
    return fmt::format("<td{}{}>{}</td>", text.empty() ? "" : fmt::format(" data-l=\"{}\"", name), look,
                       Html(text));
  };
  write(
      fmt::format("<tr><td class=\"grade {0}\">{1}{0}</td><td class=\"whole\">{2}</td><td "
                  "class=\"whole\">{3}</td><td>{4}</td>",
                  Html(finding.grade), Shape(finding.grade), Html(TaskText(finding.comm, finding.pid)),
                  finding.pfn ? PfnText(finding.pfn) : "", Html(story)));
  write(cell("wait", when, " class=\"whole\"") + cell("freed by", freed) + cell("order:", order) +
        cell("kernel:", kernel) + cell("events", events, " class=\"events\"") + "</tr>\n");
}

void WriteFindingsSection(const Database& database, const ReportContent& content, const WriteFn& write) {
  int64_t total = content.grades.total();
  if (total == 0) return;
  write("<section id=\"findings\" aria-labelledby=\"findings-h\">\n<h2 id=\"findings-h\">Findings</h2>\n");
  write(fmt::format("<p class=\"note\">{} of {} shown, the strongest first{}</p>\n",
                    CountText(std::min(total, kFindingsShown)), CountText(total),
                    total > kFindingsShown ? "; all: <code>mmreplay query DB @findings</code>" : ""));
  write(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"findings\"><table "
      "class=\"list\">\n<thead><tr><th>grade</th><th>task</th>"
      "<th>page</th><th>what</th><th>wait</th><th>freed "
      "by</th><th>order</th><th>kernel</th><th>events</th></tr></thead>\n<tbody>\n");
  int64_t shown = 0;
  bool several_rules =
      std::any_of(content.groups.begin(), content.groups.end(),
                  [&](const FindingGroup& group) { return group.rule != content.groups.front().rule; });
  ForEachFinding(database, [&](const Finding& finding) {
    WriteFinding(finding, content.clock, several_rules, write);
    return ++shown < std::min(kFindingsShown, total);
  });
  write("</tbody></table></div>\n</section>\n");
}

void WriteWaitsSection(const ReportContent& content, const WriteFn& write) {
  write(
      fmt::format("<section id=\"waits\" aria-labelledby=\"waits-h\">\n<h2 id=\"waits-h\">{} on pages</h2>\n",
                  Plural(content.verdict.waits, "wait", "waits")));
  if (!content.waits.empty()) {
    write(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"waits\"><table "
        "class=\"stack\">\n<thead><tr><th class=\"n\">waits</th><th>verdict</th>"
        "<th>where</th><th>why</th></tr></thead>\n<tbody>\n");
    for (const WaitClass& waits : content.waits) {
      bool legal = waits.verdict == "benign";
      std::string place = waits.function;
      if (!waits.caller.empty() && waits.caller != waits.function) place += " in " + waits.caller;
      std::string why = Html(waits.reason);
      if (!waits.outcome.empty()) why += " (" + Html(waits.outcome) + ")";
      if (legal && !waits.contract.empty())
        why += "<br><span class=\"note\">" + Html(waits.contract) + "</span>";
      write(
          fmt::format("<tr><td class=\"n\">{}</td><td class=\"grade "
                      "{}\">{}{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
                      CountText(waits.count), Html(waits.verdict), legal ? "" : Shape(waits.verdict),
                      legal ? "legal" : Html(waits.verdict), Html(place), why));
    }
    write("</tbody></table></div>\n");
  }
  if (!content.migrations.empty())
    write("<p>Migrations: " + Html(CountsText(content.migrations)) + ".</p>\n");
  if (!content.also_seen.empty()) {
    write("<p>Also seen, for information:</p>\n<ul>\n");
    for (const AlsoSeen& seen : content.also_seen)
      write(fmt::format("<li>{} <code>{}</code>: {}</li>\n", CountText(seen.findings), Html(seen.rule),
                        Html(seen.summary)));
    write("</ul>\n");
  }
  write("</section>\n");
}

void WriteNearMissesSection(const Database& database, const ReportContent& content, const WriteFn& write) {
  int64_t count = 0;
  std::string rows;
  ForEachNearMiss(database, [&](const NearMiss& miss) {
    if (++count > kNearMissesShown) return true;
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}..{}</td><td>{}</td><td>{}</td><td>{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        Html(TaskText(miss.comm, miss.pid)), PfnText(miss.pfn), TimeText(miss.begin_ts, content.clock.ticks),
        TimeText(miss.end_ts, content.clock.ticks), Html(miss.outcome), Html(miss.step), Html(miss.reason),
        miss.line ? std::to_string(*miss.line) : "");
    return true;
  });
  write(
      fmt::format("<section id=\"near-misses\" aria-labelledby=\"near-h\">\n<h2 id=\"near-h\">Near "
                  "misses</h2>\n<p class=\"note\">{} matched all of "
                  "wait_on_freed_page but one step; {} shown</p>\n",
                  Plural(count, "wait", "waits"), CountText(std::min(count, kNearMissesShown))));
  if (count > 0)
    write(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"near misses\"><table "
        "class=\"list\">\n<thead><tr><th>task</th><th>page</th><th>wait</th>"
        "<th>outcome</th><th>step that failed</th><th>why</th><th "
        "class=\"n\">line</th></tr></thead>\n<tbody>\n" +
        rows + "</tbody></table></div>\n");
  write("</section>\n");
}

void WriteInputSection(const ReportContent& content, const WriteFn& write) {
  const InputFacts& input = content.input;
  write("<section id=\"input\" aria-labelledby=\"input-h\">\n<h2 id=\"input-h\">Input</h2>\n<p>" +
        Html(Source(content)) + "</p>\n");
  write(fmt::format("<p>{} lines = {} + {} + {} + {} + {} rejected</p>\n", CountText(input.lines),
                    Plural(input.events, "event", "events"), Plural(input.comments, "comment", "comments"),
                    Plural(input.continuations, "continuation", "continuations"),
                    Plural(input.markers, "marker", "markers"), CountText(input.rejected)));
  if (std::string kept = KeptText(content); !kept.empty()) write("<p>Events: " + Html(kept) + "</p>\n");
  write(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"files\"><table><thead><tr><th>file</th><th>is</th><th "
      "class=\"n\">lines</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < content.sources.size() && i < kSourcesShown; ++i) {
    const SourceFile& file = content.sources[i];
    write(fmt::format("<tr><td><code>{}</code></td><td>{}</td><td class=\"n\">{}</td></tr>\n",
                      Html(file.path), Html(file.role), file.lines ? CountText(*file.lines) : "not read"));
  }
  write("</tbody></table></div>\n");
  if (content.sources.size() > kSourcesShown)
    write(fmt::format("<p class=\"note\">{} of {} files shown: <code>mmreplay query DB @sources</code></p>\n",
                      kSourcesShown, content.sources.size()));
  write("</section>\n");
}

}  // namespace

void WriteHtmlReport(const Database& database, const ReportContent& content, bool near_misses,
                     const WriteFn& write) {
  WriteHead(content, write);
  WriteVerdict(content, write);
  WriteQuality(content, write);
  WriteGroupsSection(database, content, write);
  WriteOverview(database, content, write);
  WriteFindingsSection(database, content, write);
  WriteWaitsSection(content, write);
  if (near_misses) WriteNearMissesSection(database, content, write);
  WriteInputSection(content, write);
  write("</main>\n<div id=\"tip\" role=\"status\" hidden></div>\n<script>");
  write(HtmlAsset("report.js"));
  write("</script>\n</body>\n</html>\n");
}

}  // namespace mmreplay
