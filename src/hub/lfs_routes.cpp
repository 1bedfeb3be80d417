// The Git LFS batch call (git-lfs: docs/api/batch.md), and the content of one object, up and down,
// for clients that know no other way (docs/api/basic-transfers.md); up also in parts
// (lfs_parts.hpp).
#include "content.hpp"
#include "content_gate.hpp"
#include "incoming_body.hpp"
#include "lfs_json.hpp"
#include "lfs_parts.hpp"
#include "new_repo.hpp"
#include "pulls.hpp"
#include "quota_check.hpp"
#include "routes.hpp"
#include "xet_links.hpp"
#include "xet_token.hpp"

#include <algorithm>
#include <charconv>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kObjectsLimit = 1000;
/// What the chunk store takes as one file, about.
constexpr std::uint64_t kObjectBytesLimit = 1ULL << 40U;
/// When to ask again whether a file has been put together.
constexpr std::chrono::seconds kPartsRetry{5};

struct BatchObject {
    crypto::Sha256Digest oid;
    std::uint64_t size = 0;
};

struct Batch {
    bool upload = false;
    bool offers_xet = false;
    bool offers_parts = false;
    std::optional<std::string> ref; ///< What it is for, if the client says so.
    std::vector<BatchObject> objects;
};

Answer<Batch> parse_batch(const Request& request) {
    LOCARA_TRY(const Json body, parse_object(request));
    Batch batch;
    const std::string operation = text_at(body, "operation").value_or("");
    if (operation != "upload" && operation != "download") {
        return bad_request("operation must be upload or download");
    }
    batch.upload = operation == "upload";
    const std::string algorithm = text_at(body, "hash_algo").value_or("sha256");
    if (algorithm != "sha256" && algorithm != "sha_256") { // The second is JavaScript's spelling.
        return Refusal(409, "", "this hub knows objects by sha256 only");
    }
    const auto transfers = body.find("transfers");
    if (transfers != body.end() && transfers->is_array()) {
        const auto offers = [&transfers](const char* name) {
            return std::find(transfers->begin(), transfers->end(), Json(name)) != transfers->end();
        };
        batch.offers_xet = offers("xet");
        batch.offers_parts = offers("multipart");
    }
    const auto ref = body.find("ref");
    if (ref != body.end() && ref->is_object()) {
        batch.ref = text_at(*ref, "name");
    }
    const auto objects = body.find("objects");
    if (objects == body.end() || !objects->is_array() || objects->size() > kObjectsLimit) {
        return bad_request("send objects, at most " + std::to_string(kObjectsLimit));
    }
    for (const Json& object : *objects) {
        const auto oid = crypto::Sha256Digest::parse(
            object.is_object() ? text_at(object, "oid").value_or("") : "");
        if (!oid || !object.contains("size") || !object["size"].is_number_unsigned()) {
            return Refusal(422, "", "every object needs an oid of 64 hex digits and its size");
        }
        batch.objects.push_back({*oid, object["size"].get<std::uint64_t>()});
    }
    return batch;
}

/// What to do about one object. Without "actions" an upload is not needed.
class BatchAnswer {
  public:
    BatchAnswer(const Services& services,
                const Request& request,
                const Caller& caller,
                const Repo& repo,
                Batch batch)
        : services_(services), request_(request), caller_(caller), repo_(repo),
          batch_(std::move(batch)) {}

    Answer<Json> render() const {
        // git-lfs wants one way for all of a batch.
        const bool by_xet = batch_.upload && batch_.offers_xet;
        const bool in_parts = batch_.upload && !by_xet && batch_.offers_parts &&
                              std::any_of(batch_.objects.begin(),
                                          batch_.objects.end(),
                                          [](const auto& one) { return one.size > kPartsFrom; });
        Json objects = Json::array();
        for (const BatchObject& object : batch_.objects) {
            LOCARA_TRY(const auto file, find(object.oid));
            Json out = {
                {"oid", object.oid.render()}, {"size", object.size}, {"authenticated", true}};
            if (!batch_.upload) {
                add_download(out, file);
            } else if (!file && object.size > kObjectBytesLimit) {
                out["error"] = {
                    {"code", 413},
                    {"message",
                     "a file has at most " + std::to_string(kObjectBytesLimit) + " bytes here"}};
            } else if (!file && by_xet) {
                out["actions"] = {{"upload", xet_upload()}};
            } else if (!file) {
                out["actions"] = {
                    {"upload", in_parts ? upload_in_parts(object) : basic_upload(object)}};
            }
            objects.push_back(std::move(out));
        }
        return Json{{"transfer", by_xet ? "xet" : (in_parts ? "multipart" : "basic")},
                    {"objects", std::move(objects)}};
    }

