// Names of refs. What is taken, git takes: by the rules that `git help check-ref-format` lists,
// read here anew.
#include "../ref_name.hpp"

#include <locara/base/path.hpp>

#include <git2.h>

#include <algorithm>

using namespace locara;

namespace {

bool git_takes(std::string_view name) {
    constexpr std::string_view kLock = ".lock";
    for (std::size_t begin = 0; begin <= name.size();) { // Rules 1 and 6.
        const std::size_t end = std::min(name.find('/', begin), name.size());
        const std::string_view part = name.substr(begin, end - begin);
        if (part.empty() || part.front() == '.' ||
            (part.size() >= kLock.size() && part.substr(part.size() - kLock.size()) == kLock)) {
            return false;
        }
        begin = end + 1;
    }
    const bool clean = std::none_of(name.begin(), name.end(), [](char c) { // Rules 4, 5 and 10.
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte == 0x7f ||
               std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
    });
    const bool two = name.find('/') != std::string_view::npos;   // Rule 2.
    const bool plain = name.find("..") == std::string_view::npos // Rules 3, 7 and 8; 9 follows
                       && name.back() != '.' &&                  // from 2.
                       name.find("@{") == std::string_view::npos;
    return clean && two && plain;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const int kStarted = git_libgit2_init();
    LOCARA_ASSERT(kStarted > 0);
    const std::string text(reinterpret_cast<const char*>(data), size);
    for (const std::string& name :
         {text, std::string(hub::kHeads) + text, std::string(hub::kTags) + text}) {
        const Status taken = hub::check_ref_name(name);
        if (!taken) {
            LOCARA_ASSERT(taken.error().code() == ErrorCode::InvalidArgument);
            continue;
        }
        LOCARA_ASSERT(git_takes(name));
        LOCARA_ASSERT(name.find('\0') == std::string::npos);
        const bool is_head = name.rfind(hub::kHeads, 0) == 0;
        LOCARA_ASSERT(is_head || name.rfind(hub::kTags, 0) == 0);
        const std::string rest = name.substr(is_head ? hub::kHeads.size() : hub::kTags.size());
        LOCARA_ASSERT(validate_path(rest).has_value());
        LOCARA_ASSERT(rest.rfind("refs/", 0) != 0 && rest != "HEAD");
        // What lies below it would need a folder of its name, and what lies above it one.
        LOCARA_ASSERT(hub::ref_names_collide(name, name + "/x"));
        LOCARA_ASSERT(hub::ref_names_collide(name + "/x", name));
        LOCARA_ASSERT(hub::ref_names_collide(name + "x", name + "X"));
        LOCARA_ASSERT(!hub::ref_names_collide(name, name) &&
                      !hub::ref_names_collide(name, name + "x"));
    }
    return 0;
}
