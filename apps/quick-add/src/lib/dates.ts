/**
 * Finds the day that date words mean, counted from the day they were written. Words that name no
 * one day ("whenever", "in May", "3/4") give null: the app then shows the words alone and lets
 * the person pick. Nothing is guessed.
 *
 * Two conventions, also told in the app's help: a weekday alone is the next one after the day of
 * writing, and "next Friday" is the Friday of the next week, weeks starting on Monday.
 */
import { addDays, addMonths, lengthOfMonth, makeDay, partsOf, weekdayOf, type Day } from './day';

const kWeekday =
    '(mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)';
const kMonth =
    '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const kWeekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const kMonths = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const kNumbers: Readonly<Record<string, number>> = {
    a: 1, an: 1, one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9, ten: 10,
    eleven: 11, twelve: 12, couple: 2,
};
const kNth = '(\\d{1,2})(?:st|nd|rd|th)?\\.?';
const kYear = '(?:,?\\s*(\\d{4}))?';

const weekdayNumber = (word: string): number => kWeekdays.indexOf(word.slice(0, 3));
const monthNumber = (word: string): number => kMonths.indexOf(word.slice(0, 3)) + 1;

type Rule = readonly [RegExp, (match: RegExpExecArray, on: Day) => Day | null];

const rule = (pattern: string, find: (match: RegExpExecArray, on: Day) => Day | null): Rule => [
    new RegExp(`^(?:${pattern})$`),
    find,
];

const mondayOf = (day: Day): Day => addDays(day, -weekdayOf(day));
/** The next such weekday after the day, never the day itself. */
const weekdayAfter = (day: Day, weekday: number): Day => addDays(day, ((weekday - weekdayOf(day) + 6) % 7) + 1);

/** A day of a month in the year given, else the next time it comes, today included. */
function inYear(on: Day, month: number, date: number, year: string | undefined): Day | null {
    if (year !== undefined) return makeDay(fullYear(year), month, date);
    const now = partsOf(on).year;
    // 29 February may be up to eight years away.
    for (let candidate = now; candidate <= now + 8; candidate++) {
        const day = makeDay(candidate, month, date);
        if (day !== null && day >= on) return day;
    }
    return null;
}

const fullYear = (year: string): number => (year.length === 2 ? 2000 : 0) + Number(year);

/** Two numbers with a slash: only where they can be read in one way. */
function slashed(on: Day, first: number, second: number, year: string | undefined): Day | null {
    if (first > 12) return inYear(on, second, first, year);
    if (second > 12) return inYear(on, first, second, year);
    return first === second ? inYear(on, first, second, year) : null;
}

/** The next day with that number, today included. */
function dayOfMonth(on: Day, date: number): Day | null {
    const { year, month } = partsOf(on);
    for (let ahead = 0; ahead < 12; ahead++) {
        const index = year * 12 + month - 1 + ahead;
        const day = makeDay(Math.floor(index / 12), (index % 12) + 1, date);
        if (day !== null && day >= on) return day;
    }
    return null;
}

const endOfMonth = (on: Day): Day => {
    const { year, month } = partsOf(on);
    return makeDay(year, month, lengthOfMonth(year, month)) ?? on;
};

