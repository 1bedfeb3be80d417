#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>
#include <locara/base/line.hpp>
#include <locara/manifest/card_license.hpp>
#include <locara/manifest/license_expression.hpp>
#include <locara/policy/policy.hpp>

#include <algorithm>
#include <array>
#include <set>

// Errors are values here too. The parser bounds nesting by itself (256 levels).
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace locara::policy {

namespace {

using manifest::FactKind;

/// What `facts` may name.
struct FactName {
    std::string_view name;
    FactKind kind;
};

constexpr std::array kFactNames = {FactName{"no-commercial-use", FactKind::CommercialUse},
                                   FactName{"no-redistribution", FactKind::Redistribution},
                                   FactName{"no-derivatives", FactKind::Derivatives},
                                   FactName{"attribution", FactKind::Attribution},
                                   FactName{"share-alike", FactKind::ShareAlike},
                                   FactName{"use-restrictions", FactKind::UseRestrictions},
                                   FactName{"gated", FactKind::Gated}};
/// Any fact that is unknown.
constexpr std::string_view kUnknown = "unknown";

constexpr std::size_t kSocketPath = 107; // what the kernel takes

constexpr std::array kKinds = {
    Rule::Kind::Fact, Rule::Kind::License, Rule::Kind::Publisher, Rule::Kind::Format};

std::string list_facts() {
    std::string out;
    for (const auto& one : kFactNames) {
        out += std::string(one.name) + ", ";
    }
    return out + std::string(kUnknown);
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 96 && std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
    });
}

/// "GPL-2.0+" is that version or a later one, whichever the user likes: that version.
std::string_view this_version(std::string_view id) {
    return id.ends_with('+') ? id.substr(0, id.size() - 1) : id;
}

/// Whether two ids stand for the same text.
bool same_license(std::string_view a, std::string_view b) {
    return manifest::is_same_license(this_version(a), this_version(b));
}

class Reader {
  public:
    explicit Reader(const std::string& path) : path_(path) {}

    Status read(const toml::table& file) {
        for (const auto& [key, value] : file) {
            if (key.str() == "scanners") {
                LOCARA_CHECK(read_scanners(value));
                continue;
            }
            if (key.str() != "refuse") {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) + "; known: refuse, scanners");
            }
            const auto* refuse = value.as_table();
            if (refuse == nullptr) {
                return fault(value.source(), "refuse must be a table: write [refuse]");
            }
            LOCARA_CHECK(read_refuse(*refuse));
        }
        return {};
    }

    std::vector<Rule> take_rules() { return std::move(rules_); }

    std::string take_clamd() { return std::move(clamd_); }

  private:
    std::string place(const toml::source_region& where) const {
        return path_ + ":" + std::to_string(where.begin.line);
    }

    Error fault(const toml::source_region& where, const std::string& text) const {
        return Error(ErrorCode::InvalidArgument, place(where) + ": " + text);
    }

    Status read_scanners(const toml::node& node) {
        const auto* scanners = node.as_table();
        if (scanners == nullptr) {
            return fault(node.source(), "scanners must be a table: write [scanners]");
        }
        for (const auto& [key, value] : *scanners) {
            if (key.str() != "clamd") {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) +
                                 " in [scanners]; known: clamd");
            }
            const auto* text = value.as_string();
            if (text == nullptr || !text->get().starts_with('/') ||
                text->get().size() > kSocketPath) {
                return fault(value.source(),
                             "scanners.clamd must be the absolute path of clamd's socket, such as "
                             "\"/run/clamav/clamd.ctl\"");
            }
            clamd_ = text->get();
        }
        return {};
    }

    Status read_refuse(const toml::table& refuse) {
        std::string reason;
        for (const auto& [key, value] : refuse) {
            // Named again: clang 14 lets no lambda take a structured binding.
            const std::string_view name = key.str();
            const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [name](const auto one) {
                return render(one) == name;
            });
            if (kind != kKinds.end()) {
                LOCARA_CHECK(read_list(*kind, value));
            } else if (key.str() == "reason") {
                if (!value.is_string() || value.as_string()->get().size() > 500) {
                    return fault(value.source(),
                                 "refuse.reason must be a text of at most 500 characters");
                }
                reason = value.as_string()->get();
            } else {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) +
                                 " in [refuse]; known: facts, licenses, publishers, formats, "
                                 "reason");
            }
        }
        for (auto& rule : rules_) {
            rule.reason = reason;
        }
        return {};
    }

    Status read_list(Rule::Kind kind, const toml::node& node) {
        const std::string key = "refuse." + std::string(render(kind));
        const auto* list = node.as_array();
        if (list == nullptr) {
            return fault(node.source(),
                         key + " must be a list of texts, such as [\"" + example(kind) + "\"]");
        }
        for (const auto& one : *list) {
            const auto* text = one.as_string();
            if (text == nullptr) {
                return fault(one.source(), key + " must hold texts only");
            }
            if (rules_.size() == kPolicyRules) {
                return fault(one.source(), "more than " + std::to_string(kPolicyRules) + " rules");
            }
            LOCARA_CHECK(check_value(kind, key, text->get(), one.source()));
            rules_.push_back({kind, text->get(), "", place(one.source())});
        }
        return {};
    }

    static std::string example(Rule::Kind kind) {
        switch (kind) {
        case Rule::Kind::Fact:
            return "no-commercial-use";
        case Rule::Kind::License:
            return "llama3";
        case Rule::Kind::Publisher:
            return "acme";
        case Rule::Kind::Format:
            return "safetensors";
        }
        return "";
    }

    Status check_value(Rule::Kind kind,
                       const std::string& key,
                       const std::string& value,
                       const toml::source_region& where) const {
        switch (kind) {
        case Rule::Kind::Fact:
            if (value != kUnknown &&
                std::none_of(kFactNames.begin(), kFactNames.end(), [&](const auto& one) {
                    return one.name == value;
                })) {
                return fault(where,
                             key + ": " + quote_line(value) + " is not one of: " + list_facts());
            }
            break;
        case Rule::Kind::License: {
            // Any id may be refused, also one that the table does not know; but one at a time.
            const auto parsed = manifest::LicenseExpression::parse(value);
            if (!parsed || parsed->kind != manifest::LicenseExpression::Kind::Id ||
                !parsed->exception.empty()) {
                return fault(where,
                             key + ": " + quote_line(value) +
                                 " is no license id; write an SPDX id or the Hub's id");
            }
            break;
        }
        case Rule::Kind::Publisher:
            if (!is_name(value)) {
                return fault(where,
                             key + ": " + quote_line(value) +
                                 " is no publisher; write the part before the slash, such as acme");
            }
            break;
        case Rule::Kind::Format:
            if (value != "gguf" && value != "safetensors") {
                return fault(where,
                             key + ": " + quote_line(value) + " is not one of: gguf, safetensors");
            }
            break;
        }
        return {};
    }

    const std::string& path_;
    std::vector<Rule> rules_;
    std::string clamd_;
};

