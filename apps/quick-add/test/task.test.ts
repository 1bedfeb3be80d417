import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countTags, describe, groupTasks } from '../src/lib/groups';
import { cleanTags, newTask, readAnswer, readTask, splitNotes, withAnswer, type Task } from '../src/lib/task';

const kNow = new Date(2026, 10, 25, 10, 0, 0);

const made = (note: string, answer: Parameters<typeof withAnswer>[1], id = note): Task =>
    withAnswer(newTask(note, kNow, id.replace(/\W/g, '-')), answer, kNow);

test('makes a task of an answer, with words and day both kept', () => {
    const task = made('lunch with Ana next Friday at noon, urgent', {
        title: 'Lunch with Ana', date: 'next Friday', time: '12:00', priority: 'high', tags: [],
    });
    assert.deepEqual(
        [task.state, task.title, task.dateWords, task.wordsOn, task.date, task.time, task.priority, task.note],
        ['ready', 'Lunch with Ana', 'next Friday', '2026-11-25', '2026-12-04', '12:00', 'high',
            'lunch with Ana next Friday at noon, urgent'],
    );
    assert.equal(describe(task, '2026-11-25'), 'Lunch with Ana, Fri 4 Dec, at 12:00, high priority');
});

test('takes only what an answer may hold', () => {
    assert.deepEqual(readAnswer(null), {});
    assert.deepEqual(readAnswer({ title: '  ', date: 5, time: '25:00', priority: 'huge', tags: 'x' }), { date: null, time: null });
    assert.deepEqual(readAnswer({ title: 'A\n\nB', tags: ['#work', 'WORK', '', 7, 'two words', 'x'.repeat(99)] }), {
        title: 'A B', tags: ['work', 'two-words', 'x'.repeat(40)],
    });
    assert.equal(cleanTags(Array.from({ length: 50 }, (_, i) => `t${i}`)).length, 12);
});

test('reads back what it wrote, and repairs or refuses the rest', () => {
    const task = made('call mom', { title: 'Call mom', tags: ['family'] });
    assert.deepEqual(readTask(JSON.parse(JSON.stringify(task))), task);
    const repaired = readTask({ id: 'a', note: 'n', created: kNow.toISOString(), date: '2026-99-01', time: 'noon', priority: 1, tags: {} });
    assert.deepEqual([repaired?.title, repaired?.date, repaired?.time, repaired?.priority, repaired?.tags], ['n', null, null, 'normal', []]);
    for (const bad of [null, [], 'x', {}, { ...task, id: '../x' }, { ...task, created: 'yesterday' }, { ...task, note: 5 }]) {
        assert.equal(readTask(bad), null);
    }
});

test('makes one note of each pasted line, without bullets', () => {
    assert.deepEqual(splitNotes('- buy milk\r\n\r\n  * call   mom\n[ ] fix bike\n2) 3 eggs\n10. tidy\n- [x] old\n3 days off\n-5 degrees').notes,
        ['buy milk', 'call mom', 'fix bike', '3 eggs', 'tidy', 'old', '3 days off', '-5 degrees']);
    assert.deepEqual(splitNotes(`ok\n${'x'.repeat(301)}`), { notes: ['ok'], tooLong: ['x'.repeat(301)] });
    assert.deepEqual(splitNotes(' \n '), { notes: [], tooLong: [] });
});

test('groups by day, then time, then priority', () => {
    const on = (id: string, date: string | null, more: Partial<Task> = {}): Task => ({ ...made(id, {}), date, ...more });
    const groups = groupTasks(
        [
            on('later', '2026-12-04'), on('b-low', '2026-11-25', { priority: 'low' }), on('a-noon', '2026-11-25', { time: '12:00' }),
            on('c-high', '2026-11-25', { priority: 'high' }), on('old', '2026-11-20'), on('none', null), on('tom', '2026-11-26'),
            on('week', '2026-12-01'), on('gone', '2026-11-25', { done: true }),
        ],
        '2026-11-25',
    );
    assert.deepEqual(groups.map((group) => [group.name, ...group.tasks.map((task) => task.note)]), [
        ['Overdue', 'old'], ['Today', 'a-noon', 'c-high', 'b-low'], ['Tomorrow', 'tom'], ['Next 7 days', 'week'], ['Later', 'later'],
        ['No date', 'none'], ['Done', 'gone'],
    ]);
});

test('counts tags of open tasks whatever their case', () => {
    assert.deepEqual(
        countTags([made('a', { tags: ['Work'] }), made('b', { tags: ['work', 'home'] }), { ...made('c', { tags: ['old'] }), done: true }]),
        [{ tag: 'Work', count: 2 }, { tag: 'home', count: 1 }, { tag: 'old', count: 0 }],
    );
});
