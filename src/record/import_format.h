// One format that import_file() reads: a row of the table in import.cc, a file of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "record/import_sink.h"

namespace whittle::record {

// Gets the lines of a file in order, without their ends, and at the end end(). Keeps no more of
// them than a bounded amount.
class ImportParser {
 public:
  ImportParser() = default;
  virtual ~ImportParser() = default;
  ImportParser(const ImportParser&) = delete;
  ImportParser& operator=(const ImportParser&) = delete;

  virtual void line(std::string_view text) = 0;
  virtual void end() = 0;
};

struct ImportFormat {
  std::string_view name;     // for --format
  std::string_view source;   // the run's
  std::string_view timing;   // "native" or "perturbed"
  std::string_view summary;  // for people
  // Whether the beginning of a file (kHead bytes of it at most) is of this format.
  bool (*fits)(std::string_view head);
  std::unique_ptr<ImportParser> (*make)(ImportSink& sink);
};

inline constexpr std::size_t kHead = std::size_t{256} << 10U;

// For documents that only make sense whole: keeps the lines and hands them over at the end.
class DocumentParser : public ImportParser {
 public:
  explicit DocumentParser(ImportSink& sink) : sink_(sink) {}
  void line(std::string_view text) final;
  void end() final;

 protected:
  virtual void document(const std::string& text) = 0;
  ImportSink& sink() { return sink_; }

 private:
  ImportSink& sink_;
  std::string text_;
  bool too_large_ = false;
};

// The formats, in src/record/import_NAME.cc.
extern const ImportFormat kStraceFormat;
extern const ImportFormat kProfileFormat;
extern const ImportFormat kSpoFormat;
extern const ImportFormat kPerfFormat;
extern const ImportFormat kSysdigFormat;
extern const ImportFormat kSysdigJsonFormat;
extern const ImportFormat kFalcoFormat;
extern const ImportFormat kTraceeFormat;
extern const ImportFormat kGadgetFormat;
extern const ImportFormat kAuditFormat;
extern const ImportFormat kMinijailFormat;

}  // namespace whittle::record
