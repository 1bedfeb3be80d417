#include "words.hpp"

#include <locara/base/json.hpp>
#include <locara/base/nearest_word.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/schema.hpp>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <vector>

namespace locara::manifest {

namespace {

std::string suggest(std::string_view found, const std::vector<std::string>& known) {
    const std::string best = nearest_word(found, known);
    return best.empty() ? "" : "; did you mean \"" + best + "\"?";
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out;
}

std::string show(const Json& value) {
    if (value.is_string()) {
        return quote(value.get_ref<const std::string&>());
    }
    if (value.is_object()) {
        return "an object";
    }
    if (value.is_array()) {
        return "a list";
    }
    return render_json(value);
}

std::string child(const std::string& path, const std::string& key) {
    const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
    const std::string name = plain && key.size() <= 60 ? key : "[" + quote(key) + "]";
    return path.empty() || !plain ? path + name : path + "." + name;
}

/// Says in words what a document breaks, for the keywords that our schemas use. It comes before
/// valijson, for two reasons: its words, and that it looks at lengths before patterns (std::regex
/// recurses over its input). valijson has the last word.
class Explainer {
  public:
    explicit Explainer(const Json& root) : root_(root) {}

    std::optional<std::string>
    find(const Json& schema, const Json& value, const std::string& path) {
        if (const auto ref = schema.find("$ref"); ref != schema.end()) {
            return find(resolve(ref->get_ref<const std::string&>()), value, path);
        }
        if (auto fault = find_in_any(schema, value, path)) {
            return fault;
        }
        if (value.is_string()) {
            return find_in_string(schema, value.get_ref<const std::string&>(), path);
        }
        if (value.is_number()) {
            return find_in_number(schema, value, path);
        }
        if (value.is_array()) {
            return find_in_list(schema, value, path);
        }
        if (value.is_object()) {
            return find_in_object(schema, value, path);
        }
        return std::nullopt;
    }

  private:
    const Json& resolve(const std::string& ref) const {
        // Our schemas refer to "#/definitions/<name>" only.
        return root_.at("definitions").at(ref.substr(ref.rfind('/') + 1));
    }

    static std::string tell(const std::string& path, const std::string& text) {
        return (path.empty() ? "the document" : path) + ": " + text;
    }

    static std::string fix(const Json& schema) {
        const auto at = schema.find("x-fix");
        return at == schema.end() ? "" : "; " + at->get<std::string>();
    }

    static bool has_type(const std::string& type, const Json& value) {
        return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
               (type == "string" && value.is_string()) ||
               (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null()) ||
               (type == "integer" && value.is_number_integer()) ||
               (type == "number" && value.is_number());
    }

    static std::optional<std::string>
    find_in_any(const Json& schema, const Json& value, const std::string& path) {
        if (const auto wanted = schema.find("const"); wanted != schema.end() && *wanted != value) {
            return tell(path, "must be " + show(*wanted) + ", found " + show(value));
        }
        if (const auto allowed = schema.find("enum"); allowed != schema.end()) {
            if (std::find(allowed->begin(), allowed->end(), value) == allowed->end()) {
                std::vector<std::string> known;
                for (const auto& one : *allowed) {
                    known.push_back(one.get<std::string>());
                }
                return tell(
                    path,
                    show(value) + " is not one of: " + join(known) +
                        (value.is_string() ? suggest(value.get<std::string>(), known) : "") +
                        fix(schema));
            }
        }
        if (const auto type = schema.find("type"); type != schema.end()) {
            std::vector<std::string> types;
            if (type->is_array()) {
                types = type->get<std::vector<std::string>>();
            } else {
                types.push_back(type->get<std::string>());
            }
            if (std::none_of(types.begin(), types.end(), [&](const auto& t) {
                    return has_type(t, value);
                })) {
                std::string words = types[0];
                for (std::size_t i = 1; i < types.size(); ++i) {
                    words += " or " + types[i];
                }
                return tell(path,
                            "must be of type " + words + ", found " + show(value) + fix(schema));
            }
        }
        return std::nullopt;
    }

