import { badArgument, PackedRnnError } from './errors.js'

/**
 * The checks that every op makes of its arguments. An error names the op, the argument, what was wanted and
 * what was passed. Nothing is checked again after that.
 */

/** In a wanted shape: a dimension of any size. */
export const anySize = -1

/** What the checks read of a tensor: its class is in a file that makes these checks. */
interface Checked<D extends string = string> {
  readonly dtype: D
  readonly shape: readonly number[]
  readonly device: { readonly name: string }
  readonly disposed: boolean
}

interface WantedTensor<D extends string> {
  dtype: D
  shape?: readonly number[]
  device?: Checked['device']
}

function hasShape(shape: readonly number[], wanted: readonly number[]): boolean {
  if (shape.length !== wanted.length) return false
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] !== anySize && wanted[i] !== shape[i]) return false
  }
  return true
}

// No `instanceof`: importing the class would load the addon, which checks of numbers don't need.
function isTensor(value: unknown): value is Checked {
  return typeof value === 'object' && value !== null && 'dtype' in value
}

/**
 * Whether `checkTensor` would accept the value; for hot paths that don't build the argument's name unless it
 * fails.
 */
export function isTensorOf(value: unknown, wanted: WantedTensor<string>): boolean {
  return (
    isTensor(value) &&
    !value.disposed &&
    value.dtype === wanted.dtype &&
    (wanted.shape === undefined || hasShape(value.shape, wanted.shape)) &&
    (wanted.device === undefined || value.device === wanted.device)
  )
}

export function checkTensor<D extends string>(
  op: string,
  name: string,
  value: Checked<D>,
  wanted: WantedTensor<D>,
): void {
  if (isTensorOf(value, wanted)) return
  if (!isTensor(value)) throw badArgument(op, name, 'a tensor', value)
  if (value.disposed)
    throw new PackedRnnError('ERR_DISPOSED', `${op}: ${name}: wanted a tensor, got a disposed one`)
  if (value.dtype !== wanted.dtype)
    throw badArgument(op, name, `dtype ${wanted.dtype}`, value.dtype, 'ERR_DTYPE')
  const dimensions = wanted.shape ?? value.shape
  if (!hasShape(value.shape, dimensions)) {
    const shape = dimensions.map(n => (n === anySize ? '*' : n)).join(', ')
    throw badArgument(op, name, `shape [${shape}]`, [...value.shape], 'ERR_SHAPE')
  }
  if (wanted.device !== undefined && value.device !== wanted.device) {
    throw badArgument(op, name, `a tensor on ${wanted.device.name}`, value.device.name, 'ERR_DEVICE')
  }
}

/** Checks for a float32 tensor. */
export function checkFloat(op: string, name: string, x: Checked, device?: Checked['device']): void {
  checkTensor(op, name, x, { dtype: 'float32', ...(device !== undefined && { device }) })
}

export function checkInteger(op: string, name: string, value: number, low: number, high = 2 ** 31 - 1): void {
  if (Number.isInteger(value) && value >= low && value <= high) return
  throw badArgument(op, name, `an integer from ${low} to ${high}`, value, 'ERR_OUT_OF_RANGE')
}

/** Checks for a finite number in [low, high]. */
export function checkNumber(op: string, name: string, value: number, low: number, high = Infinity): void {
  if (Number.isFinite(value) && value >= low && value <= high) return
  throw badArgument(op, name, `a number from ${low} to ${high}`, value, 'ERR_OUT_OF_RANGE')
}

/** Checks that every value is an integer in [0, high). */
export function checkIndices(op: string, name: string, values: ArrayLike<number>, high: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!(value >= 0 && value < high && Number.isInteger(value))) {
      throw badArgument(op, `${name}[${i}]`, `an integer from 0 to ${high - 1}`, value, 'ERR_OUT_OF_RANGE')
    }
  }
}

/** Checks for an array: JavaScript may pass anything. */
export function checkList(op: string, name: string, value: unknown, of: string): void {
  if (!Array.isArray(value)) throw badArgument(op, name, `an array of ${of}`, value)
}

/** Checks for integers on the host, or a tensor, which the caller has to check further. */
export function checkIntegers(op: string, name: string, value: unknown): void {
  if (isTensor(value) || Array.isArray(value)) return
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return
  throw badArgument(op, name, 'integers', value)
}

/** Checks for a function: JavaScript may pass anything. */
export function checkFunction(op: string, name: string, value: unknown): void {
  if (typeof value !== 'function') throw badArgument(op, name, 'a function', value)
}

/** Checks for one of several strings: JavaScript may pass another. */
export function checkWord(op: string, name: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw badArgument(op, name, `one of ${words.join(', ')}`, value)
}

/** Checks for an instance of a class: JavaScript may pass anything. */
export function checkInstance(
  op: string,
  name: string,
  value: unknown,
  wanted: abstract new (...args: never) => unknown,
): void {
  if (!(value instanceof wanted)) throw badArgument(op, name, `a ${wanted.name}`, value)
}

/** The names of the options T. The compiler rejects a list with a missing or an extra name. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>

/**
 * Checks that all options of a call have known names, so that a misspelt `weight_decay` is an error rather
 * than ignored. `name` is the argument's name. Takes less than 0.1 µs for as many options as an op has.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown option, even if its value is undefined, with the
 * nearest known name; for options that are not an object.
 */
export function checkOptions<T>(
  op: string,
  options: T,
  known: OptionNames<NoInfer<T>>,
  name = 'options',
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw badArgument(op, name, 'an object', options)
  }
  const names: Readonly<Record<string, true>> = known
  for (const option of Object.keys(options)) {
    // Compared with `true`, because every object inherits names such as `constructor`.
    if (names[option] === true) continue
    const wanted = `a known option, ${likeliest(option, Object.keys(known))}`
    throw badArgument(op, `${name}.${option}`, wanted, option)
  }
}

/**
 * Returns the known name that was probably meant, if at most two letters in five differ; otherwise all of
 * them.
 */
function likeliest(given: string, known: readonly string[]): string {
  const plain = (name: string) => name.replaceAll('_', '').toLowerCase()
  let nearest = ''
  let least = Infinity
  for (const name of known) {
    const [a, b] = [plain(given), plain(name)]
    const part = distance(a, b) / Math.max(a.length, b.length)
    if (part < least) [nearest, least] = [name, part]
  }
  return least <= 0.4 ? `perhaps ${nearest}` : `one of ${known.join(', ')}`
}

/**
 * Returns the number of letters to insert, delete or change to turn one word into the other (Levenshtein
 * 1966).
 */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const changed = row[j]! + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(changed, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
