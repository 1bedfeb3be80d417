// Collections by the unmodified npm client, as far as its package gives out its calls, which is to make, list and delete them;
// what its other calls send is sent by `call`. HUB_URL, ANA and BEN (tokens) are in the environment; prints the slug that is
// left, as JSON.
import assert from "node:assert/strict";
import { createCollection, createRepo, deleteCollection, HubApiError, listCollections } from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA: ana, BEN: ben } = process.env;
const at = { hubUrl, accessToken: ana };
const fails = (status, work) => assert.rejects(work, (error) => {
    assert.ok(error instanceof HubApiError, String(error));
    assert.equal(error.statusCode, status, error.message);
    return true;
});

async function call(status, method, path, token, body) {
    const answer = await fetch(`${hubUrl}/api/collections/${path}`, {
        method, body: body && JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    });
    const json = await answer.json();
    assert.equal(answer.status, status, JSON.stringify(json));
    return json;
}
const addItem = (status, token, type, id, note) => call(status, "POST", `${slug}/items`, token, { item: { type, id }, note });

for (const name of ["ana/small", "ana/large"]) {
    await createRepo({ ...at, repo: { type: "model", name } });
}
await createRepo({ ...at, repo: { type: "dataset", name: "ana/words" }, visibility: "private" });

const made = { title: "Small & good <models>", namespace: "ana", description: "What fits on a laptop" };
const { slug } = await createCollection({ ...at, collection: made });
assert.match(slug, /^ana\/small-good-models-[0-9a-f]{24}$/);
await fails(409, () => createCollection({ ...at, collection: made }));
await fails(403, () => createCollection({ ...at, accessToken: ben, collection: { ...made, title: "Mine" } }));
await fails(401, () => createCollection({ hubUrl, accessToken: `hf_${"0".repeat(40)}`, collection: made }));

await addItem(200, ana, "model", "ana/small", "a <note>");
await addItem(200, ana, "model", "ana/large");
await addItem(200, ana, "dataset", "ana/words");
await addItem(409, ana, "model", "ana/small");
await addItem(404, ana, "model", "ana/none");
await addItem(404, ana, "paper", "2301.00001");
await addItem(403, ben, "model", "ana/small");
await addItem(401, undefined, "model", "ana/small");

let info = await call(200, "GET", slug, ana);
assert.deepEqual(info.items.map((item) => item.id), ["ana/small", "ana/large", "ana/words"]);
assert.deepEqual(info.items[0].note, { html: "a &lt;note&gt;", text: "a <note>" });
assert.equal(info.owner.name, "ana");
// What somebody may not see is not on the shelf for him.
info = await call(200, "GET", slug, ben);
assert.deepEqual(info.items.map((item) => item.id), ["ana/small", "ana/large"]);
await call(200, "DELETE", `${slug}/items/${info.items[1]._id}`, ana);
await call(404, "DELETE", `${slug}/items/${info.items[1]._id}`, ana);

const hidden = await createCollection({ ...at, collection: { title: "Hidden", namespace: "ana", private: true } });
await call(404, "GET", hidden.slug, ben);
await call(401, "GET", hidden.slug);
async function titles(more) {
    const found = [];
    for await (const one of listCollections({ hubUrl, ...more })) {
        assert.equal("position" in one, false);
        found.push(one.title);
    }
    return found;
}
assert.deepEqual((await titles({ accessToken: ana })).sort(), ["Hidden", made.title]);
assert.deepEqual(await titles({ search: { owner: ["ana"] } }), [made.title]);
assert.deepEqual(await titles({ search: { item: ["models/ana/small"] } }), [made.title]);
assert.deepEqual(await titles({ search: { item: ["models/ana/large"] } }), []);
assert.deepEqual(await titles({ search: { q: "laptop?" } }), []);
await deleteCollection({ ...at, slug: hidden.slug });
await call(404, "GET", hidden.slug, ana);
console.log(JSON.stringify({ slug }));
