// What a profile is compared with: another one, or itself at another commit.
#include <filesystem>

#include "base/process.h"
#include "base/text.h"
#include "cli/budget.h"
#include "profile/document.h"

namespace whittle::cli {

namespace {

constexpr std::string_view kGit = "git:";

// gitrevisions(7): nothing that git could take for an option or for a path.
bool is_revision(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.find(':') == std::string_view::npos &&
         printable(text) == text && text.find(' ') == std::string_view::npos;
}

Result<CommandResult> git(const std::string& directory, std::vector<std::string> words) {
  std::vector<std::string> command = {"git", "-C", directory};
  command.insert(command.end(), words.begin(), words.end());
  return run_command(command);
}

std::string first_line(const std::string& text) {
  return printable(trim(text.substr(0, text.find('\n'))), 300);
}

Result<std::optional<std::string>> file_at(const std::string& revision, const std::string& path) {
  std::error_code unknown;
  const std::filesystem::path whole = std::filesystem::absolute(path, unknown);
  const std::string directory = whole.parent_path().string();
  const std::string object = format("{}:./{}", revision, whole.filename().string());
  TRY_ASSIGN(const CommandResult commit,
             git(directory, {"rev-parse", "--verify", revision + "^{commit}"}));
  if (!commit.status.success()) {
    return input_error(
        format("git knows no commit \"{}\" here: {}", revision, first_line(commit.errors)),
        directory, "in CI fetch it first: with actions/checkout, fetch-depth: 0");
  }
  TRY_ASSIGN(const CommandResult found, git(directory, {"cat-file", "-e", object}));
  if (!found.status.success()) return std::optional<std::string>();
  TRY_ASSIGN(CommandResult blob, git(directory, {"cat-file", "blob", object}));
  if (!blob.status.success()) {
    return input_error("git cannot read it: " + first_line(blob.errors), object);
  }
  return std::optional<std::string>(std::move(blob.output));
}

}  // namespace

Result<std::optional<profile::Profile>> load_reference(const std::string& against,
                                                       const std::string& profile,
                                                       const profile::Setting& setting) {
  if (!against.starts_with(kGit)) {
    TRY_ASSIGN(profile::Profile loaded, load_profile(against, setting));
    return std::optional<profile::Profile>(std::move(loaded));
  }
  const std::string revision = against.substr(kGit.size());
  if (!is_revision(revision)) {
    return input_error(format("\"{}\" names no commit", printable(against)), {},
                       "write it as git:main or git:HEAD~1");
  }
  if (is_baseline(profile) || profile == "-") {
    return input_error(format("{} needs a profile that is a file", printable(against)),
                       printable(profile));
  }
  TRY_ASSIGN(const std::optional<std::string> text, file_at(revision, profile));
  if (!text) return std::optional<profile::Profile>();
  profile::ReadOptions options;
  options.setting = setting;
  TRY_ASSIGN(profile::Document document,
             profile::read_any(*text, format("{}:{}", against, profile), options));
  return std::optional<profile::Profile>(std::move(document.profile));
}

}  // namespace whittle::cli
