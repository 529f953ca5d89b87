import { badArgument } from '../errors.js'

/**
 * Formats a duration as H:MM:SS, rounded down to whole seconds. Hours do not wrap: 100 hours are `100:00:00`. An unknown duration
 * (negative, infinite or NaN) is `-:--:--`.
 *
 * @param seconds the duration in seconds
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-:--:--'
  const whole = Math.floor(seconds)
  const twoDigits = (value: number) => String(value).padStart(2, '0')
  return `${Math.floor(whole / 3600)}:${twoDigits(Math.floor(whole / 60) % 60)}:${twoDigits(whole % 60)}`
}

/**
 * Formats a number with a fixed number of decimals, as Python's `format(value, '.2f')`: it rounds the exact binary value, and
 * halves to even. 0.125 becomes `0.12` and 0.625 becomes `0.62`; `toFixed` returns 0.13 and 0.63.
 *
 * @param value a number below 1e21 in magnitude
 * @param digits the number of decimals, an integer from 0 to 99
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if `digits` is anything else
 */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isInteger(digits) || digits < 0 || digits > 99) {
    throw badArgument('formatFixed', 'digits', 'an integer from 0 to 99', digits)
  }
  // toFixed also rounds the exact binary value, but rounds halves away from zero. A half is a multiple of
  // 2^-(digits + 1), so digits + 1 decimals show it exactly, and the last of them is a 5.
  const rounded = value.toFixed(digits)
  const exact = value.toFixed(digits + 1)
  const isHalf = Number.isInteger(value * 2 ** (digits + 1)) && exact.endsWith('5')
  if (!isHalf) return rounded
  const cut = exact.slice(0, digits === 0 ? -'.5'.length : -'5'.length)
  return Number(cut.at(-1)) % 2 === 0 ? cut : rounded
}
