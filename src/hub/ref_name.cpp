#include "ref_name.hpp"

#include "git_handles.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/path.hpp>

namespace locara::hub {
namespace {

constexpr std::size_t kNameLimit = 200;

bool is_commit_id(std::string_view text) {
    return text.size() == GIT_OID_HEXSZ &&
           text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

} // namespace

Status check_ref_name(const std::string& name) {
    const auto refuse = [&name](const std::string& why) {
        return Error(ErrorCode::InvalidArgument, "'" + name + "' is no name of a ref: " + why);
    };
    const std::string_view view = name;
    std::string_view rest;
    if (view.substr(0, kHeads.size()) == kHeads) {
        rest = view.substr(kHeads.size());
    } else if (view.substr(0, kTags.size()) == kTags) {
        rest = view.substr(kTags.size());
    } else {
        return refuse("only refs/heads/ and refs/tags/ take refs");
    }
    int valid = 0;
    if (rest.size() > kNameLimit) {
        return refuse("it has more than " + std::to_string(kNameLimit) + " bytes");
    }
    if (git_reference_name_is_valid(&valid, name.c_str()) != 0 || valid == 0) {
        return refuse("git takes no such name");
    }
    LOCARA_CHECK(validate_path(rest));
    if (rest == "HEAD" || rest.substr(0, 5) == "refs/" || is_commit_id(rest)) {
        return refuse("it could be taken for another revision");
    }
    return {};
}

bool ref_names_collide(const std::string& a, const std::string& b) {
    const std::string one = ascii_lower(a);
    const std::string other = ascii_lower(b);
    return (one == other && a != b) || one.rfind(other + "/", 0) == 0 ||
           other.rfind(one + "/", 0) == 0;
}

} // namespace locara::hub
