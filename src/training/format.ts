import { badArgument } from '../errors.js'

/**
 * A span of time as H:MM:SS, whole seconds, the rest cut off; hours do not wrap: 100 hours are `100:00:00`.
 * An unknown span (negative, infinite or NaN) is `-:--:--`.
 *
 * @param seconds the span, in seconds
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-:--:--'
  const whole = Math.floor(seconds)
  const twoDigits = (value: number) => String(value).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${twoDigits(Math.floor(whole / 60) % 60)}:${twoDigits(whole % 60)}`
}

/**
 * A number with a fixed count of decimals, rounded as Python's `format(value, '.2f')` does: the exact binary value,
 * halves to the even neighbour. 0.125 gives `0.12` and 0.625 gives `0.62`, where `toFixed` gives 0.13 and 0.63.
 *
 * @param value a number below 1e21 in magnitude
 * @param digits decimals, an integer from 0 to 99
 * @throws ERR_INVALID_ARGUMENT for any other `digits`
 */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isInteger(digits) || digits < 0 || digits > 99) {
    throw badArgument('formatFixed', 'digits', 'an integer from 0 to 99', digits)
  }
  // toFixed already rounds the exact binary value; only halves differ, which it sends away from zero. A half is a
  // multiple of 2^-(digits + 1), so that digits + 1 decimals show it exactly, the last of them a 5.
  const rounded = value.toFixed(digits)
  const exact = value.toFixed(digits + 1)
  const isHalf = Number.isInteger(value * 2 ** (digits + 1)) && exact.endsWith('5')
  if (!isHalf) return rounded
  const cut = exact.slice(0, digits === 0 ? -'.5'.length : -'5'.length)
  return Number(cut.at(-1)) % 2 === 0 ? cut : rounded
}
