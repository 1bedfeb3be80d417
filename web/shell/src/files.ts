/** What the save bar shows about a file, and the name it is saved under. */

/** Longest name that is kept, in characters. */
const kMaxName = 120;

/**
 * A name that shows what it is: no folders, no control, bidirectional or zero-width characters
 * (they can make `exe.txt` of `txt.exe`), no leading dot, at most 120 characters with the ending kept.
 */
export function safeFileName(name: string): string {
    let clean = name
        .normalize('NFC')
        .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, '')
        .replace(/[/\\:*?"<>|]+/g, '-')
        .replace(/\s+/g, ' ')
        .replace(/^[.\s-]+/, '')
        .replace(/[.\s]+$/, '');
    const characters = [...clean];
    if (characters.length > kMaxName) {
        const ending = /\.[a-z0-9]{1,8}$/i.exec(clean)?.[0] ?? '';
        clean = characters.slice(0, kMaxName - ending.length).join('').trimEnd() + ending;
    }
    return clean === '' ? 'file' : clean;
}

/** Sizes as people read them: base 10, as file managers show them. */
export function sizeText(bytes: number): string {
    if (bytes === 1) return '1 byte';
    if (bytes < 1000) return `${bytes} bytes`;
    const units = ['kB', 'MB', 'GB'];
    let value = bytes / 1000;
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ''}`;
}

const kPrograms =
    /\.(?:app|appimage|bash|bat|cmd|com|deb|desktop|dll|dmg|exe|flatpakref|hta|html?|jar|js|lnk|msi|pkg|ps1|py|rb|rpm|run|scr|sh|so|svg|vbs|xhtml|zsh)$/i;

/** True for endings that a double click may run or open with scripts. */
export const mayRun = (name: string): boolean => kPrograms.test(name);
