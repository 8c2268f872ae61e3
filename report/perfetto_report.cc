#include "report/perfetto_report.h"
namespace mmreplay {
void WritePerfettoReport(const Database&, const WriteFn& write) { write("{}\n"); }
}
