import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeText, foldLine, renderCalendar } from '../src/lib/ics';
import { newTask, withAnswer, type Answer, type Task } from '../src/lib/task';

const kNow = new Date(Date.UTC(2026, 10, 25, 10, 0, 0));

const task = (id: string, note: string, answer: Partial<Answer>): Task => ({
    ...withAnswer({ ...newTask(note, kNow, id), wordsOn: '2026-11-25' }, answer, kNow),
});

test('escapes texts as section 3.3.11 says', () => {
    assert.equal(escapeText('a;b,c\\d\r\ne\u0007:"'), 'a\\;b\\,c\\\\d\\ne:"');
});

test('folds at 75 octets and never inside a character', () => {
    for (const line of ['x'.repeat(75), 'x'.repeat(76), `SUMMARY:${'é'.repeat(200)}`, `SUMMARY:${'🍦'.repeat(80)}`, 'x'.repeat(74) + 'é']) {
        const folded = foldLine(line);
        for (const part of folded.split('\r\n')) {
            assert.ok(new TextEncoder().encode(part).length <= 75, part);
            assert.ok(!part.includes('\ufffd'));
        }
        assert.equal(folded.replace(/\r\n /g, ''), line);
    }
    assert.equal(foldLine('x'.repeat(75)), 'x'.repeat(75));
});

test('writes a task with day and time as an event at that wall-clock time', () => {
    const text = renderCalendar(
        [task('id1', 'lunch with Ana next Friday at noon, urgent', {
            title: 'Lunch with Ana', date: 'next Friday', time: '12:00', priority: 'high', tags: ['food', 'a,b'.replace(',', ';')],
        })],
        kNow,
    );
    assert.equal(text, [
        'BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Locara//Quick Add 1.0//EN', 'CALSCALE:GREGORIAN', 'BEGIN:VEVENT',
        'UID:id1@quick-add.locara', 'DTSTAMP:20261125T100000Z', 'CREATED:20261125T100000Z', 'LAST-MODIFIED:20261125T100000Z',
        'DTSTART:20261204T120000', 'DURATION:PT1H', 'SUMMARY:Lunch with Ana',
        'DESCRIPTION:lunch with Ana next Friday at noon\\, urgent\\nDate as written: n\r\n ext Friday',
        'PRIORITY:1', 'CATEGORIES:food,a\\;b', 'END:VEVENT', 'END:VCALENDAR', '',
    ].join('\r\n'));
});

test('writes a day without time as a whole day, and unclear words as a to-do', () => {
    const text = renderCalendar(
        [
            task('day', 'pay rent tomorrow', { title: 'Pay rent', date: 'tomorrow' }),
            task('unclear', 'dive in May at noon', { title: 'Dive', date: 'in May', time: '12:00', priority: 'low' }),
            { ...task('done', 'x', {}), done: true },
            newTask('still waiting', kNow, 'waiting'),
        ],
        kNow,
    ).replace(/\r\n /g, '');
    assert.match(text, /DTSTART;VALUE=DATE:20261126\r\nDTEND;VALUE=DATE:20261127\r\nTRANSP:TRANSPARENT/);
    assert.match(text, /BEGIN:VTODO\r\nUID:unclear@/);
    assert.match(text, /DESCRIPTION:dive in May at noon\\nDate as written: in May\\nTime: 12:00/);
    assert.match(text, /PRIORITY:9\r\nSTATUS:NEEDS-ACTION/);
    assert.doesNotMatch(text, /done@|waiting@/);
    assert.equal(text.split('BEGIN:VTODO').length, 2);
});
