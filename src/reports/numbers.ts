import { formatDuration, formatFixed } from '../training/format.js'

/** As the notebook prints scores. */
export function score(value: number): string {
  return formatFixed(value, 2)
}

/** Tenths below ten. */
export function minutes(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0)
}

/** `8.3 s`, or hours, minutes and seconds. */
export function duration(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds)
}

/** Three digits that count, with thousands set off. */
export function rough(value: number): string {
  return Number.isFinite(value) ? Number(value.toPrecision(3)).toLocaleString('en') : '–'
}
