// Names of objects, as a backend lists them: each names one thing at most, and names it one way.
#include "../keys.hpp"

using namespace locara;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
    if (const auto key = cas::Key::parse(text)) {
        LOCARA_ASSERT(key->render() == text && size <= cas::Key::kMaxBytes);
        LOCARA_ASSERT(("/" + std::string(text) + "/").find("/../") == std::string::npos);
    }
    int kinds = 0;
    if (const auto xorb = cas::parse_xorb_key(text)) {
        LOCARA_ASSERT(cas::key_of(*xorb).render() == text);
        ++kinds;
    }
    if (const auto file = cas::parse_file_key(text)) {
        LOCARA_ASSERT(cas::key_of(*file).render() == text);
        ++kinds;
    }
    if (const auto file = cas::parse_digest_key(text)) {
        LOCARA_ASSERT(cas::digest_key_of(*file).render() == text);
        ++kinds;
    }
    if (const auto entry = cas::parse_entry_key(text)) {
        LOCARA_ASSERT(cas::key_of(*entry).render() == text);
        LOCARA_ASSERT(text.starts_with(cas::entries_of(entry->chunk)));
        ++kinds;
    }
    LOCARA_ASSERT(kinds <= 1);
    LOCARA_ASSERT(kinds == 0 || cas::Key::parse(text).has_value());
    return 0;
}
