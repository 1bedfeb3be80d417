/** Calendar days without a time zone, written `YYYY-MM-DD`: a task is due on a day, not at an instant. */
export type Day = string;

const kMsPerDay = 86_400_000;
const kPattern = /^(\d{4})-(\d{2})-(\d{2})$/;

/** The day for year, month (1 to 12) and day of the month; null when there is no such day. */
export function makeDay(year: number, month: number, day: number): Day | null {
    if (year < 1900 || year > 2999 || month < 1 || month > 12 || day < 1 || day > lengthOfMonth(year, month)) return null;
    const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');
    return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

export const lengthOfMonth = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

export function partsOf(day: Day): { year: number; month: number; day: number } {
    const match = kPattern.exec(day);
    if (match === null) throw new RangeError(`not a day: ${day}`);
    return { year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) };
}

export function isDay(value: unknown): value is Day {
    if (typeof value !== 'string') return false;
    const match = kPattern.exec(value);
    return match !== null && makeDay(Number(match[1]), Number(match[2]), Number(match[3])) === value;
}

const stamp = (day: Day): number => {
    const { year, month, day: date } = partsOf(day);
    return Date.UTC(year, month - 1, date);
};

export const addDays = (day: Day, count: number): Day => new Date(stamp(day) + count * kMsPerDay).toISOString().slice(0, 10);

export const daysBetween = (from: Day, to: Day): number => Math.round((stamp(to) - stamp(from)) / kMsPerDay);

/** The same day of the month, `count` months later, or that month's last day if it is shorter. */
export function addMonths(day: Day, count: number): Day {
    const parts = partsOf(day);
    const index = parts.year * 12 + parts.month - 1 + count;
    const year = Math.floor(index / 12);
    const month = (index % 12) + 1;
    return makeDay(year, month, Math.min(parts.day, lengthOfMonth(year, month))) ?? day;
}

/** 0 for Monday to 6 for Sunday. */
export const weekdayOf = (day: Day): number => (new Date(stamp(day)).getUTCDay() + 6) % 7;

/** The day it is for the person at this computer. */
export function dayOf(moment: Date): Day {
    return makeDay(moment.getFullYear(), moment.getMonth() + 1, moment.getDate()) ?? '1970-01-01';
}

const kWeekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const kMonths = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Fri 4 Dec`, with the year when it is not the current one. */
export function showDay(day: Day, today: Day): string {
    const { year, month, day: date } = partsOf(day);
    const short = `${kWeekdays[weekdayOf(day)]} ${date} ${kMonths[month - 1]}`;
    return year === partsOf(today).year ? short : `${short} ${year}`;
}
