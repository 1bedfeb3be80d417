#include <locara/base/json.hpp>
#include <locara/base/path.hpp>
#include <locara/runtime/lockfile.hpp>

namespace locara::runtime {

namespace {

constexpr std::string_view kSchema = "locara.dev/lock/v1";

Error fault(const std::string& path, const std::string& what) {
    return Error(ErrorCode::InvalidArgument, "lock.json, " + path + ": " + what);
}

/// Reads fields of one object and remembers the first thing that is wrong.
class Fields {
  public:
    Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

    std::string text(const char* key) {
        const auto at = json_.is_object() ? json_.find(key) : json_.end();
        if (!json_.is_object() || at == json_.end() || !at->is_string()) {
            fail(key, "must be a string");
            return "";
        }
        return at->get<std::string>();
    }

    std::uint64_t number(const char* key) {
        const auto at = json_.is_object() ? json_.find(key) : json_.end();
        if (!json_.is_object() || at == json_.end() || !at->is_number_unsigned()) {
            fail(key, "must be a number, 0 or more");
            return 0;
        }
        return at->get<std::uint64_t>();
    }

    Json list(const char* key) {
        const auto at = json_.is_object() ? json_.find(key) : json_.end();
        if (!json_.is_object() || at == json_.end() || !at->is_array()) {
            fail(key, "must be a list");
            return Json::array();
        }
        return *at;
    }

    Json object(const char* key) {
        const auto at = json_.is_object() ? json_.find(key) : json_.end();
        if (!json_.is_object() || at == json_.end() || !at->is_object()) {
            fail(key, "must be an object");
            return Json::object();
        }
        return *at;
    }

    /// A text that T::parse takes.
    template <class T> T parsed(const char* key, std::string_view prefix = "") {
        const auto value = text(key);
        if (!value.starts_with(prefix)) {
            fail(key, "must start with " + std::string(prefix));
            return T{};
        }
        auto result = T::parse(std::string_view(value).substr(prefix.size()));
        if (!result) {
            fail(key, result.error().message());
            return T{};
        }
        return std::move(*result);
    }

    Status status() const { return error_.empty() ? Status() : fault(where_ + key_, error_); }

  private:
    void fail(const char* key, std::string what) {
        if (error_.empty()) {
            key_ = key;
            error_ = std::move(what);
        }
    }

    const Json& json_;
    std::string where_;
    std::string key_;
    std::string error_;
};

Result<LockedModel> parse_model(const Json& json, const std::string& where) {
    Fields fields(json, where);
    LockedModel model;
    model.role = fields.text("role");
    model.id = fields.parsed<manifest::ModelId>("id");
    model.version = fields.parsed<manifest::Version>("version");
    model.manifest = fields.parsed<crypto::Sha256Digest>("manifest", "sha256:");
    model.variant = fields.text("variant");
    model.repo = fields.text("repo");
    model.revision = fields.text("revision");
    const auto files = fields.list("files");
    LOCARA_CHECK(fields.status());
    for (std::size_t i = 0; i < files.size(); ++i) {
        Fields one(files[i], where + "files[" + std::to_string(i) + "].");
        LockedFile file;
        file.path = one.text("path");
        file.format = one.text("format");
        file.size = one.number("size");
        file.sha256 = one.parsed<crypto::Sha256Digest>("sha256");
        LOCARA_CHECK(one.status());
        LOCARA_CHECK(validate_path(file.path));
        model.files.push_back(std::move(file));
    }
    return model;
}

} // namespace

std::string Lock::render() const {
    Json all = Json::array();
    for (const auto& model : models) {
        Json files = Json::array();
        for (const auto& file : model.files) {
            files.push_back({{"path", file.path},
                             {"format", file.format},
                             {"size", file.size},
                             {"sha256", file.sha256.render()}});
        }
        all.push_back({{"role", model.role},
                       {"id", model.id.render()},
                       {"version", model.version.render()},
                       {"manifest", "sha256:" + model.manifest.render()},
                       {"variant", model.variant},
                       {"repo", model.repo},
                       {"revision", model.revision},
                       {"files", std::move(files)}});
    }
    const Json json = {{"schema", kSchema},
                       {"app", {{"id", app.render()}, {"version", version.render()}}},
                       {"hub", hub},
                       {"installed", installed},
                       {"entry", {{"target", entry_target}, {"sha256", entry_sha256.render()}}},
                       {"bundle",
                        {{"sha256", bundle_sha256.render()},
                         {"files_sha256", files_sha256.render()},
                         {"unpacked_bytes", unpacked_bytes}}},
                       {"models", std::move(all)}};
    return json.dump(2) + "\n";
}

Result<Lock> Lock::parse(std::string_view text) {
    LOCARA_TRY(const auto json, parse_json(text, {.bytes = 1U << 20U}).context("lock.json"));
    Fields top(json, "");
    if (const auto schema = top.text("schema"); schema != kSchema) {
        return Error(ErrorCode::Unsupported,
                     "lock.json has the schema \"" + schema.substr(0, 60) +
                         "\", this program reads " + std::string(kSchema) +
                         "; install the app again");
    }
    Lock lock;
    lock.hub = top.text("hub");
    lock.installed = top.text("installed");
    const auto app = top.object("app");
    const auto entry = top.object("entry");
    const auto bundle = top.object("bundle");
    const auto models = top.list("models");
    LOCARA_CHECK(top.status());
    Fields app_fields(app, "app.");
    lock.app = app_fields.parsed<manifest::AppId>("id");
    lock.version = app_fields.parsed<manifest::Version>("version");
    LOCARA_CHECK(app_fields.status());
    Fields entry_fields(entry, "entry.");
    lock.entry_target = entry_fields.text("target");
    lock.entry_sha256 = entry_fields.parsed<crypto::Sha256Digest>("sha256");
    LOCARA_CHECK(entry_fields.status());
    Fields bundle_fields(bundle, "bundle.");
    lock.bundle_sha256 = bundle_fields.parsed<crypto::Sha256Digest>("sha256");
    lock.files_sha256 = bundle_fields.parsed<crypto::Sha256Digest>("files_sha256");
    lock.unpacked_bytes = bundle_fields.number("unpacked_bytes");
    LOCARA_CHECK(bundle_fields.status());
    for (std::size_t i = 0; i < models.size(); ++i) {
        LOCARA_TRY(auto model, parse_model(models[i], "models[" + std::to_string(i) + "]."));
        lock.models.push_back(std::move(model));
    }
    return lock;
}

} // namespace locara::runtime