  private:
    /// Whoever hears that an upload is not needed will name the file: its content must be there. It
    /// may have been set aside as damaged, and is taken anew then.
    Result<std::optional<StoredFile>> find(const crypto::Sha256Digest& oid) const {
        if (!batch_.upload) {
            return services_.names.find_file(repo_.key, oid);
        }
        LOCARA_TRY(auto file, services_.names.use_file(repo_.key, oid, services_.clock.now()));
        const Status there = file ? services_.cas.touch(file->xet) : Status();
        if (!there && there.error().code() == ErrorCode::NotFound) {
            return std::optional<StoredFile>();
        }
        LOCARA_CHECK(there);
        return file;
    }

    void add_download(Json& out, const std::optional<StoredFile>& file) const {
        if (!file) {
            out["error"] = {{"code", 404}, {"message", "this repository has no such object"}};
            return;
        }
        out["size"] = file->size;
        Json action = {{"href", object_url(file->sha256)}};
        if (const auto header = request_.headers.find("Authorization")) {
            action["header"] = {{"Authorization", *header}};
        }
        out["actions"] = {{"download", std::move(action)}};
    }

    std::string object_url(const crypto::Sha256Digest& oid) const {
        return repo_url(request_, repo_.id) + ".git/info/lfs/objects/" + oid.render();
    }

    /// Clients of the Hub send neither their token nor any header with the file: the URL permits.
    std::string upload_query(const BatchObject& object) const {
        return "?" +
               services_.signer.make_upload_query(
                   {repo_.key, object.oid, object.size, services_.clock.now() + kDataUrlLife});
    }

    Json basic_upload(const BatchObject& object) const {
        return {{"href", object_url(object.oid) + upload_query(object)},
                {"expires_in", kDataUrlLife.count()}};
    }

    /// Who may send the file may send any part of it.
    Json upload_in_parts(const BatchObject& object) const {
        const PartPlan plan = plan_parts(object.size);
        const std::string query = upload_query(object);
        const std::string url = object_url(object.oid) + "/parts";
        Json header = {{"chunk_size", std::to_string(plan.bytes)}};
        for (std::uint64_t number = 1; number <= plan.count; ++number) {
            std::string digits = std::to_string(number);
            header[std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits] =
                url + "/" + digits + query;
        }
        return {{"href", url + query},
                {"header", std::move(header)},
                {"expires_in", kDataUrlLife.count()}};
    }

    Json xet_upload() const {
        const XetGrant grant = grant_xet(services_, request_, caller_, repo_, XetRole::Write);
        const bool pull = batch_.ref && parse_pull_ref(*batch_.ref);
        return {{"href",
                 xet_token_url(request_, repo_, "write", pull ? *batch_.ref : "main") +
                     (batch_.ref ? "" : "?create_pr=1")},
                {"header",
                 {{"X-Xet-Session-Id", request_.id},
                  {"X-Xet-Cas-Url", grant.cas_url},
                  {"X-Xet-Access-Token", grant.access_token},
                  {"X-Xet-Token-Expiration", grant.expires}}}};
    }

    const Services& services_;
    const Request& request_;
    const Caller& caller_;
    const Repo& repo_;
    const Batch batch_;
};

/// Who uploads for a pull request: one that is there, or, when no ref is named, one to be opened.
Answer<std::monostate> require_upload(const Services& services,
                                      const Caller& caller,
                                      const Repo& repo,
                                      const std::optional<std::string>& ref) {
    if (!ref) {
        return require(caller, repo, Action::Propose);
    }
    if (!may(caller, repo, Action::Write)) {
        LOCARA_CHECK(require_target(services, caller, repo, *ref));
    }
    return std::monostate();
}

/// What the objects that are not here yet have together.
Result<std::uint64_t>
missing_bytes(const Services& services, const Repo& repo, const Batch& batch) {
    std::uint64_t bytes = 0;
    for (const BatchObject& object : batch.objects) {
        LOCARA_TRY(const auto file, services.names.find_file(repo.key, object.oid));
        if (!file) {
            bytes = add_bytes(bytes, object.size);
        }
    }
    return bytes;
}

