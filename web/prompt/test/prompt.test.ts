import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPartialJson } from '@locara/sdk';
import { labelFor, plainText, view } from '../src/result';
import { fill, missing } from '../src/template';

test('fills fields once and leaves everything else alone', () => {
    const values = new Map([['what', 'call {{when}} $& $1'], ['when', 'tomorrow']]);
    assert.equal(fill('{{what}} {{when}}, {{ what }} {{nobody}} {{what', values),
        'call {{when}} $& $1 tomorrow, {{ what }} {{nobody}} {{what');
});

test('names the required fields that are empty', () => {
    const prompt = {
        role: 'text', template: '',
        fields: [
            { name: 'a', label: 'A', kind: 'line', required: true },
            { name: 'b', label: 'B', kind: 'line', required: true },
            { name: 'c', label: 'C', kind: 'line' },
        ],
    } as const;
    assert.deepEqual(missing(prompt, new Map([['a', 'x'], ['b', '  ']])), ['b']);
});

const kSchema = {
    type: 'object',
    properties: {
        title: { type: 'string', title: 'What to do' },
        due_date: { type: ['string', 'null'] },
        tags: { type: 'array', items: { type: 'string' } },
    },
};

test('labels rows by the schema, in its order, also while the answer is being written', () => {
    assert.equal(labelFor('dueDate', {}), 'Due date');
    assert.deepEqual(view(readPartialJson('{"title":"Call m').value, kSchema), {
        kind: 'rows',
        rows: [
            { label: 'What to do', view: { kind: 'text', text: 'Call m' } },
            { label: 'Due date', view: { kind: 'waiting' } },
            { label: 'Tags', view: { kind: 'waiting' } },
        ],
    });
});

test('gives the same as text to copy', () => {
    const whole = view({ tags: ['home', 'q2'], due_date: null, title: 'Call', extra: { deep: [{ a: 1 }, { a: 2 }] } }, kSchema);
    assert.equal(plainText(whole), 'What to do: Call\nDue date: none\nTags: home, q2\nExtra: \n  Deep: \n    - \n      A: 1\n    - \n      A: 2');
});