    static std::optional<std::string>
    find_in_string(const Json& schema, const std::string& value, const std::string& path) {
        // JSON Schema counts characters, not bytes.
        const auto length =
            static_cast<std::size_t>(std::count_if(value.begin(), value.end(), [](char c) {
                return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
            }));
        if (length < schema.value("minLength", std::size_t{0})) {
            return tell(path, "must not be empty" + fix(schema));
        }
        if (const auto most = schema.find("maxLength");
            most != schema.end() && length > most->get<std::size_t>()) {
            return tell(path,
                        "has " + std::to_string(length) + " characters, at most " +
                            std::to_string(most->get<std::size_t>()) + " are allowed" +
                            fix(schema));
        }
        if (const auto pattern = schema.find("pattern");
            pattern != schema.end() && !matches(pattern->get_ref<const std::string&>(), value)) {
            return tell(path, quote(value) + " is not of the right form" + fix(schema));
        }
        return std::nullopt;
    }

    static bool matches(const std::string& pattern, const std::string& value) {
        static std::mutex mutex;
        static std::map<std::string, std::regex> cache;
        const std::lock_guard lock(mutex);
        auto at = cache.find(pattern);
        if (at == cache.end()) {
            at = cache.emplace(pattern, std::regex(pattern, std::regex::ECMAScript)).first;
        }
        return std::regex_search(value, at->second);
    }

    static std::optional<std::string>
    find_in_number(const Json& schema, const Json& value, const std::string& path) {
        const auto number = value.get<double>();
        if (const auto least = schema.find("minimum");
            least != schema.end() && number < least->get<double>()) {
            return tell(path,
                        show(value) + " is too small, at least " + show(*least) + " is wanted");
        }
        if (const auto most = schema.find("maximum");
            most != schema.end() && number > most->get<double>()) {
            return tell(path,
                        show(value) + " is too large, at most " + show(*most) + " is allowed");
        }
        return std::nullopt;
    }

    std::optional<std::string>
    find_in_list(const Json& schema, const Json& value, const std::string& path) {
        if (value.size() < schema.value("minItems", std::size_t{0})) {
            return tell(path, "must not be empty");
        }
        if (const auto most = schema.find("maxItems");
            most != schema.end() && value.size() > most->get<std::size_t>()) {
            return tell(path,
                        "has " + std::to_string(value.size()) + " entries, at most " +
                            std::to_string(most->get<std::size_t>()) + " are allowed");
        }
        const auto items = schema.find("items");
        for (std::size_t i = 0; i < value.size(); ++i) {
            const std::string here = path + "[" + std::to_string(i) + "]";
            if (items != schema.end()) {
                if (auto fault = find(*items, value[i], here)) {
                    return fault;
                }
            }
            if (schema.value("uniqueItems", false) &&
                std::find(value.begin(),
                          value.begin() + static_cast<std::ptrdiff_t>(i),
                          value[i]) != value.begin() + static_cast<std::ptrdiff_t>(i)) {
                return tell(here, show(value[i]) + " stands in the list already; remove one");
            }
        }
        return std::nullopt;
    }

    std::optional<std::string>
    find_in_object(const Json& schema, const Json& value, const std::string& path) {
        if (const auto branches = schema.find("oneOf"); branches != schema.end()) {
            return find_in_branches(schema, *branches, value, path);
        }
        const auto properties = schema.find("properties");
        if (properties == schema.end()) {
            return std::nullopt;
        }
        std::vector<std::string> known;
        for (const auto& [key, _] : properties->items()) {
            known.push_back(key);
        }
        if (!schema.value("additionalProperties", true)) {
            for (const auto& [key, _] : value.items()) {
                if (!properties->contains(key)) {
                    return tell(child(path, key),
                                "unknown " + schema.value("x-noun", std::string("key")) + " " +
                                    quote(key) + "; known: " + join(known) + suggest(key, known));
                }
            }
        }
        if (const auto required = schema.find("required"); required != schema.end()) {
            for (const auto& key : *required) {
                const auto& name = key.get_ref<const std::string&>();
                if (!value.contains(name)) {
                    return tell(child(path, name), "is missing" + describe(properties->at(name)));
                }
            }
        }
        for (const auto& [key, one] : value.items()) {
            if (const auto property = properties->find(key); property != properties->end()) {
                if (auto fault = find(*property, one, child(path, key))) {
                    return fault;
                }
            }
        }
        return std::nullopt;
    }

