#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/runtime/receipts.hpp>

namespace locara::runtime {

namespace {

constexpr std::string_view kSchema = "locara.dev/license-receipt/v1";
/// A manifest's terms fit: 32 restrictions of 200 characters.
constexpr std::uint64_t kReceiptBytes = 1U << 16U;

std::filesystem::path place_of(const Home& home, const crypto::Sha256Digest& digest) {
    return home.receipts() / (digest.render() + ".json");
}

} // namespace

std::string_view render(AcceptedBy by) {
    return by == AcceptedBy::Prompt ? "prompt" : "flag";
}

std::string Receipt::render() const {
    const Json json = {{"schema", kSchema},
                       {"license", license},
                       {"url", url},
                       {"text_sha256", text_sha256.empty() ? Json() : Json(text_sha256)},
                       {"terms", terms},
                       {"terms_sha256", digest.render()},
                       {"model", model},
                       {"manifest", "sha256:" + manifest.render()},
                       {"when", when},
                       {"by", runtime::render(by)}};
    return json.dump(2) + "\n";
}

Result<Receipt> Receipt::parse(std::string_view text) {
    LOCARA_TRY(const auto json, parse_json(text, {.bytes = kReceiptBytes, .depth = 4}));
    const auto fault = [](const char* key) {
        return Error(ErrorCode::InvalidArgument,
                     std::string("license receipt, ") + key + ": is missing or not of its form");
    };
    if (!json.is_object() || json.value("schema", Json()) != kSchema) {
        return Error(ErrorCode::Unsupported,
                     "license receipt: schema must be " + std::string(kSchema));
    }
    for (const auto* key : {"license", "url", "terms_sha256", "model", "manifest", "when", "by"}) {
        if (!json.value(key, Json()).is_string()) {
            return fault(key);
        }
    }
    Receipt out;
    out.license = json["license"];
    out.url = json["url"];
    if (const auto at = json.find("text_sha256"); at != json.end() && at->is_string()) {
        out.text_sha256 = *at;
    }
    if (!json.value("terms", Json()).is_array()) {
        return fault("terms");
    }
    for (const auto& one : json["terms"]) {
        if (!one.is_string()) {
            return fault("terms");
        }
        out.terms.push_back(one);
    }
    LOCARA_TRY(out.digest,
               crypto::Sha256Digest::parse(json["terms_sha256"].get_ref<const std::string&>()));
    out.model = json["model"];
    const auto& pinned = json["manifest"].get_ref<const std::string&>();
    if (!pinned.starts_with("sha256:")) {
        return fault("manifest");
    }
    LOCARA_TRY(out.manifest, crypto::Sha256Digest::parse(std::string_view(pinned).substr(7)));
    out.when = json["when"];
    const auto& by = json["by"].get_ref<const std::string&>();
    if (by != "prompt" && by != "flag") {
        return fault("by");
    }
    out.by = by == "prompt" ? AcceptedBy::Prompt : AcceptedBy::Flag;
    return out;
}

Result<std::optional<Receipt>> find_receipt(const Home& home,
                                            const manifest::LicenseTermsToAccept& terms) {
    const auto digest = terms.digest();
    const auto text = read_file(place_of(home, digest), kReceiptBytes);
    if (!text && text.error().code() != ErrorCode::NotFound &&
        text.error().code() != ErrorCode::TooLarge) {
        return text.error();
    }
    if (text) {
        auto receipt = Receipt::parse(*text);
        // The name of the file is no proof: what it says must be what is asked.
        if (receipt && receipt->digest == digest && receipt->license == terms.id &&
            receipt->terms == terms.terms) {
            return std::optional(std::move(*receipt));
        }
    }
    return std::optional<Receipt>();
}

Status add_receipt(const Home& home, const Receipt& receipt) {
    LOCARA_CHECK(create_folders(home.receipts(), 0700));
    return write_file_atomically(place_of(home, receipt.digest), as_bytes(receipt.render()), 0600);
}

} // namespace locara::runtime
