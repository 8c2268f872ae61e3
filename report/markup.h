// Text in HTML, SVG and XML.
#pragma once

#include <string>
#include <string_view>

namespace mmreplay {

// Bytes of a trace as they may stand anywhere in a document, HTML or XML, in element content as in quoted
// attributes: what is not Printable as \x1b, the five characters that mean something to a parser as entities.
std::string Html(std::string_view text);

// A text of several lines in element content. XML 1.0 has entities of the same names, and what is Printable
// are characters of it.
std::string XmlText(std::string_view text);

}  // namespace mmreplay
