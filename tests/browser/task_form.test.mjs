// Task Form, an app of kind prompt: no code of its own, drawn by the runtime. Start it through run.mjs.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { appFrame, openBrowser, openSink, violations } from './browser.mjs';

const kUrl = process.env.LOCARA_PROMPT_URL ?? '';

test('Task Form in the browser', { timeout: 120_000 }, async (t) => {
    assert.match(kUrl, /^http:\/\/locara\.localhost:\d+\/app\/locara--task-form#./, 'LOCARA_PROMPT_URL (see run.mjs)');
    const sink = await openSink();
    const { context, close } = await openBrowser(sink);
    t.after(async () => {
        await close();
        sink.close();
    });
    const errors = [];
    context.on('weberror', (error) => errors.push(String(error.error())));
    context.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
    });
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(kUrl);
    const frame = await appFrame(page, '#field-what');

    await t.test('draws the form that the manifest states', async () => {
        assert.equal(await frame.textContent('#name'), 'Task Form');
        assert.deepEqual(await frame.locator('.field > label, legend').allTextContents(), ['What', 'When optional', 'How urgent']);
        assert.deepEqual(await violations(frame), []);
        await frame.waitForFunction(() => document.activeElement?.id === 'field-what');
    });

    await t.test('says what is missing', async () => {
        await page.keyboard.press('Enter');
        assert.equal(await frame.textContent('#field-what-complaint'), 'Please fill this in.');
        assert.deepEqual(await violations(frame), []);
    });

    await t.test('shows the answer by its schema', async () => {
        await page.keyboard.type('call mom');
        await page.keyboard.press('Tab');
        await page.keyboard.type('tomorrow at 5pm');
        await page.keyboard.press('Tab');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await frame.waitForSelector('#copy:not([disabled])', { timeout: 60_000 });
        const rows = await frame.evaluate(() =>
            [...document.querySelectorAll('#result dt')].map((label) => [label.textContent, label.nextElementSibling?.textContent]),
        );
        assert.deepEqual(rows, [['Task', 'Call mom'], ['When', 'tomorrow'], ['Time', '17:00'], ['Priority', 'high'], ['Tags', 'none']]);
        assert.deepEqual(await violations(frame), []);
    });

    await t.test('saves the answer as JSON through the shell', async () => {
        await frame.focus('#save');
        await page.keyboard.press('Enter');
        await page.waitForSelector('#save:not([hidden])');
        await page.waitForTimeout(500);
        const download = page.waitForEvent('download');
        await page.keyboard.press('Enter');
        const done = await download;
        assert.equal(done.suggestedFilename(), 'task-form.json');
        assert.deepEqual(JSON.parse(readFileSync(await done.path(), 'utf8')), {
            title: 'Call mom', date: 'tomorrow', time: '17:00', priority: 'high', tags: [],
        });
    });

    await t.test('reached nothing else, and nothing went wrong', () => {
        assert.deepEqual(sink.take(), { requests: [], connections: 0 });
        assert.deepEqual(errors, []);
    });

    if (process.env.LOCARA_SCREENSHOTS) {
        await t.test('is photographed for its card', async () => {
            const folder = join(process.env.LOCARA_SCREENSHOTS, 'task-form/screenshots');
            mkdirSync(folder, { recursive: true });
            await page.setViewportSize({ width: 1100, height: 820 });
            await page.waitForTimeout(300);
            await page.screenshot({ path: join(folder, 'form.png') });
        });
    }
});
