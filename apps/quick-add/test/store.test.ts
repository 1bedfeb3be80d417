import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kAsidePrefix, kKey, merge, Store } from '../src/lib/store';
import { parseJson, renderJson } from '../src/lib/exchange';
import { newTask, withAnswer, type Task } from '../src/lib/task';

class FakeStorage {
    readonly kept = new Map<string, string>();
    full = false;

    get length(): number {
        return this.kept.size;
    }

    key(at: number): string | null {
        return [...this.kept.keys()][at] ?? null;
    }

    getItem(key: string): string | null {
        return this.kept.get(key) ?? null;
    }

    setItem(key: string, value: string): void {
        if (this.full) throw new DOMException('full', 'QuotaExceededError');
        this.kept.set(key, value);
    }

    removeItem(key: string): void {
        this.kept.delete(key);
    }
}

const open = (): { storage: FakeStorage; store: Store } => {
    const storage = new FakeStorage();
    return { storage, store: Store.open(() => storage as unknown as Storage) };
};

const at = (minute: number): Date => new Date(Date.UTC(2026, 10, 25, 10, minute));
const task = (id: string, minute = 0, change: Partial<Task> = {}): Task => ({
    ...withAnswer(newTask(`note ${id}`, at(minute), id), {}, at(minute)),
    ...change,
});
const contents = (...tasks: Task[]) => ({ tasks, removed: {} });

test('gives back what was written', () => {
    const { store } = open();
    store.save(contents(task('a'), task('b')));
    assert.deepEqual(store.load().tasks.map(({ id }) => id), ['a', 'b']);
    assert.deepEqual(store.aside(), []);
});

test('keeps what another tab wrote in the meantime', () => {
    const { storage, store } = open();
    const other = Store.open(() => storage as unknown as Storage);
    store.save(contents(task('a')));
    other.save(contents(task('b')));
    store.save(contents(task('a', 5, { title: 'newer' }), task('c')));
    const stored = other.load();
    assert.deepEqual(stored.tasks.map(({ id }) => id).sort(), ['a', 'b', 'c']);
    assert.equal(stored.tasks.find(({ id }) => id === 'a')?.title, 'newer');
    // An older copy in the other tab does not win.
    other.save(contents(task('a', 1, { title: 'older' })));
    assert.equal(other.load().tasks.find(({ id }) => id === 'a')?.title, 'newer');
});

test('does not bring a deleted task back, unless it was changed after that', () => {
    const removed = { tasks: [], removed: { a: at(5).toISOString() } };
    assert.deepEqual(merge(contents(task('a', 1)), removed, at(9)).tasks, []);
    assert.equal(merge(contents(task('a', 7)), removed, at(9)).tasks.length, 1);
    // A deletion is forgotten after a month.
    assert.deepEqual(merge(contents(), removed, new Date(at(0).getTime() + 40 * 86_400_000)).removed, {});
});

test('puts what it cannot read aside, whole and in parts, and goes on', () => {
    for (const text of ['{"version":1,"tasks":[', 'null', '{"version":2,"tasks":[]}', '[]']) {
        const { storage, store } = open();
        storage.setItem(kKey, text);
        assert.deepEqual(store.load().tasks, []);
        assert.deepEqual(store.aside().map((aside) => aside.text), [text]);
        store.save(contents(task('a')));
        assert.deepEqual(store.load().tasks.map(({ id }) => id), ['a']);
        assert.deepEqual(store.aside().map((aside) => aside.text), [text]);
    }
    const { storage, store } = open();
    storage.setItem(kKey, JSON.stringify({ version: 1, tasks: [task('a'), { id: 5, text: 'lost?' }], removed: {} }));
    assert.deepEqual(store.load().tasks.map(({ id }) => id), ['a']);
    assert.match(store.aside()[0]?.text ?? '', /lost\?/);
    assert.equal(store.aside().length, 1);
    store.load();
    assert.equal(store.aside().length, 1);
    store.forget(store.aside()[0]?.key ?? '');
    assert.deepEqual(store.aside(), []);
    store.forget(kKey);
    assert.notEqual(storage.getItem(kKey), null);
    assert.ok(kAsidePrefix.length > 0);
});

test('leaves everything where it was when the storage is full', () => {
    const { storage, store } = open();
    store.save(contents(task('a')));
    const before = storage.getItem(kKey);
    storage.full = true;
    assert.equal(store.save(contents(task('b'))), null);
    assert.equal(storage.getItem(kKey), before);
    storage.full = false;
    storage.setItem(kKey, 'damaged');
    storage.full = true;
    assert.deepEqual(store.load().tasks, []);
    assert.equal(store.save(contents(task('b'))), null);
    assert.equal(storage.getItem(kKey), 'damaged');
});

test('works without storage, and says that it keeps nothing', () => {
    const store = Store.open(() => {
        throw new DOMException('denied', 'SecurityError');
    });
    assert.equal(store.works, false);
    assert.deepEqual(store.load().tasks, []);
    assert.equal(store.save(contents(task('a'))), null);
    assert.deepEqual(store.aside(), []);
    assert.equal(store.settings().singleKeys, true);
});

test('exports to JSON and imports it again', () => {
    const text = renderJson([task('a'), task('b', 1, { tags: ['x'], done: true })], at(2));
    const back = parseJson(text);
    assert.ok(back.ok);
    assert.deepEqual(back.tasks, [task('a'), task('b', 1, { tags: ['x'], done: true })]);
    const damaged = parseJson(text.replace('"id": "b"', '"id": "b c"'));
    assert.ok(damaged.ok);
    assert.deepEqual([damaged.tasks.length, damaged.unreadable], [1, 1]);
    for (const [bad, why] of [['nonsense', /not a JSON file/], ['[]', /names no schema/], ['{"schema":"other/2"}', /“other\/2”/]] as const) {
        const refused = parseJson(bad);
        assert.ok(!refused.ok);
        assert.match(refused.why, why);
    }
});
