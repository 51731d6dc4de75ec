// Any bytes as a log: the same in one piece and in pieces, with counts that add up, and evidence
// that reads again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/evidence.h"
#include "record/audit_evidence.h"
#include "record/audit_reader.h"

namespace {

using whittle::record::AuditReader;
using whittle::record::AuditTally;

AuditTally tally_of(std::string_view log, std::size_t piece) {
  AuditTally tally(1024);
  AuditReader reader(tally);
  for (std::size_t at = 0; at < log.size(); at += piece) reader.feed(log.substr(at, piece));
  reader.finish();
  return tally;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  const AuditTally whole = tally_of(log, std::max<std::size_t>(size, 1));
  const AuditTally parts = tally_of(log, size == 0 ? 1 : data[0] % 61 + 1);
  const auto counts = whole.counts();
  if (counts.records != parts.counts().records || counts.malformed != parts.counts().malformed ||
      counts.duplicates != parts.counts().duplicates || counts.lost != parts.counts().lost) {
    std::abort();
  }
  std::uint64_t grouped = counts.ungrouped;
  for (const auto& group : whole.groups()) grouped += group.count;
  if (grouped != counts.records) std::abort();
  whittle::evidence::Evidence evidence;
  evidence.runs.push_back(whittle::record::audit_evidence(whole));
  if (!whittle::evidence::read(whittle::evidence::write(evidence), "written")) std::abort();
  return 0;
}
