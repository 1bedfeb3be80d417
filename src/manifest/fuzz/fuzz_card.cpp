// Cards of repositories. What parses says the same when only its front matter is left.
#include <locara/base/bytes.hpp>
#include <locara/manifest/card.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string text(reinterpret_cast<const char*>(data), size);
    // What is told to clients can always be rendered.
    if (const auto all = manifest::read_front_matter(text); all && *all) {
        LOCARA_ASSERT((*all)->is_object());
        (void)(*all)->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    const auto card = manifest::ModelCard::parse(text);
    if (!card) {
        LOCARA_ASSERT(card.error().code() == ErrorCode::InvalidArgument ||
                      card.error().code() == ErrorCode::TooLarge);
        return 0;
    }
    LOCARA_ASSERT(card->base_models.size() <= manifest::kCardBasesLimit);
    // What comes behind the front matter decides nothing.
    if (const auto again = manifest::ModelCard::parse(text + "\nlicense: other\n")) {
        LOCARA_ASSERT(card->license.empty() || again->license == card->license);
    }
    return 0;
}