/** Easter Sunday by the Gregorian computus (Meeus, Astronomical Algorithms, chapter 8). */
function easter(year: number): Day {
    const a = year % 19;
    const b = Math.floor(year / 100);
    const c = year % 100;
    const h = (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30;
    const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
    const m = Math.floor((a + 11 * h + 22 * l) / 451);
    const sum = h + l - 7 * m + 114;
    return makeDay(year, Math.floor(sum / 31), (sum % 31) + 1) ?? `${year}-04-01`;
}

function nextEaster(on: Day, offset: number): Day {
    const year = partsOf(on).year;
    const day = addDays(easter(year), offset);
    return day >= on ? day : addDays(easter(year + 1), offset);
}

const fixed = (month: number, date: number) => (_: RegExpExecArray, on: Day) => inYear(on, month, date, undefined);
const ahead = (days: number) => (_: RegExpExecArray, on: Day) => addDays(on, days);

const kRules: readonly Rule[] = [
    rule('today|2day|tonight|now|later today|(?:the )?end of (?:the )?(?:day|today)|eod|this (?:morning|afternoon|evening|night)', ahead(0)),
    rule('in (?:\\S+|half an?|a few|a couple of) (?:min|mins|minutes?|hours?|h)', ahead(0)),
    rule('(?:tomorr?r?ow|tommorr?ow|tomm?orow|tmrw|tmr|tmw|2morrow|2moro)|in a day', ahead(1)),
    rule('(?:the )?day after (?:tomorrow|tmrw)|overmorrow', ahead(2)),
    rule('yesterday', ahead(-1)),

    rule(`(?:this |coming |this coming )?${kWeekday}`, ([text, day = ''], on) => {
        const weekday = weekdayNumber(day);
        return text.startsWith('this') && weekday === weekdayOf(on) ? on : weekdayAfter(on, weekday);
    }),
    rule(`next ${kWeekday}|${kWeekday} next week`, ([, day, other], on) =>
        addDays(mondayOf(on), 7 + weekdayNumber(day ?? other ?? '')),
    ),
    rule(`(?:a )?week (?:from |on )?${kWeekday}|${kWeekday} week`, ([, day, other], on) =>
        addDays(weekdayAfter(on, weekdayNumber(day ?? other ?? '')), 7),
    ),
    rule(`every (?:other |second )?${kWeekday}`, ([, day = ''], on) => weekdayAfter(on, weekdayNumber(day))),
    rule('every (?:day|morning|evening|night)|daily', ahead(0)),
    rule('every weekend', (_, on) => weekdayAfter(on, 5)),

    rule('(?:this |the )?weekend', (_, on) => (weekdayOf(on) >= 5 ? on : addDays(mondayOf(on), 5))),
    rule('next weekend', (_, on) => addDays(mondayOf(on), 12)),
    rule('next week|(?:the )?(?:start|beginning) of next week|early next week', (_, on) => addDays(mondayOf(on), 7)),
    rule('(?:the )?end of (?:the |this )?week|this week|eow', (_, on) =>
        weekdayOf(on) > 4 ? addDays(mondayOf(on), 6) : addDays(mondayOf(on), 4),
    ),
    rule('(?:the )?end of next week', (_, on) => addDays(mondayOf(on), 11)),
    rule('next month|(?:the )?(?:start|beginning) of next month', (_, on) => {
        const { year, month } = partsOf(addMonths(on, 1));
        return makeDay(year, month, 1);
    }),
    rule('(?:the )?end of (?:the |this )?month|this month|month end|eom', (_, on) => endOfMonth(on)),
    rule('(?:the )?end of next month', (_, on) => endOfMonth(addMonths(on, 1))),
    rule('(?:the )?end of (?:the |this )?year|this year|eoy', (_, on) => makeDay(partsOf(on).year, 12, 31)),
    rule('next year', (_, on) => makeDay(partsOf(on).year + 1, 1, 1)),
    rule(`(?:the )?end of ${kMonth}${kYear}`, ([, name = '', given], on) => {
        const month = monthNumber(name);
        const now = partsOf(on);
        const year = given === undefined ? (month < now.month ? now.year + 1 : now.year) : Number(given);
        return makeDay(year, month, lengthOfMonth(year, month));
    }),

    rule('(?:in )?(\\d{1,3}|\\w+)(?: couple)?(?: of)? (day|week|fortnight|month|year)s?(?: from (?:now|today)| time)?', (match, on) => {
        const [text, count = '', unit] = match;
        const many = text.includes('couple') ? 2 : /^\d+$/.test(count) ? Number(count) : kNumbers[count];
        if (many === undefined || many > 999 || (unit === 'year' && many > 99) || !/^in |from (?:now|today)$/.test(text)) return null;
        switch (unit) {
            case 'day':
                return addDays(on, many);
            case 'week':
                return addDays(on, many * 7);
            case 'fortnight':
                return addDays(on, many * 14);
            case 'month':
                return addMonths(on, many);
            default:
                return addMonths(on, many * 12);
        }
    }),

    rule('(\\d{4})-(\\d{1,2})-(\\d{1,2})', ([, y, m, d]) => makeDay(Number(y), Number(m), Number(d))),
    rule('(\\d{4})/(\\d{1,2})/(\\d{1,2})', ([, y, m, d]) => makeDay(Number(y), Number(m), Number(d))),
    // With dots the day comes first everywhere that dots are used.
    rule('(\\d{1,2})\\.(\\d{1,2})\\.(\\d{4}|\\d{2})?', ([, d, m, y], on) => inYear(on, Number(m), Number(d), y)),
    rule('(\\d{1,2})/(\\d{1,2})(?:/(\\d{4}|\\d{2}))?', ([, a, b, y], on) => slashed(on, Number(a), Number(b), y)),
    rule(`(?:${kWeekday},? )?(?:the )?${kNth} (?:of )?${kMonth}${kYear}`, ([, , date, month = '', year], on) =>
        inYear(on, monthNumber(month), Number(date), year),
    ),
    rule(`(?:${kWeekday},? )?${kMonth} (?:the )?${kNth}${kYear}`, ([, , month = '', date, year], on) =>
        inYear(on, monthNumber(month), Number(date), year),
    ),
    rule(`(?:${kWeekday},? )?the ${kNth}`, ([, , date], on) => dayOfMonth(on, Number(date))),
    rule('(\\d{1,2})(?:st|nd|rd|th)', ([, date], on) => dayOfMonth(on, Number(date))),

    rule('(?:x-?mas|christmas)(?: day)?', fixed(12, 25)),
    rule('christmas eve', fixed(12, 24)),
    rule("new year'?s eve", fixed(12, 31)),
    rule("new year'?s(?: day)?", fixed(1, 1)),
    rule('halloween', fixed(10, 31)),
    rule("valentine'?s(?: day)?", fixed(2, 14)),
    rule('easter(?: sunday)?', (_, on) => nextEaster(on, 0)),
    rule('good friday', (_, on) => nextEaster(on, -2)),
    rule('easter monday', (_, on) => nextEaster(on, 1)),
];

/** Longest words that are looked at. */
const kMaxWords = 80;

/** The day that the words mean when they are written on the day `on`, or null. */
export function resolveDate(words: string, on: Day): Day | null {
    let text = words.normalize('NFKC').toLowerCase().replace(/[’‘]/g, "'").replace(/\s+/g, ' ').trim();
    if (text.length > kMaxWords) return null;
    text = text
        .replace(/^(?:(?:on|by|for|before|until|till|due|over|at|from|since)\b\s*)+/, '')
        .replace(/[.,;!]+$/, '')
        .replace(/\s+(?:in the )?(?:morning|afternoon|evening|night)$/, (part, at: number, whole: string) =>
            /^this$|^every$/.test(whole.slice(0, at)) ? part : '',
        );
    const dotted = /^\d{1,2}\.\d{1,2}$/.test(text) ? `${text}.` : text;
    for (const [pattern, find] of kRules) {
        const match = pattern.exec(dotted);
        if (match === null) continue;
        const day = find(match, on);
        if (day !== null) return day;
    }
    return null;
}
