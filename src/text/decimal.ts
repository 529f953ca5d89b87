const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const QUICK_LENGTH = 15

/** Powers of ten that are exact as doubles. */
const powers = Array.from({ length: QUICK_LENGTH + 1 }, (_, i) => 10 ** i)

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/**
 * Parses the decimal number in `bytes[start, end)`, rounded as `Number()` rounds it. Returns NaN if it is not a number.
 *
 * Almost every number in a file of word vectors has few digits: an integer below 2^53 divided by a power of ten. Both are
 * exact doubles, so one division is correctly rounded. `Number()` parses the others.
 */
export function parseDecimal(bytes: Buffer, start: number, end: number): number {
  const sign = bytes[start]
  const first = sign === MINUS || sign === PLUS ? start + 1 : start
  if (end - first > QUICK_LENGTH) return parseSlowly(bytes, start, end)
  let digits = 0
  let integer = 0
  let point = -1
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit >= 0 && digit <= 9) {
      integer = integer * 10 + digit
      digits++
    } else if (bytes[at] === POINT && point < 0) point = at
    else return parseSlowly(bytes, start, end)
  }
  if (digits === 0) return Number.NaN
  const value = point < 0 ? integer : integer / powers[end - point - 1]!
  return sign === MINUS ? -value : value
}

function parseSlowly(bytes: Buffer, start: number, end: number): number {
  const text = bytes.toString('latin1', start, end)
  return decimal.test(text) ? Number(text) : Number.NaN
}