Answer<Response> batch(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Batch wanted, parse_batch(request));
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_git_repo(services, request, caller, type, Action::See));
    LOCARA_CHECK(wanted.upload ? require_upload(services, caller, repo, wanted.ref)
                               : require(caller, repo, Action::Read));
    if (wanted.upload) {
        LOCARA_TRY(const std::uint64_t bytes, missing_bytes(services, repo, wanted));
        if (bytes > 0) {
            LOCARA_CHECK(require_room(services, repo, bytes));
        }
    }
    LOCARA_TRY(const Json answer,
               BatchAnswer(services, request, caller, repo, std::move(wanted)).render());
    Response response = json_answer(answer);
    response.headers.set("Content-Type", kLfsJson);
    return response;
}

Answer<crypto::Sha256Digest> parse_oid(const Request& request) {
    const auto oid = crypto::Sha256Digest::parse(request.param("oid"));
    if (!oid) {
        return bad_request("an object's id has 64 hex digits");
    }
    return *oid;
}

Answer<Response> object(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_git_repo(services, request, type, Action::Read));
    LOCARA_TRY(const auto oid, parse_oid(request));
    LOCARA_TRY(const auto file, services.names.find_file(repo.key, oid));
    if (!file) {
        return Refusal(404, "EntryNotFound", "this repository has no such object");
    }
    LOCARA_CHECK(check_named(services, oid.render()));
    LOCARA_CHECK(check_served(services, repo.key, oid.render()));
    http::Content content;
    content.body = open_content(services.cas, file->xet, file->size);
    content.etag = "\"" + file->sha256.render() + "\"";
    return http::content_response(request, std::move(content));
}

// ---------------------------------------------------------------------------------------- upload

/// A file on its way in.
struct PutCall {
    LfsUpload upload;
    cas::Ingest ingest;
    std::uint64_t size = 0; ///< So far.
};

/// What the URL of a request lets in, and where.
struct Admitted {
    LfsUpload upload;
    Repo repo;
};

Answer<Admitted> admit(const Services& services, const Request& request) {
    LOCARA_TRY(const auto oid, parse_oid(request));
    LOCARA_TRY(const LfsUpload upload,
               services.signer.parse_upload_query(oid,
                                                  request.query.find("repo").value_or(""),
                                                  request.query.find("size").value_or(""),
                                                  request.query.find("exp").value_or(""),
                                                  request.query.find("sig").value_or(""),
                                                  services.clock.now()));
    LOCARA_TRY(auto repo, services.names.find_repo(upload.repo));
    if (!repo) {
        return no_such_repo();
    }
    return Admitted{upload, std::move(*repo)};
}

Answer<PutCall> begin_put(const Services& services, const Request& request) {
    LOCARA_TRY(const Admitted admitted, admit(services, request));
    // Others may have come since the batch call.
    LOCARA_CHECK(require_room(services, admitted.repo, admitted.upload.size));
    LOCARA_TRY(cas::Ingest ingest, services.cas.begin_ingest());
    return PutCall{admitted.upload, std::move(ingest)};
}

Status take_block(PutCall& call, ByteView block) {
    call.size += block.size();
    if (call.size > call.upload.size) {
        return Error(ErrorCode::InvalidArgument,
                     "more bytes come than the " + std::to_string(call.upload.size) +
                         " that the batch call named");
    }
    return call.ingest.write(block);
}

Answer<Response> finish_put(const Services& services, PutCall& call) {
    const auto stored = call.ingest.finish(call.upload.oid);
    if (!stored && stored.error().code() == ErrorCode::Corrupt) {
        return bad_request("these " + std::to_string(call.size) +
                           " bytes do not have sha256:" + call.upload.oid.render());
    }
    if (!stored) {
        return stored.error();
    }
    LOCARA_CHECK(own_file(services, call.upload.repo, stored->info.hash));
    return json_answer(Json::object());
}