    std::optional<std::string> find_in_branches(const Json& schema,
                                                const Json& branches,
                                                const Json& value,
                                                const std::string& path) {
        const auto key = schema.at("x-discriminator").get<std::string>();
        const auto tag = value.find(key);
        std::vector<std::string> known;
        for (const auto& branch : branches) {
            known.push_back(branch.at("title").get<std::string>());
            if (tag != value.end() && *tag == known.back()) {
                return find(branch, value, path);
            }
        }
        if (tag == value.end()) {
            return tell(child(path, key), "is missing; write one of: " + join(known));
        }
        return tell(child(path, key),
                    show(*tag) + " is not one of: " + join(known) +
                        (tag->is_string() ? suggest(tag->get<std::string>(), known) : ""));
    }

    std::string describe(const Json& property) const {
        const Json* at = &property;
        if (const auto ref = at->find("$ref"); ref != at->end() && !at->contains("description")) {
            at = &resolve(ref->get_ref<const std::string&>());
        }
        std::string out;
        if (const auto text = at->find("description"); text != at->end()) {
            out = "; it says: " + text->get<std::string>();
        }
        if (const auto allowed = at->find("enum"); allowed != at->end()) {
            out += "; one of: " + join(allowed->get<std::vector<std::string>>());
        }
        return out;
    }

    const Json& root_;
};

/// A schema in both shapes. Read once, then constant: validators may share it among threads.
struct Loaded {
    explicit Loaded(SchemaName name)
        : json(Json::parse(schema_text(name))), plain(nlohmann::json::parse(schema_text(name))) {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        const valijson::adapters::NlohmannJsonAdapter adapter(plain);
        parser.populateSchema(adapter, schema);
    }

    Json json;
    nlohmann::json plain;
    valijson::Schema schema;
};

const Loaded& load(SchemaName name) {
    static const Loaded app(SchemaName::App);
    static const Loaded model(SchemaName::Model);
    return name == SchemaName::App ? app : model;
}

Status check_version(SchemaName name, const Json& document) {
    const std::string wanted = load(name).json.at("properties").at("schema").at("const");
    if (!document.is_object() || !document.contains("schema") || !document["schema"].is_string()) {
        return {}; // The schema says what is wrong.
    }
    const auto& found = document["schema"].get_ref<const std::string&>();
    const std::string family = wanted.substr(0, wanted.rfind('/') + 1);
    if (found != wanted && found.starts_with(family + "v")) {
        return Error(ErrorCode::Unsupported,
                     "schema: this is " + quote(found) + ", but this program reads " + wanted +
                         "; update Locara");
    }
    return {};
}

} // namespace

Result<Json> validate(SchemaName name, std::string_view text) {
    LOCARA_TRY(auto document, parse_json(text, {.bytes = kManifestLimitBytes, .depth = 32}));
    LOCARA_CHECK(check_version(name, document));
    const auto& loaded = load(name);
    if (auto fault = Explainer(loaded.json).find(loaded.json, document, "")) {
        return Error(ErrorCode::InvalidArgument, std::move(*fault));
    }
    try {
        const nlohmann::json plain(document); // the shape that valijson has an adapter for
        const valijson::adapters::NlohmannJsonAdapter adapter(plain);
        valijson::ValidationResults results;
        valijson::Validator validator;
        if (!validator.validate(loaded.schema, adapter, &results)) {
            valijson::ValidationResults::Error last;
            valijson::ValidationResults::Error one;
            while (results.popError(one)) {
                last = one;
            }
            std::string path;
            for (const auto& part : last.context) {
                path += part;
            }
            return Error(ErrorCode::InvalidArgument, path + ": " + last.description);
        }
    } catch (const std::exception& why) { // valijson and std::regex report their own trouble so
        return Error(ErrorCode::Internal,
                     std::string("the schema validator gave up: ") + why.what());
    }
    return document;
}

} // namespace locara::manifest
