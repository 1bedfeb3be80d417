#include <locara/base/json.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace locara {

namespace {

constexpr std::size_t kQuotedLimit = 80; // of foreign text in a message

/// Foreign bytes as they may be shown: a message goes to terminals and logs.
std::string printable(std::string text) {
    std::replace_if(
        text.begin(),
        text.end(),
        [](char c) {
            return static_cast<unsigned char>(c) < 0x20U || static_cast<unsigned char>(c) > 0x7EU;
        },
        '?');
    return text;
}

/// Walks a document once without building it, and finds what nlohmann's parser lets pass:
/// duplicate keys and excessive depth. It also yields syntax errors, with their offset.
class Checker : public nlohmann::json_sax<Json> {
  public:
    explicit Checker(const JsonLimits& limits)
        : depth_limit_(limits.depth), key_limit_(limits.keys) {}

    bool null() override { return true; }

    bool boolean(bool) override { return true; }

    bool number_integer(number_integer_t) override { return true; }

    bool number_unsigned(number_unsigned_t) override { return true; }

    bool number_float(number_float_t, const string_t&) override { return true; }

    bool string(string_t&) override { return true; }

    bool binary(binary_t&) override { return true; }

    bool start_object(std::size_t) override {
        keys_.emplace_back();
        return enter();
    }

    bool end_object() override {
        keys_.pop_back();
        --depth_;
        return true;
    }

    bool start_array(std::size_t) override { return enter(); }

    bool end_array() override {
        --depth_;
        return true;
    }

    bool key(string_t& name) override {
        if (!keys_.back().insert(name).second) {
            error_ = Error(ErrorCode::InvalidArgument,
                           "JSON key \"" + printable(name.substr(0, kQuotedLimit)) +
                               "\" stands twice in one object");
            return false;
        }
        if (keys_.back().size() > key_limit_) {
            error_ = Error(ErrorCode::TooLarge,
                           "a JSON object has more than " + std::to_string(key_limit_) + " keys");
            return false;
        }
        return true;
    }

    bool parse_error(std::size_t offset,
                     const std::string&,
                     const nlohmann::detail::exception& why) override {
        std::string text = why.what();
        // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..."
        if (const auto colon = text.find("column"); colon != std::string::npos) {
            text = text.substr(text.find(':', colon) + 2);
        }
        text = text.substr(0, text.find("; last read")); // what follows is theirs, of any length
        error_ =
            Error(ErrorCode::InvalidArgument,
                  "JSON is malformed at byte " + std::to_string(offset) + ": " + printable(text));
        return false;
    }

    Error error() const { return error_; }

  private:
    bool enter() {
        if (++depth_ > depth_limit_) {
            error_ =
                Error(ErrorCode::TooLarge,
                      "JSON is nested deeper than " + std::to_string(depth_limit_) + " levels");
            return false;
        }
        return true;
    }

    std::size_t depth_limit_;
    std::size_t key_limit_;
    std::size_t depth_ = 0;
    std::vector<std::set<std::string>> keys_;
    Error error_{ErrorCode::InvalidArgument, "JSON is malformed"};
};

} // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes) {
        return Error(ErrorCode::TooLarge,
                     "JSON of " + std::to_string(text.size()) + " bytes; at most " +
                         std::to_string(limits.bytes) + " are read");
    }
    // RFC 8259, section 8.1: no byte order mark. nlohmann skips one in silence.
    if (text.starts_with("\xEF\xBB\xBF")) {
        return Error(ErrorCode::InvalidArgument, "JSON starts with a byte order mark");
    }
    // nlohmann takes a NUL for the end of its input: what follows would be dropped in silence.
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "JSON is malformed at byte " + std::to_string(nul + 1) + ": a NUL byte");
    }
    Checker checker(limits);
    if (!Json::sax_parse(text, &checker)) {
        return checker.error();
    }
    return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string render_json(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace locara
