/**
 * An LSTM layer of one direction in float64 with its backward pass, one sequence and one step at a time, without packing, batching, or
 * the package's code.
 */
export interface ReferenceLayer {
  /** [4H, I], [4H, H], [4H], [4H]; gates i, f, g, o */
  wIh: ArrayLike<number>
  wHh: ArrayLike<number>
  bIh: ArrayLike<number>
  bHh: ArrayLike<number>
}

export interface ReferenceResult {
  output: number[]
  hN: number[]
  cN: number[]
  dInput: number[]
  wIh: number[]
  wHh: number[]
  bIh: number[]
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** The layer has as many inputs as units. @param x, dOutput rows of all sequences, one after the other, [N, H] */
export function referenceLayer(
  { wIh, wHh, bIh, bHh }: ReferenceLayer,
  H: number,
  lengths: readonly number[],
  x: ArrayLike<number>,
  dOutput: ArrayLike<number>,
): ReferenceResult {
  const rows = lengths.reduce((sum, length) => sum + length, 0)
  const zeros = (count: number) => new Array<number>(count).fill(0)
  const result: ReferenceResult = {
    ...{ output: zeros(rows * H), hN: [], cN: [], dInput: zeros(rows * H) },
    ...{ wIh: zeros(4 * H * H), wHh: zeros(4 * H * H), bIh: zeros(4 * H) },
  }
  let first = 0
  for (const length of lengths) {
    const steps = Array.from({ length }, (_, t) => first + t)
    const gates: number[][] = []
    const cells: number[][] = [zeros(H)]
    const states: number[][] = [zeros(H)]
    for (const [t, row] of steps.entries()) {
      const h = states[t]!
      const sums = Array.from({ length: 4 * H }, (_, r) => {
        let sum = bIh[r]! + bHh[r]!
        for (let k = 0; k < H; k++) sum += wIh[r * H + k]! * x[row * H + k]! + wHh[r * H + k]! * h[k]!
        return r >= 2 * H && r < 3 * H ? Math.tanh(sum) : sigmoid(sum)
      })
      const c = cells[t]!.map((v, k) => sums[H + k]! * v + sums[k]! * sums[2 * H + k]!)
      gates.push(sums)
      cells.push(c)
      states.push(c.map((v, k) => sums[3 * H + k]! * Math.tanh(v)))
      for (let k = 0; k < H; k++) result.output[row * H + k] = states[t + 1]![k]!
    }
    result.hN.push(...states.at(-1)!)
    result.cN.push(...cells.at(-1)!)
    let dH = zeros(H)
    const dC = zeros(H)
    for (const [t, row] of [...steps.entries()].reverse()) {
      const gate = gates[t]!
      const dGates = zeros(4 * H)
      for (let k = 0; k < H; k++) {
        const [i, f, g, o] = [gate[k]!, gate[H + k]!, gate[2 * H + k]!, gate[3 * H + k]!]
        const squashed = Math.tanh(cells[t + 1]![k]!)
        const dh = dH[k]! + dOutput[row * H + k]!
        const dc = dC[k]! + dh * o * (1 - squashed * squashed)
        dGates[k] = dc * g * i * (1 - i)
        dGates[H + k] = dc * cells[t]![k]! * f * (1 - f)
        dGates[2 * H + k] = dc * i * (1 - g * g)
        dGates[3 * H + k] = dh * squashed * o * (1 - o)
        dC[k] = dc * f
      }
      dH = zeros(H)
      for (const [r, d] of dGates.entries()) {
        result.bIh[r]! += d
        for (let k = 0; k < H; k++) {
          result.wIh[r * H + k]! += d * x[row * H + k]!
          result.wHh[r * H + k]! += d * states[t]![k]!
          result.dInput[row * H + k]! += d * wIh[r * H + k]!
          dH[k]! += d * wHh[r * H + k]!
        }
      }
    }
    first += length
  }
  return result
}
