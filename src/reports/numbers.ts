import { formatDuration, formatFixed } from '../training/format.js'

/** Formats a score as the notebook does. */
export function score(value: number): string {
  return formatFixed(value, 2)
}

/** Formats minutes, with one decimal below ten. */
export function minutes(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0)
}

/** Formats a duration: `8.3 s`, or hours, minutes and seconds from a minute on. */
export function duration(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds)
}

/** Formats a number with three significant digits and thousands separators. */
export function rough(value: number): string {
  return Number.isFinite(value) ? Number(value.toPrecision(3)).toLocaleString('en') : '–'
}
