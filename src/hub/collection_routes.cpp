// Collections by the Hub's API: docs/hub.md, "Collections".
#include "audit_record.hpp"
#include "collection_access.hpp"
#include "given.hpp"
#include "list_page.hpp"
#include "repo_search.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kTitleLimit = 250;
constexpr std::size_t kTextLimit = 4096;
constexpr std::size_t kPage = 100;
/// What a list shows of each.
constexpr std::size_t kListedItems = 4;
constexpr std::string_view kThemes[] = {"orange", "blue", "green", "purple", "pink", "indigo"};

Refusal no_such_collection(const Caller& caller) {
    return {caller ? 404 : 401, "CollectionNotFound", "Collection not found"};
}

/// What a request is about and who asks.
struct Shelf {
    Caller caller;
    Collection collection;
};

Answer<Shelf> find_shelf(const Services& services, const Request& request, Action action) {
    LOCARA_TRY(Caller caller, identify(services, request));
    LOCARA_TRY(auto found, services.collections.find(request.param("slug")));
    if (!found || !equals_ignoring_case(found->space, request.param("org")) ||
        !may(caller, *found, Action::See)) {
        return no_such_collection(caller);
    }
    if (!may(caller, *found, action)) {
        LOCARA_CHECK(require_known(caller));
        return Refusal(403, "", "you may not change collections of " + found->space);
    }
    return Shelf{std::move(caller), std::move(*found)};
}

// --------------------------------------------------------------------------------------- as JSON

/// An item, or nothing if it is not for the caller to see.
Result<std::optional<Json>>
render_item(const Services& services, const Caller& caller, const CollectionItem& item) {
    Json json = {
        {"_id", item.id}, {"id", item.target}, {"type", item.type}, {"position", item.position}};
    if (!item.note.empty()) {
        json["note"] = {{"html", escape_html(item.note)}, {"text", item.note}};
    }
    if (item.type == "collection") {
        LOCARA_TRY(const auto other, services.collections.find(item.target));
        if (!other || !may(caller, *other, Action::See)) {
            return std::optional<Json>();
        }
        json["slug"] = other->slug();
        json["title"] = other->title;
        return std::optional(std::move(json));
    }
    LOCARA_TRY(const auto repo, find_target(services, caller, item));
    if (!repo) {
        return std::optional<Json>();
    }
    json["id"] = repo->id.render();
    json["author"] = repo->id.space;
    const bool mirrored = repo->origin != Origin::Here; // Whose readers upstream chooses.
    json["private"] = !mirrored && repo->visibility == Visibility::Private;
    json["gated"] = render(repo->origin == Origin::UpstreamGated ? Gate::Manual : repo->gate);
    return std::optional(std::move(json));
}

Result<Json> render_owner(const Services& services, const std::string& space) {
    Json owner = {{"name", space}, {"fullname", space}, {"avatarUrl", kAvatar}};
    LOCARA_TRY(const auto account, services.names.find_account(space));
    owner["type"] = account ? "user" : "org";
    if (account) {
        owner["fullname"] = account->full_name;
    }
    return owner;
}

Answer<Json> render(const Services& services,
                    const Request& request,
                    const Caller& caller,
                    const Collection& collection,
                    std::size_t most) {
    LOCARA_TRY(const auto items, services.collections.items(collection));
    Json shown = Json::array();
    for (const CollectionItem& item : items) {
        if (shown.size() == most) {
            break;
        }
        LOCARA_TRY(auto json, render_item(services, caller, item));
        if (json) {
            shown.push_back(std::move(*json));
        }
    }
    LOCARA_TRY(Json owner, render_owner(services, collection.space));
    const std::string slug = collection.slug();
    Json json = {{"_id", collection.id},
                 {"slug", slug},
                 {"title", collection.title},
                 {"lastUpdated", render_date(collection.updated)},
                 {"gating", false},
                 {"owner", std::move(owner)},
                 {"items", std::move(shown)},
                 {"theme", collection.theme},
                 {"private", collection.visibility == Visibility::Private},
                 {"upvotes", 0},
                 {"isUpvotedByUser", false},
                 {"shareUrl", endpoint(request) + "/collections/" + slug}};
    if (!collection.description.empty()) {
        json["description"] = collection.description;
    }
    return json;
}

