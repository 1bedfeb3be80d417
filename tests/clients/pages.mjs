// Somebody looks at repositories' pages in Chromium and asks for the files of a gated one, signed in with TOKEN. Every
// page passes axe-core, and nothing of a card runs or is fetched from elsewhere. SHOTS is a folder for pictures, if set.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { violations } from "../browser/browser.mjs";

const { HUB_URL: hubUrl, TOKEN, SHOTS } = process.env;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

let shots = 0;
async function look(page, title) {
    assert.equal(await page.title(), title);
    assert.deepEqual(await violations(page.mainFrame()), [], title);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/page-${++shots}.png`, fullPage: true });
}

async function press(page, button) {
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.waitForLoadState();
}

try {
    const page = await browser.newPage();
    const elsewhere = [];
    page.on("request", (request) => request.url().startsWith(hubUrl) || elsewhere.push(request.url()));
    page.on("dialog", (dialog) => assert.fail(`a dialog: ${dialog.message()}`));

    await page.goto(`${hubUrl}/ana/shown`);
    await look(page, "ana/shown");
    const text = await page.textContent("article");
    assert.match(text, /A small one/);
    assert.doesNotMatch(text, /license: mit|alert/);
    assert.equal(await page.locator("article script, article [onclick], article style").count(), 0);
    assert.equal(await page.locator("article img").evaluate((image) => image.naturalWidth), 1);
    assert.equal(await page.getByRole("link", { name: "notes", exact: true }).getAttribute("href"),
        "/ana/shown/resolve/main/docs/notes.md");
    await page.getByRole("link", { name: "Discussions" }).click();
    await look(page, "Discussions");
    await page.getByRole("link", { name: "#1 Is it <small>?" }).click();
    await look(page, "#1 Is it <small>?");
    assert.equal(await page.locator("article strong").textContent(), "Very");

    for (const hidden of ["/ana/hidden", "/ana/nothing", "/ana/hidden/discussions/1", "/ana/hidden/ask-access"]) {
        const answer = await page.goto(hubUrl + hidden);
        assert.equal(answer.status(), 404, hidden);
        await look(page, "Not found");
    }

    await page.goto(`${hubUrl}/datasets/ana/gated`);
    await look(page, "ana/gated");
    await page.getByRole("link", { name: "Ask for access" }).click();
    await page.getByLabel("Access token").fill(TOKEN);
    await press(page, "Sign in");
    await look(page, "Who may have it");
    assert.match(await page.textContent("article"), /for research/);
    await page.getByLabel("Company").fill("ACME");
    assert.deepEqual(await page.getByLabel("Use").locator("option").evaluateAll((all) => all.map((one) => [one.value, one.text])),
        [["", ""], ["Research", "Research"], ["other", "Other"]]);
    await page.getByLabel("Use").selectOption("Research");
    await page.getByLabel("I agree").check();
    await press(page, "Agree");
    assert.equal(page.url(), `${hubUrl}/datasets/ana/gated`);
    assert.match(await page.textContent("body"), /Your request for its files is pending/);

    // It was sent: there is no form any more, and one that is sent all the same is answered by a page.
    await page.goto(`${hubUrl}/datasets/ana/gated/ask-access`);
    await look(page, "Access to ana/gated");
    assert.equal(await page.locator("form").count(), 0);

    // What is his alone: the picture of its card, its links, and its files.
    await page.goto(`${hubUrl}/ben/closed`);
    await look(page, "ben/closed");
    assert.equal(await page.locator("article img").evaluate((image) => image.naturalWidth), 1);
    assert.equal(await page.getByRole("link", { name: "point.png", exact: true }).getAttribute("href"),
        "/ben/closed/resolve/main/point.png");
    const [answer] = await Promise.all([
        page.waitForResponse(`${hubUrl}/ben/closed/resolve/main/docs/notes.md`),
        page.getByRole("link", { name: "notes", exact: true }).click(),
    ]);
    assert.equal(answer.status(), 200);
    assert.deepEqual(elsewhere, []);
} finally {
    await browser.close();
}