void hit(std::vector<std::string>& hits, std::string text) {
    if (std::find(hits.begin(), hits.end(), text) == hits.end()) {
        hits.push_back(std::move(text));
    }
}

bool names(const manifest::LicenseExpression& expression, std::string_view license) {
    return (expression.kind == manifest::LicenseExpression::Kind::Id &&
            same_license(license, expression.id)) ||
           std::any_of(expression.parts.begin(), expression.parts.end(), [&](const auto& part) {
               return names(part, license);
           });
}

/// Whether a license, as a manifest writes it, names this one; as an alternative (OR), too.
bool names(const std::string& text, std::string_view license) {
    const auto expression = manifest::LicenseExpression::parse(text);
    return expression ? names(*expression, license) : same_license(license, text);
}

std::vector<std::string>
find_fact(const Rule& rule, const std::string& whose, const manifest::EffectiveLicense& license) {
    std::vector<std::string> hits;
    for (const auto& [name, kind] : kFactNames) {
        const auto& fact = license.fact(kind);
        const bool unknown = fact.answer == manifest::Answer::Unknown;
        // What nobody knows may be what the rule is about.
        if (rule.value == kUnknown ? unknown : rule.value == name && license.restricts(kind)) {
            hit(hits, whose + ": " + manifest::describe(kind, fact));
        }
    }
    return hits;
}

std::vector<std::string> find_hits(const Rule& rule, const Subject& subject) {
    std::vector<std::string> hits;
    if (rule.kind == Rule::Kind::Publisher && !subject.app_publisher.empty() &&
        ascii_lower(rule.value) == ascii_lower(subject.app_publisher)) {
        hit(hits, subject.app + ": its publisher is " + subject.app_publisher);
    }
    if (rule.kind == Rule::Kind::License && names(subject.app_license, rule.value)) {
        hit(hits, subject.app + ": its license is " + subject.app_license);
    }
    if (rule.kind == Rule::Kind::Fact && subject.app_terms) {
        hits = find_fact(rule, subject.app, *subject.app_terms);
    }
    for (const auto& model : subject.models) {
        switch (rule.kind) {
        case Rule::Kind::Fact:
            for (auto& text : find_fact(rule, model.name, model.license)) {
                hit(hits, std::move(text));
            }
            break;
        case Rule::Kind::License:
            for (const auto& license : model.licenses) {
                if (names(license, rule.value)) {
                    hit(hits, model.name + ": " + license + " is among its licenses");
                }
            }
            break;
        case Rule::Kind::Publisher:
            for (const auto& publisher : model.publishers) {
                if (ascii_lower(rule.value) == ascii_lower(publisher)) {
                    hit(hits,
                        model.name + ": " + publisher + " published it or what it is made from");
                }
            }
            break;
        case Rule::Kind::Format:
            for (const auto& format : model.formats) {
                if (rule.value == format) {
                    hit(hits, model.name + ": has files of the format " + format);
                }
            }
            break;
        }
    }
    return hits;
}

