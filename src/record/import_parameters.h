// The recorded arguments of calls by the names that tools print with them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "record/collector.h"
#include "record/import_sink.h"

namespace whittle::record {

// The text that the tool printed for the parameter of that name; nullopt: none.
using NamedText = std::function<std::optional<std::string>(std::string_view name)>;

enum class Absent : std::uint8_t {
  kZero,    // the tool leaves out what is 0
  kUnread,  // it should be there
  kOpen,    // the tool does not have all of them: the set is open, nothing is lost
};

// Sets the recorded arguments of the call from their texts. A parameter is looked up by the names
// that the kernel and the manual pages give it, values with and without their usual prefix ("INET"
// is AF_INET). Structs behind a pointer (clone3) are not known to such tools.
void fill_named(Call& call, std::string_view name, const NamedText& text_of, Absent absent,
                ImportSink& sink);

}  // namespace whittle::record
