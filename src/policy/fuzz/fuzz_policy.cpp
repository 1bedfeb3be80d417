// policy.toml. What parses has bounded rules, each with its place; judging with it does no harm.
#include <locara/policy/policy.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const auto parsed = policy::Policy::parse(
        std::string_view(reinterpret_cast<const char*>(data), size), "policy.toml");
    if (!parsed) {
        LOCARA_ASSERT(parsed.error().code() == ErrorCode::InvalidArgument ||
                      parsed.error().code() == ErrorCode::TooLarge);
        return 0;
    }
    LOCARA_ASSERT(parsed->rules().size() <= policy::kPolicyRules);
    for (const auto& rule : parsed->rules()) {
        LOCARA_ASSERT(!rule.value.empty() && rule.origin.starts_with("policy.toml:"));
    }
    policy::Subject subject;
    subject.app = "app acme/notes";
    subject.app_publisher = "acme";
    subject.app_license = "MIT";
    const auto decision = parsed->judge(subject);
    LOCARA_ASSERT(decision.findings.size() == parsed->rules().size());
    LOCARA_ASSERT(decision.refuses() == !decision.status());
    return 0;
}
