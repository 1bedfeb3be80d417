#include <locara/formats/verdict_json.hpp>

namespace locara::formats {

Json render_verdict(const Verdict& verdict) {
    Json imports = Json::array();
    for (const PickleImport& found : verdict.imports) {
        imports.push_back({{"module", found.module},
                           {"name", found.name},
                           {"opcode", found.opcode},
                           {"offset", found.offset},
                           {"listed", found.listed}});
    }
    return {{"verdict", render(verdict.decision)},
            {"label", render(verdict.label)},
            {"rule", verdict.rule},
            {"reason", verdict.reason},
            {"format", verdict.format},
            {"offset", verdict.offset ? Json(*verdict.offset) : Json()},
            {"member", verdict.member.empty() ? Json() : Json(verdict.member)},
            {"imports", std::move(imports)},
            {"scanner", verdict.scanner},
            {"version", verdict.scanner_version}};
}

namespace {

/// Reads members one by one and remembers whether each was there and right.
class Members {
  public:
    explicit Members(const Json& json) : json_(json), right_(json.is_object()) {}

    std::string text(const char* name) {
        const Json* value = take(name);
        return value != nullptr && check(value->is_string()) ? value->get<std::string>() : "";
    }

    std::uint64_t number(const char* name) {
        const Json* value = take(name);
        return value != nullptr && check(value->is_number_unsigned()) ? value->get<std::uint64_t>()
                                                                      : 0;
    }

    bool flag(const char* name) {
        const Json* value = take(name);
        return value != nullptr && check(value->is_boolean()) && value->get<bool>();
    }

    bool is_null(const char* name) const {
        return right_ && json_.contains(name) && json_[name].is_null();
    }

    /// An empty list where there is none.
    const Json& list(const char* name) {
        static const Json none = Json::array();
        const Json* value = take(name);
        return value != nullptr && check(value->is_array()) ? *value : none;
    }

    void skip(const char* name) { take(name); }

    /// All taken members were right, and there are no others.
    bool complete() const { return right_ && taken_ == json_.size(); }

  private:
    const Json* take(const char* name) {
        if (!check(right_ && json_.contains(name))) {
            return nullptr;
        }
        ++taken_;
        return &json_[name];
    }

    bool check(bool right) {
        right_ = right_ && right;
        return right_;
    }

    const Json& json_;
    bool right_;
    std::size_t taken_ = 0;
};

} // namespace

Result<Verdict> parse_verdict(const Json& json) {
    const Error bad(ErrorCode::Corrupt, "what was answered is no verdict");
    Members members(json);
    Verdict verdict = make_verdict(members.text("format"),
                                   {members.text("rule"), members.text("reason"), std::nullopt});
    const Rule* rule = find_rule(verdict.rule);
    if (rule == nullptr || members.text("verdict") != render(rule->decision) ||
        members.text("label") != render(rule->label)) {
        return bad;
    }
    if (members.is_null("offset")) {
        members.skip("offset");
    } else {
        verdict.offset = members.number("offset");
    }
    if (members.is_null("member")) {
        members.skip("member");
    } else {
        verdict.member = members.text("member");
    }
    for (const Json& one : members.list("imports")) {
        Members import(one);
        verdict.imports.push_back({import.text("module"),
                                   import.text("name"),
                                   import.text("opcode"),
                                   import.number("offset"),
                                   import.flag("listed")});
        if (!import.complete()) {
            return bad;
        }
    }
    verdict.scanner = members.text("scanner");
    verdict.scanner_version = members.text("version");
    if (!members.complete()) {
        return bad;
    }
    return verdict;
}

} // namespace locara::formats
