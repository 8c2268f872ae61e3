#include "report/markup.h"

#include "report/format.h"

namespace mmreplay {

std::string Html(std::string_view text) {
  std::string html;
  for (char c : Printable(text)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string XmlText(std::string_view text) {
  std::string xml;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    xml += Html(line);
    text.remove_prefix(line.size());
    if (!text.empty()) {
      xml += '\n';
      text.remove_prefix(1);
    }
  }
  return xml;
}

}  // namespace mmreplay
