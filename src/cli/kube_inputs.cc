#include "cli/kube_inputs.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/file_system.h"
#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

namespace {

constexpr std::size_t kMostBytes = 64U << 20U;
constexpr std::size_t kMostFiles = 100'000;
constexpr std::array<std::string_view, 3> kEndings = {".yaml", ".yml", ".json"};

struct Input {
  std::string name;
  bool found = false;  // in a directory, where other files may lie too
};

Result<void> add_directory(const std::string& path, std::vector<Input>& inputs) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::recursive_directory_iterator at(path, error);
  std::vector<std::string> files;
  for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
    const std::string ending = at->path().extension();
    if (at->path().filename().native().starts_with('.')) {
      at.disable_recursion_pending();
    } else if (std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end() &&
               !at->is_directory(error)) {
      files.push_back(at->path().native());
    }
    if (files.size() > kMostFiles) return input_error("more than 100,000 files", path);
  }
  if (error) return input_error("can't read the directory: " + error.message(), path);
  std::sort(files.begin(), files.end());
  for (std::string& file : files) inputs.push_back({std::move(file), true});
  return {};
}

bool is_known(const deploy::Object& object) {
  return (!object.api_version.empty() && !object.kind.empty()) ||
         deploy::member(object.view, "defaultAction").has_value();
}

Result<void> read_one(const Input& input, KubeInputs& inputs) {
  TRY_ASSIGN(std::string text, read_file(input.name, kMostBytes));
  const std::string file = input.name == "-" ? std::string(kStandardInput) : input.name;
  // Charts and overlays hold YAML that is no manifest, templates among it.
  if (input.found && text.find("apiVersion") == std::string::npos &&
      text.find("\"defaultAction\"") == std::string::npos) {
    print_note(format("{}: passed over: no object of Kubernetes", printable(file)));
    return {};
  }
  TRY_ASSIGN(deploy::Manifest manifest, deploy::read_manifest(std::move(text), file));
  for (const deploy::Object& object : manifest.objects) {
    if (is_known(object)) continue;
    if (!input.found) {
      return object.view.error("no object of Kubernetes: it has no apiVersion and kind",
                               "give manifests, or OCI profiles in JSON");
    }
    print_note(format("{}: passed over: no object of Kubernetes", printable(file)));
    return {};
  }
  inputs.manifests.push_back(std::move(manifest));
  return {};
}

}  // namespace

Result<KubeInputs> read_kube_inputs(const std::vector<std::string>& operands,
                                    bool with_standard_input) {
  std::vector<Input> all;
  for (const std::string& operand : operands) {
    std::error_code error;
    if (operand == "-" && !with_standard_input) {
      return input_error("standard input can't be edited in place", {},
                         "use `whittle kube patch - -o -`, which writes the result to standard "
                         "output");
    }
    if (operand != "-" && std::filesystem::is_directory(operand, error)) {
      TRY(add_directory(operand, all));
    } else {
      all.push_back({operand, false});
    }
  }
  KubeInputs inputs;
  for (const Input& input : all) {
    const auto read = read_one(input, inputs);
    if (read) continue;
    print_error(read.error());
    ++inputs.unreadable;
  }
  return inputs;
}

Result<void> write_edited(const deploy::Manifest& manifest, const std::string& edited) {
  if (edited == manifest.text) return {};
  TRY(write_file(manifest.file, edited));
  print_note(format("{}: edited", printable(manifest.file)));
  return {};
}

}  // namespace whittle::cli
