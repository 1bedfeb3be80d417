// Somebody signs in at the hub's pages in Chromium, with TOKEN, and lets two programs in: one with a page of its own, by
// npm @huggingface/hub, and one that shows a code (CODE_PAGE). Every page passes axe-core. Prints, as JSON, the first
// program's token and what it was told. SHOTS is a folder for pictures, if set.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { oauthHandleRedirect, oauthLoginUrl } from "@huggingface/hub";
import { violations } from "../browser/browser.mjs";

const { HUB_URL: hubUrl, TOKEN, REDIRECT_PORT, CODE_PAGE, SHOTS } = process.env;
const server = createServer((_, response) => response.end("the program"));
await new Promise((done) => server.listen(Number(REDIRECT_PORT), "127.0.0.1", done));
const redirectUrl = `http://127.0.0.1:${REDIRECT_PORT}/in`;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

let shots = 0;
async function look(page, title) {
    assert.equal(await page.title(), title);
    assert.deepEqual(await violations(page.mainFrame()), [], title);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${++shots}.png` });
}

async function press(page, button) {
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.waitForLoadState();
}

async function ask(page, scopes) {
    const secrets = {};
    const url = await oauthLoginUrl({ clientId: "board", redirectUrl, localStorage: secrets, scopes, state: "here", hubUrl });
    await page.goto(url);
    return { codeVerifier: secrets.codeVerifier, nonce: secrets.nonce, hubUrl };
}

try {
    const context = await browser.newContext();
    const page = await context.newPage();
    const first = await ask(page, "openid profile email read-repos");
    await look(page, "Sign in");
    await page.getByLabel("Access token").fill("hf_wrong");
    await press(page, "Sign in");
    await look(page, "Sign in");
    assert.match(await page.textContent("body"), /no access token of this hub/);
    await page.getByLabel("Access token").fill(TOKEN);
    await press(page, "Sign in");
    await look(page, "Allow The board?");
    await press(page, "Do not allow");
    assert.match(page.url(), /error=access_denied/);
    await assert.rejects(oauthHandleRedirect({ redirectedUrl: page.url(), ...first }), /access_denied/);

    const second = await ask(page, "openid profile email read-repos");
    await press(page, "Allow");
    assert.equal(new URL(page.url()).origin, new URL(redirectUrl).origin);
    const result = await oauthHandleRedirect({ redirectedUrl: page.url(), ...second });
    assert.equal(result.state, "here");
    assert.equal(result.scope, "openid profile email read-repos");
    // A code is good once.
    await assert.rejects(oauthHandleRedirect({ redirectedUrl: page.url(), ...second }));

    await page.goto(`${hubUrl}/device`);
    await look(page, "Sign in a program");
    await page.getByLabel("The code that the program shows").fill("bcdf ghjk");
    await press(page, "Go on");
    assert.match(await page.textContent("body"), /No program waits/);
    await page.goto(CODE_PAGE);
    await look(page, "Allow hf, the command?");
    await press(page, "Allow");
    await look(page, "Allowed");

    // A page of another site can neither show these pages inside of its own nor send their forms.
    const other = await context.newPage();
    await other.goto(`http://localhost:${REDIRECT_PORT}/`);
    await other.setContent(`<form method="post" action="${hubUrl}/logout"><button>x</button></form>`);
    const [answer] = await Promise.all([other.waitForNavigation(), other.click("button")]);
    assert.equal(answer.status(), 403);

    await page.goto(`${hubUrl}/login`);
    await look(page, "Signed in");
    await press(page, "Sign out");
    await look(page, "Sign in");
    await page.goto(`${hubUrl}/device`);
    assert.equal(await page.title(), "Sign in");
    console.log(JSON.stringify(result));
} finally {
    await browser.close();
    server.close();
}
