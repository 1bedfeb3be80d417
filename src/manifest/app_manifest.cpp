#include "members.hpp"
#include "prompt_template.hpp"
#include "words.hpp"

#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/base/path.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/manifest/schema.hpp>

#include <algorithm>
#include <set>

namespace locara::manifest {

namespace {

std::string text_or_empty(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? "" : at->get<std::string>();
}

/// "sha256:<hex>", whose form the schema has checked.
Result<crypto::Sha256Digest> parse_digest(const Json& value) {
    return crypto::Sha256Digest::parse(
        std::string_view(value.get_ref<const std::string&>()).substr(7));
}

Status check_path(const std::string& where, const std::string& path) {
    if (auto ok = validate_path(path); !ok) {
        return fault(where, ok.error().message());
    }
    return {};
}

Result<PromptField> parse_field(const Json& json, const std::string& where) {
    PromptField field;
    field.name = json.at("name");
    field.label = json.at("label");
    const std::string kind = json.at("kind");
    field.kind = kind == "line"   ? PromptField::Kind::Line
                 : kind == "text" ? PromptField::Kind::Text
                                  : PromptField::Kind::Choice;
    if (json.contains("choices")) {
        field.choices = json.at("choices").get<std::vector<std::string>>();
    }
    if ((field.kind == PromptField::Kind::Choice) == field.choices.empty()) {
        return fault(where + ".choices",
                     field.choices.empty()
                         ? "is missing; a field of kind choice lists what can be chosen"
                         : "only a field of kind choice has choices; remove them");
    }
    field.placeholder = text_or_empty(json, "placeholder");
    field.required = json.value("required", false);
    return field;
}

Status check_template(const Prompt& prompt, const std::string& where) {
    auto parts = split_template(prompt.template_text);
    if (!parts) {
        return fault(where + ".template", parts.error().message());
    }
    std::set<std::string> used;
    for (const auto& part : *parts) {
        if (part.is_field) {
            used.insert(part.text);
        }
    }
    std::string known;
    std::set<std::string> names;
    for (std::size_t i = 0; i < prompt.fields.size(); ++i) {
        const auto& name = prompt.fields[i].name;
        const std::string here = where + ".fields[" + std::to_string(i) + "]";
        if (!names.insert(name).second) {
            return fault(here + ".name", quote(name) + " is taken by another field; rename one");
        }
        if (!used.contains(name)) {
            return fault(here,
                         "the template never uses " + quote(name) + "; write {{" + name +
                             "}} in it, or remove the field");
        }
        known += (known.empty() ? "" : ", ") + name;
    }
    for (const auto& name : used) {
        if (!names.contains(name)) {
            return fault(where + ".template",
                         "{{" + name.substr(0, 60) + "}} names no field; fields: " + known);
        }
    }
    return {};
}

Result<Prompt>
parse_prompt(const Json& json, const std::vector<ModelNeed>& models, const std::string& where) {
    Prompt prompt;
    prompt.role = json.at("role");
    prompt.template_text = json.at("template");
    const auto model = std::find_if(
        models.begin(), models.end(), [&](const auto& one) { return one.role == prompt.role; });
    if (model == models.end()) {
        std::string known;
        for (const auto& one : models) {
            known += (known.empty() ? "" : ", ") + one.role;
        }
        return fault(where + ".role",
                     "no model has the role " + quote(prompt.role) +
                         "; roles in models: " + (known.empty() ? "none" : known));
    }
    if (model->task != "text-generation") {
        return fault(where + ".role",
                     "the model " + quote(prompt.role) + " is for " + model->task +
                         "; a prompt needs text-generation");
    }
    for (std::size_t i = 0; i < json.at("fields").size(); ++i) {
        LOCARA_TRY(auto field,
                   parse_field(json.at("fields")[i], where + ".fields[" + std::to_string(i) + "]"));
        prompt.fields.push_back(std::move(field));
    }
    if (json.contains("output")) {
        prompt.output_schema = render_json(json.at("output").at("schema"));
    }
    LOCARA_CHECK(check_template(prompt, where));
    return prompt;
}

Result<Entry> parse_entry(const Json& json, const std::vector<ModelNeed>& models) {
    Entry entry;
    const std::string kind = json.at("kind");
    if (kind == "web") {
        entry.kind = Entry::Kind::Web;
        entry.root = json.at("root");
        entry.index = json.at("index");
        LOCARA_CHECK(check_path("entry.root", entry.root));
        LOCARA_CHECK(check_path("entry.index", entry.index));
        if (json.contains("once")) {
            LOCARA_TRY(entry.prompt, parse_prompt(json.at("once"), models, "entry.once"));
            for (std::size_t i = 1; i < entry.prompt->fields.size(); ++i) {
                if (entry.prompt->fields[i].required) {
                    return fault("entry.once.fields[" + std::to_string(i) + "].required",
                                 "only the first field is filled by once; make this one optional");
                }
            }
        }
    } else if (kind == "prompt") {
        entry.kind = Entry::Kind::Prompt;
        LOCARA_TRY(entry.prompt, parse_prompt(json.at("prompt"), models, "entry.prompt"));
    } else {
        entry.kind = Entry::Kind::Process;
        entry.command = json.at("command").get<std::vector<std::string>>();
        LOCARA_CHECK(check_path("entry.command[0]", entry.command[0]));
    }
    return entry;
}

Result<std::vector<ModelNeed>> parse_models(const Json& json) {
    std::vector<ModelNeed> models;
    std::set<std::string> roles;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const std::string where = "models[" + std::to_string(i) + "]";
        const auto& one = json[i];
        ModelNeed need;
        need.role = one.at("role");
        need.task = one.at("task");
        LOCARA_TRY(need.id, parse_member<ModelId>(one, "id", where + "."));
        LOCARA_TRY(need.manifest, parse_digest(one.at("manifest")));
        for (const auto& fallback : one.value("fallbacks", Json::array())) {
            LOCARA_TRY(auto digest, parse_digest(fallback));
            need.fallbacks.push_back(digest);
        }
        if (std::find(need.fallbacks.begin(), need.fallbacks.end(), need.manifest) !=
            need.fallbacks.end()) {
            return fault(
                where + ".fallbacks",
                "a model cannot stand in for itself; remove the digest that manifest names");
        }
        if (!roles.insert(need.role).second) {
            return fault(where + ".role",
                         quote(need.role) + " is taken by another model; rename one");
        }
        models.push_back(std::move(need));
    }
    return models;
}

Capabilities parse_capabilities(const Json& json) {
    Capabilities out;
    out.net = json.value("net", std::vector<std::string>());
    out.files = json.value("files", std::string("none")) == "picker" ? Capabilities::Files::Picker
                                                                     : Capabilities::Files::None;
    out.save = json.value("save", false);
    out.devices = json.value("devices", std::vector<std::string>());
    out.background = json.value("background", false);
    out.wasm = json.value("wasm", false);
    return out;
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out;
}

Json member_or_null(const Json& object, const std::string& key) {
    const auto at = object.find(key);
    return at == object.end() ? Json() : *at;
}

/// By the path of what differs; lists element by element, so that one that grew says what came.
void add_differences(Json& out, const std::string& path, const Json& was, const Json& now) {
    if (was == now) {
        return;
    }
    const auto holds = [](const Json& value, bool (Json::*is)() const) {
        return value.is_null() || (value.*is)();
    };
    if (holds(was, &Json::is_object) && holds(now, &Json::is_object)) {
        std::set<std::string> keys;
        for (const Json* object : {&was, &now}) {
            for (const auto& [key, value] : object->items()) {
                keys.insert(key);
            }
        }
        for (const auto& key : keys) {
            add_differences(out,
                            path.empty() ? key : path + "." + key,
                            was.is_null() ? Json() : member_or_null(was, key),
                            now.is_null() ? Json() : member_or_null(now, key));
        }
        return;
    }
    if (holds(was, &Json::is_array) && holds(now, &Json::is_array)) {
        for (std::size_t i = 0; i < std::max(was.size(), now.size()); ++i) {
            add_differences(out,
                            path + "[" + std::to_string(i) + "]",
                            i < was.size() ? was[i] : Json(),
                            i < now.size() ? now[i] : Json());
        }
        return;
    }
    out.push_back({{"field", path}, {"was", was}, {"now", now}});
}

} // namespace