void add_once(std::vector<std::string>& list, std::string text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) {
        list.push_back(std::move(text));
    }
}

} // namespace

std::string_view render(Rule::Kind kind) {
    switch (kind) {
    case Rule::Kind::Fact:
        return "facts";
    case Rule::Kind::License:
        return "licenses";
    case Rule::Kind::Publisher:
        return "publishers";
    case Rule::Kind::Format:
        return "formats";
    }
    return "";
}

void Subject::set_app(const manifest::AppManifest& manifest) {
    app = "app " + manifest.id.render();
    app_publisher = manifest.id.publisher;
    app_license = manifest.license;
    app_terms = manifest::effective_license(manifest, {});
}

void Subject::add(const manifest::ModelManifest& manifest, const manifest::Variant& variant) {
    Model model;
    model.name = "model " + manifest.id.render();
    model.license = manifest::effective_license(manifest);
    add_once(model.licenses, manifest.license.id);
    add_once(model.publishers, manifest.id.publisher);
    add_once(model.publishers, manifest.source.repo.substr(0, manifest.source.repo.find('/')));
    for (const auto& ancestor : manifest.lineage) {
        add_once(model.licenses, ancestor.license);
        add_once(model.publishers, ancestor.repo.substr(0, ancestor.repo.find('/')));
    }
    for (const auto& file : variant.files) {
        add_once(model.formats, std::string(manifest::render(file.format)));
    }
    models.push_back(std::move(model));
}

bool Decision::refuses() const {
    return std::any_of(
        findings.begin(), findings.end(), [](const auto& one) { return !one.hits.empty(); });
}

Status Decision::status() const {
    std::string text;
    std::string reason;
    for (const auto& finding : findings) {
        if (finding.hits.empty()) {
            continue;
        }
        text += (text.empty() ? "" : "; ") + finding.hits.front() + " (" +
                std::string(render(finding.rule.kind)) + ": " + finding.rule.value + ", " +
                finding.rule.origin + ")";
        if (reason.empty()) {
            reason = finding.rule.reason;
        }
    }
    if (text.empty()) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 "the policy of this machine refuses it: " + text +
                     (reason.empty() ? "" : "; " + reason) +
                     "; `locara policy test` explains every rule");
}

Result<Policy> Policy::parse(std::string_view text, const std::string& path) {
    if (text.size() > kPolicyBytes) {
        return Error(ErrorCode::TooLarge,
                     path + " is larger than " + std::to_string(kPolicyBytes) + " bytes");
    }
    // toml++ 3.3 runs into undefined behaviour where it looks for spaces and finds, say, U+FEFD.
    const auto foreign = std::find_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if (foreign != text.end()) {
        return Error(ErrorCode::InvalidArgument,
                     path + ":" + std::to_string(1 + std::count(text.begin(), foreign, '\n')) +
                         ": a policy is ASCII; write other letters in its texts as \\u00e9");
    }
    const auto parsed = toml::parse(text, path);
    if (!parsed) {
        const auto& why = parsed.error();
        return Error(ErrorCode::InvalidArgument,
                     path + ":" + std::to_string(why.source().begin.line) + ": " +
                         std::string(why.description()));
    }
    Reader reader(path);
    LOCARA_CHECK(reader.read(parsed.table()));
    Policy out;
    out.rules_ = reader.take_rules();
    out.clamd_ = reader.take_clamd();
    // Tables are read by key; whoever reads a refusal looks from the top of the file.
    std::stable_sort(out.rules_.begin(), out.rules_.end(), [](const auto& a, const auto& b) {
        return a.kind < b.kind;
    });
    return out;
}

Result<Policy> Policy::load(const std::vector<std::filesystem::path>& paths) {
    Policy out;
    for (const auto& path : paths) {
        auto text = read_file(path, kPolicyBytes);
        std::error_code ignored;
        const bool there = std::filesystem::is_symlink(path, ignored); // that leads nowhere
        if (!text && text.error().code() == ErrorCode::NotFound && !there) {
            continue;
        }
        if (!text) {
            return std::move(text).error();
        }
        LOCARA_TRY(auto one, parse(*text, path.string()));
        std::move(one.rules_.begin(), one.rules_.end(), std::back_inserter(out.rules_));
        if (out.clamd_.empty()) { // an organisation's antivirus is not swapped for another
            out.clamd_ = std::move(one.clamd_);
        }
    }
    return out;
}

Decision Policy::judge(const Subject& subject) const {
    Decision out;
    for (const auto& rule : rules_) {
        out.findings.push_back({rule, find_hits(rule, subject)});
    }
    return out;
}

} // namespace locara::policy