/// One with all of its items. The list has none of "position": a client adds its own there.
Answer<Json> render_whole(const Services& services, const Request& request, const Shelf& shelf) {
    LOCARA_TRY(Json json,
               render(services, request, shelf.caller, shelf.collection, kCollectionItems));
    json["position"] = 0;
    return json;
}

// ---------------------------------------------------------------------------------------- changes

void record(const Services& services,
            const Request& request,
            std::string_view event,
            const Collection& collection,
            const Json& fields = Json::object()) {
    Json all = {{"collection", collection.slug()},
                {"private", collection.visibility == Visibility::Private}};
    all.update(fields);
    record(services, request, event, std::move(all));
}

/// What a body says of a collection, over what it is.
Answer<std::monostate> take(const Json& body, Collection& collection) {
    LOCARA_TRY(const auto closed, given_truth(body, "private"));
    if (closed) {
        collection.visibility = *closed ? Visibility::Private : Visibility::Public;
    }
    collection.title = text_at(body, "title").value_or(collection.title);
    collection.description = text_at(body, "description").value_or(collection.description);
    collection.theme = text_at(body, "theme").value_or(collection.theme);
    if (collection.title.empty() || collection.title.size() > kTitleLimit ||
        collection.description.size() > kTextLimit) {
        return bad_request("a collection has a title of 1 to " + std::to_string(kTitleLimit) +
                           " bytes, and a description of at most " + std::to_string(kTextLimit));
    }
    if (std::find(std::begin(kThemes), std::end(kThemes), collection.theme) == std::end(kThemes)) {
        return bad_request("the themes are orange, blue, green, purple, pink, indigo");
    }
    return std::monostate();
}

/// What the audit log tells of an item: "model ana/m".
Json name_item(const CollectionItem& item) {
    return {{"item", item.type + " " + item.target}};
}

/// What a body wants on the shelf, which must be there for the caller.
Answer<CollectionItem>
parse_item(const Services& services, const Caller& caller, const Json& body) {
    const auto given = body.find("item");
    if (given == body.end() || !given->is_object()) {
        return bad_request(R"(send {"item": {"type": "model", "id": "namespace/name"}})");
    }
    CollectionItem item;
    item.type = text_at(*given, "type").value_or("");
    item.target = text_at(*given, "id").value_or("");
    item.note = text_at(body, "note").value_or("");
    if (item.note.size() > kTextLimit) {
        return bad_request("a note has at most " + std::to_string(kTextLimit) + " bytes");
    }
    if (item.type == "collection") {
        LOCARA_TRY(const auto other, services.collections.find(item.target));
        if (!other || !may(caller, *other, Action::See)) {
            return Refusal(404, "", "there is no collection " + item.target);
        }
        item.target = other->id;
        return item;
    }
    LOCARA_TRY(const auto repo, find_target(services, caller, item));
    if (!repo) {
        return Refusal(404, "", "there is no " + item.type + " " + item.target);
    }
    item.target = repo->id.render();
    return item;
}

Answer<Response> already_there(const Services& services, const Collection& like) {
    LOCARA_TRY(const auto there, services.collections.find_titled(like.space, like.title));
    const std::string message = "there is a collection '" + like.title + "' already";
    Response response =
        json_answer({{"error", message}, {"slug", there ? there->slug() : std::string()}});
    response.status = 409;
    response.headers.add("X-Error-Message", message);
    return response;
}

Answer<Response> create(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const Identity who, require_known(caller));
    Collection collection;
    LOCARA_TRY(collection.space,
               require_space(caller, text_at(body, "namespace").value_or(who.account.name)));
    collection.theme = kThemes[0];
    collection.updated = services.clock.now();
    LOCARA_CHECK(take(body, collection));
    std::optional<CollectionItem> first;
    if (body.contains("item") && !body["item"].is_null()) {
        LOCARA_TRY(first, parse_item(services, caller, body));
    }
    auto made = services.collections.add(collection);
    if (!made && made.error().code() == ErrorCode::Conflict) {
        return already_there(services, collection);
    }
    if (!made) {
        return std::move(made).error();
    }
    record(services, request, "collection-created", *made);
    if (first) {
        LOCARA_CHECK(services.collections.add_item(*made, *first, collection.updated));
        record(services, request, "collection-item-added", *made, name_item(*first));
    }
    LOCARA_TRY(const Json json, render_whole(services, request, {caller, *made}));
    return json_answer(json);
}

