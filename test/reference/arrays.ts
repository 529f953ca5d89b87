/**
 * Arrays of any number of dimensions in float64, and the ops of single elements on them: what the tape's ops are
 * compared with. Written for reading. There are no gradients here: they are finite differences of these functions.
 */
export interface NdArray {
  readonly shape: readonly number[]
  /** Row-major. */
  readonly data: Float64Array
}

export type Operand = NdArray | number

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

export function nd(shape: readonly number[], data: ArrayLike<number>): NdArray {
  if (data.length !== sizeOf(shape)) throw new Error(`${data.length} values for [${shape.join(', ')}]`)
  return { shape: [...shape], data: Float64Array.from(data) }
}

/** The array whose element at each place is what `value` says; it may read the place and not keep it. */
export function build(shape: readonly number[], value: (place: readonly number[]) => number): NdArray {
  const data = new Float64Array(sizeOf(shape))
  const place = shape.map(() => 0)
  for (let i = 0; i < data.length; i++) {
    data[i] = value(place)
    for (let d = shape.length - 1; d >= 0; d--) {
      place[d]! += 1
      if (place[d]! < shape[d]!) break
      place[d] = 0
    }
  }
  return { shape: [...shape], data }
}

/** The index in `data` of the element at a place. */
export function flatten(shape: readonly number[], place: readonly number[]): number {
  let flat = 0
  for (let d = 0; d < shape.length; d++) flat = flat * shape[d]! + place[d]!
  return flat
}

export function at(x: NdArray, place: readonly number[]): number {
  return x.data[flatten(x.shape, place)]!
}

/** A dimension counted from the front; −1 is the last of `rank`. */
export function axisOf(rank: number, dim: number): number {
  const axis = dim < 0 ? dim + rank : dim
  if (!(axis >= 0 && axis < rank)) throw new Error(`no dimension ${dim} among ${rank}`)
  return axis
}

// Broadcasting ------------------------------------------------------------------------------------------------

/** NumPy's rule: shapes are aligned at their ends, and a dimension of 1 is as long as the others say. */
export function broadcastShape(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map(shape => shape.length))
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map(shape => shape[d - rank + shape.length] ?? 1)
    const size = sizes.find(n => n !== 1) ?? 1
    if (sizes.some(n => n !== 1 && n !== size)) throw new Error(`${JSON.stringify(shapes)} do not broadcast`)
    return size
  })
}

/** The element of `x` that stands at a place of what it is broadcast to. */
export function broadcastAt(x: NdArray, place: readonly number[]): number {
  let flat = 0
  const before = place.length - x.shape.length
  for (let d = 0; d < x.shape.length; d++) {
    flat = flat * x.shape[d]! + (x.shape[d] === 1 ? 0 : place[before + d]!)
  }
  return x.data[flat]!
}

export function expand(x: NdArray, shape: readonly number[]): NdArray {
  return build(shape, place => broadcastAt(x, place))
}

/** A function of the elements at the same place of all operands. */
export function combine(f: (...values: number[]) => number, ...operands: Operand[]): NdArray {
  const arrays = operands.map(x => (typeof x === 'number' ? nd([], [x]) : x))
  const shape = broadcastShape(...arrays.map(x => x.shape))
  return build(shape, place => f(...arrays.map(x => broadcastAt(x, place))))
}

// Two operands ------------------------------------------------------------------------------------------------

type Binary = (a: Operand, b: Operand) => NdArray

function binary(f: (a: number, b: number) => number): Binary {
  return (a, b) => combine((x = NaN, y = NaN) => f(x, y), a, b)
}

export const add = binary((a, b) => a + b)
export const sub = binary((a, b) => a - b)
export const mul = binary((a, b) => a * b)
export const div = binary((a, b) => a / b)
/** C's pow: 1 to the power of everything is 1, and so is everything to the power of 0. */
export const pow = binary((a, b) => {
  if (a === 1 || b === 0 || (a === -1 && Math.abs(b) === Infinity)) return 1
  return a ** b
})
/** A NaN is larger than every number, and smaller. */
export const maximum = binary(Math.max)
export const minimum = binary(Math.min)
export const eq = binary((a, b) => Number(a === b))
export const gt = binary((a, b) => Number(a > b))
export const lt = binary((a, b) => Number(a < b))

export function where(condition: NdArray, a: Operand, b: Operand): NdArray {
  return combine((c, x = NaN, y = NaN) => (c !== 0 ? x : y), condition, a, b)
}

// One operand -------------------------------------------------------------------------------------------------

type Unary = (x: NdArray) => NdArray

function unary(f: (x: number) => number): Unary {
  return x => ({ shape: x.shape, data: x.data.map(value => f(value)) })
}

export const neg = unary(x => -x)
export const exp = unary(Math.exp)
export const log = unary(Math.log)
export const sqrt = unary(Math.sqrt)
export const abs = unary(Math.abs)
export const tanh = unary(Math.tanh)
export const sigmoid = unary(x => 1 / (1 + Math.exp(-x)))
export const relu = unary(x => Math.max(x, 0))
/** log(1 + eˣ) */
export const softplus = unary(x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))
/** x · P(a standard normal number is below x) */
export const gelu = unary(x => (x === -Infinity ? 0 : x * (erfc(-x / Math.SQRT2) / 2)))

export function clamp(
  x: NdArray,
  { min = -Infinity, max = Infinity }: { min?: number; max?: number },
): NdArray {
  return unary(value => Math.min(Math.max(value, min), max))(x)
}

/**
 * 1 − erf(x), to about 15 digits also where it is tiny. Below 2 by erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!,
 * whose terms all have one sign; from there on by the continued fraction
 * e^(−x²)/√π / (x + 1/2 / (x + 2/2 / (x + 3/2 / …))). Abramowitz and Stegun, 7.1.6 and 7.1.14.
 */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x)
  if (x < 2) {
    let [term, total] = [x, x]
    for (let n = 1; Math.abs(term) > 1e-18 * total; n++) {
      term *= (2 * x * x) / (2 * n + 1)
      total += term
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total
  }
  let fraction = x
  for (let n = 120; n >= 1; n--) fraction = x + n / 2 / fraction
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction
}
