// Text in HTML, SVG and XML.
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

// Bytes of a trace as they may stand anywhere in a document, in element content as in quoted attributes:
// control characters and bytes that are not UTF-8 as \x1b, the five characters that mean something to a
// parser as entities.
std::string Html(std::string_view text);

// The same for XML 1.0, which knows fewer characters. Ends of lines stay.
std::string XmlText(std::string_view text);

}  // namespace mmreplay
