#include <locara/manifest/card.hpp>

#include <yaml-cpp/yaml.h>

namespace locara::manifest {

namespace {

/// The lines between the first "---" and the next one; empty if the card does not start so.
std::string_view front_matter(std::string_view card) {
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
        return {};
    }
    const std::size_t begin = next_line(0);
    for (std::size_t at = begin; at < card.size(); at = next_line(at)) {
        if (is_fence(at)) {
            return card.substr(begin, at - begin);
        }
    }
    return {};
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
    if (!root.IsMap()) {
        return fault("it must be a list of members such as \"license: mit\"", 0);
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

} // namespace

Result<ModelCard> ModelCard::parse(std::string_view card) {
    if (card.size() > kCardLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "a card has at most " + std::to_string(kCardLimitBytes) + " bytes");
    }
    const std::string_view text = front_matter(card);
    if (text.size() > kFrontMatterLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "the front matter of a card has at most " +
                         std::to_string(kFrontMatterLimitBytes) + " bytes");
    }
    // yaml-cpp has no other way to say that something is wrong; its parser bounds the depth.
    try {
        return read(YAML::Load(std::string(text)));
    } catch (const YAML::Exception& error) {
        return fault("it is no YAML: " + error.msg, error.mark.line);
    }
}

} // namespace locara::manifest
