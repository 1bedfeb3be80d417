// YaraScanner: libyara over what the formats gate lets pass.
//
// Threads: an object may be used by one thread at a time. Never prints.
#pragma once

#include <locara/formats/scan.hpp>

#include <chrono>
#include <memory>
#include <string_view>

namespace locara::gate {

/// The rules of src/gate/yara/rules.yar, which are part of the program.
std::string_view yara_rules();

/// The library's version and, since the rules have no number of their own, the first digits of a
/// sum over them: "4.2.3, rules 0a1b2c3d".
std::string yara_version(std::string_view rules = yara_rules());

class YaraScanner final : public formats::ContentScanner {
  public:
    /// Compiles the rules. InvalidArgument, with the line, if one does not compile. `time` is for
    /// each content, beside a second for each 32 MiB of it.
    static Result<std::unique_ptr<YaraScanner>>
    create(std::string_view rules = yara_rules(),
           std::chrono::seconds time = std::chrono::seconds(5));

    ~YaraScanner() override;
    YaraScanner(const YaraScanner&) = delete;
    YaraScanner& operator=(const YaraScanner&) = delete;

    /// "yara." and the name of the rule that matches, the worst of them; "yara.time"; kRuleRead.
    std::optional<formats::Finding> look(const formats::ByteSource& content,
                                         std::uint64_t bytes) override;

    std::string name() const override { return "yara"; }

    /// As yara_version.
    std::string version() const override;

    /// The names of all rules, as in formats::rules().
    std::vector<std::string> rule_names() const;

  private:
    struct State;
    explicit YaraScanner(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::gate
