// Style and script of the HTML report, embedded at build time.
#pragma once

#include <string_view>

#include "db/embedded_sql.h"

namespace mmreplay {

// "report.css", "report.js".
std::string_view HtmlAsset(std::string_view name);

// Of report.js, in hex: the only script the report's content security policy lets run.
std::string_view HtmlScriptSha256();

}  // namespace mmreplay
