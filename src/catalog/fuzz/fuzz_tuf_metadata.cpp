// Any bytes as any role's metadata: parsed or refused as Corrupt, never anything else. What is
// parsed has a canonical form that parses to the same again, and foreign keys sign nothing.
#include "../metadata.hpp"
#include "../paths.hpp"

#include <locara/base/percent.hpp>
#include <locara/catalog/draft_review.hpp>
#include <locara/crypto/canonical_json.hpp>

#include <cstdint>

namespace {

using namespace locara;
using namespace locara::catalog;

template <class T> void expect_corrupt(const Result<T>& result) {
    LOCARA_ASSERT(result || result.error().code() == ErrorCode::Corrupt);
    LOCARA_ASSERT(result || !result.error().message().empty());
}

void check(std::string_view bytes, const char* type) {
    const auto envelope = parse_envelope(bytes, type, type, kTargetsLimitBytes);
    expect_corrupt(envelope);
    if (!envelope) {
        return;
    }
    // The canonical form leaves control characters as they are, so JSON may not read it back; if it
    // does, it is the same document.
    if (const auto again = parse_json(envelope->canonical, JsonLimits{kTargetsLimitBytes})) {
        LOCARA_ASSERT(crypto::render_canonical_json(*again).value() == envelope->canonical);
    }
    const RoleKeys nobody;
    LOCARA_ASSERT(!verify_signatures(*envelope, nobody, type, "nobody"));
    const auto root = parse_root(*envelope);
    expect_corrupt(root);
    if (root) {
        LOCARA_ASSERT(root->roles.size() == 4);
        expect_corrupt(check_next_root(bytes, *root));
    }
    expect_corrupt(parse_timestamp(*envelope));
    expect_corrupt(parse_snapshot(*envelope));
    const auto targets = parse_targets(*envelope, type);
    expect_corrupt(targets);
    if (!targets) {
        return;
    }
    for (const auto& [name, target] : targets->targets) {
        const auto verified = verify_target(target, "x");
        LOCARA_ASSERT(verified || verified.error().code() == ErrorCode::Corrupt);
        for (const auto& delegation : targets->delegations) {
            (void)delegation.covers(name);
        }
        const std::string address = target_address(name, "00");
        LOCARA_ASSERT(!is_relative_path(name) || is_relative_path(address));
        LOCARA_ASSERT(address.find_first_of("?# \\\n") == std::string::npos);
    }
    for (const auto& delegation : targets->delegations) {
        LOCARA_ASSERT(percent_encode(delegation.name).find('/') == std::string::npos);
    }
}

/// The file in which a draft comes from a hub: what is read of it is written the same, and can be
/// shown or is refused.
void check_draft(std::string_view bytes, const char* role) {
    const auto draft = parse_draft_file(role, bytes);
    expect_corrupt(draft);
    if (!draft) {
        return;
    }
    const Draft again = parse_draft_file(role, render_draft_file(*draft)).value();
    LOCARA_ASSERT(again.bytes == draft->bytes && again.published == draft->published);
    LOCARA_ASSERT(again.list == draft->list && again.list_was == draft->list_was);
    if (const auto review = review_draft(*draft, nullptr, {})) {
        LOCARA_ASSERT(parse_json(render_json(render(*review)), JsonLimits{1U << 30U}));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const auto* type : {"root", "timestamp", "snapshot", "targets"}) {
        check(bytes, type);
    }
    for (const auto* role : {"root", "targets", "takedown", "apps"}) {
        check_draft(bytes, role);
    }
    if (const auto list = TakedownList::parse(bytes)) {
        LOCARA_ASSERT(TakedownList::parse(list->render()).value() == *list);
        (void)list->find("app", "a/b", "1.0.0");
    }
    return 0;
}
