#include <locara/crypto/canonical_json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace locara::crypto {

namespace {

void append_string(const std::string& text, std::string& out) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c; // control characters stand as they are: that is the form
    }
    out += '"';
}

// Recursion is bounded by the depth that parse_json allows.
Status append(const Json& value, std::string& out) {
    switch (value.type()) {
    case Json::value_t::null:
        out += "null";
        return {};
    case Json::value_t::boolean:
        out += value.get<bool>() ? "true" : "false";
        return {};
    case Json::value_t::number_integer:
        out += std::to_string(value.get<std::int64_t>());
        return {};
    case Json::value_t::number_unsigned:
        out += std::to_string(value.get<std::uint64_t>());
        return {};
    case Json::value_t::string:
        append_string(value.get_ref<const std::string&>(), out);
        return {};
    case Json::value_t::array: {
        out += '[';
        bool first = true;
        for (const auto& item : value) {
            out += first ? "" : ",";
            first = false;
            LOCARA_CHECK(append(item, out));
        }
        out += ']';
        return {};
    }
    case Json::value_t::object: {
        std::vector<std::pair<const std::string*, const Json*>> members;
        members.reserve(value.size());
        for (const auto& [key, member] : value.items()) {
            members.emplace_back(&key, &member);
        }
        // Byte order of UTF-8 is code point order.
        std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
            return *a.first < *b.first;
        });
        out += '{';
        bool first = true;
        for (const auto& [key, member] : members) {
            out += first ? "" : ",";
            first = false;
            append_string(*key, out);
            out += ':';
            LOCARA_CHECK(append(*member, out));
        }
        out += '}';
        return {};
    }
    case Json::value_t::number_float:
        return Error(ErrorCode::InvalidArgument,
                     "the number " + value.dump() +
                         " has no canonical form: only integers of at most 64 bits have");
    default:
        return Error(ErrorCode::InvalidArgument, "a value without a JSON form");
    }
}

} // namespace

Result<std::string> render_canonical_json(const Json& value) {
    std::string out;
    LOCARA_CHECK(append(value, out));
    return out;
}

} // namespace locara::crypto