std::string_view render(Entry::Kind kind) {
    switch (kind) {
    case Entry::Kind::Web:
        return "web";
    case Entry::Kind::Prompt:
        return "prompt";
    case Entry::Kind::Process:
        return "process";
    }
    return "";
}

std::vector<crypto::Sha256Digest> ModelNeed::pins() const {
    std::vector<crypto::Sha256Digest> out = {manifest};
    out.insert(out.end(), fallbacks.begin(), fallbacks.end());
    return out;
}

const ModelNeed* AppManifest::find_model(std::string_view role) const {
    for (const auto& model : models) {
        if (model.role == role) {
            return &model;
        }
    }
    return nullptr;
}

Result<AppManifest> AppManifest::parse(std::string_view text) {
    LOCARA_TRY(const auto json, validate(SchemaName::App, text));
    AppManifest out;
    LOCARA_TRY(out.id, parse_member<AppId>(json, "id"));
    LOCARA_TRY(out.version, parse_member<Version>(json, "version"));
    out.name = json.at("name");
    out.description = json.at("description");
    out.details = text_or_empty(json, "details");
    out.category = json.at("category");
    out.tags = json.value("tags", std::vector<std::string>());
    out.icon = text_or_empty(json, "icon");
    if (json.contains("icon")) {
        LOCARA_CHECK(check_path("icon", out.icon));
    }
    const auto screenshots = json.value("screenshots", Json::array());
    for (std::size_t i = 0; i < screenshots.size(); ++i) {
        out.screenshots.push_back({screenshots[i].at("path"), screenshots[i].at("caption")});
        LOCARA_CHECK(
            check_path("screenshots[" + std::to_string(i) + "].path", out.screenshots.back().path));
    }
    out.license = json.at("license");
    LOCARA_CHECK(check_license_text("license", out.license));
    if (json.contains("terms")) {
        out.commercial = json.at("terms").at("commercial");
    }
    out.repository = text_or_empty(json, "repository");
    LOCARA_TRY(out.models, parse_models(json.at("models")));
    LOCARA_TRY(out.entry, parse_entry(json.at("entry"), out.models));
    out.capabilities = parse_capabilities(json.at("capabilities"));
    const auto& needs = json.at("requires");
    out.memory_bytes = needs.at("memory_bytes");
    out.disk_bytes = needs.at("disk_bytes");
    out.gpu = needs.at("gpu");
    if (json.contains("storage")) {
        out.storage_bytes = json.at("storage").at("bytes");
    }
    return out;
}

