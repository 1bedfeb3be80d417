// A shared namespace by the unmodified npm client; people_test.py runs it.
import assert from "node:assert/strict";
import {
    checkRepoAccess, createRepo, deleteRepo, downloadFile, HubApiError, listFiles, listModels, uploadFile, whoAmI,
} from "@huggingface/hub";

const { HUB_URL: hubUrl, ADMIN, WRITE, CONTRIBUTOR, READ, NO_ACCESS, BEN } = process.env;
const repo = { type: "model", name: "lab/js" };
const as = (accessToken) => ({ hubUrl, accessToken, repo });

async function fails(status, work) {
    await assert.rejects(work, (error) => {
        assert.ok(error instanceof HubApiError, String(error));
        assert.equal(error.statusCode, status, error.message);
        return true;
    });
}

const names = async (accessToken) => {
    const found = [];
    for await (const model of listModels({ hubUrl, accessToken, search: { owner: "lab" } })) {
        found.push(model.name);
    }
    return found;
};

const me = await whoAmI({ hubUrl, accessToken: READ });
assert.equal(me.name, "read");
assert.deepEqual(me.orgs.map(({ name, fullname, roleInOrg }) => ({ name, fullname, roleInOrg })),
                 [{ name: "lab", fullname: "The Lab", roleInOrg: "read" }]);

for (const token of [READ, NO_ACCESS, BEN]) {
    await fails(403, () => createRepo({ ...as(token), private: true }));
}
await createRepo({ ...as(WRITE), private: true });
const file = (name) => ({ path: name, content: new Blob([name]) });
await uploadFile({ ...as(ADMIN), file: file("admin.txt") });
await uploadFile({ ...as(WRITE), file: { path: "large.bin", content: new Blob(["x".repeat(300_000)]) } });
for (const token of [READ, CONTRIBUTOR]) {
    await fails(403, () => uploadFile({ ...as(token), file: file("no.txt") }));
    assert.equal(await (await downloadFile({ ...as(token), path: "admin.txt" })).text(), "admin.txt");
    assert.equal((await (await downloadFile({ ...as(token), path: "large.bin" })).text()).length, 300_000);
    await checkRepoAccess(as(token));
}
for (const token of [NO_ACCESS, BEN]) {
    await fails(404, () => checkRepoAccess(as(token)));
    await fails(404, () => uploadFile({ ...as(token), file: file("no.txt") }));
    await fails(404, async () => { for await (const _ of listFiles(as(token))); });
    await fails(404, () => deleteRepo(as(token)));
    assert.ok(!(await names(token)).includes("lab/js"));
}
await fails(401, () => checkRepoAccess({ hubUrl, repo }));
assert.ok((await names(READ)).includes("lab/js"));
await fails(403, () => deleteRepo(as(READ)));
await deleteRepo(as(WRITE));
await fails(404, () => checkRepoAccess(as(WRITE)));
console.log("npm @huggingface/hub: roles in an organization hold");
