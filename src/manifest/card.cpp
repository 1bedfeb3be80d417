#include <locara/manifest/card.hpp>

#include <charconv>
#include <utility>

#include <yaml-cpp/yaml.h>

namespace locara::manifest {

namespace {

struct Parts {
    std::string_view front_matter; ///< The lines between the first "---" and the next one, or none.
    std::string_view rest;
};

Parts split(std::string_view card) {
    if (card.starts_with("\xEF\xBB\xBF")) {
        card.remove_prefix(3);
    }
    const auto is_fence = [&](std::size_t at) {
        const auto line = card.substr(at, card.find('\n', at) - at);
        return line.starts_with("---") &&
               line.find_first_not_of(" \t\r", 3) == std::string_view::npos;
    };
    const auto next_line = [&](std::size_t at) {
        const auto end = card.find('\n', at);
        return end == std::string_view::npos ? card.size() : end + 1;
    };
    if (!is_fence(0)) {
        return {{}, card};
    }
    const std::size_t begin = next_line(0);
    for (std::size_t at = begin; at < card.size(); at = next_line(at)) {
        if (is_fence(at)) {
            return {card.substr(begin, at - begin), card.substr(next_line(at))};
        }
    }
    return {{}, card};
}

Error fault(const std::string& what, int line) {
    return Error(ErrorCode::InvalidArgument,
                 "the card's front matter, line " + std::to_string(line + 2) + ": " + what);
}

/// A text, or a list of texts; absent and null are none.
Result<std::vector<std::string>> read_texts(const YAML::Node& root, const char* key) {
    std::vector<std::string> out;
    const YAML::Node node = root[key];
    if (!node || node.IsNull()) {
        return out;
    }
    if (node.IsScalar()) {
        out.push_back(node.Scalar());
        return out;
    }
    if (!node.IsSequence()) {
        return fault(std::string(key) + " must be text or a list of texts", node.Mark().line);
    }
    if (node.size() > kCardBasesLimit) {
        return Error(ErrorCode::TooLarge,
                     std::string("the card's ") + key + " has more than " +
                         std::to_string(kCardBasesLimit) + " entries");
    }
    for (const auto& one : node) {
        if (!one.IsScalar()) {
            return fault(std::string(key) + " must hold texts only", one.Mark().line);
        }
        out.push_back(one.Scalar());
    }
    return out;
}

Result<ModelCard> read(const YAML::Node& root) {
    ModelCard out;
    if (root.IsNull()) {
        return out;
    }
    const auto first = [&](const char* key, std::string& to) -> Status {
        LOCARA_TRY(auto texts, read_texts(root, key));
        to = texts.empty() ? "" : std::move(texts.front());
        return {};
    };
    LOCARA_CHECK(first("license", out.license));
    LOCARA_CHECK(first("license_name", out.license_name));
    LOCARA_CHECK(first("license_link", out.license_link));
    LOCARA_CHECK(first("base_model_relation", out.base_model_relation));
    LOCARA_CHECK(first("pipeline_tag", out.pipeline_tag));
    LOCARA_TRY(out.base_models, read_texts(root, "base_model"));
    return out;
}

/// What a plain scalar is by the core schema.
Json read_plain(const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
        return nullptr;
    }
    if (text == "true" || text == "True" || text == "TRUE") {
        return true;
    }
    if (text == "false" || text == "False" || text == "FALSE") {
        return false;
    }
    const std::string_view digits = std::string_view(text).substr(text.front() == '+' ? 1 : 0);
    const bool numeric = digits.find_first_not_of("0123456789.+-eE") == std::string_view::npos &&
                         digits.find_first_of("0123456789") != std::string_view::npos;
    const char* const end = digits.data() + digits.size();
    std::int64_t whole = 0;
    if (const auto read = std::from_chars(digits.data(), end, whole);
        numeric && read.ec == std::errc() && read.ptr == end) {
        return whole;
    }
    double real = 0;
    if (const auto read = std::from_chars(digits.data(), end, real);
        numeric && read.ec == std::errc() && read.ptr == end) {
        return real;
    }
    return text;
}

/// YAML as JSON, within the limits.
class FrontMatterReader {
  public:
    Result<Json> read(const YAML::Node& node, std::size_t depth = 0) {
        if (++nodes_ > kCardNodesLimit || depth > kCardDepthLimit) {
            return Error(ErrorCode::TooLarge,
                         "the front matter of a card has at most " +
                             std::to_string(kCardNodesLimit) + " values in " +
                             std::to_string(kCardDepthLimit) + " levels");
        }
        if (node.IsScalar()) {
            return node.Tag() == "?" ? read_plain(node.Scalar()) : Json(node.Scalar());
        }
        if (node.IsSequence()) {
            Json list = Json::array();
            for (const auto& one : node) {
                LOCARA_TRY(Json value, read(one, depth + 1));
                list.push_back(std::move(value));
            }
            return list;
        }
        if (!node.IsMap()) {
            return Json();
        }
        Json map = Json::object();
        for (const auto& member : node) {
            const YAML::Node& key = member.first;
            if (!key.IsScalar()) {
                return fault("a key must be text", key.Mark().line);
            }
            if (map.contains(key.Scalar())) {
                return fault(key.Scalar() + " is given twice", key.Mark().line);
            }
            LOCARA_TRY(map[key.Scalar()], read(member.second, depth + 1));
        }
        return map;
    }

  private:
    std::size_t nodes_ = 0;
};

/// Parses the front matter and hands it on; yaml-cpp has no other way than to throw to say that
/// something is wrong. Its parser bounds the depth.
template <class Read>
auto with_front_matter(std::string_view card, Read read) -> decltype(read(YAML::Node())) {
    if (card.size() > kCardLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "a card has at most " + std::to_string(kCardLimitBytes) + " bytes");
    }
    const std::string_view text = split(card).front_matter;
    if (text.size() > kFrontMatterLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "the front matter of a card has at most " +
                         std::to_string(kFrontMatterLimitBytes) + " bytes");
    }
    try {
        const YAML::Node root = YAML::Load(std::string(text));
        if (!root.IsNull() && !root.IsMap()) {
            return fault("it must be a list of members such as \"license: mit\"", 0);
        }
        return read(root);
    } catch (const YAML::Exception& error) {
        return fault("it is no YAML: " + error.msg, error.mark.line);
    }
}

} // namespace

Result<ModelCard> ModelCard::parse(std::string_view card) {
    return with_front_matter(card, read);
}

Result<std::optional<Json>> read_front_matter(std::string_view card) {
    return with_front_matter(card, [](const YAML::Node& root) -> Result<std::optional<Json>> {
        if (root.IsNull()) {
            return std::optional<Json>();
        }
        LOCARA_TRY(Json json, FrontMatterReader().read(root));
        return std::optional(std::move(json));
    });
}

std::string_view without_front_matter(std::string_view card) {
    return split(card).rest;
}

} // namespace locara::manifest
