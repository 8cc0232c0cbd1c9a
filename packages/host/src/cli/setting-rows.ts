import type { Setting } from './settings.js'

/** What an option of another package is on the command line. That package checks values further. */
export type SettingRow = Pick<Setting, 'kind' | 'describe' | 'takes' | 'fits'> &
  Partial<Pick<Setting, 'flag' | 'default' | 'isPath'>>

export const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

export const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

export const isEach =
  (fits: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(fits)

type Kind = Omit<SettingRow, 'describe'>

export const text: Kind = { kind: 'text', takes: 'a text that is not empty', fits: isText }

export const list: Kind = {
  kind: 'list',
  default: [],
  takes: 'a text or an array of texts',
  fits: (value) => isText(value) || areTexts(value),
}

export const flag: Kind = {
  kind: 'flag',
  default: false,
  takes: 'true or false',
  fits: (value) => typeof value === 'boolean',
}

/** `NAME=NUMBER` on the command line. */
export const numbers: Kind = {
  kind: 'map',
  takes: 'NAME=NUMBER; in a file, an object of these',
  fits: isEach((value) => value !== '' && !Number.isNaN(Number(value))),
}

/** Settings of a group: keys of an object of that name in the file. */
export function settingsOf(group: string, rows: Readonly<Record<string, SettingRow>>): readonly Setting[] {
  return Object.entries(rows).map(([name, row]) => ({
    key: `${group}.${name}`,
    flag: name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    ...{ default: undefined, isPath: false, isLimit: false },
    ...row,
  }))
}
