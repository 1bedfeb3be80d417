import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveDate } from '../src/lib/dates';
import { addDays, addMonths, dayOf, daysBetween, isDay, makeDay, showDay, weekdayOf } from '../src/lib/day';

/** Wednesday 25 November 2026 */
const kOn = '2026-11-25';

const expect = (on: string, cases: Record<string, string | null>): void => {
    for (const [words, day] of Object.entries(cases)) assert.equal(resolveDate(words, on), day, `${words} on ${on}`);
};

test('counts near days from the day of writing', () => {
    expect(kOn, {
        today: '2026-11-25', tonight: '2026-11-25', 'this evening': '2026-11-25', 'later today': '2026-11-25',
        'end of day': '2026-11-25', 'in 20 minutes': '2026-11-25', TOMORROW: '2026-11-26', tmrw: '2026-11-26',
        tommorow: '2026-11-26', '2morrow': '2026-11-26', 'tomorrow morning': '2026-11-26', 'by tomorrow': '2026-11-26',
        'day after tomorrow': '2026-11-27', 'the day after tomorrow': '2026-11-27', 'in 3 days': '2026-11-28',
        'in two weeks': '2026-12-09', 'in a week': '2026-12-02', 'in a month': '2026-12-25', 'in a couple of days': '2026-11-27',
        '3 days from now': '2026-11-28', 'in 31 days': '2026-12-26',
    });
    expect('2026-12-31', { tomorrow: '2027-01-01', 'in a month': '2027-01-31', 'in 2 months': '2027-02-28' });
});

test('takes a weekday as the next one, and next weekday as the one of the next week', () => {
    expect(kOn, {
        Friday: '2026-11-27', fri: '2026-11-27', 'on Friday': '2026-11-27', 'this Friday': '2026-11-27', 'by Friday': '2026-11-27',
        'next Friday': '2026-12-04', 'Next Fri.': '2026-12-04', 'Friday next week': '2026-12-04', 'Friday evening': '2026-11-27',
        Wednesday: '2026-12-02', 'this Wednesday': '2026-11-25', 'next Wednesday': '2026-12-02', Mon: '2026-11-30',
        'next Monday': '2026-11-30', Tues: '2026-12-01', thurs: '2026-11-26', Sunday: '2026-11-29', 'next Sunday': '2026-12-06',
        'a week from Friday': '2026-12-04', 'every Monday': '2026-11-30', 'every day': '2026-11-25',
    });
    // From a Sunday, the next week starts tomorrow.
    expect('2026-11-29', { 'next Friday': '2026-12-04', Friday: '2026-12-04', 'next Monday': '2026-11-30', Sunday: '2026-12-06' });
});

test('knows weeks, weekends, months and years', () => {
    expect(kOn, {
        'next week': '2026-11-30', 'early next week': '2026-11-30', 'this weekend': '2026-11-28', 'the weekend': '2026-11-28',
        'over the weekend': '2026-11-28', 'next weekend': '2026-12-05', 'next month': '2026-12-01', 'end of month': '2026-11-30',
        'the end of the month': '2026-11-30', 'end of the week': '2026-11-27', 'end of January': '2027-01-31',
        'end of February': '2027-02-28', 'the end of the year': '2026-12-31', 'next year': '2027-01-01',
    });
    expect('2026-11-28', { 'this weekend': '2026-11-28', 'end of the week': '2026-11-29' });
});

test('reads written dates, with the next such day when the year is not said', () => {
    expect(kOn, {
        '2026-03-01': '2026-03-01', '12 May': '2027-05-12', 'May 12': '2027-05-12', 'May 12th': '2027-05-12',
        'the 12th of May': '2027-05-12', '25 November': '2026-11-25', '24 November': '2027-11-24', '1st of Dec': '2026-12-01',
        '2. May': '2027-05-02', '12 May 2028': '2028-05-12', 'May 12, 2028': '2028-05-12', 'Friday 4 December': '2026-12-04',
        'Friday, December 4': '2026-12-04', 'Friday the 4th': '2026-12-04', 'the 15th': '2026-12-15', '30th': '2026-11-30',
        'on the 31st': '2026-12-31', '29 February': '2028-02-29', '4.12.2026': '2026-12-04', '4.12.': '2026-12-04',
        '13/5': '2027-05-13', '5/13': '2027-05-13', '13/5/2026': '2026-05-13', '5/5': '2027-05-05',
        Christmas: '2026-12-25', "New Year's Eve": '2026-12-31', 'Easter Monday': '2027-03-29', Easter: '2027-03-28',
    });
});

test('does not guess', () => {
    expect(kOn, {
        '': null, soon: null, 'in May': null, '3/4': null, '03/04/2026': null, '31 February': null, '2026-02-30': null, '40th': null,
        '13/13': null, 'in many days': null, 'two days': null, 'when pigs fly': null, Thanksgiving: null, '12': null,
        [`in ${'9'.repeat(70)} days`]: null, ['x'.repeat(500)]: null,
    });
});

test('never gives anything but a day or null, whatever the words', () => {
    const words = ['next', 'in', '3', 'friday', 'may', 'the', 'end', 'of', 'week', '31', '.', '/', '12th', 'every', 'month', '2026'];
    let seed = 7;
    const pick = (): string => words[(seed = (seed * 1103515245 + 12345) % 2147483648) % words.length] ?? '';
    for (let round = 0; round < 20_000; round++) {
        const text = Array.from({ length: 1 + (round % 5) }, pick).join(round % 3 === 0 ? '' : ' ');
        const day = resolveDate(text, kOn);
        assert.ok(day === null || isDay(day), text);
    }
});

test('counts days without time zones', () => {
    assert.equal(addDays('2026-02-28', 1), '2026-03-01');
    assert.equal(addDays('2024-02-28', 1), '2024-02-29');
    assert.equal(addMonths('2026-01-31', 1), '2026-02-28');
    assert.equal(addMonths('2026-03-31', -1), '2026-02-28');
    assert.equal(daysBetween('2026-03-28', '2026-03-30'), 2);
    assert.equal(weekdayOf('2026-11-22'), 6);
    assert.equal(makeDay(2026, 2, 29), null);
    assert.equal(dayOf(new Date(2026, 10, 22, 23, 59)), '2026-11-22');
    assert.equal(showDay('2026-12-04', kOn), 'Fri 4 Dec');
    assert.equal(showDay('2027-12-04', kOn), 'Sat 4 Dec 2027');
});
