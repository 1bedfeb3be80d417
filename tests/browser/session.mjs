// The page of an app while its session ends from elsewhere: session_test.py starts it with the printed
// address, and says "go" once it has done what ends the session.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline/promises';
import { appFrame, openBrowser, openSink, violations } from './browser.mjs';

const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const sink = await openSink();
const { context, close } = await openBrowser(sink);
try {
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(process.argv[2]);
    const frame = await appFrame(page, '#field-note');
    await frame.evaluate(() =>
        window.parent.postMessage(
            { locara: 1, type: 'save', name: 'loot.txt', mime: 'text/plain', bytes: new TextEncoder().encode('x').buffer },
            '*',
        ),
    );
    await page.waitForSelector('#save:not([hidden])');
    // It stands for longer than the page waits between two questions.
    await page.waitForTimeout(4500);
    assert.equal(await page.locator('iframe').count(), 1);
    console.log('open');

    assert.equal((await words.next()).value, 'go');
    const since = performance.now();
    await page.waitForSelector('#message:not([hidden]), #ended:not([hidden])', { timeout: 10_000 });
    const seen = await page.evaluate(() => {
        const shown = (id) => !document.getElementById(id).hidden;
        const text = (id) => document.getElementById(id).textContent;
        return {
            frames: document.querySelectorAll('iframe').length,
            save: shown('save'),
            stop: shown('stop'),
            again: shown('message-again'),
            notice: shown('ended') ? text('ended-title') : '',
            title: text('message-title'),
            text: text('message-text'),
        };
    });
    seen.seconds = (performance.now() - since) / 1000;
    seen.violations = await violations(page);
    // A reload starts nothing either; without a broker there is no page to reload.
    const reloaded = await page.reload().then(
        () => page.waitForSelector('#message:not([hidden])').then(() => page.textContent('#message-text')),
        () => null,
    );
    assert.equal(await page.locator('iframe').count(), 0);
    console.log(JSON.stringify({ ...seen, reloaded }));
} finally {
    await close();
    sink.close();
}
