#include "deploy/seccomp_choice.h"

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "base/text.h"

namespace whittle::deploy {

bool is_plain(std::string_view text) {
  constexpr std::string_view kOthers = "._/-";
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  // With a letter first and a slash or a longer name in it, it is no number, no boolean, no null.
  return text.size() > 5 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || digit(c) || kOthers.find(c) != std::string_view::npos;
         });
}

std::string type_of(const SeccompChoice& choice) {
  return choice.localhost.empty() ? "RuntimeDefault" : "Localhost";
}

std::string written(std::string_view text, bool quoted) {
  return quoted || !is_plain(text) ? json::quote(text) : std::string(text);
}

std::string key_text(std::string_view key, bool quoted) {
  return (quoted ? json::quote(key) : std::string(key)) + ": ";
}

// The members below a key of the chain, as flow: `{type: RuntimeDefault}`.
std::string flow_value(std::string_view key, const SeccompChoice& choice, bool quoted) {
  if (key == kContext) {
    return "{" + key_text(kProfile, quoted) + flow_value(kProfile, choice, quoted) + "}";
  }
  std::string text = "{" + key_text(kType, quoted) + written(type_of(choice), quoted);
  if (!choice.localhost.empty()) {
    text += ", " + key_text(kPath, quoted) + written(choice.localhost, quoted);
  }
  return text + "}";
}

Result<SeccompChoice> read_choice(std::string_view text) {
  constexpr std::string_view kLocalhost = "localhost/";
  if (text == "RuntimeDefault" || text == "runtime/default") return SeccompChoice();
  if (!text.starts_with(kLocalhost) && !text.starts_with("Localhost/")) {
    return input_error(format("\"{}\" is no seccomp profile of a pod", printable(text)), {},
                       "write RuntimeDefault, or localhost/PATH with the path below the kubelet's "
                       "seccomp directory");
  }
  SeccompChoice choice{std::string(text.substr(kLocalhost.size()))};
  const std::vector<std::string> parts = split(choice.localhost, '/');
  if (choice.localhost.empty() || choice.localhost.starts_with('/') ||
      std::find(parts.begin(), parts.end(), "..") != parts.end() ||
      printable(choice.localhost, SIZE_MAX) != choice.localhost) {
    return input_error(format("\"{}\" is no path below the kubelet's seccomp directory",
                              printable(choice.localhost)),
                       {}, "it is relative, without \"..\", as in localhost/profiles/nginx.json");
  }
  return choice;
}

std::string choice_text(const SeccompChoice& choice) {
  return "seccompProfile: " + flow_value(kProfile, choice, false);
}

}  // namespace whittle::deploy
