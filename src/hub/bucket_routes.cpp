// Buckets by the Hub's API: docs/hub.md, "Buckets".
#include "access.hpp"
#include "audit_record.hpp"
#include "bucket_batch.hpp"
#include "buckets.hpp"
#include "commit_body.hpp"
#include "content_gate.hpp"
#include "file_answers.hpp"
#include "given.hpp"
#include "incoming_body.hpp"
#include "list_page.hpp"
#include "new_repo.hpp"
#include "quota_check.hpp"
#include "routes.hpp"
#include "wanted_paths.hpp"
#include "xet_token.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/percent.hpp>
#include <locara/base/secret.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kDefaultPage = 1000;
constexpr std::size_t kListPage = 1000;

Answer<Repo> find_bucket(const Services& services, const Request& request, Action action) {
    return find_repo(services, request, RepoType::Bucket, action);
}

/// "2026-01-01T00:00:00.250Z" of milliseconds since 1970.
std::string render_millis(std::int64_t millis) {
    std::string text = render_date(TimePoint(std::chrono::seconds(millis / 1000)));
    const std::string part = std::to_string(1000 + millis % 1000);
    return text.replace(text.size() - 4, 3, part.substr(1));
}

/// The namespace of a request; "me" is the caller's own.
std::string space_of(const Request& request, const Caller& caller) {
    const std::string& space = request.param("org");
    return space == "me" && caller ? caller->account.name : space;
}

// -------------------------------------------------------------------------------- buckets as such

Answer<Json> describe(const Services& services, const Repo& bucket) {
    LOCARA_TRY(const BucketTotals totals, services.buckets.totals(bucket));
    return Json{{"_id", bucket.internal},
                {"id", bucket.id.render()},
                {"author", bucket.id.space},
                {"private", bucket.visibility == Visibility::Private},
                {"createdAt", render_date(bucket.created)},
                {"updatedAt", render_date(totals.uploaded.value_or(bucket.created))},
                {"size", totals.bytes},
                {"totalFiles", totals.files},
                {"repoType", "bucket"},
                {"cdnRegions", Json::array()}};
}

Answer<Response> create(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(require_known(caller));
    LOCARA_TRY(const Json body, parse_object(request));
    const RepoId id{RepoType::Bucket, space_of(request, caller), request.param("repo")};
    if (!is_repo_part(id.name) || !is_repo_part(id.space)) {
        return bad_request("'" + id.render() + "' is no id of a bucket: namespace/name");
    }
    LOCARA_TRY(const std::string space, require_space(caller, id.space));
    Repo bucket;
    bucket.id = {RepoType::Bucket, space, id.name};
    bucket.maker = caller->account.key;
    bucket.internal = random_hex(12);
    LOCARA_TRY(const auto asked, parse_visibility(body));
    LOCARA_TRY(bucket.visibility, choose_visibility(services, bucket.id, asked));
    bucket.created = services.clock.now();
    const auto made = services.names.add_repo(bucket);
    if (!made && made.error().code() == ErrorCode::Conflict) {
        // As its maker spelled it.
        LOCARA_TRY(const auto there, services.names.find_repo(bucket.id));
        return already_there(request, there ? there->id : bucket.id);
    }
    if (!made) {
        return made.error();
    }
    services.log.info(
        "hub", "bucket_created", {{"bucket", bucket.id.render()}, {"by", caller->account.name}});
    record(services, request, "repo-created", bucket);
    return json_answer({{"url", repo_url(request, made->id)},
                        {"name", made->id.render()},
                        {"id", made->internal}});
}

Answer<Response> info(const Services& services, const Request& request) {
    LOCARA_TRY(const Repo bucket, find_bucket(services, request, Action::See));
    LOCARA_TRY(const Json json, describe(services, bucket));
    return json_answer(json);
}

Answer<Response> remove(const Services& services, const Request& request) {
    LOCARA_TRY(const Repo bucket, find_bucket(services, request, Action::Write));
    LOCARA_TRY(const RemovedSpace space, remove_repo(services.names, services.repos, bucket));
    services.log.info("hub", "bucket_removed", {{"bucket", bucket.id.render()}});
    record(services, request, "repo-removed", bucket);
    return json_answer(render(space));
}

