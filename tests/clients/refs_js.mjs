// Branches and histories by the unmodified npm client; refs_test.py runs it on a repository of its own.
import assert from "node:assert/strict";
import {
    commit, countCommits, createBranch, createRepo, deleteBranch, downloadFile, HubApiError, listCommits, modelInfo,
    uploadFile,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ANA: accessToken } = process.env;
const repo = { type: "model", name: "ana/branches" };
const at = { hubUrl, accessToken, repo };

const text = async (revision, path = "file.txt") => (await downloadFile({ ...at, path, revision }))?.text();

async function fails(status, words, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        assert.ok(error.message.includes(words), error.message);
        return true;
    });
}

async function list(more) {
    const found = [];
    for await (const one of listCommits({ ...at, ...more })) {
        found.push(one);
    }
    return found;
}

await createRepo({ hubUrl, accessToken, repo });
await uploadFile({ ...at, file: { path: "file.txt", content: new Blob(["file content"]) } });
await createBranch({ ...at, branch: "new/branch" });
assert.equal(await text("new/branch"), "file content");
await fails(409, "Reference refs/heads/new/branch already exists", () => createBranch({ ...at, branch: "new/branch" }));
await createBranch({ ...at, branch: "empty", empty: true });
assert.equal(await downloadFile({ ...at, path: "file.txt", revision: "empty" }), null);
await commit({ ...at, branch: "new/branch", title: "change", description: "in two\nlines",
               operations: [{ operation: "addOrUpdate", path: "file.txt", content: new Blob(["changed"]) }] });
assert.equal(await text("main"), "file content");
// Overwriting: with nothing to do it with, nothing happens.
await createBranch({ ...at, branch: "new/branch", overwrite: true });
assert.equal(await text("new/branch"), "changed");
await createBranch({ ...at, branch: "new/branch", overwrite: true, revision: "main" });
assert.equal(await text("new/branch"), "file content");
await createBranch({ ...at, branch: "new/branch", overwrite: true, empty: true });
assert.equal(await downloadFile({ ...at, path: "file.txt", revision: "new/branch" }), null);
await deleteBranch({ ...at, branch: "new/branch" });
await fails(404, "Invalid rev id: new/branch", () => deleteBranch({ ...at, branch: "new/branch" }));
await fails(400, "Cannot delete refs/heads/main", () => deleteBranch({ ...at, branch: "main" }));

for (let i = 0; i < 5; i++) {
    await commit({ ...at, title: `number ${i}`, description: "words",
                   operations: [{ operation: "addOrUpdate", path: `${i}.txt`, content: new Blob([`${i}`]) }] });
}
const all = await list({ batchSize: 3 });
assert.equal(all.length, 7);
assert.equal(await countCommits(at), 7);
assert.deepEqual(all.slice(0, 2).map(({ title, message }) => ({ title, message })),
                 [{ title: "number 4", message: "words" }, { title: "number 3", message: "words" }]);
assert.equal(all[0].authors[0].username, "ana");
assert.equal(all[0].oid, (await modelInfo({ ...at, name: repo.name, additionalFields: ["sha"] })).sha);
assert.equal((await list({ revision: all[5].oid })).length, 2);
console.log("npm @huggingface/hub: branches and histories work");