/// Receives what a request brings: `begin` makes of it a call that takes it, block by block, by
/// `take`, and `finish` answers. Nothing is read for who may not send it.
template <class Call>
boost::asio::awaitable<Answer<Response>> put(const Services& services,
                                             http::BlockingPool& pool,
                                             const Request& request,
                                             Answer<Call> (*begin)(const Services&, const Request&),
                                             Status (*take)(Call&, ByteView),
                                             Answer<Response> (*finish)(const Services&, Call&)) {
    const auto start = [&] { return begin(services, request); };
    auto call = co_await http::run_blocking(pool, start);
    if (!call) {
        co_return std::move(call).error();
    }
    TakeBlock take_block = [&call, take](ByteView block) { return take(*call, block); };
    auto read = co_await read_blocks(request, pool, std::move(take_block));
    if (!read) {
        co_return std::move(read).error();
    }
    const auto end = [&] { return finish(services, *call); };
    co_return co_await http::run_blocking(pool, end);
}

// -------------------------------------------------------------------------------- upload in parts

LfsParts parts_of(const Services& services, const Admitted& admitted) {
    return {services.folder_of(admitted.repo), admitted.upload.oid, admitted.upload.size};
}

Answer<LfsParts::Incoming> begin_part(const Services& services, const Request& request) {
    LOCARA_TRY(const Admitted admitted, admit(services, request));
    // What has come of it is in the repository's folder, and counted there.
    const LfsParts parts = parts_of(services, admitted);
    const std::uint64_t size = admitted.upload.size;
    LOCARA_CHECK(require_room(services, admitted.repo, size - std::min(size, parts.bytes())));
    const std::string& text = request.param("part");
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return bad_request("a part is named by its number");
    }
    LOCARA_TRY(auto part, parts.begin(number));
    return part;
}

Status take_part(LfsParts::Incoming& part, ByteView block) {
    return part.write(block);
}

Answer<Response> finish_part(const Services& /*services*/, LfsParts::Incoming& part) {
    const auto digest = part.finish();
    if (!digest) {
        return digest.error();
    }
    Response response = json_answer(Json::object());
    response.headers.set("ETag", "\"" + digest->render() + "\"");
    return response;
}

/// All parts have come: they become the file. A client that has not waited long enough for this may
/// ask again.
Answer<Response> finish_parts(const Services& services, const Request& request) {
    LOCARA_TRY(const Admitted admitted, admit(services, request));
    LOCARA_TRY(const auto file,
               services.names.find_file(admitted.upload.repo, admitted.upload.oid));
    if (file && services.cas.touch(file->xet)) {
        return json_answer(Json::object());
    }
    const LfsParts parts = parts_of(services, admitted);
    LOCARA_TRY(cas::Ingest ingest, services.cas.begin_ingest());
    PutCall call{admitted.upload, std::move(ingest)};
    const Status read = parts.read([&call](ByteView block) { return take_block(call, block); });
    if (!read && read.error().code() == ErrorCode::NotFound) {
        return bad_request(read.error().message());
    }
    if (!read && read.error().code() == ErrorCode::Busy) {
        Refusal later(503, "", "the parts are being put together; ask again in a moment");
        later.headers.set("Retry-After", std::to_string(kPartsRetry.count()));
        return later;
    }
    if (!read) {
        return read.error();
    }
    auto answer = finish_put(services, call);
    if (answer || answer.error().status == 400) { // Wrong bytes must be sent again, all of them.
        parts.remove();
    }
    return answer;
}

} // namespace

void add_lfs_routes(Routes& routes, const Services& services) {
    for_each_type([&](RepoType type, const std::string& prefix) {
        const std::string lfs = prefix + "{org}/{repo}/info/lfs/objects/";
        routes.post(lfs + "batch", [&services, type](const Request& request) {
            return batch(services, request, type);
        });
        routes.get(lfs + "{oid}", [&services, type](const Request& request) {
            return object(services, request, type);
        });
        routes.add_streamed("PUT",
                            lfs + "{oid}",
                            kObjectBytesLimit,
                            [&services, &pool = routes.pools().uploads](const Request& request) {
                                return put<PutCall>(
                                    services, pool, request, &begin_put, &take_block, &finish_put);
                            });
        routes.add_streamed("PUT",
                            lfs + "{oid}/parts/{part}",
                            kObjectBytesLimit,
                            [&services, &pool = routes.pools().uploads](const Request& request) {
                                return put<LfsParts::Incoming>(
                                    services, pool, request, &begin_part, &take_part, &finish_part);
                            });
        // It reads and hashes the whole file: as uploads do, beside the pool of quick answers.
        routes.add_long("POST", lfs + "{oid}/parts", [&services](const Request& request) {
            return finish_parts(services, request);
        });
    });
}

} // namespace locara::hub