Answer<Response> change_settings(const Services& services, const Request& request) {
    LOCARA_TRY(Repo bucket, find_bucket(services, request, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_CHECK(require_settings(body, {"private", "visibility"}));
    LOCARA_TRY(const auto asked, parse_visibility(body));
    if (asked) {
        bucket.visibility = *asked;
        LOCARA_CHECK(services.names.set_visibility(bucket.key, bucket.visibility));
    }
    record(services, request, "repo-settings", bucket);
    return json_answer({{"private", bucket.visibility == Visibility::Private}});
}

/// The buckets of a namespace that the caller may see, by name.
Answer<Response> list(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    if (request.param("org") == "me") {
        LOCARA_CHECK(require_known(caller));
    }
    const std::string space = space_of(request, caller);
    LOCARA_TRY(const bool known, services.names.is_own_space(space));
    if (!known) {
        return Refusal(404, "", "there is no user or organization '" + space + "'");
    }
    const std::string search(request.query.find("search").value_or(""));
    LOCARA_TRY(auto all, services.names.list_repos(RepoType::Bucket));
    std::erase_if(all, [&](const Repo& bucket) {
        return !equals_ignoring_case(bucket.id.space, space) || !may(caller, bucket, Action::See) ||
               bucket.id.name.find(search) == std::string::npos;
    });
    LOCARA_TRY(const ListPage part, page_of(request, all.size(), kListPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        LOCARA_TRY(Json json, describe(services, all[i]));
        page.push_back(std::move(json));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

/// An id of one part names no bucket. Who asks by a namespace alone, as Python's client does if it
/// is given a name without one, is told that nothing is there and not that it may not be asked.
Answer<Response> remove_unnamed(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(require_known(caller));
    Refusal refusal = hidden_repo(caller);
    refusal.message =
        "there is no bucket '" + request.param("org") + "': the id of a bucket is namespace/name";
    return refusal;
}

// --------------------------------------------------------------------------------- what is in them

Json render(const BucketEntry& entry) {
    const BucketFile& file = entry.file;
    if (entry.kind == BucketEntry::Kind::Directory) {
        return {
            {"type", "directory"}, {"path", file.path}, {"uploadedAt", render_date(file.uploaded)}};
    }
    Json json = {{"type", "file"},
                 {"path", file.path},
                 {"size", file.size},
                 {"xetHash", file.xet.render()},
                 {"uploadedAt", render_date(file.uploaded)}};
    if (file.modified) {
        json["mtime"] = render_millis(*file.modified);
    }
    if (!file.content_type.empty()) {
        json["contentType"] = file.content_type;
    }
    return json;
}

/// The segments behind the bucket's name and one word more, which may have come as one.
std::string path_of(const Request& request) {
    std::string path;
    for (std::size_t i = 5; i < request.segments.size(); ++i) {
        path += (path.empty() ? "" : "/") + request.segments[i];
    }
    while (path.ends_with('/')) {
        path.pop_back();
    }
    return path;
}

/// Recursive unless said otherwise, unlike the trees of repositories.
Answer<Response> tree(const Services& services, const Request& request) {
    LOCARA_TRY(const Repo bucket, find_bucket(services, request, Action::See));
    const std::string folder = path_of(request);
    const bool recursive = !request.query.find("recursive") || request.query.flag("recursive");
    LOCARA_TRY(const auto asked, given_number(request, "limit"));
    const std::size_t limit = std::clamp<std::size_t>(asked.value_or(kDefaultPage), 1, kBucketPage);
    const std::string from(request.query.find("cursor").value_or(""));
    LOCARA_TRY(const BucketPage page,
               services.buckets.list(bucket,
                                     folder,
                                     recursive ? Buckets::Recursive::Yes : Buckets::Recursive::No,
                                     from,
                                     limit));
    Json json = Json::array();
    if (!folder.empty() && from.empty()) {
        LOCARA_TRY(const auto file, services.buckets.find(bucket, folder));
        if (file) {
            json.push_back(render({BucketEntry::Kind::File, *file}));
        }
    }
    for (const BucketEntry& entry : page.entries) {
        json.push_back(render(entry));
    }
    Response response = json_answer(json);
    if (!page.next.empty()) {
        response.headers.add("Link",
                             "<" + endpoint(request) + request.path +
                                 "?recursive=" + (recursive ? "true" : "false") +
                                 "&limit=" + std::to_string(limit) +
                                 "&cursor=" + percent_encode(page.next) + ">; rel=\"next\"");
    }
    return response;
}

Answer<Response> paths_info(const Services& services, const Request& request) {
    LOCARA_TRY(const Repo bucket, find_bucket(services, request, Action::See));
    LOCARA_TRY(const WantedPaths wanted, parse_wanted_paths(request));
    Json json = Json::array();
    for (const std::string& path : wanted.paths) {
        LOCARA_TRY(const auto file, services.buckets.find(bucket, path));
        if (file) {
            json.push_back(render({BucketEntry::Kind::File, *file}));
            continue;
        }
        LOCARA_TRY(const auto folder, services.buckets.find_folder(bucket, path));
        if (folder && !path.empty()) {
            json.push_back(render(*folder));
        }
    }
    return json_answer(json);
}

Answer<Response> resolve(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_reader(services, request));
    LOCARA_TRY(const Repo bucket,
               find_repo(services, request, caller, RepoType::Bucket, Action::Read));
    const std::string path = request.param("path");
    LOCARA_TRY(const auto file, services.buckets.find(bucket, path));
    if (!file) {
        return no_such_entry("");
    }
    LOCARA_TRY(const auto stored, services.names.find_file(bucket.key, file->xet));
    if (!stored) {
        return Error(ErrorCode::Internal,
                     bucket.id.render() + " names the file " + file->xet.render() +
                         ", which is not among its files");
    }
    LOCARA_CHECK(check_served(services, bucket.key, stored->sha256.render()));
    return stored_answer(services, request, {bucket, "", path, false}, *stored);
}

Answer<Response> xet_token(const Services& services, const Request& request, XetRole role) {
    const Action action = role == XetRole::Write ? Action::Write : Action::Read;
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo bucket, find_repo(services, request, caller, RepoType::Bucket, action));
    if (role == XetRole::Write) {
        LOCARA_CHECK(require_room(services, bucket));
    }
    return token_answer(services, request, caller, bucket, role);
}

// ------------------------------------------------------------------------------------------ batch

/// A batch while it is carried out: what can be done is done together, what cannot is told.
class BatchJob {
  public:
    BatchJob(const Services& services, const Repo& bucket, const Caller& caller)
        : services_(services), bucket_(bucket), caller_(caller) {}

    Answer<Response> run(ByteView body) {
        LOCARA_TRY(const auto operations, read_batch(body));
        for (const BatchOperation& operation : operations) {
            Answer<BucketChange> change = prepare(operation);
            if (change) {
                changes_.push_back(*change);
            } else if (change.error().status >= 500) {
                return change.error();
            } else {
                failed_.push_back({{"path", operation.path}, {"error", change.error().message}});
            }
        }
        LOCARA_CHECK(services_.buckets.apply(bucket_, changes_));
        const bool none = changes_.empty() && !failed_.empty();
        Response response = json_answer({{"success", failed_.empty()},
                                         {"processed", operations.size()},
                                         {"succeeded", changes_.size()},
                                         {"failed", std::move(failed_)}});
        response.status = none ? 422 : 200;
        return response;
    }

  private:
    Answer<BucketChange> prepare(const BatchOperation& operation) {
        LOCARA_CHECK(check_path(operation.path));
        BucketChange change;
        change.file.path = operation.path;
        if (operation.kind == BatchOperation::Kind::Remove) {
            change.kind = BucketChange::Kind::Remove;
            return change;
        }
        LOCARA_TRY(const StoredFile file,
                   operation.kind == BatchOperation::Kind::Copy ? find_source(operation)
                                                                : find_uploaded(operation));
        const StoredSource content(services_.cas, file.xet, file.size);
        LOCARA_CHECK(pass_gate(services_, content, file.sha256.render(), operation.path));
        if (operation.kind == BatchOperation::Kind::Copy) {
            LOCARA_CHECK(require_room(services_, bucket_, file.size));
            LOCARA_CHECK(own_file(services_, bucket_.key, file.xet));
        }
        change.file.xet = file.xet;
        change.file.size = file.size;
        change.file.uploaded = services_.clock.now();
        change.file.modified = operation.modified;
        change.file.content_type = operation.content_type;
        return change;
    }

    /// The content must have come to this very bucket: who knows a hash has not the bytes.
    Answer<StoredFile> find_uploaded(const BatchOperation& operation) {
        LOCARA_TRY(const auto file, services_.names.find_file(bucket_.key, operation.xet));
        if (!file || !services_.cas.touch(file->xet)) {
            return Refusal(422,
                           "",
                           "the file " + operation.xet.render() +
                               " was not uploaded to this bucket; upload it by Xet first");
        }
        return *file;
    }

    /// Content of another repository, if the caller may read it there.
    Answer<StoredFile> find_source(const BatchOperation& operation) {
        const Refusal missing(422,
                              "",
                              "there is no file " + operation.xet.render() + " in " +
                                  operation.source_type + " " + operation.source_id +
                                  " that you may read");
        const auto type = parse_repo_type(operation.source_type);
        const auto id = type ? RepoId::parse(*type, operation.source_id) : std::nullopt;
        if (!id) {
            return missing;
        }
        LOCARA_TRY(const auto source, services_.names.find_repo(*id));
        if (!source || !may(caller_, *source, Action::Read)) {
            return missing;
        }
        LOCARA_TRY(const auto file, services_.names.find_file(source->key, operation.xet));
        if (!file || !services_.cas.touch(file->xet)) {
            return missing;
        }
        return *file;
    }

    const Services& services_;
    const Repo& bucket_;
    const Caller& caller_;
    std::vector<BucketChange> changes_;
    Json failed_ = Json::array();
};

struct BatchCall {
    Repo bucket;
    Caller caller;
};

/// Who may not write is told so before the body is read.
boost::asio::awaitable<Answer<Response>>
batch(const Services& services, http::BlockingPool& pool, const Request& request) {
    const auto check = [&]() -> Answer<BatchCall> {
        LOCARA_TRY(Caller caller, identify(services, request));
        LOCARA_TRY(Repo bucket,
                   find_repo(services, request, caller, RepoType::Bucket, Action::Write));
        return BatchCall{std::move(bucket), std::move(caller)};
    };
    auto call = co_await http::run_blocking(pool, check);
    if (!call) {
        co_return std::move(call).error();
    }
    auto body = co_await receive_body(request, pool, services.backend);
    if (!body) {
        co_return std::move(body).error();
    }
    const auto job = [&] {
        return BatchJob(services, call->bucket, call->caller).run(body->bytes());
    };
    co_return co_await http::run_blocking(pool, job);
}

} // namespace

void add_bucket_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&);
    const auto bind = [&services](Handle handle) {
        return [&services, handle](const Request& request) { return handle(services, request); };
    };
    const std::string one = "/api/buckets/{org}/{repo}";
    routes.get("/api/buckets/{org}", bind(&list));
    routes.add("DELETE", "/api/buckets/{org}", bind(&remove_unnamed));
    routes.post(one, bind(&create));
    routes.get(one, bind(&info));
    routes.add("DELETE", one, bind(&remove));
    routes.add("PUT", one + "/settings", bind(&change_settings));
    routes.get(one + "/tree", bind(&tree));
    routes.get(one + "/tree/{*path}", bind(&tree));
    routes.post(one + "/paths-info", bind(&paths_info));
    routes.add_streamed("POST",
                        one + "/batch",
                        kBatchBodyLimit,
                        [&services, &pool = routes.pools().uploads](const Request& request) {
                            return batch(services, pool, request);
                        });
    routes.get(one + "/xet-read-token", [&services](const Request& request) {
        return xet_token(services, request, XetRole::Read);
    });
    routes.get(one + "/xet-write-token", [&services](const Request& request) {
        return xet_token(services, request, XetRole::Write);
    });
    routes.get("/buckets/{org}/{repo}/resolve/{*path}", [&services](const Request& request) {
        return close_to_others(request, resolve(services, request));
    });
}

} // namespace locara::hub