Answer<Response> info(const Services& services, const Request& request) {
    LOCARA_TRY(const Shelf shelf, find_shelf(services, request, Action::See));
    LOCARA_TRY(const Json json, render_whole(services, request, shelf));
    return json_answer(json);
}

Answer<Response> change(const Services& services, const Request& request) {
    LOCARA_TRY(Shelf shelf, find_shelf(services, request, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_CHECK(take(body, shelf.collection));
    shelf.collection.updated = services.clock.now();
    const Status changed = services.collections.update(shelf.collection);
    if (!changed && changed.error().code() == ErrorCode::Conflict) {
        return already_there(services, shelf.collection);
    }
    LOCARA_CHECK(changed);
    record(services, request, "collection-changed", shelf.collection);
    LOCARA_TRY(const Json json, render_whole(services, request, shelf));
    return json_answer({{"success", true}, {"data", json}});
}

Answer<Response> remove(const Services& services, const Request& request) {
    LOCARA_TRY(const Shelf shelf, find_shelf(services, request, Action::Write));
    LOCARA_CHECK(services.collections.remove(shelf.collection));
    record(services, request, "collection-removed", shelf.collection);
    return json_answer(Json::object());
}

// ------------------------------------------------------------------------------------------ items

/// The item that a request names.
Answer<CollectionItem>
find_item(const Services& services, const Request& request, const Collection& collection) {
    LOCARA_TRY(auto items, services.collections.items(collection));
    const std::string& id = request.param("item");
    const auto found = std::find_if(
        items.begin(), items.end(), [&id](const CollectionItem& item) { return item.id == id; });
    if (found == items.end()) {
        return Refusal(404, "", "the collection has no item " + id);
    }
    return std::move(*found);
}

Answer<Response> add_item(const Services& services, const Request& request) {
    LOCARA_TRY(const Shelf shelf, find_shelf(services, request, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const CollectionItem item, parse_item(services, shelf.caller, body));
    LOCARA_CHECK(services.collections.add_item(shelf.collection, item, services.clock.now()));
    record(services, request, "collection-item-added", shelf.collection, name_item(item));
    return info(services, request);
}

Answer<Response> change_item(const Services& services, const Request& request) {
    LOCARA_TRY(const Shelf shelf, find_shelf(services, request, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    const auto note = text_at(body, "note");
    if (note && note->size() > kTextLimit) {
        return bad_request("a note has at most " + std::to_string(kTextLimit) + " bytes");
    }
    std::optional<std::size_t> position;
    const auto given = body.find("position");
    if (given != body.end() && given->is_number_unsigned()) {
        position = given->get<std::size_t>();
    }
    LOCARA_TRY(const CollectionItem item, find_item(services, request, shelf.collection));
    LOCARA_CHECK(services.collections.change_item(
        shelf.collection, item.id, note, position, services.clock.now()));
    record(services, request, "collection-item-changed", shelf.collection, name_item(item));
    return json_answer({{"success", true}});
}

Answer<Response> remove_item(const Services& services, const Request& request) {
    LOCARA_TRY(const Shelf shelf, find_shelf(services, request, Action::Write));
    LOCARA_TRY(const CollectionItem item, find_item(services, request, shelf.collection));
    LOCARA_CHECK(services.collections.remove_item(shelf.collection, item.id, services.clock.now()));
    record(services, request, "collection-item-removed", shelf.collection, name_item(item));
    return json_answer({{"success", true}});
}

// ------------------------------------------------------------------------------------------- list

/// Whether an item is one of "models/ns/name", "collections/ns/slug" that are asked for.
bool is_among(const CollectionItem& item, const std::vector<std::string>& any) {
    return std::any_of(any.begin(), any.end(), [&item](const std::string& name) {
        const std::string kind = item.type + "s/";
        const bool same =
            item.type == "collection"
                ? name.size() > item.target.size() && name.ends_with(item.target)
                : name.size() == kind.size() + item.target.size() && name.ends_with(item.target);
        return same && name.starts_with(kind);
    });
}

/// Whether a collection has one of the items that are asked for, as far as the caller may see it:
/// who may not learns nothing of what is there.
Result<bool> holds(const Services& services,
                   const Caller& caller,
                   const Collection& collection,
                   const std::vector<std::string>& any) {
    LOCARA_TRY(const auto items, services.collections.items(collection));
    for (const CollectionItem& item : items) {
        if (!is_among(item, any)) {
            continue;
        }
        LOCARA_TRY(const auto shown, render_item(services, caller, item));
        if (shown) {
            return true;
        }
    }
    return false;
}

/// The newest first whatever is asked for: this hub counts neither upvotes nor trends.
Answer<std::monostate> check_sort(const Request& request) {
    const auto sort = request.query.find("sort");
    for (const std::string_view known : {"", "lastModified", "trending", "upvotes"}) {
        if (!sort || *sort == known) {
            return std::monostate();
        }
    }
    return bad_request("collections are sorted by lastModified; found sort=" + std::string(*sort) +
                       " (trending and upvotes, which this hub does not count, are the same)");
}

/// Whether title or description have these words, in small letters.
bool mentions(const Collection& collection, const std::string& words) {
    return ascii_lower(collection.title).find(words) != std::string::npos ||
           ascii_lower(collection.description).find(words) != std::string::npos;
}

Answer<Response> list(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_CHECK(check_sort(request));
    const auto owners = request.query.all("owner");
    const auto wanted = request.query.all("item");
    const std::string words = ascii_lower(request.query.find("q").value_or(""));
    LOCARA_TRY(const auto all, services.collections.list());
    std::vector<Collection> found;
    for (const Collection& collection : all) {
        const bool owned = owners.empty() ||
                           std::any_of(owners.begin(), owners.end(), [&](const std::string& name) {
                               return equals_ignoring_case(name, collection.space);
                           });
        if (!owned || !may(caller, collection, Action::See) || !mentions(collection, words)) {
            continue;
        }
        LOCARA_TRY(const bool fits,
                   wanted.empty() ? Result<bool>(true)
                                  : holds(services, caller, collection, wanted));
        if (fits) {
            found.push_back(collection);
        }
    }
    LOCARA_TRY(const ListPage part, page_of(request, found.size(), kPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        LOCARA_TRY(Json json, render(services, request, caller, found[i], kListedItems));
        page.push_back(std::move(json));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

} // namespace

bool may(const Caller& caller, const Collection& collection, Action action) {
    Repo like;
    like.id.space = collection.space;
    like.visibility = collection.visibility;
    return may(caller, like, action);
}

Result<std::optional<Repo>>
find_target(const Services& services, const Caller& caller, const CollectionItem& item) {
    const auto type = parse_repo_type(item.type);
    const auto id = type ? RepoId::parse(*type, item.target) : std::nullopt;
    if (!id) {
        return std::optional<Repo>();
    }
    LOCARA_TRY(auto repo, services.names.find_repo(*id));
    const bool seen =
        repo && (may(caller, *repo, Action::See) || repo->origin == Origin::Upstream ||
                 repo->origin == Origin::UpstreamGated);
    return seen ? std::move(repo) : std::nullopt;
}

void add_collection_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&);
    const auto bind = [&services](Handle handle) {
        return [&services, handle](const Request& request) { return handle(services, request); };
    };
    const std::string one = "/api/collections/{org}/{slug}";
    routes.get("/api/collections", bind(&list));
    routes.post("/api/collections", bind(&create));
    routes.get(one, bind(&info));
    routes.add("PATCH", one, bind(&change));
    routes.add("DELETE", one, bind(&remove));
    routes.post(one + "/items", bind(&add_item));
    routes.add("PATCH", one + "/items/{item}", bind(&change_item));
    routes.add("DELETE", one + "/items/{item}", bind(&remove_item));
}

} // namespace locara::hub
