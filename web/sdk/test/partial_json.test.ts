import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPartialJson } from '../src/partial_json.js';

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

test('shows a title while it is being written', () => {
    const read = readPartialJson('{"title":"Lunch with A');
    assert.deepEqual(plain(read.value), { title: 'Lunch with A' });
    assert.equal(read.complete, false);
    assert.deepEqual([...read.finished], []);
});

test('keeps what may still change out', () => {
    assert.deepEqual(plain(readPartialJson('{"a":12').value), {});
    assert.deepEqual(plain(readPartialJson('{"a":12,').value), { a: 12 });
    assert.deepEqual(plain(readPartialJson('{"a":nul').value), {});
    assert.deepEqual(plain(readPartialJson('{"a":"x\\').value), { a: 'x' });
    assert.deepEqual(plain(readPartialJson('{"a":"x\\u00').value), { a: 'x' });
    assert.deepEqual(plain(readPartialJson('{"a":["x","y').value), { a: ['x', 'y'] });
    assert.deepEqual(plain(readPartialJson('{"a":1,"ti').value), { a: 1 });
    assert.equal(readPartialJson('').value, undefined);
    assert.equal(readPartialJson('  ').value, undefined);
    assert.equal(readPartialJson('oops').value, undefined);
});

test('agrees with JSON.parse on whole texts, and never shrinks on the way there', () => {
    const texts = [
        '{"title":"Lunch with Ana","date":"next Friday","time":"12:00","priority":"high","tags":["a","b"]}',
        ' { "a" : [ 1 , -2.5e3 , true , false , null , { "b" : "\\u00e9\\n\\"\\\\\\/" } ] , "" : {} , "__proto__" : 1 } ',
        '[]',
        '"x"',
        '[[[1]]]',
    ];
    for (const text of texts) {
        const whole = readPartialJson(text);
        assert.equal(whole.complete, true);
        assert.deepEqual(JSON.stringify(whole.value), JSON.stringify(JSON.parse(text)));
        let before = '';
        for (let end = 0; end <= text.length; end++) {
            const read = readPartialJson(text.slice(0, end));
            const now = read.value === undefined ? '' : JSON.stringify(read.value);
            assert.ok(now.length >= before.length, `${before} became ${now}`);
            before = now;
        }
    }
});

test('names the finished keys', () => {
    const read = readPartialJson('{"title":"x","date":null,"time":"12:0');
    assert.deepEqual([...read.finished], ['title', 'date']);
});

test('does not follow nesting for ever', () => {
    const deep = readPartialJson('['.repeat(100_000));
    assert.equal(deep.complete, false);
});

test('cannot reach a prototype', () => {
    readPartialJson('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
});
