// A gated repository by the unmodified npm client; gate_test.py runs it.
import assert from "node:assert/strict";
import {
    checkRepoAccess, downloadFile, HubApiError, listFiles, listModels, modelInfo, uploadFiles,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA, BEN } = process.env;
const repo = { type: "model", name: "ana/js" };
const as = (accessToken) => ({ hubUrl, ...(accessToken ? { accessToken } : {}), repo });

async function fails(status, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        assert.match(error.message, /restricted/);
        return true;
    });
}

async function call(method, path, accessToken, body) {
    const answer = await fetch(hubUrl + path, {
        method, headers: { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200, await answer.text());
}

const large = "x".repeat(300_000);
await uploadFiles({ ...as(ANA), files: [{ path: "a.txt", content: new Blob(["a"]) },
                                        { path: "large.bin", content: new Blob([large]) }] });
await call("PUT", "/api/models/ana/js/settings", ANA, { gated: "manual" });

for (const [token, status] of [[BEN, 403], [undefined, 401]]) {
    assert.equal((await modelInfo({ ...as(token), name: repo.name })).gated, "manual");
    await checkRepoAccess(as(token)); // It is there.
    const files = [];
    for await (const file of listFiles(as(token))) {
        files.push(file.path);
    }
    assert.deepEqual(files.sort(), [".gitattributes", "a.txt", "large.bin"]);
    for (const path of ["a.txt", "large.bin"]) {
        await fails(status, () => downloadFile({ ...as(token), path }));
        await fails(status, () => downloadFile({ ...as(token), path, xet: true }));
    }
}
const gated = [];
for await (const model of listModels({ hubUrl, search: { owner: "ana" } })) {
    gated.push([model.name, model.gated]);
}
assert.deepEqual(gated.find(([name]) => name === "ana/js"), ["ana/js", "manual"]);

await call("POST", "/ana/js/ask-access", BEN, { Company: "ACME" });
await fails(403, () => downloadFile({ ...as(BEN), path: "a.txt" }));
await call("POST", "/api/models/ana/js/user-access-request/handle", ANA, { user: "ben", status: "accepted" });
assert.equal(await (await downloadFile({ ...as(BEN), path: "a.txt" })).text(), "a");
assert.equal(await (await downloadFile({ ...as(BEN), path: "large.bin", xet: true })).text(), large);
await call("POST", "/api/models/ana/js/user-access-request/handle", ANA, { user: "ben", status: "rejected" });
await fails(403, () => downloadFile({ ...as(BEN), path: "a.txt" }));
console.log("npm @huggingface/hub: a gate holds");
