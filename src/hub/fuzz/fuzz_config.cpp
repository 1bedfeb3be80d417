// hub.toml. What parses is within its bounds, and its patterns can be asked.
#include <locara/hub/config.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const auto parsed = hub::HubConfig::parse(
        std::string_view(reinterpret_cast<const char*>(data), size), "hub.toml");
    if (!parsed) {
        LOCARA_ASSERT(parsed.error().code() == ErrorCode::InvalidArgument ||
                      parsed.error().code() == ErrorCode::TooLarge);
        return 0;
    }
    if (parsed->mirror) {
        const hub::MirrorConfig& mirror = *parsed->mirror;
        LOCARA_ASSERT(!mirror.upstream.empty());
        LOCARA_ASSERT(mirror.allow.size() <= hub::kConfigElements);
        for (const auto& rule : mirror.prefetch) {
            LOCARA_ASSERT(!rule.repo.empty() && !rule.revision.empty());
            static_cast<void>(mirror.allows(rule.repo) || mirror.pins(rule.repo));
        }
    }
    return 0;
}
