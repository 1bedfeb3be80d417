// A fine-grained token in the unmodified npm client; gate_test.py runs it.
import assert from "node:assert/strict";
import {
    checkRepoAccess, createRepo, downloadFile, HubApiError, listModels, uploadFile, whoAmI,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA, TOKEN } = process.env;
const at = (name, accessToken = TOKEN) => ({ hubUrl, accessToken, repo: { type: "model", name } });

async function fails(status, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        return true;
    });
}

const me = await whoAmI({ hubUrl, accessToken: TOKEN });
assert.equal(me.auth.accessToken.role, "fineGrained");
assert.deepEqual(me.orgs, []);
const large = "y".repeat(300_000);
await uploadFile({ ...at("ana/one"), file: { path: "large.bin", content: new Blob([large]) } });
assert.equal(await (await downloadFile({ ...at("ana/one"), path: "large.bin" })).text(), large);
await fails(404, () => checkRepoAccess(at("ana/two")));
await fails(404, () => uploadFile({ ...at("ana/two"), file: { path: "a", content: new Blob(["a"]) } }));
await fails(403, () => createRepo(at("ana/three")));
const seen = [];
for await (const model of listModels({ hubUrl, accessToken: TOKEN, search: { owner: "ana" } })) {
    seen.push(model.name);
}
assert.ok(seen.includes("ana/one") && !seen.includes("ana/two"));
await checkRepoAccess(at("ana/two", ANA));
console.log("npm @huggingface/hub: a fine-grained token opens only what it is for");