std::vector<std::string> check_texts(const AppManifest& manifest) {
    std::vector<std::string> out;
    const auto note = [&](const std::string& where, const Status& fine) {
        if (!fine) {
            out.push_back(where + ": " + fine.error().message());
        }
    };
    const auto at = [](const std::string& list, std::size_t i) {
        return list + "[" + std::to_string(i) + "]";
    };
    note("name", check_filled_line(manifest.name));
    note("description", check_filled_line(manifest.description));
    note("details", check_lines(manifest.details));
    note("repository", check_line(manifest.repository));
    for (std::size_t i = 0; i < manifest.screenshots.size(); ++i) {
        note(at("screenshots", i) + ".caption", check_filled_line(manifest.screenshots[i].caption));
    }
    if (!manifest.entry.prompt) {
        return out;
    }
    const Prompt& prompt = *manifest.entry.prompt;
    const std::string where =
        manifest.entry.kind == Entry::Kind::Web ? "entry.once" : "entry.prompt";
    for (std::size_t i = 0; i < prompt.fields.size(); ++i) {
        const PromptField& field = prompt.fields[i];
        const std::string here = at(where + ".fields", i);
        note(here + ".label", check_filled_line(field.label));
        note(here + ".placeholder", check_line(field.placeholder));
        for (std::size_t k = 0; k < field.choices.size(); ++k) {
            note(at(here + ".choices", k), check_filled_line(field.choices[k]));
        }
    }
    note(where + ".template", check_lines(prompt.template_text));
    note(where + ".output.schema", check_line(prompt.output_schema.value_or("")));
    return out;
}

std::vector<Fact> facts(const AppManifest& manifest) {
    const auto& can = manifest.capabilities;
    std::vector<Fact> out;
    const auto say = [&](const char* subject, std::string text) {
        out.push_back({subject, std::move(text), "enforced"});
    };
    const auto grant = [&](const char* subject, std::string text) {
        out.push_back({subject, std::move(text), "enforced", true});
    };
    if (can.net.empty()) {
        say("network", "No network.");
    } else {
        grant("network", "Can send what it knows to " + join(can.net) + ".");
    }
    if (can.files == Capabilities::Files::Picker) {
        grant("files", "Only files that you pick, one by one.");
    } else {
        say("files", "No files of yours.");
    }
    if (can.save) {
        grant("save", "Can offer you files to save, each on your click.");
    }
    for (const auto& device : can.devices) {
        grant("devices", "May ask for the " + device + ", each time.");
    }
    if (can.devices.empty()) {
        say("devices", "No microphone, no camera.");
    }
    if (can.background) {
        grant("background", "May go on when its page is closed.");
    }
    if (can.wasm) {
        grant("code", "Runs WebAssembly in its page.");
    }
    for (const auto& model : manifest.models) {
        say("models", "Uses " + model.id.render() + " on this computer (" + model.task + ").");
    }
    if (!manifest.commercial) {
        out.push_back({"license", "No commercial use.", "declared"});
    }
    return out;
}

Json render_facts(const std::vector<Fact>& facts) {
    Json out = Json::array();
    for (const auto& fact : facts) {
        out.push_back({{"subject", fact.subject}, {"text", fact.text}, {"mark", fact.mark}});
    }
    return out;
}

Json changed_fields(const Json& before, const Json& after) {
    Json out = Json::array();
    add_differences(out, "", before, after);
    std::erase_if(out.get_ref<Json::array_t&>(), [](const Json& one) {
        return one.at("field") == "schema" || one.at("field") == "version";
    });
    return out;
}

std::vector<Fact> FactChanges::new_powers() const {
    std::vector<Fact> out;
    std::copy_if(come.begin(), come.end(), std::back_inserter(out), [](const Fact& fact) {
        return fact.power;
    });
    return out;
}

FactChanges changed_facts(const AppManifest& before, const AppManifest& after) {
    const auto only_in = [](std::vector<Fact> these, const std::vector<Fact>& others) {
        std::erase_if(these, [&](const Fact& fact) {
            return std::find(others.begin(), others.end(), fact) != others.end();
        });
        return these;
    };
    return {only_in(facts(before), facts(after)), only_in(facts(after), facts(before))};
}

} // namespace locara::manifest
